"""Whether a moment and a length of time belong together, and which way one counts from the other.

"20 May - 8 days" is a sum that a base may write under any fact with 8 days in it. It counts where
the best fact has that length and no other, where it goes the way that the fact says ("at least 8
days before"), and where the moment is the one that the user means. What is in doubt is refused: the
result would be said as it is. English only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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
_EACH_WAY = re.compile(
    r"\d ?(?:-|–|to|or) ?\d+[ -](?:min|h|day|week|month|year)|\bevery\b.*\b(?:from|past|on the)\b|"
    r"\bbetween\b|\beach\b.*\beach\b|\bfinal \d|\bwithin \d+ \w+ (?:of|before) (?:arriv|your)",
    re.IGNORECASE,
)
"""In a fact whose length nobody can count with."""
_FOR = re.compile(r"\b(?:for|covers?) (?!up to)\d+ (?:day|week)", re.IGNORECASE)
"""What is so for 5 days, the first one of them."""
_MINUTES = frozenset({"minute", "hour"})


def is_unclear(asked: str, told: Sequence[str]) -> bool:
    """Whether a request names several days, or one beside today, or a fact counts others than all
    of them, or in zones; numerals in digits."""
    if len({(day.month, day.day) for day in find_days(asked)}) > 1 or _OTHER.search(asked):
        return True
    return any(OTHER_DAYS.search(f) or _ZONES.search(f) or _EACH_WAY.search(f) for f in told)


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
    lengths = {(span.number, span.unit): way for way, span in terms}
    best = told[-1] if told else ""
    own, theirs = _find_lengths(asked), _find_lengths(best)
    if _holds(days, clocks, asked):
        ways = set(lengths.values())
        goal = _WISHED.search(asked) is not None
        way = -1 if any(span.ahead for span in find_spans(best)) or goal else 1
        if _NOTICE.search(best):
            way = -1 if _MUST.search(asked) else 1
        if way > 0 and _TAKES.search(best) and not _STARTED.search(asked):
            return False
        fits = not own and lengths.keys() == theirs and ways == {way}
        return fits and not _counts_on(terms, best)
    if own:  # how long the user takes; which way that goes the base says
        return lengths.keys() == own and _holds(days, clocks, best) and not theirs
    return _is_journey(lengths, days, clocks, asked, told)


def _is_journey(
    lengths: Mapping[tuple[int, str], int],
    days: Sequence[Day],
    clocks: Sequence[Clock],
    asked: str,
    told: Sequence[str],
) -> bool:
    begin = [fact for fact in told if _holds(days, clocks, fact) and _BEGINS.search(fact)]
    taken = [f for f in told if _find_lengths(f) == lengths.keys() and _TAKES.search(f)]
    onward = set(lengths.values()) == {1} and _ARRIVES.search(asked) is not None
    single = len(begin) == 1 == len(find_clocks(begin[0])) + len(find_days(begin[0]))
    return onward and single and len(taken) == 1 and taken != begin


def _find_lengths(text: str) -> set[tuple[int, str]]:
    return {(span.number, span.unit) for span in find_spans(text)}


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
