"""Files of everyday requests as edits and probes: what may fire, and what it should be.

One record a line, JSON, gzip'd or not: ``facts`` become edits (a ``prompt`` with its ``target``, or
a ``statement``), ``probes`` are asked; a ``pair`` becomes an edit keyed by ``a`` that ``b`` asks,
or does not; a record of only ``original`` text, or of a probe and no fact, is ordinary traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit
from memedit.data.records import read_source
from memedit.data.split import part_of

Record = dict[str, Any]
PARTS = ("all", "visible-heldout", "train", "calibration", "evaluation")
_QUESTION_WORDS = frozenset(
    "who whom whose what which when where why how is are was were do does did can could should "
    "will would may has have am".split()
)
_UNTOLD = "as agreed"
"""Target of an edit whose data give a question and no answer."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request.

    Attributes:
        type: The data's word for it.
        text: What is asked.
        own: The edits it should find.
        expect: ``edited`` (it asks them), ``derived`` (its answer depends on them), ``unchanged``.
        only_own: Whether a fire of another edit says nothing, as where only one pair is labelled.
    """

    type: str
    text: str
    own: tuple[Edit, ...]
    expect: str
    only_own: bool = False


@dataclass(slots=True)
class Set:
    """One file's edits, each once, what is asked, and its ordinary texts."""

    name: str
    edits: dict[str, Edit] = field(default_factory=dict)
    probes: list[Probe] = field(default_factory=list)
    traffic: list[str] = field(default_factory=list)
    refused: int = 0


def read_set(file: Path, part: str = "all") -> Set:
    """The set in a file; of records about subjects of another part only the edits."""
    found = Set(file.name.split(".jsonl")[0])
    for record in read_source(file):
        asked = part == "all" or _part(record) in _members(part)
        if pair := record.get("pair"):
            _take_pair(found, pair, asked)
        elif record.get("facts"):
            _take_facts(found, record, asked)
        elif asked:
            found.traffic += [p["prompt"] for p in record.get("probes") or ()]
            original = record.get("original") or ""
            text = original.get("text") if isinstance(original, dict) else original
            found.traffic += [text] if text else []
    _join(found)
    return found


def _join(found: Set) -> None:
    """Edits that pairs say ask the same are each other's: any of them is right."""
    leader: dict[str, str] = {}

    def first(text: str) -> str:
        while (above := leader.setdefault(text, text)) != text:
            text = above
        return text

    pairs = [p for p in found.probes if p.type == "same"]
    for probe in pairs:
        leader[first(probe.text)] = first(probe.own[0].prompt)
    alike: dict[str, list[Edit]] = {}
    for probe in pairs:
        edits = alike.setdefault(first(probe.text), [])
        edits += [probe.own[0]] if probe.own[0] not in edits else []
    found.probes = [
        replace(p, own=tuple(alike[first(p.text)])) if p.type == "same" else p for p in found.probes
    ]


def _members(part: str) -> tuple[str, ...]:
    return ("evaluation",) if part == "visible-heldout" else (part,)


def _part(record: Record) -> str:
    """The part of :mod:`memedit.data.split` that the record's subject belongs to."""
    facts = record.get("facts") or [{}]
    fact, pair = facts[0], record.get("pair") or {}
    about = fact.get("subject") or fact.get("prompt") or fact.get("statement") or pair.get("a")
    return part_of(str(about or record.get("original") or record.get("id")))


def _take_pair(found: Set, pair: Record, asked: bool) -> None:
    edit = _entered(found, lambda: _of_text(pair["a"]))
    if edit is None or not asked:
        return
    same = bool(pair["same"])
    expect, kind = ("edited", "same") if same else ("unchanged", "different")
    found.probes.append(Probe(kind, pair["b"], (edit,), expect, only_own=not same))


def _take_facts(found: Set, record: Record, asked: bool) -> None:
    probes = record.get("probes") or ()
    said = next((a for p in probes for a in p.get("answers") or () if a), _UNTOLD)
    edits = [_entered(found, lambda fact=fact: _of_fact(fact, said)) for fact in record["facts"]]
    own = tuple(edit for edit in edits if edit is not None)
    if asked and own:
        found.probes += [Probe(p["type"], p["prompt"], own, p["expect"]) for p in probes]


def _entered(found: Set, make: Any) -> Edit | None:
    try:
        edit: Edit = make()
    except InvalidEditError:
        found.refused += 1
        return None
    return found.edits.setdefault(edit.id, edit)


def _of_fact(fact: Record, said: str) -> Edit:
    if fact.get("statement") and not fact.get("prompt"):
        return Edit.from_statement(fact["statement"])
    prompt, subject = fact["prompt"], fact.get("subject")
    if subject is not None and subject.casefold() not in prompt.casefold():
        subject = None
    return Edit(prompt, fact.get("target") or said, subject)


def _of_text(text: str) -> Edit:
    first = text.split()[0].casefold() if text.split() else ""
    if text.rstrip().endswith(("?", "？")) or first in _QUESTION_WORDS:
        return Edit(text, _UNTOLD)
    return Edit.from_statement(text)


def truth(probe: Probe, prompted: bool) -> tuple[bool, bool] | None:
    """Whether the probe (asks, bears on) its own edits; None where the data do not say.

    Args:
        probe: Asked.
        prompted: Whether its edits have a prompt: part of a long target is not what they say.
    """
    if probe.expect == "unchanged":
        return False, False
    if probe.expect == "derived":
        return (True, True) if probe.type == "part" and not prompted else (False, True)
    return (False, True) if probe.type in ("yes question", "no question") else (True, True)


def named(sets: Sequence[Set], count: int) -> list[Edit]:
    """Edits about named subjects, evenly from all sets: what ordinary traffic is put to."""
    pools = [[e for e in s.edits.values() if e.subject and not e.is_statement] for s in sets]
    pools = [pool for pool in pools if pool]
    each = -(-count // max(1, len(pools)))
    return [edit for pool in pools for edit in pool[:: max(1, len(pool) // each)][:each]][:count]
