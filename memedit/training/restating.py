"""Pairs of statements: the later tells another value of what the earlier tells, or something else.

From our own banks (``restated.json``: by domain, a statement, what corrects it in other words, and
what stays beside it; the topics of the policies that are not only tested), from CounterFact
(a prompt and its paraphrase with two values, other subjects, other relations), and neighbours among
the facts of assistants. The later one has the earlier one's values, as it is read
(:mod:`memedit.model.swapping`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from memedit.core.text import words_of
from memedit.data.records import read_source
from memedit.data.split import part_of
from memedit.model.swapping import swap_values
from memedit.training.requests.banks import bank, fill
from memedit.training.requests.policies import slots, topics

Labelled: TypeAlias = tuple[str, str, bool]
"""The earlier, the later with the earlier one's values, and whether the later replaces it."""
_SLOT = re.compile(r"\{(\w+)\}")
_TOLD = frozenset(
    "n m time time2 date date2 day month pay person person2 format os key path version "
    "phone".split()
)
"""Slots that a rule gives a value to, where no question about it names them."""
_NEUTRAL = (
    "Please note: {}", "From now on, {}", "As of today {}", "Update: {}", "Correction: {}",
    "{} (changed)", "We have changed this: {}", "Attention, {}", "Just so you know, {}",
    "Actually, {}", "FYI: {}", "Note that {}", "{} This replaces what we said before.",
    "Since this week {}",
)  # fmt: skip
_BEFORE = (
    "On Sundays", "On weekends", "On public holidays", "In winter", "In July and August",
    "During the holidays", "For members", "For students", "For children", "For groups",
    "For new customers", "For business customers", "For staff", "In our Vienna branch",
    "At the second site", "In the old building", "Until 2019", "Until last year", "With a voucher",
    "With an appointment", "In exceptional cases", "If you ask", "When it rains",
    "For orders from abroad", "In the premium plan", "In an emergency", "Abroad",
    "In the first month", "During the trial", "For people over 65", "Before noon",
    "After a repair", "On request",
)  # fmt: skip
_BEHIND = (
    "for members", "for students", "for children under 12", "on Sundays", "in winter",
    "for groups of 10 or more", "for new customers", "in the first year", "at our branch in Graz",
    "if the manager agrees", "with a voucher", "for the second time", "during the trial", "abroad",
    "in the old building", "on request", "except on Sundays", "except for staff",
    "for people over 65", "unless otherwise agreed",
)  # fmt: skip
"""What makes of a statement one about less."""
_LONGEST = 220
_MOST = (1100, 1500, 600, 250, 250)
"""Pairs of each kind: of our own that replace, and that do not; rules; CounterFact; neighbours."""
_OPENS = frozenset(
    "The Our You We A An Your Please Every Each There Up It Guests Members Patients Parents "
    "Children Students".split()
)


def restated(data: Path, seed: int) -> list[Labelled]:
    """All pairs.

    Args:
        data: Folder with ``counterfact_full.jsonl.gz``.
    """
    rng = random.Random(seed)
    own = [*_own(rng)]
    kinds = [[p for p in own if p[2]], [p for p in own if not p[2]], [*_rules(rng, 2)]]
    kinds += [[*_counterfact(data / "counterfact_full.jsonl.gz", rng, 150)], [*_siblings()]]
    return [
        pair
        for kind, most in zip(kinds, _MOST, strict=True)
        for pair in rng.sample(kind, min(most, len(kind)))
    ]


def _pair(old: str, new: str, same: bool) -> Labelled:
    return old, swap_values(old, new).text, same


def _own(rng: random.Random) -> Iterator[Labelled]:
    for groups in bank("restated").values():
        for group in groups:
            yield from _of_group(group, rng)
            old, others = group["old"], [g for g in groups if g is not group]
            for other in rng.sample(others, min(2, len(others))):
                every = [other["old"], *other["corrects"], *other["stays"]]
                yield _pair(old, rng.choice(every), False)
                yield _pair(rng.choice(group["corrects"]), rng.choice(every), False)


def _of_group(group: Mapping[str, Any], rng: random.Random) -> Iterator[Labelled]:
    old, corrects, stays = group["old"], group["corrects"], group["stays"]
    for new in corrects:
        for one, two in ((old, new), (new, old)):
            yield _pair(one, two, True)
            yield _pair(one, _reword(two, rng), True)
            yield _pair(one, _restrict(two, rng), False)
            if rng.random() < 0.3:
                yield _pair(_restrict(one, rng), two, False)
    for n, one in enumerate(corrects):
        for two in corrects[n + 1 :]:
            yield _pair(one, two, True)
            yield _pair(two, one, True)
    for n, other in enumerate(stays):
        for one in (old, *corrects):
            yield _pair(one, other, False)
            if rng.random() < 0.6:
                yield _pair(other, one, False)
        for two in stays[n + 1 :]:
            yield _pair(other, two, False)


def _reword(text: str, rng: random.Random) -> str:
    """The statement with words around it that change nothing."""
    form = rng.choice(_NEUTRAL)
    plain = form.startswith("{") or form.endswith(": {}")
    return form.format(text if plain else _lower(text))


def _restrict(text: str, rng: random.Random) -> str:
    """The statement, of less."""
    if rng.random() < 0.6:
        return f"{rng.choice(_BEFORE)}, {_lower(text)}"
    return f"{text.rstrip('.')} {rng.choice(_BEHIND)}."


def _lower(text: str) -> str:
    return text[0].lower() + text[1:] if text.split(" ", 1)[0] in _OPENS else text


def _rules(rng: random.Random, draws: int) -> Iterator[Labelled]:
    seen = [topic for topic in topics() if not topic["unseen"]]
    for _ in range(draws):
        for topic in seen:
            yield from _of_topic(topic, seen, rng)


def _of_topic(
    topic: Mapping[str, Any], every: Sequence[Mapping[str, Any]], rng: random.Random
) -> Iterator[Labelled]:
    values, spare = slots(rng), slots(rng)
    form = rng.choice(topic["s"])
    old = fill(form, **values)
    if len(old) > _LONGEST:
        return
    said = _slots_of(form)
    named = set[str]().union(*map(_slots_of, topic["asks"]))
    other = _change(values, spare, (said & _TOLD) - named)
    again = [f for f in topic["s"] if f != form and _slots_of(f) == said] or [form]
    if other != values:
        new = fill(rng.choice(again), **other)
        yield _pair(old, new, True)
        yield _pair(new, old, True)
        yield _pair(old, _restrict(new, rng), False)
    if subject := sorted((said & named) - _TOLD):
        away = _change(values, spare, {rng.choice(subject)})
        if away != values:
            both = _change(away, spare, (said & _TOLD) - named)
            yield _pair(old, fill(rng.choice(again), **both), False)
            yield _pair(old, fill(form, **away), False)
    stranger = rng.choice([t for t in every if t is not topic])
    yield _pair(old, fill(rng.choice(stranger["s"]), **values)[:_LONGEST], False)


def _slots_of(form: str) -> set[str]:
    return set(_SLOT.findall(form))


def _change(values: dict[str, str], other: dict[str, str], names: set[str]) -> dict[str, str]:
    """Other values for slots: n and m change places, others come from another draw."""
    found = dict(values)
    for name in names:
        twin = {"n": "m", "m": "n"}.get(name)
        found[name] = values[twin] if twin else other[name]
        if found[name] == values[name]:
            found[name] = values.get(f"{name}2", values[name])
    return found


def _counterfact(file: Path, rng: random.Random, count: int) -> Iterator[Labelled]:
    rows = [r for r in read_source(file) if part_of(r["requested_rewrite"]["subject"]) == "train"]
    for row in rng.sample(rows, min(count, len(rows))):
        told = row["requested_rewrite"]
        subject, new = told["subject"], told["target_new"]["str"]
        old = _end(told["prompt"].format(subject), told["target_true"]["str"])
        # A paraphrase has another text's last sentence before it.
        last = (re.split(r"(?<=[.!?])\s+", text)[-1] for text in row["paraphrase_prompts"])
        if again := [text for text in last if subject in text]:
            yield old, _end(rng.choice(again), new), True
        if rng.random() < 0.5:
            yield old, _end(rng.choice(row["neighborhood_prompts"]), new), False
            continue
        other = rng.choice(rows)["requested_rewrite"]
        if other["relation_id"] != told["relation_id"]:
            yield old, _end(other["prompt"].format(subject), other["target_new"]["str"]), False


def _end(prompt: str, value: str) -> str:
    return f"{prompt.strip()} {value}."


def _siblings() -> Iterator[Labelled]:
    """Of each fact of an assistant the two others that share most words with it."""
    for told in bank("assistants").values():
        facts = [fact[0] for fact in told["facts"].values() if len(fact[0]) < _LONGEST]
        for fact in facts:
            words = {word for word in words_of(fact) if len(word) > 3}
            others = sorted(
                (f for f in facts if f != fact), key=lambda f: -len(words & set(words_of(f)))
            )
            for other in others[:2]:
                yield _pair(fact, other, False)
