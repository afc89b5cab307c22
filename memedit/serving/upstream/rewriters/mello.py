"""MeLLo: the upstream itself splits a question over several facts.

The parts are answered from memory where an edit does, and by asking the upstream where none does;
what was found is stated before the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from memedit.core.calls import Row
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision, Hit
from memedit.editors.mello import KNOWN, LABEL, SHOTS, Mello, answering, clean, question_of
from memedit.editors.prompting.decomposing import (
    PLANNED,
    Ask,
    PlanDialogue,
    Told,
    plan_of,
    write_plan_prompt,
)
from memedit.editors.prompting.shots import Shot, pose
from memedit.serving.errors import ApiError
from memedit.serving.upstream.placing import Form, Reading, one_line
from memedit.serving.upstream.rewriters import AskUpstream, Decide, Rewriter
from memedit.serving.upstream.stating import state, state_best, statement


def make_rewriter(editor: Mello) -> Rewriter:
    """Chains of questions.

    Raises:
        InvalidInputError: a setting that needs a model of ours.
    """
    if editor.decomposer not in ("auto", "shots") or editor.check != "scope":
        raise InvalidInputError(
            "An upstream splits questions after examples, and the scope checks its hops.",
            hint="Of MeLLo's settings it takes reach and rounds.",
        )
    return Hops(editor)


@dataclass(frozen=True, slots=True)
class Hops:
    """MeLLo with an upstream that splits questions after worked examples."""

    mello: Mello
    name: str = "mello-chat"
    form: Form = field(default_factory=lambda: Form(LABEL, SHOTS))
    scope: str | None = None

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """The facts of a chain of which an edit is part; else the best edit, if there is one."""
        row = Row(query, decision=reading.decision)
        if self.mello.considers(row):
            try:
                chain = await self._walk(question_of(row), reading, ask, decide)
            except ApiError:  # the request itself shall meet the upstream's trouble, and report it
                chain = None
            if chain is not None:
                return chain
        return state_best(reading, statement)

    async def _walk(
        self, question: str, reading: Reading, ask: AskUpstream, decide: Decide
    ) -> Reading | None:
        plan = plan_of(
            await ask([(write_plan_prompt(q), p) for q, p in PLANNED], write_plan_prompt(question)),
            question,
        )
        dialogue, told = PlanDialogue([plan]), None
        facts: list[str] = []
        found: list[tuple[Decision, Hit]] = []
        for _ in range(self.mello.rounds):
            turn = dialogue.next({0: told}).get(0)
            if not isinstance(turn, Ask):
                return None
            decision = await decide(turn.question)
            hit = answering(turn, decision.hits)
            if hit is not None:
                found.append((decision, replace(hit, view=question)))
                facts.append(statement(hit.record.edit))
            if turn.last:
                if hit is not None and (target := hit.record.edit.target_new) is not None:
                    facts = [f"{question} {target}"]  # a small model would not conclude it
                return _resting_on(found, facts, reading) if found else None
            answer = one_line(await self._answer(turn, hit, ask))
            if hit is None:
                facts.append(f"{turn.question} {answer}")
            told = Told("", answer, hit is not None)
        return None

    async def _answer(self, turn: Ask, hit: Hit | None, ask: AskUpstream) -> str:
        """The edit's object; a statement is read by the upstream, and what none answers asked."""
        if hit is None:
            return clean(await ask(_pose(KNOWN), pose(LABEL, "", turn.question)))
        edit = hit.record.edit
        if edit.target_new is not None:
            return edit.target_new
        fact = one_line(statement(edit))
        return clean(await ask(_pose(SHOTS), pose(LABEL, fact, turn.question)))


def _pose(shots: Sequence[Shot]) -> list[tuple[str, str]]:
    return [(pose(LABEL, s.fact, s.question), s.answer) for s in shots]


def _resting_on(
    found: Sequence[tuple[Decision, Hit]], facts: Sequence[str], reading: Reading
) -> Reading:
    hits = tuple(hit for _, hit in found)
    score = min(decision.score for decision, _ in found)
    decision = Decision(hits, score, found[0][0].threshold, hits)
    return state(replace(reading, decision=decision), facts)
