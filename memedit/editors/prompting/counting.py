"""What the numbers of a formula may be: how many there are of something, and what they may do.

A small base puts the right numbers together mostly, and now and then an hour, an age or a room's
number: "2 tickets for the 3 pm show" are no five tickets. What a text shows to be no number of
things, or a difference that nobody asked for, is not told. English only.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import combinations

from memedit.editors.prompting.wording import write_digits

_PEOPLE = (
    r"(?:adults?|grown[- ]?ups?|kids?|child(?:ren)?|people|ppl|persons?|guests?|friends?|students?|"
    r"seniors?|pensioners?|colleagues?|members?|of us|men|man|women|woman|boys?|girls?|"
    r"bab(?:y|ies)|toddlers?|teens?|teenagers?|sons?|daughters?|dogs?|cats?|parents?)"
)
_HEADS = re.compile(rf"(?<![\d.,:])(\d{{1,2}}) (?:[a-z-]+ )?{_PEOPLE}\b", re.IGNORECASE)
_SELF = re.compile(r"\b(?:me|myself|i|my (?:wife|husband|partner|mother|father|mate))\b", re.I)
_TIMES = re.compile(
    r"(?<![\d.,:])(\d{1,3}) (?!(?:[ap]\.?m\b|o['’]clock|years?|days?|hours?|min\w*|weeks?|months?|"
    r"euros?|pounds?|dollars?|cents?|pence|quid|percent|jan\w*|feb\w*|mar(?:ch)?|apr\w*|may|june?|"
    r"july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*|km|kg|gb|mb)\b)(?=[a-z])",
    re.IGNORECASE,
)
_PRICED_OTHERWISE = re.compile(
    r"(?<!\d)\d{1,2}(?:[:.]\d\d)? ?[ap]\.?m\b|\b\d{1,2} o['’]clock\b|\b\d{1,2}:\d\d\b|"
    r"\b(?:rooms?|bus(?:es)?|hall|gate|flat|house|platform|line|pier|table|seat|desk|extension|"
    r"article|chapter|page|port|form|no\.?|number) [a-z]?-?\d+\b|"
    r"\b\d+ (?-i:(?:[A-Z]\w+ )+(?:Street|Road|Lane|Avenue|Square|Way|Close))\b|"
    r"\b\d{1,2}[- ]years?[- ]olds?\b|\baged? (?:of )?\d{1,2}\b|"
    r"\b(?:under|over|up to|below|from) (?:the age of )?\d{1,2}\b"
    r"(?! (?!(?:years|travels|pays|goes|is|eats|rides)\b)[a-z]+s\b)"
    r"(?=[^.?!\d]{0,24}\b(?:free|travel|pay|half|years))|"
    r"\b(?:children|kids|those) (?:under|below|over|up to) \d{1,2}\b|"
    r"\b(?:son|daughter|kid|boy|girl|he|she|i|mother|father|kids are|children are)"
    r"(?:['’]s| is| am|['’]m)? \d{1,2}(?: and \d{1,2})?\b(?! (?:[a-z]+ )?(?:tickets?|of|nights?|"
    r"days?|times|people))|\b\d{1,2}(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)
"""Numbers that pay for nothing: times of day, numbers of rooms, ages."""
_MINUTES = re.compile(r"(?<![\d.,])(\d+)[- ]?(?:min(?:ute)?s?)\b", re.IGNORECASE)
_PER_MINUTE = re.compile(r"\b(?:an?|per|each|every|/) ?min(?:ute)?\b", re.IGNORECASE)
_DIFFERS = re.compile(
    r"\b(?:left|remain\w*|more|less|fewer|higher|lower|longer|shorter|taller|older|younger|bigger|"
    r"heavier|cheaper|faster|slower|later|earlier|further|farther|short|missing|miss|change|over|"
    r"above|below|too (?:much|many|heavy|big|long)|exceed\w*|by how|difference|save\w*|off|"
    r"discount|old|age|still (?:have|need|take|book|get)|rest|after|taken|used|spend|spent|"
    r"how far|how long|"
    r"ago|reach\w*|to go|take out|get rid|go down|have to|need to|must|away|back|deposit|minus|"
    r"without|except|instead|give up|drop|reduce\w*|upgrade|additional|extra|another|add|took|"
    r"how many hours|gone up|go up|rise|rose|fell|gap)\b",
    re.IGNORECASE,
)
_PREMISE = re.compile(
    r"\b(?:i thought|used to|isn['’]?t it|wasn['’]?t (?:it|that)|was it not|any ?more|last year|"
    r"it was|was it|they (?:were|had)|we (?:used|had)|everybody knows|am (?:quite )?sure)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:left|remain\w*|how (?:many|much) more|more (?:can|could|may|do|must) (?:i|we)|(?:how "
    r"(?:much|many) )?(?:higher|taller|longer|older) than|"
    r"how much (?:higher|taller|longer|older))\b",
    re.IGNORECASE,
)
_OFF = re.compile(
    r"(?:%|percent|per cent) (?:off|discount|less|reduc\w*|cheaper)|"
    r"\b(?:discount|rebate)\b|\breduc\w*",
    re.IGNORECASE,
)
_ON_TOP = re.compile(r"\b(?:surcharge|premium|on top|added|extra charge|tip)\b", re.IGNORECASE)
_FIRST = re.compile(r"\b(?:first|(?:each|every|any) (?:further|other|additional|extra))\b", re.I)
_ADDED = re.compile(r"(?:(?<=[+-] )|(?<=[+-])|(?<=\()|^)(\d+)(?= ?[+-])|[+-] ?(\d+)(?! ?[\d.*/])")
_PAIRED = (
    r"\b(?:and|both|pairs?|twice|twins|doubled?|half|return|back|ways?|husband|wife|partner|each of"
    r" us|plus|couple|quarter)\b"
)
"""What makes two of one, or with a number three or four."""
_COUNTED = {
    Decimal(number): re.compile(of, re.IGNORECASE)
    for number, of in {
        1: "", 2: _PAIRED, 4: rf"\bmonths?\b|{_PAIRED}", 7: r"\bweek(?:s|ly)?\b",
        12: r"\b(?:months?|monthly|years?|yearly|annual\w*|dozen)\b", 24: r"\b(?:hours?|days?)\b",
        30: r"\bmonths?\b", 52: r"\b(?:weeks?|weekly|years?|yearly)\b",
        60: r"\b(?:min(?:ute)?s?|hours?|hrs?|h|sec(?:ond)?s?)\b",
        365: r"\b(?:years?|yearly|daily)\b",
        100: r"%|\bper ?cent\b|\b(?:cents?|pence|ct|metres?|meters?|cm)\b|\d ?(?:p|m)\b",
        1_000: r"\b(?:km|kilo\w*|kg|g|grams?|metres?|meters?|m|ml|litres?|liters?|l|t|tons?|"
        r"tonnes?|mb|gb)\b",
    }.items()
}  # fmt: skip
"""What is in no text and yet counts: a pair, weeks of a month and of a year, minutes, percent; and
what stands in a text of which it does."""
_CONSTANTS = frozenset(map(str, _COUNTED))
_SPENT = re.compile(r"[\d.\s*()]+/ ?100")
YEARS = 1500, 2200
"""Between which a number of years is a year."""
_MOST_HEADS = 6


def count_heads(words: str) -> set[Decimal]:
    """What the people of a request come to together: 2 adults and 3 children are 5, with who asks
    6."""
    counts = [Decimal(n) for n in _HEADS.findall(write_digits(words.casefold()))][:_MOST_HEADS]
    own = 1 if _SELF.search(words) else 0
    sums = {sum(some, Decimal(0)) for k in (2, 3) for some in combinations(counts, k)}
    alone = {n + more for n in counts for more in (1, 2)[: 2 * own]}
    return sums | alone | {n + own for n in sums}


def count_things(words: str) -> set[Decimal]:
    """How many of something a request names: the 2 of "two spiders"."""
    return {Decimal(n) for n in _TIMES.findall(write_digits(words.casefold()))}


def may_count(number: Decimal, text: str) -> bool:
    """Whether a number that no text says counts all the same: the 60 of an hour's minutes."""
    of = _COUNTED.get(number)
    return of is not None and of.search(text) is not None


def drop_names(text: str) -> str:
    """A text without the numbers for which nothing is paid: times of day, rooms, ages."""
    return _PRICED_OTHERWISE.sub(" ", text)


def is_plausible(formula: str, unit: str, facts: str, words: str) -> bool:
    """Whether a formula does with its numbers what may be asked.

    Args:
        formula: Of numbers and operations.
        unit: What the base calls the result; "": nothing.
        facts: What is told.
        words: A user's.
    """
    text = f"{facts} {words}"
    numbers = re.findall(r"\d+(?:\.\d+)?", formula)
    two = len(numbers) == 2
    # "1785 - 50 # euros" names no year.
    year = unit.casefold() in ("", "year", "years") and _finds_year(numbers)
    if two and "-" in formula and not (year or _DIFFERS.search(words)):
        return False
    if two and not re.search(r"[*/]", formula) and _PREMISE.search(words) and not year:
        return False
    if "-" not in formula and "/" not in formula and "+" in formula and _LESS.search(words):
        return False
    if re.search(r"1 ?\+ ?[\d.]+ ?/", formula) and _OFF.search(facts) and not _ON_TOP.search(facts):
        return False
    if re.search(r"1 ?- ?[\d.]+ ?/", formula) and _ON_TOP.search(facts) and not _OFF.search(facts):
        return False
    if year and two and not _leads_to_year(formula, numbers, unit, write_digits(text)):
        return False
    return _adds_no_constant(formula, write_digits(text), facts)


def is_spent_in_cents(formula: str) -> bool:
    """Whether a formula is a product of cents made dollars: "250 * 40 / 100"."""
    return _SPENT.fullmatch(formula.strip()) is not None


def counts_minutes(number: Decimal, text: str) -> bool:
    """Whether a number is one of minutes only, of which none is paid for."""
    told = {Decimal(n) for n in _MINUTES.findall(text)}
    return number in told and not _PER_MINUTE.search(text)


def _adds_no_constant(formula: str, text: str, facts: str) -> bool:
    """Whether nothing that no text says is added or taken away, but for the first of several."""
    known = set(re.findall(r"\d+(?:\.\d+)?", text))
    added = {a or b for a, b in _ADDED.findall(formula)} - known
    one = re.search(r"1 ?[-+] ?[\d.]+ ?/", formula) or _FIRST.search(facts)
    return not added & (_CONSTANTS - ({"1"} if one else set()))


def _finds_year(numbers: list[str]) -> bool:
    return any(n.isdecimal() and YEARS[0] < int(n) < YEARS[1] for n in numbers)


def _leads_to_year(formula: str, numbers: list[str], unit: str, text: str) -> bool:
    """Whether a year and a number of years come to a year, or two years to the time between."""
    years = [n for n in numbers if _finds_year([n])]
    if len(years) == 2 or re.search(r"[*/]", formula):
        return True
    [other] = [n for n in numbers if n not in years] or [""]
    in_years = re.search(rf"(?<![\d.]){re.escape(other)}(?:st|nd|rd|th)?[- ]years?\b", text)
    return "+" in formula and in_years is not None and unit.casefold() in ("year", "years")
