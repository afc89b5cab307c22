"""What is asked of one thing and said of another: a head and its deputy, a net and a gross price.

Such a fact bears on what is asked, and has most of its words; its value is another's all the same.
English ones only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from memedit.editors.prompting.synonyms import means_one_of

_RIVALS = tuple(
    tuple(re.compile(rf"\b(?:{one})\b", re.IGNORECASE) for one in group)
    for group in (
        (r"clos(?:e|es|ed|ing|ure)|shuts?|ends?|ended|ending|until|till|finish\w*|stops?",
         r"open\w*|start(?:s|ed|ing)?|beg[aiu]n\w*|from"),
        (r"arriv\w*|check-?ins?|check in", r"depart\w*|leaves?|leaving|check-?outs?|check out"),
        (r"min|minim(?:um|al)|smallest|lowest|least|fewest|cheapest|lower|shortest",
         r"max|maxim(?:um|al)|largest|biggest|highest|most|up to|upper|longest"),
        ("first|earliest", "last|latest|final"),
        ("net", "gross"),
        (r"(?<!non-)members?", r"non-?members?|guests?|visitors?"),
        (r"adults?", r"child(?:ren)?|kids?", r"students?|pupils?", r"pensioners?|seniors?"),
        tuple(f"{day}days?" for day in "mon tues wednes thurs fri satur sun".split()),
        (r"weekdays?|working days", r"weekends?"),
        ("uploads?", "downloads?"),
        (r"exports?|exported|exporting", r"imports?|imported|importing"),
        (r"buy\w*|bought|purchase\w*", r"sell\w*|sold|sale"),
        (r"w[io]ns?|winners?|winning", r"los(?:e|es|t|ers?|ing)"),
        (r"from", r"to(?= (?:the\b|(?-i:[A-Z\d]))|\W*$)|into"),
        (r"born|birth\w*", r"dies?|died|death", r"buried|burial|grave", r"marr\w+|wedding"),
        (r"wife|husband|spouse|marr\w+", "daughters?", "sons?", "mother", "father", r"brothers?",
         r"sisters?", "uncle", "aunt"),
        (r"wr[io]t\w*|authors?", r"direct(?:s|ed|ors?)", r"produce(?:s|d|rs?)", r"compos\w+",
         r"s[au]ng|sings?|singers?|perform\w*", r"paint\w+", r"design\w+|architects?",
         r"found(?:s|ed|ers?)", r"owns?|owned|owners?", r"translat\w+", r"publish\w+"),
        (r"chair\w*", r"secretary", r"treasurer", r"presidents?", r"ceo|chief executive", "cfo",
         "cto", "coo", r"mayors?"),
        (r"deep|depth", r"(?<!how )long|length", r"wide|width", r"high|height|tall",
         r"heavy|weigh\w*", r"thick\w*"),
        (r"ris(?:e|es|ing)|springs?|source", r"flows? into|mouth"),
        (r"soft", r"hard"),
        (r"clients?", r"servers?"),
        (r"single|one-way", r"return|round trip"),
        (r"read\w*", r"write\w*|writing"),
    )
)  # fmt: skip
"""Groups of things of which a question names one and a fact another."""
_SHADE = re.compile(
    r"\b(?:deputy|vice|assistants?|acting|interim|former|formerly|previous(?:ly)?|retired|"
    r"outgoing|designate|substitute|backup|stand-in|trainee|junior|honorary|emeritus|sub|"
    r"(?:the|its|my|our|your|their) old)\b|\b(?:ex|co)-",
    re.IGNORECASE,
)
"""What makes another of who or what it stands with, if only one of two says it."""
_PRECISE = re.compile(r"\b(?:net|gross)\b", re.IGNORECASE)
"""What a fact must say too, if it is asked for."""
_WORD = re.compile(r"[^\W_]+(?:[.:-][^\W_]+)*")
_SMALL = frozenset(
    "a an the of in on at by to from for with and or as it its is are was were be been does did do"
    " has have had there their this that who whose whom what when where which why how much many"
    " my our your his her i we you they he she not no if so can could will would should may must"
    " me us them per any some all each every please only just now then than up out other another"
    " same right correct exact current".split()
)
"""Words that tell nothing from another of its kind."""
_DOING = frozenset(
    "cost costs charge charges begin begins start starts open opens close closes end ends leave"
    " leaves arrive arrives run runs take takes last lasts go goes come comes work works".split()
)
"""Before these stands who does it, and not which of a kind."""
_BEHIND = frozenset("of in for on at".split())
_STEM = 5
"""Letters by which two forms of a word are taken for one."""
_ALMOST = 0.8
"""Likeness of two words of which one may be the other misspelt."""


def is_of_another(asked: str, said: str, value: str) -> bool:
    """Whether what a fact says a value of is plainly another thing than what is asked for.

    Args:
        asked: The question.
        said: The part of a fact in which the value stands.
        value: It.
    """
    if bool(_SHADE.search(asked)) != bool(_SHADE.search(said)):
        return True
    rest = re.sub(re.escape(value), " ", said, flags=re.IGNORECASE)
    if _PRECISE.search(asked) and not _PRECISE.search(rest):
        return True
    if any(_names_another(group, asked, rest) for group in _RIVALS):
        return True
    one, other = _WORD.findall(asked), _WORD.findall(rest)
    mine, theirs = ({_stem(word) for word in words} for words in (one, other))
    rivals = (*_tell_apart(one, other), *_take_place(one, other))
    return any(
        _stem(word) not in theirs and _stem(own) not in mine and not _are_alike(word, own)
        for word, own in rivals
    )


def shared_words(asked: str, said: str) -> frozenset[str]:
    """The words, in one form each, that both have."""
    one, other = ({_stem(word) for word in _WORD.findall(text)} for text in (asked, said))
    return frozenset(one & other - {""})


def _names_another(group: Sequence[re.Pattern[str]], asked: str, said: str) -> bool:
    mine, theirs = (
        {n for n, each in enumerate(group) if each.search(text)} for text in (asked, said)
    )
    return bool(mine and theirs) and not mine & theirs


def _tell_apart(asked: Sequence[str], said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The words of each that stand before a word of both, or are numbers behind one: "read" and
    "write" of "read timeout" and "write timeout", "3" and "4" of "ward 3" and "ward 4"."""
    before: dict[str, list[tuple[str, str]]] = defaultdict(list)
    behind: dict[str, list[str]] = defaultdict(list)
    for prior, word in set(pairwise(said)):
        if _stem(prior) and word not in _DOING:
            before[_stem(word)].append((prior, word))
        if word.isdecimal():
            behind[_stem(prior)].append(word)
    for prior, word in set(pairwise(asked)):
        if _stem(prior) and _stem(word):
            # "climb Tal" and "Mount Tal" may be one.
            found = before[_stem(word)]
            yield from (
                (prior, own) for own, same in found if prior[0].isupper() or same[0].islower()
            )
        if _stem(prior) and word.isdecimal():
            yield from ((word, own) for own in behind[_stem(prior)])


def _take_place(asked: Sequence[str], said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The words of each that stand between the same others: "king" and "queen" of "the king of" and
    "the queen of", "payroll" and "hiring" of "contact for payroll" and "contact for hiring"."""
    placed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for place, own in set(_find_places(said)):
        placed[place].append(own)
    for place, word in set(_find_places(asked)):
        yield from ((word, own) for own in placed[place])


def _find_places(words: Sequence[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """(what is around a word that tells something, that word)."""
    folded = ["", "", *(word.casefold() for word in words), ""]
    for first, second, word, behind in zip(*(folded[n:] for n in range(4)), strict=False):
        if not _stem(word):
            continue
        if second == "the" and behind in _BEHIND:
            yield (second, behind), word
        if _stem(first) and second in _BEHIND:
            yield (first, second), word


def _are_alike(word: str, other: str) -> bool:
    """Whether two words say the same, or one may be the other misspelt or in another form."""
    one, two = word.casefold(), other.casefold()
    if one.startswith(two) or two.startswith(one) or means_one_of(one, (two,)):
        return True
    return SequenceMatcher(None, one, two).ratio() >= _ALMOST


def _stem(word: str) -> str:
    """One form of a word; "" of one that tells nothing."""
    folded = word.casefold()
    tells = folded not in _SMALL and (len(folded) > 1 or folded.isdecimal())
    return folded.removesuffix("s")[:_STEM] if tells else ""
