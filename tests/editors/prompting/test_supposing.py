"""Amounts that are taken for granted, and what is left to the base."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit
from memedit.editors.prompting.polar import is_polar
from memedit.editors.prompting.supposing import Amount, find_amounts, judge_supposed
from memedit.editors.prompting.verdicts import verdict

LEAVE = "Staff get 29 days of leave a year."
BIKE = "Taking a bicycle on board costs €6 each way"
NOTICE = "The notice period of a monthly membership is three weeks"


@pytest.mark.parametrize(
    ("words", "fact", "said"),
    [
        ("leave is 25 days innit", LEAVE, "No"),
        ("holliday is 29 days innit", LEAVE, "Yes"),
        ("Staff have 29 days of leave, is that right? yes/no", LEAVE, "Yes"),
        ("a bike is still 3 euros right", BIKE, "No"),
        ("A bicycle is 6 euros each way, correct?", BIKE, "Yes"),
        ("So I have to give one month's notice?", NOTICE, "No"),
        ("Is it true that the notice period is 21 days?", NOTICE, "Yes"),
        ("Does a nurse slot cost eighteen quid?", "A nurse appointment costs £18", "Yes"),
        ("I only need 2 night drives, dont i", "The number of night drives needed is four", "No"),
        ("The bar opens at 6 pm, right?", "The bar opens at half past 7 pm", "No"),
        ("Is the Fjord 500 €39.90 a month?", "The price of Fjord 500 is €34.90 a month", "No"),
    ],
)
def test_a_supposed_amount_is_judged(words: str, fact: str, said: str) -> None:
    assert is_polar(words)
    assert judge_supposed(words, fact) == said
    assert verdict(words, Edit.from_statement(fact)) == said


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        # The asker's own case, and what compares.
        ("My bag is 7 kg, is that ok?", "Bags of up to 8 kg are free"),
        ("I bought it 25 days ago, can it go back?", "Returns are possible for 29 days"),
        ("Is it more than 25 days?", LEAVE),
        ("Does it take under 3 days?", "Delivery takes 5 days"),
        ("Can I stay 20 minutes?", "A booth may be used for 25 minutes"),
        ("Does the peak top 3,000 metres?", "The peak is 3,115 metres high"),
        # With a bound another amount may agree.
        ("Delivery is 3 days, right?", "Delivery takes up to 5 days"),
        # Another rate, another thing, days that differ.
        ("It is £9 a week, right?", "A bicycle costs £14 per day"),
        ("The deposit for keys is 50 euros, right?", "Renting a kayak costs 80 euros"),
        ("It takes 3 days, right?", "A transfer takes 3 working days"),
        ("The repair of a kayak is 50 euros, right?", "A kayak costs 80 euros"),
        # A name's number, and two amounts.
        ("Does the 300 SL have gullwing doors?", "The doors of the 300 SL open like scissors."),
        ("We need 3 seats, right?", "The plan includes 5 seats"),
        ("It is 6 euros for 2 days, right?", "It costs 8 euros for 3 days"),
        ("Is leave 6 weeks?", "Leave is 30 days"),
        ("30 days is about a month, right?", "The period is one month"),
        ("Where are the 25 days noted?", LEAVE),
    ],
)
def test_the_rest_is_left_to_the_base(words: str, fact: str) -> None:
    assert judge_supposed(words, fact) is None


def test_amounts_are_read_with_their_units() -> None:
    assert find_amounts("€1,250.50 or 2 hrs, 12%") == [
        Amount("euro", 1250.5), Amount("time", 7200, 3600), Amount("percent", 12),
    ]  # fmt: skip
    assert find_amounts("12 am, 12:15 pm and 18:05") == [
        Amount("clock", 0), Amount("clock", 735), Amount("clock", 1085),
    ]  # fmt: skip
    assert find_amounts("flight BA-2490, v1.2.3") == []
