"""The month in which something comes again: every nine months, the last time in January.

A base of 1.5B says June. English ones only.
"""

from __future__ import annotations

import re
from calendar import month_name

from memedit.core.days import MONTH, MONTHS
from memedit.editors.prompting.wording import SMALL, fold_words, stem_of

_EVERY = re.compile(
    r"\bevery (?P<count>\d{1,2}|other|second)? ?(?P<unit>months?|years?|half year)\b|"
    r"\b(?P<once>\d{1,2}) (?P<of>months?) (?:after|later)\b",
    re.IGNORECASE,
)
_BOUND = re.compile(
    rf"\b(?:within|latest|earliest|earlier|at least|at most|up to|until|till|used to|longer|not|"
    rf"never|if|unless|except\w*|twice|times|winter|summer|week\w*|{MONTH})\b|n['’]t\b",
    re.IGNORECASE,
)
"""In a fact whose span is no whole one, or is not all that it says of when."""
_PARTS = re.compile(
    r"[.?!;,]+(?:\s|$)|\s(?:so|and|but)\s(?=(?:in )?(?:when|which|what)\b)|"
    r"\s(?=(?:when|(?:in )?(?:which|what) month)\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"\b(?:{MONTH})\b", re.IGNORECASE)
_LAST = re.compile(
    rf"(?P<did>.*\b(?:had|was|were|been|did|done|went|came|saw|met|\w+ed)\b.*?) "
    rf"(?:in|last|at the (?:beginning|start|end) of) (?P<month>{MONTH})",
    re.IGNORECASE,
)
_THE_SAME = re.compile(r"\b(?:last(?: one| time)?|mine|it|there|one)\b", re.IGNORECASE)
_NOT_DONE = re.compile(
    r"\b(?:cancel\w*|miss\w*|skip\w*|mov\w+|postpon\w*|told|said|letters?|calls?|called|e?-?mails?|"
    r"talk\w*|book\w*|bought|next|again|since|none|born|should|would|could|may|might|to)\b|n['’]t\b",
    re.IGNORECASE,
)
"""In what is no last time of what a fact tells of."""
_ASKED = re.compile(r"(?:when|(?:in )?(?:which|what) month) (?P<rest>.+)", re.IGNORECASE)
_NEXT = re.compile(
    r"(?!.*\b(?:open|reach|call|speak|talk)\b).*(?<!['’]s )\bnext"
    r"(?: (?:one|time|due|(?P<noun>[\w-]+))\b.*)?|"
    r".*\b(?:due|expect\w*|come|there|it|one)\b.* again|.*\b(?:come|be) back|"
    r".*\b(?:am i|are we|is it|one)(?: \w+)? due",
    re.IGNORECASE,
)
_ELSE = re.compile(
    r"\b(?:working|if|unless|except\w*|not|before|after|second|earl\w+|until|till|by|instead|"
    r"late)\b|n['’]t\b",
    re.IGNORECASE,
)


def add_to_month(words: str, fact: str) -> str:
    """Which month comes a fact's span after the one that words name; "": nobody knows.

    Args:
        words: A user's, numerals in digits.
        fact: What is told, numerals in digits.
    """
    spans = list(_EVERY.finditer(fact))
    left = _EVERY.sub(" ", fact)
    if len(spans) != 1 or re.search(r"\d", left + words) or _BOUND.search(left):
        return ""
    count, month = _count_months(spans[0]), _find_last(words, _find_stems(left))
    if not month or not 0 < count <= 60 or (count > 12 and count % 12):
        return ""  # in November, but of which year?
    first = MONTHS[month.casefold()]
    told = f"{month_name[(first + count - 1) % 12 + 1]}"
    years = count // 12
    if count % 12 == 0:
        told += " of the next year" if years == 1 else f", {years} years on"
    return f"{count} month{'s' * (count > 1)} after {month_name[first]} is {told}."


def _find_last(words: str, told: frozenset[str]) -> str:
    """The month in which words say that something was last, where they ask no more than when it is
    next; "": they do not. What it is they call as a fact does, whose stems are told, or "it"."""
    parts = [part for each in _PARTS.split(words) if (part := each.strip())]
    lasts = [found for part in parts if (found := _LAST.fullmatch(part))]
    asked = [found["rest"] for part in parts if (found := _ASKED.fullmatch(part))]
    if (len(lasts), len(asked), len(_NAMED.findall(words))) != (1, 1, 1) or _ELSE.search(words):
        return ""
    did, coming = lasts[0]["did"], _NEXT.fullmatch(asked[0])
    known = _THE_SAME.search(did) or told & _find_stems(did)
    if not known or _NOT_DONE.search(did) or coming is None:
        return ""
    return lasts[0]["month"] if not coming["noun"] or told & _find_stems(coming["noun"]) else ""


def _find_stems(text: str) -> frozenset[str]:
    """The beginnings of the words that say what a text is about."""
    words = fold_words(text.replace("-", " "))
    return frozenset(stem_of(word) for word in words if word not in SMALL and len(word) > 2)


def _count_months(found: re.Match[str]) -> int:
    if found["once"]:
        return int(found["once"])
    count = found["count"] or "1"
    number = int(count) if count.isdecimal() else 2
    unit = found["unit"].casefold()
    return 6 if unit.startswith("half") else number * (12 if unit.startswith("year") else 1)
