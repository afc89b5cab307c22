"""The values of two sentences: which differ, and what one reads like with the other's values.

"Customers may return goods within 30 days." and "Our refund window is 45 days." say the same of
another number: with the old one's value the new one is its paraphrase, which a reader of pairs
judges better than two values. A value is a quantity (a number and what it counts), a time, a date
or a day of the week; names, codes and "room 12" may be what a sentence is about, and stay.
"""

from __future__ import annotations

import re
from calendar import day_abbr, day_name, month_abbr, month_name
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from memedit.model.restating import IDENTIFIES, NO_UNIT

_MONTHS = "|".join(sorted({*month_name[1:], *month_abbr[1:]}, key=len, reverse=True))
_DAYS = "|".join(sorted({*day_name, *day_abbr} - {"Sun", "Sat", "Wed"}, key=len, reverse=True))
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_UNITS = {
    "duration": "second minute min hour day night week month year",
    "money": "euro dollar pound cent franc eur usd gbp chf",
    "weight": "kg g gram kilo kilogram tonne lb mg",
    "length": "km m cm mm metre meter kilometre kilometer mile foot inch",
    "data": "kb mb gb tb megabyte gigabyte",
    "share": "percent % per",
    "time": "o'clock",
}
_DIMENSIONS = {unit: name for name, units in _UNITS.items() for unit in units.split()}
_SIGNS = {"€": "money", "$": "money", "£": "money", "%": "share"}
_FOUND = re.compile(
    rf"(?P<time>\b\d{{1,2}}(?::\d\d)?\s?(?:[ap]m\b|[ap]\.m\.)|\b\d{{1,2}}:\d\d\b)"
    rf"|(?P<date>\b\d{{1,2}}(?:st|nd|rd|th)?\.?\s(?:of\s)?(?:{_MONTHS})\b(?:\s\d{{4}}\b)?"
    rf"|\b(?:{_MONTHS})\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?"
    rf"|\b\d{{4}}-\d\d-\d\d\b|\b(?!May\b)(?:{_MONTHS})\b(?:\s\d{{4}}\b)?"
    r"|(?:(?<=\bin\s)|(?<=\bby\s)|(?<=\bfrom\s)|(?<=\bsince\s)|(?<=\buntil\s))May\b)"
    rf"|(?P<day>\b(?:{_DAYS})s?\b)"
    r"|(?P<rank>\b\d+(?:st|nd|rd|th)\b)"
    r"|(?P<code>\b(?=[\w.@/-]{2,40}\b)(?=[\w.@/-]*\d)(?=[\w.@/-]*[A-Za-z])\w[\w.@/-]*\w\b)"
    r"|(?P<phone>\b0\d[\d ]{4,20}\d\b)"
    rf"|(?P<number>[€$£]\s?(?:{_NUMBER})|(?<![\w.])(?:{_NUMBER})(?![\w]|[.,]\d)\s?%?"
    rf"|\b(?:{'|'.join(_NUMBERS)})\b)",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[\s-]*(?:(?:working|business|calendar|full|square|million|thousand)\s)?([A-Za-z%€$£']+)"
)
_LAST = re.compile(r"(\w+)[\s#.]*$")
_EVERY = re.compile(r"\b(?:every|each)\s+$", re.IGNORECASE)
"""Before a quantity that says how often something is: "every 2 hours" is not how long it takes."""
_BEFORE = 40
"""Characters before a number in which the word before it is looked for."""
_LONGEST = 600
"""Characters of a text whose values are read."""


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value stands, and of what kind it is.

    Attributes:
        kind: ``time``, ``date``, ``day``, ``rank``, ``phone``, or what a number measures or counts.
        said: The value, folded, by which two are compared.
    """

    kind: str
    said: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Swapped:
    """A new sentence beside an old one.

    Attributes:
        text: The new one with the old one's values where they differ.
        kinds: What differs, one for each pair of values.
        extra: Values of the new one that the old one has nothing for.
        missing: Values of the old one that the new one has nothing for.
    """

    text: str
    kinds: tuple[str, ...]
    extra: int
    missing: int


def swap_values(old: str, new: str) -> Swapped:
    """``new`` with the values of ``old``, of one kind and in their order; time linear in both."""
    left, right = (_group(find_values(text)) for text in (old, new))
    pairs, extra, missing = list[tuple[Value, Value]](), 0, 0
    for kind in {**left, **right}:
        one, two = left.get(kind, []), right.get(kind, [])
        shared = {v.said for v in one} & {v.said for v in two}
        one = [v for v in one if v.said not in shared]
        two = [v for v in two if v.said not in shared]
        pairs += zip(one, two, strict=False)
        extra, missing = extra + max(0, len(two) - len(one)), missing + max(0, len(one) - len(two))
    pairs.sort(key=lambda pair: pair[1].start)
    text, at = "", 0
    for was, now in pairs:
        text += new[at : now.start] + old[was.start : was.end]
        at = now.end
    return Swapped(text + new[at:], tuple(now.kind for _, now in pairs), extra, missing)


def find_values(text: str) -> list[Value]:
    """The values of a text's first 600 characters, in order."""
    text = text[:_LONGEST]
    found = list[Value]()
    for match in _FOUND.finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind == "number":
            kind, end = _measure(text, start, end)
        if kind in ("", "code"):
            continue
        if _EVERY.search(text, max(0, start - _BEFORE), start):
            kind = f"every {kind}"
        found.append(Value(kind, _fold(match[0]), start, end))
    return found


def _measure(text: str, start: int, end: int) -> tuple[str, int]:
    """What a number measures or counts, and where it ends; "": nothing, or it names a thing."""
    said = text[start:end].strip()
    end = start + len(text[start:end].rstrip())
    for sign, kind in _SIGNS.items():
        if sign in said:
            return kind, end
    unit = _UNIT.match(text, end)
    word = (unit[1] if unit else "").casefold().rstrip("'")
    word = word.removesuffix("'s")
    if said.isalpha() and not word:
        return "", end
    plain = word[:-1] if word.endswith("s") and len(word) > 2 else word
    if (kind := _DIMENSIONS.get(plain, "")) and unit:
        return kind, unit.start(1) + len(word)
    before = _LAST.search(text, max(0, start - _BEFORE), start)
    named = before is not None and (
        before[1].casefold() in IDENTIFIES or (before.start() > 0 and before[1][0].isupper())
    )
    if named or said.isalpha():
        return "", end
    counted = "" if word in NO_UNIT else plain[:5]
    return _SIGNS.get(word, f"count {counted}"), end


def _fold(said: str) -> str:
    text = said.casefold().replace(",", "").strip(" .")
    return str(_NUMBERS.index(text) + 1) if text in _NUMBERS else text


def _group(values: Sequence[Value]) -> dict[str, list[Value]]:
    found = defaultdict[str, list[Value]](list)
    for value in values:
        found[value.kind].append(value)
    return found
