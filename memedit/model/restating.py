"""Two sentences of one form that differ in a value, or in that one denies the other.

"Our refund window is 30 days." and "… 60 days.": the newer replaces the older. A quantity, a time
or a date is a value wherever it stands; "the train 5", "ward 3A" are what a sentence is about. If
another number or a name differs ("The CEO of Acme is Ada." and "… is Bo."), it must end the
sentence, behind its verb, and the relation must surely have one value.
"""

from __future__ import annotations

import re
from calendar import day_abbr, day_name, month_abbr, month_name
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from memedit.core.plainly import drop_lead, drop_present
from memedit.core.text import Word
from memedit.model.states import compare_states, is_moved

Kind = Literal["quantity", "number", "name", "denial", "state", "named", "list", "words"]
_TOKEN = re.compile(r"\d[\w.,:/-]*\w|\w[\w'’-]*")
_TIME = re.compile(r"\d{1,2}:\d\d|\d{1,2}(?:am|pm)")
_NUMBER = re.compile(r"\d[\d.,]*")
_MONTHS = frozenset(name.casefold() for names in (month_name, month_abbr) for name in names if name)
_WEEKDAYS = frozenset(name.casefold() for names in (day_name, day_abbr) for name in names)
_EVERY_WEEK = frozenset(f"{name}s".casefold() for name in day_name)
_TO = (["to"], ["till"], ["until"], ["through"])
_VERBS = frozenset(
    "is are was were be has have had can may must will shall should do does did cannot costs takes "
    "lasts opens closes starts begins ends runs lives works leaves departs arrives needs requires "
    "gives gets pays allows offers includes holds contains uses keeps stores sends receives "
    "accepts contact supports exports imports listens charges ships delivers follows leads reports "
    "belongs comes goes weighs measures covers expires answers speaks plays stays sits "
    "became becomes moved founded born died wrote made sells serves means equals call write "
    "ask use pay send bring return withdraw press set open close".split()
)
_ABOUT = frozenset("we you they i customers employees members guests visitors drivers".split())
_WHOSE = frozenset("our your my we you".split())
_PLACING = frozenset("for in at on to with".split())
NAMING = frozenset(
    "name title new price cost fee rate number height length width depth weight size age "
    "temperature date time address place headquarters seat current".split()
)
"""What a sentence may add to a thing and be about the same: "The height of Mont Blanc is …"."""
_LEADING = frozenset("and but so because if when never not no got has have what".split())
"""Words of a clause, or of a denial: what stands before the verb is no thing's name."""
IDENTIFIES = frozenset(
    "ward room train bus tram line flight gate platform floor level building block house locker "
    "desk seat track lane road route highway order invoice ticket case class course grade group "
    "team section chapter page paragraph article rule step day week phase round part unit lesson "
    "version release model type size number no nr code id zone area station terminal pier dock "
    "door entrance channel port table figure appendix form tier plan".split()
)
"""Words behind which a number names a thing: "ward 3", "version 2"."""
NO_UNIT = frozenset(
    "a an the of in on at by to for from with and or as is are was were has have had can may must "
    "will do does did that which who when if but than until till per".split()
)
_UNITS = frozenset(
    "am pm a.m p.m o'clock o’clock h sharp noon % € $ £ eur usd gbp chf euro euros dollar dollars "
    "pound pounds cent cents second seconds minute minutes hour hours day days week weeks month "
    "months year years km kilometres m metres kg g grams l litres people persons guests".split()
)
"""What may stand behind a number, or be left out."""
_JOINING = frozenset("of the and de la le du des del di da van von der den el al".split())
_DENIES = frozenset("not no never cannot".split())
_AUXILIARIES = frozenset("do does did can".split())
_LEFT_OUT = frozenset("a an the now currently then henceforth".split())
_NEGATED = re.compile(r"n['’]t\b", re.IGNORECASE)
_COMMA = re.compile(r",\s*(?:and|or)\b|,|\b(?:and|or)\b|&")
_NOT = re.compile(
    r"(?:,\s(?:and\s)?not|\sand\snot|,?\s(?:instead of|rather than))\s"
    r"(?P<old>[^,;.!?]{1,60})[.!]?$",
    re.IGNORECASE,
)
_TAIL = 100
"""Characters of a sentence's end in which the old value is taken back."""
_DEFINITE = re.compile(
    r"(?P<what>(?:(?i:the|our|my|your|his|her|its|their)|[A-Z]\S{0,40}['’]s)\s[^,;:]{1,80}?\s"
    r"(?:is|was)(?:\snow)?(?:\s(?:called|named))?)\s(?P<value>\S.*)$"
)
"""What only one thing can be at a time, and what it is."""
_SEVERAL = re.compile(
    r"\b(?:one of|another|example|part|member|partner|supplier|sponsor|customer|client|competitor|"
    r"friend|brother|sister|son|daughter|child|colleague|neighbour|assistant|topic|speaker|guest|"
    r"driver|hobby)\b",
    re.IGNORECASE,
)
"""Of what there may be several."""
_PEOPLE = re.compile(r"\w+(?:an|ish|ese|ench|utch|reek|wiss|elsh|erman)", re.IGNORECASE)
"""One word that may say of what country something is, and not what it is."""
_ADDS = re.compile(r"\b(?:also|too|as well|additionally|besides|another)\b", re.IGNORECASE)
_CONSISTS = re.compile(r"\b(?:consists? of|comprises?|composed of|made up of)\b", re.IGNORECASE)
_ITEM = 4
"""Words of what is listed."""
_AMOUNTS = {
    word: str(n)
    for n, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve".split(), start=2
    )
}
_LONGEST = 6
"""Words of a value."""
_WORDS = 400
"""Words of a sentence that is compared."""
_MOST = 3
"""Values that may differ."""


@dataclass(frozen=True, slots=True)
class Restated:
    """How a new sentence differs from an old one of its form.

    Attributes:
        kind: In quantities, in other numbers, in a name, by a denial, in a state (open, closed), in
            the name of what only one thing can be, in what a list has, or in other words.
        before: What stands before the value, in the new one.
        ends: Whether one value differs, and it ends the sentence; of a state, whether it is said in
            as many words.
        listed: Whether one name of a list differs, with which the sentence ends: who says the
            others again gives the list anew.
        about: Whether both are about the same, as far as that can be told.
    """

    kind: Kind
    before: str = ""
    ends: bool = False
    listed: bool = False
    about: bool = True


def compare_forms(old: str, new: str) -> Restated | None:
    """How ``new`` differs from ``old``; None: they are not of one form, or say the same."""
    if new.rstrip().endswith("?"):
        return None  # who asks says nothing
    old, new = (drop_present(drop_lead(text)) for text in (old, new))
    new = _drop_taken_back(new, old)
    if (change := compare_states(old, new)) is not None or is_moved(old, new):
        return Restated("state", ends=change != "perhaps")
    one, two = read_words(old), read_words(new)
    if not one or not two:
        return None
    if _denies(one, two):
        return Restated("denial")
    if (named := _compare_named(old, new)) is not None:
        return named
    if (listed := _compare_lists(old, new)) is not None:
        return listed
    before, after = [w.text for w in one], [w.text for w in two]
    if not _may_be_form(before, after):
        return None
    # autojunk would leave out words that come often in a long text: "the", "is".
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [code for code in codes if code[0] != "equal"]
    if not _is_form(changed, before, after):
        return None
    spans = [(old[one[a].start : one[b - 1].end], new[two[c].start : two[d - 1].end])
             for _, a, b, c, d in changed]  # fmt: skip
    quantities = all(
        _is_quantity(old, one, a, b) and _is_quantity(new, two, c, d) for _, a, b, c, d in changed
    )
    kind: Kind = "quantity" if quantities else _classify(spans)
    same = len(before) - sum(b - a for _, a, b, _, _ in changed)
    # Plain words differ everywhere: below two thirds in common they only share a frame.
    if kind == "words" and 3 * same < 2 * max(len(before), len(after)):
        return None
    _, first, last, start, end = changed[0]
    verb = find_verb(before)
    return Restated(
        kind,
        new[: two[start].start].rstrip(),
        ends=len(changed) == 1 and last == len(before) and end == len(after),
        listed=len(changed) == 1 and _is_rest_of_list(new[two[end - 1].end :]),
        about=quantities or (verb is not None and first > verb),
    )


def _drop_taken_back(new: str, old: str) -> str:
    """A new sentence without the old value that it takes back: "… is 5 May, not 3 May."."""
    found = _NOT.search(new[-_TAIL:])
    if found is None:
        return new
    said, back = ([w.text for w in read_words(text)] for text in (old, found["old"]))
    stands = any(said[at : at + len(back)] == back for at in range(len(said) - len(back) + 1))
    return new[: len(new) - len(found[0])] if back and stands else new


def replaces(
    found: Restated, surely_one: Callable[[str], bool], surely_many: Callable[[str], bool]
) -> bool:
    """Whether the new sentence replaces the old one for sure.

    Args:
        surely_one: Whether what goes before a value has surely one value at a time.
        surely_many: Whether it surely has several.
    """
    if found.kind == "denial":
        return True
    if found.kind in ("state", "named"):
        return found.ends
    if found.kind == "quantity":
        return not surely_many(found.before)
    sort = found.kind in ("number", "name")
    return sort and found.about and found.ends and surely_one(found.before)


def numbers_of(text: str) -> tuple[list[str], list[str]]:
    """(numbers of a sentence, what they count), both sorted: times and dates count themselves."""
    words = read_words(text)
    found, units = list[str](), list[str]()
    for n, word in enumerate(words):
        if not word.text[:1].isdigit():
            continue
        found.append(word.text)
        if _TIME.fullmatch(word.text):
            units.append("time")
        elif _is_dated(words, n):
            units.append("date")
        else:
            units.append(words[n + 1].text.rstrip("s") if n + 1 < len(words) else "")
    return sorted(found), sorted(units)


def name_parts(old: str, new: str) -> bool:
    """Whether two sentences of one verb name a thing and a sort of it ("our hotline", "our
    emergency hotline"), or with nothing but numbers behind it two sorts ("Ada's mobile number").

    Both go on alike behind the verb, else another word may say what the sort is: "The head of HR is
    Ada.", "HR is led by Bo.".
    """
    read = [read_words(text)[:_WORDS] for text in (old, new)]
    one, two = ([w.text for w in words] for words in read)
    at, to = find_verb(one), find_verb(two)
    if at is None or to is None or one[at] != two[to]:
        return False
    mine, theirs = ({*words} - _WHOSE - _JOINING - _PLACING for words in (one[:at], two[:to]))
    if mine < theirs or theirs < mine:
        more = mine ^ theirs
        if not mine or not theirs or more <= NAMING or more & _LEADING:
            return False
        return _sort_word(old, read[0], at + 1) == _sort_word(new, read[1], to + 1)
    bare = all(word.isdecimal() for word in (*one[at + 1 :], *two[to + 1 :]))
    return bare and mine != theirs


def _sort_word(text: str, words: Sequence[Word], n: int) -> str:
    """The word at a place; of a name or a number only that it is one."""
    if n >= len(words):
        return ""
    first = text[words[n].start]
    return "A" if first.isupper() else "0" if first.isdigit() else words[n].text


def _compare_named(old: str, new: str) -> Restated | None:
    """Another name or code of what only one thing can be: "Our address is Main Street 5, Graz."."""
    was, now = _DEFINITE.match(old), _DEFINITE.match(new)
    if was is None or now is None or _key(was["what"]) != _key(now["what"]):
        return None
    values = [found["value"].rstrip(" .!") for found in (was, now)]
    if _key(values[0]) == _key(values[1]) or _SEVERAL.search(now["what"]):
        return None
    if any(len(value.split()) > _LONGEST or not _is_proper(value) for value in values):
        return None
    kinds = [_PEOPLE.fullmatch(value) is not None for value in values]
    return Restated("named", now["what"], ends=True) if not any(kinds) else None


def _is_proper(value: str) -> bool:
    """Whether a value is a name or a code, and no more: "Park Lane 9, Graz", "4.3"."""
    words = [word.strip(",") for word in value.split()]
    if not words or words[0] in _JOINING:
        return False
    return all(w[:1].isupper() or w[:1].isdigit() or w in _JOINING for w in words)


def _key(text: str) -> list[str]:
    return [word.text for word in read_words(text)]


def _compare_lists(old: str, new: str) -> Restated | None:
    """A list that is given again, with more in it or less."""
    was, now = (_COMMA.split(text.rstrip(" .!")) for text in (old, new))
    if max(len(was), len(now)) < 2 or _ADDS.search(new):
        return None
    if _key(was[0]) != _key(now[0]) or len(_key(now[0])) < 3:
        return None
    items = [{" ".join(_key(item)) for item in some[1:]} - {""} for some in (was, now)]
    whole = items[0] < items[1] or items[1] < items[0]
    if items[0] == items[1] or not (whole or (items[0] & items[1] and _CONSISTS.search(now[0]))):
        return None
    if any(len(item.split()) > _ITEM for some in items for item in some):
        return None
    return Restated("list", now[0].rstrip())


def read_words(text: str) -> list[Word]:
    """The words that say something; a number is one, its marks and all."""
    plain = _NEGATED.sub(" no", text)  # as long as "n't": words stay where they are
    words = ((m[0].casefold(), m.start(), m.end()) for m in _TOKEN.finditer(plain))
    found = (Word(_AMOUNTS.get(text, text), start, end) for text, start, end in words)
    return [word for word in found if word.text not in _LEFT_OUT]


def _denies(one: list[Word], two: list[Word]) -> bool:
    """Whether one is the other's denial, in the same words otherwise."""
    # Two denials take each other back: "never not".
    parity = [sum(w.text in _DENIES for w in each) % 2 for each in (one, two)]
    if parity[0] == parity[1]:
        return False
    left = _DENIES | _AUXILIARIES
    plain = [[_strip_ending(w.text) for w in each if w.text not in left] for each in (one, two)]
    return plain[0] == plain[1]


def _strip_ending(word: str) -> str:
    """A verb without its ending: "includes" and "include" are one."""
    return word[:-1] if word.endswith("s") and len(word) > 3 else word


def _may_be_form(one: list[str], two: list[str]) -> bool:
    """Whether so few words differ that both may be of one form: to see how they are arranged takes
    long where there are many."""
    mine, theirs = Counter(one), Counter(two)
    differ = max((mine - theirs).total(), (theirs - mine).total())
    return max(len(one), len(two)) <= _WORDS and differ <= _MOST * _LONGEST


def _is_form(
    changed: Sequence[tuple[str, int, int, int, int]], one: list[str], two: list[str]
) -> bool:
    """Whether some words stand for others, and most of both is the same."""
    if not 0 < len(changed) <= _MOST or any(kind != "replace" for kind, *_ in changed):
        return False
    differ = [max(b - a, d - c) for _, a, b, c, d in changed]
    same = len(one) - sum(b - a for _, a, b, _, _ in changed)
    return max(differ) <= _LONGEST and same >= 2 and same * 2 >= min(len(one), len(two))


def find_verb(words: list[str]) -> int | None:
    """Where the first verb stands."""
    for n, word in enumerate(words):
        if word in _VERBS and (n > 0 or word not in _ABOUT):
            return n
    return None


def _is_quantity(text: str, words: Sequence[Word], a: int, b: int) -> bool:
    """Whether words[a:b] are an amount with its unit behind it, a time, or a date."""
    span = [word.text for word in words[a:b]]
    if a and b - a == 1 and (_ends_week(words, a) or (span[0] in _MONTHS and _has_day(words, a))):
        return True
    if a == 0 or not any(each[:1].isdigit() for each in span):
        return False
    if all(_TIME.fullmatch(each) for each in span):
        return True
    if any(each in _MONTHS for each in span) or (b - a == 1 and _is_dated(words, a)):
        return all(each in _MONTHS or _NUMBER.fullmatch(each) for each in span)
    if b - a != 1 or not _NUMBER.fullmatch(span[0]):
        return False
    last, behind = words[a - 1], words[b : b + 1]
    sign = text[words[a].end : words[a].end + 2].strip()[:1] in ("%", "€", "$", "£")
    sign = sign or text[: words[a].start].rstrip()[-1:] in ("€", "$", "£")
    unit = bool(behind) and behind[0].text.isalpha() and behind[0].text not in NO_UNIT
    unit = unit and text[behind[0].start].islower()
    # The first word has a capital in any case; of a later one it makes a name, as in "Boeing 747".
    named = last.text in IDENTIFIES or (a > 1 and text[last.start].isupper())
    return (sign or unit) and not named


def _is_dated(words: Sequence[Word], n: int) -> bool:
    """Whether a number stands beside the name of a month."""
    return any(words[at].text in _MONTHS for at in (n - 1, n + 1) if 0 <= at < len(words))


def _ends_week(words: Sequence[Word], n: int) -> bool:
    """Whether a weekday is the last of several: "Monday to Friday"."""
    before = [word.text for word in words[max(0, n - 2) : n]]
    return words[n].text in _WEEKDAYS and before[-1:] in _TO and {*before[:1]} <= _WEEKDAYS


def _has_day(words: Sequence[Word], n: int) -> bool:
    """Whether the name of a month stands beside a number."""
    return any(_NUMBER.fullmatch(words[at].text) for at in (n - 1, n + 1) if 0 <= at < len(words))


def _classify(spans: Sequence[tuple[str, str]]) -> Kind:
    kinds = {_classify_pair(old, new) for old, new in spans}
    return kinds.pop() if len(kinds) == 1 else "words"


def _classify_pair(old: str, new: str) -> Kind:
    numbers = [re.search(r"\d", each) is not None for each in (old, new)]
    if all(numbers):
        units = [re.sub(r"[\d.,:\s]+", " ", each).split() for each in (old, new)]
        more = {word.casefold() for some in units for word in some}  # "10 on Sundays" is no unit
        plain = units[0] == units[1] or (not all(units) and more <= _UNITS)
        return "number" if plain else "words"
    if any(numbers) or all(each.casefold() in _EVERY_WEEK for each in (old, new)):
        return "words"  # what is so on Mondays may be so on Tuesdays, too
    return "name" if _is_name(old) and _is_name(new) else "words"


def _is_rest_of_list(text: str) -> bool:
    """Whether a list of names goes on so to the end of its sentence: " and Redis."."""
    joined, *names = _COMMA.split(text.rstrip(" .!"))
    return not joined.strip() and bool(names) and all(map(_is_name, names))


def _is_name(text: str) -> bool:
    """Whether words begin with a capital, but for small ones within: "Isle of Man"."""
    words = text.split()
    if not words or not (words[0][:1].isupper() and words[-1][:1].isupper()):
        return False
    return all(word[:1].isupper() or word in _JOINING for word in words)
