"""What SERAC's counterfactual model does when the scope is wrong, and whether its answers end.

    python benchmarks/serac.py --data counterfact_full.jsonl.gz --zsre zsre.jsonl.gz --json out.json

Only subjects that no part was trained on (``--part all`` for files that had no part in training).

forced_neighbour_same, forced_nq_same   an edit that is *not* about the probe is forced upon it: the
                                        share of probes that the base's own answer is given to
exact_10, exact_40                      exact match on edit prompts and paraphrases, the scope the
                                        default, with a budget of 10 and of 40 new tokens

The same figures with the frozen base as counterfactual model stand beside (``base_…``).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from rich.console import Console
from rich.table import Table

from memedit import EditableModel, EditMemory
from memedit.core.types import Decision, Hit, Record
from memedit.data.cases import EFFICACY, LOCALITY, NEIGHBOURHOOD, PARAPHRASE, EvalCase
from memedit.data.split import part_of
from memedit.editors.serac import Serac
from memedit.evaluation import load_cases
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.measures import text as texts

TOKENS = 10
Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forced:
    """A scope that is always wrong: each known prompt gets the edit it is given here."""

    edits: Mapping[str, Record]
    name: ClassVar[str] = "forced"

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        """The edit of each prompt; nothing for one that is not known."""
        found = [self.edits.get(prompt) for prompt in prompts]
        return [
            Decision((Hit(r, 0.5, p),) if r else ()) for r, p in zip(found, prompts, strict=True)
        ]


def chosen(file: Path, n: int, part: str, seed: int, neighbours: int) -> list[EvalCase]:
    """``n`` cases about subjects of ``part``."""
    cases = [
        case
        for case in load_cases(file, locality=neighbours).cases
        if part == "all" or part_of(case.edits[0].subject or "") == part
    ]
    return random.Random(seed).sample(cases, min(n, len(cases)))


def forced(lm: EditableModel, cases: Sequence[EvalCase], kind: str) -> float | None:
    """Share of probes of ``kind`` answered as by the base although their case's edit fires."""
    live = {record.edit.id: record for record in lm.memory.records()}
    given = {
        probe.prompt: live[case.edits[0].id]
        for case in cases
        for probe in case.probes
        if probe.kind.startswith(kind) and case.edits[0].id in live
    }
    if not given:
        return None
    scope, lm.scope = lm.scope, Forced(given)
    try:
        ask, prompts = Asker(lm, tokens=TOKENS), list(given)
        edited = ask.answers(prompts)
        with lm.unedited():
            base = ask.answers(prompts)
    finally:
        lm.scope = scope
    return sum(a.text == b.text for a, b in zip(edited, base, strict=True)) / len(prompts)


def exact(lm: EditableModel, cases: Sequence[EvalCase], tokens: int, kind: str) -> float:
    """Share of probes of ``kind`` whose whole answer is the new target, ended by itself."""
    probes = [p for c in cases for p in c.probes if p.kind == kind]
    answers = Asker(lm, tokens=tokens).answers([p.prompt for p in probes])
    right = [
        a.finished and texts.exact(a.text, [p.targets[0]])
        for a, p in zip(answers, probes, strict=True)
    ]
    return sum(right) / len(right)


def measure(
    lm: EditableModel, cases: Sequence[EvalCase], zsre: Sequence[EvalCase], console: Console
) -> Results:
    found: Results = {}
    frozen = EditableModel(
        lm.base, lm.tokenizer, memory=lm.memory, editor=Serac(counterfactual="base")
    )
    for name, model in (("", lm), ("base_", frozen)):
        for what, kind, of in (("neighbour", NEIGHBOURHOOD, cases), ("nq", LOCALITY, zsre)):
            with console.status(f"{name}forced {what}"):
                found[f"{name}forced_{what}_same"] = forced(model, of, kind)
        for tokens in (10, 40):
            for what, kind in (("efficacy", EFFICACY), ("paraphrase", PARAPHRASE)):
                with console.status(f"{name}{what}, {tokens} tokens"):
                    found[f"{name}exact_{tokens}_{what}"] = exact(model, cases, tokens, kind)
    return found


def main(
    data: Annotated[Path, typer.Option(help="CounterFact-form JSONL or JSONL.gz.")],
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    zsre: Annotated[Path | None, typer.Option(help="zsRE-form JSONL or JSONL.gz.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Cases of each file.")] = 200,
    part: Annotated[
        str, typer.Option(help="Subjects: evaluation, calibration, all.")
    ] = "evaluation",
    model: Annotated[str | None, typer.Option(help="Base model; default the packaged.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of cases.")] = 0,
) -> None:
    """Measure SERAC beyond efficacy: forced false fires, and answers that end."""
    console = Console(stderr=True)
    cases = chosen(data, n, part, seed, neighbours=2)
    asked = chosen(zsre, n, part, seed, neighbours=1) if zsre else []
    lm = EditableModel.from_pretrained(model, memory=EditMemory(), editor="serac")
    lm.edit_many([case.edits[0] for case in (*cases, *asked)])
    results: Results = {"counterfact": len(cases), "zsre": len(asked), "part": part}
    results |= measure(lm, cases, asked, console)
    json_out.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    table = Table("measure", "value")
    for name, value in results.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
