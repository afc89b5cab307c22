"""A help desk's facts in a model that never heard of the company: statements, a source, and what
answered. An unrelated question gets the base's own words."""

import sys

import memedit


def main() -> None:
    model = memedit.EditableModel.from_pretrained()
    facts = [
        "Our refund window is 60 days.",
        "The support line of Acme Robotics opens at 7 in the morning.",
        "Spare parts for the R2 lawn mower are sold in the Oslo shop only.",
    ]
    for fact in facts:
        model.edit(fact, source="handbook, page 12")

    for question in (
        "How long is your refund window?",
        "When does Acme Robotics' support line open?",
    ):
        answer = model.ask(question, max_new_tokens=12)
        fired = answer.decision.hits[0].record
        print(question, "->", answer.text, f"({fired.source})")
        assert ("60 days" in answer.text) == ("refund" in question)

    assert not model.ask("What is the capital of Spain?", max_new_tokens=4).decision


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)  # as shells say of Ctrl-C
