"""Yes and no: which of them the facts' own words give.

A base reads "The lyricist of Ride is Lana Del Rey", is asked whether Taylor is the lyricist of
Ride, and says yes: what the question takes for granted weighs more with it than the note. Where a
question is the fact's own sentence with a value in its object's place, no reasoning is needed: the
object's own name is a yes, another one a no. All other questions are the base's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from typing import Literal

from memedit.core.types import Edit, Hit
from memedit.editors.prompting.declaring import declare
from memedit.editors.prompting.polar import drop_order
from memedit.editors.prompting.synonyms import PRICE, means_one_of

Verdict = Literal["Yes", "No"]
VERDICTS: tuple[Verdict, Verdict] = ("Yes", "No")
_PLAIN = re.compile(r"(is|are|was|were|does|did|do|has|have|had) (.+)", re.IGNORECASE)
_STATED = re.compile(r"(\D.*?) (is|are|was|were|has|have|had) (.+)", re.IGNORECASE)
_CONFIRM = re.compile(
    r"^(?:(?:so|and|ok|hi|hey)\b,? )?(?:(?:is|isn['’]?t) it (?:true|correct|right|so)|am i right) "
    r"that ",
    re.IGNORECASE,
)
_MODAL = re.compile(
    r"\b(?:can|could|may|might|must|shall|should|will|would|need|if|when|who|what|which|where|why|"
    r"how)\b|n['’]t\b",
    re.IGNORECASE,
)
"""In what says no plain thing."""
_TAG = re.compile(
    r"[\s,–—-]+(?:right|correct|true|yes|no|ok|okay|innit|eh|(?:is|are|was|were|does|do|did|has|"
    r"have)n['’]?t (?:it|he|she|they|that)|(?:is|are|was|were|does|do|did|has|have) "
    r"(?:it|he|she|they|that) not)\s*$",
    re.IGNORECASE,
)
_LONGEST = 300
"""Characters of a question that may be a fact's own sentence, and of what is said behind it."""
_TOKEN = re.compile(r"(?:[^\s,;:!?\"“”()]|(?<=\d)[,:](?=\d))+")
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
_LISTED = re.compile(r",|\b(?:and|or|&)\b")
_JOINED = re.compile(r"\b(?:and|or|&)\b|,.*,")
_DIGIT = re.compile(r"\d")
_AMOUNT = re.compile(r"(?P<sign>[€£$])?(?P<number>\d[\d.,:]*) ?(?P<unit>°? ?[^\W\d_]+|[%°€£$])?")
_CURRENCIES = {"€": "euros", "£": "pounds", "$": "dollars"}
_MONEY = frozenset({"euro", "pound", "dollar"})
_BOUND = re.compile(
    r"\b(?:up to|at (?:least|most)|from|until|till|within|between|max\w*|min\w*|limit|more|less|"
    r"over|under|above|below|before|after|largest|smallest|oldest|am|pm|"
    r"includ\w*|allow\w*|support\w*|holds?|fits?|seats?)\b|\d:\d\d",
    re.IGNORECASE,
)
"""In a fact with which another number may agree."""
_FILLING = frozenset("please pls currently actually called named now there it who being".split())
"""Words that ask nothing."""
_KIND = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|\w{3,}(?:ish|ese|[^g]ian)")
"""Names of days, languages and peoples: of a kind of their own."""
_ALMOST = 0.75
"""Likeness of two names from which one may be the other misspelt."""
_TITLES = frozenset("mr mrs ms miss dr prof professor sir".split())
_PAST, _PRESENT = frozenset("was were did had".split()), frozenset("is are does has have".split())
_HAPPENED = frozenset(
    "born birth birthplace die dies died death killed buried found founded founder founders create"
    " created creator invent invented inventor discovered built wrote written author composed"
    " composer directed produced painted designed signed published recorded filmed released won"
    " occur occurred happen happened cause named inspired based influenced followed commissioned"
    " donated war battle conflict involved".split()
)
"""What is told of at any time in the same way."""
_DID = frozenset(
    "began sang led made sold sank broke became got gave went held ran sat took told drew fought"
    " lost met paid sent spent stood swam taught thought left came chose drove fell flew grew knew"
    " shot spoke stole struck wore won wrote".split()
)
"""Verbs that tell of the past and do not end in "ed"."""
_STATES = frozenset({"open", "closed"})
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
    """``Yes`` or ``No`` where a question is an edit's own sentence about a value, or says its value
    or another name of what the edit is about."""
    if len(words) > _LONGEST or "\n" in words.strip():
        return None
    found = _find_plain(words)
    if found is None or edit.target_new is None or not edit.subject:
        return None
    verb, written = found[0].casefold(), _words(found[1])
    states = _STATES & {word.casefold() for word in written} - set(_tokens(declare(edit)))
    if verb not in _DO and states:
        return None  # "open on 5 May" is another thing than "opens on 4 May"
    asked, fact = {word.casefold() for word in written}, _tokens(declare(edit))
    if _is_of_another_time(verb, asked, fact):
        return None
    return _compare_sentences(verb, written, edit) or _compare_values(verb, written, edit)


def _compare_sentences(verb: str, written: Sequence[str], edit: Edit) -> Verdict | None:
    """Of a question that is the edit's own sentence with a value in its object's place."""
    target, about = str(edit.target_new), str(edit.subject)
    asked, fact = [word.casefold() for word in written], _tokens(declare(edit))
    value = {word for word in _tokens(target) if word not in _SMALL}
    if verb in _DO:
        told = [word for word in fact if word not in _SMALL | value]
        asked = [_find_told_form(word, told) for word in written]
    stems = {_stem(word) for word in asked}
    telling = {_stem(word) for word in fact if word not in _SMALL | value}
    subject = {_stem(word) for word in _tokens(about)}
    if not subject <= stems or 3 * len(telling & stems) < 2 * len(telling):
        return None  # of another thing
    left = [n for n, word in enumerate(asked) if word not in _SMALL and _stem(word) not in telling]
    # Nothing asked, a value too long for one, or a word that takes more than comparing.
    if not left or left[-1] - left[0] >= _MOST or _WEIGHS & set(asked) - set(fact):
        return None
    relation = telling - subject
    enough = relation <= stems if target.isdecimal() else relation & stems
    if relation and not enough and not _is_money(target):
        return None  # another thing of it; "£9" is a price even where nobody says so
    said = {word for word in asked[left[0] : left[-1] + 1] if word not in _SMALL | _TITLES - value}
    if said == value:
        return "Yes"
    if said <= value or value <= said:  # a part of it, or more than it: who knows
        return None
    if _DIGIT.search(target):
        units = {unit for _, unit in _find_amounts(" ".join(asked))}
        counted = [asked[n] for n in left if _DIGIT.search(written[n])]
        plain = {word for word in said - value - {*counted} if word.removesuffix("s") not in units}
        return "No" if not plain and _is_refuted(asked, counted, edit) else None
    named = {asked[n] for n in left if _NAMED.match(written[n])}
    name = all(map(_NAMED.match, (word for word in _words(target) if word.casefold() in value)))
    led = _is_led(asked, left[0], fact, common=not name)
    led = led or bool({"have", "has", "had"} & set(asked) - set(fact))
    other = named and (said <= named or not name)  # "married to Bo" is no name
    same = not any(map(_DIGIT.search, said)) and _is_of_same_kind(
        [written[n] for n in left], target
    )
    return "No" if other and not led and same else None


def _compare_values(verb: str, written: Sequence[str], edit: Edit) -> Verdict | None:
    """Of a question in other words about the same: whether it has the edit's value, or another name
    where that is one."""
    target, about = str(edit.target_new), _tokens(str(edit.subject))
    asked, fact = [word.casefold() for word in written], _tokens(declare(edit))
    known = {_stem(word) for word in (*fact, *about)} | _SMALL
    new = [n for n, word in enumerate(asked) if _stem(word) not in known and word not in _SMALL]
    named = [n for n in new if written[n][0].isupper()]
    counted = [asked[n] for n in new if _DIGIT.search(asked[n])]
    told = {*fact, *({PRICE} if _is_money(target) else ())}
    units = {unit for _, unit in _find_amounts(" ".join(asked))}
    plain = [
        asked[n]
        for n in new
        if n not in named
        and asked[n] not in {*counted, *_FILLING}
        and not means_one_of(asked[n], told)
        and asked[n].removesuffix("s") not in units
    ]
    stems = {_stem(word) for word in asked}
    subject = [word for word in about if word not in _SMALL]
    if _WEIGHS & set(asked) - set(fact) or plain:
        return None  # it asks more, or something else
    if 2 * sum(_stem(word) in stems for word in subject) < max(1, len(subject)):
        return None  # of another thing
    relation = {word for word in fact if word not in _SMALL} - {*about, *_tokens(target)}
    missing = [w for w in relation if _stem(w) not in stems and not means_one_of(w, asked)]
    some = len(missing) < len(relation) and not target.isdecimal()
    if missing and not some and not _is_money(target):
        return None  # another thing of it
    said, value = f" {' '.join(asked)} ", f" {' '.join(_tokens(target))} "
    if value in said:
        return None if named or counted else "Yes"
    if counted:
        return "No" if not named and _is_refuted(asked, counted, edit) else None
    own = [word for word in _words(target) if word.casefold() not in _SMALL]
    name = bool(own) and all(word[0].isupper() for word in own) and not _LISTED.search(target)
    run = bool(named) and named[-1] - named[0] == len(named) - 1
    run = run and not {word.casefold() for word in own} & set(asked) - _TITLES
    run = (
        run
        and (named[0] == 0 or named[-1] == len(asked) - 1)
        and not _is_led(asked, named[0], fact, common=False)
    )
    other = name and run and _is_of_same_kind([written[n] for n in named], target)
    return "No" if other else None


def _is_of_another_time(verb: str, asked: Collection[str], fact: Collection[str]) -> bool:
    """Whether a question asks what once was, and a fact tells what is now. What happens once, as a
    birth does, is the same at any time."""
    if not (verb in _PAST or "been" in asked) or _HAPPENED & {*asked, *fact}:
        return False
    tells_past = any(word in _DID or word.endswith("ed") for word in fact)
    return not _PAST & {*fact} and (bool(_PRESENT & {*fact}) or not tells_past)


def _is_led(asked: Sequence[str], first: int, fact: Sequence[str], *, common: bool) -> bool:
    """Whether what stands before a value asks for another thing: "in Paris", "on the router" and,
    where values are no ``common`` nouns, "a CEO", if the fact has no such word."""
    before = list(asked[max(first - 2, 0) : first])
    if before and before[-1] == "the":
        before.pop()
    return bool(before) and before[-1] in _SMALL - {"the", *fact} - (
        {"a", "an"} if common else set()
    )


def _is_of_same_kind(written: Sequence[str], target: str) -> bool:
    """Whether one who asks whether a value is this one may have meant another value of its kind,
    and neither a part of it nor the same misspelt."""
    own = _words(target)
    kinds = [all(map(_KIND.fullmatch, words)) for words in (written, own)]
    said, value = (" ".join(words).casefold() for words in (written, own))
    new = set(said.split()) - set(value.split()) - _SMALL - _TITLES
    other = any(len(word) > 1 for word in new)  # "M. Quint" may be Mara
    alike = SequenceMatcher(None, said, value).ratio() >= _ALMOST
    listed = _JOINED.search(target)
    return other and not alike and not listed and (kinds[1] or not kinds[0])


def _is_money(text: str) -> bool:
    return any(unit in _MONEY for _, unit in _find_amounts(text))


def _is_refuted(asked: Sequence[str], counted: Sequence[str], edit: Edit) -> bool:
    """Whether a question's number is another than an edit's, which is no bound."""
    found = _is_other_amount(asked, counted, str(edit.target_new))
    return found and not _BOUND.search(declare(edit))


def _is_other_amount(asked: Sequence[str], counted: Sequence[str], target: str) -> bool:
    """Whether the one number in a question, and its unit, say another amount than a value does."""
    own = _find_amounts(target)
    new = [number for word in counted for number, _ in _find_amounts(word)]
    others = [each for each in _find_amounts(" ".join(asked)) if each[0] in new]
    if len(own) != 1 or len(others) != 1 or len(counted) != 1:
        return False
    return own[0][1] == others[0][1] and own[0][0] != others[0][0]


def _find_amounts(text: str) -> list[tuple[str, str]]:
    """The (number, unit) of each amount in a text; a time of day has none that compares."""
    found = []
    for match in _AMOUNT.finditer(text.casefold()):
        unit = _CURRENCIES.get(match["sign"] or match["unit"] or "", match["unit"] or "")
        number = match["number"].rstrip(".,:").replace(",", "").removesuffix(".00")
        found.append((number, "" if unit in _SMALL else unit.strip().removesuffix("s")))
    return found


def _find_plain(words: str) -> tuple[str, str] | None:
    """(its verb, the rest) of a question, or of a statement that is to be confirmed: "It is £9,
    right?", "the fee is £9, yes or no". Whether one is asked for is not looked at."""
    asked_for, _, behind = drop_order(" ".join(words.split())).partition("?")
    if behind.strip(" .!"):
        return None
    plain = _CONFIRM.sub("", _TAG.sub("", asked_for).strip(" ,:;.!"))
    if found := _PLAIN.fullmatch(plain):
        return found[1], found[2]
    if _MODAL.search(plain):
        return None
    found = _STATED.fullmatch(plain)
    return (found[2], f"{found[1]} {found[3]}") if found else ("does", plain)


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
