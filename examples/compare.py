"""Two editors and the bare model on cases of your own, in Python: how often the answer says the new
fact, and how often a neighbour's answer stayed."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import memedit


def main() -> None:
    cases = [
        {
            "prompt": "The CEO of Acme is", "target_new": "Ada Byron", "subject": "Acme",
            "paraphrases": ["The person who leads Acme is"], "locality": ["The CEO of Initech is"],
        },
        {
            "prompt": "The capital of France is", "target_new": "Lyon", "subject": "France",
            "paraphrases": ["France's capital city is"], "locality": ["The capital of Spain is"],
        },
    ]  # fmt: skip
    model = memedit.EditableModel.from_pretrained()
    with TemporaryDirectory() as folder:
        file = Path(folder, "cases.jsonl")
        file.write_text("\n".join(map(json.dumps, cases)), "utf-8")
        result = model.compare(["ike", "none"], file, families=["gen"], tokens=6)
    for editor, points in result.tables.items():
        scores = points["2"]  # with both cases edited
        print(editor, {name: scores[name].mean for name in ("gen_efficacy", "gen_locality")})
    assert (
        result.tables["ike"]["2"]["gen_efficacy"].mean
        > result.tables["none"]["2"]["gen_efficacy"].mean
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)  # as shells say of Ctrl-C
