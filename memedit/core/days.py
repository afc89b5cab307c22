"""Which days words name: "3 May 2027", "on the 27th", "next Friday", "Boxing Day", "at Easter".

The one home of months, weekdays and feasts; what a question asks of them is
:mod:`memedit.core.times`'s matter, what an edit says :mod:`memedit.model.spans`'s.
"""

from __future__ import annotations

import re
from calendar import day_name, month_abbr, month_name
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import TypeAlias

Span: TypeAlias = "tuple[datetime, datetime]"
"""The first moment, and the first one after it."""
MONTHS = {name.casefold(): n for names in (month_name, month_abbr) for n, name in enumerate(names)}
MONTHS["sept"] = 9
del MONTHS[""]
MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR = r"(?P<y>1\d{3}|2\d{3})"
DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}-(?P<n>\d\d)-(?P<d>\d\d)",
        rf"(?P<d>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\.?,? {_YEAR}",
        rf"(?P<m>{MONTH})\.? (?P<d>\d\d?)(?:st|nd|rd|th)?,? {_YEAR}",
        rf"(?P<m>{MONTH})\.?,?(?: of)? {_YEAR}",
        _YEAR,
    )
]
"""How dates are written, the most exact first; the last one is a year alone."""
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
_HOW = (
    "as of|as at|prior to|up to|back in|by the end of|at the (?:start|beginning|end) of|"
    "in|during|on|by|around|until|till|before|after"
)
PREPOSITION = re.compile(rf"\b(?P<how>{_HOW})(?: the)?(?: year)? (?=\S*\w)", re.IGNORECASE)
"""What stands before a date that is meant as a time."""
INSTANT = timedelta(microseconds=1)
"""The shortest time that there is."""
WEEKDAYS = {name.casefold(): n for n, name in enumerate(day_name)}
WEEKDAY = "|".join(WEEKDAYS)
_NEAR = re.compile(
    rf"\b(?P<how>{_HOW}|from|this|next)(?: the)? "
    rf"(?:(?:{WEEKDAY}),? )?(?:the )?(?P<date>"
    rf"(?P<d>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\b|"
    rf"(?P<month>{MONTH})\b\.?(?: (?P<day>\d\d?)(?:st|nd|rd|th)?\b)?|"
    rf"(?P<weekday>{WEEKDAY})\b|(?P<nth>\d\d?)(?:st|nd|rd|th)\b(?! [a-z]+ (?:floor|"
    r"birthday|anniversary|edition))(?! (?:floor|birthday|anniversary|edition|of)))(?!\.?,? ?\d)|"
    rf"\b(?:(?:on|at|over|during|for|by|until|before|after|from|this) )?(?P<feast>{FEAST})\b|"
    r"(?<!after )\b(?P<tomorrow>tomorrow)\b|\bnext (?P<next>week|month|year)\b",
    re.IGNORECASE,
)
"""A day or a month without a year."""
_TOLD_OF = re.compile(r"\b(?:was|were|did|had)\b", re.IGNORECASE)
_LAST = re.compile(
    rf"(?<!to )\b(?:(?:until|till|through|ends?|ending)(?: on)?|(?:last|final) day is)(?: the)? "
    rf"(?:(?:this|next|and including) )?(?:the )?(?:end of )?(?:{WEEKDAY}|(?:\d\d?(?:st|nd|rd|th)?"
    rf"(?: of)? )?(?:{MONTH})\b(?: \d{{4}}\b)?|{FEAST}|tomorrow|\d\d?(?:st|nd|rd|th)\b|"
    rf"\d{{4}}-\d\d-\d\d)",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:from|as (?:of|from)|starting(?: from| on)?|beginning(?: on)?|effective(?: from| on)?|"
    r"with effect from)\s(?:the\s(?=\d))?",
    re.IGNORECASE,
)
_ON = re.compile(r"^(?:\son(?:wards?)?\b)?[,:]?\s*", re.IGNORECASE)
_GOES_ON = re.compile(
    r"['’]|\s?[–—-]|[\s,]*(?:to|until|till|through|and|or|every|at|between)\b|.*\b(?:until|till)\b",
    re.IGNORECASE,
)
"""Where a first day has an end, or is one of several, or of what comes every year."""
_SINCE_THEN = re.compile(r"\b(?:was|were|had|did|(?:has|have) been)\b", re.IGNORECASE)
"""In what has been so since a day without a year: that day is over."""
_TODAY = re.compile(r"today\b", re.IGNORECASE)
_LONGEST_DAY = 60
"""Letters in which a day is named."""
_FAR = timedelta(days=300)
"""A day without a year that is farther off was rather the last one."""
_AGAIN = re.compile(
    rf"\b(?:from|every|each|weekly|daily|yearly|always|open)\b|\b(?:{WEEKDAY})s?,? "
    rf"(?:until|till|through)\b|\b(?:{MONTH})\b.* (?:until|till|through)\b",
    re.IGNORECASE,
)
"""What makes of an end one that comes again: "from Monday until Friday"."""
_DAY_OF_MONTH = re.compile(
    rf"\b\d\d?(?:st|nd|rd|th)?(?: of)? (?:{MONTH})\b|\b(?:{MONTH})\.? \d|\b\d{{4}}-\d\d-\d\d\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NamedDays:
    """Days that a question names.

    Attributes:
        start, end: Where.
        first, last: Which.
    """

    start: int
    end: int
    first: date
    last: date


def find_named_days(text: str, now: datetime, zone: tzinfo) -> NamedDays | None:
    """The day or days that a text names, with a year or without: "on the 27th", "on 3 May 2027",
    "at Easter", "tomorrow". Of a question in the past tense those that were last."""
    for match in PREPOSITION.finditer(text):
        for pattern in DATES[:-1]:  # a year alone names no days
            if (found := pattern.match(text, match.end())) is not None:
                span = find_span(found.groupdict(), zone)
                return None if span is None else _name_days(match.start(), found.end(), span)
    near = find_near(text, now, zone)
    return None if near is None else _name_days(near[0].start(), near[0].end(), near[1])


def find_near(text: str, now: datetime, zone: tzinfo) -> tuple[re.Match[str], Span] | None:
    """How a text names a day or a month without a year first, and when that is: the next one to
    come, or where the text tells of the past the last one."""
    found = _NEAR.search(text)
    if found is None:
        return None
    try:
        span = _find_near_span(found, now.astimezone(zone), past=bool(_TOLD_OF.search(text)))
    except (ValueError, OverflowError):  # at the end of the calendar
        return None
    return None if span is None else (found, span)


def _name_days(start: int, end: int, span: Span) -> NamedDays:
    return NamedDays(start, end, span[0].date(), (span[1] - INSTANT).date())


def find_last_day(text: str) -> str:
    """How a fact says which day is its last ("Until Sunday", "ends on 3 May"); "": it does not, or
    as something that comes again ("from Monday until Friday")."""
    found = _LAST.search(text)
    return found[0] if found is not None and _AGAIN.search(text) is None else ""


@dataclass(frozen=True, slots=True)
class FirstDay:
    """Since when a fact says that it holds.

    Attributes:
        words: How it says so ("From 1 January").
        start: When that day begins.
        rest: The fact without these words.
    """

    words: str
    start: datetime
    rest: str


def find_first_day(
    text: str, now: datetime, zone: tzinfo, *, coming: bool = True, today: bool = False
) -> FirstDay | None:
    """The first day that a fact names for itself ("From 1 January the fee is 60 euros."); None: it
    names none, or days that come again ("from Monday to Friday").

    Args:
        coming: Only one that is to come.
        today: Or the day that it is in the zone.
    """
    since = find_today(now, zone) if today else now + INSTANT
    for how in _FIRST.finditer(text):
        found = _read_day_at(text, how.end(), now, zone, far=not coming)
        if today and (named := _TODAY.match(text, how.end())) and not _SINCE_THEN.search(text):
            found = named.end(), since
        if found is None or (coming and found[1] < since):
            continue
        at, start = found
        behind, before = text[at:], text[: how.start()].rstrip(" ,")
        if _GOES_ON.match(behind) or find_last_day(text):
            continue
        if before and behind.lstrip()[:1].isupper():
            continue  # "from May Street"
        rest = f"{before} {_ON.sub('', behind, count=1)}".strip()
        if before:
            rest = re.sub(r"\s(?=[.!,;]+$)", "", rest)
        if len(rest.split()) > 1:
            return FirstDay(text[how.start() : at], start, rest[:1].upper() + rest[1:])
    return None


def _read_day_at(
    text: str, at: int, now: datetime, zone: tzinfo, *, far: bool
) -> tuple[int, datetime] | None:
    """(where it ends, when it begins) of a day that a text names at a place."""
    for pattern in DATES[:-1]:
        if (found := pattern.match(text, at)) is not None:
            span = find_span(found.groupdict(), zone)
            return None if span is None else (found.end(), span[0])
    lead = "on "
    near = find_near(lead + text[at : at + _LONGEST_DAY], now, zone)
    if near is None or near[0].start() > len(lead):
        return None
    if not far and (near[1][0] - now > _FAR or _SINCE_THEN.search(text)):
        return None
    return at + near[0].end() - len(lead), near[1][0]


def find_today(now: datetime, zone: tzinfo) -> datetime:
    """When the day begins that it is in a zone."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def names_day(text: str) -> bool:
    """Whether a text says a day of a month."""
    return _DAY_OF_MONTH.search(text) is not None


def _find_near_span(found: re.Match[str], now: datetime, *, past: bool) -> Span | None:
    """[first moment, first moment after it) of what is named; None: there is no such day."""
    today = find_today(now, now.tzinfo or timezone.utc)
    if found["tomorrow"]:
        return _add_days(today, 1), _add_days(today, 2)
    if found["weekday"]:
        weekday = WEEKDAYS.get(found["weekday"].casefold())
        if weekday is None:
            return None  # "frıday": without case, ı is an i
        away = weekday - today.weekday()
        away = -(-away % 7) if past else away % 7
        if found["how"].casefold() == "next" and away == 0:
            away = 7
        return _add_days(today, away), _add_days(today, away + 1)
    if found["next"]:
        return _find_next(found["next"].casefold(), today)
    if found["nth"]:
        return _find_day_of_month(int(found["nth"]), today, past=past)
    if found["feast"]:
        return _find_feast(found["feast"], today, past=past)
    dated = {"d": found["d"] or found["day"], "m": found["m"] or found["month"]}
    for year in (now.year, now.year - 1 if past else now.year + 1):
        span = find_span({"y": str(year), **dated}, today.tzinfo or timezone.utc)
        if span is not None and (span[0] <= now if past else span[1] > now):
            return span
    return None


def _find_day_of_month(day: int, today: datetime, *, past: bool) -> Span | None:
    """The span of the next day of that number, today included, or of the last one."""
    month = today.replace(day=1)
    for _ in range(3):  # of three months in a row one has 31 days
        try:
            start = month.replace(day=day)
        except ValueError:
            start = None
        if start is not None and (start <= today if past else start >= today):
            return start, _add_days(start, 1)
        month = (month - timedelta(days=1)).replace(day=1) if past else _begin_next_month(month)
    return None


def _find_feast(name: str, today: datetime, *, past: bool) -> Span | None:
    """The span of the next days of that name, or of the last ones."""
    for year in (today.year - 1, today.year, today.year + 1)[:: -1 if past else 1]:
        first, last = (datetime.combine(day, time(), today.tzinfo) for day in days_of(name, year))
        if first <= today if past else last >= today:
            return first, _add_days(last, 1)
    return None


def _find_next(unit: str, today: datetime) -> Span:
    """The span of the next week, month or year."""
    if unit == "week":
        start = _add_days(today, 7 - today.weekday())
        return start, _add_days(start, 7)
    if unit == "year":
        start = today.replace(year=today.year + 1, month=1, day=1)
        return start, start.replace(year=start.year + 1)
    start = _begin_next_month(today)
    return start, _begin_next_month(start)


def _begin_next_month(day: datetime) -> datetime:
    # Some day of the next month, however long this one is.
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _add_days(day: datetime, days: int) -> datetime:
    return day + timedelta(days=days)


def find_span(found: dict[str, str | None], zone: tzinfo) -> Span | None:
    """[first moment, first moment after it) of a day, a month or a year; None: there is none."""
    year, day = int(found["y"] or 0), found.get("d")
    month = found.get("n") or MONTHS.get((found.get("m") or "").casefold())
    if month is None and found.get("m"):
        return None  # "Aprıl": without case, ı is an i
    try:
        start = datetime(year, int(month or 1), int(day or 1), tzinfo=zone)
        if day:
            return start, start + timedelta(days=1)
        if month is None:
            return start, start.replace(year=year + 1)
        return start, _begin_next_month(start)
    except ValueError:
        return None


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
