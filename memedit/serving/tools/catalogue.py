"""What an agent may do with the edits: tools, each with what it takes, which scope it needs of the
key, and what it does. A change goes the way of every other: to the audit log under its author, or,
where approval is needed, to the desk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from pydantic import BaseModel, ConfigDict, Field

from memedit.serving import reading
from memedit.serving.routes.changes import Writes
from memedit.serving.schemas import Ask, EditChange, Name, NewEdit, Restore, Undo, When
from memedit.serving.schemas import Question as Query
from memedit.serving.service import Question

Effect = Literal["reads", "adds", "changes"]


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Search(_Taken):
    query: Annotated[Query, Field(description="A question, or any text.")]
    limit: int = Field(10, ge=1, le=100, description="At most so many.")
    as_of: When = Field(None, description="Only facts that hold then: a date or a moment.")


class Listing(_Taken):
    match: str = Field("", max_length=1_000, description="Only facts with this text.")
    limit: int = Field(50, ge=1, le=1_000, description="At most so many.")
    offset: int = Field(0, ge=0, le=10_000_000, description="Leave out so many before.")


class One(_Taken):
    id: Annotated[Name, Field(description="Id of an edit.")]


class Correction(EditChange):
    id: Annotated[Name, Field(description="Id of the edit in force.")]


class Happened(_Taken):
    id: Annotated[Name | None, Field(description="Of this edit alone.")] = None
    limit: int = Field(50, ge=1, le=1_000, description="At most so many.")


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        name: What it is called by.
        scope: Of the key that calls it.
        effect: Whether it reads, adds, or changes what is there.
        takes: Its arguments.
        does: Does it for a caller. Its docstring tells the agent what the tool is for.
    """

    name: str
    scope: str
    effect: Effect
    takes: type[BaseModel]
    does: Callable[[Writes, Any], Awaitable[dict[str, Any]]]

    async def __call__(self, writes: Writes, given: dict[str, Any]) -> dict[str, Any]:
        """What comes of it, as plain data.

        Raises:
            ValidationError: arguments that it does not take.
            ApiError, MemeditError: it cannot be done; the memory is as before.
        """
        return await self.does(writes, self.takes.model_validate(given))


async def _add_fact(writes: Writes, given: NewEdit) -> dict[str, Any]:
    """Add a fact that the model shall know from now on: either prompt and target_new ("The capital
    of France is", "Lyon"), or a whole statement ("Our refund window is 60 days."). A fact about the
    same thing that is in force is replaced, and returned under "superseded". Under "open_end" stand
    words of a last day ("Until Sunday") where valid_until was not given: the fact holds after it,
    too; under "open_start" those of a first day that is to come, without valid_from."""
    return await _change(writes, "create", given.model_dump(mode="json"))


async def _correct_fact(writes: Writes, given: Correction) -> dict[str, Any]:
    """Replace a fact by its id, changed in the fields that are given. The corrected fact may have
    another id: it is under "id" of what is returned. Facts that say otherwise in other words are
    replaced, too ("superseded"), or may contradict it ("possible_conflict")."""
    change = given.model_dump(mode="json", exclude_unset=True, exclude={"id"})
    return await _change(writes, "alter", {"id": given.id, "change": change})


async def _forget_fact(writes: Writes, given: One) -> dict[str, Any]:
    """Take a fact back by its id: the model answers as if it had never been added. undo_change
    brings it back while nothing was changed since, restore_version later, too."""
    return await _change(writes, "forget", {"id": given.id})


async def _undo_change(writes: Writes, given: Undo) -> dict[str, Any]:
    """Take back the last change, whatever it was and whoever made it; called again, the one before
    it. What left is under "forgotten", what is in force again under "restored". With the "version"
    that your change returned as if_version nothing is taken back that was changed after it; as
    version it is your change that is taken back, and what others changed since stays."""
    return await _change(writes, "undo", given.model_dump())


async def _restore_version(writes: Writes, given: Restore) -> dict[str, Any]:
    """Undo everything since an earlier version of the edits: facts in force then are in force
    again, later ones are not. list_history tells the versions; this, too, can be undone."""
    return await _change(writes, "restore", given.model_dump())


async def _search_facts(writes: Writes, given: Search) -> dict[str, Any]:
    """The facts that a question or text may concern, by meaning, the nearest first."""
    namespace = writes.caller.namespace
    return await run_sync(
        reading.find_nearest, writes.service, namespace, given.query, given.limit, given.as_of
    )


async def _list_facts(writes: Writes, given: Listing) -> dict[str, Any]:
    """The facts in force, newest first, or those that hold a text letter by letter."""
    namespace = writes.caller.namespace
    return await run_sync(
        reading.list_edits, writes.service, namespace, given.match, given.limit, given.offset
    )


async def _list_history(writes: Writes, given: Happened) -> dict[str, Any]:
    """What happened to the facts and in which version, newest first; with an id, all that happened
    to that fact, oldest first."""
    namespace = writes.caller.namespace
    if given.id is not None:
        return await run_sync(reading.list_events_of, writes.service, namespace, given.id)
    return await run_sync(reading.list_events, writes.service, namespace, given.limit)


async def _explain_answer(writes: Writes, given: Ask) -> dict[str, Any]:
    """Put a question to the model and tell its answer, the answer of the model without edits, and
    which facts fired, how sure that is, and why."""
    question = Question(
        given.query, writes.caller.namespace, given.chat, given.max_tokens, given.as_of
    )
    (explained,) = await writes.service.backend.explain([question])
    return reading.narrow_explanation(writes.caller, explained)


async def _change(writes: Writes, action: str, body: dict[str, Any]) -> dict[str, Any]:
    outcome, made = await writes.change(action, body)
    return outcome | {"made": made}


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("add_fact", "edit", "adds", NewEdit, _add_fact),
        Tool("correct_fact", "edit", "changes", Correction, _correct_fact),
        Tool("forget_fact", "edit", "changes", One, _forget_fact),
        Tool("undo_change", "edit", "changes", Undo, _undo_change),
        Tool("restore_version", "edit", "changes", Restore, _restore_version),
        Tool("search_facts", "read", "reads", Search, _search_facts),
        Tool("list_facts", "read", "reads", Listing, _list_facts),
        Tool("list_history", "read", "reads", Happened, _list_history),
        Tool("explain_answer", "ask", "reads", Ask, _explain_answer),
    )
}
"""All tools, by name."""
