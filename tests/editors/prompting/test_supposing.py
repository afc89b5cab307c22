"""Amounts that are taken for granted, and what is left to the base."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit, Hit, Record
from memedit.editors.prompting.polar import is_polar
from memedit.editors.prompting.supposing import Amount, find_amounts, judge_supposed
from memedit.editors.prompting.verdicts import verdict, verdict_of

LEAVE = "Staff get 29 days of leave a year."
BIKE = "Taking a bicycle on board costs €6 each way"
NOTICE = "The notice period of a monthly membership is three weeks"


@pytest.mark.parametrize(
    ("words", "fact", "said"),
    [
        ("leave is 25 days innit", LEAVE, "No"),
        ("contracts end after 20 days, right?", "Contracts end after 14 days.", "No"),
        ("Delivery takes 2 working days, right?", "Delivery takes four working days", "No"),
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
        ("I can cancel after 20 days, right?", "A contract can be cancelled after 14 days."),
    ],
)
def test_the_rest_is_left_to_the_base(words: str, fact: str) -> None:
    assert judge_supposed(words, fact) is None


TICKET = "A ticket costs 12 euros."
POOL = "The pool opens at 7 am."
FEE = "The fee is 6 euros, right?"


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        # A sort of it, another thing of its name, a part of it, a case.
        (FEE, "The late fee is €9."),
        (FEE, "The fee for late returns is €9."),
        ("Delivery takes 2 days, right?", "Standard delivery takes 5 days."),
        ("A kayak costs 50 euros, right?", "The kayak repair costs 80 euros"),
        ("A kayak costs 50 euros, right?", "The repair of a kayak costs 80 euros"),
        ("A kayak costs 50 euros, right?", "Cleaning a kayak costs 80 euros"),
        ("A key costs 10 euros, right?", "A replacement key costs 40 euros"),
        ("The bus takes 30 minutes, right?", "The A4 bus takes 25 minutes"),
        ("The line takes 30 minutes, right?", "Line 4 takes 25 minutes"),
        ("The kitchen closes at 11 pm, right?", "The kitchen closes at 10 pm on weekdays"),
        ("The kitchen closes at 9 pm, right?", "In summer the kitchen closes at 10 pm"),
        ("The hike takes 2 hours, right?", "The hike to the hut takes 3 hours"),
        ("The hike is 5 hours, right?", "The hike takes 3 hours up"),
        ("Is a locker 5 euros?", "The deposit for a locker is 2 euros"),
        # Words that are alike, and places that have been changed.
        ("Is checkout at 11 am?", "Check-in is at 3 pm."),
        ("Delivery to Australia takes 9 days, right?", "Delivery to Austria takes 5 days."),
        ("Parental leave is 14 days, right?", "Leave of parents is 29 days."),
        ("Bo owes Ada 30 euros, right?", "Ada owes Bo 30 euros."),
        ("Does Bo owe 30 euros?", "I owe 30 euros to Bo."),
        ("A taxi from the inn to the port is 30 euros, right?",
         "A taxi from the port to the inn costs 30 euros."),
        # Another person's, and several together.
        ("I pay 6 euros, right?", "Adults pay 12 euros."),
        ("I can borrow books 14 days, right?", "Members can borrow books for 28 days."),
        ("Children pay 12 euros, right?", "Adults pay 12 euros, and children go free."),
        ("We pay 24 euros for tickets, right?", TICKET),
        # Another time, a state, one of several, how long from now.
        ("Tickets were 10 euros, right?", TICKET),
        ("Is the fee 6 euros?", "The fee was 5 euros."),
        ("The fee is 5 euros, right?", "The fee used to be 5 euros."),
        ("The fee is 5 euros, right?", "The fee will be 5 euros."),
        ("Is the pool open at 8 am?", POOL),
        ("Is the pool closed at 11 pm?", "The pool closes at 10 pm."),
        ("Do trains leave at 11:15?", "The train leaves at 10:15."),
        ("A train leaves at 10:45, right?", "The train leaves at 10:15."),
        ("The bus is in 10 minutes, right?", "The bus takes 20 minutes."),
        ("The bus takes 40 minutes, right?", "The bus runs every 20 minutes."),
        # Another rate, and a number that is not plain.
        ("The gym is 360 euros a year, right?", "The gym costs 30 euros a month."),
        ("The gym is 360 euros p.a., right?", "The gym costs 30 euros a month."),
        ("The gym is 300 euros a year, right?", "The gym costs 30 euros."),
        ("The lake is 3 km away, right?", "The lake is 5 km long."),
        ("The rate is 40 euros per night, right?", "The rate is 20 euros per night per person."),
        ("The salary is 3.500 euros, right?", "The salary is 3,500 euros."),
        ("The project cost €3, right?", "The project cost €3 million."),
        ("Is the temperature 18 degrees?", "The temperature is minus 18 degrees."),
        ("Is the balance 50 euros?", "The balance is −50 euros."),
        ("Does the parcel cost 7 pounds?", "The parcel weighs 7 pounds."),
        # What is denied, bounded, ranged or a condition: no yes either.
        ("Is delivery 5 euros?", "Delivery is not 5 euros any more."),
        ("5 euros are charged, right?", "No more than 5 euros are charged."),
        ("People pay 5 euros, right?", "Nobody pays 5 euros."),
        ("The fee is 8 euros, right?", "The fee is 5 to 8 euros."),
        ("Is the fee 6 euros?", "The fee is €5–8."),
        ("Is the fee 6 euros?", "The fee is about 5 euros."),
        ("Shipping is 50 euros, right?", "Shipping is free for orders over 50 euros."),
        ("Is parking 2 hours?", "Parking is free for the first 2 hours."),
        ("The fee is 5 euros, right?", "If you are late, the fee is 5 euros."),
        # What is less than a limit agrees with it.
        ("Is a 10 MB file allowed?", "The limit for files is 25 MB."),
        ("15 kg of baggage is allowed, right?", "The baggage allowance is 20 kg."),
        ("Is the voucher valid 20 days?", "The voucher is valid for 30 days."),
        ("Do staff take 20 days of leave?", LEAVE),
    ],
)  # fmt: skip
def test_what_the_fact_does_not_decide_is_left_to_the_base(words: str, fact: str) -> None:
    assert judge_supposed(words, fact) is None
    assert verdict(words, Edit.from_statement(fact)) is None


@pytest.mark.parametrize(
    ("words", "fact", "said"),
    [
        ("Are tickets 14 euros?", TICKET, "No"),
        ("Is the warranty 24 months?", "The warranty is two years.", "Yes"),
        ("The film is 90 min, right?", "The film lasts 120 minutes.", "No"),
        ("The speed limit is 30 km/h, right?", "The speed limit is 50 km/h.", "No"),
        ("Is the voucher valid 60 days?", "The voucher is valid for 30 days.", "No"),
        ("does the corvo 5 cost 1,785 euros, yes or no",
         "The price of the Corvo 5 gravel bike is 2,340 euros", "No"),
        ("so I have to give one months notice to get out of the monthly thing?",
         "The notice period of a monthly membership at Loft Nine is three weeks", "No"),
        ("Full time holliday is 25 days innit",
         "The annual leave of full-time staff at Marlow & Finch is 29 days", "No"),
        ("Is the gym 25 euros a month?", "The monthly fee of the gym is 30 euros.", "No"),
    ],
)  # fmt: skip
def test_what_the_fact_decides_is_still_judged(words: str, fact: str, said: str) -> None:
    assert judge_supposed(words, fact) == said


def test_of_two_facts_that_say_different_things_none_decides() -> None:
    words = "The notice period is 2 weeks, right?"
    facts = ["The notice period is 4 weeks.", "The notice period for trainees is 2 weeks."]
    hits = [Hit(Record(Edit.from_statement(fact), n, n), 0.9) for n, fact in enumerate(facts, 1)]
    assert verdict_of(words, hits[:1]) == "No"
    assert verdict_of("Is the notice period for trainees 2 weeks?", hits[1:]) == "Yes"
    other = Hit(Record(Edit.from_statement("The notice period is 2 weeks."), 3, 3), 0.9)
    assert verdict_of(words, [hits[0], other]) is None


def test_of_two_facts_that_tell_the_days_of_one_thing_none_decides() -> None:
    """The fault: by the first alone it is closed on Saturdays."""
    facts = [
        "The office is open Mon-Fri from 9 to 5.",
        "On Saturdays the office is open until 1 pm",
    ]
    hits = [Hit(Record(Edit.from_statement(fact), n, n), 0.9) for n, fact in enumerate(facts, 1)]
    assert verdict_of("Is the office open on Sunday?", hits) == "No"
    assert verdict_of("Is the office open on Saturday?", hits[:1]) == "No"
    assert verdict_of("Is the office open on Saturday?", hits) is None


def test_amounts_are_read_with_their_units() -> None:
    assert find_amounts("€1,250.50 or 2 hrs, 12%") == [
        Amount("euro", 1250.5), Amount("time", 7200, 3600), Amount("percent", 12),
    ]  # fmt: skip
    assert find_amounts("12 am, 12:15 pm and 18:05") == [
        Amount("clock", 0), Amount("clock", 735), Amount("clock", 1085),
    ]  # fmt: skip
    assert find_amounts("flight BA-2490, v1.2.3") == []
