"""Which of two amounts is more, said beside the facts."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.weighing import weigh_amounts


@pytest.mark.parametrize(("words", "fact", "told"), [
    ("I travelled 24 days ago. Still in time?", "Claims are made within 19 days.",
     "24 days are more than 19 days."),
    ("bought it 2 months ago", "Refunds are given within 40 days.",
     "2 months are more than 40 days."),
    ("We'd be there at 15:45", "Check-in is from 15:30.", "15:45 is after 15:30."),
    ("at half past seven in the evening?", "Visiting time ends at 18:45.",
     "19:30 is after 18:45."),
    ("are you open at 8 am", "We are open from 7:15 am to 12:45 pm.",
     "8:00 is after 7:15 and before 12:45."),
    ("She is 17 weeks old", "from 16 weeks, puppies from 9 months",
     "17 weeks are more than 16 weeks and less than 9 months."),
    ("may I book one for 128 euros?", "up to €135 a night", "128 euros are less than 135 euros."),
    ("we are 12 people", "up to 10 people", "12 people are more than 10 people."),
    ("mine weighs 15 kilos", "up to 12 kg", "15 kg are more than 12 kg."),
])  # fmt: skip
def test_the_greater_amount_is_told(words: str, fact: str, told: str) -> None:
    assert weigh_amounts(words, [fact]) == told


@pytest.mark.parametrize(("words", "fact"), [
    ("24 days ago", "Claims are made with form LR-6."),
    ("within 2 days or 3 days?", "within 19 days"),  # which of them?
    ("24 days ago", "5 days, 9 days or 12 days"),
    ("a stay of 30 days", "1 month"),  # about the same
    ("at 5:30?", "We are open until 18:00."),  # in the morning?
    ("for 12 people", "up to 10 dogs"),
    ("19 days ago", "within 19 days"),
    ("24 days ago " + "x" * 1_200, "within 19 days"),
])  # fmt: skip
def test_what_nobody_knows_is_not_told(words: str, fact: str) -> None:
    assert weigh_amounts(words, [fact]) == ""
