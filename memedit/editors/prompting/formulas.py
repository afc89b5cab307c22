"""Sums that a base writes as a line of code, and the machine works out.

A small base knows which numbers belong together, and reckons badly: it writes the formula, and what
that comes to is computed (program-aided language models, Gao et al. 2023, arXiv 2211.10435; program
of thoughts, Chen et al. 2023, arXiv 2211.12588). No code is run: of a formula only numbers,
brackets and the four operations are read, and a number that neither facts nor request have is none
that counts.
"""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation

from memedit.editors.prompting.allowances import count_the_free, take_what_is_paid_back
from memedit.editors.prompting.counting import (
    YEARS,
    count_heads,
    count_things,
    counts_minutes,
    drop_names,
    is_plausible,
    may_count,
)
from memedit.editors.prompting.notes import write_question
from memedit.editors.prompting.roundings import round_whole
from memedit.editors.prompting.units import TURNED, fits
from memedit.editors.prompting.wording import spell_speech_digits, write_digits

ORDER = (
    "You write the sum that answers a question about a number or an amount: with numbers from the "
    "facts and the question, + - * / and brackets only, and behind # the unit of the result. "
    "Numbers of facts that have nothing to do with the question are left out. Where nothing is to "
    "be computed you write None."
)
_SHOWN = (
    (("The Alder Theatre opens its doors 45 minutes before the show.",
      "A ticket for the Alder Theatre costs £12."),
     "me and 3 friends want to go to the alder theatre. what does that come to?",
     "4 * 12 # pounds"),
    (("At Norby Stables the first hour costs 30 euros and each further hour 18 euros.",),
     "We'd like to ride for five hours. What will we be charged?", "30 + (5 - 1) * 18 # euros"),
    (("A book that is back late at the Fernwood library costs 20 cents a day.",
      "Members of the Fernwood library may borrow 14 items at once."),
     "I have got 9 books out. How many more can I take?", "14 - 9 # items"),
    (("A frame costs 25 euros at the Halden gallery.",
      "Members of the Halden gallery get 15% off prints."),
     "The print I want is 60 euros, and I am a member. How much is it for me?",
     "60 * (1 - 15 / 100) # euros"),
    (("Pine Lodge has 22 rooms.", "Breakfast at Pine Lodge costs 11 euros."),
     "how much is the breakfast", "None"),
    (("Parking at the Aquadome costs $5 a day.",
      "The Aquadome lets each member bring two guests a month free of charge. Every other guest "
      "pays $8.",),
     "I am a member and I took 7 guests there this month. What do I owe for them?",
     "(7 - 2) * 8 # dollars"),
    (("A day in the Merrow sauna costs £21 for adults and £9 for children.",
      "Towels at the Merrow sauna can be hired for £3."),
     "2 grown-ups, 3 kids, each with a towel. total?", "2 * 21 + 3 * 9 + 5 * 3 # pounds"),
    (("A hut on the Quern costs 48 euros a night.", "Bed linen for the hut costs 7 euros a night."),
     "we want the hut for three nights, with linen. what will that be", "3 * (48 + 7) # euros"),
    (("Bed linen for the hut costs 7 euros a night.", "A hut on the Quern costs 48 euros a night."),
     "two nights in the hut, all in all?", "2 * 48 # euros"),
    (("A swim at the Tavener baths costs $6.",),
     "It's $5 at the Tavener baths, I am sure of it. So what do I pay for a swim?", "None"),
    (("A flat on Pine Street may put out three bags a week; each further bag costs £2.",),
     "8 bags this week, what will they cost us all together?", "(8 - 3) * 2 # pounds"),
    (("The Ostrava bridge was opened in 1911.",), "How old was the Ostrava bridge in 1986?",
     "1986 - 1911 # years"),
    (("Volunteers of the Tern Trust get 40 cents for each mile they drive.",),
     "I drove 250 miles for you, what do I get?", "250 * 40 / 100 # dollars"),
    (("A tour of the Brunel mill takes 90 minutes.", "Parking at the mill costs £2 an hour."),
     "when does the next tour begin", "None"),
    (("The yearly licence for Quern Writer costs 96 dollars.",), "What is that per month?",
     "96 / 12 # dollars"),
    (("Parcels to Iceland: up to 5 kg, 19 euros.",),
     "My parcel for Iceland weighs 6.2 kg. How much is too much?", "6.2 - 5 # kg"),
)  # fmt: skip
MOST_NEW = 48
"""Tokens of a line."""
_LINE = re.compile(r"\s*(?P<formula>[\d.,\s+*/()-]{3,160}?)\s*(?:#\s*(?P<unit>.*))?$")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d{1,2}(?!\d))?")
_OPERATIONS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_MOST_OPERATIONS, _MOST, _LONGEST = 12, 10**9, 200
_SIGN, _TIMES = re.compile(r"[€£$]"), re.compile(r"[×x](?= ?[\d€£$(])")
_SIGNS = ("€", "£", "$")
_PENCE = re.compile(r"\d ?p\b|\bpence\b", re.IGNORECASE)
_CENTS = re.compile(r"\d ?(?:cents?|ct)\b", re.IGNORECASE)
_UNIT = re.compile(
    r"\s*(?:(?:the|total|number of|remaining|amount|price|cost|sum|in|of)\s+)*"
    r"(?P<unit>(?!(?:the|per|for|each|total|amount|price|cost|sum|in|of|a|an|result)\b)"
    r"(?:%|[^\W\d_]{1,16}))?",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_MONEY = re.compile(r"[€£$]|\b(?:euros?|pounds?|dollars?|eur|gbp|usd)\b", re.IGNORECASE)
_PRICE = re.compile(
    r"[€£$] ?\d[\d.,]*|(?<![\d.,])\d[\d.,]* ?(?:[€£$%]|percent\b|euros?\b|pounds?\b|dollars?\b|"
    r"eur\b|gbp\b|usd\b|cents?\b|p\b)",
    re.IGNORECASE,
)
_ASKS_DAY = re.compile(
    r"\b(?:(?:what|which) (?:is the )?(?:\w+ )?(?:date|day|time)|by when|un?till? when|"
    r"(?:^|[.!?,] )when(?= (?:is|are|do|does|did|can|could|will|would|must|should|may|am)\b)|"
    r"on (?:what|which))\b",
    re.IGNORECASE,
)
_HUNDRED = 100
_PERCENT = re.compile(r"%|\bper ?cent\b", re.IGNORECASE)
_SMALL_CHANGE = frozenset("cent cents ct pence penny p".split())


def show() -> list[tuple[str, str]]:
    """Worked examples: what is asked, and the sum."""
    return [(write_question(facts, question), line) for facts, question, line in _SHOWN]


def work_out_formula(line: str, facts: str, words: str) -> str:
    """What a formula comes to, as what is worked out is told: "2 * 12 + 7.50 = €31.50. Result:
    €31.50"; "" where it is none, or has a number of its own.

    Args:
        line: What the base wrote.
        facts: What is told.
        words: A user's.
    """
    found = _LINE.match(_tidy(line))
    # A day is no sum; "how much 2 get in 4 a grown up" has no number.
    if found is None or _ASKS_DAY.search(words) or spell_speech_digits(words) != words:
        return ""
    formula = " ".join(found["formula"].split())
    formula = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), formula)
    plain = write_digits(facts)
    formula = take_what_is_paid_back(count_the_free(formula, plain, words), plain, words)
    named = _UNIT.match(found["unit"] or "")
    unit = (named and named["unit"]) or ""
    value, used = _compute(formula)
    # One number alone is no sum.
    if value is None or used.total() < 2 or not _are_theirs(formula, used, unit, facts, words):
        return ""
    # What is paid comes of a price.
    if _is_paid(unit, facts) and not used & _read_prices(facts):
        return ""
    if not fits(formula, value, used, unit, facts, words):
        return ""
    if not is_plausible(formula, unit, facts, words):
        return ""
    if TURNED.search(formula) and not _MONEY.search(facts) and not _PERCENT.search(facts):
        value *= _HUNDRED if _find_minor(facts) and not _counts_things(unit) else 1
    if _names_year(value, unit, used):
        return f"{formula} = {value}. Result: {value}"
    result = _write(value, unit, facts, words)
    whole = round_whole(value, unit, formula, words)
    if whole is not None and not _is_paid(unit, facts):
        said = f"{whole} {unit}".strip()
        return f"{formula} = {result}, so {said}. Result: {said}"
    return f"{formula} = {result}. Result: {result}"


def _tidy(line: str) -> str:
    """A line as a formula is read: "3 x £14 = 42" is "3 * 14"."""
    first = line.strip().split("\n", 1)[0][:_LONGEST]
    formula, mark, unit = first.partition("#")
    formula = _SIGN.sub("", _TIMES.sub("*", formula)).split("=")[0]
    return f"{formula}{mark}{unit}"


def _are_theirs(formula: str, used: Counter[Decimal], unit: str, facts: str, words: str) -> bool:
    """Whether a formula's numbers are those of facts and request, one of a fact among them."""
    paid = _is_paid(unit, facts)
    plain = (drop_names(facts), drop_names(words)) if paid else (facts, words)
    told, asked = (_read_numbers(text) for text in plain)
    known, text = told + asked, f"{facts} {words}"
    if paid and any(counts_minutes(n, text) for n in used) and Decimal(60) not in used:
        return False
    # What is said once counts once, unless it is said how often: "10 + 10" of two spiders.
    often = count_things(words) if re.fullmatch(r"[\d.+ ]+", formula) else set()
    free = count_heads(words)
    for number, times in used.items():
        again = known[number] and (Decimal(times) in often or _takes_part(formula, number))
        theirs = known[number] >= times or again or number in free
        if not (theirs or may_count(number, f"{text} {unit}")):
            return False
    return bool(used & told)


def _takes_part(formula: str, number: Decimal) -> bool:
    """Whether a formula takes percent of a number from it, or adds them: "80 - 80 * 15 / 100"."""
    one = re.escape(str(number))
    return re.search(rf"(?<![\d.]){one} ?[-+] ?{one} ?\* ?[\d.]+ ?/ ?100", formula) is not None


def _compute(formula: str) -> tuple[Decimal | None, Counter[Decimal]]:
    """What a formula comes to, and the numbers in it; None: it is none, or less than nothing."""
    used: list[Decimal] = []

    def read(node: ast.expr) -> Decimal:
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            return _OPERATIONS[type(node.op)](read(node.left), read(node.right))
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            used.append(Decimal(str(node.value)))
            return used[-1]
        raise ValueError

    try:
        tree = ast.parse(formula, mode="eval")
        value = read(tree.body)
    except (SyntaxError, ValueError, DivisionByZero, InvalidOperation, RecursionError, MemoryError):
        return None, Counter()
    except SystemError:  # Python 3.11's, where two threads parse at once (its issue 106905)
        return None, Counter()
    # What one is short of another is said without its sign.
    if value < 0 and formula.count("-") == 1 and len(used) == 2:
        value = -value
    sound = 0 <= value < _MOST and len(used) <= _MOST_OPERATIONS
    return (value if sound else None), Counter(used)


def _read_numbers(text: str) -> Counter[Decimal]:
    """The numbers of a text, its numerals too, and how often they come."""
    found = _NUMBER.findall(write_digits(text.casefold()))
    return Counter(Decimal(_plain(each)) for each in found)


def _is_paid(unit: str, facts: str) -> bool:
    """Whether a result is money: that of the facts, unless the base calls it something else."""
    return _MONEY.search(facts) is not None and not _counts_things(unit)


def _read_prices(facts: str) -> Counter[Decimal]:
    """The numbers of facts that are amounts of money, or percent of some."""
    return _read_numbers(" ".join(found[0] for found in _PRICE.finditer(write_digits(facts))))


def _plain(number: str) -> str:
    whole = re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number)
    return number.replace(",", "" if whole else ".")


def _write(value: Decimal, unit: str, facts: str, words: str) -> str:
    """A result with its unit: that of the money in the facts, else what the base calls it."""
    money = _MONEY.search(facts)
    if money is None and _find_minor(facts) and not _counts_things(unit):
        sign = "£" if _PENCE.search(facts) else _find_sign(words)
        return f"{sign}{value / _HUNDRED:.2f}"
    paid = _is_paid(unit, facts)
    if money is None and _MONEY.fullmatch(unit):  # "20% off", and the price is the user's
        money, paid, facts = _MONEY.search(words), True, words
    amount = _write_number(value, money=paid)
    if money is None or not paid:
        return f"{amount}%" if unit == "%" else f"{amount} {unit}".strip()
    sign = _find_sign(facts)
    return f"{sign}{amount}" if sign else f"{amount} {money[0].casefold()}"


def _names_year(value: Decimal, unit: str, used: Counter[Decimal]) -> bool:
    """Whether a result is a year: one that so many years lead to."""
    year = value == value.to_integral_value() and YEARS[0] < value < YEARS[1]
    named = [n for n in used if YEARS[0] < n < YEARS[1]]
    return year and len(named) == 1 and used.total() == 2 and unit.casefold() in ("year", "years")


def _find_minor(facts: str) -> bool:
    return bool(_PENCE.search(facts) or _CENTS.search(facts))


def _counts_things(unit: str) -> bool:
    """Whether a base calls a result something that is no money, where facts tell of both."""
    return bool(unit) and not _MONEY.fullmatch(unit) and unit.casefold() not in _SMALL_CHANGE


def _find_sign(text: str) -> str:
    return next((sign for sign in _SIGNS if sign in text), "")


def _write_number(value: Decimal, *, money: bool) -> str:
    whole = value == value.to_integral_value()
    if money and not whole:
        return f"{value:,.2f}"
    return f"{value:,.0f}" if whole else f"{value:,.2f}".rstrip("0")
