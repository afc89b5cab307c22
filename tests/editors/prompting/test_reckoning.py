"""Which requests are answered by reckoning with what a fact says."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.reckoning import (
    asks_for_one,
    asks_once,
    is_plain_sum,
    is_reckoned,
    may_be_summed,
)

RATE = "Hiring a bike costs £14 per day."


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("I want a bike for three days. What does that add up to?", False),
        ("What do two bikes cost together?", True),
        ("10 ppl for one month = how much in total?", False),
        ("I have taken 20 of them. How many are left this year?", True),
        ("The other one is 30 pounds. How much cheaper than it is yours for a day?", False),
        ("How old did the firm turn in 1979?", False),
        ("sun cream is 50 pounds, whats the price for me with the staff discount", True),
        ("2 bikes there and back, how much is that?", True),
        ("I know 9 of its streets. How many does the town still have in store for me?", True),
    ],
)
def test_a_sum_or_a_difference_is_asked_for(words: str, asked: bool) -> None:
    assert is_reckoned(words, RATE, asked=asked)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("What does a bike cost per day?", True),
        ("How much is a bike for 1 day?", True),  # the fact itself
        ("How much is a bike?", False),
        ("It's 3 days until my trip. How much is a bike?", True),
        ("How much is a bike? I came 3 days ago", True),
        ("Where can I hire two bikes?", False),
        ("Write a mail: what do two bikes cost together?", False),
        ("How much is it for two?\nA) 14\nB) 28", False),
        ('The paper says: "Two bikes, 20 pounds in total." How much is it?', False),
        ("How much for 2 days? " + "We are a family of four and love the sea. " * 12, False),
        ("I left 3 bags at the desk. Where are they?", True),
        ("Is there a discount for two bikes?", True),
        ("In all 4 offices, who is the head?", True),
        ("", False),
    ],
)
def test_it_is_the_fact_itself_or_something_else(words: str, asked: bool) -> None:
    assert not is_reckoned(words, RATE, asked=asked)


def test_what_is_told_for_each_head_is_counted_by_heads() -> None:
    plan = "The Team plan costs 11.40 dollars per user per month"
    bill = "if 10 of us go on the Team plan, whats the bill for one month"
    assert is_reckoned(bill, plan, asked=True)
    assert not is_reckoned("who of the 10 of us is on the Team plan", plan, asked=True)
    assert not is_reckoned("whats the bill for the Team plan", plan, asked=True)
    size = "The largest attachment is 750 MB"
    words = "410 megs. is that more than you allow or is it something else?"
    assert not is_reckoned(words, size, asked=False)
    whole = "I bought it 35 days ago. Do we still get the whole sum back?"
    assert not is_reckoned(whole, "Refunds are given within 40 days", asked=False)


def test_without_a_number_there_is_nothing_to_reckon_with() -> None:
    assert not is_reckoned("What do two of them cost together?", "Bikes are free.", asked=False)


@pytest.mark.parametrize(("words", "once"), [
    ("What do three days come to?", True), ("What do three days come to? And who do I pay?", False),
    ("What do three days come to and who do I pay", False),
    ("I take a second pair whose price is 200 euros. What do I end up paying?", True),
    ("The day when we come is a Friday. By when must I call?", True),
    ("How much are 3 passes? Explain step by step.", False),
])  # fmt: skip
def test_a_result_alone_answers_one_question(words: str, once: bool) -> None:
    assert asks_once(words) is once


@pytest.mark.parametrize(("words", "plain"), [
    ("What is 12 times 8?", True), ("12*8", True), ("what's 3 + 4 please", True),
    ("How much is 15% of 80?", False), ("What is the price of 2 tickets?", False),
    ("What are 3 tickets and 2 dogs?", False), ("What is 24/7?", False), ("What is 12?", False),
])  # fmt: skip
def test_a_sum_of_numbers_alone(words: str, plain: bool) -> None:
    assert is_plain_sum(words) is plain


@pytest.mark.parametrize(("words", "one"), [
    ("Who runs payroll?", True), ("till when can i bring it back", True),
    ("what's the fee for a lost key, please?", True), ("is the pool open on sundays, right?", True),
    ("Who earns more, the head of sales or the head of logistics?", False),
    ("opening hours of pool, sauna?", False), ("What is the fee and the deadline?", False),
    ("What does the lamp cost with my member discount?", False),
    ("If I take the last ferry, when am I on the island?", False),
    ("What's the phone number of whoever leads the north team?", False),
    ("Everything you know on the Alder Theatre please", False),
    ("Who runs payroll? Who runs sales?", False), ("Write Tom a mail on the fee.", False),
    ("Which is cheaper than the lamp?", False), ("What is it? " + "x" * 500, False),
])  # fmt: skip
def test_where_one_fact_may_answer(words: str, one: bool) -> None:
    assert asks_for_one(words) is one


@pytest.mark.parametrize(("words", "may"), [
    ("What would six months of it set me back?", True),
    ("drove 600 miles. what do i get back", True),
    ("My base is $20. What's my hourly pay at night?", True),
    ("A pair costs 200 euros. What do I end up paying?", True),
    ("It is from spring 2019, up to what year is it covered", True),
    ("What do I get back?", False),  # no number
    ("Who approves 3 of them?", False), ("We are 3. Is that over what you charge?", False),
    ("Write me a list of what 3 of them cost.", False),
])  # fmt: skip
def test_what_may_be_a_sum(words: str, may: bool) -> None:
    assert may_be_summed(words, "It lasts 12 years and costs £14.") is may
