"""How the times of an edit to add and of a record meet, and what is left of the record's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import NamedTuple

from memedit.core.text import normalise
from memedit.core.types import Edit, Record
from memedit.memory.requests import Request

_ANY = datetime.min.replace(tzinfo=timezone.utc)


class Span(NamedTuple):
    """From when on and up to when; None: without limit."""

    start: datetime | None
    end: datetime | None

    def meet(self, other: Span) -> Span | None:
        """The time that is in both; None: there is none."""
        ends = [end for end in (self.end, other.end) if end is not None]
        both = Span(latest(self.start, other.start), min(ends, default=None))
        return None if _is_empty(both) else both


def span_of(record: Record) -> Span:
    """When a record holds."""
    return Span(record.valid_from, record.valid_until)


def excludes(record: Record, request: Request) -> bool:
    """Whether only one of two edits of one slot can hold: not where there may be several values."""
    several = record.edit.multiple or request.edit.multiple
    return not several or agree(record.edit, request.edit)


def agree(one: Edit, other: Edit) -> bool:
    """Whether two edits give the same answer (statements: say the same)."""
    if one.target_new is None or other.target_new is None:
        return normalise(one.statement) == normalise(other.statement)
    return normalise(one.target_new) == normalise(other.target_new)


def tells_the_same(one: Edit, other: Edit) -> bool:
    """Whether two edits are the same but for how they are found, which one may have learnt."""
    return (one.prompt, one.target_new, one.subject) == (
        other.prompt, other.target_new, other.subject,
    )  # fmt: skip


def overlap(record: Record, request: Request) -> bool:
    """Whether there is a moment at which both hold."""
    return (
        record.valid_until is None
        or request.valid_from is None
        or request.valid_from < record.valid_until
    ) and (
        request.valid_until is None
        or record.valid_from is None
        or record.valid_from < request.valid_until
    )


def has_dates(record: Record) -> bool:
    """Whether a record begins or ends."""
    return record.valid_from is not None or record.valid_until is not None


def hold_alike(one: Record, other: Record | Request) -> bool:
    """Whether two begin and end together."""
    return (one.valid_from, one.valid_until) == (other.valid_from, other.valid_until)


def outlasts(one: Record, other: Record | Request) -> bool:
    """Whether one ends after the other."""
    end = other.valid_until
    return end is not None and (one.valid_until is None or one.valid_until > end)


def measure_distance(record: Record, span: Span) -> tuple[bool, float]:
    """How far a record is from a time: the least for what comes next after it, then for what was
    last before it."""
    start, end = record.valid_from, record.valid_until
    if start is not None and span.end is not None and start >= span.end:
        return False, (start - span.end).total_seconds()
    if end is not None and span.start is not None and end <= span.start:
        return True, (span.start - end).total_seconds()
    return True, float("inf")


def find_left(record: Record, request: Request, *, gone: bool) -> list[Span]:
    """The time that is left of a record which a request replaces: before it begins, and once it is
    over.

    Args:
        gone: The record itself was to be replaced: it is not in force again, and not before where
            the request says the same: it only has other dates now. Who says the same of another
            time, and names no record, says nothing of the time before.
    """
    same = agree(record.edit, request.edit)
    if gone and same:
        return []
    found = [
        _find_before(record, request), None if gone or same else _find_after(record, request)
    ]  # fmt: skip
    return [span for span in found if span is not None]


def _find_before(record: Record, request: Request) -> Span | None:
    start = request.valid_from
    if start is None or (record.valid_from is not None and start <= record.valid_from):
        return None
    end = start if record.valid_until is None else min(start, record.valid_until)
    return Span(record.valid_from, end)


def _find_after(record: Record, request: Request) -> Span | None:
    end = request.valid_until
    if end is None or (record.valid_until is not None and record.valid_until <= end):
        return None
    return Span(latest(end, record.valid_from), record.valid_until)


def subtract(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What is left of a time without some others, ascending."""
    left, here = list[Span](), span
    for each in sorted(taken, key=_begin):
        if each.start is not None and (before := here.meet(Span(None, each.start))) is not None:
            left.append(before)
        after = None if each.end is None else here.meet(Span(each.end, None))
        if after is None:
            return left
        here = after
    return [*left, here]


def merge(spans: Iterable[Span]) -> list[Span]:
    """Spans that do not overlap, ascending; one where they meet."""
    merged = list[Span]()
    for each in sorted(spans, key=_begin):
        if merged and merged[-1].end is not None and merged[-1].end == each.start:
            each = Span(merged.pop().start, each.end)
        merged.append(each)
    return merged


def _begin(span: Span) -> tuple[bool, datetime]:
    """Sorts by the beginning; those without one are first."""
    return (False, _ANY) if span.start is None else (True, span.start)


def _is_empty(span: Span) -> bool:
    return span.start is not None and span.end is not None and span.start >= span.end


def latest(*moments: datetime | None) -> datetime | None:
    """The last of some beginnings; None: none is a limit."""
    return max((each for each in moments if each is not None), default=None)
