"""How the times of an edit to add and of a record meet, and what is left of the record's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from memedit.core.text import normalise
from memedit.core.types import Edit, Record
from memedit.memory.requests import Request


class Span(NamedTuple):
    """From when on and up to when; None: without limit."""

    start: datetime | None
    end: datetime | None


def excludes(record: Record, request: Request) -> bool:
    """Whether only one of two edits of one slot can hold: not where there may be several values."""
    several = record.edit.multiple or request.edit.multiple
    return not several or agree(record.edit, request.edit)


def agree(one: Edit, other: Edit) -> bool:
    """Whether two edits give the same answer (statements: say the same)."""
    if one.target_new is None or other.target_new is None:
        return normalise(one.statement) == normalise(other.statement)
    return normalise(one.target_new) == normalise(other.target_new)


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


def hold_alike(one: Record, other: Record) -> bool:
    """Whether two records begin and end together."""
    return (one.valid_from, one.valid_until) == (other.valid_from, other.valid_until)


def find_left(record: Record, request: Request, *, gone: bool) -> list[Span]:
    """The time that is left of a record which a request replaces: before it begins, and once it is
    over.

    Args:
        gone: The record itself was to be replaced: it is not in force again. Nor is one that says
            the same, which only has other dates now.
    """
    ends = gone or agree(record.edit, request.edit)
    found = [_find_before(record, request), None if ends else _find_after(record, request)]
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
    """What is left of a time that ends, ascending, without some others."""
    left, start = list[Span](), span.start
    for each in sorted(taken, key=lambda other: (other.start is not None, other.start)):
        if each.start is not None and (start is None or start < each.start):
            left.append(Span(start, each.start))
        if each.end is None:
            return _clip(left, span)
        start = latest(start, each.end)
    return _clip([*left, Span(start, span.end)], span)


def _clip(spans: Sequence[Span], span: Span) -> list[Span]:
    """Parts of spans before the end of one."""
    clipped = [Span(each.start, earliest(each.end, span.end)) for each in spans]
    return [each for each in clipped if each.start is None or each.start < (each.end or each.start)]


def latest(*moments: datetime | None) -> datetime | None:
    """The last of some beginnings; None: none is a limit."""
    return max((each for each in moments if each is not None), default=None)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of some beginnings; None: one is without limit."""
    limits = [each for each in moments if each is not None]
    return min(limits) if len(limits) == len(moments) else None
