"""Questions that name a time are answered from the history of what they ask.

"Who led Acme in 2010?" sees the facts in force then, "who was … previously" what was in force
before, though it was replaced since. The question's own date wins over the request's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from memedit.core.days import names_day
from memedit.core.moments import UTC
from memedit.core.times import NamedTime, find_named_time, find_near_time
from memedit.core.types import Decision, Edit, Hit
from memedit.memory import EditMemory, MemoryView

Decide: TypeAlias = Callable[[str, "datetime | None"], Decision]
"""What the scope says of a query, among the facts that hold at a moment (None: now)."""


def decide_in_time(
    query: str,
    ordinary: Decision,
    as_of: datetime | None,
    store: EditMemory | MemoryView,
    decide: Decide,
) -> Decision:
    """The decision on a query, by the time that it names where it names one.

    Args:
        query: A text, or a chat.
        ordinary: What the scope says of it at ``as_of``.
        as_of: The request's date.
        store: The memory.
        decide: Asks the scope.
    """
    now = as_of or datetime.now(UTC)
    # First in UTC: the memory's zone is read from disk, and most questions name no time.
    named = find_named_time(query, now, UTC) and find_named_time(query, now, store.zone)
    bearing = ordinary.bearing
    if named is None and (not bearing or any(map(_holds_for_a_time, bearing))):
        named = find_near_time(query, now, store.zone)
    if named is None or any(_is_about(hit.record.edit, named) for hit in bearing):
        return ordinary
    # The query as it was asked comes first: its time may be what an edit is about.
    # What does not bear now may only begin by then: one moment is enough.
    moments = named.moments[:1] if named.near and not bearing else named.moments
    for moment in moments or (now,):
        for asked in (query, named.plain):
            found = _decide_then(asked, named, moment, store, decide, given=asked == query)
            if found is not None:
                return replace(found, as_of=moment, named=named.words)
    if named.previous or not any(map(_is_dated, bearing)):
        return ordinary
    # Facts with dates, and none that is asked reaches then: the base may know more than they do.
    informs = () if any(map(_is_dated, ordinary.hits)) else decide(query, named.moments[0]).informs
    return replace(ordinary, hits=(), informs=informs, as_of=named.moments[0], named=named.words)


def _decide_then(
    query: str,
    named: NamedTime,
    moment: datetime,
    store: EditMemory | MemoryView,
    decide: Decide,
    *,
    given: bool,
) -> Decision | None:
    """The decision with what was in force at the moment, or before it; None: nothing is known.

    ``given``: the query is as it was asked. One without its time asks more than was asked: what it
    finds counts only where its history reaches then.
    """
    decision = decide(query, moment)
    hits: list[Hit] = []
    for hit in decision.hits:
        look = store.before if named.previous else store.then
        record = look(hit.record, moment)
        if record is None:
            continue
        if given or named.previous or record != hit.record or _is_dated(hit):
            hits.append(replace(hit, record=record))
    informs = decision.informs if named.near else ()
    return replace(decision, hits=tuple(hits), informs=informs) if hits else None


def _is_about(edit: Edit, named: NamedTime) -> bool:
    """Whether an edit's own text is about that time: "the winner of the 2010 final"."""
    return any(named.mark in text.casefold() for text in (edit.statement, *edit.queries))


def _holds_for_a_time(hit: Hit) -> bool:
    """Whether a fact begins or ends, and its own text is about no day: what is "open until 3 May"
    is asked of other days, too."""
    return _is_dated(hit) and not names_day(hit.record.edit.statement)


def _is_dated(hit: Hit) -> bool:
    return hit.record.valid_from is not None or hit.record.valid_until is not None
