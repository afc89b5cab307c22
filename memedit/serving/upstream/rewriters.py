"""The editors of an upstream: what facts they put before a question, and in which form.

The default is a note: the facts that bear, and the upstream answers in its own words. IKE and
MemPrompt state the best edit after worked examples. SERAC sends the request to the name under which
the upstream serves its adapter. MeLLo asks the upstream itself to split a question over
several facts, answers the parts from memory where an edit does and by asking the upstream where
none does, and states what it found. Nothing here knows the upstream's tokenizer, so that an answer
cannot be kept to an edit's words, as it is on a local model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from memedit.core.calls import Row
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision, Edit, Hit
from memedit.editors import load_editor
from memedit.editors.auto import Auto
from memedit.editors.ike import Demonstration, Ike, demonstrations
from memedit.editors.mello import KNOWN, LABEL, Mello, answering, clean, question_of
from memedit.editors.mello import SHOTS as FACTS
from memedit.editors.memprompt import LABEL as CLARIFICATION
from memedit.editors.memprompt import SHOTS as CLARIFIED
from memedit.editors.memprompt import MemPrompt, clarification
from memedit.editors.note import Note
from memedit.editors.prompting.declaring import declared
from memedit.editors.prompting.decomposing import PLANNED, Ask, PlanDialogue, Told, plan_of, planned
from memedit.editors.prompting.notes import WORDINGS, closed
from memedit.editors.prompting.shots import Shot, posed
from memedit.editors.serac import Serac
from memedit.serving.errors import ApiError
from memedit.serving.upstream.rewriting import Form, Reading, one_line

AskUpstream: TypeAlias = Callable[[Sequence[tuple[str, str]], str], Awaitable[str]]
"""(worked examples, question) -> the upstream's reply: one line, greedy, short."""
_OTHER = "model:"
Decide: TypeAlias = Callable[[str], Awaitable[Decision]]


class Rewriter(Protocol):
    """What an editor does to a request.

    Attributes:
        name: As receipts call it.
        form: How the facts stand in the request.
        scope: The scope it was made for; None: the default.
    """

    @property
    def name(self) -> str: ...
    @property
    def form(self) -> Form: ...
    @property
    def scope(self) -> str | None: ...

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """The reading of a query with its facts.

        Args:
            query: What the scope was asked.
            reading: What it said, without facts.
            ask: Puts a question of ours to the upstream.
            decide: The scope, for another query at the same moment.
        """


@dataclass(frozen=True, slots=True)
class OneFact:
    """The best edit before the question: IKE, and MemPrompt with other words."""

    name: str
    form: Form
    said: Callable[[Edit], str]
    scope: str | None = None

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """No edit, no fact; nobody is asked."""
        return _stating_best(reading, self.said)


@dataclass(frozen=True, slots=True)
class Facts:
    """Every fact that bears, the most probable last: NOTE, and SERAC behind another model's name.

    Attributes:
        most: How many at most.
        asked: Only edits that the request asks are stated.
    """

    name: str
    form: Form
    most: int
    asked: bool = False
    scope: str | None = None

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """No edit, no fact; nobody is asked."""
        decision = reading.decision
        hits = (decision.hits if self.asked else decision.bearing)[: self.most]
        facts = [_sentence(hit.record.edit) if self.form.note else _statement(hit.record.edit)
                 for hit in reversed(hits)]  # fmt: skip
        return replace(reading, facts=tuple(dict.fromkeys(facts)))


@dataclass(frozen=True, slots=True)
class Hops:
    """MeLLo with an upstream that splits questions after worked examples."""

    mello: Mello
    name: str = "mello-chat"
    form: Form = field(default_factory=lambda: Form(LABEL, _shown(FACTS)))
    scope: str | None = None

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """The facts of a chain of which an edit is part; else the best edit, if there is one."""
        row = Row(query, decision=reading.decision)
        if self.mello.considers(row):
            try:
                chain = await self._walked(question_of(row), reading, ask, decide)
            except ApiError:  # the request itself shall meet the upstream's trouble, and report it
                chain = None
            if chain is not None:
                return chain
        return _stating_best(reading, _statement)

    async def _walked(
        self, question: str, reading: Reading, ask: AskUpstream, decide: Decide
    ) -> Reading | None:
        plan = plan_of(
            await ask([(planned(q), p) for q, p in PLANNED], planned(question)), question
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
                facts.append(_statement(hit.record.edit))
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
            return clean(await ask(_posed(KNOWN), posed(LABEL, "", turn.question)))
        edit = hit.record.edit
        if edit.target_new is not None:
            return edit.target_new
        fact = one_line(_statement(edit))
        return clean(await ask(_posed(FACTS), posed(LABEL, fact, turn.question)))


def _shown(shots: Sequence[Shot]) -> tuple[Demonstration, ...]:
    return tuple(Demonstration("", s.fact, s.question, s.answer) for s in shots)


def _posed(shots: Sequence[Shot]) -> list[tuple[str, str]]:
    return [(posed(LABEL, s.fact, s.question), s.answer) for s in shots]


def _stating_best(reading: Reading, said: Callable[[Edit], str]) -> Reading:
    if not reading.decision:
        return reading
    return replace(reading, facts=(said(reading.decision.hits[0].record.edit),))


def _statement(edit: Edit) -> str:
    return edit.statement


def _sentence(edit: Edit) -> str:
    return closed(one_line(declared(edit)))


def _resting_on(
    found: Sequence[tuple[Decision, Hit]], facts: Sequence[str], reading: Reading
) -> Reading:
    hits = tuple(hit for _, hit in found)
    score = min(decision.score for decision, _ in found)
    decision = Decision(hits, score, found[0][0].threshold, hits)
    return replace(reading, decision=decision, facts=tuple(dict.fromkeys(facts)))


def ike(count: int) -> Rewriter:
    """IKE with ``count`` demonstrations."""
    return OneFact("ike-chat", Form("Fact", demonstrations(retain=False)[:count]), _statement)


def note(editor: Note | None = None) -> Rewriter:
    """The note, as a local model gets it; nothing else of ours reaches the upstream."""
    editor = editor or Note()
    if editor.place != "before":
        raise InvalidInputError("An upstream gets its note before the words of the last turn.")
    wording = WORDINGS.get(editor.wording, editor.wording)
    return Facts("note-chat", Form(wording, note=True), editor.facts)


def serac(editor: Serac) -> Rewriter:
    """SERAC with an adapter that the upstream serves as a model of its own.

    Raises:
        InvalidInputError: the editor does not say under which name.
    """
    if not editor.counterfactual.startswith(_OTHER):
        raise InvalidInputError(
            "SERAC behind an upstream needs the name under which that serves the adapter.",
            hint="--editor \"serac(counterfactual='model:NAME')\".",
        )
    name = editor.counterfactual.removeprefix(_OTHER)
    return Facts("serac-chat", Form("Fact", model=name), editor.facts, asked=True)


def load_rewriter(name: str) -> Rewriter:
    """The rewriter of an editor, with settings in brackets: ``auto`` and ``note``, ``serac``,
    ``ike``, ``memprompt`` or ``mello``.

    Raises:
        InvalidInputError: another editor, or a setting that an upstream cannot be given.
        UnknownNameError: there is no such editor.
    """
    editor: Any = load_editor(name)
    if isinstance(editor, Auto):
        return note()
    if isinstance(editor, Note):
        return note(editor)
    if isinstance(editor, Serac):
        return serac(editor)
    if isinstance(editor, Ike):
        if editor.retain or editor.repeats != Ike().repeats:
            raise InvalidInputError("Of IKE's settings an upstream takes demonstrations only.")
        return ike(editor.demonstrations)
    if isinstance(editor, MemPrompt):
        form = Form(CLARIFICATION, _shown(CLARIFIED[: editor.shots]))
        return OneFact("memprompt-chat", form, clarification, MemPrompt.default_scope)
    if isinstance(editor, Mello):
        if editor.decomposer not in ("auto", "shots") or editor.check != "scope":
            raise InvalidInputError(
                "An upstream splits questions after examples, and the scope checks its hops.",
                hint="Of MeLLo's settings it takes reach and rounds.",
            )
        return Hops(editor)
    raise InvalidInputError(
        f"{name!r} changes what happens inside of a model, which an upstream does not let us.",
        hint="With --upstream: --editor note, serac, ike, memprompt or mello.",
    )
