"""How long it is between two days or two times that a request names: "signed at 7 this morning, and
now it's 14:00". English only.

Told to a base of 1.5B beside the facts it does not help: of 28 questions for a yes or a no 17 were
judged rightly with such a line, 20 without. So it is used where a bound is judged by the machine.
"""

from __future__ import annotations

import re
from datetime import date

from memedit.core.days import WEEKDAY
from memedit.editors.prompting.clocks import (
    Day,
    Span,
    find_clocks,
    find_days,
    find_spans,
    write_times,
)
from memedit.editors.prompting.wording import write_digits

_SHORT = frozenset({"minute", "hour"})
_OTHER_DAY = re.compile(
    rf"\b(?:(?:{WEEKDAY})s?\b|(?:day|night|evening|morning|week) before|yesterday|tomorrow|"
    r"overnight|last night|(?:next|following) (?:day|morning|night|evening))",
    re.IGNORECASE,
)
"""Where two times of day may be those of two days."""
_MOST, _MOST_DAYS, _MOST_BACK = 1_200, 200, 60
"""Characters of a request; days, where no year is named: more may be those of two years, all the
more where the later one is named first."""


def find_gap(words: str, fact: str) -> Span | None:
    """What lies between the two days, or the two times, of a request, in days or in minutes; None
    where there are no two, or the fact counts in no such units.

    Args:
        words: A user's.
        fact: What is told.
    """
    if len(words) > _MOST:
        return None
    asked = write_times(write_digits(words))
    units = {span.unit for span in find_spans(write_times(write_digits(fact[:_MOST])))}
    days, clocks = find_days(asked), find_clocks(asked)
    if len(days) == 2 and units - _SHORT:
        return _count_days(*days)
    if len(clocks) == 2 and len(days) < 2 and units & _SHORT and not _OTHER_DAY.search(asked):
        one, other = clocks
        # "8:15" may be said of an evening, where the other one is told as pm.
        same = one.half == other.half and one.minutes != other.minutes
        return Span(abs(other.minutes - one.minutes), "minute", False) if same else None
    return None


def _count_days(one: Day, other: Day) -> Span | None:
    """How many days it is from one day to the other; None: nobody knows."""
    if (one.year is None) != (other.year is None):
        year = one.year or other.year
        one, other = (Day(each.year or year, each.month, each.day) for each in (one, other))
    found = set()
    for year in (None,) if one.year else (2023, 2024):
        try:
            start, end = (date(day.year or year or 1, day.month, day.day) for day in (one, other))
        except ValueError:
            return None
        found.add((end - start).days)
    days = found.pop()
    if found or not days or (not one.year and not -_MOST_BACK <= days <= _MOST_DAYS):
        return None
    return Span(abs(days), "day", False)
