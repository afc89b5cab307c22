"""Days and times that a base writes as a sum."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.timesums import may_be_dated, work_out_moment

GROUPS = "Groups must register at least 8 days before their visit."


@pytest.mark.parametrize(("line", "facts", "words", "result"), [
    ("20 May - 8 days", [GROUPS], "We come on 20 May.", "12 May"),
    (" 20 May - 8 days  # the last day\nSo", [GROUPS], "We come on the 20th of May.", "12 May"),
    ("May 20 2028 - 8 days.", [GROUPS], "on 20 May 2028", "12 May 2028"),
    ("4 May + 6 weeks", ["The notice is six weeks"], "I leave on 4 May.", "15 June"),
    ("1 February + 4 months", ["It is paid after four months."], "since february 1", "1 June"),
    ("1 March 2026 + 18 months", ["18 months"], "1 march 2026", "1 September 2027"),
    ("11:30 am - 9 hours", ["Before an operation dogs must not eat for 9 hours"], "at 11:30 am",
     "2:30 am"),
    ("14:00 - 2 hours", ["at least 2 hours before your shift"], "at 14:00", "12:00"),
    ("21:40 + 1 hour + 50 minutes", ["leaves at 21:40", "takes 1 hour and 50 minutes"],
     "When do we get there?", "23:30"),
    ("21:40 + 1 hour and 50 minutes", ["leaves at 21:40", "takes 1 hour and 50 minutes"],
     "We take it. When are we on the other side?", "23:30"),
    ("14 June - 36 hours", ["up to 36 hours before"], "on 14 June at 8 pm (20:00)",
     "13 June, 8 am"),
    ("06:40 - 25 minutes", ["It starts at 06:40"], "It takes me 25 minutes. When must I leave?",
     "06:15"),
    ("23:00 + 2 hours", ["2 hours"], "at 23:00", "01:00 the day after"),
    ("01:00 - 2 hours", ["2 hours earlier"], "at 01:00", "23:00 the day before"),
    ("14 June 8 pm - 36 hours", ["up to 36 hours before"], "14 June at 8 pm", "13 June, 8 am"),
    ("Saturday 14 June at 8 pm - 36 hours", ["36 hours ahead"], "14 June at 8 pm", "13 June, 8 am"),
    ("9:00 + 4 hours", ["Patients must wait 4 hours before driving."], "The injection was at 9:00.",
     "13:00"),
    ("8:15 - 45 minutes", ["Collect them 45 minutes before."], "at 8:15 tonight", "7:30"),
    ("9:30 - 10 hours", ["fast 10 hours before"], "at 9:30", "23:30 the day before"),
    ("4 May + 3 days", ["Delivery takes 3 days if ordered before 2 pm."], "ordered 4 May", "7 May"),
    ("12 September - 30 days", ["The deposit is due 30 days prior."], "on 12 September",
     "13 August"),
    ("3 August - 4 weeks", ["A passport takes 4 weeks."], "I need it by 3 August.", "6 July"),
    ("12 September - 14 days", ["Cancellations need 14 days' notice."],
     "Our stay begins on 12 September. By what date must we cancel?", "29 August"),
    ("20 May - 14 days", ["Pay within 14 days.", "Cancel up to 14 days before arrival."],
     "We arrive on 20 May.", "6 May"),
    ("10:00 - 35 minutes", ["The bus takes 35 minutes."], "I need to be there at 10:00.", "9:25"),
    ("31 December 2027, 23:00 + 2 hours", ["2 hours"], "31 December 2027 at 23:00",
     "1 January 2028, 01:00"),
    ("9:30 pm - 1h45", ["We are open until 9:30 pm."], "It takes me 1h45. When must I start?",
     "7:45 pm"),
    ("9:30 pm - 105 minutes",
     ["We are open until 9:30 pm."], "It takes 1 hour and 45 minutes. Latest start?",
     "7:45 pm"),
    ("17:15 - 1.5 hours",
     ["We shut at 17:15."], "We need an hour and a half. What is the latest we can begin?",
     "15:45"),
    ("17:15 - 2 and a half hours",
     ["We shut at 17:15."], "We need two and a half hours. By when must we begin?",
     "14:45"),
    ("15:30 - 45 minutes", ["On Saturdays, all shops close at 15:30."],
     "It takes 45 minutes and must be finished when you close on Saturday. When must I begin?",
     "14:45"),
    ("noon - half an hour", ["Come half an hour before your turn."], "It is at noon.", "11:30 am"),
    ("21:40 + 1 hour and 50 minutes", ["leaves at 21:40", "takes 1h50"], "When do we arrive?",
     "23:30"),
    ("4 June + 20 days", ["Claims are handed in within 20 days of the end of the trip."],
     "My trip ended on 4 June. What is the last day to hand it in?", "24 June"),
])  # fmt: skip
def test_what_a_sum_comes_to(line: str, facts: list[str], words: str, result: str) -> None:
    assert work_out_moment(line, facts, words).endswith(f"= {result}. Result: {result}")


@pytest.mark.parametrize(("line", "facts", "words"), [
    ("None", [GROUPS], "on 20 May"), ("", [GROUPS], "on 20 May"), ("12 May", [GROUPS], "20 May"),
    ("20 May - 9 days", [GROUPS], "on 20 May"),  # what nobody said
    ("21 May - 8 days", [GROUPS], "on 20 May"),
    ("20:00 - 8 days", [GROUPS], "at 20:00"),  # a time is no day
    ("20 May - 8 hours", ["8 hours before"], "on 20 May"),  # a day is no time
    ("20 May - 8 days - 3", [GROUPS], "on 20 May"), ("20 May * 8 days", [GROUPS], "on 20 May"),
    ("20 May - 8 apples", ["8 apples"], "on 20 May"),
    ("20 May, 21 May - 8 days", [GROUPS], "20 May or 21 May"),  # two days
    ("20 May - 8 days", ["at least 8 working days before"], "on 20 May"),
    ("20 May + 3 days", ["The festival lasts 3 days"], "from 20 May"),  # its first is one of them
    ("27 February + 3 days", ["within 3 days"], "27 February"),  # in a leap year another one
    ("12 May - 3 days", ["up to 3 days after delivery"], "Delivered on 12 May."),  # the wrong way
    ("20 May + 8 days", [GROUPS], "We come on 20 May."),
    ("30 June + 3 weeks", ["by 30 June", "Answers take 3 weeks"], "Till when can I apply?"),
    ("14 June - 36 hours", ["36 hours before"], "14 June, 8 pm or 9 pm"),
    ("9:00 - 4 hours", ["Patients must wait 4 hours before driving."], "It was at 9:00."),
    ("4 May - 3 days", ["Delivery takes 3 days if ordered before 2 pm."], "on 4 May"),
    ("31 December + 3 months", ["The notice period is 3 months."],
     "My contract ends on 31 December. By when must I cancel?"),
    ("3 August + 4 weeks", ["A passport takes 4 weeks."], "I need it by 3 August."),
    ("9:30 + 10 hours", ["nothing in the 10 hours leading up to the test."], "My test is at 9:30."),
    ("15:00 - 1 hour", ["Berlin is 1 hour ahead of London."], "15:00 in London"),
    ("12 March 2025 + 2 years", ["The warranty is two years."], "Bought on 12 March."),
    ("20 May 2027 - 8 days", [GROUPS], "We come on 20 May 2026."),
    ("22:00 + 8 hours", ["The shift begins at 22:00 and lasts 8 hours."], "When does it begin?"),
    ("21:00 + 2 hours", ["The pool closes at 21:00.", "A locker is free for 2 hours."],
     "until when can I get in?"),
    ("11:00 + 90 minutes", ["Tours start at 11:00 and 15:00.", "A tour takes 90 minutes."],
     "What time does the 3 pm tour finish?"),
    ("4 May + 4 days", ["The regatta lasts 4 days."], "It begins on 4 May. When does it end?"),
    ("10 May + 3 months", ["Notice is three months to the end of the month."], "on 10 May"),
    ("19:30 + 2 hours", ["The play takes 2 hours and 20 minutes."], "at 19:30, when is it over?"),
    ("16 May - 8 days", [GROUPS], "We stay 14-16 May."),
    ("10 May + 14 days", ["within 14 days."], "Bought it 3 days ago, today is 10 May."),
    ("20 May - 24 hours", ["up to 24 hours before check-in"], "It's 14:00, we come on 20 May."),
    ("20 June - 5 days", ["Room changes: up to 5 days before.", "Cancel up to 14 days before."],
     "We arrive on 20 June."),
    ("20 May - 8 days - 8 days", [GROUPS], "on 20 May"),
    ("21:40 + 1 hour + 30 people", ["leaves at 21:40", "takes 1 hour, 30 people"], "When over?"),
    ("17:15 + 90 minutes", ["We shut at 17:15."], "We need 90 minutes. When must we begin?"),
    ("17:00 - 20 minutes", ["We shut at 17:00."], "My bus takes 20 minutes. When do you close?"),
    ("9:30 pm - 105 minutes", ["On Fridays until 9:30 pm, else until 8 pm."],
     "We need 1h45 on Monday, latest start?"),
    ("9:00 + 870 minutes", ["We open at 9:00."], "We come at 14h30. When can we get in?"),
    ("10:30 + 30 minutes", ["It takes about half an hour to an hour."], "From 10:30, when over?"),
    ("17:15 - 1 hour", ["We shut at 17:15. Rooms cost £5 an hour."], "We need 2 hours."),
    ("1:30 - 2 hours", ["Divers meet 2 hours before the dive."], "at 1:30"),  # of day or night
    ("9:00 + 4 hours", ["kept for 4 hours"], "at 9:00 this evening"),
    ("4 May + 5 days", ["Delivery takes 3 to 5 days."], "Ordered on 4 May."),
    ("3 August + 15 days", ["A visa takes 15 days."], "I travel on 3 August."),
    ("6 July + 2 weeks", ["The pool is closed for 2 weeks."], "It starts on 6 July."),
    ("23:00 + 50 hours", ["50 hours"], "at 23:00"),
    ("30 February + 3 days", ["3 days"], "30 February"),
    ("20 May 9999 + 900 years", ["900 years"], "20 May 9999"),
])  # fmt: skip
def test_what_is_no_sum_or_holds_what_nobody_said(line: str, facts: list[str], words: str) -> None:
    assert work_out_moment(line, facts, words) == ""


@pytest.mark.parametrize(("words", "facts", "may"), [
    ("Until when can I cancel? We arrive on 20 June.", ["free up to 9 days before arrival"], True),
    ("When are we on the other side?", ["It leaves at 21:40", "It takes 50 minutes"], True),
    ("Until when are you open?", ["We close at 18:00."], False),  # no length of time
    ("How long may I stay?", ["Stays are limited to 9 days."], False),  # no moment is asked for
    ("When can I cancel?", ["free up to 9 days before arrival"], False),  # nor named
    ("I need 45 minutes. What is the latest I can begin?", ["We close at 18:00."], True),
    ("I need 1h45 before 18:00. When do I begin?", ["The hall is free."], False),
    ("We arrive on 20 June. " + "x" * 700 + " When?", ["9 days before"], False),
])  # fmt: skip
def test_what_may_be_dated(words: str, facts: list[str], may: bool) -> None:
    assert may_be_dated(words, facts) is may
