"""Which first day a fact names for itself."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from memedit.core.days import find_first_day

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)  # a Monday


@pytest.mark.parametrize(("text", "day", "rest"), [
    ("From 1 January the fee is 60 euros.", "2027-01-01", "The fee is 60 euros."),
    ("As of Tuesday, we open at 9.", "2026-12-01", "We open at 9."),
    ("The fee is 60 euros from 1 March 2030.", "2030-03-01", "The fee is 60 euros."),
    ("The fee, starting 2027-02-01, is 6.", "2027-02-01", "The fee is 6."),
    ("From the 15th on, lunch is at one.", "2026-12-15", "Lunch is at one."),
    ("From May on the pool is open.", "2027-05-01", "The pool is open."),
    ("Starting next month parking costs 5 euros.", "2026-12-01", "Parking costs 5 euros."),
    ("The shop opens at 9 with effect from Easter.", "2027-03-26", "The shop opens at 9."),
])  # fmt: skip
def test_a_first_day_to_come(text: str, day: str, rest: str) -> None:
    found = find_first_day(text, NOW, timezone.utc)
    assert found is not None and (found.start.date().isoformat(), found.rest) == (day, rest)
    assert found.words in text


@pytest.mark.parametrize("text", [
    "From Monday to Friday we open at 9.", "We are closed from 24 December to 2 January.",
    "From 9 to 5 we work.", "As of 2020 the fee is 60 euros.", "We start from scratch.",
    "From 1 November the fee is 60 euros.",  # rather the last one
    "From 1 January 2020 the fee was 60 euros.", "As of Monday we open at 9.",  # today
    "Ada is from May Street.", "From Tuesday until Friday the lift is out of order.",
    "From 1 May every year the lake is open.", "From tomorrow, and until 3 May, it is free.",
    "Questions about safety have been passed to Mr Amsel as of March.",
    "Athletic came away from Saturday's game as winners.",
    "From tomorrow it", "From 31 February the fee is 60 euros.",
])  # fmt: skip
def test_no_first_day_to_come(text: str) -> None:
    assert find_first_day(text, NOW, timezone.utc) is None


@pytest.mark.parametrize(("text", "rest"), [
    ("As of Monday we open at 9.", "We open at 9."),
    ("From 30 November the fee is 60 euros.", "The fee is 60 euros."),
    ("The fee is 60 euros from 2026-11-30.", "The fee is 60 euros."),
    ("Effective today, the fee is 60 euros.", "The fee is 60 euros."),
])  # fmt: skip
def test_a_first_day_that_is_today(text: str, rest: str) -> None:
    assert find_first_day(text, NOW, timezone.utc) is None  # it has begun
    found = find_first_day(text, NOW, timezone.utc, today=True)
    assert found is not None and (found.start, found.rest) == (NOW.replace(hour=0), rest)


@pytest.mark.parametrize("text", [
    "From 29 November 2026 the fee is 60 euros.",
    "From today's menu choose three.", "From today to Friday we open at 9.",
    "As of today nobody has been hurt.", "As of Monday we were closed.",
])  # fmt: skip
def test_no_first_day_that_is_today(text: str) -> None:
    assert find_first_day(text, NOW, timezone.utc, today=True) is None


def test_today_is_the_zones() -> None:
    east, text = timezone(timedelta(hours=13)), "As of Tuesday we open at 9."
    found = find_first_day(text, NOW, east, today=True)
    assert found is not None and found.start == datetime(2026, 12, 1, tzinfo=east)
    assert find_first_day(text, NOW, east) is None
    assert find_first_day(text, NOW, timezone.utc) is not None


def test_a_first_day_that_is_over() -> None:
    text = "Flu jabs are given from October on."
    found = find_first_day(text, NOW, timezone.utc, coming=False)
    assert found is not None and found.rest == "Flu jabs are given."
