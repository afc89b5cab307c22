"""Whether a formula that a base writes fits what it is told to come to: its unit, and its currency.

A small base puts the right numbers together and calls the result what it is not: minutes by the
hour, euros less dollars, the year of the founding less a price. What does not fit is not told.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

from memedit.editors.prompting.counting import is_spent_in_cents
from memedit.editors.prompting.roundings import round_whole
from memedit.editors.prompting.wording import write_digits

_CURRENCIES = {
    "euro": re.compile(r"€|\b(?:euros?|eur)\b", re.IGNORECASE),
    "pound": re.compile(r"£|\b(?:pounds?|gbp|pence)\b|\d ?p\b", re.IGNORECASE),
    "dollar": re.compile(r"\$|\b(?:dollars?|usd)\b", re.IGNORECASE),
}
_MINOR = re.compile(r"(?<![\d.])(\d[\d.]*) ?(?:p|pence|cents?|ct)\b", re.IGNORECASE)
TURNED = re.compile(r"/ ?100(?![\d.])")
"""In a formula that makes pounds of pence."""
_MONEY = re.compile(r"[€£$]|\b(?:euros?|pounds?|dollars?|eur|gbp|usd)\b", re.IGNORECASE)
_PAID = re.compile(r"euros?|pounds?|dollars?|eur|gbp|usd|cents?|pence|p|[€£$]", re.IGNORECASE)
_ASKS_MONEY = re.compile(
    r"\b(?:(?:costs?|prices?|pay|charged?|owe|spend)\b|how much (?:is|are|does|do|would|will|for)\b"
    r"(?! \w+ (?:have|weigh|get))|how much(?= ?\?))",
    re.IGNORECASE,
)
_ASKS_COUNT = re.compile(
    r"\bhow (?:many(?! (?:euros?|pounds?|dollars?|cents?|pence)\b)|long|heavy|far|old|big|often)\b",
    re.IGNORECASE,
)
_ASKS_LEFT = re.compile(r"\b(?:left|remain\w*|still have)\b", re.IGNORECASE)
_TIMES = "second minute hour day week month year".split()
_SHORT = {
    "min": "minute", "mins": "minute", "hr": "hour", "hrs": "hour", "h": "hour",
    "kilometre": "km", "kilometer": "km", "kilometres": "km", "kilometers": "km",
    "metre": "m", "meter": "m", "metres": "m", "meters": "m", "kilo": "kg", "kilos": "kg",
    "kilogram": "kg", "kilograms": "kg", "gram": "g", "grams": "g", "litre": "l", "liter": "l",
    "litres": "l", "liters": "l",
}  # fmt: skip
_MEASURES = frozenset(
    "km kms m cm mm mile kilometre kilometer metre meter foot feet inch kg g gram kilo kilogram lb"
    " lbs ton tonne litre liter l ml gb mb tb kb kwh kcal calorie mg cup degree percent point % chf"
    " franc kronor krona kr sek nok dkk zloty rupee yen yuan euro pound dollar eur gbp usd".split()
) | {*_TIMES}
_NAMED = frozenset("km m cm mile foot inch kg g lb l ml gb mb tb kb kwh".split())
_WORD = re.compile(r"(?:(?<=\d)|\b)[^\W\d_]+\b")
"""What may come in parts: half an hour, and no half a car."""
_WITHIN = {
    "week": {7}, "day": {24}, "hour": {60}, "minute": {60}, "year": {12, 52, 365}, "month": {30},
    "km": {1_000}, "kg": {1_000}, "m": {100, 1_000},
}  # fmt: skip
"""By what an amount of a unit becomes another one."""
_ASKED_IN = re.compile(r"\b(?:how many|in) (?P<unit>[^\W\d_]{1,12})\b", re.IGNORECASE)
_TIMED = re.compile(
    r"(?<![\d.])(?P<amount>\d+(?:\.\d+)?)[ -]?(?P<unit>seconds?|minutes?|mins?|hours?|hrs?|h|days?|"
    r"weeks?|months?|years?)\b",
    re.IGNORECASE,
)
_MONTH = re.compile(
    r"(?:(?P<day>\d{1,2})(?:st|nd|rd|th)?(?: of)? )?\b(?P<month>january|february|march|april|may|"
    r"june|july|august|september|october|november|december)\b(?: (?P<behind>\d{1,2})\b(?!\d))?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:in|since|until|from|of|year) (?P<year>(?:19|20)\d\d)\b(?! \w+s\b)", re.I)
_PHONE = re.compile(r"(?<![\w.,])\+?\d{2,}(?:[ /-]\d{2,})+(?!\w)")
_RANGE = re.compile(
    r"(?<![\d.,:])(?P<low>\d+(?:[.:]\d\d)?) ?(?:to|until|till|-|–) ?[€£$]?"
    r"(?P<high>\d+(?:[.:]\d\d)?)(?![\d:])",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) ?(?:%|percent\b|per cent\b)", re.IGNORECASE)
_SIXTIES = {"hour": re.compile(r"/ ?60(?!\d)"), "minute": re.compile(r"60 ?\*|\* ?60(?!\d)")}
_LEAST_DIGITS = 7
_TRUTHS = frozenset("yes no true false".split())


def fits(
    formula: str, value: Decimal, used: Counter[Decimal], unit: str, facts: str, words: str
) -> bool:
    """Whether what a formula comes to may be told.

    Args:
        formula: Of numbers and operations.
        value: What it comes to.
        used: Its numbers.
        unit: What the base calls the result; "": nothing.
        facts: What is told.
        words: A user's.
    """
    plain, text = _singular(unit), write_digits(f"{facts} {words}".casefold())
    even = value == value.to_integral_value()
    whole = even or round_whole(value, unit, formula, words) is not None
    parted = plain in _MEASURES or not plain or _PAID.fullmatch(plain) is not None
    turned = formula.count("-") == 1 and len(used) == 2 and _is_less(formula)
    return (
        plain not in _TRUTHS
        and (whole or parted)
        and not (turned and _ASKS_LEFT.search(words))
        and _fits_money(formula, unit, used, facts, words)
        and _fits_percent(formula, value, used, plain, text)
        and _fits_time(formula, used, plain, text, words)
        and not _reads_dates(used, plain, text)
    )


def _is_less(formula: str) -> bool:
    first, _, second = formula.partition("-")
    try:
        return Decimal(first.strip(" ()")) < Decimal(second.strip(" ()"))
    except ArithmeticError:
        return False


def _singular(unit: str) -> str:
    plain = unit.casefold()
    plain = _SHORT.get(plain, plain)
    return plain.removesuffix("s") if plain.removesuffix("s") in _MEASURES else plain


def _fits_money(formula: str, unit: str, used: Counter[Decimal], facts: str, words: str) -> bool:
    """Whether all amounts are of one currency, pounds are not added to pence, and money is what
    is asked for."""
    if not (_MONEY.search(facts) or _MINOR.search(facts) or _PAID.fullmatch(unit)):
        return True
    counts = bool(unit) and _PAID.fullmatch(unit) is None
    told = {name for name, sign in _CURRENCIES.items() if sign.search(f"{facts} {words}")}
    minor = {Decimal(each.rstrip(".")) for each in _MINOR.findall(facts)}
    # "250 * 40 / 100": cents made dollars.
    turned = TURNED.search(formula) is not None
    mixed = bool(_MONEY.search(facts)) and minor & {*used} and not is_spent_in_cents(formula)
    if turned and not counts and not minor & {*used} and not _PERCENT.search(f"{facts} {words}"):
        return False
    if not counts and (len(told) > 1 or mixed):
        return False
    asks_money, asks_count = _ASKS_MONEY.search(words), _ASKS_COUNT.search(words)
    if bool(asks_money) == bool(asks_count):
        return True
    return not counts if asks_money else counts


def _fits_percent(
    formula: str, value: Decimal, used: Counter[Decimal], unit: str, text: str
) -> bool:
    """Whether percent are a part of a hundred, and a share is told as percent only where it is."""
    shares = {Decimal(each) for each in _PERCENT.findall(text)}
    percent = unit in ("percent", "%")
    if shares & {*used} and not TURNED.search(formula) and not percent:
        return False
    if percent and Decimal(100) in used and shares & {*used} and used.total() == 2:
        return False  # "130 / 100" is no percent
    return not percent or value >= 1


def _fits_time(formula: str, used: Counter[Decimal], unit: str, text: str, words: str) -> bool:
    """Whether a measure is the one that is asked for, and comes of amounts of it."""
    asked = {_singular(found["unit"]) for found in _ASKED_IN.finditer(words)} & _MEASURES
    if unit in _MEASURES and asked and unit not in asked and not _PAID.fullmatch(unit):
        return False
    if unit in _NAMED and not {_singular(word) for word in _WORD.findall(text)} & {unit}:
        return False
    if unit in _WITHIN and re.search(rf"\d ?{unit}s?\b", text):
        known = {Decimal(each) for each in re.findall(r"\d+(?:\.\d+)?", text)}
        if {n for n in used if n in _WITHIN[unit]} - known:
            return False
    timed = {
        _singular(found["unit"])
        for found in _TIMED.finditer(text)
        if Decimal(found["amount"]) in used
    }
    # "90 * 60" are no hours of 90 minutes.
    if Decimal(60) in used and unit in _SIXTIES and not _SIXTIES[unit].search(formula):
        return False
    turns = any(n in used for n in (7, 12, 24, 30, 52, 60, 365))
    return unit not in _TIMES or not timed or unit in timed or turns


def _reads_dates(used: Counter[Decimal], unit: str, text: str) -> bool:
    """Whether a formula reckons with days of several months, a year as if it were paid, a number
    to call, or one end of a span."""
    dates = [*_MONTH.finditer(text)]
    days = {Decimal(day) for each in dates if (day := each["day"] or each["behind"])}
    if days & {*used} and len({each["month"] for each in dates}) > 1:
        return True
    years = {Decimal(found["year"]) for found in _YEAR.finditer(text)} & {*used}
    if years and unit not in ("year", ""):
        return True
    for found in _PHONE.finditer(text):
        parts = re.findall(r"\d+", found[0])
        if sum(map(len, parts)) >= _LEAST_DIGITS and {*map(Decimal, parts)} & {*used}:
            return True
    spans = [
        [Decimal(found[end].replace(":", ".")) for end in ("low", "high")]
        for found in _RANGE.finditer(text)
    ]
    # From 9 to 17 are 8 hours; from 9.15 to 17.30 are no 8.15.
    return any((low in used) != (high in used) for low, high in spans) or any(
        low in used and unit in _TIMES and (low % 1 or high % 1) for low, high in spans
    )
