"""What comes out of days, times and spans: worked out by the calendar, or left alone."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.elapsing import find_end, work_out_times

LOAN = "The loan period for books is 26 days."
LEASE = "A lease with Velomund runs for 40 months."
HANDOVER = "The morning handover starts at 06:40."
CHECK_IN = "Check-in for cars closes 55 minutes before departure."
CANCEL = "Bookings can be cancelled free of charge up to nine days before arrival."
DELIVERY = "Delivery takes 5 days."
RETURNS = "Returns within 14 days of delivery."
BOOKED_AHEAD = "Rooms can be booked up to 60 days ahead."
DOORS = "Doors open 90 minutes before the show."
WALK = "The walk to the station takes 12 minutes."
SHIFT = "A shift is 8 hours."


@pytest.mark.parametrize(
    ("words", "facts", "line"),
    [
        ("I borrowed it on the 3rd of March. What's the last day?", [LOAN], "29 March"),
        ("Picked it up on 3 May, what's the latest date I have to bring it back",
         ["Sticks can be borrowed in room B-218 for up to 10 days."], "13 May"),
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
        ("If I order on 3 March, when does it arrive?", [DELIVERY], "8 March"),
        ("It was delivered on 3 May, until when can I send it back?", [RETURNS], "17 May"),
        ("My holiday starts on 1 July. By when must I hand in my request?",
         ["Holiday must be requested at least four weeks in advance."], "3 June"),
        ("The first inspection: delivered 1 May 2025, when is it due?",
         ["The first inspection is due 6 months after delivery."], "1 November 2025"),
        ("I was born on 1 July 2010. From when may I vote?",
         ["Members may vote from the age of 16 years."], "1 July 2026"),
        ("Parental leave from 1 August, when am I back?", ["Parental leave is 12 months."],
         "12 months from 1 August end on 31 July"),
        ("The meeting is on 4 September. What's the earliest we can book?", [BOOKED_AHEAD],
         "6 July"),
        ("My appointment is at 14:00. When do I need to be there?",
         ["Please arrive 15 minutes early."], "13:45"),
        ("Took a pill at 8 am, when can I take the next one?",
         ["Wait at least 6 hours between pills."], "2 pm"),
        ("Interview at 10:30, when am I out?", ["Interviews last 50 minutes."], "11:20"),
        ("When are the gates locked?",
         ["The park closes at 21:00.", "The gates are locked 30 minutes later."], "21:30"),
        ("How long is the night shift?", ["The night shift is from 22:00 to 06:00."],
         "From 22:00 to 06:00 it is 8 hours"),
        ("It's 11 pm now, how long until you open?", ["We open at 7 am."],
         "From 11 pm to 7 am it is 8 hours"),
        ("How many minutes late am I if I come at 9:20?", ["School begins at 8:05."],
         "75 minutes"),
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
        # Of two facts nobody knows which is asked, nor of one that is not read.
        ("Invoice of 5 October: when must we pay?", ["2% off if paid within 10 days.",
         "Invoices are payable within 30 days."]),
        ("I took a film on 3 March, when is it due?", [LOAN, "Films are lent for a week."]),
        ("Bought on 3 March. Until when can I return it?", ["Within 30 days, sale items 14."]),
        ("The show starts at 20:00, when is it over?", ["It lasts one hour and 20 minutes."]),
        ("The show starts at 20:00, when is it over?", ["It is 2 hours and twenty-five minutes."]),
        ("The match starts at 15:00, when does it end?", ["Only the last 20 minutes are shown."]),
        ("It takes me 2h, when must I set off?", [HANDOVER]),
        # The moment is the end, and not where a fact counts from.
        ("I need it by 24 December, when must I order?", [DELIVERY]),
        ("I need the cake for 24 December, what's the last day to order?", ["Cakes take 5 days."]),
        ("My parcel arrived on 5 April. When did you send it?", [DELIVERY]),
        ("My contract ends on 31 December. When's the last day to cancel?",
         ["The cancellation period is 3 months."]),
        ("I booked on 24 April, until when can I cancel?", [CANCEL]),
        ("We arrive on 20 June, until when can I cancel?", ["Cancel within 3 days of booking."]),
        ("I ordered it on 3 May, until when can I send it back?", [RETURNS]),
        ("The freeze started 24 April. What date is the release?",
         ["The freeze starts 5 days before the release."]),
        ("Today is 4 September. Until when can I book a room?", [BOOKED_AHEAD]),
        ("My train is at 9:05 am. When should I leave?", [WALK]),
        ("I have to be back at 14:00. What time should I come?", ["It takes 45 minutes."]),
        ("My shift ends at 22:00, when does it start?", [SHIFT]),
        ("Doors open at 18:30, what time does the show start?", [DOORS]),
        ("I ate at 8 pm. From when can I have the test?",
         ["Do not eat for 12 hours before a test."]),
        ("Checking in on 14 May, when do we get our deposit back?",
         ["Deposits are returned 10 days after check-out."]),
        ("When does the kitchen open?",
         ["The bar closes at 23:30.", "The kitchen closes 60 minutes before the bar."]),
        ("Who's on call on 6 May and until when?", ["On-call duty is for 7 days."]),
        ("I'm on from 6 May, until when?", ["On-call shifts last 7 days."]),
        # Another day or time, or two of them.
        ("Borrowed between the 3rd and 5th of March. When is it due?", [LOAN]),
        ("We're there 3-5 May, until when can we cancel?", [CANCEL]),
        ("Ordered 3 March, invoice came on the 10th. When must I pay?",
         ["Invoices are payable within 14 days."]),
        ("Today is 3 March. I bought it yesterday. Until when can I bring it back?",
         ["Returns within 14 days."]),
        ("I'm away on 3 May. When will my order from today arrive?", [DELIVERY]),
        ("I bought it on 20 January, until when can I return it?",
         ["From 1 March the return window is 60 days."]),
        # What is asked does not come out of it.
        ("The flight leaves at 6:15 pm, when do we land?",
         ["Gates close 20 minutes before departure."]),
        ("When do you open on 24 December?", [LOAN]),
        ("Flight's at 13:50, what time is the transfer?", ["The transfer takes 40 minutes."]),
        ("The festival starts 20 June. When does it end?", ["The festival lasts 3 days."]),
        ("My second jab was on 10 January. When's the third one?",
         ["The second jab is given 21 days after the first."]),
        ("He died on 10 January 1990, when was he born?", ["He lived 81 years."]),
        ("We march 12 km, when are we back?", ["The camp is 3 days."]),
        ("What time do you close?", ["We close at 18:00.", "A haircut takes 45 minutes."]),
        ("When does the ferry leave?", ["The ferry leaves at 21:40.", "It takes 50 minutes."]),
        ("I'll be 20 minutes late, by when are you finished?", ["Training ends at 20:00."]),
        ("My train is 35 mins late, when will it depart?", ["The train leaves at 13:20."]),
        ("9 am in New York: what time in London?", ["London is 5 hours later than New York."]),
        ("How long are you open?", ["We are open from 9:00 to 5:00."]),
        ("It's 4:30 now. How long until you close?", ["We close at 17:00."]),
        ("How long have I got? I was told 17:00", ["The counter closes at 16:30."]),
        ("How long have you been in business?", ["The shop is open from 9:00 to 18:00."]),
        ("How long does it take to York?", ["The train leaves at 9:00.", "Lunch is at 12:00."]),
        ("How long may I stay if I check in at 16:00?", ["Check-out is at 11:00."]),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_alone(words: str, facts: list[str]) -> None:
    assert work_out_times(words, facts) == ""


WHEN = "When is it due, the last day to report a theft?"


@pytest.mark.parametrize(("line", "words", "end"), [
    ("6 days after 10 June is 16 June.", WHEN, "16 June"),
    ("1 hour before 8 pm is 7 pm.", WHEN, "7 pm"),
    ("6 months from 1 March end on 31 August.", WHEN, "31 August"),
    ("6 days after 10 June is 16 June.", "When are the stitches taken out?", ""),  # of other words
    ("From 7:00 to 9:00 it is 2 hours.", WHEN, ""), ("3 * 14 = 42. Result: 42", WHEN, ""),
    ("", WHEN, ""),
])  # fmt: skip
def test_what_a_line_comes_to(line: str, words: str, end: str) -> None:
    assert find_end(line, words, ["A theft has to be reported within 6 days."]) == end


def test_a_clock_is_asked_for_in_other_words() -> None:
    asked = "The job started at 09:10. At what o'clock will it be cut off?"
    assert work_out_times(asked, ["Jobs time out after 55 minutes."]) == (
        "55 minutes after 09:10 is 10:05."
    )
