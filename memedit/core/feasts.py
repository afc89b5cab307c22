"""Days that have a name: "Boxing Day", "Easter Monday", "between Christmas and New Year"."""

from __future__ import annotations

import re
from datetime import date, timedelta

_FIXED: dict[str, tuple[int, int, int]] = {
    r"between christmas and new year(?:['’]s)?": (12, 25, 8),
    r"christmas eve": (12, 24, 1),
    r"christmas day": (12, 25, 1),
    r"boxing day|(?:st\.?|saint) stephen['’]?s day": (12, 26, 1),
    r"new year['’]?s eve": (12, 31, 1),
    r"new year(?:['’]?s(?: day)?)?": (1, 1, 1),
    r"christmas|xmas": (12, 24, 3),
    r"epiphany|three kings['’]? day": (1, 6, 1),
    r"valentine['’]?s day": (2, 14, 1),
    r"(?:st\.?|saint) patrick['’]?s day": (3, 17, 1),
    r"may day": (5, 1, 1),
    r"halloween": (10, 31, 1),
    r"all saints['’]? day": (11, 1, 1),
}
"""Month, day, and for how many days."""
_BY_EASTER: dict[str, tuple[int, int]] = {
    r"maundy thursday": (-3, 1),
    r"good friday": (-2, 1),
    r"easter monday": (1, 1),
    r"easter sunday": (0, 1),
    r"ascension day": (39, 1),
    r"(?:whit|pentecost) monday": (50, 1),
    r"(?:whit sunday|pentecost)": (49, 1),
    r"easter": (-2, 4),
}
"""Days from Easter Sunday, and for how many days."""
FEAST = "|".join((*_FIXED, *_BY_EASTER))
"""A pattern of their names; in small letters."""
_ALL = [
    (re.compile(name, re.IGNORECASE), when) for name, when in (*_FIXED.items(), *_BY_EASTER.items())
]


def days_of(name: str, year: int) -> tuple[date, date]:
    """(first, last) of the days that a name stands for in a year.

    Raises:
        ValueError: no such name, or outside of the calendar.
    """
    for pattern, when in _ALL:
        if not pattern.fullmatch(name):
            continue
        if len(when) == 3:
            first = date(year, when[0], when[1])
        else:
            first = find_easter(year) + timedelta(days=when[0])
        return first, first + timedelta(days=when[-1] - 1)
    raise ValueError(name)


def find_easter(year: int) -> date:
    """Easter Sunday (Meeus' rule for the Gregorian calendar)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i, k = divmod(c, 4)
    rest = (32 + 2 * e + 2 * i - h - k) % 7
    month, day = divmod(h + rest - 7 * ((a + 11 * h + 22 * rest) // 451) + 114, 31)
    return date(year, month, day + 1)
