"""What a statement says beside an older one in other words: of another thing ("Tea is in the hall
instead of the kitchen." leaves the coffee), of a part of it or for some only, of another side of it
("Lunch is now free." leaves when it is), or more of the very value ("a new flat in Graz").

To a reader of pairs such two are alike, the more where words of change make it less strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile

from memedit.core.plainly import drop_lead
from memedit.core.text import find_words, words_of
from memedit.model.restating import NAMING, find_verb, read_words

_SMALL = frozenset(
    "a an the our your my his her its their we you they i it this that these those there s of and "
    "or as for in on at to with by from into up all every each any please new also will no not "
    "never longer has have had is are was were be been being do does did can may must".split()
)
_PLACING = frozenset("for in at of to with on from".split())
_ONE = {"are": "is", "have": "has", "were": "was"}
_PLACES = frozenset("in at on by behind under near over between beside to into".split())
_ASKING = frozenset("who whom whose which what where when how one".split())
_DENYING = frozenset("no longer not also".split())
_BACK = re.compile(
    r"(?:\b(?:no longer|instead of|rather than|in place of|no more)|(?:,|\band|\bbut) not)\s"
    r"(?P<what>[^.,;:!?]{1,80})",
    re.IGNORECASE,
)
_TO = re.compile(r"\s(?:to|but|by|and)\s.*$", re.IGNORECASE)
_MOVED = re.compile(
    r"\b(?:has|have|was|were|is|are)\s(?:now\s|been\s|just\s)*"
    r"(?:moved|relocated|shifted|transferred)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:no|not|never|none|any ?more|stopped|dropped|scrapped|abolished|cancell?ed|discontinued|"
    r"lifted|waived|removed|ended|closed|gone|over)\b|n['’]t\b|\d",
    re.IGNORECASE,
)
"""In what may say that there is no such value, or give one."""
_LEAVES = re.compile(
    r"\b(?:no|not|never|none|instead|rather|any ?more|in place|replac\w+|succeed\w*|took over|"
    r"taken over|follow\w*|from|left|leaves|gone|stopped|ended|wrong|than|after|stepped)\b|"
    r"n['’]t\b",
    re.IGNORECASE,
)
"""In what may take back what it names."""
_AMOUNT = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty"
_COINS = r"euros?|dollars?|pounds?|cents?|francs?|crowns?|eur|usd|gbp|chf|zloty|kroner|yen"
_UNITS = r"(?:second|minute|hour|day|night|week|month|year)"
_SIDES = tuple(
    (re.compile(value, re.IGNORECASE), re.compile(said, re.IGNORECASE))
    for value, said in (
        (
            r"\b(?:at|until|till|from|by|before|after)\s(?:about\s)?(?:noon|midnight|midday|"
            rf"half past \w+|(?:\d{{1,2}}(?:[:.]\d\d)?|{_AMOUNT})(?:\s?[ap]\.?m\b\.?|"
            r"\s?o['’]clock)?)(?=\W*$|\s(?:on|sharp)\b)",
            r"noon\b|midnight|midday|o['’]clock|(?:half|quarter) (?:past|to)\b|\bhours?\b|\bday\b|"
            rf"any ?time|\b(?:at|until|till|from|by|before|after|around|to) (?:{_AMOUNT})\b",
        ),
        (
            r"\b(?:costs?|is|are|comes? to|pays?|charges?)\s(?:about\s)?(?:[€$£]\s?\d|[\w.,]+\s"
            rf"(?:€|(?:{_COINS})\b))",
            rf"[€$£%]|\b(?:{_COINS}|free|nothing|cheaper|dearer|gratis|included|percent|charged?|"
            r"costs?|prices?|pays?|paid|fees?)\b",
        ),
        (
            r"\b(?:takes?|lasts?|is|are|within|for|every|runs?)\s(?:about\s)?"
            rf"(?:[\d.,]+|{_AMOUNT})\s(?:(?:working|business|calendar)\s)?{_UNITS}s?\b",
            rf"{_UNITS}(?:s|ly)?\b|fortnight|decade|daily|immediate|instant|at once|unlimited|"
            r"forever|\blife|\blong",
        ),
    )
)
"""(a value of one sort, words that may give another of it): a time of day, money, a duration."""
_POSSESSIVE = re.compile(r"['’]s?$")
_LONGEST = 240
"""Characters of a statement that is read."""


def says_beside(old: str, new: str) -> bool:
    """Whether ``new`` rather says something beside ``old`` than what is in its place."""
    if max(len(old), len(new)) > _LONGEST:
        return False
    old, new = drop_lead(old), drop_lead(new)
    return (
        _is_of_another(old, new)
        or _takes_back_another(old, new)
        or _leaves_the_side(old, new)
        or _names_the_value(old, new)
    )


def _is_of_another(old: str, new: str) -> bool:
    """Whether another thing has the same said of it ("Coffee is in …", "Tea is in …"), or one that
    is the old one for some only ("The password for guests"), or a part of it that has moved."""
    was, now = ([word.text for word in read_words(text)] for text in (old, new))
    at, to = _find_verbs(was, now)
    if at is None or to is None or "?" in old + new:
        return False
    one, two = was[:at], now[:to]
    if _ASKING & {*one, *two} or not _fold(one):
        return False
    if _go_on_alike(was[at:], now[to:]):
        less, more = _fold(one) - _fold(two), _fold(two) - _fold(one)
        # "Ada is head of HR." is of HR, too.
        return bool(more) and less.isdisjoint(_fold(now)) and more.isdisjoint(_fold(was))
    if two[: len(one)] == one and {*two[len(one) : len(one) + 1]} <= _PLACING:
        return bool(_fold(two[len(one) :]) - _fold(was))
    if two[-len(one) :] == one and {*two[: -len(one)][-1:]} & _PLACING and _MOVED.search(new):
        head = _fold(two[: -len(one)]) - _fold(was)
        return bool(head) and head.isdisjoint(_fold(NAMING))
    return False


def _find_verbs(one: list[str], two: list[str]) -> tuple[int | None, int | None]:
    """Where two sentences have their verbs; what stands behind two single words is one, too:
    "Guests park", "Staff park"."""
    second = one[1:2] == [word for word in two if word not in _DENYING][1:2] != []
    if second and one[0] != two[0] and not {one[0], two[0], one[1]} & (_SMALL | _PLACES):
        return 1, two.index(one[1])
    return find_verb(one), find_verb(two)


def _go_on_alike(one: list[str], two: list[str]) -> bool:
    """Whether two predicates have one verb, and the next word in common."""
    one, two = (
        [_ONE.get(word, word) for word in words if word not in _DENYING] for words in (one, two)
    )
    return one[:2] == two[:2] or (one[:1] == two[:1] and {*one[1:2], *two[1:2]} <= _PLACES)


def _takes_back_another(old: str, new: str) -> bool:
    """Whether a sentence that begins alike takes back what the old one does not say: "Bo drives
    the van.", "Bo drives the truck, not the bus."."""
    found = _BACK.search(new)
    if found is None:
        return False
    back = _fold(words_of(_TO.sub("", found["what"])))
    if not back or not back.isdisjoint(_fold(words_of(old))):
        return False
    pairs = zip(*([word.text for word in read_words(text)] for text in (old, new)), strict=False)
    alike = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    # "Dinner is no longer served." is of when it is, too.
    more = _fold(words_of(new[: found.start()])) - _fold(alike)
    says = bool(more) or len(_fold(words_of(found["what"]))) > 1
    return len(alike) > 1 and bool(_fold(alike)) and says


def _leaves_the_side(old: str, new: str) -> bool:
    """Whether an old value is of a sort of which the new sentence says nothing."""
    if _DENIES.search(new):
        return False
    return any(value.search(old) and not said.search(new) for value, said in _SIDES)


def _names_the_value(old: str, new: str) -> bool:
    """Whether a sentence names the old one's value, a name, and no other name or number, and does
    not take it back: "Emma lives in Graz.", "Emma has moved to a new flat in Graz."."""
    words = find_words(old)
    verb = find_verb([word.text for word in words])
    if verb is None or _LEAVES.search(new):
        return False
    behind = _fold(word.text for word in words[verb + 1 :])
    names = _fold(w.text for w in words[verb + 1 :] if old[w.start].isupper())
    said = find_words(new)
    others = {w.text for w in said[1:] if new[w.start].isupper() or w.text[:1].isdigit()}
    known, told = _fold(words_of(old)), _fold(word.text for word in said)
    if not names or _fold(others) - known or told <= known:
        return False
    return behind <= told


def _fold(words: Iterable[str]) -> set[str]:
    """The words that say something; a plural is its singular."""
    plain = (_POSSESSIVE.sub("", word) for word in words)
    return {word.rstrip("s") or word for word in plain if word not in _SMALL}
