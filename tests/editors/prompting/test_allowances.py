"""What a base leaves out of a sum: the ones that are free, the share that is paid back."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.allowances import count_the_free, take_what_is_paid_back
from memedit.editors.prompting.formulas import work_out_formula

TYRES = (
    "Each household may hand in up to 6 tyres a year free of charge. Every further tyre costs €4."
)
BACK = "When a train is over 40 minutes late, the passenger gets back 35% of the fare."


@pytest.mark.parametrize(("formula", "mended"), [
    ("9 * 4", "(9 - 6) * 4"), ("4 * 9", "(9 - 6) * 4"), ("(9 - 6) * 4", "(9 - 6) * 4"),
    ("5 * 4", "5 * 4"), ("9 * 3", "9 * 3"), ("9 + 4", "9 + 4"),
])  # fmt: skip
def test_the_free_ones_are_counted(formula: str, mended: str) -> None:
    assert count_the_free(formula, TYRES, "I have 9 tyres. What do I pay?") == mended


@pytest.mark.parametrize(("facts", "words"), [
    (TYRES, "We have handed in 6 already. What do 9 further tyres cost?"),
    (TYRES, "We used our free six in spring. What do 9 tyres cost?"),
    ("Up to 6 seats are free. Every further user costs €4.", "What do 9 seats cost?"),
    ("Up to 6 children swim free. Other visitors pay €4.", "What do 9 children pay?"),
    ("A tyre costs €4.", "I have 9 tyres. What do I pay?"),
    ("Up to 6 tyres are taken a day. Every further tyre costs €4.", "9 tyres?"),  # none is free
    ("The first 6 euros are free, every further tyre costs €4.", "9 tyres?"),
])  # fmt: skip
def test_where_none_is_free_all_are_paid(facts: str, words: str) -> None:
    assert count_the_free("9 * 4", facts, words) == "9 * 4"


@pytest.mark.parametrize(("formula", "mended"), [
    ("60 * (1 - 35 / 100)", "60 * 35 / 100"), ("60 - 60 * 35 / 100", "60 * 35 / 100"),
    ("60 * 35 / 100", "60 * 35 / 100"), ("60 * (1 - 20 / 100)", "60 * (1 - 20 / 100)"),
])  # fmt: skip
def test_what_is_paid_back_is_no_rest(formula: str, mended: str) -> None:
    assert take_what_is_paid_back(formula, BACK, "I paid 60 euros. What do I get?") == mended


@pytest.mark.parametrize(("facts", "words"), [
    ("The insurance refunds 35% of the bill.", "My bill is 60 euros. What do I pay?"),
    ("A guest who cancels gets 35% of it charged.", "I paid 60 euros. What do I get back?"),
    ("Members get 35% off.", "I am a member. What do 60 euros come to?"),
    ("Members get a discount of 35% of the price.", "What do 60 euros come to?"),
    (BACK, "I paid 60 euros. What did it cost me in the end, what is left for me to pay?"),
])  # fmt: skip
def test_a_discount_leaves_the_rest(facts: str, words: str) -> None:
    assert take_what_is_paid_back("60 * (1 - 35 / 100)", facts, words) == "60 * (1 - 35 / 100)"


def test_the_machine_works_the_mended_sum_out() -> None:
    words = "I've nine tyres, the first ones this year. What do I pay?"
    assert work_out_formula("9 * 4 # euros", TYRES, words) == "(9 - 6) * 4 = €12. Result: €12"
    told = work_out_formula("60 * (1 - 35 / 100) # euros", BACK, "I paid 60 euros. How much back?")
    assert told == "60 * 35 / 100 = 21 euros. Result: 21 euros"
