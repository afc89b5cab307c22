"""Values that must stay beside a new one, and values that the newest must replace."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.facts_common import (
    Facts,
    Row,
    asked,
    edit_of,
    fresh,
    milliseconds,
    says,
    share,
)
from memedit.core.types import Edit

_PEAK = "earlier values still true"
_UNDO = "after undo: every true value again"


def peak(rows: Sequence[Row], facts: Facts, *, declared: bool) -> Row:
    """A second true value is added beside the first.

    Args:
        declared: The second is said to be one of several; else the relation's default decides.
    """
    kept, both, told = list[bool](), list[bool](), list[bool]()
    for row in fresh(rows):
        fact = row["facts"][0]
        earlier: list[str] = next((p["answers"] for p in row["probes"] if p["type"] == _PEAK), [])
        one, two = edit_of(fact, earlier[0] if earlier else ""), edit_of(fact, multiple=declared)
        if one is None or two is None or not earlier or one.target_new == two.target_new:
            continue
        first = facts.add(one)
        receipt = facts.add(two, said=True if declared else None)
        kept.append(facts.live(first.id))
        told.append(facts.live(first.id) or first.id in {r.id for r in receipt.superseded})
        found = asked(facts.ask(one.prompt))
        answers = [[one.target_new or ""], [two.target_new or ""]]
        both.append(all(any(says(r, a) for r in found) for a in answers))
    return {
        "first_kept": share(kept),
        "both_asked": share(both),
        "kept_or_told": share(told),
        "ms_per_edit": milliseconds(facts.seconds),
    }


def pitfalls(rows: Sequence[Row], facts: Facts) -> Row:
    """Edits of one slot after one another, all in one memory; then some, and back."""
    wins, stale = dict[str, list[bool]](), list[bool]()
    conflicts = [row for row in rows if row["kind"].startswith("conflict")]
    for row in conflicts:
        for fact in row["facts"]:
            if (edit := edit_of(fact)) is not None:
                facts.add(edit)
    last = {f["prompt"]: f["target"] for row in conflicts for f in row["facts"]}
    for row in conflicts:
        probe, fact = row["probes"][0], row["facts"][-1]
        if last[fact["prompt"]] != fact["target"]:
            continue  # another record's edit came later
        found = asked(facts.ask(fact["prompt"]))
        wins.setdefault(row["kind"], []).append(bool(found) and says(found[0], probe["answers"]))
        old = [f["target"] for f in row["facts"][:-1] if f["prompt"] == fact["prompt"]]
        stale.append(any(says(r, old) for r in found))
    return {
        "last_wins": {kind: share(found) for kind, found in wins.items()},
        "last_wins_all": share(x for found in wins.values() for x in found),
        "stale": share(stale),
        "undo_exact": share(_undone(facts, row) for row in rows if row["kind"] == "round edit"),
        "ms_per_edit": milliseconds(facts.seconds),
    }


def _undone(facts: Facts, row: Row) -> bool:
    """Whether the memory is as before, and answers as before, once a second value is undone."""
    fact = row["facts"][0]
    true = next(p["answers"] for p in row["probes"] if p["type"] == _UNDO)
    if (first := edit_of(fact, true[0])) is None or (second := edit_of(fact)) is None:
        return True
    facts.add(first)
    before, version = facts.memory.digest(), facts.memory.version
    seen = [(r.sequence, r.edit) for r in asked(facts.ask(first.prompt))]
    facts.add(second)
    facts.memory.restore(version)
    again = [(r.sequence, r.edit) for r in asked(facts.ask(first.prompt))]
    return facts.memory.digest() == before and again == seen


def consolidated(row: Row, facts: Facts, *, stated: bool) -> Row:
    """Facts in the order of their serial numbers; each question must be answered by the newest.

    Args:
        stated: They come as sentences, without a prompt and a target.
    """
    for fact in sorted(row["facts"], key=lambda f: int(f["serial"])):
        text, subject = fact["statement"], fact["subject"]
        edit = Edit.from_statement(text, subject) if stated else edit_of(fact)
        if edit is not None:
            facts.add(edit)
    right, stale, fired, took = list[bool](), list[bool](), list[bool](), list[float]()
    for probe in row["probes"]:
        if not probe["type"].startswith("single"):
            continue
        begun = time.perf_counter()
        found = asked(facts.ask(probe["prompt"]))
        took.append(time.perf_counter() - begun)
        fired.append(bool(found))
        stale.append(any(says(r, probe["wrong"]) for r in found))
        right.append(bool(found) and says(found[0], probe["answers"]) and not stale[-1])
    return {
        "facts": len(row["facts"]),
        "in_force": len(facts.memory),
        "newest_alone": share(right),
        "fired": share(fired),
        "stale_among_those_asked": share(stale),
        "ms_per_edit": milliseconds(facts.seconds),
        "ms_per_query": milliseconds(took),
    }
