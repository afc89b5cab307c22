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
from datetime import date, timedelta

from memedit.editors.prompting.clocks import (
    DAY_MINUTES,
    NOON,
    Clock,
    Day,
    Span,
    find_clocks,
    find_days,
    find_spans,
    shift,
    tells_more,
)
from memedit.editors.prompting.months import add_to_month
from memedit.editors.prompting.towards import asks_for, find_way
from memedit.editors.prompting.wording import SMALL, fold_words, form_of, write_digits

_MINUTES = {"minute": 1, "hour": 60}
_DAYS = {"day": 1, "week": 7}
OTHER_DAYS = re.compile(
    r"\b(?:working|business|school|opening|week|bank|trading)[ -]?days?\b|"
    r"\b(?:exclud\w*|except\w*|weekends?|sundays?|saturdays?|(?:bank|public) holidays?|"
    r"mon(?:day)?(?:[-–]| to | till )fri(?:day)?)\b|"
    r"\bend of (?:the|that|this|a|each) (?:\w+ )?(?:day|week|month|quarter|year|term|season)",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:half|quarter|dozen|couple|few|several|notice|hundred|fortnight|ago)\b|"
    r"\b(?:an?|one) (?:(?:working|full|calendar) )?(?:minute|hour|day|week|month|year)s?\b|"
    r"\bhours? (?:ahead of|behind|(?:later|earlier) than)\b|"
    r"\b(?:the|his|her|their|your|our|my) (?:last|past|previous|first) \d|\b\d+ ?h\b|\d ?½|½|"
    r"\d ?(?:-|–|to|or) ?\d+[ -](?:min|h|day|week|month|year)",
    re.IGNORECASE,
)
"""What is no span of so many, or of which nobody knows from which end it counts."""
_WHEN = re.compile(
    r"\b(?:when|until|till|(?:what|which) (?:time|o['’]?clock|date|day|month|year)|"
    r"(?:last|latest|final|first|earliest) (?:day|date|moment|minute|time)|"
    r"at the latest|the earliest|deadline|"
    r"by (?:what|which)|how (?:late|early|soon))\b",
    re.IGNORECASE,
)
_LATEST = re.compile(
    r"\b(?:latest|earliest)(?: that)? (?:i|we|you|one|they|start|possible)\b", re.IGNORECASE
)
_OFF = re.compile(
    r"\b(?:when|what time|late|latest|early|soon)\b[^.?!]{0,30}\b(?:i|we)\b[^.?!]{0,30}"
    r"\b(?:set (?:off|out)|leave(?! (?:it|them|my|the key))|head (?:off|out)|get up|depart|"
    r"start out)\b|\b(?:at the (?:very )?latest|in time|on time|make it|to be there)\b",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"\b(?:finish\w*|end|ends|done|over|ready|be back|get out|out again|expire\w*)\b", re.IGNORECASE
)
_THERE = re.compile(r"\b(?:there|arrive|get (?:in|to|home|back)|land|home)\b", re.IGNORECASE)
_MOVED = re.compile(
    r"\b(?:late|later|longer|delay\w*|early|earlier|more|less|break|pause|after|into|stay|"
    r"only have|be out|be gone|check(?:ing)? out|leave after)\b|\bat \d",
    re.IGNORECASE,
)
"""Where a span in a request is not what goes before a time, or begins with it."""
_CLOSES = re.compile(
    r"\b(?:clos\w*|shut\w*|ends?|until|till|finish\w*|over|latest|by|before)\b", re.IGNORECASE
)
_BEGINS = re.compile(
    r"\b(?:leaves?|starts?|begins?|opens?|departs?|goes|sets off|from)\b", re.IGNORECASE
)
_ENDS = re.compile(
    r"\b(?:arrives?|closes?|ends?|finish\w*|over|gets? (?:in|there)|until|till)\b", re.IGNORECASE
)
_MUST = re.compile(r"\b(?:must|should|have to|has to|need to|at the latest)\b", re.IGNORECASE)
_LATER = re.compile(r"\b(?:after|later)\b", re.IGNORECASE)
_BETWEEN = re.compile(
    r"\bhow (?:long|many (?:minutes|hours|mins))\b|\b(?:minutes|hours) (?:between|are there|do)\b",
    re.IGNORECASE,
)
_APART = re.compile(r"\b(?:between|apart|gap|from .{1,40} to)\b", re.IGNORECASE)
_LEFT = re.compile(r"\b(?:until|till|left|to go|wait|before|park|stay|got)\b", re.IGNORECASE)
_SINCE = re.compile(r"\b(?:late|since|been|ago|after|past)\b", re.IGNORECASE)
_OPEN_FROM = re.compile(
    r"\b(?:from|between|opens?|open|starts?|begins?)\b|\d ?(?:[ap]m ?)?(?:-|–|to)", re.IGNORECASE
)
_ASKS_MORE = re.compile(r"\b(?:takes?|week|month|year)\b", re.IGNORECASE)
"""In what asks how long more or less is than from one time to another."""
_EVENING = 16 * 60
"""From when on what ends in the morning ends on the day after."""
_END_OF = re.compile(r" (?:after|before|from) .{1,30} (?:is|ends? on) (?P<end>\d[\w: ]{1,30})\.$")
_MOST = 400
"""Characters of a request, and of a fact: what is longer says more than one thing."""


def work_out_times(words: str, facts: Sequence[str]) -> str:
    """What comes out of the one day or time that a request names and what its facts say; "" where
    nothing does for sure.

    Args:
        words: A user's.
        facts: What is told, the best first.
    """
    when, between = _WHEN.search(words), _BETWEEN.search(words)
    if len(words) > _MOST or not (when or between) or any(len(fact) > _MOST for fact in facts):
        return ""
    asked, told = write_digits(words), [write_digits(fact) for fact in facts]
    # A fact that nobody can read may be the one that is asked.
    if any(_VAGUE.search(text) for text in (asked, *told)) or any(map(tells_more, told)):
        return ""
    line = ""
    if when:
        line = _tell_one(_add_to_day(asked, fact) for fact in told)
        line = line or _tell_one(_add_to_clock(asked, fact) for fact in told)
        line = line or _tell_one(add_to_month(asked, fact) for fact in told)
        line = line or _add_two_facts(asked, told)
    return line or (_count_between(asked, told) if between else "")


def asks_when(words: str) -> bool:
    """Whether words ask for a day or a time."""
    return bool(_WHEN.search(words) or _LATEST.search(words))


def find_end(line: str, words: str, facts: Sequence[str]) -> str:
    """The day or the time that a line of :func:`work_out_times` comes to, where that is the answer:
    the question is in words of the facts; "": it is not, or the line is another one.

    Args:
        line: What was worked out.
        words: A user's.
        facts: What is told.
    """
    found, when = _END_OF.search(line), _WHEN.search(words)
    if found is None or when is None or not _shares(words[when.start() :], " ".join(facts)):
        return ""
    return found["end"]


def _tell_one(lines: Iterator[str]) -> str:
    """The one line that there is; of two that differ nobody knows which is asked."""
    found = {line for line in lines if line}
    return found.pop() if len(found) == 1 else ""


def _add_to_day(words: str, fact: str) -> str:
    days, spans = find_days(words), [s for s in find_spans(fact) if s.unit not in _MINUTES]
    own = [span for span in find_spans(words) if span.unit not in _MINUTES]
    if len(days) != 1 or len(spans) != 1 or own or find_days(fact) or OTHER_DAYS.search(fact):
        return ""
    [day], [span] = days, spans
    way = find_way(words, day.at, fact, span)
    if not way:
        return ""
    if (end := add_to_date(day, span, way)) is None:
        return ""
    if way > 0 and span.unit not in _DAYS and day.day == 1 and _runs(fact):
        # What runs from the first of a month ends with one.
        eve = _move(end, Span(1, "day", True), end.year or 2023, -1)
        return f"{span} from {day} end{'s' if span.number == 1 else ''} on {eve}."
    told = "before" if way < 0 else "from" if span.unit in ("month", "year") else "after"
    return f"{span} {told} {day} is {end}."


def add_to_date(day: Day, span: Span, way: int) -> Day | None:
    """The day so long after another one (``way`` 1), or before it (-1); None where it depends on
    a year that is not told."""
    if day.year is None and not _fits_a_year(span):
        return None
    found = {_move(day, span, year, way) for year in ((day.year,) if day.year else (2023, 2024))}
    return found.pop() if len(found) == 1 else None  # it depends on the 29th of February


def _fits_a_year(span: Span) -> bool:
    """Whether a span leads from a day of no year to one of which the year is plain."""
    return (
        span.unit != "year"
        and (span.unit != "month" or span.number <= 12)
        and (span.unit not in _DAYS or span.number * _DAYS[span.unit] < 360)
    )


def _runs(fact: str) -> bool:
    """Whether a fact tells how long something runs, and not after how long something is."""
    return not re.search(r"\b(?:after|later|within|every|age|takes?|from)\b", fact, re.IGNORECASE)


def _move(day: Day, span: Span, year: int, way: int) -> Day | None:
    """The day so long after, or before, in a year."""
    try:
        start = date(year, day.month, day.day)
        if span.unit in _DAYS:
            end = start + way * timedelta(span.number * _DAYS[span.unit])
        else:
            end = _add_months(start, way * span.number * (12 if span.unit == "year" else 1))
    except (ValueError, OverflowError):
        return None
    return Day(end.year if day.year else None, end.month, end.day)


def _add_months(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _add_to_clock(words: str, fact: str) -> str:
    """From a time of day in one of both, and how long in the other."""
    clocks, spans = find_clocks(words), _find_short(fact)
    told, own = find_clocks(fact), _find_short(words)
    if len(clocks) == len(spans) == 1 and not own and not told:
        return _tell_clock(clocks[0], spans[0], find_way(words, clocks[0].at, fact, spans[0]))
    if not (len(told) == len(own) == 1) or spans or clocks or _MOVED.search(words):
        return ""
    off, over = bool(_OFF.search(words)), bool(_OVER.search(words))
    if off == over or (over and _CLOSES.search(fact)):
        return ""
    return _tell_clock(told[0], own[0], -1 if off else 1)


def _add_two_facts(words: str, facts: Sequence[str]) -> str:
    """From the one time of day in one fact, and the one span in another."""
    clocks = [(clock, fact) for fact in facts for clock in find_clocks(fact)]
    spans = [(span, fact) for fact in facts for span in _find_short(fact)]
    if not (len(clocks) == len(spans) == 1) or find_clocks(words) or _find_short(words):
        return ""
    [(clock, at)], [(span, fact)] = clocks, spans
    # In one fact they are two things that it says of one ("ready at 9, takes 2 hours").
    if at == fact or re.search(r"\bat \d", words):
        return ""
    ends = _OVER.search(words) or _THERE.search(words)
    must = _MUST.search(words)
    named = _shares(words, fact[: span.at[0]])
    if span.ahead:
        so = asks_for(words, fact) and (named or (must and not _OVER.search(words)))
        return _tell_clock(clock, span, -1) if so else ""
    comes = named if _LATER.search(fact) else ends and not must and not _CLOSES.search(at)
    return _tell_clock(clock, span, 1) if comes else ""


def _shares(words: str, text: str) -> bool:
    """Whether words name something that a text does."""
    told = {form_of(word) for word in fold_words(text) if len(word) > 2} - SMALL
    return any(form_of(word) in told for word in fold_words(words))


def _tell_clock(clock: Clock, span: Span, way: int) -> str:
    minutes = span.number * _MINUTES[span.unit] * way
    if not way or abs(minutes) >= DAY_MINUTES:
        return ""
    end = shift(clock, minutes)
    if end is None:
        return ""
    same = end.bare or 0 <= end.minutes < DAY_MINUTES
    other = "" if same else f" the day {'before' if way < 0 else 'after'}"
    return f"{span} {'before' if way < 0 else 'after'} {clock} is {end}{other}."


def _count_between(words: str, facts: Sequence[str]) -> str:
    """How long it is between the only two times of day there are."""
    named = find_clocks(words)
    told = [(clock, fact) for fact in facts for clock in find_clocks(fact)]
    if _find_short(words) or len(named) > 1 or len({*named, *(clock for clock, _ in told)}) != 2:
        return ""
    if named:
        return _count_from(words, named[0], *told[0]) if len(told) == 1 else ""
    (one, first), (other, second) = told[0], told[-1]
    if first == second:
        plain = _OPEN_FROM.search(first) and _shares(words, first) and not _ASKS_MORE.search(words)
        return _tell_between(one, other, wraps=True) if plain else ""
    if _APART.search(words):
        return _tell_between(*sorted((one, other), key=lambda clock: clock.minutes))
    if _BEGINS.search(second) and _ENDS.search(first):
        (one, first), (other, second) = (other, second), (one, first)
    whole = _BEGINS.search(first) and _ENDS.search(second) and not _ENDS.search(first)
    return _tell_between(one, other) if whole else ""


def _count_from(words: str, named: Clock, told: Clock, fact: str) -> str:
    """How long it is between the time that a request names and the one of a fact."""
    if _SINCE.search(words) and not _LEFT.search(words):
        return _tell_between(told, named)
    # "It's 8:15" may be said in the evening.
    in_the_evening = named.minutes + NOON * 60
    if (
        not named.half
        and named.minutes < NOON * 60 <= told.minutes
        and in_the_evening <= told.minutes
    ):
        return ""
    left = _LEFT.search(words) or re.search(r"\buntil\b", fact)
    return _tell_between(named, told, wraps=_BEGINS.search(fact) is not None) if left else ""


def _tell_between(start: Clock, end: Clock, *, wraps: bool = False) -> str:
    """How long it is from one time to another; ``wraps``: to one of the next day, if it must be."""
    length = end.minutes - start.minutes
    if length < 0 and wraps and start.minutes >= _EVENING and end.minutes <= NOON * 60:
        length += DAY_MINUTES
    if length <= 0 or start.half != end.half:
        return ""
    hours, minutes = divmod(length, 60)
    parts = [str(Span(n, unit, False)) for n, unit in ((hours, "hour"), (minutes, "minute")) if n]
    whole = f" ({length} minutes)" if hours and minutes else ""
    return f"From {start} to {end} it is {' and '.join(parts)}{whole}."


def _find_short(text: str) -> list[Span]:
    return [span for span in find_spans(text) if span.unit in _MINUTES]
