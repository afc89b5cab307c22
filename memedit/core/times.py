"""What time a question names: "in 2010", "before May 2015", "last year", "who was … previously".

Rules, not a model: a time is named by a preposition and a date, or by a word that means the past.
Anything else ("the 2010 budget", "in 2010 words", "may", "before the merger") names none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from memedit.core.days import DATES, INSTANT, PREPOSITION, find_near, find_span
from memedit.core.passages import Conversation
from memedit.core.text import find_sentence_starts

_AMOUNT = re.compile(
    r"[.,]\d|\s?[%€$£]|[\s-](?:words?|characters?|letters?|tokens?|sentences?|lines?|pages?|steps?|"
    r"bytes?|hours?|minutes?|seconds?|days?|euros?|dollars?|pounds?|francs?|"
    r"km|kilomet(?:er|re)s?|miles?|met(?:er|re)s?|kg|kilos?|units?|items?|pieces?|points?)\b",
    re.IGNORECASE,
)
"""What makes of the year before it a number of something: "in 2000 words"."""
_BEFORE = frozenset(("before", "prior to", "until", "till", "up to"))
_STARTS = frozenset(("at the start of", "at the beginning of"))
_RELATIVE = re.compile(
    r"\b(?:(?P<yesterday>yesterday)|last (?P<last>year|month|week)|"
    r"(?P<count>\d{1,3}|a|one|two|three|four|five|ten) (?P<unit>year|month|week|day)s? ago)\b",
    re.IGNORECASE,
)
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_DAYS = {"year": 365.2425, "month": 30.44, "week": 7, "day": 1}
_CAME = re.compile(
    r"\b(?:that|which) (?:\w+ ){0,2}(?:came|arrived|got|received|sent|posted|printed|went out) "
    r"(?:\w+ ){0,3}$",
    re.IGNORECASE,
)
"""In front of a time that tells of a thing beside the question: "the leaflet that came last week
says less. What counts?"."""
_PREVIOUS = re.compile(
    r"\b(?:previous(?:ly)?|former(?:ly)?|predecessor|used to|in the past|before that)\b",
    re.IGNORECASE,
)
_ASKS_WHEN = re.compile(
    r"^\W*(?:when|since when|(?:in |on )?(?:what|which) (?:year|day|date|month))\b", re.I
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
    near = None if _ASKS_WHEN.match(asked) else find_near(asked, now, zone)
    if near is None:
        return None
    found, span = near
    how = found["how"] or found[0].partition(" ")[0]
    moments = _choose_moments(how.casefold(), *span, now)
    if len(moments) > 1:  # "in December": as it is for most of it
        moments = moments[1], moments[0], moments[2]
    mark = found["date"] or found["feast"] or found[0]
    return replace(_cut_named(asked, found.start(), found.end(), moments, mark), near=True)


def _find_last_question(text: str) -> str:
    starts = find_sentence_starts(text)
    parts = [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    asking = [part for part in parts if "?" in part]
    return (asking or parts)[-1]


def _find_dated(text: str, now: datetime, zone: tzinfo) -> NamedTime | None:
    for match in PREPOSITION.finditer(text):
        for pattern in DATES:
            date = pattern.match(text, match.end())
            if date is None or text[date.end() : date.end() + 1].isalnum():  # "2010s" is no year
                continue
            # Only a bare year can be an amount.
            if pattern is DATES[-1] and _AMOUNT.match(text, date.end()):
                break
            span = find_span(date.groupdict(), zone)
            if span is None:
                return None
            moments = _choose_moments(match["how"].casefold(), *span, now)
            return (
                _cut_named(text, match.start(), date.end(), moments, date["y"]) if moments else None
            )
    return None


def _choose_moments(
    how: str, start: datetime, end: datetime, now: datetime
) -> tuple[datetime, ...]:
    if how in _BEFORE:
        return (start - INSTANT,)
    if how == "after":
        return (end,)
    if how in _STARTS:
        return (start,)
    if start <= now < end:
        return (now,)
    # Of a span that is over: as it ended, as it was for most of it, as it began.
    return (end - INSTANT, start + (end - start) / 2, start)


def _find_relative(text: str, now: datetime) -> NamedTime | None:
    match = _RELATIVE.search(text)
    if match is None or _CAME.search(text[: match.start()]):
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
