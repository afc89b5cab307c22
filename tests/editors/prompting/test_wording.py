"""Amounts as they are spoken."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.wording import write_digits


@pytest.mark.parametrize(("text", "written"), [
    ("it is still 5 pounds 20 isnt it", "it is still 5.20 pounds isnt it"),
    ("twelve euros fifty per person?", "12.50 euros per person?"),
    ("It costs 5 pounds AND 20 pence, right?", "It costs 5.20 pounds, right?"),
    ("3 dollars 99, right?", "3.99 dollars, right?"),
])  # fmt: skip
def test_an_amount_as_it_is_spoken_is_written(text: str, written: str) -> None:
    assert write_digits(text) == written


@pytest.mark.parametrize("text", [
    "The fee is 10 euros and 12 for guests.",
    "Is it 8 euros and 12?",
    "Tickets are 10 euros 15 for adults.",
    "Entry is 10 euros 18 and over.",
    "Tickets are 5 dollars 65 or older.",
    "10 euros 15, 20 or 30",
    "Lunch is 12 euros 12 to 2 pm.",
    "For 10 dollars 50 are included.",
    "A bag may weigh 20 pounds 10?",
    "The baby was 8 pounds 12.",
])  # fmt: skip
def test_two_numbers_are_no_amount(text: str) -> None:
    """The fault: half of 95 texts with a number behind an amount."""
    assert write_digits(text) == text
