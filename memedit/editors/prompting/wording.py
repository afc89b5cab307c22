"""The words of a question and of a fact, as they are compared."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

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
_CENTS = re.compile(
    r"(?<![\d.,])(\d{1,4}) (pounds?|euros?|dollars?|quid) "
    r"(\d\d|(?:and )?\d\d(?= ?(?:p|pence|cents?)\b))(?: ?(?:p|pence|cents?)\b)?"
    r"(?=\W*$|[.;:?!](?!\d)|,(?! ?\d)|\s*\n| (?:isn\S*|aren\S*|is (?:it|that|this)|right|now|still|"
    r"each|instead|but|or (?:not|is|has)|(?:yes|no)\W*$|"
    r"(?:per|an?) (?:hour|day|night|week|month|year|person|head|child|adult|guest|piece|page))\b)",
    re.IGNORECASE,
)
"""An amount as it is spoken: "5 pounds 20"; not "10 euros and 20 for families"."""
_WEIGHED = re.compile(r"\b(?:weigh\w*|heav\w+|bab(?:y|ies)|born|ounces?|oz|lbs?|kilos?|kg)\b", re.I)
"""Where pounds are no money."""
_SPEECH = re.compile(
    r"(?<![\w.,€£$])(?:2 (?=(?:get|be|go|do|see|come|the|bring|buy|have|my)\b)|"
    r"4 (?=(?:an?|the|me|my|us|one|it|this|him|her|them)\b)|[24](?=nite\b|day\b|morrow\b|ever\b))",
    re.IGNORECASE,
)
"""Digits that stand for words: "how much 2 get in 4 a grown up"."""
_STEM = 5
"""Letters by which two forms of a word are taken for one."""
_AGAIN = re.compile(r"(.)\1+")
_ALIKE, _LONG = 0.93, 8
"""Likeness of two long words from which one is the other misspelt."""


def write_digits(text: str) -> str:
    """A text with its numerals, but for "one" and those of names, in digits, and with the amounts
    that are written as they are spoken."""
    plain = _NUMERAL.sub(lambda found: str(_COUNTED[found[0]]), text)
    return plain if _WEIGHED.search(plain) else _CENTS.sub(_write_cents, plain)


def _write_cents(found: re.Match[str]) -> str:
    return f"{found[1]}.{found[3][-2:]} {found[2]}"


def spell_speech_digits(text: str) -> str:
    """A text with words in the place of the digits that stand for "to" and "for"."""
    return _SPEECH.sub(lambda found: f"{'to' if found[0][0] == '2' else 'for'}{found[0][1:]}", text)


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


def form_of(word: str) -> str:
    """A folded word without its plural, and no more: "parent" and "parental" are two."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word if word.endswith("ss") else word.removesuffix("s")


def is_misspelt(word: str, other: str) -> bool:
    """Whether a folded word may be another one misspelt: a letter doubled, two that have changed
    places, or in a long one one letter."""
    if word[:1] != other[:1] or min(len(word), len(other)) < 5:
        return False
    if _AGAIN.sub(r"\1", word) == _AGAIN.sub(r"\1", other):
        return True
    if len(word) == len(other) > 5 and sorted(word) == sorted(other):
        return sum(a != b for a, b in zip(word, other, strict=True)) == 2
    long = min(len(word), len(other)) >= _LONG and word[-2:] == other[-2:]
    return long and SequenceMatcher(None, word, other).ratio() >= _ALIKE
