"""Spelling as it comes from keyboards: typos, lower case, missing marks, shortened words."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from memedit.training.requests.banks import bank

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORD = re.compile(r"[^\W\d_]{4,}")


def add_noise(text: str, rng: random.Random) -> str:
    """The text with one or two kinds of carelessness."""
    forms: list[Callable[[str, random.Random], str]] = [
        _typo, _typo, _lower, _lower, _drop_marks, _short, _shout, _misspace, _accentless
    ]  # fmt: skip
    for form in rng.sample(forms, rng.choice((1, 1, 2, 2, 3))):
        text = form(text, rng)
    return text


def _typo(text: str, rng: random.Random) -> str:
    """One or two words mistyped; words without digits, so that no identifier becomes another."""
    for _ in range(1 if len(text) < 40 else rng.choice((1, 2))):
        words = list(_WORD.finditer(text))
        if not words:
            return text
        at = rng.choice(words)
        text = text[: at.start()] + _mistype(at.group(), rng) + text[at.end() :]
    return text


def _mistype(word: str, rng: random.Random) -> str:
    i = rng.randrange(1, len(word) - 1)
    draw = rng.random()
    if draw < 0.3:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if draw < 0.55:
        return word[:i] + word[i + 1 :]
    if draw < 0.75:
        return word[:i] + word[i] + word[i:]
    for row in _ROWS:
        if (at := row.find(word[i].lower())) >= 0:
            return (
                word[:i]
                + row[at + rng.choice((-1, 1)) if 0 < at < len(row) - 1 else at - 1]
                + (word[i + 1 :])
            )
    return word


def _lower(text: str, rng: random.Random) -> str:
    return text.lower()


def _drop_marks(text: str, rng: random.Random) -> str:
    return text.rstrip("?.! ") if rng.random() < 0.7 else re.sub(r"[',’\"]", "", text)


def _short(text: str, rng: random.Random) -> str:
    pairs = list(bank("frames")["casual"].items())
    rng.shuffle(pairs)
    for long, short in pairs[: len(pairs) // 2]:
        text = re.sub(rf"\b{long}\b", short, text, count=1)
    return text


def _shout(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.3:
        return text.upper()
    return text.rstrip("?.! ") + rng.choice(("??", "???", "?!", "...", " ?", "!!"))


def _misspace(text: str, rng: random.Random) -> str:
    at = [m.start() for m in re.finditer(" ", text)]
    if not at:
        return text
    i = rng.choice(at)
    return text[:i] + rng.choice(("  ", "\n")) + text[i + 1 :]


def _accentless(text: str, rng: random.Random) -> str:
    import unicodedata

    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c))
