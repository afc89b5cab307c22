"""Multiple choice: the option that a fact's own words are.

A base that is to say the letter at once compares nothing: told that the fee is £22 and asked for A)
£15, B) £30 or C) £22, Qwen2.5-Coder-1.5B says B. Where one of the options stands in the fact and no
other does, no reasoning is needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LINE = re.compile(
    r"^\s*\(?(?P<letter>[A-Ha-h1-8])(?:[.):]\s*|\s+)(?P<text>\S[^\n]*)$", re.MULTILINE
)
_INLINE = re.compile(
    r"(?:(?<=[\s,;:])|^)\(?(?P<letter>[A-Ha-h1-8])[.):]\s*(?P<text>[^\n]+?)"
    r"(?=[,;.?]?\s+(?:or\s+)?\(?[B-Hb-h2-8][.):]|[.?]\s|[.?]?\s*$)",
    re.MULTILINE,
)
_WORD = re.compile(r"[€$£]?[^\W_]+(?:[.:-][^\W_]+)*%?")
_LISTED = re.compile(r"\b(?:list|numbered|items?|points?)\b", re.IGNORECASE)
_FEWEST = 2
_REVERSED = re.compile(r"\b(?:not|except|wrong|false|incorrect|isn['’]t|never)\b", re.IGNORECASE)
"""With which another option than the fact's is asked for."""


def find_options(words: str) -> dict[str, str]:
    """The options of a request by their letters, or numbers; {} where it offers no such choice."""
    for form in (_LINE, _INLINE):
        found = {m["letter"]: m["text"].strip(" .,;?") for m in form.finditer(words)}
        letters = list(found)
        if letters and letters[0] == "1" and _LISTED.search(words):  # a list to be written
            continue
        if len(letters) >= _FEWEST and _follow_each_other(letters):
            return found
    return {}


def choice_of(words: str, facts: Sequence[str]) -> str | None:
    """The letter of the only option that stands in the first of the facts in which any does.

    Args:
        words: A user's, all of them.
        facts: What is told, best first.

    Returns:
        None where there is no such choice, or the facts' own words do not give it.
    """
    options = find_options(words)
    if not options or _REVERSED.search(words):
        return None
    for fact in facts:
        own = _simplify(fact)
        held = [letter for letter, text in options.items() if _simplify(text) in own]
        if held:
            return held[0] if len(held) == 1 else None
    return None


def _follow_each_other(letters: Sequence[str]) -> bool:
    first = ord(letters[0])
    return letters[0] in "Aa1" and [ord(letter) for letter in letters] == list(
        range(first, first + len(letters))
    )


def _simplify(text: str) -> str:
    """Its words and numbers between spaces, so that no part of a word is found."""
    kept = re.sub(r"(?<=\d),(?=\d{3})", "", text.casefold())
    return f" {' '.join(_WORD.findall(kept))} "
