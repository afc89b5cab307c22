"""Two sentences in which two things have changed places: "The bus from the campsite to the beach",
"the bus from the beach to the campsite"; "Lena beat Sofia", "Sofia beat Lena".

A reader of pairs sees the same words. What holds one way may hold the other way, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from memedit.core.text import find_words

_FROM_TO = re.compile(
    r"\bfrom\s(?:the\s|an?\s|our\s)?(?P<one>\w[^,.;:!?]{0,40}?)\s(?:back\s)?(?:in)?to\s"
    r"(?:the\s|an?\s|our\s)?(?P<two>\w+)",
    re.IGNORECASE,
)
_NO_NAMES = frozenset("the a an our we you i it who what which where when how my your".split())
_MOST = 12
"""Names of a sentence that are looked at."""


def swaps(old: str, new: str) -> bool:
    """Whether two that both sentences name have changed places in the same frame."""
    was, now = (_FROM_TO.search(text) for text in (old, new))
    if was is not None and now is not None:
        ends = [[each[name].casefold() for name in ("one", "two")] for each in (was, now)]
        if ends[0] == ends[1][::-1] != ends[1]:
            return True
    said = {*_read_frames(old)}
    return any((b, a, frame) in said for a, b, frame in _read_frames(new))


def _read_frames(text: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each two names, and the first words between them."""
    words = find_words(text)
    names = [n for n, w in enumerate(words) if text[w.start].isupper() and w.text not in _NO_NAMES]
    for a, b in combinations(names[:_MOST], 2):
        between = tuple(word.text for word in words[a + 1 : min(b, a + 3)])
        if between and words[a].text != words[b].text:
            yield words[a].text, words[b].text, between
