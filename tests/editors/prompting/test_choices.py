"""Multiple choice: the option that a fact's own words are."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.choices import choice_of, find_options

FEE = "Appointments can be cancelled free of charge up to 36 hours beforehand; later it costs £22."
ILL = "Who is ill calls by 7:15 on the first day. A doctor's note is needed from the fifth day on."
HEAD = "The head of the office is Jannis Okorafor."


@pytest.mark.parametrize(
    ("words", "facts", "expected"),
    [
        ("Charge for a late one:\nA) £15\nB) £30\nC) £22\nAnswer with the letter.", [FEE], "C"),
        ("Head: A. Jannis Okorafor, B. Teodora Wim, C. Henrik Saal. Letter only", [HEAD], "A"),
        ("What is it: (a) £12, (b) £22 or (c) £20?", [FEE], "b"),
        ("How much?\nA £15\nB £22", [FEE], "B"),
        ("Which is right? 1. £15 2. £22", [FEE], "2"),
        ("Which?\nA) £22\nB) 36 hours", [FEE], None),  # both stand there
        ("Head?\nA) £22\nB) Jannis Okorafor", [HEAD, FEE], "B"),  # the better fact decides
        ("Which?\nA) £22\nB) Jannis Okorafor", [HEAD, FEE], None),  # they fit equally
        ("Which?\nA) £2\nB) £15", [FEE], None),  # no part of a number
        ("Which of them is not the fee? A) £22 B) £15", [FEE], None),
        ("A list, please: 1. the fee 2. the head of the office", [HEAD], None),
        ("What does a late cancellation cost?", [FEE], None),
        ("What do two of them cost?\nA) £22\nB) £44", [FEE], None),  # to be reckoned
        ("Is it free?\nA) Yes\nB) No", ["There is no fee."], None),
        # Both stand there, one in the sentence that is asked about.
        ("From which day is a note needed? (A) first (B) third (C) fifth", [ILL], "C"),
        ("Which day? (A) first (B) third (C) fifth", [ILL], None),
        ("max time in a booth? 1) 15 min 2) 25 min", ["A booth is free for 25 minutes."], "2"),
        ("How long? a) 1 hour b) 2 hrs", ["It lasts 2 hours."], "b"),
        ("What was the fee?\nA) £22\nB) £15", [FEE], None),
        ("Summarise:\n1. a fee of £22\n2. the head", [FEE], None),
        ("a = £22\nb = 3\nprint(a + b)", [FEE], None),
        (
            "What is the discount for students?\nA) 10%\nB) 20%",
            ["Students get 20% off. Seniors get 10% off."],
            "B",
        ),
        (
            "When does it close on Sunday?\nA) 18:00\nB) 20:00",
            ["It closes at 20:00. On Sunday it closes at 18:00."],
            "A",
        ),
        ("Who doesn't pay?\nA) Children\nB) Adults", ["Adults pay £5."], None),
        ("How many days?\nA) 14\nB) 30", ["You have 14 days."], "A"),
        ("Which is free?\nA) Wifi\nB) Parking", ["Wifi is free, parking is £5."], "A"),
        ("Which is not included?\nA) Wifi\nB) Parking", ["Wifi is included."], None),
        ("Which costs extra?\nA) Wifi\nB) Parking", ["Wifi costs nothing extra."], None),
        ("How far is it?\nA) 5 m\nB) 5 min", ["It is 5 minutes away."], "B"),
        ("pick: a) 1 day b) 2 days", ["It takes 2 days."], "b"),
        ("pick: a) 12 days b) 2 days", ["It takes 12 days."], "a"),
        ("Price? A) 129 B) 99", ["The lamp costs €129."], None),
        ("What's the minimum?\nA) 2\nB) 4", ["2 nights at least, 4 at most."], "A"),
        (
            "Which is the maximum stay?\nA) 2 nights\nB) 4 nights",
            ["The minimum stay is 2 nights. The maximum stay is 4 nights."],
            "B",
        ),
        (
            "Which day is the market?\nA) Monday\nB) Saturday",
            ["The market is not on Monday."],
            None,
        ),
        (
            "When is the museum closed?\nA) Monday\nB) Sunday",
            ["The museum is open on Sunday."],
            None,
        ),
        ("Which has breakfast? A) Room only B) Flex", ["Room only is without breakfast."], None),
        ("max file size? 1) 50 MB 2) 100 MB", ["Max 50 MB per file. Max 100 MB per mail."], "1"),
        ("what hr system? a) Workday b) SAP", ["We use SAP on each workday."], None),
        ("How long? a) 1 hour b) 2 hours", ["A session is 1 h."], "a"),
        ("how many mins? a) 15 b) 30", ["It takes 15 minutes."], "a"),
        ("What is the smallest? A) 10 B) 20", ["The largest is 20."], None),
        ("Is it cheaper? A) 10 B) 20", ["10 less 20."], None),
        ("Pick the one that is wrong: A) £5 B) £9", ["It is £5."], None),
        ("Which one is cancelled? A) Mon B) Tue", ["Tue is no longer cancelled."], None),
        ("Which plan lacks SSO? A) Basic B) Pro", ["Pro has SSO."], None),
        ("Which train is late? A) IC5 B) IC7", ["IC5 isn't late."], None),
        ("Which train isn't late? A) IC5 B) IC7", ["IC5 isn't late."], None),
        ("Which email? A) a@x.org B) b@x.org", ["Write to a@x.org."], "A"),
        ("Which version? A) 3.1 B) 3.10", ["Version 3.10 is current."], "B"),
        ("Phone? A) 555-0199 B) 555-0111", ["Call 555-0199."], "A"),
        ("Which temp? A) 180 B) 200", ["Bake at 200 °C for 180 minutes."], None),
        ("Budget? A) 1,500 B) 1500", ["The budget is 1,500."], None),
        ("Where? A) Room 4 B) Room 14", ["It is in room 14."], "B"),
        ("When? A) 9 am B) 9 pm", ["It opens at 9 am."], "A"),
        ("When? A) 9:00 B) 21:00", ["It opens at 9 am."], None),
        ("When does it start? A) May 4 B) May 5", ["It starts on 4 May."], None),
        ("Who signs? A) the CEO B) the CFO", ["The CFO signs instead of the CEO."], None),
        ("Which unlimited plan? A) Pro B) Max", ["Pro is not unlimited."], None),
        ("", [FEE], None),
    ],
)
def test_the_option_in_the_fact_is_the_answer(
    words: str, facts: list[str], expected: str | None
) -> None:
    assert choice_of(words, facts) == expected


def test_options_are_found_on_lines_and_in_a_sentence() -> None:
    assert find_options("Pick:\na. 5 percent\nb. 10 percent") == {
        "a": "5 percent",
        "b": "10 percent",
    }
    assert find_options("is it (A) red, (B) blue or (C) green?") == {
        "A": "red",
        "B": "blue",
        "C": "green",
    }
    assert find_options("A friend and I ask when it opens.") == {}


@pytest.mark.parametrize(("words", "options"), [
    ("Do you dial A 778 2050, B 778 2196 or C 778 2900? reply with one letter",
     {"A": "778 2050", "B": "778 2196", "C": "778 2900"}),
    ("Which plan, A Basic, B Plus or C Pro? just the letter",
     {"A": "Basic", "B": "Plus", "C": "Pro"}),
    ("Induction test. A lost badge is replaced for ...\n(A) £5\n(B) £8", {"A": "£5", "B": "£8"}),
    ("Which plan, A Basic, B Plus or C Pro?", {}),  # nobody says that they are letters
    ("Write a letter to A Smith or B Jones about C Company?", {}),
])  # fmt: skip
def test_letters_without_a_mark(words: str, options: dict[str, str]) -> None:
    assert find_options(words) == options
