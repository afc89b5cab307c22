"""What time a question names."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from memedit.core.days import names_day
from memedit.core.moments import UTC, zone_of
from memedit.core.passages import Conversation
from memedit.core.times import find_named_time, find_near_time

NOW = datetime(2026, 11, 28, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("question", "words", "day", "plain"),
    [
        ("Who was the CEO of Acme in 2010?", "in 2010", "2010-12-31", "Who was the CEO of Acme?"),
        ("Who led Acme before 2015?", "before 2015", "2014-12-31", "Who led Acme?"),
        ("Who was it on 3 May 2021?", "on 3 May 2021", "2021-05-03", "Who was it?"),
        ("Who was it on May 3rd, 2021?", "on May 3rd, 2021", "2021-05-03", "Who was it?"),
        ("As of 2020-02-29, who leads?", "As of 2020-02-29", "2020-02-29", "Who leads?"),
        ("In Feb 2020, who led Acme?", "In Feb 2020", "2020-02-29", "Who led Acme?"),
        ("Who played after 2019?", "after 2019", "2020-01-01", "Who played?"),
        ("Who led Acme last year?", "last year", "2025-11-28", "Who led Acme?"),
        ("Who led it two years ago?", "two years ago", "2024-11-27", "Who led it?"),
        ("Who leads it in 2026?", "in 2026", "2026-11-28", "Who leads it?"),
    ],
)
def test_a_date_with_a_preposition(question: str, words: str, day: str, plain: str) -> None:
    named = find_named_time(question, NOW, UTC)
    assert named is not None and not named.previous
    assert (named.words, f"{named.moments[0]:%Y-%m-%d}", named.plain) == (words, day, plain)


@pytest.mark.parametrize("question", ["Who was previously the head?", "Who was the former head?"])
def test_what_went_before(question: str) -> None:
    named = find_named_time(question, NOW, UTC)
    assert named is not None and named.previous and named.plain == "Who was the head?"


@pytest.mark.parametrize(
    "question",
    [
        "What is the 2010 budget?", "When did it open in 2010?", "Who may lead Acme?",
        "Acme was founded in 2010. Who is its CEO?", "Is room 2010 in building 2010a?",
        "What was it on 31 February 2020?", "What is in 20105?", "", "Do we meet at 2000?",
        "Which year before 2010 was it?", "Who led it fıve years ago?",
        "Who leads Acme, in 2000 words?",
        "the leaflet that came with the mail last week says less, what counts?",
        "Is it around 1500.50 euros?", "Is the price up to 1999 euros?", "Is it by 2010%?",
    ],
)  # fmt: skip
def test_no_time_is_named(question: str) -> None:
    assert find_named_time(question, NOW, UTC) is None


def test_the_last_turn_counts_and_days_begin_in_the_zone() -> None:
    chat = Conversation("Who led Acme in 1999?", "And in 2010?")
    named = find_named_time(chat, NOW, zone_of("Europe/Berlin"))
    assert named is not None and named.words == "in 2010"
    assert named.moments[-1] == datetime(2009, 12, 31, 23, tzinfo=timezone.utc)
    assert find_named_time(Conversation("Who led Acme in 1999?", "Who leads it?"), NOW, UTC) is None


@pytest.mark.parametrize(
    ("question", "words", "day", "plain"),
    [
        ("Is it still 9 euros on 3 May?", "on 3 May", "2027-05-03", "Is it still 9 euros?"),
        ("Is it 9 euros on May 3rd?", "on May 3rd", "2027-05-03", "Is it 9 euros?"),
        ("Is it 9 euros on Monday the 3rd of May?", "on Monday the 3rd of May", "2027-05-03",
         "Is it 9 euros?"),
        ("Was it 9 euros on 3 May?", "on 3 May", "2026-05-03", "Was it 9 euros?"),
        ("What does it cost in December?", "in December", "2026-12-16", "What does it cost?"),
        ("What does it cost from 1 December?", "from 1 December", "2026-12-01",
         "What does it cost?"),
        ("Is it open tomorrow?", "tomorrow", "2026-11-29", "Is it open?"),
        ("Is it open on Monday?", "on Monday", "2026-11-30", "Is it open?"),
        ("Was it open on Monday?", "on Monday", "2026-11-23", "Was it open?"),
        ("Is it open next Saturday?", "next Saturday", "2026-12-05", "Is it open?"),
        ("Is it open next month?", "next month", "2026-12-16", "Is it open?"),
        ("Is it open next week?", "next week", "2026-12-03", "Is it open?"),
        ("What is it next year?", "next year", "2027-07-02", "What is it?"),
        ("Is it open before 3 May?", "before 3 May", "2027-05-02", "Is it open?"),
        ("Is it open on the 27th?", "on the 27th", "2026-12-27", "Is it open?"),
        ("Is it open on the 31st?", "on the 31st", "2026-12-31", "Is it open?"),
        ("Was it open on the 31st?", "on the 31st", "2026-10-31", "Was it open?"),
        ("Is it open on Boxing Day?", "on Boxing Day", "2026-12-26", "Is it open?"),
        ("Is it open on New Year's Eve?", "on New Year's Eve", "2026-12-31", "Is it open?"),
        ("Is it open Easter Monday?", "Easter Monday", "2027-03-29", "Is it open?"),
        ("Was it open at Easter?", "at Easter", "2026-04-05", "Was it open?"),
    ],
)  # fmt: skip
def test_a_day_without_a_year(question: str, words: str, day: str, plain: str) -> None:
    assert find_named_time(question, NOW, UTC) is None
    named = find_near_time(question, NOW, UTC)
    assert named is not None
    assert (named.words, f"{named.moments[0]:%Y-%m-%d}", named.plain) == (words, day, plain)


@pytest.mark.parametrize(
    "question",
    [
        "May I pay 3 euros?", "Is it open on Sundays?", "Is it 9 euros on 31 February?",
        "When is it open on Sunday?", "Is it open the day after tomorrow?", "On which day?",
        "Is it on the 27th floor?", "Is it open on the 32nd?", "Is it 9 euros on 3 May 2027?",
        "It opens on 3 May. How much is it?",
    ],
)  # fmt: skip
def test_no_day_is_named(question: str) -> None:
    assert find_near_time(question, NOW, UTC) is None


def test_a_day_at_the_end_of_the_calendar() -> None:
    last = datetime(9999, 12, 31, tzinfo=timezone.utc)
    for words in ("tomorrow", "next year", "next month", "on 3 May", "on Monday"):
        assert find_near_time(f"Is it open {words}?", last, UTC) is None


def test_what_says_a_day_of_a_month() -> None:
    told = ["open until 3 May", "open until May 3rd", "on 2027-05-03", "the 3rd of May"]
    assert all(map(names_day, told))
    assert not any(map(names_day, ["in May", "3 maybe", "9 euros"]))
