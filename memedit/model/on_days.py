"""A question about a day that an edit's own words name: "We are closed from 24 December to 2
January." bears on "Can I come by on Boxing Day?".

The question is read with the edit's words in the place of its own, and only that edit counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from memedit.core.days import find_named_days
from memedit.core.moments import UTC
from memedit.core.passages import Conversation
from memedit.core.types import Decision
from memedit.memory import EditMemory, MemoryView
from memedit.model.joining import add_informing
from memedit.model.spans import Span

_BEARS = 0.5
"""Probability of bearing from which an edit of that day counts."""
_MOST = 3
"""Readings of a question."""
Reading = tuple[str, frozenset[str]]
"""A question with the words of an edit in the place of its own days, and the ids of the edits that
name these."""


def decide_on_days(
    queries: Sequence[str],
    decisions: Sequence[Decision],
    spans: Sequence[Span],
    as_of: datetime | None,
    store: EditMemory | MemoryView,
    decide: Callable[[Sequence[str]], list[Decision]],
) -> list[Decision]:
    """The decisions with the edits that name the day asked about.

    Args:
        queries: Texts, or chats.
        decisions: What is found without.
        spans: The days that edits name.
        as_of: The request's date; None: now.
        store: Where days begin.
        decide: The scope.
    """
    now = as_of or datetime.now(UTC)
    each = [
        [] if decision.disagrees else _read_last(query, spans, now, store.zone)
        for query, decision in zip(queries, decisions, strict=True)
    ]
    return add_by_readings(decisions, each, decide)


def add_by_readings(
    decisions: Sequence[Decision],
    each: Sequence[Sequence[Reading]],
    decide: Callable[[Sequence[str]], list[Decision]],
) -> list[Decision]:
    """The decisions with the edits that their readings are for, where they bear on these.

    Args:
        decisions: What is found without.
        each: Readings of each query.
        decide: The scope.
    """
    texts = [text for readings in each for text, _ in readings]
    found = iter(decide(texts) if texts else ())
    told = list[Decision]()
    for decision, readings in zip(decisions, each, strict=True):
        hits = [
            hit
            for _, ids in readings
            for hit in next(found).bearing
            if hit.record.id in ids and max(hit.bearing or 0.0, hit.score or 0.0) >= _BEARS
        ]
        told.append(add_informing(decision, hits))
    return told


def _read_last(query: str, spans: Sequence[Span], now: datetime, zone: tzinfo) -> list[Reading]:
    last = getattr(query, "last", 0)
    turn, earlier = str(query)[last:].strip(), str(query)[:last].rstrip("\n")
    readings = read_days(turn, spans, now, zone)
    return [(Conversation(earlier, text), ids) for text, ids in readings] if earlier else readings


def read_days(turn: str, spans: Sequence[Span], now: datetime, zone: tzinfo) -> list[Reading]:
    """The readings of a question that names a day of an edit's, or none and today is one."""
    days = find_named_days(turn, now, zone)
    today = now.astimezone(zone).date()
    first, last = (today, today) if days is None else (days.first, days.last)
    words: dict[str, set[str]] = {}
    for span in spans:
        if span.meets(first, last):
            words.setdefault(span.words, set()).add(span.id)
    body = turn.rstrip(" ?.!")
    start, end = (len(body), len(body)) if days is None else (days.start, days.end)
    made = (
        (" ".join(f"{turn[:start]} {said} {turn[end:]}".split()), frozenset(ids))
        for said, ids in words.items()
    )
    return [(re.sub(r" (?=[?.!,])", "", text), ids) for text, ids in made if "?" in text][:_MOST]
