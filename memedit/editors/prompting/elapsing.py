"""What comes out of a day or a time and how long something takes, worked out by the machine.

A base of 1.5B says that what is lent for 26 days from the 3rd of March is due on the 26th, and
breaks off where it takes 25 minutes from 06:40. Where a request names one day or one time of day
and a fact one span of time, or the other way round, or both one time of day, what comes out stands
in the note: it is true whatever is asked. English ones only.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

from memedit.core.days import MONTH, MONTHS
from memedit.editors.prompting.wording import write_digits

_DAY = re.compile(
    rf"\b(?:(?P<d>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\b\.?|(?P<n>{MONTH})\b\.? "
    r"(?P<e>\d\d?)(?:st|nd|rd|th)?\b(?!:))(?:,? (?P<y>\d{4})\b)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?<![\d.:,/€£$+-])(?P<hour>[01]?\d|2[0-3])(?:[:.](?P<minute>[0-5]\d))?(?! ?%)"
    r"(?: ?(?P<half>[ap])\.?m\b\.?|(?P<sure> ?(?:o['’]clock|h)\b))?(?![\d/]|[.,:]\d|[-–]\d)",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"(?<![\d.:,/€£$-])(?P<number>\d{1,4})[ -]?(?P<unit>min(?:ute)?s?|h(?:ou)?rs?|days?|weeks?|"
    r"months?|years?)\b(?![- ]old)",
    re.IGNORECASE,
)
_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_MINUTES = {"minute": 1, "hour": 60}
_DAYS = {"day": 1, "week": 7}
_OTHER_DAYS = re.compile(r"\b(?:working|business|school|opening|week)[ -]?days?\b", re.IGNORECASE)
_VAGUE = re.compile(
    r"\b(?:half|quarter|dozen|couple|few|several|notice)\b|"
    r"\ban? (?:minute|hour|day|week|month|year)s?\b|"
    r"\d ?(?:-|–|to|or) ?\d+ (?:min|h|day|week|month)",
    re.IGNORECASE,
)
"""What is no span of so many, or of which nobody knows from which end it counts."""
_AHEAD = re.compile(
    r"^\W{0,3}(?:\w+ ){0,3}?(?:before|prior to|ahead|in advance|beforehand|earlier)\b",
    re.IGNORECASE,
)
"""Behind a span that counts from its end."""
_WHEN = re.compile(
    r"\b(?:when|until|till|what time|(?:what|which) (?:date|day|month|year)|(?:last|latest|final|"
    r"first|earliest) (?:day|date|moment|minute|time)|at the latest|deadline|by (?:what|which)|"
    r"how (?:late|early|soon|long))\b",
    re.IGNORECASE,
)
_OFF = re.compile(
    r"\b(?:set (?:off|out)|leave (?!it|them|my|the key)|head (?:off|out)|get up|depart|start out|"
    r"at the (?:very )?latest|in time|on time|make it|to be there|order ahead)\b",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"\b(?:finish\w*|end|ends|done|over|ready|be back|get out|out again|expire\w*)\b", re.IGNORECASE
)
_BETWEEN = re.compile(
    r"\bhow (?:long|many (?:minutes|hours|mins))\b|\b(?:minutes|hours) (?:between|are there|do)\b",
    re.IGNORECASE,
)
_NOON, _HOURS, _DAY_MINUTES = 12, 24, 24 * 60
_MOST = 400
"""Characters of a request, and of a fact: what is longer says more than one thing."""


@dataclass(frozen=True, slots=True)
class Span:
    """How long something takes: so many of a unit; ``ahead``: before what comes then."""

    number: int
    unit: str
    ahead: bool

    def __str__(self) -> str:
        return f"{self.number} {self.unit}{'' if self.number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in minutes from midnight; ``half``: told as am or pm."""

    minutes: int
    half: bool

    def __str__(self) -> str:
        hour, minute = divmod(self.minutes % _DAY_MINUTES, 60)
        if not self.half:
            return f"{hour:02}:{minute:02}"
        told = f"{(hour - 1) % _NOON + 1}"
        return f"{told}{f':{minute:02}' if minute else ''} {'am' if hour < _NOON else 'pm'}"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a year, which may not be told."""

    year: int | None
    month: int
    day: int

    def __str__(self) -> str:
        name = f"{date(2000, self.month, 1):%B}"
        return f"{self.day} {name}{'' if self.year is None else f' {self.year}'}"


def work_out_times(words: str, facts: Sequence[str]) -> str:
    """What comes out of the one day or time that a request names and what its facts say; "" where
    nothing does for sure.

    Args:
        words: A user's.
        facts: What is told, the best first.
    """
    if len(words) > _MOST or not (_WHEN.search(words) or _BETWEEN.search(words)):
        return ""
    asked = write_digits(words)
    told = [write_digits(fact) for fact in facts if len(fact) <= _MOST and not _VAGUE.search(fact)]
    if _VAGUE.search(asked):
        return ""
    each = chain(
        (_add_to_day(asked, fact) for fact in told),
        (_add_to_clock(asked, fact) for fact in told),
        (_add_two_facts(asked, told), _count_between(asked, told)),
    )
    return next((line for line in each if line), "")


def _add_to_day(words: str, fact: str) -> str:
    days, spans = _find_days(words), [s for s in _find_spans(fact) if s.unit not in _MINUTES]
    own = [span for span in _find_spans(words) if span.unit not in _MINUTES]
    if len(days) != 1 or len(spans) != 1 or own or _OTHER_DAYS.search(fact):
        return ""
    [day], [span] = days, spans
    found = {_move(day, span, year) for year in ((day.year,) if day.year else (2023, 2024))}
    if len(found) != 1 or (end := found.pop()) is None:  # it depends on the 29th of February
        return ""
    way = "before" if span.ahead else "from" if span.unit in ("month", "year") else "after"
    return f"{span} {way} {day} is {end}."


def _move(day: Day, span: Span, year: int) -> Day | None:
    """The day so long after, or before, in a year."""
    sign = -1 if span.ahead else 1
    try:
        start = date(year, day.month, day.day)
        if span.unit in _DAYS:
            end = start + sign * timedelta(span.number * _DAYS[span.unit])
        else:
            end = _add_months(start, sign * span.number * (12 if span.unit == "year" else 1))
            # What runs from the first of a month ends with one.
            end -= timedelta(start.day == 1 and not span.ahead)
    except (ValueError, OverflowError):
        return None
    return Day(end.year if day.year else None, end.month, end.day)


def _add_months(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _add_to_clock(words: str, fact: str) -> str:
    """From a time of day in one of both, and how long in the other."""
    clocks, spans = _find_clocks(words), _find_short(fact)
    if len(clocks) == len(spans) == 1 and not _find_short(words):
        return _tell_clock(clocks[0], spans[0], ahead=spans[0].ahead)
    clocks, spans = _find_clocks(fact), _find_short(words)
    if not (len(clocks) == len(spans) == 1) or _find_short(fact) or _find_clocks(words):
        return ""
    ahead = bool(_OFF.search(words))
    return (
        "" if ahead == bool(_OVER.search(words)) else _tell_clock(clocks[0], spans[0], ahead=ahead)
    )


def _add_two_facts(words: str, facts: Sequence[str]) -> str:
    """From the one time of day in one fact, and the one span in another."""
    clocks = [clock for fact in facts for clock in _find_clocks(fact)]
    spans = [span for fact in facts for span in _find_short(fact)]
    if not (len(clocks) == len(spans) == 1) or _find_clocks(words) or _find_short(words):
        return ""
    # In one fact they are two things that it says of one ("ready at 9, takes 2 hours").
    apart = not any(_find_clocks(fact) and _find_short(fact) for fact in facts)
    return _tell_clock(clocks[0], spans[0], ahead=spans[0].ahead) if apart else ""


def _tell_clock(clock: Clock, span: Span, *, ahead: bool) -> str:
    minutes = span.number * _MINUTES[span.unit] * (-1 if ahead else 1)
    if abs(minutes) >= _DAY_MINUTES:
        return ""
    end = Clock(clock.minutes + minutes, clock.half)
    other = "" if 0 <= end.minutes < _DAY_MINUTES else f" the day {'before' if ahead else 'after'}"
    return f"{span} {'before' if ahead else 'after'} {clock} is {end}{other}."


def _count_between(words: str, facts: Sequence[str]) -> str:
    """How long it is between the only two times of day there are."""
    if not _BETWEEN.search(words) or _find_short(words):
        return ""
    named = _find_clocks(words)
    told = [clock for fact in facts for clock in _find_clocks(fact)]
    both = sorted({*named, *told}, key=lambda clock: clock.minutes)
    if len(both) != 2 or len(named) > 1 or both[0].half != both[1].half:
        return ""
    hours, minutes = divmod(both[1].minutes - both[0].minutes, 60)
    parts = [str(Span(n, unit, False)) for n, unit in ((hours, "hour"), (minutes, "minute")) if n]
    long = " and ".join(parts)
    whole = f" ({hours * 60 + minutes} minutes)" if hours and minutes else ""
    return f"From {both[0]} to {both[1]} it is {long}{whole}."


def _find_days(text: str) -> list[Day]:
    found = {
        Day(
            int(each["y"]) if each["y"] else None,
            MONTHS[(each["m"] or each["n"]).casefold()],
            int(each["d"] or each["e"]),
        )
        for each in _DAY.finditer(text)
    }
    return list(found)


def _find_clocks(text: str) -> list[Clock]:
    """The times of day in a text; a bare number is none."""
    found: dict[Clock, None] = {}
    for each in _CLOCK.finditer(_SPAN.sub(" ", text)):
        hour, half = int(each["hour"]), (each["half"] or "").casefold()
        dotted = "." in each[0] and not half  # as in "version 2.30"
        if not (each["minute"] or half or each["sure"]) or dotted or (half and hour > _NOON):
            continue
        hours = hour % _NOON + (_NOON if half == "p" else 0) if half else hour
        found[Clock(hours * 60 + int(each["minute"] or 0), bool(half))] = None
    return list(found)


def _find_short(text: str) -> list[Span]:
    return [span for span in _find_spans(text) if span.unit in _MINUTES]


def _find_spans(text: str) -> Iterator[Span]:
    for each in _SPAN.finditer(text):
        unit = each["unit"].casefold()
        name = next(_UNITS[key] for key in ("mo", *_UNITS) if unit.startswith(key))
        yield Span(int(each["number"]), name, _AHEAD.match(text[each.end() :]) is not None)
