"""On which days of the week something is open: what asks for it, and what a fact says of it.

"The library is open from Tuesday to Saturday." answers "Is the library open on Sunday?"; "On
Fridays the office is open until 1 pm." says nothing of Sundays. English ones only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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
_SAYS_MORE = frozenset("not never no longer still already always only hardly also".split())
"""Words before "open" that belong to no thing."""
_NAME = rf"(?:(?:{_SHORT})\.|(?:{_DAY})\b)"
_CLOCK = (
    r"(?:\d{1,2}(?:[:.]\d\d)?(?: ?(?:[ap]\.?m\b\.?|h\b|o['’]clock))?|noon|midday|midnight)"
    r"(?![\w%€£])"
)
_TOKENS = {
    "E": r"(?:daily|every day|(?:7|seven) days a week|all week|24/7)\b",
    "R": rf"(?:from |on )?{_NAME}(?: ?[-–—] ?| (?:to|until|till|(?:up|through) to|through|thru)"
    rf"(?: and including)? ){_NAME}",
    "D": rf"(?:(?:on|at|over|every) )?(?:the )?{_NAME}",
    "T": rf"(?:from |between )?{_CLOCK}(?: ?[-–—] ?| (?:to|until|till|and) ){_CLOCK}",
    "U": rf"(?:from|until|till) {_CLOCK}",
    "c": r"(?:closed|shut|not open)\b",
    "o": r"open\b",
    "n": r"only\b",
    "&": r"and\b|but (?=closed|shut|not open)|[&/]",
    ",": r"[,;.](?: and\b| but(?= closed| shut| not open))?",
    ":": r":",
}
"""What the days and hours of a plain fact are told in: every day, a range, a day, and so on. A word
of another kind may say of whom, of which days or of when it is so."""
_TOKEN = re.compile("|".join(f"({each})" for each in _TOKENS.values()), re.IGNORECASE)
_FACT = re.compile(
    rf"(?:(?P<first>(?=on |at |over |every |from |[^,]+, )(?:{_TOKENS['R']}|{_TOKENS['D']}"
    rf"(?: (?:and|&) {_TOKENS['D']})?)),? )?"
    r"(?P<thing>[^,;:.]{1,60}?)(?: (?:is|are)|['’]re) (?:now )?"
    r"(?P<body>(?:open|closed|shut|not open)\b.*)"
    r"|(?:(?P<whose>the|our|[^,;:.]{1,60}?['’]s?) )?(?:opening|open) (?:hours|times|days)"
    r"(?: (?:of|at) (?P<of>[^,;:.]{1,60}?))?(?::| are) (?P<hours>.*)"
    r"|(?P<bare>open .*)",
    re.IGNORECASE,
)
_SHUT_FIRST = re.compile(r"(?:^|(?<=[,&]))c:?[DR](?:[,&][DR])*(?=$|[,&]o)")
"""A list of days behind "closed"; and one before it."""
_SHUT_LAST = re.compile(r"(?:^[DR](?:&[DR])*|(?<=[TUcE][,&])[DR](?:[,&][DR])*):?c(?=$|,)")
_HOUSES = frozenset(
    "library museum gallery clinic surgery practice pharmacy bakery zoo store".split()
)
"""What an assistant may be that of; a café is as often a part of something else."""
_PARTS = re.compile(
    r"\b(?:caf[eé]|bar|bistro|restaurant|canteen|kitchen|pool|spa|sauna|gym|shop|kiosk|desk|"
    r"reception|counter|branch|office|garage|car park|terrace|lounge|hotline|helpline)\b"
)
_WHOSE = re.compile(r"^(?:the|our|your) ")
_LONGEST = 160
_Token: TypeAlias = "tuple[str, str]"
"""(kind, words)"""
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
        days = _read_day(found["day"] or found["first"])
        if not days or _SAYS_MORE & {*thing.casefold().split()[1:]}:
            return None
        state = found["state"] or found["does_it"] or found["bare"] or found["behind"]
        return cls(
            "" if thing.casefold() in {"you", "u", "we"} else thing,
            days,
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
    asked, week = DayAsked.of(question), _Week.of(fact)
    if asked is None or week is None or not asked.whole or not _is_of(asked.thing, week.thing):
        return None
    if asked.days <= week.closed:
        return not asked.is_open
    if asked.days <= week.opened - week.closed:
        return asked.is_open
    others = week.is_all and not asked.days & (week.opened | week.closed)
    return not asked.is_open if others else None


@dataclass(frozen=True, slots=True)
class _Week:
    """The days on which a plain fact says that something is open.

    Attributes:
        thing: What, as it says.
        opened, closed: When it is, and when it is not: Monday is 0.
        is_all: Whether it is closed on all others.
    """

    thing: str
    opened: frozenset[int]
    closed: frozenset[int]
    is_all: bool

    @classmethod
    def of(cls, fact: str) -> _Week | None:
        """What a fact says; None: something else, or more than that."""
        text = " ".join(fact.split()).rstrip(" .!")
        found = _FACT.fullmatch(text) if len(text) <= _LONGEST else None
        if found is None or "ı" in text:  # "frıday": without case, ı is an i
            return None
        thing = found["thing"] or found["of"] or found["whose"] or ""
        if first := found["first"]:
            return cls._of_days(thing, first, found["body"])
        tokens = _split(found["body"] or found["hours"] or found["bare"])
        return cls._of_week(thing, tokens) if tokens else None

    @classmethod
    def _of_days(cls, thing: str, first: str, body: str) -> _Week | None:
        """What "On Fridays the office is open until 1 pm" says, which tells of no other day."""
        kinds = "".join(kind for kind, _ in _split(body))
        days, none = _find_days(_split(first)), frozenset[int]()
        if kinds == "c":
            return cls(thing, none, days, is_all=False)
        return cls(thing, days, none, is_all=False) if re.fullmatch("o[TU]?", kinds) else None

    @classmethod
    def _of_week(cls, thing: str, tokens: Sequence[_Token]) -> _Week | None:
        """What "open from Tuesday to Saturday, 10 am to 6 pm, closed on Sundays" says."""
        kinds = "".join(kind for kind, _ in tokens)
        found = (*_SHUT_FIRST.finditer(kinds), *_SHUT_LAST.finditer(kinds))
        shut = {n for each in found for n in range(*each.span())}
        kept = [token for n, token in enumerate(tokens) if n not in shut]
        opened, closed = _find_days(kept), _find_days([tokens[n] for n in shut])
        left = "".join(kind for kind, _ in kept)
        if "c" in left:
            return None
        # "Open until 9 pm on Thursdays and Fridays" may be said of late hours.
        late = ("U" in left and not re.search("R,?T", left)) or re.match(r"o?T[,&]?D", left)
        several = re.search("[REn]", left) or left.count("D") > 1
        return cls(thing, opened, closed, is_all=bool(opened and several and not late))


def _split(text: str) -> list[_Token]:
    """The parts of a text that tells days and hours; none: it tells more."""
    parts: list[_Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastindex is None:
            return []
        parts.append(([*_TOKENS][found.lastindex - 1], found[0]))
        at = found.end() + text.startswith(" ", found.end())
    return parts


def _find_days(tokens: Iterable[_Token]) -> frozenset[int]:
    """The days that tokens name, and those from one to another."""
    days: set[int] = set()
    for kind, said in tokens:
        named = [_read_day(found["day"]) for found in _EACH.finditer(said)]
        if kind == "E":
            days |= _ALL
        elif kind == "R":
            first, last = min(named[0]), max(named[-1])
            days |= {(first + n) % 7 for n in range((last - first) % 7 + 1)}
        else:
            days |= frozenset().union(*named)
    return frozenset(days)


def _is_of(asked: str, told: str) -> bool:
    """Whether a thing that is asked of is the one that a fact tells of."""
    own, thing = (_WHOSE.sub("", f"{each.casefold()} ").strip() for each in (told, asked))
    own = re.sub(r"['’]s?$", "", own)
    # A name: a word alone may be "Registration".
    named = " " in told and all(word[:1].isupper() or word in {"&", "of"} for word in told.split())
    is_house = named and not _WHOSE.match(told.casefold()) and not _PARTS.search(own)
    if thing:
        # "The library" is Hollerby Library.
        return thing == own or (is_house and asked != thing and own.endswith(f" {thing}"))
    return own in {"", "we"} or own in _HOUSES or is_house


def _read_day(name: str) -> frozenset[int]:
    folded = name.casefold().removesuffix("s") if len(name) > 4 else name.casefold()
    if folded in _SETS:
        return _SETS[folded]
    return frozenset(n for day, n in WEEKDAYS.items() if day.startswith(folded))
