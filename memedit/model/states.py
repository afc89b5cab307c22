"""Two sentences about one thing that give it another state: "Parking costs 3 euros." and "Parking
is free.", "The shop is open on Sundays." and "… is closed on Sundays.", "There is no setup fee."
and "The setup fee is 49 euros.".

Only of the very same thing, and with the same words behind it: "free for students" leaves what
others pay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from memedit.core.text import words_of

_FREE = "free of charge|free|gratis|complimentary|included|waived|at no (?:extra )?(?:cost|charge)"
_SORTS: dict[str, tuple[str, str]] = {
    "open": ("open", "closed|shut"),
    "price": (
        rf"{_FREE}", "charged (?:extra|separately)|subject to a (?:fee|charge)|chargeable|extra"
    ),
    "stock": ("in stock|available", "sold out|out of stock|unavailable"),
    "order": (
        "working|in (?:service|operation)|operational|in order|fixed|repaired|running",
        "out of (?:order|service|operation)|broken|defective|down",
    ),
    "duty": ("mandatory|compulsory|obligatory|required|necessary", "optional|voluntary"),
    "leave": ("allowed|permitted|welcome", "forbidden|prohibited|banned"),
    "use": (
        "active|enabled|switched on|valid",
        "inactive|disabled|switched off|suspended|invalid|expired",
    ),
    "line": ("online", "offline"),
    "held": ("confirmed|taking place", "cancell?ed|called off|postponed"),
}  # fmt: skip
"""The two sides of what a thing may be."""
_STATES = {
    re.compile(rf"(?:{words})\b", re.IGNORECASE): (sort, value)
    for sort, sides in _SORTS.items()
    for words, value in zip(sides, (True, False), strict=True)
}
_IS = re.compile(r"\s(?:is|are|has been|have been)(?P<no>n['’]t)?\s", re.IGNORECASE)
_BESIDE = re.compile(
    r"(?:(?P<no>not|no longer)|now|again|currently|still|back|completely|fully|once more|also|"
    r"unfortunately|therefore)\s",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"\s(?:costs?|is|are|comes? to|amounts? to)\s(?:[€$£]\s?\d[\d.,]*|\d[\d.,]*\s?(?:€|\$|£|"
    r"(?:euros?|dollars?|pounds?|cents?|francs?|crowns?|eur|usd|gbp|chf)\b))",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\s*(?:(?:per|an?|each|every) (?:person|guest|head|day|night|hour|week|month|year|vehicle|car|"
    r"item|order|parcel)|each|extra|monthly|yearly|daily)\b",
    re.IGNORECASE,
)
"""What a price is for."""
_THERE = re.compile(
    r"there(?:['’]s|\sis|\sare)\s(?P<no>no|no longer an?|no longer any)\s(?P<about>.+)",
    re.IGNORECASE,
)
_IDLE = frozenset("a an the now again too also currently any more longer anymore at all".split())
"""Words that change nothing behind a state."""
_WHY = re.compile(
    r"(?:for (?:renovations?|maintenance|repairs?|construction|good)|due to|because of|owing to|"
    r"until further notice|permanently|temporarily)\b",
    re.IGNORECASE,
)
_OPAQUE = frozenset("it this that they these those he she everything something here there".split())
_FEES = frozenset("fee charge deposit surcharge cost toll commission tip cover".split())
_PLACES = frozenset("room seat table desk slot place spot appointment bed court lane line".split())
"""What is free where nobody has it."""
_LONGEST = 240
"""Characters of a statement that is read."""
Change = Literal["replaces", "perhaps"]


@dataclass(frozen=True, slots=True)
class _State:
    """What a sentence says a thing is.

    Attributes:
        about: The words of the thing.
        sort: Of which two sides.
        value: On which of them.
        rest: The words behind.
        why: Whether these only say why.
    """

    about: tuple[str, ...]
    sort: str
    value: bool
    rest: tuple[str, ...]
    why: bool = False


def compare_states(old: str, new: str) -> Change | None:
    """What ``new`` does to ``old`` where both give a state of one thing; None: they do not, or the
    same."""
    if max(len(old), len(new)) > _LONGEST:
        return None
    for was in _read_states(old):
        for now in _read_states(new):
            if was.about != now.about or was.sort != now.sort or was.value == now.value:
                continue
            if was.rest == now.rest:
                return "replaces"
            if now.why and not was.rest:
                return "perhaps"
    return None


def agree_in_state(old: str, new: str) -> bool:
    """Whether both say the same state of one thing: what is not free and what costs 3 euros."""
    if max(len(old), len(new)) > _LONGEST or compare_states(old, new) is not None:
        return False
    stated = [{(s.about, s.sort, s.value, s.rest) for s in _read_states(t)} for t in (old, new)]
    return not stated[0].isdisjoint(stated[1]) and not (_MONEY.search(old) and _MONEY.search(new))


def _read_states(text: str) -> list[_State]:
    """What a sentence may be read as: it may give a price, which is a state of what it costs, and
    say that there is such a thing."""
    plain = " ".join(text.split()).rstrip(" .!")
    found = _THERE.match(plain)
    if found is not None:
        return _make(found["about"], "there", "", value=False)
    states = list[_State]()
    if (money := _MONEY.search(plain)) is not None:
        behind = _UNIT.sub("", plain[money.end() :], count=1)
        states += _make(plain[: money.start()], "price", behind, value=False)
        states += _make(plain[: money.start()], "there", behind, value=True)
    for verb in _IS.finditer(plain):
        states += _read_state(plain, verb)
    return states


def _read_state(plain: str, verb: re.Match[str]) -> list[_State]:
    at, denied = verb.end(), verb["no"] is not None
    while (beside := _BESIDE.match(plain, at)) is not None:
        at, denied = beside.end(), denied != (beside["no"] is not None)
    for pattern, (sort, value) in _STATES.items():
        found = pattern.match(plain, at)
        if found is not None:
            about, free = plain[: verb.start()], found[0].casefold() == "free"
            if sort == "price" and free and _PLACES & {*words_of(about)}:
                return []
            return _make(about, sort, plain[found.end() :], value=value != denied)
    return []


def _make(about: str, sort: str, behind: str, *, value: bool) -> list[_State]:
    thing = tuple(word.rstrip("s") for word in words_of(about) if word not in _IDLE)
    if not thing or thing[0] in _OPAQUE or thing[-1] in _OPAQUE:
        return []
    rest = tuple(word for word in words_of(behind) if word not in _IDLE)
    if sort == "price" and rest[:3] == ("in", "price"):
        rest = ()
    if sort == "there" and not _FEES & {*thing}:
        return []  # what is sold out has a price
    return [_State(thing, sort, value, rest, why=_WHY.match(behind.strip()) is not None)]


_MOVED = re.compile(
    r"(?:has|have|was|were)\s(?:now\s|been\s)*(?:moved|changed|raised|increased|reduced|lowered|cut|"
    r"extended|shortened|postponed|brought forward|shifted|rescheduled|renamed|updated|corrected|"
    r"dropped|gone (?:up|down)|risen|fallen|relocated|switched|put back|delayed|put up)\s",
    re.IGNORECASE,
)
_MOVES = _IDLE | frozenset("we our they of for in on at by price cost fee rate".split())
"""Words that need not stand in what is changed."""
_FROM_TO = re.compile(r"\bfrom\s(?P<old>.{1,60}?)\sto\s(?P<new>.{1,60})$", re.IGNORECASE)


def is_moved(old: str, new: str) -> bool:
    """Whether ``new`` says that what ``old`` gives was changed: "The deadline has been moved from 3
    May to 5 May."."""
    plain = " ".join(new.split()).rstrip(" .!")
    changed = _MOVED.search(plain) if len(plain) <= _LONGEST else None
    found = _FROM_TO.search(plain, changed.end()) if changed is not None else None
    if changed is None or found is None:
        return False
    about = f"{plain[: changed.start()]} {plain[changed.end() : found.start()]}"
    said, value = _fold(words_of(old)), _fold(words_of(found["old"]))
    named = {word for word in _fold(words_of(about)) if word not in _MOVES}
    return bool(named) and named <= {*said} and _stands_in(value, said)


def _stands_in(words: Sequence[str], said: Sequence[str]) -> bool:
    size = len(words)
    return any([*said[at : at + size]] == [*words] for at in range(len(said) - size + 1))


def _fold(words: Sequence[str]) -> list[str]:
    return [word.rstrip("s") or word for word in words]
