"""Days that an edit's own words name: "We are closed from 24 December to 2 January."."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from memedit.core.days import FEAST, MONTH, MONTHS, WEEKDAY, days_of
from memedit.core.types import Record

_WEEKDAY = rf"(?:(?:{WEEKDAY}),? )?(?:the )?"


def _day(n: int) -> str:
    return (
        rf"{_WEEKDAY}(?:(?P<feast{n}>{FEAST})|(?P<d{n}>\d\d?)(?:st|nd|rd|th)?(?: of)?"
        rf"(?: (?P<m{n}>{MONTH})\b)?\.?|(?P<n{n}>{MONTH}) (?P<e{n}>\d\d?)(?:st|nd|rd|th)?)\b"
        rf"(?:,? (?P<y{n}>\d{{4}})\b)?"
    )


_SPAN = re.compile(
    rf"\b(?:from |between |on )?{_day(1)}(?: ?[–-] ?| (?:up )?(?:to|until|till|through|and)"
    rf"(?: including)? ){_day(2)}",
    re.IGNORECASE,
)
_ONE = re.compile(rf"\bon {_day(1)}", re.IGNORECASE)
_LETTERS = re.compile(r"[a-z]+")
_NAMES = frozenset(MONTHS) | {*_LETTERS.findall(re.sub(r"\(\?:|\[.*?\]\??", "|", FEAST))}
"""Words of which one stands where a day is named."""
_MOST = 40
"""Spans of a namespace that are looked at."""
_LONGEST = 400
"""Characters of an edit that is looked at."""
_DAYS = 120
"""Days of the longest span: what is longer is the rule, not the exception."""
Day = tuple[int | None, int, int]
"""Year, where it is said, month and day."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days that an edit names.

    Attributes:
        id: Of the edit.
        words: How it names them: "from 24 December to 2 January".
        first, last: Which.
    """

    id: str
    words: str
    first: Day
    last: Day

    def meets(self, first: date, last: date) -> bool:
        """Whether some days are among them, in whichever year where it says none."""
        years = range(first.year - 1, last.year + 2)
        each = [self.first[0]] if self.first[0] is not None else years
        return any(
            start <= last and first <= end for year in each for start, end in self._find_dates(year)
        )

    def _find_dates(self, year: int) -> Iterator[tuple[date, date]]:
        try:
            start = date(year, *self.first[1:])
            end = date(self.last[0] or year, *self.last[1:])
            if end < start and self.last[0] is None:
                end = date(year + 1, *self.last[1:])
        except ValueError:  # 29 February
            return
        if timedelta() <= end - start <= timedelta(_DAYS):
            yield start, end


def find_spans(records: Iterable[Record]) -> tuple[Span, ...]:
    """The days that edits name."""
    found = (span for record in records for span in _find_spans(record))
    return tuple(span for span, _ in zip(found, range(_MOST), strict=False))


def _find_spans(record: Record) -> Iterator[Span]:
    text = record.edit.statement
    # Most name no day, and to look where one may stand takes long.
    if len(text) > _LONGEST or _NAMES.isdisjoint(_LETTERS.findall(text.casefold())):
        return
    for match in _SPAN.finditer(text):
        last = _read_day(match, 2, None)
        first = None if last is None else _read_day(match, 1, last)
        if first is not None and last is not None:
            yield Span(record.id, match[0], first, last)
            return
    for match in _ONE.finditer(text):
        if (day := _read_day(match, 1, None)) is not None:
            yield Span(record.id, match[0], day, day)
            return


def _read_day(match: re.Match[str], n: int, last: Day | None) -> Day | None:
    """A day; of the first of two ("from 1 to 15 August") the month of the last one."""
    year = int(match[f"y{n}"]) if match[f"y{n}"] else None
    if feast := match[f"feast{n}"]:
        try:
            begin, end = days_of(feast, year or 2001)
        except (ValueError, OverflowError):  # at the end of the calendar
            return None
        return year, *((end if last is None else begin).timetuple()[1:3])
    named = match[f"m{n}"] or match[f"n{n}"]
    # "Aprıl": without case, ı is an i.
    month = MONTHS.get(named.casefold()) if named else last[1] if last else None
    if month is None:
        return None
    if year is None and last is not None and last[0] is not None:
        year = last[0] - (month > last[1])
    return year, month, int(match[f"d{n}"] or match[f"e{n}"])
