"""Amounts that a question supposes: "holiday is 25 days innit", where the fact says 29.

A small base agrees with what is supposed. Where a question does nothing but name an amount, and the
fact names one of the same kind, no reasoning is needed. A question about the asker's own case ("I
bought it 25 days ago"), or one that compares ("within 25 days"), is the base's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan, nan

from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.differing import (
    RATES,
    drop_rates,
    is_narrower,
    is_unsure,
    speaks_of_other,
    split_clauses,
)
from memedit.editors.prompting.polar import drop_order, find_sentences
from memedit.editors.prompting.synonyms import PRICE, means_one_of, others_for
from memedit.editors.prompting.wording import (
    SMALL,
    fold_words,
    form_of,
    is_misspelt,
    split_words,
    write_digits,
)

_MINUTE, _DAY = 60, 86_400
_KINDS = (
    ("euro", 1, "€ euro euros eur"),
    ("pound", 1, "£ pound pounds quid gbp"),
    ("dollar", 1, "$ dollar dollars bucks usd"),
    ("percent", 1, "% percent"),
    ("time", 1, "second seconds secs sec"),
    ("time", _MINUTE, "minute minutes mins min"),
    ("time", 60 * _MINUTE, "hour hours hrs hr"),
    ("time", _DAY, "day days"),
    ("time", 7 * _DAY, "week weeks wks"),
    ("time", 365 / 12 * _DAY, "month months"),
    ("time", 365 * _DAY, "year years yrs"),
    ("data", 1e-3, "mb"), ("data", 1, "gb"), ("data", 1e3, "tb"),
    ("mass", 1e-3, "gram grams"), ("mass", 1, "kg kilo kilos kilograms kilogrammes"),
    ("way", 1, "km kilometres kilometers"), ("miles", 1, "mile miles"),
    ("heat", 1, "°c degrees °"),
)  # fmt: skip
_UNITS = {name: (kind, size) for kind, size, names in _KINDS for name in names.split()}
_AMOUNT = re.compile(
    r"(?<![\w.,:#/–−-])(?P<sign>[€£$] ?)?(?P<number>\d+(?:[.,:]\d+)*)"
    r"(?:(?: ?[-–]? ?)(?P<unit>°c|[%€£$°](?!\d)|[^\W\d_]+(?:\.m\.)?))?"
)
_NUMERAL_ONE = re.compile(r"\bone(?= (?:hour|day|week|month|year|minute)(?:['’]?s['’]?|['’])?\b)")
_HALF = re.compile(r"\bhalf (?:past )?(?P<hour>1?\d)\b(?! ?(?:of|a|the|\d))")
_WORKING = re.compile(r"(?<=\d )(?:working|business) (?=days?\b)")
_CLOCK = re.compile(r"(?P<hour>[012]?\d)[:.]?(?P<minute>[0-5]\d)?")
_AFTER_NOON = {"am": 0, "a.m.": 0, "pm": 12, "p.m.": 12}
_TAG = re.compile(
    r"[\s,;:–—-]+(?:(?:is|are|was|does|do|did|has|have|must|should|need)(?:n['’]?t| not)? "
    r"(?:i|we|you|u|it|he|she|they|there|that|this)(?: not)?(?: (?:right|so|correct|true))?|"
    r"inn?it|right|correct|true|yeah|yes|no|eh|huh|ok|or not|or what|"
    r"(?:am i|is that) (?:right|correct))[\s.?!]*$"
)
_ASIDE = re.compile(
    r"(?:(?:so )?(?:is|isn['’]?t) (?:that|this|it)(?: (?:still|really))? "
    r"(?:right|correct|so|true|the case)|am i right|right|correct|true|yes|no)[\s.?!]*"
)
_CONFIRM = re.compile(
    r"(?:so |and |but |ok |hi |hey )*(?:is it (?:true|correct|right|so) that|i(?:t is|t['’]s) true "
    r"that|(?:i )?(?:heard|take it|assume|guess)(?: that)?)\b"
)
_ASKS = re.compile(
    r"(?:so |and |but |ok |hi |hey )*(?:(?:is|are|does|do) (?!i\b|my\b)(?!.*\b(?:can|may|could)\b)"
    r"|(?:do|must|should) (?:i|we|you|they|people|one) |(?:i|we|you|people) (?:only |just |still )?"
    r"(?:have to|need|must|pay|get)\b)"
)
"""How a question begins that says an amount and does not tell of its asker's case."""
_MUST = re.compile(r"\b(?:must|have to|has to|need(?:s|ed)? to|should|due|no later)\b")
_COMPARES = re.compile(
    r"\b(?:within|under|over|above|below|more|less|fewer|longer|shorter|later|earlier|than|least|"
    r"most|max|maxim\w*|minim\w*|up to|enough|too|before|after|until|till|since|ago|between|about|"
    r"around|roughly|minus|allow(?:s|ed)?|lets?|double|twice|half|almost|nearly|or so|"
    r"tops?|reach\w*|exceed\w*|hundred|thousand|million|billion|dozen|if|when|"
    r"while|old|aged?|every|another|extra|first|next|last|other|both|even|already|yet|off|no "
    r"longer|not|never|without|except|fits?)\b|n['’]t\b|\bin (?:an? |\d)|\bfrom now|"
    r"\b(?:we|us|they|together|all)\b.*\bpay|"
    r"\w (?:and|but|or) |[<>~≈≤≥±]"
)
_AFTER, _MODAL = re.compile(r"\bafter (?=\d)"), re.compile(r"\b(?:can|may|could|must|should)\b")
_OWN = re.compile(
    r"\b(?:mine|my (?:\w+ ){1,2}(?:is|was|are|were|has|have|had|weighs?|costs?|took|takes?|needs?|"
    r"lasts?|comes?|gets?)|i['’]m|i am|i['’]ve|i have(?! to)|i had|i was|i paid|we['’]ve|"
    r"we have(?! to)|we had|bought|ordered|turned|for (?:the|a|my|our|one|\d))\b"
)
"""What tells of the asker's own case."""
_FILLING = frozenset(
    "so only just still now currently actually really please pls i we you me us they one people get"
    " need have to has must should thing take takes last lasts give put amount number"
    " what which all true correct right heard assume guess".split()
)
_MORE = frozenset("hundred thousand million millions billion dozen mio mln bn k m".split())
"""Words behind a number that multiply it."""
_LONGEST_NUMBER = 12
_SET_PHRASES = re.compile(r"\b(?:sets? (?:me |us |you |one )?back|to get out)\b")
_NEEDS = re.compile(r"\bneed(?:s|ed)?\b(?! to\b)")
_HAS = re.compile(r"\b(?:gets?|have|has)\b")
_TAKES = re.compile(r"\btakes?\b")
_WEIGHS = re.compile(r"\b(?:weigh\w*|heav\w+|light\w*)\b")
_VAGUE = frozenset("pay pays cost costs need needs".split())
"""What names nothing of which an amount is: who pays it may be another one."""
_NO_SYNONYMS = frozenset("rate place held when where year month based lies take takes took".split())
_LONGEST = 400
"""Characters of a fact; what is longer says more than one thing."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Attributes:
    kind: What is measured; of a count "".
    size: How much, in one unit for each kind.
    unit: The size of the unit it is told in.
    behind: The folded word behind the number, where it is no unit.
    """

    kind: str
    size: float
    unit: float = 1
    behind: str = ""

    def may_agree(self, other: Amount) -> bool:
        """Whether both may be the same: "30 days" are a month, or six weeks of working days."""
        if self.unit == other.unit:
            return self.size == other.size
        if self.kind == "time" and {self.unit, other.unit} == {_DAY, 7 * _DAY}:
            return True
        near = 0.12 if self.kind == "time" else 1e-9
        return abs(self.size - other.size) <= near * max(self.size, other.size)


def judge_supposed(words: str, fact: str) -> Verdict | None:
    """``Yes`` or ``No`` where a question supposes an amount that a fact says, or another one.

    Args:
        words: A user's, all of them.
        fact: A statement, which the words ask.
    """
    plain = _find_supposed(words) if len(fact) <= _LONGEST else None
    said = _count(fact.casefold())
    if plain is not None and not _MODAL.search(plain) and _AFTER.search(plain):
        plain, said = _AFTER.sub("", plain), _AFTER.sub("", said)  # "it arrives after 4 days"
    if plain is None or _COMPARES.search(plain) or _OWN.search(plain):
        return None
    own = find_amounts(said)
    asked = [each for each in find_amounts(plain) if each.kind or not _is_name(each, own)]
    alike = [amount for amount in own if asked and amount.kind == asked[0].kind]
    if len(asked) != 1 or len(alike) != 1 or isnan(asked[0].size) or isnan(alike[0].size):
        return None
    must = _MUST.search(plain) and _MUST.search(said)
    if (is_unsure(said) and not must) or _names_other(plain, fact, asked[0], alike[0]):
        return None
    if asked[0].size == alike[0].size:
        counts = asked[0].behind == alike[0].behind and asked[0].behind.endswith("s")  # no "300 SL"
        return "Yes" if asked[0].kind or counts else None
    # "Includes five users" has three among them; of what has no unit only a number is one.
    bound = not (asked[0].kind or re.search(r"\bnumber\b", said))
    if bound or asked[0].may_agree(alike[0]):
        return None
    narrower = is_narrower(
        plain,
        _AMOUNT.sub(_blank, _WORKING.sub("", _count(fact))),
        partial(_is_said, words=_split(plain)),
        less=asked[0].size < alike[0].size,
        clock=asked[0].kind == "clock",
    )
    return None if narrower else "No"


def _find_supposed(words: str) -> str | None:
    """The one sentence of some words that says what its writer supposes, folded, its numerals in
    digits and without what asks for a confirmation; None: there is none."""
    parts = find_sentences(_count(drop_order(words).casefold()))
    aside = len(parts) > 1 and _ASIDE.fullmatch(parts[-1]) is not None
    if len(parts) - aside != 1:
        return None
    plain = parts[0].strip(" .?!")
    told = _TAG.sub("", plain)
    confirmed = aside or told != plain or _CONFIRM.match(plain) is not None
    return told if confirmed or _ASKS.match(plain) else None


def find_amounts(text: str) -> list[Amount]:
    """The amounts in a folded text, numerals in digits."""
    text = _WORKING.sub("", _HALF.sub(lambda found: f"{found['hour']}:30", text))
    return [amount for amount, _ in locate_amounts(text)]


def locate_amounts(text: str) -> list[tuple[Amount, tuple[int, int]]]:
    """The amounts in a folded text as they are written there, and where each stands."""
    return [(_read(found), found.span()) for found in _AMOUNT.finditer(text)]


def _read(found: re.Match[str]) -> Amount:
    number, unit = found["number"], (found["sign"] or found["unit"] or "").strip()
    if unit in _AFTER_NOON or ":" in number:
        clock = _CLOCK.fullmatch(number)
        if clock is not None:
            hour = int(clock["hour"]) % (12 if unit in _AFTER_NOON else 24)
            hour += _AFTER_NOON.get(unit, 0)
            return Amount("clock", hour * 60 + int(clock["minute"] or 0))
    kind, factor = _UNITS.get(unit, ("", 1))
    size = nan if found["sign"] and found["unit"] in _MORE else _read_number(number)
    # "2 night drives", "a 3 day course": what is counted stands behind it.
    return Amount(kind, size * factor, factor, "" if kind else unit)


def _read_number(number: str) -> float:
    """What a number is; not a number where that is not plain, as in "3.500" or "0,125"."""
    if re.search(r"\.\d{3}$|^0,\d{3}", number) or len(number) > _LONGEST_NUMBER:
        return nan
    plain = number.replace(",", "") if re.search(r",\d{3}\b", number) else number.replace(",", ".")
    return float(plain) if re.fullmatch(r"\d+(?:\.\d+)?", plain) else nan


def _is_name(amount: Amount, own: Sequence[Amount]) -> bool:
    """Whether a bare number is a name's, as of a plan called 500, that the fact has too."""
    return len(own) > 1 and any(not each.kind and each.size == amount.size for each in own)


def _names_other(plain: str, fact: str, asked: Amount, own: Amount) -> bool:
    """Whether the words speak of another thing than the fact does, or count others."""
    said = _count(fact.casefold())
    told = _split(said)
    known = {form_of(word) for word in told if word not in SMALL}
    if not asked.kind and (not asked.behind or form_of(asked.behind) not in known):
        return True
    if own.kind == "time" and any(
        (each in plain) != (each in said) for each in ("working", "business")
    ):
        return True
    if own.kind == "pound" and _WEIGHS.search(said):
        return True
    if _NEEDS.search(plain) and not _NEEDS.search(said):
        return True
    if _TAKES.search(plain) and _HAS.search(said):
        return True  # who gets so many days need not take them
    names = {word.casefold() for word in split_words(fact)[1:] if word[:1].isupper()}
    ways = {*told, *({PRICE} if own.kind in ("euro", "pound", "dollar") else ())}
    rest = [
        word
        for word in _split(_AMOUNT.sub(_say_behind, drop_rates(_SET_PHRASES.sub(" ", plain))))
        if re.search(r"\w", word) and word not in SMALL | _FILLING
    ]
    # "Is it 60 days?" names nothing at all.
    if {*rest} <= _VAGUE or not all(
        form_of(word) in known or word in RATES or _is_told(word, ways, names) for word in rest
    ):
        return True
    clauses = (each for each in split_clauses(said) if own in find_amounts(each))
    is_told = partial(_is_said, words=_split(plain))
    return speaks_of_other(plain, _count(fact), next(clauses, said), is_told)


def _count(text: str) -> str:
    """A text with its numerals in digits."""
    return _NUMERAL_ONE.sub("1", write_digits(text))


def _split(text: str) -> list[str]:
    """The folded words of a text, "3 km/h" and those with hyphens in two."""
    return fold_words(re.sub(r"[-/]", " ", text))


def _say_behind(found: re.Match[str]) -> str:
    """The word behind a number, where it is no unit of it."""
    unit = found["unit"] or ""
    return f" {unit if found['sign'] or unit not in {*_UNITS, *_AFTER_NOON} else ''} "


def _blank(found: re.Match[str]) -> str:
    """An amount with a unit as a "0"; of another number the number."""
    unit = (found["sign"] or found["unit"] or "").strip().casefold()
    clock = unit in _AFTER_NOON or ":" in found["number"]
    return " 0 " if unit in _UNITS or clock else found[0]


def _is_told(word: str, told: Collection[str], names: Collection[str]) -> bool:
    """Whether a word, or one that it is misspelt for, says what one of some others does."""
    if word not in _NO_SYNONYMS and means_one_of(word, {*told} - _NO_SYNONYMS):
        return True
    # "Australia" is no Austria.
    ways = ({*told} | others_for(told)) - {*names}
    return any(is_misspelt(word, each) for each in ways)


def _is_said(word: str, words: Collection[str]) -> bool:
    """Whether a question's words say what a folded word of a fact does."""
    return any(form_of(word) == form_of(each) or _is_told(each, (word,), ()) for each in words)
