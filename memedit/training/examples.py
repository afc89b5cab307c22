"""What the counterfactual model learns from: facts in the prompt, a query, the answer to give.

A fact that answers the query is used: its object, then the end. A fact that does not is declined:
the end at once, which sends the query to the untouched base (:mod:`memedit.editors.serac`).
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.data.facts import Fact
from memedit.memory.live.subjects import SubjectIndex
from memedit.memory.live.views import views
from memedit.scope.relations import are_sisters
from memedit.training.forms import date, hypothetical, negate, reverse

DECLINED = 0.4
"""Share of examples whose facts do not answer the query."""


@dataclass(frozen=True, slots=True)
class Example:
    """``facts`` stand before ``query``; ``before`` precedes them. ``answer`` "" is declining."""

    facts: tuple[str, ...]
    query: str
    answer: str
    before: str = ""
    chat: bool = False


class Examples:
    """Draws examples from facts; the same random state gives the same example."""

    def __init__(self, facts: Sequence[Fact], texts: Sequence[str]) -> None:
        self._by_source: dict[str, list[Fact]] = defaultdict(list)
        self._by_relation: dict[str, list[Fact]] = defaultdict(list)
        self._by_subject: dict[str, list[Fact]] = defaultdict(list)
        self._templates: list[Fact] = list(facts)
        self._texts = list(texts)
        for fact in facts:
            core = fact.source == "counterfact" and not fact.paraphrases
            self._by_source["core" if core else fact.source].append(fact)
            self._by_relation[fact.relation].append(fact)
            self._by_subject[fact.subject.casefold()].append(fact)
        if len(self._by_subject) < 2:
            raise InvalidInputError("The facts are about one subject.", hint="Give more data.")
        weights = {"counterfact": 0.35, "core": 0.15, "zsre": 0.36, "knowedit": 0.14}
        self._sources = [s for s in weights if self._by_source[s]]
        self._weights = [weights[s] for s in self._sources]

    def draw(self, rng: random.Random) -> Example:
        """One example."""
        if rng.random() < 0.12:
            return _statement(rng)
        fact = self._fact(rng)
        declined = rng.random() < DECLINED
        query = self._draw_declined(fact, rng) if declined else self._ask(fact, rng)
        before, view = _cut_view(query, fact.subject)
        target = self._target(fact, rng)
        shown = [f"{fact.prompt} {target}"]
        for _ in range(rng.choices((0, 1, 2), (0.75, 0.17, 0.08))[0]):
            further = self._draw_other(fact, rng)
            if not declined or further[0] not in query:  # it must not answer what is declined
                shown.append(further[1])
        rng.shuffle(shown)
        asks = view.rstrip().endswith("?")
        chat = rng.random() < (0.6 if asks else 0.06)
        return Example(tuple(shown), view, "" if declined else target, before, chat)

    def _fact(self, rng: random.Random) -> Fact:
        source = rng.choices(self._sources, self._weights)[0]
        return rng.choice(self._by_source[source])

    def _target(self, fact: Fact, rng: random.Random) -> str:
        """Mostly the edit's own; else another object, so that objects cannot be learnt by heart."""
        if rng.random() < 0.6:
            return fact.target
        return rng.choice(self._by_relation[fact.relation]).target

    def _ask(self, fact: Fact, rng: random.Random) -> str:
        """The fact's question in one of its wordings, now and then after a sentence of text."""
        kinds: list[tuple[tuple[str, ...], float]] = [
            ((fact.prompt,), 0.15),
            (fact.paraphrases, 0.4),
            (fact.questions, 0.3),
            ((self._reword(fact, rng),), 0.15),
        ]
        given = [(texts, weight) for texts, weight in kinds if texts]
        (texts,) = rng.choices([each for each, _ in given], [weight for _, weight in given])
        query = rng.choice(texts)
        if query in fact.paraphrases and rng.random() < 0.3:
            return _cut_view(query, fact.subject)[1]
        if query not in fact.paraphrases and rng.random() < 0.2:
            return f"{rng.choice(self._texts)} {query}"
        return query

    def _reword(self, fact: Fact, rng: random.Random) -> str:
        """The prompt of another fact with the same relation, asked of this subject."""
        other = rng.choice(self._by_relation[fact.relation])
        return other.prompt.replace(other.subject, fact.subject)

    def _draw_declined(self, fact: Fact, rng: random.Random) -> str:
        draw = rng.random()
        if draw < 0.32:
            return self._neighbour(fact, rng)
        if draw < 0.68:
            return self._ask_same_subject(fact, rng)
        if draw < 0.88:
            form = rng.choices((negate, reverse, hypothetical, date), (0.4, 0.3, 0.15, 0.15))[0]
            return form(fact, rng) or self._neighbour(fact, rng)
        if draw < 0.94:
            other = self._fact(rng)
            return other.prompt if other.subject != fact.subject else self._neighbour(fact, rng)
        return rng.choice(self._texts)

    def _neighbour(self, fact: Fact, rng: random.Random) -> str:
        """The same asked of another subject."""
        if fact.neighbours and rng.random() < 0.6:
            return rng.choice(fact.neighbours)
        other = rng.choice(self._by_relation[fact.relation])
        while other.subject == fact.subject:
            other = self._fact(rng)
        return rng.choice((other.prompt, *other.paraphrases, *other.questions))

    def _ask_same_subject(self, fact: Fact, rng: random.Random) -> str:
        """Something else asked of the same subject."""
        if fact.others and rng.random() < 0.7:
            return rng.choice(fact.others)
        for _ in range(50):
            other = self._fact(rng)
            if not are_related(fact, other):
                asked = rng.choice((other.prompt, *other.questions))
                return asked.replace(other.subject, fact.subject)
        return self._neighbour(fact, rng)  # data that ask only one thing

    def _draw_other(self, fact: Fact, rng: random.Random) -> tuple[str, str]:
        """(subject, statement) of a further fact, which does not answer ``fact``'s question."""
        while rng.random() < 0.4:
            other = self._fact(rng)
            if not are_related(fact, other):
                prompt = other.prompt.replace(other.subject, fact.subject)
                return fact.subject, f"{prompt} {other.target}"
        while True:
            pool = self._by_relation[fact.relation] if rng.random() < 0.5 else self._templates
            other = rng.choice(pool)
            if other.subject != fact.subject:
                return other.subject, f"{other.prompt} {other.target}"
            if len(pool) == 1:
                return "the harbour", "The sky over the harbour was grey"


def are_related(a: Fact, b: Fact) -> bool:
    """Whether one's question, asked of the other's subject, may mean the same."""
    if a.source == b.source == "counterfact":
        return are_sisters(a.relation, b.relation)
    return bool(_content(a) & _content(b))


_COMMON = frozenset(
    "the of is was in a an to what which who where name for with and are did does on by at from "
    "how has whose that s it as be do her his".split()
)


@cache
def _content(fact: Fact) -> frozenset[str]:
    texts = (fact.prompt, *fact.questions)
    words = " ".join(t.replace(fact.subject, " ") for t in texts).lower().replace("?", " ")
    stems = {word.strip(".,;:'\"")[:5] for word in words.split() if word not in _COMMON}
    return frozenset(stems - {""})


@cache
def _index(subject: str) -> SubjectIndex:
    index = SubjectIndex()
    index.add(1, subject)
    return index


def _cut_view(query: str, subject: str) -> tuple[str, str]:
    """(what precedes, the view) as the runtime cuts a query about this subject."""
    found = views(query, _index(subject).mentions)
    text = found[-1].text if found else query
    at = max(query.rfind(text), 0)
    return query[:at].rstrip(), query[at:].rstrip()


# Statements: facts of a business, invented

_NAMES = "Orbit Falcon Cedar Nimbus Vega Quill Tundra Basalt Ember Lumen Kestrel Onyx".split()
_FIRST = "Mara Theo Ines Jonas Priya Kofi Lena Marek Sofia Ravi Aiko Tomas".split()
_LAST = "Lindqvist Okafor Brandt Sato Novak Iyer Duarte Hale Petrov Mbeki Olsen Ricci".split()
_CITIES = "Lyon Oslo Porto Graz Osaka Lima Delft Turin Cork Ghent Tampa Perth".split()
_TEAMS = ("the data team", "sales", "the platform group", "legal", "the design team", "logistics")
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January March April May June August September October December".split()
_COMPANIES = ("Halden Works", "Tricorp", "Novalis GmbH", "Pell & Sons", "Arkona", "Sundale Ltd")


@cache
def _statements() -> tuple[dict[str, Any], ...]:
    text = files("memedit.training").joinpath("statements.json").read_text("utf-8")
    return tuple(json.loads(text))


def _slots(rng: random.Random) -> dict[str, str]:
    return {
        "n": str(rng.choice((rng.randrange(2, 100), rng.randrange(100, 9000)))),
        "small": str(rng.randrange(1, 15)),
        "time": f"{rng.randrange(6, 20)}:{rng.choice(('00', '15', '30', '45'))}",
        "name": rng.choice(_NAMES),
        "person": f"{rng.choice(_FIRST)} {rng.choice(_LAST)}",
        "team": rng.choice(_TEAMS),
        "version": f"{rng.randrange(1, 9)}.{rng.randrange(10)}",
        "date": f"{rng.choice(_MONTHS)} {rng.randrange(1, 29)}",
        "city": rng.choice(_CITIES),
        "code": "".join(rng.choices("abcdefghkmnprstuvwxyz23456789", k=6)),
        "day": rng.choice(_DAYS),
        "company": rng.choice(_COMPANIES),
        "year": str(rng.randrange(1950, 2026)),
    }


def _statement(rng: random.Random) -> Example:
    """A statement and a question that it answers, or one that another statement would answer."""
    about, slots = rng.choice(_statements()), _slots(rng)
    question, answer = rng.choice(about["asks"])
    declined = rng.random() < DECLINED
    if declined:
        question, _ = rng.choice(rng.choice([s for s in _statements() if s is not about])["asks"])
    facts = [about["statement"].format(**slots)]
    if rng.random() < 0.25:
        others = [s for s in _statements() if s is not about and question not in str(s["asks"])]
        facts.append(rng.choice(others)["statement"].format(**_slots(rng)))
    rng.shuffle(facts)
    query = question.format(**slots)
    chat = query.endswith("?") and rng.random() < 0.6
    return Example(tuple(facts), query, "" if declined else answer.format(**slots), chat=chat)
