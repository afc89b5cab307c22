"""Which value is in force when, and what was before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from benchmarks.facts_common import Facts, Row, asked, edit_of, says, share

_WHICH = re.compile(r"\b(?:is|was|are|were|current|currently|previous|previously)\b\s*", re.I)


def pat(rows: Sequence[Row], facts: Facts) -> Row:
    """Dated values of one slot: what is asked at each date, and who was there before."""
    for row in rows:
        for fact in sorted(row["facts"], key=lambda f: str(f["valid_from"])):
            if (edit := edit_of(fact)) is not None:
                facts.add(edit, valid_from=fact["valid_from"])
    fired, right, several = list[bool](), list[bool](), list[bool]()
    for row in rows:
        prompt = row["facts"][0]["prompt"]
        for probe in row["probes"]:
            found = asked(facts.ask(probe["prompt"], probe["as_of"]))
            own = [r for r in found if r.edit.prompt == prompt]
            fired.append(bool(own))
            if own:
                right.append(says(own[0], probe["answers"]))
                several += [right[-1]] if len(row["facts"]) > 1 else []
    return {
        "fired": share(fired),
        "in_force_of_those_fired": share(right),
        "of_those_with_several_values": share(several),
    }


def previous(rows: Sequence[Row], facts: Facts) -> Row:
    """Only the "current" records are edits; the "previous" question must find the value before."""
    slots = {_slot(r): r for r in rows if "previous" not in r["facts"][0]["prompt"]}
    asked_of = {_slot(r): r for r in rows if "previous" in r["facts"][0]["prompt"]}
    chosen = [(slots[k], asked_of[k]) for k in slots if k in asked_of and _changes(slots[k])]
    for row, _ in chosen:
        for fact in sorted(row["facts"], key=lambda f: str(f["valid_from"])):
            if (edit := edit_of(fact)) is not None:
                facts.add(edit, valid_from=fact["valid_from"])
    fired, right, known = list[bool](), list[bool](), list[bool]()
    for row, question in chosen:
        dated = sorted(row["facts"], key=lambda f: str(f["valid_from"]))
        for before, now in zip(dated, dated[1:], strict=False):
            probe = next((p for p in question["probes"] if p["as_of"] >= now["valid_from"]), None)
            if probe is None:
                continue
            found = asked(facts.ask(probe["prompt"], probe["as_of"]))
            fired.append(bool(found))
            said = bool(found) and says(found[0], [before["target"]])
            right.append(said)
            if before["target"] in probe["answers"]:  # so says the data too
                known.append(said)
    return {
        "fired": share(fired),
        "value_before": share(right),
        "value_before_as_the_data_say": share(known),
    }


def _slot(row: Row) -> str:
    return " ".join(_WHICH.sub("", str(row["facts"][0]["prompt"])).split()).casefold()


def _changes(row: Row) -> bool:
    return len({fact["target"] for fact in row["facts"]}) > 1


def _day(text: str) -> str:
    """A year, or "March 02, 2021", as a date in ISO 8601."""
    if text.isdigit():
        return f"{text}-01-01"
    return datetime.strptime(text, "%B %d, %Y").date().isoformat()


def situated(rows: Sequence[Row], facts: Facts) -> Row:
    """Questions that say "as of 2019" themselves, to values that hold from a year on."""
    chosen = [row for row in rows if row.get("facts")]
    for row in chosen:
        for fact in sorted(row["facts"], key=lambda f: _day(str(f["valid_from"]))):
            if (edit := edit_of(fact)) is not None:
                facts.add(edit, valid_from=_day(str(fact["valid_from"])))
    fired, right, early = list[bool](), list[bool](), list[bool]()
    for row in chosen:
        prompts = {fact["prompt"] for fact in row["facts"]}
        first = min(_day(str(fact["valid_from"])) for fact in row["facts"])
        for probe in row["probes"]:
            own = [r for r in asked(facts.ask(probe["prompt"])) if r.edit.prompt in prompts]
            if _day(str(probe["as_of"])) < first:
                early.append(not own)  # nothing is known of then
                continue
            fired.append(bool(own))
            if own:
                right.append(says(own[0], probe["answers"]))
    return {
        "fired": share(fired),
        "in_force_of_those_fired": share(right),
        "silent_before_the_first": share(early),
    }
