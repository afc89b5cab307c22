"""Amounts in a question and in a fact: a number with its unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memedit.editors.prompting.wording import SMALL

_AMOUNT = re.compile(r"(?P<sign>[€£$])?(?P<number>\d[\d.,:]*) ?(?P<unit>°? ?[^\W\d_]+|[%°€£$])?")
_CURRENCIES = {"€": "euros", "£": "pounds", "$": "dollars"}
_MONEY = frozenset({"euro", "pound", "dollar"})
_BOUND = re.compile(
    r"\b(?:up to|at (?:least|most)|from|until|till|within|between|max\w*|min\w*|limit|more|less|"
    r"over|under|above|below|before|after|largest|smallest|oldest|am|pm|"
    r"includ\w*|allow\w*|support\w*|holds?|fits?|seats?)\b|\d:\d\d",
    re.IGNORECASE,
)
"""In a fact with which another number may agree."""


def is_refuted(asked: Sequence[str], counted: Sequence[str], target: str, said: str) -> bool:
    """Whether a question's one number, with its unit, is another amount than a fact's value.

    Args:
        asked: The question's words, folded.
        counted: Those with digits that the fact does not have.
        target: The value.
        said: The fact, with which another number may agree if it sets a bound.
    """
    own = _find_amounts(target)
    new = [number for word in counted for number, _ in _find_amounts(word)]
    others = [each for each in _find_amounts(" ".join(asked)) if each[0] in new]
    if len(own) != 1 or len(others) != 1 or len(counted) != 1 or _BOUND.search(said):
        return False
    return own[0][1] == others[0][1] and own[0][0] != others[0][0]


def is_money(text: str) -> bool:
    """Whether a text has an amount of money."""
    return not _MONEY.isdisjoint(units_of(text))


def units_of(text: str) -> set[str]:
    """The units, in the singular, of the amounts in a text."""
    return {unit for _, unit in _find_amounts(text)}


def _find_amounts(text: str) -> list[tuple[str, str]]:
    """The (number, unit) of each amount in a text; a time of day has none that compares."""
    found = []
    for match in _AMOUNT.finditer(text.casefold()):
        unit = _CURRENCIES.get(match["sign"] or match["unit"] or "", match["unit"] or "")
        number = match["number"].rstrip(".,:").replace(",", "").removesuffix(".00")
        found.append((number, "" if unit in SMALL else unit.strip().removesuffix("s")))
    return found
