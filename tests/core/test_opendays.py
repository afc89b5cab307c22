"""On which days of the week something is open."""

from __future__ import annotations

import pytest

from memedit.core.opendays import DayAsked, judge_open_day, tells_days

LIBRARY = "The library is open from Tuesday to Saturday, 10 am to 6 pm."
MUSEUM = "The museum is open daily from 10 am to 6 pm, closed on Mondays."
SHOP = "We are open Mon-Fri 9-5 and Sat 9-1."
BATHS = "On Sundays, Hollerby Baths is open from 7:30 am to 9 pm"


@pytest.mark.parametrize(("question", "fact", "is_so"), [
    ("Is the library open on Sunday?", LIBRARY, False),
    ("is the library open on tuesdays", LIBRARY, True),
    ("Is the library closed on Monday?", LIBRARY, True),
    ("Is the library closed on Friday?", LIBRARY, False),
    ("Does the library open on a Wednesday?", LIBRARY, True),
    ("sunday open?", LIBRARY, False),
    ("open on sat?", LIBRARY, True),
    ("Is the museum open on Tuesdays?", MUSEUM, True),
    ("Is the museum open on Monday?", MUSEUM, False),
    ("Are you open on Sunday?", BATHS, True),
    ("are you open on sunday", SHOP, False),
    ("do you open at weekends?", SHOP, None),  # one of its days
    ("do you open on weekdays?", SHOP, True),
    ("Are you open on Saturday?", BATHS, None),  # it speaks of Sundays alone
    ("Is the shop open on Friday evening?", SHOP, None),
    ("Is the office open on Friday?", "The office is open Monday to Friday except in May.", None),
    ("Is it open on Friday?", LIBRARY, None),  # it: whatever was spoken of
    ("When is the library open?", LIBRARY, None),
    ("Is the sauna open on Monday?", "Yoga is on Mondays and Fridays.", None),
])  # fmt: skip
def test_judged_by_the_days_that_a_fact_tells(question: str, fact: str, is_so: bool | None) -> None:
    assert judge_open_day(question, fact) is is_so


CAFE = "The shop is open daily, the café Tuesday to Sunday."
HOURS = "Opening hours: Mon.-Fri. 9-5, Sat 9-1, Sun: closed"


@pytest.mark.parametrize(("question", "fact", "is_so"), [
    ("Is the café open on Monday?", CAFE, None),  # two things in one fact
    ("Are you open on Sunday?", "The library's café is open daily.", None),
    ("Is the York branch open on Sunday?", "The Leeds branch is open Mon-Sat.", None),
    ("Are you open on Sunday?", "Registration is open Monday to Friday.", None),
    ("Is the library open on Sunday?", "Hollerby Library is open Mon-Sat, 9-5.", False),
    ("Are you open on Sunday?", "Hollerby Library's opening hours are Mon-Sat, 9-5.", False),
    ("Are you open on Sunday?", "Summer opening hours: daily.", None),
    ("Are you open on Saturday?", "Deliveries take place Monday to Friday, 8 am-4 pm.", None),
    ("Is the zoo open on Monday?", "The zoo is open daily apart from Mondays.", None),
    ("Is the zoo open on Monday?", "The zoo is open daily; Monday is the rest day.", None),
    ("Is the zoo open on Monday?", "The zoo is open daily in good weather.", None),
    ("Is the zoo open on Monday?", "The zoo isn't open on Mondays.", None),
    ("Is the zoo open on Saturday?", "The zoo is open Mon-Fri, Saturdays on request.", None),
    ("Is the zoo open on Saturday?", "The zoo is open to pupils Monday to Friday.", None),
    ("Is the zoo open on Monday?", "The zoo is open until 9 pm on Fridays and Sundays.", None),
    ("Is the zoo open on Monday?", "The zoo is open Tue-Sun from 10 to 6, Thu until 9 pm.", False),
    ("Are you open on Saturday?", "Marlow & Finch is open Monday to Friday, 8-6.", False),
    ("Is the zoo open on Monday?", "On Fridays and Sundays the zoo is open until 9 pm.", None),
    ("Is the zoo open on Sunday?", "The zoo closes on Sundays at 1 pm, else at 6 pm.", None),
    ("Is the zoo open on Sunday?", "The zoo is closed Friday to Monday.", False),
    ("Is the zoo open on Sunday?", "The zoo is open Mondays through to Saturdays.", False),
    ("Are you open on Wednesday?", HOURS, True),
    ("Are you open on Sunday?", HOURS, False),
    ("Is the library only open on Tuesday?", LIBRARY, None),
    ("Are you open on frıday?", SHOP, None),  # without case, ı is an i
    ("Are you open on Sunday?", "We are open Monday to Frıday.", None),
])  # fmt: skip
def test_silent_where_a_fact_says_more_or_of_another_thing(
    question: str, fact: str, is_so: bool | None
) -> None:
    """The faults: half of 489 questions were judged wrongly; a fact is read whole or not at all."""
    assert judge_open_day(question, fact) is is_so


def test_what_is_asked() -> None:
    asked = DayAsked.of("Is the reading room open at weekends?")
    assert asked is not None
    assert (asked.thing, asked.days, asked.is_open) == ("the reading room", frozenset({5, 6}), True)
    assert asked.openly == "On which days is the reading room open?"
    house = DayAsked.of("do you open on mondays")
    assert house is not None and house.openly == "On which days are you open?"


@pytest.mark.parametrize(("fact", "told"), [
    (LIBRARY, True), (MUSEUM, True), (SHOP, True), (BATHS, False),
    ("Only on Fridays the office is open.", True), ("The fee is £5.", False),
])  # fmt: skip
def test_one_day_tells_nothing_of_the_others(fact: str, told: bool) -> None:
    assert tells_days(fact) is told
