"""Days and times that a base writes as a sum, and the machine works out.

As with sums of numbers (:mod:`memedit.editors.prompting.formulas`) a small base knows what belongs
together ("20 May - 8 days"), and counts badly: it says that this is the 13th, or asks for 127 days.
Of what it writes one day, one time of day or both are read, and how long before or after that is
asked for; what neither facts nor request have does not count. English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from memedit.editors.prompting.clocks import Clock, Day, Span, find_clocks, find_days, find_spans
from memedit.editors.prompting.elapsing import OTHER_DAYS, add_to_date, asks_when
from memedit.editors.prompting.towards import lasts_days
from memedit.editors.prompting.wording import write_digits

ASKED = (
    "\n\nDo not answer yet. Write one line that computes the day or the time that is asked for, "
    "from the facts above: a day or a time, + or -, and how long.\n"
    "For what must be paid within 14 days, ordered on 3 May: result = 3 May + 14 days\n"
    "For what must be booked 2 hours before a flight at 9:15 pm: result = 9:15 pm - 2 hours\n"
    "For a pass of 6 months from 1 March 2026: result = 1 March 2026 + 6 months\n"
    "Where no day or time is to be computed: result = None"
)
MOST_NEW = 32
_LINE = re.compile(
    r"\s*(?P<start>[^+\n]{1,60}?)\s*(?P<terms>(?:[+-]\s*\d{1,4} ?[a-z]{1,8}\s*){1,3})"
    r"(?:#.*)?\.?\s*$"
)
_TERM = re.compile(r"[+-]\s*\d{1,4} ?[a-z]{1,8}")
_MINUTES = {"minute": 1, "hour": 60}
_MOST = 600
"""Characters of a request, and of all facts."""


def may_be_dated(words: str, facts: Sequence[str]) -> bool:
    """Whether a request may ask for a day or a time that is so long before or after another one.

    Args:
        words: A user's.
        facts: What is told.
    """
    texts = [write_digits(text) for text in (words, *facts)]
    if len(words) > _MOST or sum(map(len, facts)) > _MOST or not asks_when(words):
        return False
    moments = any(find_days(text) or find_clocks(text) for text in texts)
    return moments and any(True for fact in texts[1:] for _ in find_spans(fact))


def work_out_moment(line: str, facts: Sequence[str], words: str) -> str:
    """What a line comes to, as what is worked out is told: "20 May - 8 days = 12 May. Result: 12
    May"; "" where it is none, or holds what nobody said.

    Args:
        line: What the base wrote behind ``result =``.
        facts: What is told.
        words: A user's.
    """
    found = _LINE.match(line.strip().split("\n", 1)[0])
    if found is None:
        return ""
    texts = [write_digits(text) for text in (words, *facts)]
    terms = [_read_term(term) for term in _TERM.findall(found["terms"])]
    start = write_digits(found["start"])
    days, clocks = _read_start(start, texts)
    known = {(span.number, span.unit) for text in texts for span in find_spans(text)}
    if len(days) > 1 or len(clocks) > 1 or not (days or clocks):
        return ""
    if any(term is None or (term[1].number, term[1].unit) not in known for term in terms):
        return ""
    sums = [term for term in terms if term is not None]
    if any(OTHER_DAYS.search(fact) for fact in facts) or _is_counted_with(sums, facts):
        return ""
    end = _add(days[0] if days else None, clocks[0] if clocks else None, sums)
    shown = " ".join(f"{found['start']} {' '.join(found['terms'].split())}".split())
    return f"{shown} = {end}. Result: {end}" if end else ""


def _read_term(term: str) -> tuple[int, Span] | None:
    """Which way a term goes, and how far."""
    spans = list(find_spans(term[1:]))
    return (-1 if term[0] == "-" else 1, spans[0]) if len(spans) == 1 else None


def _read_start(start: str, texts: Sequence[str]) -> tuple[list[Day], list[Clock]]:
    """The days and times of a sum's beginning that one of the texts has, too."""
    days, clocks = find_days(start), find_clocks(start)
    told = {(day.month, day.day) for text in texts for day in find_days(text)}
    times = {clock.minutes for text in texts for clock in find_clocks(text)}
    known = all((day.month, day.day) in told for day in days)
    return (days, clocks) if known and all(c.minutes in times for c in clocks) else ([], [])


def _is_counted_with(sums: Sequence[tuple[int, Span]], facts: Sequence[str]) -> bool:
    """Whether days are added to the first of those for which something lasts."""
    onward = any(way > 0 and span.unit not in _MINUTES for way, span in sums)
    return onward and any(map(lasts_days, facts))


def _add(day: Day | None, clock: Clock | None, sums: Sequence[tuple[int, Span]]) -> str:
    """What comes out, as it is said; "": nothing for sure."""
    short = [each for each in sums if each[1].unit in _MINUTES]
    minutes = sum(way * span.number * _MINUTES[span.unit] for way, span in short)
    for way, span in sums:
        if span.unit not in _MINUTES:
            day = add_to_date(day, span, way) if day is not None else None
            if day is None:
                return ""
    if not short:
        return "" if day is None else f"{day}{f', {clock}' if clock else ''}"
    if clock is None:
        return ""
    if day is not None:
        return _add_to_both(day, clock, minutes)
    over, rest = divmod(clock.minutes + minutes, 24 * 60)
    if abs(over) > 1:
        return ""
    other = f" the day {'before' if over < 0 else 'after'}" if over else ""
    return f"{Clock(rest, clock.half)}{other}"


def _add_to_both(day: Day, clock: Clock, minutes: int) -> str:
    """A day and a time so many minutes from another one, whatever year it is."""
    found = set()
    for year in (day.year,) if day.year else (2023, 2024):
        try:
            start = datetime(year, day.month, day.day) + timedelta(minutes=clock.minutes)
            end = start + timedelta(minutes=minutes)
        except (ValueError, OverflowError):
            return ""
        at = Clock(end.hour * 60 + end.minute, clock.half)
        found.add(f"{Day(end.year if day.year else None, end.month, end.day)}, {at}")
    return found.pop() if len(found) == 1 else ""
