"""A question and a fact, word by word: whether the question says the fact's value, or another.

In two ways: of a question that is the fact's own sentence, and of one in other words about it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from memedit.core.types import Edit
from memedit.editors.prompting.amounts import is_money, is_refuted, units_of
from memedit.editors.prompting.declaring import declare
from memedit.editors.prompting.synonyms import PRICE, means_one_of
from memedit.editors.prompting.wording import SMALL, fold_words, split_words, stem_of, write_digits

Verdict = Literal["Yes", "No"]
DO = frozenset("do does did".split())
_NAMED = re.compile(r"\W?\d|[^\W\d_a-z]")
_WEIGHS = frozenset(
    "not no never only still already any other else more most less least than over under above"
    " below before after within until between about around such like large good real same true"
    " longer later earlier always ever also both either just too enough".split()
)
"""Words with which a question asks something that takes a comparison, or another sense."""
_LISTED = re.compile(r",|\b(?:and|or|&)\b")
_JOINED = re.compile(r"\b(?:and|or|&)\b|,.*,")
_DIGIT = re.compile(r"\d")
_FILLING = frozenset(
    "please pls currently actually called named now there it who being one person place".split()
)
"""Words that ask nothing."""
_KIND = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|\w{3,}(?:ish|ese|[^g]ian)")
"""Names of days, languages and peoples: of a kind of their own."""
_ALMOST = 0.75
"""Likeness of two names from which one may be the other misspelt."""
_TITLES = frozenset("mr mrs ms miss dr prof professor sir".split())
_PARTICLES = frozenset(
    "von van der den de del della di da dos das du el al bin ibn zu zur ter".split()
)
"""Small letters in a name: "Marie Eleonore von der Leyen"."""
_VOWELS = re.compile(r"(?<=.)[aeiouy]+")
_MOST = 6
"""Words of a value."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a fact.

    Attributes:
        verb: The question's, folded.
        written: Its other words, as they stand there.
        asked: Them, folded.
        said: The fact as a sentence.
        fact: The words of that, folded.
        target: Its value.
        about: What it is about.
    """

    verb: str
    written: tuple[str, ...]
    asked: tuple[str, ...]
    said: str
    fact: tuple[str, ...]
    target: str
    about: str

    @classmethod
    def of(cls, verb: str, rest: str, edit: Edit) -> Pair:
        """A question, in two, and an edit with an object."""
        said, written = write_digits(declare(edit)), tuple(split_words(write_digits(rest)))
        asked = tuple(word.casefold() for word in written)
        target, about = write_digits(edit.target_new or ""), write_digits(edit.subject or "")
        return cls(verb.casefold(), written, asked, said, tuple(fold_words(said)), target, about)

    def asks_more(self, asked: Collection[str]) -> bool:
        """Whether a question asks something that takes a comparison, or another sense."""
        return bool(_WEIGHS & {*asked} - {*self.fact})

    def refutes(self, asked: Sequence[str], counted: Sequence[str]) -> bool:
        """Whether a question's number is another than the fact's."""
        return is_refuted(asked, counted, self.target, self.said)


def compare_sentences(pair: Pair) -> Verdict | None:
    """Of a question that is the fact's own sentence with a value in its object's place."""
    value = _tell(pair.target)
    asked = _find_told_forms(pair, value)
    left = _find_value(pair, asked, value)
    if not left:
        return None
    small = (SMALL | _TITLES | _PARTICLES) - value
    said = {word for word in asked[left[0] : left[-1] + 1] if word not in small}
    if said == value:
        return "Yes"
    if said <= value or value <= said:  # a part of it, or more than it: who knows
        return None
    if not _DIGIT.search(pair.target):
        return "No" if _says_other_name(pair, asked, left, said) else None
    counted = [asked[n] for n in left if _DIGIT.search(pair.written[n])]
    units = units_of(" ".join(asked))
    plain = {word for word in said - value - {*counted} if word.removesuffix("s") not in units}
    return "No" if not plain and pair.refutes(asked, counted) else None


def _tell(text: str) -> set[str]:
    """The words of a text that tell something, folded."""
    return {word for word in fold_words(text) if word not in SMALL}


def _find_value(pair: Pair, asked: Sequence[str], value: Collection[str]) -> list[int]:
    """The places of the words that a question has instead of a fact's value, or as that; none where
    it asks something else or has no such words."""
    stems = {stem_of(word) for word in asked}
    telling = {stem_of(word) for word in pair.fact if word not in SMALL and word not in value}
    subject = {stem_of(word) for word in fold_words(pair.about)}
    if not subject <= stems or 3 * len(telling & stems) < 2 * len(telling):
        return []  # of another thing
    left = [n for n, word in enumerate(asked) if word not in SMALL and stem_of(word) not in telling]
    if not left or left[-1] - left[0] >= _MOST or pair.asks_more(asked):
        return []
    relation = telling - subject
    enough = relation <= stems if pair.target.isdecimal() else relation & stems
    # Another thing of it; "£9" is a price even where nobody says so.
    return left if not relation or enough or is_money(pair.target) else []


def _says_other_name(
    pair: Pair, asked: Sequence[str], left: Sequence[int], said: Collection[str]
) -> bool:
    """Whether what stands in a value's place is another one of its kind."""
    value, fact = _tell(pair.target), pair.fact
    named = {asked[n] for n in left if _NAMED.match(pair.written[n])}
    own = (word for word in split_words(pair.target) if word.casefold() in value)
    name = all(map(_NAMED.match, own))
    led = _is_led(asked, left[0], fact, common=not name)
    led = led or bool({"have", "has", "had"} & {*asked} - {*fact})
    other = named and ({*said} <= named or not name)  # "married to Bo" is no name
    if not other or led or any(map(_DIGIT.search, said)):
        return False
    return _is_of_same_kind([pair.written[n] for n in left], pair.target)


def compare_values(pair: Pair) -> Verdict | None:
    """Of a question in other words about the same: whether it has the fact's value, or another name
    where that is one."""
    asked = pair.asked
    new = _find_new(pair, asked)
    named = [n for n in new if pair.written[n][0].isupper()]
    counted = [asked[n] for n in new if _DIGIT.search(asked[n])]
    others = [asked[n] for n in new if n not in named and asked[n] not in counted]
    if pair.asks_more(asked) or _ask_more(pair, asked, others) or not _is_about(pair, asked):
        return None
    if f" {' '.join(fold_words(pair.target))} " in f" {' '.join(asked)} ":
        return None if named or counted else "Yes"
    if counted:
        return "No" if not named and pair.refutes(asked, counted) else None
    return "No" if named and _are_other_name(pair, asked, named) else None


def _find_new(pair: Pair, asked: Sequence[str]) -> list[int]:
    """The places of the words that a fact does not have."""
    known = {stem_of(word) for word in (*pair.fact, *fold_words(pair.about))}
    return [n for n, word in enumerate(asked) if word not in SMALL and stem_of(word) not in known]


def _ask_more(pair: Pair, asked: Sequence[str], others: Sequence[str]) -> bool:
    """Whether words that are neither names nor numbers ask what a fact does not say."""
    told = {*pair.fact, *({PRICE} if is_money(pair.target) else ())}
    units = units_of(" ".join(asked))
    return any(
        word not in _FILLING
        and not means_one_of(word, told)
        and word.removesuffix("s") not in units
        for word in others
    )


def _is_about(pair: Pair, asked: Sequence[str]) -> bool:
    """Whether a question is about the same thing of the same as a fact."""
    about, stems = fold_words(pair.about), {stem_of(word) for word in asked}
    subject = [word for word in about if word not in SMALL]
    if 2 * sum(stem_of(word) in stems for word in subject) < max(1, len(subject)):
        return False
    relation = {word for word in pair.fact if word not in SMALL}
    relation -= {*about, *fold_words(pair.target)}
    missing = [w for w in relation if stem_of(w) not in stems and not means_one_of(w, asked)]
    some = len(missing) < len(relation) and not pair.target.isdecimal()
    return not missing or some or is_money(pair.target)


def _are_other_name(pair: Pair, asked: Sequence[str], named: Sequence[int]) -> bool:
    """Whether the words at some places are one name, another than a fact's, in a value's place."""
    own = [word for word in split_words(pair.target) if word.casefold() not in SMALL]
    if not own or _LISTED.search(pair.target) or not all(word[0].isupper() for word in own):
        return False
    whole = named[-1] - named[0] == len(named) - 1
    outside = named[0] == 0 or named[-1] == len(asked) - 1
    partly = {word.casefold() for word in own} & {*asked} - _TITLES
    if not whole or not outside or partly or _is_led(asked, named[0], pair.fact, common=False):
        return False
    return _is_of_same_kind([pair.written[n] for n in named], pair.target)


def _is_led(asked: Sequence[str], first: int, fact: Sequence[str], *, common: bool) -> bool:
    """Whether what stands before a value asks for another thing: "in Paris", "on the router" and,
    where values are no ``common`` nouns, "a CEO", if the fact has no such word."""
    before = list(asked[max(first - 2, 0) : first])
    if before and before[-1] == "the":
        before.pop()
    return bool(before) and before[-1] in SMALL - {"the", "by", *fact} - (
        {"a", "an"} if common else set()
    )


def _is_of_same_kind(written: Sequence[str], target: str) -> bool:
    """Whether one who asks whether a value is this one may have meant another value of its kind,
    and neither a part of it nor the same misspelt."""
    own = split_words(target)
    kinds = [all(map(_KIND.fullmatch, words)) for words in (written, own)]
    said, value = (" ".join(words).casefold() for words in (written, own))
    new = set(said.split()) - set(value.split()) - SMALL - _TITLES
    other = any(len(word) > 1 for word in new)  # "M. Quint" may be Mara
    alike = SequenceMatcher(None, said, value).ratio() >= _ALMOST
    listed = _JOINED.search(target)
    return other and not alike and not listed and (kinds[1] or not kinds[0])


def _find_told_forms(pair: Pair, value: Collection[str]) -> Sequence[str]:
    """A question's words, behind "did" its verbs as the fact tells them."""
    if pair.verb not in DO:
        return pair.asked
    told = [word for word in pair.fact if word not in SMALL and word not in value]
    return [_find_told_form(word, told) for word in pair.written]


def _find_told_form(word: str, told: Sequence[str]) -> str:
    """A verb behind "did" as the fact tells it: "sink" is "sank", other vowels between the same
    consonants. Names stay."""
    bones = _VOWELS.sub("", word)
    if word in told or word in SMALL or len(bones) < 2 or not (word.islower() and word.isalpha()):
        return word.casefold()
    alike = (each for each in told if each[0] == word[0] and _VOWELS.sub("", each) == bones)
    return next(alike, word)
