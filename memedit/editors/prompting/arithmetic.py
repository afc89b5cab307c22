"""The sums in a thought, worked out by the machine: a base reckons that 1979 - 1879 is 90.

A calculator at a model's side, which reads the expressions that it writes (Cobbe et al. 2021, arXiv
2110.14168, §4): what stands behind the equals sign is what the expression comes to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation

_NUMBER = r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,4})?|\d{1,12}(?:\.\d{1,4})?"
_UNIT = r"(?: ?[^\W\d_]{1,14}| ?[€£$])?(?: [^\W\d_]{1,14}){0,2}(?:/[^\W\d_]{1,10})?"
# With spaces around it: what stands between numbers without is a span, a date or a name.
_OPERATOR = r" [-+*×·÷/x−–] | ?[+*×] ?"
_TERM = rf"[€£$]?(?:{_NUMBER}){_UNIT}"
_SUM = re.compile(
    rf"(?<![\w:.,])(?P<terms>{_TERM}(?:(?:{_OPERATOR}){_TERM}){{1,5}}) ?= ?[€£$]?"
    rf"(?P<said>{_NUMBER})(?![\d:]|[.,]\d)"
)
_PART = re.compile(rf"(?P<number>{_NUMBER})|(?P<operator>{_OPERATOR})")
_TIMES, _BY = "*×·x", "÷/"


def mend_sums(thought: str) -> str:
    """The thought with right results; a wrong one is mended wherever it is said again behind it."""
    start = 0
    while found := _SUM.search(thought, start):
        start = found.end()
        right = _work_out(found["terms"])
        said = found["said"]
        if right is None or _is_rounded(right, said):
            continue
        told = _write(right, said)
        again = re.compile(rf"(?<![\d.,]){re.escape(said)}(?![\d:]|[.,]\d)")
        head = thought[: found.start("said")] + told
        thought, start = head + again.sub(told, thought[found.end("said") :]), len(head)
    return thought


def _work_out(terms: str) -> Decimal | None:
    """What terms come to, products first; None where they are no plain sum."""
    numbers, operators = list[Decimal](), list[str]()
    for part in _PART.finditer(terms):
        if part["number"]:
            numbers.append(Decimal(part["number"].replace(",", "")))
        else:
            operators.append(part["operator"].strip())
    if len(numbers) != len(operators) + 1:
        return None
    try:
        return _add(numbers, operators)
    except (DivisionByZero, InvalidOperation):
        return None


def _add(numbers: list[Decimal], operators: list[str]) -> Decimal:
    products, signs = [numbers[0]], list[Callable[[Decimal], Decimal]]()
    for operator, number in zip(operators, numbers[1:], strict=True):
        if operator in _TIMES:
            products[-1] *= number
        elif operator in _BY:
            products[-1] /= number
        else:
            signs.append(Decimal.__pos__ if operator == "+" else Decimal.__neg__)
            products.append(number)
    return products[0] + sum(
        (sign(product) for sign, product in zip(signs, products[1:], strict=True)), Decimal(0)
    )


def _is_rounded(right: Decimal, said: str) -> bool:
    """Whether what was said is right, as far as its last digit goes."""
    told = Decimal(said.replace(",", ""))
    step = Decimal(1).scaleb(int(told.as_tuple().exponent))
    return abs(right - told) < step / 2


def _write(right: Decimal, like: str) -> str:
    """A number in the form of another one: with its separators, and cents where it is no whole."""
    whole = right == right.to_integral_value()
    shown = right.quantize(Decimal(1) if whole else Decimal("0.01"), ROUND_HALF_UP)
    return f"{shown:,}" if "," in like or abs(shown) >= 10_000 else f"{shown}"
