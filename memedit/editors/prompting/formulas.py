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

from memedit.editors.prompting.units import fits
from memedit.editors.prompting.wording import spell_speech_digits, write_digits

ASKED = (
    "\n\nDo not answer yet. Write one line of Python that computes the number that is asked for, "
    "from the facts above, with numbers, + - * / and brackets only, and its unit behind it. For "
    "instance, for two adults and a child: result = 2 * 12 + 7.50  # euros\n"
    "For 20 percent off 80 euros: result = 80 * (1 - 20 / 100)  # euros\n"
    "For what is left of 30 days after 12: result = 30 - 12  # days\n"
    "Where nothing is to be computed: result = None"
)
BEGINS, MOST_NEW = "result =", 48
"""How the line begins that the base is to write, and its tokens."""
_LINE = re.compile(r"\s*(?P<formula>[\d.,\s+*/()-]{3,160}?)\s*(?:#\s*(?P<unit>.*))?$")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d{1,2}(?!\d))?")
_OPERATIONS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_CONSTANTS = frozenset(map(Decimal, (1, 2, 4, 7, 12, 24, 30, 52, 60, 100, 365, 1_000)))
"""What is in no text and yet counts: a pair, weeks of a month and of a year, minutes, percent."""
_MOST_OPERATIONS, _MOST = 12, 10**9
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
    r"(?:^|[.!?,] )when|on (?:what|which))\b",
    re.IGNORECASE,
)
_HUNDRED = 100
_PERCENT = re.compile(r"%|\bper ?cent\b", re.IGNORECASE)
_SMALL_CHANGE = frozenset("cent cents ct pence penny p".split())
_TURNED = re.compile(r"/ ?100(?![\d.])")
"""In a formula that makes pounds of pence."""


def work_out_formula(line: str, facts: str, words: str) -> str:
    """What a formula comes to, as what is worked out is told: "2 * 12 + 7.50 = €31.50. Result:
    €31.50"; "" where it is none, or has a number of its own.

    Args:
        line: What the base wrote behind :data:`BEGINS`.
        facts: What is told.
        words: A user's.
    """
    found = _LINE.match(line.strip().split("\n", 1)[0])
    # A day is no sum; "how much 2 get in 4 a grown up" has no number.
    if found is None or _ASKS_DAY.search(words) or spell_speech_digits(words) != words:
        return ""
    formula = " ".join(found["formula"].split())
    formula = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), formula)
    named = _UNIT.match(found["unit"] or "")
    unit = (named and named["unit"]) or ""
    value, used = _compute(formula)
    told, asked = _read_numbers(facts), _read_numbers(words)
    known = told + asked
    # What is said once counts once.
    own = any(known[n] < times for n, times in used.items() if n not in _CONSTANTS)
    # One number alone is no sum, and one of no fact is not about it.
    if value is None or own or used.total() < 2 or not used & told:
        return ""
    # What is paid comes of a price.
    if _is_paid(unit, facts) and not used & _read_prices(facts):
        return ""
    if not fits(formula, value, used, unit, facts, words):
        return ""
    if _TURNED.search(formula) and not _MONEY.search(facts) and not _PERCENT.search(facts):
        value *= _HUNDRED if _find_minor(facts) and not _counts_things(unit) else 1
    result = _write(value, unit, facts, words)
    return f"{formula} = {result}. Result: {result}"


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
