"""Whether a question that supposes an amount speaks of another thing than a fact, or another case.

To be the same in its words is not enough: "the fee is €6, right?" is not answered by "The late fee
is €9.", nor "I pay €6" by "Adults pay €12.", nor one of now by a fact of then. In doubt it is so.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from memedit.editors.prompting.wording import SMALL, fold_words, form_of, split_words

_UNSURE = re.compile(
    r"\b(?:not?|nobody|none|never|neither|nor|without|was|were|used to|had|did|been|will|would|"
    r"shall|should|might|if|unless|except|otherwise|usually|typically|normally|often|sometimes|"
    r"average|about|around|roughly|approx\w*|circa|ca|nearly|almost|some|minus|free|first|planned|"
    r"proposed|up to|at (?:least|most)|from|until|till|between|maxim\w*|max|minim\w*|more|less|"
    r"over|under|above|below|before|after|by|plus|only|starting)\b|n['’]t\b|[<>~≈≤≥±?]|"
    r"\b(?:min\.?|every) ?[€£$]?\d"
)
"""In a fact that does not plainly say that something is so much now."""
_THEN = re.compile(
    r"\b(?:was|were|did|had|been|will|would|took|got|gave|ran|"
    r"(?!(?:need|speed|feed|bed|red|shed|indeed|hundred)\b)\w+ed)\b"
)
"""In a question that a fact answers if it has the same words: "is it closed at 9" is another thing
than "closes at 9"."""
_RATE = re.compile(
    r"(?:\b(?:an?|per|each|every) |/ ?)(hour|day|night|week|month|year|person|head|way)\b"
)
RATES = {
    "hourly": "hour", "daily": "day", "nightly": "night", "weekly": "week", "monthly": "month",
    "yearly": "year", "annual": "year", "annually": "year", "p.a": "year", "pa": "year",
}  # fmt: skip
_RANGE = re.compile(r"\d[^\W\d_]{0,3} ?[€£$%°]?(?: ?[-–—/] ?| (?:to|or|and|till) )[€£$]?\d")
_PERSONS = frozenset(
    "adult child kid baby infant teenager youth student pupil trainee apprentice intern senior"
    " pensioner retiree member resident local foreigner tourist couple family group"
    " beginner freelancer manager teacher nurse doctor nonmember subscriber parent part"
    " full temporary disabled single".split()
)
"""Of whom another one's case may differ."""
_APART = ({"in", "out"}, {"up", "down"}, {"to", "from"}, {"before", "after"}, {"with", "without"})
_PLACING = frozenset("from to into in out up down with without for by between".split())
_CLAUSE = re.compile(r"[;:()–—]|,(?!\d)|[.!?]\s|\b(?:but|while|whereas|and|or)\b")
_LIMITS = frozenset("limit allowance cap quota budget capacity maximum minimum".split())
_UP_TO = frozenset(
    "can may could possible allow allowed limited valid stay accept accepted".split()
)
"""In a fact with which less agrees, unless the limit itself is asked for."""
_ONE_WAY = frozenset("up down out back away off".split())
_STATE = re.compile(r"\b(?:is|are)\b.*\b(?:open|closed|shut)\b|\b(?:there|an?|any|some|all)\b")
"""In a question of a time of day of which there may be others."""
_CASES = frozenset("for to from with without during in on at via".split())
_WHOSE = frozenset("our your my we you".split())
_LINKS = frozenset(
    "cost costs take takes last lasts get gets pay pays need needs must give gives use uses have"
    " has open opens close closes start starts begin begins end ends weigh weighs leave leaves"
    " include includes amount amounts come comes run runs receive receives"
    " annual monthly weekly daily yearly hourly nightly total current new now still regular normal"
    " taking having using getting bringing board each every per way staff long high set given"
    " required needed half past quarter".split()
)
_HEADS = frozenset(
    "price fee charge fare rate number window period term time plan account policy".split()
)
"""What tells no sort of a thing, nor another thing beside it."""
_GERUND = re.compile(r"(?!(?:tak|hav|us|gett|bring)ing\b)\w{3,}ing (?:an?|the|your|our)\b")


def speaks_of_other(plain: str, fact: str, clause: str, is_told: Callable[[str], bool]) -> bool:
    """Whether a fact does not plainly say something of now, or another thing than what is asked.

    Args:
        plain: What is supposed, folded.
        fact: The fact, its numerals in digits.
        clause: The one of it with the amount, folded.
        is_told: Whether what a word of the fact says is in the question.
    """
    said = fact.casefold()
    asked = fold_words(plain)
    told = {each for word in fold_words(said) for each in {word, *word.split("-")}}
    if _RANGE.search(said) or not {*_THEN.findall(plain)} <= told:
        return True
    rates = find_rates(plain)
    if rates and rates != find_rates(said):
        return True
    if any(pair & {*asked} and pair & told and not pair & {*asked} & told for pair in _APART):
        return True
    if any(form_of(word) in _PERSONS and not is_told(word) for word in told):
        return True
    return _stand_otherwise(asked, fact) or _tells_elsewhere(said, clause, is_told)


def is_unsure(said: str) -> bool:
    """Whether a folded fact does not plainly say that something is so much now."""
    return _UNSURE.search(said) is not None


def is_narrower(
    plain: str, fact: str, is_told: Callable[[str], bool], *, less: bool, clock: bool
) -> bool:
    """Whether a fact may tell of a sort, a part or a case of what is asked, of which another amount
    holds beside it.

    Args:
        plain: What is supposed, folded.
        fact: The fact, each of its amounts a "0".
        is_told: Whether what a word of the fact says is in the question.
        less: Whether less is supposed than it says.
        clock: Whether a time of day is.
    """
    words, asked = split_words(fact.replace("-", " ")), fold_words(plain)
    folded = [word.casefold() for word in words]
    forms, known = {*map(form_of, asked)}, {*folded, *map(form_of, folded)}
    if _LIMITS & known - forms or (less and _UP_TO & known) or _ONE_WAY & known - {*asked}:
        return True
    others = any(form_of(word) in known and word not in known for word in asked)
    if _GERUND.match(fact.casefold()) or (clock and (others or _STATE.search(plain))):
        return True
    covered = [is_told(word) for word in folded]
    apart = [_sorts(word) and not told for word, told in zip(folded, covered, strict=True)]
    return any(
        _is_of_sort(folded, n, apart) if covered[n] else apart[n] and _is_case(words, n)
        for n, word in enumerate(folded)
        if word not in SMALL | _WHOSE | _LINKS
    )


def _is_of_sort(folded: list[str], n: int, apart: list[bool]) -> bool:
    """Whether a fact speaks of a sort of what a word of the question names ("late fee"), of another
    thing of its name ("kayak repair"), or of what is for it or of it ("repair of a kayak")."""
    before = n - 1
    if before >= 0 and apart[before]:
        return True
    if n + 1 < len(folded) and apart[n + 1] and not (folded[n] in _HEADS or folded[n].isdigit()):
        return True
    while before > 0 and folded[before] in {"the", "a", "an", *_WHOSE}:
        before -= 1
    return before > 0 and folded[before] in {"of", "for"} and apart[before - 1]


def find_rates(text: str) -> set[str]:
    """For which times or persons each an amount is, in a folded text."""
    return {*_RATE.findall(text), *(RATES[word] for word in fold_words(text) if word in RATES)}


def drop_rates(text: str) -> str:
    """A folded text without what says for each of what an amount is."""
    return _RATE.sub(" ", text)


def _sorts(word: str) -> bool:
    """Whether a word beside another one tells of which sort that is, or of what else."""
    return word not in SMALL | _LINKS | _HEADS | _WHOSE | {*"0€£$%"}


def _is_case(words: list[str], n: int) -> bool:
    """Whether a word says in which case something holds: "on Saturdays", "for guests". Where it is,
    "at Loft Nine", is the same for all."""
    before = [word.casefold() for word in words[max(n - 2, 0) : n]]
    if before and before[-1] in {"the", "a", "an", *_WHOSE}:
        before.pop()
    if not before or before[-1] not in _CASES or not _sorts(words[n].casefold()):
        return False
    return not (before[-1] == "at" and words[n][0].isupper())


def _stand_otherwise(asked: list[str], fact: str) -> bool:
    """Whether two names have changed places, or a word stands behind another preposition."""
    words = split_words(fact.replace("-", " "))
    said = [word.casefold() for word in words]
    names = [w.casefold() for w in words if w[:1].isupper() and w.casefold() in asked]
    places = [asked.index(name) for name in dict.fromkeys(names) if name not in SMALL]
    if places != sorted(places):
        return True
    mine, theirs = _find_placed(asked), _find_placed(said)
    if any(theirs.get(word, how) != how for word, how in mine.items()):
        return True
    return any(
        how in ("to", "from") and word in asked and word not in mine for word, how in theirs.items()
    )


def _find_placed(words: list[str]) -> dict[str, str]:
    """What stands behind a preposition, and which."""
    found = dict[str, str]()
    last = ""
    for word in words:
        if last and word not in SMALL and not any(map(str.isdigit, word)):
            found.setdefault(word, last)
        if word not in {"the", "a", "an", *_WHOSE}:
            last = word if word in _PLACING else ""
    return found


def split_clauses(said: str) -> list[str]:
    """The parts of a folded fact of which each may be about another thing: "Adults pay €12,
    children nothing."."""
    return [part for part in _CLAUSE.split(said) if part.strip()]


def _tells_elsewhere(said: str, clause: str, is_told: Callable[[str], bool]) -> bool:
    """Whether what is asked stands in another clause of a fact than the one with its amount."""
    here = {*map(form_of, fold_words(clause)), *SMALL, *map(form_of, _LINKS | _HEADS)}
    return any(is_told(word) for word in fold_words(said) if form_of(word) not in here)
