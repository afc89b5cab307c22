"""The sums in a thought, worked out by the machine: a base reckons that 1979 - 1879 is 90.

A calculator at a model's side, which reads the expressions that it writes (Cobbe et al. 2021, arXiv
2110.14168, §4): what stands behind the equals sign is what the expression comes to. Only what is
surely a plain sum is read, a clause of its own, of one kind of operation and one unit: a right
result must never be made wrong.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from math import prod

_NUMBER = r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,2})?|\d{1,12}(?:\.\d{1,2})?"
_TERM = rf"[€£$]?(?:{_NUMBER})(?![\d.,]*\d)(?: (?!x )[^\W\d_]{{1,14}}(?: per [^\W\d_]{{1,14}})?)?"
_OPERATOR = r" [-+*×·x−–] | ?[+*×] ?"
_SUM = re.compile(
    rf"(?P<terms>{_TERM}(?:(?:{_OPERATOR}){_TERM}){{1,3}}) ?= ?(?P<sign>[€£$]?)(?P<said>{_NUMBER})"
    r"(?P<unit>(?: (?!x )[^\W\d_]{1,14})?)(?=[.,;!?]?(?:\s|$))"
)
_PART = re.compile(
    rf"(?P<sign>[€£$]?)(?P<number>{_NUMBER})(?P<unit>(?: (?!x )[^\W\d_]{{1,14}})?)"
    rf"(?: per [^\W\d_]{{1,14}})?|(?P<operator>{_OPERATOR})"
)
_BEFORE = re.compile(
    r"(?:^|[.:;!?\"“\n]|\b(?:is|be|are|costs?|means|so|thus|pays?|total|therefore|get|that))\s*$",
    re.IGNORECASE,
)
"""What a sum stands behind that is whole: no other term, no "half of", no "pages"."""
_BEHIND = re.compile(r"\s*(?:[-+*×·÷/−–=%(]|x )")
_OTHERWISE = frozenset(
    "am pm p c m g kg mg l ml cl cm mm km gb mb tb cent pence percent second minute min hour h "
    "day week month year kilo gram litre liter metre meter inch foot feet mile pound ounce".split()
)
"""Units that are also reckoned into others."""
_SCALES = frozenset("k bn thousand million billion dozen hundred".split())
_YEAR = 1_000
_TIMES, _LESS = frozenset("*×·x"), frozenset("-−–")
_RESULT = re.compile(r"\bresult:", re.IGNORECASE)
_MOST = 1_000
"""Characters of a thought."""


def mend_sums(thought: str) -> str:
    """The thought with the right result of its sum, also where it is told as its result; as it is
    where it has several."""
    sums = list(_SUM.finditer(thought)) if len(thought) <= _MOST else []
    if len(sums) != 1 or thought.count("=") != 1 or not _stands_alone(sums[0]):
        return thought
    [found] = sums
    right, said = _work_out(found), found["said"]
    if right is None or _is_as_said(right, said):
        return thought
    told, behind = _write(right, said), thought[found.end("said") :]
    mended = _mend_result(behind, said, told, _fold(found["unit"]))
    return thought if mended is None else thought[: found.start("said")] + told + mended


def _stands_alone(found: re.Match[str]) -> bool:
    """Whether nothing before or behind a sum belongs to it."""
    before, behind = found.string[: found.start()], found.string[found.end() :]
    return _BEFORE.search(before) is not None and _BEHIND.match(behind) is None


def _mend_result(behind: str, said: str, told: str, unit: str) -> str | None:
    """What follows, its result mended where it says the wrong one; None where that has another
    unit."""
    result = _RESULT.search(behind)
    again = re.compile(rf"(?<![\d.,]){re.escape(said)}(?![\w:]|[.,]\d)(?: ([^\W\d_]+))?")
    found = again.search(behind, result.end()) if result else None
    if found is None:
        return behind
    own = _fold(found[1] or "")
    if own in _OTHERWISE and own != unit:
        return None
    return behind[: found.start()] + told + behind[found.start() + len(said) :]


def _work_out(found: re.Match[str]) -> Decimal | None:
    """What the terms of a sum come to; None where they are no plain sum of one unit."""
    numbers, operators, units = list[Decimal](), set[str](), set[str]()
    for part in _PART.finditer(found["terms"]):
        if part["number"]:
            numbers.append(Decimal(part["number"].replace(",", "")))
            units |= {part["sign"], _fold(part["unit"])} - {""}
        else:
            operators.add(part["operator"].strip())
    own = {found["sign"], _fold(found["unit"])} - {""}
    if (units | own) & _SCALES:
        return None
    if operators <= _TIMES:
        # "27 euros x 5 days = 135 euros", but "2 x 500 g = 1 kg".
        plain = not units & _OTHERWISE or own <= units
        return prod(numbers, start=Decimal(1)) if plain and (own <= units or not units) else None
    # "22 - 6 = 8 hours" is a matter of clocks, "1979 - 1879 = 100 years" one of dates.
    years = own == {"year"} and min(numbers) >= _YEAR
    if len(operators) != 1 or len(units | own) > 1 or (own & _OTHERWISE and not (units or years)):
        return None
    if operators <= {"+"}:
        return sum(numbers, Decimal(0))
    # A span ("pages 12 - 14") is none, nor what is short of something.
    less = numbers[0] - sum(numbers[1:], Decimal(0))
    return less if operators <= _LESS and less >= 0 else None


def _fold(unit: str) -> str:
    """A unit in small letters, without its plural."""
    unit = unit.strip().casefold()
    return unit[:-1] if len(unit) > 2 and unit.endswith("s") else unit


def _is_as_said(right: Decimal, said: str) -> bool:
    """Whether what was said is right, as far as its last digit goes."""
    told = Decimal(said.replace(",", ""))
    step = Decimal(1).scaleb(int(told.as_tuple().exponent))
    return abs(right - told) < step / 2


def _write(right: Decimal, like: str) -> str:
    """A number in the form of another one: with its separators, and cents where it is no whole."""
    whole = right == right.to_integral_value()
    shown = right.quantize(Decimal(1) if whole else Decimal("0.01"), ROUND_HALF_UP)
    return f"{shown:,}" if "," in like or abs(shown) >= 10_000 else f"{shown}"
