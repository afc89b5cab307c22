"""Facts stated before a question, without asking anybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from memedit.core.suspicion import leave_out_orders
from memedit.core.types import Edit, Hit
from memedit.editors.prompting.declaring import declare
from memedit.editors.prompting.notes import close_sentence
from memedit.serving.upstream.placing import Form, Reading, one_line
from memedit.serving.upstream.rewriters import AskUpstream, Decide


@dataclass(frozen=True, slots=True)
class OneFact:
    """The best edit before the question.

    Attributes:
        said: How an edit is said.
    """

    name: str
    form: Form
    said: Callable[[Edit], str]
    scope: str | None = None

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """No edit, no fact; nobody is asked."""
        return state_best(reading, self.said)


@dataclass(frozen=True, slots=True)
class Facts:
    """Every fact that bears, the most probable last.

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
        if self.form.note and hits:
            hits = (*hits, *decision.companions)[: self.most]
        say = _sentence if self.form.note else statement
        facts = [_show_document(hit, say(hit.record.edit)) for hit in reversed(hits)]
        return state(reading, [leave_out_orders(fact, query) for fact in facts if fact])


def _show_document(hit: Hit, said: str) -> str:
    """What is shown of a document where the hit is a passage ("": another hit shows it), else
    what the edit is said as."""
    shown = None if hit.passage is None else hit.passage.text
    return said if shown is None else shown


def state(reading: Reading, facts: Sequence[str]) -> Reading:
    """A reading with these facts, each once."""
    return replace(reading, facts=tuple(dict.fromkeys(facts)))


def state_best(reading: Reading, said: Callable[[Edit], str]) -> Reading:
    """A reading with its best edit as its fact, if there is one."""
    if not reading.decision.hits:
        return reading
    return replace(reading, facts=(said(reading.decision.hits[0].record.edit),))


def statement(edit: Edit) -> str:
    """An edit as it states itself."""
    return edit.statement


def _sentence(edit: Edit) -> str:
    return close_sentence(one_line(declare(edit)))
