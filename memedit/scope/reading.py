"""What the cross-encoder reads of a request and of an edit: both cut to what matters.

The training cuts the same way (:mod:`memedit.training.cross`), so that it learns what will be read.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TypeAlias

from memedit.core.days import find_first_day
from memedit.core.moments import UTC
from memedit.core.plainly import drop_lead, drop_present
from memedit.core.types import Hit

TextPair: TypeAlias = tuple[str, str]
REQUEST_CHARS, FACT_CHARS = 400, 300
_HEAD = 60
"""Characters of a long fact's beginning (its title or subject) that stand before its best part."""
_SENTENCE = re.compile(r"(?<=[.!?;:\n])\s+")
_WORD = re.compile(r"\w+")
_ASKS_WHEN = re.compile(r"\b(?:when|since|from|starting|dates?|days?)\b", re.IGNORECASE)
_STEM = 7
"""Letters of a word by which two texts are compared."""


def pair_texts(hit: Hit, query: str) -> TextPair:
    """The request around what was compared, and the fact, of a long one its best part."""
    start = query.rfind(hit.view) if hit.view else -1
    end = start + len(hit.view) if start >= 0 else len(query)
    # "Parking is free now.": with "now" it would seem to answer another question than without.
    fact = drop_present(drop_lead(hit.record.edit.statement))
    if hit.record.valid_from is not None and not _ASKS_WHEN.search(query):
        fact = _drop_first_day(fact)
    return window(query, max(start, 0), end), fact_text(fact, query)


def _drop_first_day(fact: str) -> str:
    """A fact without the words that say since when it holds, which its dates say: with them it
    would seem to answer another question ("As of Friday the fee is 60 euros."). Of several
    sentences one may say the day of another."""
    if _SENTENCE.search(fact.strip()):
        return fact
    found = find_first_day(fact, datetime.now(UTC), UTC, coming=False, today=True)
    return fact if found is None else found.rest


def window(query: str, start: int, end: int, budget: int = REQUEST_CHARS) -> str:
    """``query`` cut to ``budget`` characters around ``[start, end)``, its white space folded.

    What precedes is worth more than what follows: pronouns point back.
    """
    if len(query) <= budget:
        return " ".join(query.split())
    if end - start > budget:
        start = end - budget  # its end: the question comes last
    right = min(len(query), end + (budget - (end - start)) // 3)
    left = max(0, right - budget)
    text = query[left : min(len(query), left + budget)]
    # The rest of a word that was cut would be read as another word.
    if left and " " in text[:40]:
        text = text[text.index(" ") + 1 :]
    return " ".join(text.split())


def fact_text(statement: str, query: str, budget: int = FACT_CHARS) -> str:
    """The fact; of a long one its beginning and the sentences that share most with ``query``."""
    flat = " ".join(statement.split())
    if len(flat) <= budget:
        return flat
    parts = [part for part in _SENTENCE.split(statement.strip()) if part.strip()]
    first, last = _grow(parts, _choose_best(parts, query), budget - _HEAD)
    body = " ".join(" ".join(parts[first : last + 1]).split())[:budget]
    return body if first == 0 else f"{flat[:_HEAD].rsplit(' ', 1)[0]} … {body}"


def _choose_best(parts: list[str], query: str) -> int:
    """The part that shares most with the query, long words counting more."""
    asked = _stem_words(query)
    return max(range(len(parts)), key=lambda i: sum(map(len, _stem_words(parts[i]) & asked)))


def _stem_words(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.casefold()) if len(word) > 2}


def _grow(parts: list[str], best: int, budget: int) -> tuple[int, int]:
    """(first, last) of the parts around ``best`` that fit, those after it before those before."""
    first = last = best
    size = len(parts[best])
    while True:
        before = size
        if last + 1 < len(parts) and size + len(parts[last + 1]) < budget:
            last += 1
            size += len(parts[last])
        if first > 0 and size + len(parts[first - 1]) < budget:
            first -= 1
            size += len(parts[first])
        if size == before:
            return first, last
