"""Whole things out of a division: after how many visits a card has paid for itself is 12 where 46
by 4 are 11.5; how many tickets can be bought for 50 euros at 14 is 3."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_DIVIDED = re.compile(r"[\d.]+ / [\d.]+")
_UP = re.compile(
    r"\bafter how many\b|\bhow many\b[^.?!]{0,80}\b(?:at (?:the )?least|needs?|must|have to|has to|"
    r"until|till|before|(?:get|got|gets|earn\w*|pay\w*) (?:it |that )?(?:back|off)|"
    r"pays? for itself|break even)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\bhow many\b[^.?!]{0,40}\b(?:can|could|may)\b[^.?!]{0,40}\b(?:buy|get|afford|fit|fill|take|"
    r"have|send|book|order)\b",
    re.IGNORECASE,
)
_MEASURES = frozenset(
    "% percent second seconds minute minutes min mins hour hours litre litres liter liters ml "
    "gram grams g kg kilo kilos kilogram kilograms mm cm m km metre metres meter meters kilometre "
    "kilometres mile miles degrees gb mb tb".split()
)
"""What comes in parts."""


def round_whole(value: Decimal, unit: str, formula: str, words: str) -> int | None:
    """How many whole things a division comes to: as many as are needed, or as can be had; None: it
    comes out even, is of what comes in parts, or neither is asked.

    Args:
        value: What the formula comes to.
        unit: What is counted.
        formula: As the base wrote it.
        words: A user's.
    """
    even = value == value.to_integral_value()
    if even or unit.casefold() in _MEASURES or not _DIVIDED.fullmatch(formula):
        return None
    if _UP.search(words):
        return math.ceil(value)
    return math.floor(value) if _DOWN.search(words) else None
