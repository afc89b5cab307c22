"""Whether a longer text is another one's copy with something changed: a new version of it.

A paragraph that comes again in nearly the same words, with another date, name or word within, has
been rewritten. What names its subject stands at its beginning: where names differ there, it is a
paragraph of the same form about something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from memedit.core.text import Word, find_words

_SHORTEST, _LONGEST = 25, 400
"""Words of a text that is compared."""
_ALIKE = 0.85
"""Share of the words of both that are the same, in their order."""
_BEGINNING = 5
"""Words within which a text says what it is about."""
_MOST = 8
"""Words of what is another."""
_JOINS = frozenset(
    "a an the of in on at by to for from with as and or but nor so than then that this these those "
    "it its he his him she her they their them who which what when where is are was were be been "
    "being has have had do does did not also there here into onto upon".split()
)


def is_changed_copy(old: str, new: str) -> bool:
    """Whether ``new`` is ``old`` with something in it that is another."""
    one, two = find_words(old), find_words(new)
    before, after = [w.text for w in one], [w.text for w in two]
    if not _may_be_copy(before, after):
        return False
    # autojunk would leave out words that come often in a long text: "the", "is".
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return False
    changed = [code for code in matcher.get_opcodes() if code[0] == "replace"]
    others = any(
        max(b - a, d - c) <= _MOST and _says(one[a:b]) and _says(two[c:d])
        for _, a, b, c, d in changed
    )
    named = (
        min(a, c) < _BEGINNING and _is_named(old, one[a:b]) and _is_named(new, two[c:d])
        for _, a, b, c, d in changed
    )
    return others and not any(named)


def _may_be_copy(one: Sequence[str], two: Sequence[str]) -> bool:
    """Whether so many words are the same that it is worth looking at their order."""
    if not _SHORTEST <= min(len(one), len(two)) or max(len(one), len(two)) > _LONGEST:
        return False
    shared = (Counter(one) & Counter(two)).total()
    return 2 * shared >= _ALIKE * (len(one) + len(two))


def _says(words: Sequence[Word]) -> bool:
    """Whether words say something, and do not only join others."""
    return any(word.text not in _JOINS for word in words)


def _is_named(text: str, words: Sequence[Word]) -> bool:
    """Whether words are a name and no date."""
    return any(text[word.start].isupper() for word in words) and not any(
        _has_digit(word.text) for word in words
    )


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
