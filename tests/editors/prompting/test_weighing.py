"""Which of two amounts is more."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.weighing import compare, fold, pick_alike


@pytest.mark.parametrize(("words", "fact", "more"), [
    ("I travelled 24 days ago", "Claims are made within 19 days.", 1),
    ("bought it 2 months ago", "Refunds are given within 40 days.", 1),
    ("6 weeks", "within 2 months", -1),
    ("We'd be there at 15:45", "Check-in is from 15:30.", 1),
    ("at half past seven in the evening", "Visiting time ends at 18:45.", 1),
    ("may I book one for 128 euros?", "up to €135 a night", -1),
    ("we are 12 people", "up to 10 people", 1),
    ("mine weighs 15 kilos", "up to 12 kg", 1),
    ("a stay of 30 days", "1 month", 0),  # about the same
    ("19 days ago", "within 19 days", 0),
])  # fmt: skip
def test_the_greater_amount(words: str, fact: str, more: int) -> None:
    [(own, other)] = pick_alike(fold(words), fold(fact))
    assert compare(own, other) == more


@pytest.mark.parametrize(("words", "fact"), [
    ("24 days ago", "Claims are made with form LR-6."),
    ("within 2 days or 3 days", "within 19 days"),  # which of them?
    ("24 days ago", "5 days or 9 days"),
    ("at 5:30", "We are open until 18:00."),  # in the morning?
    ("for 12 people", "up to 10 dogs"),
])  # fmt: skip
def test_amounts_that_are_not_alike(words: str, fact: str) -> None:
    assert pick_alike(fold(words), fold(fact)) == []
