"""Which of two amounts is more: the one that a request names, and the one of a fact."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memedit.editors.prompting.supposing import Amount, find_amounts
from memedit.editors.prompting.wording import SMALL, form_of, write_digits

_LATE = re.compile(r"\b(?:evening|tonight|afternoon|night)\b", re.IGNORECASE)
_NOON, _DAWN = 12 * 60, 8 * 60
_VAGUE = 0.04
"""Share by which a month may be longer or shorter than it is taken for."""


def pick_alike(asked: str, told: str) -> list[tuple[Amount, Amount]]:
    """The amounts of two folded texts that count the same, where each has one of that kind."""
    late = _LATE.search(asked) is not None
    pairs = (
        (_set_late(own, others, late=late), others[0])
        for own, others in _find_alike(asked, told)
        if len(others) == 1
    )
    return [(own, other) for own, other in pairs if own is not None]


def compare(own: Amount, other: Amount) -> int:
    """1: the one is more; -1: it is less; 0: nobody knows, or they are about the same."""
    vague = _VAGUE * own.size if own.unit != other.unit and own.kind == "time" else 0.0
    return (own.size > other.size + vague) - (own.size < other.size - vague)


def _find_alike(asked: str, told: str) -> list[tuple[Amount, list[Amount]]]:
    """Each amount that is the only one of its kind in one text, and those of the other one."""
    own, theirs = find_amounts(asked), find_amounts(told)
    single = (each for each in own if sum(_are_alike(other, each) for other in own) == 1)
    found = ((each, [other for other in theirs if _are_alike(other, each)]) for each in single)
    return [(each, others) for each, others in found if others]


def fold(text: str) -> str:
    """A text in small letters, its numerals in digits."""
    return write_digits(text.casefold())


def _are_alike(one: Amount, other: Amount) -> bool:
    """Whether two amounts count the same; of bare numbers nobody knows."""
    if one.kind or other.kind:
        return one.kind == other.kind
    named = one.behind and one.behind not in SMALL
    return bool(named) and form_of(one.behind) == form_of(other.behind)


def _set_late(amount: Amount, others: Sequence[Amount], *, late: bool) -> Amount | None:
    """A time of day as it is meant: "half past seven in the evening"; None: it may be either."""
    if amount.kind != "clock" or amount.size >= _NOON:
        return amount
    if late:
        return Amount("clock", amount.size + _NOON)
    doubtful = amount.size < _DAWN and any(each.size >= _NOON for each in others)
    return None if doubtful else amount
