"""Days, times of day and lengths of time as texts name them, in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from memedit.core.days import MONTH, MONTHS

_DAY = re.compile(
    rf"\b(?:(?P<d>\d\d?)(?:st|nd|rd|th)?(?: of)? (?P<m>{MONTH})\b\.?|"
    rf"(?<!\bi )(?<!\bwe )(?P<n>{MONTH})\b\.? (?P<e>\d\d?)(?:st|nd|rd|th)?\b(?!:)"
    r"(?! (?:guests?|people|persons|adults|children|kids|times|km|miles|of us)\b))"
    r"(?:,? (?P<y>\d{4})\b)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?<![\d.:,/€£$+-])(?P<hour>[01]?\d|2[0-3])(?:[:.](?P<minute>[0-5]\d))?(?! ?%)"
    r"(?: ?(?P<half>[ap])\.?m\b\.?|(?P<sure> ?o['’]clock\b))?(?![\d/]|[.,:]\d|[-–]\d)",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"(?<![\d.:,/€£$-])(?P<number>\d{1,4})[ -]?(?P<unit>min(?:ute)?s?|h(?:ou)?rs?|days?|weeks?|"
    r"months?|years?)\b(?![- ]old)",
    re.IGNORECASE,
)
_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_UNIT = re.compile(r"\b(?:min(?:ute)?|h(?:ou)?r|day|week|month|year)s?\b", re.IGNORECASE)
_PLACE = re.compile(
    r"\b[A-Z]{1,3}-\d+[a-z]?\b|\b(?:rooms?|floor|counter|desk|ward|hall|gate|platform|pier|extension|"
    r"form) [A-Z]?-?\d+[a-zA-Z]?\b"
)
"""A number that is a name: "room B-218"."""
_NUMBERED = re.compile(
    r"\b[A-Z]\w* \d+\b|[€£$] ?\d[\d.,]*|\d[\d.,]* ?(?:%|percent|euros?|pounds?|p\b)"
)
"""Numbers that count no time: "Room 12", "£5"."""
_AHEAD = re.compile(
    r"^[\s)–-]{0,3}(?:(?!(?:if|when|once|unless|as|where|provided|and|or)\b)[\w'’]+ ){0,3}?"
    r"(?:before|prior to|leading up to|to (?:the|your)|"
    r"(?P<alone>ahead(?! of)|in advance|beforehand|earlier|early|prior|remain|are left)|"
    r"ahead of)\b",
    re.IGNORECASE,
)
"""Behind a span that counts from its end."""
_WAITED = re.compile(
    r"\b(?:wait\w*|needs?|takes?|rest\w*|dr(?:y|ies|ying)|pause\w*|stand\w*|belong\w*|work\w*|"
    r"been|stay\w*|live\w*|serve\w*)\b[^.;]{0,30}$",
    re.IGNORECASE,
)
"""In front of one that goes by before something may be done: "wait 4 hours before driving"."""
_BEFORE = re.compile(
    r"(?:^|[.;:] )\W{0,3}(?:before|prior to|ahead of) (?!\d|noon\b|midday\b|midnight\b)"
    r"[^.;:\d]{1,80}$",
    re.IGNORECASE,
)
"""In front of one: "Before an operation dogs must fast for 9 hours"."""
_LOOKED_AT, _READ = 60, 200
NOON, DAY_MINUTES, _MORNING = 12, 24 * 60, 6 * 60


_SPOKEN = re.compile(
    r"(?<!\bat )(?<!\bby )(?<!\bto )(?<!\buntil )(?<!\btill )(?<!\bfrom )(?<!\bbefore )"
    r"\b(?:(?P<hours>\d)h(?P<more>[0-5]\d)(?![\w:])|"
    r"(?P<whole>\d{1,2}) ?(?:h|h(?:ou)?rs?),? (?:and )?(?P<rest>[0-5]?\d) ?(?:m|min(?:ute)?s?)\b|"
    r"(?P<some>\d{1,2})(?: and a half|[.,]5| ?½) (?:h(?:ou)?rs?|h)\b|"
    r"(?P<one>an hour and a half|one and a half hours)|(?P<half>half an hour)|"
    r"(?P<quarters>an?|3|three) quarters? of an hour|"
    r"(?<=takes |lasts |needs |least |about )an hour\b|"
    r"an hour(?= (?:before|after|ahead|earlier|later|beforehand|in advance|long)\b))"
    r"(?!\s*[:/])",
    re.IGNORECASE,
)
"""A length of time as it is spoken: "an hour and a half", "1h45"."""
_NOON = re.compile(r"\b(?<!o['’]clock )(?:12 )?(?:noon|midday)\b(?! (?:break|meal|menu|shift))")


@dataclass(frozen=True, slots=True)
class Span:
    """How long something takes: so many of a unit.

    Attributes:
        ahead: It counts from its end: "before departure", "in advance".
        alone: Of what it is ahead is not told.
        at: Where it stands in its text.
    """

    number: int
    unit: str
    ahead: bool
    alone: bool = False
    at: tuple[int, int] = field(default=(0, 0), compare=False)

    def __str__(self) -> str:
        return f"{self.number} {self.unit}{'' if self.number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in minutes from midnight; ``half``: told as am or pm; ``bare``: as neither, and
    as no hour of 24 ("at 1:30")."""

    minutes: int
    half: bool
    at: tuple[int, int] = field(default=(0, 0), compare=False)
    bare: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        hour, minute = divmod(self.minutes % DAY_MINUTES, 60)
        if self.bare:
            return f"{(hour - 1) % NOON + 1}:{minute:02}"
        if not self.half:
            return f"{hour:02}:{minute:02}"
        told = f"{(hour - 1) % NOON + 1}"
        return f"{told}{f':{minute:02}' if minute else ''} {'am' if hour < NOON else 'pm'}"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a year, which may not be told."""

    year: int | None
    month: int
    day: int
    at: tuple[int, int] = field(default=(0, 0), compare=False)

    def __str__(self) -> str:
        name = f"{date(2000, self.month, 1):%B}"
        return f"{self.day} {name}{'' if self.year is None else f' {self.year}'}"


def shift(clock: Clock, minutes: int, *, late: bool = False) -> Clock | None:
    """The time so many minutes later; None where nobody knows of which half of the day it is.

    Args:
        clock: A time.
        minutes: Less than a day; negative: earlier.
        late: It may be one of the evening.
    """
    end = Clock(clock.minutes + minutes, clock.half, bare=clock.bare)
    if not clock.bare or 0 < clock.minutes % (NOON * 60) + minutes < NOON * 60:
        return end
    # "9:30" and "10:30" are said of a morning, "1:30" of an afternoon or a night.
    morning = _MORNING <= clock.minutes < NOON * 60 and not late
    return replace(end, bare=False) if morning else None


def write_times(text: str) -> str:
    """A text whose lengths of time stand in minutes where they are spoken in hours and parts of
    them ("an hour and a half", "1h45"), and in which noon is 12 pm; numerals in digits."""
    return _NOON.sub("12 pm", _SPOKEN.sub(_write_minutes, text))


def _write_minutes(found: re.Match[str]) -> str:
    if hours := found["hours"] or found["whole"]:
        return f"{int(hours) * 60 + int(found['more'] or found['rest'])} minutes"
    if found["some"]:
        return f"{int(found['some']) * 60 + 30} minutes"
    quarters = {"a": 15, "an": 15, "3": 45, "three": 45}.get((found["quarters"] or "").casefold())
    return f"{quarters or (90 if found['one'] else 30 if found['half'] else 60)} minutes"


def find_days(text: str) -> list[Day]:
    """The days of a year that a text names, each once."""
    found = (
        Day(
            int(each["y"]) if each["y"] else None,
            MONTHS[(each["m"] or each["n"]).casefold()],
            int(each["d"] or each["e"]),
            each.span(),
        )
        for each in _DAY.finditer(text)
    )
    return list(dict.fromkeys(found))


def find_clocks(text: str) -> list[Clock]:
    """The times of day in a text, numerals in digits, each once; a bare number is none."""
    found: dict[Clock, None] = {}
    for each in _CLOCK.finditer(_SPAN.sub(lambda span: " " * len(span[0]), text)):
        hour, half = int(each["hour"]), (each["half"] or "").casefold()
        dotted = "." in each[0] and not half  # as in "version 2.30"
        if not (each["minute"] or half or each["sure"]) or dotted or (half and hour > NOON):
            continue
        hours = hour % NOON + (NOON if half == "p" else 0) if half else hour
        bare = not half and 0 < hour <= NOON and not each["hour"].startswith("0")
        minutes = hours * 60 + int(each["minute"] or 0)
        found.setdefault(Clock(minutes, bool(half), each.span(), bare))
    return list(found)


def find_spans(text: str) -> Iterator[Span]:
    """The lengths of time in a text, numerals in digits."""
    for each in _SPAN.finditer(text):
        unit = each["unit"].casefold()
        name = next(_UNITS[key] for key in ("mo", *_UNITS) if unit.startswith(key))
        ahead = _AHEAD.match(text[each.end() : each.end() + _LOOKED_AT])
        if ahead is not None and _WAITED.search(text[: each.start()][-_LOOKED_AT:]):
            ahead = None
        alone = ahead is not None and ahead["alone"] is not None
        counts_back = ahead is not None or _BEFORE.search(text[: each.start()][-_READ:]) is not None
        yield Span(int(each["number"]), name, counts_back, alone, each.span())


def tells_more(text: str) -> bool:
    """Whether a text that tells lengths of time tells others that are not read ("an hour", "30
    days, sale items 14")."""
    spans = sum(1 for _ in _SPAN.finditer(text))
    if not spans:
        return False
    left = _NUMBERED.sub(" ", _DAY.sub(" ", _CLOCK.sub(_keep_bare, _SPAN.sub(" ", text))))
    left = _PLACE.sub(" ", left)
    return bool(re.search(r"\d", left)) or len(_UNIT.findall(text)) > spans


def _keep_bare(clock: re.Match[str]) -> str:
    return " " if clock["minute"] or clock["half"] or clock["sure"] else clock[0]
