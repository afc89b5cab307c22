"""Formulas that a base writes: what they come to, and which are none."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.formulas import work_out_formula
from memedit.editors.prompting.reasoning import find_told

TICKETS = "A day ticket for adults costs €18.50. Renting a pair of shoes costs €4.80."
DAYS = "The annual leave is 29 days."


@pytest.mark.parametrize(
    ("line", "facts", "words", "told"),
    [
        (" 2 * 18.50 + 2 * 4.80  # euros", TICKETS, "2 adults, both need shoes", "€46.60"),
        (" 29 - 12  # days", DAYS, "i took twelve, how many are left", "17 days"),
        (" 29 - 12", DAYS, "i took 12", "17"),
        (" 100 * (1 - 1.6 / 100) - 0.22  # euros", "We charge 1.6% plus €0.22.", "100 euros?",
         "€98.18"),
        (" 138 - 150  # euros", "Orders of 150 euros or more are free.",
         "my basket is 138, how much more?",
         "12 euros"),
        (" 4 * 35  # pence", "The charge for each day is 35p", "4 days", "£1.40"),
        (" 600 * 61  # cents", "Employees are paid 61 cents per mile", "drove 600 miles", "366.00"),
        (" 600 * 61  # cents", "Employees are paid 61 cents per mile", "600 miles in $", "$366.00"),
        (" 1785 * 2  # euros", "The bike costs 1,785 euros.", "two of them", "3,570 euros"),
        (" 1500 / 10  # runs", "CI has 1,500 minutes, for €9.", "10 min each", "150 runs"),
        (" 1,200 * 2  # euros", "The course costs 1,200 euros.", "2 of us", "2,400 euros"),
        (" 80 * 20 / 100  # pounds", "Students get 20% off.", "how much off £80?", "£16"),
        (" 250 * 45 / 100  # pounds", "Mileage is 45p a mile.", "I drove 250 miles", "£112.50"),
        (" 30 * 2  # total", "Tours cost €30 each.", "2 of us, total?", "€60"),
        (" 2024 - 1998  # years", "The firm was founded in 1998.", "how old in 2024?", "26 years"),
        (" 17 - 9  # hours", "Open 9 to 17.", "how many hours a day?", "8 hours"),
        (" 2 * 90 / 60  # hours", "A lesson lasts 90 minutes.", "2 lessons, in hours?", "3 hours"),
        (" 90 / 30  # tickets", "A ticket costs €30.", "how many for €90?", "3 tickets"),
        (" 20 / 80 * 100  # %", "20 of 80 places are free.", "a share of?", "25%"),
        (" 35 - 31.5  # GB", "The limit is 35 GB", "it has 31.5 GB in it. left?", "3.5 GB"),
        (" 84 / 12 # pounds", "A permit costs, per year, 84 pounds",
         "What is it per month, when I divide the price by twelve?", "7 pounds"),
        (" 2 * 39 # pounds", "A lesson costs £39", "my wife and I would like one each", "£78"),
        (" 80 - 80 * 15 / 100 # euros", "Members get 15% off.",
         "the coat is 80 euros, for members?",
         "68 euros"),
        (" 3 x £14 = 42 # pounds", "A day costs £14.", "3 days?", "£42"),
        (" 6 * 7 # pounds", "A swim costs £7.", "my husband, 4 kids and me", "£42"),
        (" 1785 - 50 # euros", "The bike costs 1,785 euros.", "what is left to pay after 50 euros?",
         "1,735 euros"),
        (" 10 + 10 # legs", "A spider has ten legs", "of two spiders?", "20 legs"),
        (" 2 * 21 + 3 * 9 + 5 * 3 # pounds", "Adults pay £21, children £9, a towel £3.",
         "2 adults, 3 kids, each with a towel", "£84"),
        (" 8853 - 8611 # meters", "Everest is 8,853 metres high", "How many metres is it higher "
         "than K2 with its 8611 m?", "242 meters"),
        (" 2019 + 12 # years", "The guarantee lasts 12 years", "bought in 2019", "2031"),
        (" 46 / 4 # visits", "The card costs £46 a year.",
         "It saves me 4 pounds each time. After how many visits have I got back what it costs?",
         "12 visits"),
        (" 50 / 14 # tickets", "A ticket costs €14.", "how many tickets can i buy for 50 euros",
         "3 tickets"),
        (" 10 / 4 # litres", "A can holds 4 litres.", "how many do I need of them for 10 litres",
         "2.5 litres"),
        (" 250 * 40 / 100 # dollars", "Drivers get 40 cents a mile. The bonus is $650.",
         "I drove 250 miles", "$100"),
    ],
)  # fmt: skip
def test_what_a_formula_comes_to(line: str, facts: str, words: str, told: str) -> None:
    worked = work_out_formula(line, facts, words)
    assert worked.endswith(f". Result: {told}")
    assert find_told(worked) == told


def test_a_time_can_be_told() -> None:
    assert find_told("10:30 - 75 minutes = 9:15. Result: 9:15") == "9:15"
    assert find_told("Result: 9: 15") == find_told("Result: a = 3") == ""


@pytest.mark.parametrize(
    ("line", "facts", "words"),
    [
        (" None", DAYS, "who approves it?"),
        (" 29", DAYS, "how many days?"),
        (" 29 - 13", DAYS, "i took twelve"),  # a number of its own
        (" 40 * 2", DAYS, "2 of 40"),  # of no fact
        (" 45 * 10", "A 45-minute lesson costs £39", "10 lessons, total?"),  # no price in it
        (" 2 * 19 * 19", "A desk costs €19 a day", "2 days, total?"),
        (" 39 / 2 # pounds", "A 45-minute lesson costs £39", "how much for one 45 min lesson"),
        (" 5 * 12 # pounds", "A ticket costs £12", "what are 2 tickets for the 3 pm show"),
        (" 22 * 12 # pounds", "A ticket costs £12", "2 tickets for 20 May, what are they"),
        (" 8 * 9 # pounds", "A swim costs £9", "my son is 8, what does he pay"),
        (" 14 + 14 # pounds", "A swim costs £14", "what does a swim cost at 2 pm?"),
        (" 14 - 12 # pounds", "A day costs £14", "Last year it was £12. How much is a day now?"),
        (" 28 + 9 # days", "The leave is 28 days", "I have taken 9, how many are left?"),
        (" 2026 + 12 # years", "It runs for 12 months", "from 2026, until what year?"),
        (" 60 * 14 # pounds", "The minibus costs £14 a day", "what do 3 days cost?"),
        (" 14 + 4 # pounds", "A day costs £14", "what do 3 days cost my wife and me?"),
        (
            " 80 * (1 + 15 / 100) # euros",
            "Members get 15% off.",
            "A coat of 80 euros, for members?",
        ),
        (" 90 * 60 # hours", "A lesson lasts 90 minutes.", "how many hours is a lesson?"),
        (
            " 12 * 45 # pounds",
            "A ticket is £12, the tour takes 45 minutes",
            "what does it cost us?",
        ),
        (" (3 * 20 + 2 * 1) / 100 # euros", "A copy is 20 cents, a scan 1 euro.", "3 and 2"),
        (" 7 * 19", "A desk costs €19 a day", "2 days, total?"),
        (" 3 * 19 * 3", "A desk costs €19 a day", "3 days, total?"),  # said once, counted twice
        # What does not fit: the currency, what is asked for, the measure, a date, a span.
        (" 50 + 30  # euros", "Adults pay €50 and tourists pay $30.", "one of each, total?"),
        (" 100 - 12  # euros", "A card costs $12.", "I have 100 euros, what is left?"),
        (" 2 * 35 + 1.20  # euros", "The charge is 35p a day, plus £1.20.", "2 days"),
        (" 3 * 40  # minutes", "A 40 minute massage costs €60.", "3 massages, cost?"),
        (" 3 * 60  # euros", "A 40 minute massage costs €60.", "3 massages, how long?"),
        (" 80 - 20  # euros", "Students get 20% off.", "the jacket is 80 euros, what do I pay"),
        (" 20 / 80  # percent", "20 of 80 places are free.", "what percent is free?"),
        (" 130 / 100  # percent", "130 percent of it are paid back.", "which percentage do I get?"),
        (" 90 * 2  # hours", "A lesson lasts 90 minutes.", "2 lessons"),
        (" 3 * 24  # days", "It lasts 3 days.", "how many hours?"),
        (" 2 * 45  # minutes", "The drive takes 45 minutes.", "2 trips, how many hours?"),
        (" 30 - 35  # days", "Returns take 30 days.", "bought it 35 days ago, how many days left?"),
        (" 20 - 7  # days", "The deadline is 20 March.", "today is 7 February, days left?"),
        (" 2024 - 12  # euros", "Founded in 2024, a ticket costs €12.", "cost?"),
        (" 555 * 2  # euros", "Call 555-1234, a call costs €2.", "two calls?"),
        (" 5 * 9  # hours", "Open 9 to 17, closed on Mondays.", "5 days"),
        (" 17.30 - 9.15  # hours", "Open 9.15 to 17.30.", "how many hours?"),
        (" 10 / 4  # cars", "A car takes 4 people.", "we are 10, how many cars"),
        (" 60 - 55  # True", "The room holds 60 people.", "we're 55, enough?"),
        (" 2 * 18.50 * 4", TICKETS, "how much 2 get in 4 a grown up"),
        (" 29 + 98  # days", DAYS, "we come on 20 May, 98 of us. By what date must I book?"),
        (" 29 ** 29 ** 29", DAYS, ""),
        (" 29 // 2", DAYS, ""),
        (" 29 / (12 - 12)", DAYS, "12"),
        (" 2 - 29 - 12", DAYS, "12"),
        (" 29 - 12 -", DAYS, "12"),
        (" len('29')", DAYS, ""),
        (" 29 - x", DAYS, ""),
        (" " + "(" * 80 + "29" + ")" * 80, DAYS, ""),
        ("", DAYS, ""),
    ],
)
def test_what_is_no_formula(line: str, facts: str, words: str) -> None:
    assert work_out_formula(line, facts, words) == ""
