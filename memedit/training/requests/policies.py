"""Rules of shops, offices, software and schools as statements, and what people ask about them.

The banks ``policies_*.json`` hold topics: ways to state a rule; questions that it answers
(``asks``); cases on which it bears (``informs``); questions about its neighbours (``none``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeAlias

from memedit.training.requests.banks import bank, fill
from memedit.training.requests.claims import stems
from memedit.training.requests.request import Candidate, Request, Role, Split
from memedit.training.requests.split import percent, split_of

Slots: TypeAlias = dict[str, str]
_SIZES = (
    (2, 3, 4, 5, 6, 7, 8, 10, 12),
    (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 20, 21, 24, 28, 30),
    (10, 14, 15, 20, 21, 25, 28, 30, 40, 45, 50, 60, 75, 80, 90, 100),
    (100, 120, 150, 180, 200, 250, 300, 365, 400, 500, 750, 1000, 8080, 9191),
)
"""Numbers of one size, so that two of a draw can be compared."""
BANKS = ("policies_shop", "policies_tech", "policies_life", "policies_more")
_UNSEEN = 15
_TESTED = 15
"""Per cent of the topics, and of the questions of each, that are only tested."""
_ROLES: tuple[tuple[str, Role], ...] = (("asks", "asks"), ("informs", "informs"), ("none", "none"))
_TITLES = (
    "What are the rules of {company}?",
    "What should I know about {company}?",
    "Terms and conditions of {company}",
    "Tell me about {company}.",
    "House rules",
)
_NAMED = tuple(
    "product plan hotel city street ward train order class company code country team fn last "
    "feature".split()
)


@cache
def topics() -> tuple[dict[str, Any], ...]:
    """All topics; those whose ``unseen`` is true are only tested."""
    found = [topic | {"bank": name} for name in BANKS for topic in bank(name)]
    return tuple(t | {"unseen": percent(f"topic:{t['id']}") < _UNSEEN} for t in found)


def slots(rng: random.Random) -> Slots:
    """Values of all slots; {x2} is another x than {x}."""
    words = bank("slots")
    found: Slots = {}
    for name in ("company", "product", "plan", "city", "country", "day", "month", "pay", "team",
                 "feature", "os", "format", "hotel", "street", "fn", "last"):  # fmt: skip
        one, two, three = rng.sample(words[name], 3)
        found |= {name: one, f"{name}2": two, f"{name}3": three}
    found["other"] = found["company2"]
    pool = rng.choice(_SIZES)
    n, m = rng.sample(pool, 2)
    found |= {"n": str(n), "m": str(m)}
    people = [f"{rng.choice(words['first'])} {last}" for last in rng.sample(words["last"], 2)]
    found |= {"person": people[0], "person2": people[1]}
    for mark in ("", "2"):
        hour = rng.randrange(6, 14) + (6 if mark else 0)
        found[f"time{mark}"] = f"{hour}:{rng.choice(('00', '15', '30', '45'))}"
        found[f"date{mark}"] = f"{rng.choice(words['month'])} {rng.randrange(1, 29)}"
        found[f"key{mark}"] = (
            f"{rng.choice(('app', 'core', 'ui', 'net'))}.{rng.choice(words['fn'])}"
        )
        found[f"path{mark}"] = f"/{rng.choice(('var', 'opt', 'srv'))}/{rng.choice(words['fn'])}/log"
    found |= _numbers(rng)
    return found


def _numbers(rng: random.Random) -> Slots:
    """Identifiers; the second differs from the first in one place or in all."""
    found: Slots = {}
    for name in ("code", "order", "version", "ward", "class", "train", "phone"):
        one = _identifier(name, rng)
        two = _one_off(one, rng) if rng.random() < 0.6 else _identifier(name, rng)
        while two == one:
            two = _identifier(name, rng)
        found |= {name: one, f"{name}2": two}
    return found


def _identifier(name: str, rng: random.Random) -> str:
    number = rng.randrange
    match name:
        case "code":
            return "".join(rng.choices("ABCDEFGHKMNPRSTUVWXYZ23456789", k=6))
        case "order":
            return f"{rng.choice(('A', 'INV-', '#', 'R-'))}{number(1000, 99999)}"
        case "version":
            return f"{number(1, 9)}.{number(10)}"
        case "ward":
            return f"{number(1, 9)}{rng.choice('ABC')}"
        case "class":
            return f"{number(5, 11)}{rng.choice('abc')}"
        case "train":
            return f"{rng.choice(('IC', 'RE', 'ICE'))} {number(10, 999)}"
        case _:
            return f"0{number(100, 999)} {number(10000, 99999)}"


def _one_off(text: str, rng: random.Random) -> str:
    """The text with one digit changed."""
    at = rng.choice([i for i, c in enumerate(text) if c.isdigit()] or [len(text) - 1])
    return (
        text[:at] + str(rng.choice([d for d in range(10) if str(d) != text[at]])) + text[at + 1 :]
    )


def policies(count: int, seed: int) -> Iterator[Request]:
    """Requests about ``count`` draws of each topic."""
    for number in range(count):
        for topic in topics():
            rng = random.Random(f"{seed}:{topic['id']}:{number}")
            yield from _write_about(topic, slots(rng), rng)


def _write_about(topic: dict[str, Any], values: Slots, rng: random.Random) -> Iterator[Request]:
    text = fill(rng.choice(topic["s"]), **values)
    key = f"policy:{text}"
    split: Split = "test" if topic["unseen"] else split_of(key)
    own, included = _edit(topic, text, values, split, rng)
    whole = own.target is not None and len(included) > 1
    for name, role in _ROLES:
        role = "informs" if whole and role == "asks" else role
        usable = _usable(topic[name], split)
        for question in rng.sample(usable, min(3, len(usable))):
            query = fill(question, **values)
            candidate = own.as_(role)
            if role == "none" and _is_answered(query, included, topic):
                continue
            yield Request(
                set="own.policies", kind=_kind(name, question, own), about=(key,), query=query,
                edits=(candidate,
                       *_write_near(topic, question, values, role, split, included, rng)),
                relation=topic["id"], unseen=topic["unseen"],
            )  # fmt: skip


def _kind(name: str, question: str, own: Candidate) -> str:
    long = ".document" if len(own.statement or own.target or "") > 180 else ""
    if name == "none":
        other = any(f"{{{name}" in question for name in ("other", *(f"{n}2" for n in _NAMED)))
        return f"policy{long}.{'other_subject' if other else 'other_part'}"
    return f"policy{long}.{'direct' if name == 'asks' else 'indirect'}"


def _usable(questions: Sequence[str], split: Split) -> list[str]:
    if split == "test":
        return list(questions)
    return [q for q in questions if percent(f"question:{q}") >= _TESTED]


def _edit(
    topic: dict[str, Any], text: str, values: Slots, split: Split, rng: random.Random
) -> tuple[Candidate, list[dict[str, Any]]]:
    """The edit (a statement, an entry of a FAQ, a document) and the topics that stand in it."""
    draw = rng.random()
    if draw < 0.22:
        asked = fill(rng.choice(_usable(topic["asks"], split)), **values)
        return Candidate(asked, text, group=text), [topic]
    if draw < 0.5:
        fit = [t for t in topics() if t["bank"] == topic["bank"] and t is not topic]
        # A document that is learnt from holds no topic that is only tested.
        fit = [t for t in fit if t["unseen"] <= topic["unseen"]]
        parts = [topic, *rng.sample(fit, min(rng.randrange(2, 7), len(fit)))]
        rng.shuffle(parts)
        sentences = [text if t is topic else fill(rng.choice(t["s"]), **values) for t in parts]
        joined = rng.choice((" ", " ", "\n- ", "\n")).join(sentences)
        if rng.random() < 0.3:
            title = fill(rng.choice(_TITLES), **values)
            return Candidate(title, joined, group=text), parts
        return Candidate(statement=joined, group=text), parts
    queries: tuple[str, ...] = ()
    if rng.random() < 0.15:
        queries = (fill(rng.choice(_usable(topic["asks"], split)), **values),)
    return Candidate(statement=text, queries=queries, group=text), [topic]


def _is_answered(query: str, included: Sequence[dict[str, Any]], topic: dict[str, Any]) -> bool:
    """Whether another part of the document may answer it."""
    words = stems(query)
    return any(
        len(words & stems(" ".join((*t["s"], *t["asks"])))) >= 2 for t in included if t is not topic
    )


def _write_near(
    topic: dict[str, Any], question: str, values: Slots, role: Role, split: Split,
    included: Sequence[dict[str, Any]], rng: random.Random,
) -> Iterator[Candidate]:  # fmt: skip
    """Statements that the query does not ask: the same of another subject, other topics."""
    if role == "none":
        return
    named = [n for n in _NAMED if f"{{{n}}}" in question and f"{{{n}2}}" not in question]
    if named:
        changed = dict(values)
        for name in named[:1]:
            changed[name], changed[f"{name}2"] = values[f"{name}2"], values[name]
        changed["n"] = values["m"]
        forms = [s for s in topic["s"] if f"{{{named[0]}}}" in s]
        if forms:
            text = fill(rng.choice(forms), **changed)
            yield Candidate(statement=text, group=text)
    fit = [t for t in topics() if t["bank"] == topic["bank"] and t not in included]
    fit = [t for t in fit if split == "test" or not t["unseen"]]
    words = stems(question) | stems(" ".join(topic["asks"]))
    for other in rng.sample(fit, min(2, len(fit))):
        if len(words & stems(" ".join(other["asks"]))) < 6:
            text = fill(rng.choice(other["s"]), **values)
            yield Candidate(statement=text, group=text)
