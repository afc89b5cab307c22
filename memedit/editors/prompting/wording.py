"""The words of a question and of a fact, as they are compared."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"(?:[^\s,;:!?\"“”()]|(?<=\d)[,:](?=\d))+")
_POSSESSIVE = re.compile(r"['’]s?(?=\s)")
SMALL = frozenset(
    "a an the of in on at by to from for with and or as it its is are was were be been does did do"
    " has have had there their this that".split()
)
"""Words that tell nothing."""
_COUNTED = dict(
    zip(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        " sixteen eighteen twenty thirty forty fifty sixty seventy eighty ninety".split(),
        (*range(2, 17), 18, *range(20, 100, 10)),
        strict=True,
    )
)
_NUMERAL = re.compile(rf"(?<![\w'’-])(?:{'|'.join(_COUNTED)})(?![\w'’-])")
_STEM = 5
"""Letters by which two forms of a word are taken for one."""


def write_digits(text: str) -> str:
    """A text with its numerals, but for "one" and those of names, in digits."""
    return _NUMERAL.sub(lambda found: str(_COUNTED[found[0]]), text)


def split_words(text: str) -> list[str]:
    """The words of a text without the marks around them."""
    words = (word.strip(".'’") for word in _TOKEN.findall(_POSSESSIVE.sub(" ", text)))
    return [word for word in words if word]


def fold_words(text: str) -> list[str]:
    """The words of a text, folded."""
    return [word.casefold() for word in split_words(text)]


def stem_of(word: str) -> str:
    """One form of a folded word and of its others."""
    return word.removesuffix("s")[:_STEM]
