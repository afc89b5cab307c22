"""What comes out of days, times and spans: worked out by the calendar, or left alone."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.elapsing import work_out_times

LOAN = "The loan period for books is 26 days."
LEASE = "A lease with Velomund runs for 40 months."
HANDOVER = "The morning handover starts at 06:40."
CHECK_IN = "Check-in for cars closes 55 minutes before departure."
CANCEL = "Bookings can be cancelled free of charge up to nine days before arrival."


@pytest.mark.parametrize(
    ("words", "facts", "line"),
    [
        ("I borrowed it on the 3rd of March. What's the last day?", [LOAN], "29 March"),
        ("borrowed March 3rd, until when can I keep it", [LOAN], "29 March"),
        ("I took it out on 20 December 2026, when is it due?", [LOAN], "15 January 2027"),
        ("Lease from 1 March 2026: in which month does it end?", [LEASE], "30 June 2029"),
        ("Lease from 15 March 2026: when does it end?", [LEASE], "15 July 2029"),
        ("We arrive on 20 June, until when can I cancel?", [CANCEL], "11 June"),
        ("It takes me 25 minutes, when must I set off?", [HANDOVER], "06:15"),
        ("Our ferry goes at 2:20 pm. When does check-in close?", [CHECK_IN], "1:25 pm"),
        ("Ferry at 00:30, by what time must the car be there?", [CHECK_IN], "23:35 the day before"),
        ("How many minutes from one to the other?", ["It ends at 18:45.", "It starts at 19:20."],
         "35 minutes"),
        ("How long is breakfast?", ["Breakfast is from 7:15 to 10:45."], "3 hours and 30 minutes"),
        ("The last ferry: when are we there?", ["The last ferry leaves at 21:40.",
         "The crossing takes 50 minutes."], "22:30"),
    ],
)  # fmt: skip
def test_what_comes_out_is_told(words: str, facts: list[str], line: str) -> None:
    assert work_out_times(words, facts).endswith(f"{line}.") or line in work_out_times(words, facts)


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ("I borrowed it on the 3rd of March.", [LOAN]),  # nothing is asked of a time
        ("Between 3 March and 5 April, when is it due?", [LOAN]),  # of two days
        ("Sent on 3 March, when is it here?", ["It takes 4 working days."]),
        ("Borrowed on 3 February, when is it due?", [LOAN]),  # with a 29th of February or without
        ("Borrowed on 31 April 2026, when is it due?", [LOAN]),  # no such day
        ("I give notice on 3 March, when does it end?", ["The notice period is 30 days."]),
        ("It starts at 9:00, when is it over?", ["It takes an hour and 15 minutes."]),
        ("It starts at 9:00, when is it over?", ["It takes 2 to 3 hours."]),
        ("It takes me 25 minutes, when is that?", [HANDOVER]),  # before it or behind it
        ("How long is it from 7 pm on?", ["We close at 21:00."]),  # 7 pm and 21:00: two ways
        ("When does version 2.30 come?", ["It takes 40 minutes."]),
        ("When do the 6.30 euros come back?", ["It takes 3 hours."]),
        ("When do you open?", [HANDOVER]),
    ],
)
def test_what_is_not_plain_is_left_alone(words: str, facts: list[str]) -> None:
    assert work_out_times(words, facts) == ""
