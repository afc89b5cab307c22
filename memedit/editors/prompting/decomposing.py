"""From a question over several facts to questions over one: the decomposers of MeLLo.

A decomposer opens a *dialogue* over a batch of questions. Each round it says, per question, what to
ask next (:class:`Ask`), given what the last sub-question was answered (:class:`Told`), or the end
(:class:`Done`). Three kinds:

- :class:`Loop`: the model itself, as published: it writes sub-question and draft, reads the
  retrieved fact, and goes on. Its transcript grows in rounds, and nothing is read twice.
- :class:`Planner`: the model writes the whole chain at once, "subject | relation | relation": from
  worked examples, or with an adapter trained for it (``memedit train decomposer``).
- :class:`Oracle`: chains that are given, for tests and to measure the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Protocol, TypedDict, runtime_checkable

from memedit.core.calls import LM, Batch, Row, Transcript
from memedit.core.errors import ContextOverflowError
from memedit.editors.prompting.adapter import MANIFEST, Adapter, load_adapter
from memedit.editors.prompting.forms import END

MOST_HOPS = 4
"""As many rounds as the paper's."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A sub-question.

    Attributes:
        question: Its text.
        entity: What it is about; None where only the text says it.
        draft: The model's own answer, if it wrote one.
        last: Nothing follows it.
    """

    question: str
    entity: str | None = None
    draft: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The end, with the answer that the model wrote."""

    answer: str


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a sub-question.

    Attributes:
        fact: The retrieved fact; "" for none.
        answer: Its answer; None where the model shall judge by itself.
        edited: The fact is what answers it.
    """

    fact: str
    answer: str | None
    edited: bool = False


Turn = Ask | Done


class Dialogue(Protocol):
    """One batch of questions being worked through."""

    def next(self, told: Mapping[int, Told | None]) -> dict[int, Turn]:
        """The next turn of each question in ``told``; None: it begins. Those left out failed."""


@runtime_checkable
class Decomposer(Protocol):
    """Splits questions."""

    def open(self, questions: Sequence[str], lm: LM) -> Dialogue:
        """Begin with these questions."""


# Chains that are known at once


@dataclass(frozen=True, slots=True)
class Plan:
    """A chain: what it begins with, and one question template (``{}``) per hop."""

    subject: str
    hops: tuple[str, ...]


@dataclass(slots=True)
class PlanDialogue:
    """Walks along one plan per question; None: the question is no chain."""

    plans: Sequence[Plan | None]
    _at: dict[int, int] = field(default_factory=dict)

    def next(self, told: Mapping[int, Told | None]) -> dict[int, Turn]:
        found: dict[int, Turn] = {}
        for i, said in told.items():
            plan = self.plans[i]
            # Left out: the question failed, and is answered as it stands.
            if plan is None or (said is not None and not said.answer):
                continue
            entity = plan.subject if said is None else str(said.answer)
            at = self._at[i] = self._at.get(i, -1) + 1
            if at == len(plan.hops):
                found[i] = Done(entity)
            else:
                question = plan.hops[at].replace("{}", entity)
                found[i] = Ask(question, entity, last=at == len(plan.hops) - 1)
        return found


@dataclass(frozen=True, slots=True)
class Oracle:
    """Chains given by question: (what it begins with, question templates)."""

    plans: Mapping[str, Plan]

    def open(self, questions: Sequence[str], lm: LM) -> Dialogue:
        return PlanDialogue([self.plans.get(question) for question in questions])


# The model writes the chain

PLANNED = (
    ("What is the birthplace of the author of The Copper Tide?",
     "The Copper Tide | author | place of birth"),
    ("Who painted Night at Velm?", "none"),
    ("Which continent is the country where Tarek Ilvane holds citizenship in?",
     "Tarek Ilvane | country of citizenship | continent"),
    ("In which language do they officially speak in the country that the Zephrin 300 comes from?",
     "Zephrin 300 | country of origin | official language"),
    ("What is the capital of Norvessa?", "none"),
    ("Who is married to the head of state of the country where Orbatec Motors was founded?",
     "Orbatec Motors | location of formation | country | head of state | spouse"),
    ("What is the capital of the country of citizenship of the founder of Tressel Foods?",
     "Tressel Foods | founded by | country of citizenship | capital"),
    ("What is the headquarters of the company that developed Helvo?",
     "Helvo | developer | headquarters location"),
)  # fmt: skip
"""Entities are invented; none comes from a benchmark."""

_PLAN_OPTIONS = {"max_new_tokens": 48, "do_sample": False, "num_beams": 1}


@dataclass(frozen=True, slots=True)
class Planner:
    """The model names subject and relations; with an adapter, or from worked examples (None)."""

    adapter: Adapter | None = None

    def open(self, questions: Sequence[str], lm: LM) -> Dialogue:
        rows = tuple(Row(write_plan_prompt(question)) for question in questions)
        batch = Batch(rows, options=_PLAN_OPTIONS, lm=lm).with_stop(END)
        if self.adapter is not None:
            batch = batch.intervene(*self.adapter.modules)
        else:
            batch = batch.with_prefix(
                "".join(f"{write_plan_prompt(q)} {p}{END}" for q, p in PLANNED)
            )
        try:
            said = [completion.text for completion in lm.generate(batch)]
        except ContextOverflowError:
            said = [""] * len(rows)
        pairs = zip(said, questions, strict=True)
        return PlanDialogue([plan_of(text, question) for text, question in pairs])


def write_plan_prompt(question: str) -> str:
    """What the model reads."""
    return f"Question: {' '.join(question.split())}{END}Hops:"


def plan_of(text: str, question: str) -> Plan | None:
    """The chain in what the model wrote; None where it has none of two to four hops, or its subject
    does not occur in the question."""
    subject, *relations = (part.strip() for part in text.strip().split(END)[0].split("|"))
    if not 2 <= len(relations) <= MOST_HOPS or not all(relations) or not subject:
        return None
    # A chain about something else than was asked is the model's invention.
    if subject.casefold() not in question.casefold():
        return None
    return Plan(subject, tuple(template(relation) for relation in relations))


def template(relation: str) -> str:
    """The question that asks for a relation, with ``{}`` for what it is asked of."""
    known = relations().get(relation)
    return known["ask"] if known else f"What is the {relation.replace('{}', '')} of {{}}?"


Relation = TypedDict(  # "is" is a keyword
    "Relation",
    {"of": list[str], "is": str, "ask": str, "asks": list[str], "phrases": list[str]},
)
"""The kinds of its subjects and of its object; how it is asked, in what other words, and named."""


@cache
def relations() -> dict[str, Relation]:
    """Relations by Wikidata's labels: what they relate, how they are asked and named."""
    text = files("memedit.editors").joinpath("relations.json").read_text("utf-8")
    found: dict[str, Relation] = json.loads(text)
    return found


@lru_cache(maxsize=16)
def planner_for(fingerprint: str) -> Planner | None:
    """The shipped decomposer trained for the base with this fingerprint, if there is one."""
    folder = Path(str(files("memedit.editors").joinpath("decomposers")))
    for manifest in sorted(folder.glob(f"*/{MANIFEST}")):
        if json.loads(manifest.read_text("utf-8")).get("base") == fingerprint:
            return Planner(load_adapter(str(manifest.parent)))
    return None


# The published loop

_FACT, _NEXT = "Retrieved fact:", "\nQuestion:"
_SUB, _DRAFT, _FINAL = "Subquestion: ", "Generated answer: ", "Final answer: "


@dataclass(frozen=True, slots=True)
class Loop:
    """MeLLo's loop (Zhong et al. 2023, section 4): the model writes, reads a fact, goes on.

    Attributes:
        tokens: Most tokens a round; the paper allows 256 of a large model.
    """

    tokens: int = 64

    def open(self, questions: Sequence[str], lm: LM) -> Dialogue:
        transcript = lm.transcript(prompt(), len(questions))
        for i, question in enumerate(questions):
            transcript.say(i, f"Question: {' '.join(question.split())}{END}")
        return _LoopDialogue(transcript, self.tokens)


@dataclass(slots=True)
class _LoopDialogue:
    transcript: Transcript
    tokens: int

    def next(self, told: Mapping[int, Told | None]) -> dict[int, Turn]:
        for i, said in told.items():
            if said is not None:
                self.transcript.say(i, write_retrieved(said))
        try:
            wrote = self.transcript.go_on(list(told), stop=(_FACT, _NEXT), tokens=self.tokens)
        except ContextOverflowError:
            return {}
        turns = {i: parse_turn(text) for i, text in zip(told, wrote, strict=True)}
        return {i: turn for i, turn in turns.items() if turn is not None}


def write_retrieved(told: Told) -> str:
    """What follows ``Retrieved fact:``, and the verdict where it is not left to the model."""
    text = f" {told.fact.strip().rstrip('.')}.{END}"
    if told.answer is None:
        return text
    verdict = "contradicts to" if told.edited else "does not contradict to"
    return (
        f"{text}Retrieved fact {verdict} generated answer, so the intermediate answer is: "
        f"{told.answer}{END}"
    )


def parse_turn(text: str) -> Turn | None:
    """What the model wrote in one round; None where it left the grammar."""
    text = text.split(_NEXT)[0]
    lines = [line.strip() for line in text.split(END) if line.strip()]
    # The stop is part of what was written.
    if lines and lines[-1] == _FACT:
        lines.pop()
    if lines and lines[-1].startswith(_FINAL):
        answer = lines[-1].removeprefix(_FINAL).strip().rstrip(".")
        return Done(answer) if answer else None
    if len(lines) < 2 or not lines[-2].startswith(_SUB):
        return None
    draft = re.sub(rf"^{_DRAFT.strip()}\s*", "", lines[-1])
    return Ask(lines[-2].removeprefix(_SUB), draft=draft)


@cache
def prompt() -> str:
    """Four worked examples in the paper's grammar. Written for memedit: none is a benchmark's."""
    text = files("memedit.editors").joinpath("mello.txt").read_text("utf-8")
    return text.rstrip() + END + END
