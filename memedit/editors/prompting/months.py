"""The month in which something comes again: every nine months, the last time in January.

A base of 1.5B says June. English ones only.
"""

from __future__ import annotations

import re
from calendar import month_name

from memedit.core.days import MONTH, MONTHS

_EVERY = re.compile(
    r"\bevery (?P<count>\d{1,2}|other|second)? ?(?P<unit>months?|years?|half year)\b|"
    r"\b(?P<once>\d{1,2}) (?P<of>months?) (?:after|later)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b(?:in|since|from|last|of|was|on|at the (?:beginning|start|end) of|early|late|mid) "
    rf"(?P<month>{MONTH})\b(?! \d)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\b(?:last|had|was|were|did|done|since|been|went|got|came|saw|have (?!to\b))", re.IGNORECASE
)
_NEXT = re.compile(
    r"\b(?:next|again|due|expect\w*|follow\w*|back|another|(?:which|what) month)\b", re.IGNORECASE
)
_ELSE = re.compile(
    r"\b(?:working|if|unless|except\w*|not|before|earl\w+|until|till|by|instead|late)\b|n['’]t\b",
    re.IGNORECASE,
)


def add_to_month(words: str, fact: str) -> str:
    """Which month comes a fact's span after the one that words name; "": nobody knows.

    Args:
        words: A user's, numerals in digits.
        fact: What is told, numerals in digits.
    """
    spans, named = list(_EVERY.finditer(fact)), list(_NAMED.finditer(words))
    plain = _BEFORE.search(words) and _NEXT.search(words) and not _ELSE.search(words)
    if len(spans) != 1 or len(named) != 1 or not plain or re.search(r"\d", words):
        return ""
    count = _count_months(spans[0])
    if not 0 < count <= 60:
        return ""
    first = MONTHS[named[0]["month"].casefold()]
    told = f"{month_name[(first + count - 1) % 12 + 1]}"
    years = count // 12
    if count % 12 == 0:
        told += " of the next year" if years == 1 else f", {years} years on"
    return f"{count} months after {month_name[first]} is {told}."


def _count_months(found: re.Match[str]) -> int:
    if found["once"]:
        return int(found["once"])
    count = found["count"] or "1"
    number = int(count) if count.isdecimal() else 2
    unit = found["unit"].casefold()
    return 6 if unit.startswith("half") else number * (12 if unit.startswith("year") else 1)
