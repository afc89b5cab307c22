"""What time a question names: "in 2010", "before May 2015", "last year", "who was … previously".

Rules, not a model: a time is named by a preposition and a date, or by a word that means the past.
Anything else ("the 2010 budget", "in 2010 words", "may", "before the merger") names none.
"""

from __future__ import annotations

import re
from calendar import day_name, month_abbr, month_name
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from memedit.core.feasts import FEAST, days_of
from memedit.core.passages import Conversation
from memedit.core.text import find_sentence_starts

MONTHS = {name.casefold(): n for names in (month_name, month_abbr) for n, name in enumerate(names)}
MONTHS["sept"] = 9
del MONTHS[""]
MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR = r"(?P<y>1\d{3}|2\d{3})"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}-(?P<n>\d\d)-(?P<d>\d\d)",
        rf"(?P<d>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\.?,? {_YEAR}",
        rf"(?P<m>{MONTH})\.? (?P<d>\d\d?)(?:st|nd|rd|th)?,? {_YEAR}",
        rf"(?P<m>{MONTH})\.?,?(?: of)? {_YEAR}",
        _YEAR,
    )
]
_AMOUNT = re.compile(
    r"[.,]\d|\s?[%€$£]|[\s-](?:words?|characters?|letters?|tokens?|sentences?|lines?|pages?|steps?|"
    r"bytes?|hours?|minutes?|seconds?|days?|euros?|dollars?|pounds?|francs?|"
    r"km|kilomet(?:er|re)s?|miles?|met(?:er|re)s?|kg|kilos?|units?|items?|pieces?|points?)\b",
    re.IGNORECASE,
)
"""What makes of the year before it a number of something: "in 2000 words"."""
_HOW = (
    "as of|as at|prior to|up to|back in|by the end of|at the (?:start|beginning|end) of|"
    "in|during|on|by|around|until|till|before|after"
)
_PREPOSITION = re.compile(rf"\b(?P<how>{_HOW})(?: the)?(?: year)? (?=\S*\w)", re.IGNORECASE)
_BEFORE = frozenset(("before", "prior to", "until", "till", "up to"))
_STARTS = frozenset(("at the start of", "at the beginning of"))
_RELATIVE = re.compile(
    r"\b(?:(?P<yesterday>yesterday)|last (?P<last>year|month|week)|"
    r"(?P<count>\d{1,3}|a|one|two|three|four|five|ten) (?P<unit>year|month|week|day)s? ago)\b",
    re.IGNORECASE,
)
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_DAYS = {"year": 365.2425, "month": 30.44, "week": 7, "day": 1}
_PREVIOUS = re.compile(
    r"\b(?:previous(?:ly)?|former(?:ly)?|predecessor|used to|in the past|before that)\b",
    re.IGNORECASE,
)
_ASKS_WHEN = re.compile(
    r"^\W*(?:when|since when|(?:in |on )?(?:what|which) (?:year|day|date|month))\b", re.I
)
_INSTANT = timedelta(microseconds=1)
_WEEKDAYS = {name.casefold(): n for n, name in enumerate(day_name)}
_NEAR = re.compile(
    rf"\b(?P<how>{_HOW}|from|this|next)(?: the)? "
    rf"(?:(?:{'|'.join(_WEEKDAYS)}),? )?(?:the )?(?P<date>"
    rf"(?P<d>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\b|"
    rf"(?P<month>{MONTH})\b\.?(?: (?P<day>\d\d?)(?:st|nd|rd|th)?\b)?|"
    rf"(?P<weekday>{'|'.join(_WEEKDAYS)})\b|(?P<nth>\d\d?)(?:st|nd|rd|th)\b(?! [a-z]+ (?:floor|"
    r"birthday|anniversary|edition))(?! (?:floor|birthday|anniversary|edition|of)))(?!\.?,? ?\d)|"
    rf"\b(?:(?:on|at|over|during|for|by|until|before|after|from|this) )?(?P<feast>{FEAST})\b|"
    r"(?<!after )\b(?P<tomorrow>tomorrow)\b|\bnext (?P<next>week|month|year)\b",
    re.IGNORECASE,
)
"""A day or a month without a year."""
_TOLD_OF = re.compile(r"\b(?:was|were|did|had)\b", re.IGNORECASE)
_DAY_OF_MONTH = re.compile(
    rf"\b\d\d?(?:st|nd|rd|th)?(?: of)? (?:{MONTH})\b|\b(?:{MONTH})\.? \d|\b\d{{4}}-\d\d-\d\d\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NamedTime:
    """A time that a question names.

    Attributes:
        words: How, as it stands there: "in 2010".
        moments: Moments to look at, the best first; empty where what went before is asked for.
        plain: The question without those words.
        mark: What shows that an edit's own text is about this time: the year, or the word.
        near: Whether it is one without a year.
    """

    words: str
    moments: tuple[datetime, ...]
    plain: str
    mark: str
    near: bool = False

    @property
    def previous(self) -> bool:
        """Whether what was in force before is asked for, whenever that was."""
        return not self.moments


def find_named_time(question: str, now: datetime, zone: tzinfo) -> NamedTime | None:
    """The time that the last question in a text names; None where it names none, or asks for one.

    Args:
        question: Of a chat, the last turn counts.
        now: What "last year" counts from.
        zone: Where days begin.
    """
    turn = question.last if isinstance(question, Conversation) else 0
    asked = _find_last_question(str(question)[turn:])
    if _ASKS_WHEN.match(asked):
        return None
    return _find_dated(asked, now, zone) or _find_relative(asked, now) or _find_previous(asked)


def find_near_time(question: str, now: datetime, zone: tzinfo) -> NamedTime | None:
    """The day or month without a year that the last question in a text names: "on 3 May",
    "tomorrow", "next month". It is the next one to come, or where the question tells of the past
    the last one.

    As people use such words for more than dates, this is for facts that hold for a time only.
    Arguments as of :func:`find_named_time`.
    """
    turn = question.last if isinstance(question, Conversation) else 0
    asked = _find_last_question(str(question)[turn:])
    found = None if _ASKS_WHEN.match(asked) else _NEAR.search(asked)
    if not found:
        return None
    try:
        span = _find_near_span(found, now.astimezone(zone), past=bool(_TOLD_OF.search(asked)))
    except (ValueError, OverflowError):  # at the end of the calendar
        return None
    if span is None:
        return None
    how = found["how"] or found[0].partition(" ")[0]
    moments = _choose_moments(how.casefold(), *span, now)
    if len(moments) > 1:  # "in December": as it is for most of it
        moments = moments[1], moments[0], moments[2]
    mark = found["date"] or found["feast"] or found[0]
    return replace(_cut_named(asked, found.start(), found.end(), moments, mark), near=True)


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
    for match in _PREPOSITION.finditer(text):
        for pattern in _DATES[:-1]:  # a year alone names no days
            if (found := pattern.match(text, match.end())) is not None:
                span = _span(found.groupdict(), zone)
                return None if span is None else _name_days(match.start(), found.end(), span)
    near = _NEAR.search(text)
    if near is None:
        return None
    try:
        span = _find_near_span(near, now.astimezone(zone), past=bool(_TOLD_OF.search(text)))
    except (ValueError, OverflowError):  # at the end of the calendar
        return None
    return None if span is None else _name_days(near.start(), near.end(), span)


def _name_days(start: int, end: int, span: tuple[datetime, datetime]) -> NamedDays:
    return NamedDays(start, end, span[0].date(), (span[1] - _INSTANT).date())


def names_day(text: str) -> bool:
    """Whether a text says a day of a month."""
    return _DAY_OF_MONTH.search(text) is not None


def _find_near_span(
    found: re.Match[str], now: datetime, *, past: bool
) -> tuple[datetime, datetime] | None:
    """[first moment, first moment after it) of what is named; None: there is no such day."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if found["tomorrow"]:
        return _add_days(today, 1), _add_days(today, 2)
    if found["weekday"]:
        weekday = _WEEKDAYS.get(found["weekday"].casefold())
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
        span = _span({"y": str(year), **dated}, today.tzinfo or timezone.utc)
        if span is not None and (span[0] <= now if past else span[1] > now):
            return span
    return None


def _find_day_of_month(
    day: int, today: datetime, *, past: bool
) -> tuple[datetime, datetime] | None:
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


def _find_feast(name: str, today: datetime, *, past: bool) -> tuple[datetime, datetime] | None:
    """The span of the next days of that name, or of the last ones."""
    for year in (today.year - 1, today.year, today.year + 1)[:: -1 if past else 1]:
        first, last = (datetime.combine(day, time(), today.tzinfo) for day in days_of(name, year))
        if first <= today if past else last >= today:
            return first, _add_days(last, 1)
    return None


def _find_next(unit: str, today: datetime) -> tuple[datetime, datetime]:
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


def _find_last_question(text: str) -> str:
    starts = find_sentence_starts(text)
    parts = [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    asking = [part for part in parts if "?" in part]
    return (asking or parts)[-1]


def _find_dated(text: str, now: datetime, zone: tzinfo) -> NamedTime | None:
    for match in _PREPOSITION.finditer(text):
        for pattern in _DATES:
            date = pattern.match(text, match.end())
            if date is None or text[date.end() : date.end() + 1].isalnum():  # "2010s" is no year
                continue
            # Only a bare year can be an amount.
            if pattern is _DATES[-1] and _AMOUNT.match(text, date.end()):
                break
            span = _span(date.groupdict(), zone)
            if span is None:
                return None
            moments = _choose_moments(match["how"].casefold(), *span, now)
            return (
                _cut_named(text, match.start(), date.end(), moments, date["y"]) if moments else None
            )
    return None


def _span(found: dict[str, str | None], zone: tzinfo) -> tuple[datetime, datetime] | None:
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


def _choose_moments(
    how: str, start: datetime, end: datetime, now: datetime
) -> tuple[datetime, ...]:
    if how in _BEFORE:
        return (start - _INSTANT,)
    if how == "after":
        return (end,)
    if how in _STARTS:
        return (start,)
    if start <= now < end:
        return (now,)
    # Of a span that is over: as it ended, as it was for most of it, as it began.
    return (end - _INSTANT, start + (end - start) / 2, start)


def _find_relative(text: str, now: datetime) -> NamedTime | None:
    match = _RELATIVE.search(text)
    if match is None:
        return None
    if match["yesterday"]:
        days: float = 1
    elif match["last"]:
        days = _DAYS[match["last"].casefold()]
    else:
        count = match["count"].casefold()
        if count not in _COUNTS and not count.isdecimal():
            return None  # "fıve": without case, ı is an i
        days = (_COUNTS.get(count) or int(count)) * _DAYS[match["unit"].casefold()]
    return _cut_named(text, match.start(), match.end(), (now - timedelta(days=days),), match[0])


def _find_previous(text: str) -> NamedTime | None:
    match = _PREVIOUS.search(text)
    if match is None:
        return None
    return _cut_named(text, match.start(), match.end(), (), match[0])


def _cut_named(
    text: str, start: int, end: int, moments: tuple[datetime, ...], mark: str
) -> NamedTime:
    plain = " ".join(f"{text[:start]}{text[end:]}".split())
    plain = re.sub(r"\s+(?=[?,.!])|^[,\s]+|,(?=\?)", "", plain)
    return NamedTime(text[start:end], moments, plain[:1].upper() + plain[1:], mark.casefold())
