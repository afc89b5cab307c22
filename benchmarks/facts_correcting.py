"""Which facts a new one retires: what it corrects, and what should have stayed.

``stated``: rules as people state them (our own banks). In a namespace of its own each draw holds
rules of several topics; then come the same rule with another value in the same and in other words
(``corrects``), of another subject, and rules of other topics (``stays``). ``written``: statements
of ten domains with what corrects them and what stays beside them, written by hand before the
decision was (``facts_restated.jsonl``); the domains held out served no tuning. ``blind``: the same
of twelve domains, by another writer under the brief of a part of the training; read by nobody
(``facts_restated_blind.jsonl``). ``asked``: questions
of HalluEditBench as prompts, put in other words or as a sentence, and other questions about the
same subject. ``ramdocs``: passages about things of one name, some copies that say otherwise.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from benchmarks.facts_common import Facts, Row, milliseconds, share
from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit, Record
from memedit.data.split import part_of
from memedit.memory import Receipt
from memedit.model.correcting import find_corrections, make_options
from memedit.training.requests.banks import fill
from memedit.training.requests.claims import Claim
from memedit.training.requests.policies import slots, topics
from memedit.training.requests.world import halluedit

_SLOT = re.compile(r"\{(\w+)\}")
_VALUES = frozenset(
    "n m time time2 date date2 day month pay person person2 format os key path version "
    "phone".split()
)
"""Slots that a rule gives a value to, where no question about it names them."""
_WRITTEN = Path(__file__).parent / "facts_restated.jsonl"
_BLIND = Path(__file__).parent / "facts_restated_blind.jsonl"
_TOPICS = 8
_COPY = 0.85
"""Likeness from which a passage is another one's copy with something changed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A new edit, and the ids that it corrects.

    Attributes:
        kind: What is tried.
        corrects: Of which at least one must go; empty: nothing may.
    """

    kind: str
    namespace: str
    new: Edit
    corrects: frozenset[str] = frozenset()


class Tally:
    """What became of cases, by kind."""

    def __init__(self) -> None:
        self._find_wrong = defaultdict[str, list[bool]](list)
        self._missed = defaultdict[str, list[bool]](list)
        self._silent = defaultdict[str, list[bool]](list)
        self.shown: list[str] = []

    def take(self, case: Case, receipt: Receipt) -> None:
        gone = {record.id for record in receipt.superseded}
        told = {record.id for record in receipt.conflicts} | gone
        wrong = [r for r in receipt.superseded if r.id not in case.corrects]
        self._find_wrong[case.kind].append(bool(wrong))
        self.shown += [_line("wrong", case, old) for old in wrong]
        if case.corrects:
            again = receipt.status == "duplicate"
            self._missed[case.kind].append(not gone & case.corrects and not again)
            self._silent[case.kind].append(not told & case.corrects and not again)
            if self._missed[case.kind][-1]:
                self.shown.append(f"missed {case.kind}: {case.new.statement!r}")

    def plain(self) -> Row:
        every = [x for found in self._find_wrong.values() for x in found]
        missed = [x for found in self._missed.values() for x in found]
        silent = [x for found in self._silent.values() for x in found]
        return {
            "wrong_retirements": share(every),
            "missed": share(missed),
            "missed_and_not_told": share(silent),
            "by_kind": {
                kind: {
                    "wrong": share(found),
                    "missed": share(self._missed.get(kind, ())),
                    "not_told": share(self._silent.get(kind, ())),
                }
                for kind, found in self._find_wrong.items()
            },
        }


def _line(what: str, case: Case, old: Record) -> str:
    return f"{what} {case.kind}: {old.edit.statement!r} by {case.new.statement!r}"


def measure(olds: dict[str, list[Edit]], cases: Sequence[Case], facts: Facts) -> Row:
    """Put the old facts of each namespace in force, then each case's; each is undone again."""
    tally = Tally()
    for namespace, edits in olds.items():
        facts.memory.add_many(edits, namespace=namespace)
    version = facts.memory.version
    for case in cases:
        found = find_corrections(facts.decider, case.new, case.namespace)
        if found.repeats is not None:
            same = Receipt(found.repeats.id, "duplicate", version, found.repeats)
            tally.take(case, same)
            continue
        told = make_options(found, facts.memory)
        (receipt,) = [facts.memory.add(case.new, **told, namespace=case.namespace)]
        tally.take(case, receipt)
        if receipt.status == "added":
            facts.memory.restore(facts.memory.version - 1, namespace=case.namespace)
    return tally.plain() | {"examples": tally.shown[:60]}


def stated(count: int, seed: int, *, held_out: bool) -> tuple[dict[str, list[Edit]], list[Case]]:
    """Rules of our banks; ``held_out``: the topics that nothing was trained or tuned on."""
    olds, cases = dict[str, list[Edit]](), list[Case]()
    fit = [topic for topic in topics() if topic["unseen"] == held_out]
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        values, space = slots(rng), f"draw{number}"
        chosen = rng.sample(fit, min(_TOPICS, len(fit)))
        forms = [rng.choice(topic["s"]) for topic in chosen]
        held = [_statement(form, values) for form in forms]
        olds[space] = held
        for topic, form, old in zip(chosen, forms, held, strict=True):
            cases += _of_topic(topic, form, old, values, space, rng)
        stranger = rng.choice([topic for topic in fit if topic not in chosen] or fit)
        if stranger not in chosen:
            new = _statement(rng.choice(stranger["s"]), values)
            cases.append(Case("stays: another topic", space, new))
    return olds, cases


def _of_topic(
    topic: dict[str, Any], form: str, old: Edit, values: dict[str, str], space: str,
    rng: random.Random,
) -> Iterator[Case]:  # fmt: skip
    named = {name for question in topic["asks"] for name in _SLOT.findall(question)}
    said, spare = set(_SLOT.findall(form)), slots(rng)
    told = (said & _VALUES) - named
    other = _changed(values, spare, told)
    if other != values:
        yield Case("corrects: same words", space, _statement(form, other), frozenset({old.id}))
        for again in [f for f in topic["s"] if f != form and _same(f, form)][:1]:
            new = _statement(again, other)
            yield Case("corrects: other words", space, new, frozenset({old.id}))
    if subject := sorted((said & named) - _VALUES):
        away = _changed(values, spare, {rng.choice(subject)})
        if away != values:
            yield Case("stays: another subject", space, _statement(form, away))
            if other != values:
                both = _changed(away, spare, told)
                yield Case("stays: another subject, other value", space, _statement(form, both))


def _same(one: str, other: str) -> bool:
    return set(_SLOT.findall(one)) == set(_SLOT.findall(other))


def _changed(values: dict[str, str], other: dict[str, str], names: set[str]) -> dict[str, str]:
    """Other values for slots: n and m change places, others come from another draw."""
    found = dict(values)
    for name in names:
        twin = {"n": "m", "m": "n"}.get(name)
        found[name] = values[twin] if twin else other[name]
        if found[name] == values[name]:
            found[name] = values.get(f"{name}2", values[name])
    return found


def _statement(form: str, values: dict[str, str]) -> Edit:
    return Edit.from_statement(fill(form, **values))


def written(*, held_out: bool) -> tuple[dict[str, list[Edit]], list[Case]]:
    """The statements of a domain in a namespace of their own, and every other one as a case."""
    return _of_file(_WRITTEN, held_out=held_out)


def blind() -> tuple[dict[str, list[Edit]], list[Case]]:
    """The same of statements that nobody has read."""
    return _of_file(_BLIND, held_out=True)


def _of_file(file: Path, *, held_out: bool) -> tuple[dict[str, list[Edit]], list[Case]]:
    olds, cases = defaultdict[str, list[Edit]](list), list[Case]()
    for row in map(json.loads, file.read_text("utf-8").splitlines()):
        if row["held_out"] != held_out:
            continue
        space, old = row["domain"], Edit.from_statement(row["old"])
        olds[space].append(old)
        for new in row["corrects"]:
            own = frozenset({old.id})
            cases.append(Case("written: corrects", space, Edit.from_statement(new), own))
        for new in row["stays"]:
            cases.append(Case("written: stays", space, Edit.from_statement(new)))
    return dict(olds), cases


def asked(data: Path, count: int, seed: int, part: str) -> tuple[dict[str, list[Edit]], list[Case]]:
    """Questions of HalluEditBench about subjects of a part, all in one namespace."""
    claims = [c for c in halluedit(data) if part in ("all", part_of(c.subject))]
    claims = list({c.key: c for c in claims}.values())
    rng = random.Random(seed)
    rng.shuffle(claims)
    chosen, rest = claims[:count], claims[count:] or claims
    olds = [e for c in chosen if (e := _edit(c.prompt, c.value, c.subject)) is not None]
    by_prompt = {edit.prompt: edit.id for edit in olds}
    cases = list[Case]()
    for claim in chosen:
        if claim.prompt in by_prompt:
            value = _another(claim, rest, rng)
            cases += _of_claim(claim, value, frozenset({by_prompt[claim.prompt]}))
    return {"default": olds}, cases


def _of_claim(claim: Claim, value: str, own: frozenset[str]) -> Iterator[Case]:
    again = next((q for q in claim.asked if q != claim.prompt), None)
    if again and (new := _edit(again, value, claim.subject)) is not None:
        yield Case("corrects: asked in other words", "default", new, own)
    for state in claim.states[:1]:
        new = Edit.from_statement(f"{state.format(v=value)}.")
        yield Case("corrects: as a sentence", "default", new, own)
    for other in claim.others[:1]:
        if (new := _edit(other, value, claim.subject)) is not None:
            yield Case("stays: another question", "default", new)


def _another(claim: Claim, pool: Sequence[Claim], rng: random.Random) -> str:
    """A value of the same kind: of the same relation, else with digits or without as the old."""
    fit = [c.value for c in pool if c.relation == claim.relation and c.value != claim.value]
    digits = any(map(str.isdigit, claim.value))
    fit = fit or [
        c.value
        for c in pool
        if any(map(str.isdigit, c.value)) == digits
        and c.value[:1].isupper() == claim.value[:1].isupper()
    ]
    return rng.choice(fit)


def _edit(prompt: str, value: str, subject: str) -> Edit | None:
    try:
        return Edit(prompt, value, subject if subject in prompt else None)
    except InvalidEditError:
        return None


def ramdocs(rows: Sequence[Row], facts: Facts) -> Row:
    """Passages of each record in a namespace of their own, copies that say otherwise last."""
    wrong, copies, told = list[bool](), list[bool](), list[bool]()
    for row in rows:
        space = f"r{row['id']}"
        order = sorted(row["facts"], key=lambda fact: fact["type"] == "misinfo")
        before = list[Edit]()
        for fact in order:
            try:
                new = Edit.from_statement(fact["statement"].strip())
            except InvalidEditError:
                continue
            found = find_corrections(facts.decider, new, space)
            receipt = facts.memory.add(new, **make_options(found, facts.memory), namespace=space)
            of = {old.id for old in before if _is_copy(old, new)}
            gone = {record.id for record in receipt.superseded}
            wrong.append(bool(gone - of))
            if of and fact["type"] == "misinfo" and receipt.status == "added":
                copies.append(bool(gone & of))
                told.append(bool(of & (gone | {r.id for r in receipt.conflicts})))
            before.append(new)
    return {
        "wrong_retirements": share(wrong),
        "copies_retired": share(copies),
        "copies_retired_or_told": share(told),
        "ms_per_edit": milliseconds(facts.seconds),
    }


def _is_copy(old: Edit, new: Edit) -> bool:
    return SequenceMatcher(None, old.prompt.split(), new.prompt.split()).ratio() >= _COPY
