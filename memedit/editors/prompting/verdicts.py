"""Yes and no: which of them the facts' own words give.

A base reads "The lyricist of Ride is Lana Del Rey", is asked whether Taylor is the lyricist of
Ride, and says yes: what the question takes for granted weighs more with it than the note. Where a
question is the fact's own sentence with a value in its object's place, no reasoning is needed: the
object's own name is a yes, another one a no. All other questions are the base's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from memedit.core.types import Edit, Hit
from memedit.editors.prompting.declaring import declare

Verdict = Literal["Yes", "No"]
VERDICTS: tuple[Verdict, Verdict] = ("Yes", "No")
_PLAIN = re.compile(r"(is|are|was|were|does|did|do|has|have|had) (.+)", re.IGNORECASE)
_ORDERED = re.compile(r"[^.?!]*\byes or no\b", re.IGNORECASE)
_LONGEST = 300
"""Characters of a question that may be a fact's own sentence, and of what is said behind it."""
_TOKEN = re.compile(r"[^\s,;:!?\"“”()]+")
_POSSESSIVE = re.compile(r"['’]s?(?=\s)")
_NAMED = re.compile(r"\W?\d|[^\W\d_a-z]")
_SMALL = frozenset(
    "a an the of in on at by to from for with and or as it its is are was were be been does did do"
    " has have had there their this that".split()
)
_WEIGHS = frozenset(
    "not no never only still already any other else more most less least than over under above"
    " below before after within until between about around such like large good real same true"
    " longer later earlier always ever also both either just too enough".split()
)
"""Words with which a question asks something that takes a comparison, or another sense."""
_TITLES = frozenset("mr mrs ms miss dr prof professor sir".split())
_PAST, _PRESENT = frozenset("was were did had".split()), frozenset("is are does has have".split())
_DO = frozenset("do does did".split())
_VOWELS = re.compile(r"(?<=.)[aeiouy]+")
_STEM, _MOST = 5, 6
"""Letters by which two forms of a word are taken for one; words of a value."""


def verdict_of(words: str, hits: Sequence[Hit]) -> Verdict | None:
    """What the best of the facts says to a question by its words alone; None: it is to be judged.

    Args:
        words: A user's, all of them.
        hits: The facts told, best first.
    """
    return verdict(words, hits[0].record.edit) if hits else None


def verdict(words: str, edit: Edit) -> Verdict | None:
    """``Yes`` or ``No`` where a question is an edit's own sentence about a value."""
    if len(words) > _LONGEST or "\n" in words.strip():
        return None
    asked_for, mark, behind = " ".join(words.split()).partition("?")
    if not mark or (behind and not _ORDERED.match(behind)):
        return None
    found, target = _PLAIN.fullmatch(asked_for), edit.target_new
    if found is None or target is None or not edit.subject:
        return None
    written = _words(found[2])
    asked, fact = [word.casefold() for word in written], _tokens(declare(edit))
    value = {word for word in _tokens(target) if word not in _SMALL}
    if found[1].casefold() in _DO:
        told = [word for word in fact if word not in _SMALL | value]
        asked = [_find_told_form(word, told) for word in written]
    stems = {_stem(word) for word in asked}
    telling = {_stem(word) for word in fact if word not in _SMALL | value}
    subject = {_stem(word) for word in _tokens(edit.subject)}
    if not subject <= stems or 3 * len(telling & stems) < 2 * len(telling):
        return None  # of another thing
    left = [n for n, word in enumerate(asked) if word not in _SMALL and _stem(word) not in telling]
    # Nothing asked, a value too long for one, or a word that takes more than comparing.
    if not left or left[-1] - left[0] >= _MOST or _WEIGHS & set(asked) - set(fact):
        return None
    said = {word for word in asked[left[0] : left[-1] + 1] if word not in _SMALL | _TITLES - value}
    if said == value:
        return "Yes"
    if said <= value or value <= said:  # a part of it, or more than it: who knows
        return None
    before = asked[left[0] - 1] if left[0] else ""
    # "in Paris", where the fact has no "in": another thing is asked than its value.
    led = before in _SMALL - {"a", "an", "the"} and before not in fact
    named = {asked[n] for n in left if _NAMED.match(written[n])}
    name = all(map(_NAMED.match, (word for word in _words(target) if word.casefold() in value)))
    other = named and (said <= named or not name)  # "married to Bo" is no name
    past = found[1].casefold() in _PAST and _PRESENT & set(fact) and not _PAST & set(fact)
    return "No" if other and not led and not past else None


def _words(text: str) -> list[str]:
    """The words of a text without the marks around them."""
    words = (word.strip(".'’") for word in _TOKEN.findall(_POSSESSIVE.sub(" ", text)))
    return [word for word in words if word]


def _tokens(text: str) -> list[str]:
    return [word.casefold() for word in _words(text)]


def _find_told_form(word: str, told: Sequence[str]) -> str:
    """A verb behind "did" as the fact tells it: "sink" is "sank", other vowels between the same
    consonants. Names stay."""
    bones = _VOWELS.sub("", word)
    if word in told or word in _SMALL or len(bones) < 2 or not (word.islower() and word.isalpha()):
        return word.casefold()
    alike = (each for each in told if each[0] == word[0] and _VOWELS.sub("", each) == bones)
    return next(alike, word)


def _stem(word: str) -> str:
    return word.removesuffix("s")[:_STEM]
