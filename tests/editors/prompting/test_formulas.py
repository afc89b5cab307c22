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
        (" 29 - 12  # days", DAYS, "i took twelve", "17 days"),
        (" 29 - 12", DAYS, "i took 12", "17"),
        (" 100 * (1 - 1.6 / 100) - 0.22  # euros", "We charge 1.6% plus €0.22.", "100 euros?",
         "€98.18"),
        (" 138 - 150  # euros", "Orders of 150 euros or more are free.", "my basket is 138",
         "12 euros"),
        (" 4 * 35  # pence", "The charge for each day is 35p", "4 days", "£1.40"),
        (" 600 * 61  # cents", "Employees are paid 61 cents per mile", "drove 600 miles", "366.00"),
        (" 600 * 61  # cents", "Employees are paid 61 cents per mile", "600 miles in $", "$366.00"),
        (" 1785 * 2  # euros", "The bike costs 1,785 euros.", "two of them", "3,570 euros"),
        (" 1500 / 10  # runs", "CI has 1,500 minutes, for €9.", "10 min each", "150 runs"),
        (" 35 - 31.5  # GB", "The limit is 35 GB", "it has 31.5 GB in it", "3.5 GB"),
    ],
)  # fmt: skip
def test_what_a_formula_comes_to(line: str, facts: str, words: str, told: str) -> None:
    worked = work_out_formula(line, facts, words)
    assert worked.endswith(f". Result: {told}")
    assert find_told(worked) == told


@pytest.mark.parametrize(
    ("line", "facts", "words"),
    [
        (" None", DAYS, "who approves it?"),
        (" 29", DAYS, "how many days?"),
        (" 29 - 13", DAYS, "i took twelve"),  # a number of its own
        (" 40 * 2", DAYS, "2 of 40"),  # of no fact
        (" 45 * 10", "A 45-minute lesson costs £39", "10 lessons, total?"),  # no price in it
        (" 3 * 19 * 3", "A desk costs €19 a day", "3 days, total?"),  # said once, counted twice
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
