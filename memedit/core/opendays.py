"""On which days of the week something is open: what asks for it, and what a fact says of it.

"The library is open from Tuesday to Saturday." answers "Is the library open on Sunday?"; "On
Fridays the office is open until 1 pm." says nothing of Sundays. English ones only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from memedit.core.days import WEEKDAY, WEEKDAYS

_SHORT = "mon|tues?|wed|thurs?|thu|fri|sat|sun"
_DAY = rf"(?:{WEEKDAY})s?|(?:{_SHORT})\b|weekends?|weekdays?|working days?"
_THING = (
    r"(?:a |an |your )?(?!(?:it|this|that|they|these|there)\b)"
    r"[\w'’-]+(?: [\w'’-]+){0,5}?"
)
_ON = r"(?:on (?:a )?|at (?:the )?|over (?:the )?|this |next )?"
_ASKED = re.compile(
    rf"(?:(?:so|hi|hey|and|ok),? )?(?:(?:is|are) (?P<is>{_THING}) (?P<state>open|closed|shut)"
    rf"|(?:does|do) (?P<does>{_THING}) (?P<does_it>open|close|shut)"
    rf"|(?P<bare>open|closed)) {_ON}(?P<day>{_DAY})"
    r"(?: (?P<part>morning|afternoon|evening|night)s?)?(?: (?:too|as well|at all|now))?\s?\?*"
    rf"|(?P<first>{_DAY}) (?P<behind>open|closed)\s?\?*",
    re.IGNORECASE,
)
_RANGE = re.compile(
    rf"\b(?P<from>{_DAY})(?: ?[-–—] ?| (?:to|until|till|through)(?: and including)? )"
    rf"(?P<to>{_DAY})",
    re.IGNORECASE,
)
_EVERY = re.compile(r"\b(?:daily|every day|seven days a week|all week|24/7)\b", re.IGNORECASE)
_EACH = re.compile(rf"\b(?P<day>{_DAY})", re.IGNORECASE)
_CLOSED = re.compile(
    rf"\b(?:closed|shut|closes|not open)(?: all day)? (?:on |at |over )?(?:the )?(?:{_DAY})"
    rf"(?:(?:, | and |, and | or )(?:on )?(?:{_DAY}))*",
    re.IGNORECASE,
)
_ONLY = re.compile(rf"\bonly (?:open )?(?:on )?(?:{_DAY})|(?:{_DAY}) only\b", re.IGNORECASE)
_OPEN = re.compile(r"\bopen\b|\bopening (?:hours|times|days)\b|\d ?(?:am|pm|[-–])", re.IGNORECASE)
_UNLESS = re.compile(
    r"\b(?:except\w*|unless|appointment\w*|not(?! open)|never|no longer|if|usually|normally|"
    r"mostly|first|last|second|third|fourth|every other|alternate|winter|summer|season\w*|"
    r"(?:in|from|until|between|during) (?:january|february|march|april|may|june|july|august|"
    r"september|october|november|december)|holidays?|members?|women|men|children|families|"
    r"depend\w*|either|was|were|used to)\b",
    re.IGNORECASE,
)
_LONGEST = 160
_ALL = frozenset(range(7))
_SETS = {"weekend": frozenset({5, 6}), "weekday": frozenset(range(5))}
_SETS["working day"] = _SETS["weekday"]


@dataclass(frozen=True, slots=True)
class DayAsked:
    """A question whether something is open.

    Attributes:
        thing: What; "" for the house that is asked.
        days: When: Monday is 0.
        is_open: Whether it is asked if it is open, and not if it is closed.
        whole: Whether no part of a day is named.
    """

    thing: str
    days: frozenset[int]
    is_open: bool
    whole: bool

    @classmethod
    def of(cls, question: str) -> DayAsked | None:
        """What a question asks; None: something else."""
        text = " ".join(question.split())
        found = _ASKED.fullmatch(text) if len(text) <= _LONGEST else None
        if found is None:
            return None
        thing = found["is"] or found["does"] or ""
        state = found["state"] or found["does_it"] or found["bare"] or found["behind"]
        return cls(
            "" if thing.casefold() in {"you", "u", "we"} else thing,
            _read_day(found["day"] or found["first"]),
            state.casefold() == "open",
            found["part"] is None,
        )

    @property
    def openly(self) -> str:
        """The question on which days it is open at all."""
        be = "is" if self.thing and not self.thing.endswith("s") else "are"
        return f"On which days {be} {self.thing or 'you'} open?"


def tells_days(fact: str) -> bool:
    """Whether a fact tells on which days of the week something is open: what says so of one day
    tells nothing of the others."""
    return any(each.search(fact) for each in (_RANGE, _EVERY, _CLOSED, _ONLY)) or (
        len({found["day"].casefold() for found in _EACH.finditer(fact)}) > 1
    )


def judge_open_day(question: str, fact: str) -> bool | None:
    """Whether a question for a day is answered by yes; None: the fact does not plainly say.

    Args:
        question: A user's, as a whole.
        fact: What bears on it.
    """
    asked = DayAsked.of(question)
    if asked is None or not asked.whole or _UNLESS.search(fact) or not _OPEN.search(fact):
        return None
    closed = {day for found in _CLOSED.finditer(fact) for day in _find_days(found[0])}
    left = _CLOSED.sub(" ", fact)
    opened = _find_days(left)
    if asked.days <= closed and not asked.days & _find_days(_EVERY.sub(" ", left)):
        return not asked.is_open
    if asked.days <= opened - closed:
        return asked.is_open
    plain = tells_days(fact) and bool(opened) and not asked.days & (opened | closed)
    return not asked.is_open if plain else None


def _find_days(text: str) -> frozenset[int]:
    """The days that a text names, and those from one to another."""
    found = set(_ALL if _EVERY.search(text) else ())
    for each in _RANGE.finditer(text):
        first, last = min(_read_day(each["from"])), max(_read_day(each["to"]))
        found |= {(first + n) % 7 for n in range((last - first) % 7 + 1)}
    for each in _EACH.finditer(text):
        found |= _read_day(each["day"])
    return frozenset(found)


def _read_day(name: str) -> frozenset[int]:
    folded = name.casefold().removesuffix("s") if len(name) > 4 else name.casefold()
    if folded in _SETS:
        return _SETS[folded]
    return frozenset(n for day, n in WEEKDAYS.items() if day.startswith(folded))
