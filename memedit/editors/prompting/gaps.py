"""How long it is between two moments that a request names, and which of two lengths is longer.

"Signed at 7 this morning, and now it's 14:00. Is it still valid?" under "The permit is valid for
six hours": a base of 1.5B compares well, and counts badly. What lies between the only two days, or
times of day, of a request is true whatever is asked; it stands beside the fact that counts in such
units. So does whether the one length of time in a request ("24 days ago") is more than the one in
the fact. English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from memedit.editors.prompting.clocks import (
    Day,
    Span,
    find_clocks,
    find_days,
    find_spans,
    write_times,
)
from memedit.editors.prompting.elapsing import tell_between
from memedit.editors.prompting.wording import write_digits

_SHORT = frozenset({"minute", "hour"})
_DAYS = {
    "minute": (1 / 1440, 1 / 1440), "hour": (1 / 24, 1 / 24), "day": (1, 1), "week": (7, 7),
    "month": (28, 31), "year": (365, 366),
}  # fmt: skip
"""The fewest and the most days of a unit."""
_OTHER_DAY = re.compile(
    r"\b(?:(?:day|night|evening|morning|week) before|yesterday|tomorrow|overnight|last night|"
    r"(?:next|following) (?:day|morning|night|evening)|mon|tues|wednes|thurs|fri|satur|sun)",
    re.IGNORECASE,
)
"""Where two times of day may be those of two days."""
_MOST, _MOST_DAYS, _MOST_BACK = 1_200, 200, 60
"""Characters of a request; days, where no year is named: more may be those of two years, all the
more where the later one is named first."""


def tell_gap(words: str, facts: Sequence[str]) -> str:
    """What lies between the two days, or the two times, of a request; "" where there are no two, or
    no fact counts in such units.

    Args:
        words: A user's.
        facts: What is told.
    """
    if len(words) > _MOST:
        return ""
    asked = write_times(write_digits(words))
    units = {
        span.unit for fact in facts for span in find_spans(write_times(write_digits(fact[:_MOST])))
    }
    days, clocks = find_days(asked), find_clocks(asked)
    if len(days) == 2 and units - _SHORT:
        return _tell_days(*days)
    if len(clocks) == 2 and len(days) < 2 and units & _SHORT and not _OTHER_DAY.search(asked):
        return tell_between(*sorted(clocks, key=lambda clock: clock.minutes))
    return ""


def compare_lengths(words: str, facts: Sequence[str]) -> str:
    """Whether the only length of time that a request names is more or less than the only one that
    the facts do: "24 days are more than 19 days."; "" where there are others, or both are the same.

    Args:
        words: A user's.
        facts: What is told.
    """
    if len(words) > _MOST:
        return ""
    texts = (write_times(write_digits(text[:_MOST])) for text in (words, " ".join(facts)))
    (own, theirs) = ([*find_spans(text)] for text in texts)
    if len(own) != 1 or len(theirs) != 1:
        return ""
    [(least, most), (low, high)] = (_measure(span) for span in (own[0], theirs[0]))
    word = "more" if least > high else "less" if most < low else ""
    verb = "is" if own[0].number == 1 else "are"
    return f"{own[0]} {verb} {word} than {theirs[0]}." if word else ""


def _measure(span: Span) -> tuple[float, float]:
    """The fewest and the most days of a length of time."""
    short, long = _DAYS[span.unit]
    return span.number * short, span.number * long


def _tell_days(one: Day, other: Day) -> str:
    """How many days it is from the first of two days to the second; "": nobody knows."""
    if (one.year is None) != (other.year is None):
        year = one.year or other.year
        one, other = (Day(each.year or year, each.month, each.day) for each in (one, other))
    found = set()
    for year in (None,) if one.year else (2023, 2024):
        try:
            start, end = (date(day.year or year or 1, day.month, day.day) for day in (one, other))
        except ValueError:
            return ""
        found.add((end - start).days)
    days = found.pop()
    if found or not days or (not one.year and not -_MOST_BACK <= days <= _MOST_DAYS):
        return ""
    first, last = (one, other) if days > 0 else (other, one)
    return f"From {first} to {last} it is {Span(abs(days), 'day', False)}."
