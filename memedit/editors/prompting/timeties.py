"""Whether a moment and a length of time belong together, and which way one counts from the other.

"20 May - 8 days" is a sum that a base may write under any fact with 8 days in it. It counts where
the best fact has that length and no other, where it goes the way that the fact says ("at least 8
days before"), and where the moment is the one that the user means. What is in doubt is refused: the
result would be said as it is. English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from memedit.editors.prompting.clocks import Clock, Day, Span, find_clocks, find_days, find_spans
from memedit.editors.prompting.elapsing import OTHER_DAYS
from memedit.editors.prompting.towards import lasts_days

_ARRIVES = re.compile(
    r"\b(?:arriv\w*|get (?:in|to|home|back|there)|land|be (?:there|back|home)|finish\w*|over|ends?|"
    r"(?:on|at|to) the (?:other|island|mainland)|across|ashore)\b",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"\b(?:leaves?|departs?|starts?|begins?|sets? off|goes|sails?|runs? at)\b", re.IGNORECASE
)
_TAKES = re.compile(r"\b(?:takes?|needs?|lasts?|long|journey|crossing|ride|flight|drive)\b", re.I)
_WISHED = re.compile(
    r"\b(?:need|want|must|have to|has to|hope|should) (?:\w+ ){0,4}?"
    r"(?:by|at|until|till|before|in)\b[^.?!]{0,30}\d|"
    r"\b(?:by|before|until|till) (?:the )?(?:\w+day,? )?\d",
    re.IGNORECASE,
)
"""Of a moment at which something is to be so."""
_NOTICE = re.compile(r"\bnotice\b", re.IGNORECASE)
_MUST = re.compile(
    r"\b(?:by (?:when|what|which)|latest|last (?:day|date)|must|have to|need to)\b", re.IGNORECASE
)
_ZONES = re.compile(r"\bhours? (?:ahead of|behind|later than|earlier than)\b", re.IGNORECASE)
_OTHER = re.compile(
    r"\b(?:today|yesterday|tomorrow|ago|not on|instead of|now|"
    r"(?:last|this|next) (?:week|month|year)|their time|time is (?:it|that)|time zone)\b|"
    r"\b\d\d?(?:st|nd|rd|th)? ?(?:[-–/]|to|and|or|until) ?(?:the )?\d\d?(?:st|nd|rd|th)?\b"
    r"(?! ?[ap]m)",
    re.IGNORECASE,
)
"""Another day or time than the one that is meant."""
_STARTED = re.compile(
    r"\b(?:order|appl(?:y|ie)|sen[dt]|post|pa(?:y|id)|b(?:uy|ought)|start|beg[aiu]n|hand|put|file|"
    r"ship|book|register|sign|left|leave|tak|took|depart|since|ask|open)(?:ed|d|s|es|ing|n)?\b",
    re.IGNORECASE,
)
"""Of a moment from which something takes so long."""
_CLOSES = re.compile(r"\b(?:clos\w*|shuts?|until|till|ends?|finish\w*|quiet)\b", re.IGNORECASE)
_MINE = re.compile(
    r"\b(?:when|what|how|latest|earliest|by|until|till)\b[^.?!]{0,60}"
    r"\b(?:i|we|my|our|me|us|start|begin)\b",
    re.IGNORECASE,
)
"""In a question of when who asks does something."""
_EACH_WAY = re.compile(
    r"\d minutes? (?:to|or) (?:an|a half|\d)|"
    r"\d ?(?:-|–|to|or) ?\d+[ -](?:min|h|day|week|month|year)|\bevery\b.*\b(?:from|past|on the)\b|"
    r"\bbetween\b|\beach\b.*\beach\b|\bfinal \d|\bwithin \d+ \w+ (?:of|before) (?:arriv|your)",
    re.IGNORECASE,
)
"""In a fact whose length nobody can count with."""
_FOR = re.compile(r"\b(?:for|covers?) (?!up to)\d+ (?:day|week)", re.IGNORECASE)
"""What is so for 5 days, the first one of them."""
_MINUTES = frozenset({"minute", "hour"})


def is_unclear(asked: str, told: Sequence[str], *, in_days: bool) -> bool:
    """Whether a request names several days, or one beside today, or a fact counts others than all
    of them where days are counted, or in zones; numerals in digits."""
    if len({(day.month, day.day) for day in find_days(asked)}) > 1 or _OTHER.search(asked):
        return True
    if in_days and any(OTHER_DAYS.search(fact) for fact in told):
        return True
    return any(_ZONES.search(fact) or _EACH_WAY.search(fact) for fact in told)


def belong_together(
    days: Sequence[Day],
    clocks: Sequence[Clock],
    terms: Sequence[tuple[int, Span]],
    asked: str,
    told: Sequence[str],
) -> bool:
    """Whether a moment and lengths of time are one thing's: one of both is the user's own, and the
    other stands in the best fact, with no other length beside; or one fact tells when something
    begins, another one how long it takes, and its end is asked for."""
    lengths, ways = _measure(span for _, span in terms), {way for way, _ in terms}
    best = told[-1] if told else ""
    own, theirs = _find_lengths(asked), _find_lengths(best)
    if _holds(days, clocks, asked):
        goal = _WISHED.search(asked) is not None
        way = -1 if any(span.ahead for span in find_spans(best)) or goal else 1
        if _NOTICE.search(best):
            way = -1 if _MUST.search(asked) else 1
        if way > 0 and _TAKES.search(best) and not _STARTED.search(asked):
            return False
        fits = not own and lengths == theirs and ways == {way}
        return fits and not _counts_on(terms, best)
    if own:  # how long the user takes; which way that goes the base says, but for a closing time
        single = len(find_clocks(best)) + len(find_days(best)) == 1
        back = not _CLOSES.search(best) or ways == {-1}
        mine = _MINE.search(asked) is not None and back and single
        return mine and lengths == own and _holds(days, clocks, best) and not theirs
    return _is_journey(lengths, ways, days, clocks, asked, told)


def _is_journey(
    lengths: set[tuple[int, str]],
    ways: set[int],
    days: Sequence[Day],
    clocks: Sequence[Clock],
    asked: str,
    told: Sequence[str],
) -> bool:
    begin = [fact for fact in told if _holds(days, clocks, fact) and _BEGINS.search(fact)]
    taken = [f for f in told if _find_lengths(f) == lengths and _TAKES.search(f)]
    onward = ways == {1} and _ARRIVES.search(asked) is not None
    single = len(begin) == 1 == len(find_clocks(begin[0])) + len(find_days(begin[0]))
    return onward and single and len(taken) == 1 and taken != begin


def _find_lengths(text: str) -> set[tuple[int, str]]:
    return {_count(span) for span in find_spans(text)}


def _measure(spans: Iterable[Span]) -> set[tuple[int, str]]:
    """Lengths of time, those of hours and minutes together: "1 hour + 50 minutes"."""
    counted = [_count(span) for span in spans]
    minutes = sum(number for number, unit in counted if unit == "minute")
    days = {each for each in counted if each[1] != "minute"}
    return days | ({(minutes, "minute")} if minutes else set())


def _count(span: Span) -> tuple[int, str]:
    """How long something is: in minutes, or in days or what is longer."""
    hours = span.unit == "hour"
    return span.number * (60 if hours else 1), "minute" if hours else span.unit


def _holds(days: Sequence[Day], clocks: Sequence[Clock], text: str) -> bool:
    """Whether a text names the day, or the time."""
    named = {(day.month, day.day) for day in find_days(text)}
    times = {clock.minutes for clock in find_clocks(text)}
    moment = all((day.month, day.day) in named for day in days)
    return moment and (bool(days) or all(clock.minutes in times for clock in clocks))


def _counts_on(terms: Sequence[tuple[int, Span]], fact: str) -> bool:
    """Whether days are added to the first of those for which something lasts."""
    onward = any(way > 0 and span.unit not in _MINUTES for way, span in terms)
    return onward and (lasts_days(fact) or _FOR.search(fact) is not None)
