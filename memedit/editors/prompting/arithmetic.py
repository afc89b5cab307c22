"""The sums in a thought, worked out by the machine: a base reckons that 1979 - 1879 is 90.

A calculator at a model's side, which reads the expressions that it writes (Cobbe et al. 2021, arXiv
2110.14168, §4): what stands behind the equals sign is what the expression comes to. Only plain sums
of one unit are read, since hours, halves and millions are reckoned otherwise.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation

_NUMBER = r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,2})?|\d{1,12}(?:\.\d{1,2})?"
_UNIT = r"(?: ?(?!x )[^\W\d_]{1,14}| ?[€£$])?(?: per [^\W\d_]{1,14}|/[^\W\d_]{1,10})?"
# With spaces around it: what stands between numbers without is a span, a date or a name.
_OPERATOR = r" [-+*×·÷/x−–] | ?[+*×] ?"
_TERM = rf"[€£$]?(?:{_NUMBER})(?![\d.,]*\d){_UNIT}"
_SUM = re.compile(
    rf"(?<![\w:.,/^])(?<!\d )(?P<terms>{_TERM}(?:(?:{_OPERATOR}){_TERM}){{1,5}}) ?= ?[€£$]?"
    rf"(?P<said>{_NUMBER})(?![\w:]|[.,]\d| \d)(?: (?P<unit>[^\W\d_]{{1,14}}))?"
)
_PART = re.compile(rf"(?P<number>{_NUMBER})(?P<unit>{_UNIT})|(?P<operator>{_OPERATOR})")
_TIMES, _BY, _LESS = "*×·x", "÷/", "-−–"
_OTHERWISE = re.compile(
    r"(?:am|pm|p|c|k|m|bn|cents?|pence|thousand|million|billion|dozens?|hundred|percent|hours?|"
    r"h|minutes?|mins?|remainder|rest|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*|"
    r"oct\w*|nov\w*|dec\w*)",
    re.IGNORECASE,
)
"""Units that a decimal sum does not add up."""
_PART_OF = re.compile(r"\b(?:half|third|quarter|twice|double|percent|%)(?: of)? $", re.IGNORECASE)
_RESULT = re.compile(r"\bresult:", re.IGNORECASE)
_MOST = 1_000
"""Characters of a thought."""


def mend_sums(thought: str) -> str:
    """The thought with right results; a wrong one is mended in its result, too, if there it is said
    again."""
    if len(thought) > _MOST:
        return thought
    for found in reversed(list(_SUM.finditer(thought))):
        right, said = _work_out(found), found["said"]
        if right is None or _is_rounded(right, said):
            continue
        told, rest = _write(right, said), thought[found.end("said") :]
        if result := _RESULT.search(rest):
            again = rf"(?<![\d.,]){re.escape(said)}(?![\w:]|[.,]\d)"
            rest = rest[: result.end()] + re.sub(again, told, rest[result.end() :])
        thought = thought[: found.start("said")] + told + rest
    return thought


def _work_out(found: re.Match[str]) -> Decimal | None:
    """What the terms of a sum come to; None where they are no plain sum of one unit."""
    numbers, operators, units = list[Decimal](), list[str](), list[str]()
    for part in _PART.finditer(found["terms"]):
        if part["number"]:
            numbers.append(Decimal(part["number"].replace(",", "")))
            units.append(part["unit"].strip().casefold())
        else:
            operators.append(part["operator"].strip())
    told = [unit for unit in (*units, (found["unit"] or "").casefold()) if unit]
    if len(numbers) != len(operators) + 1 or any(_OTHERWISE.fullmatch(u) for u in told):
        return None
    products = all(operator in _TIMES + _BY for operator in operators)
    if not products and len({unit for unit in units if unit}) > 1:
        return None
    if _PART_OF.search(found.string[max(0, found.start() - 20) : found.start()]):
        return None
    try:
        return _add(numbers, operators)
    except (DivisionByZero, InvalidOperation):
        return None


def _add(numbers: list[Decimal], operators: list[str]) -> Decimal:
    """Products first, then what is added and taken away."""
    parts = [numbers[0]]
    for operator, number in zip(operators, numbers[1:], strict=True):
        if operator in _TIMES:
            parts[-1] *= number
        elif operator in _BY:
            parts[-1] /= number
        else:
            parts.append(-number if operator in _LESS else number)
    return sum(parts, Decimal(0))


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
