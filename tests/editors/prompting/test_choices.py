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
        ("Which?\nA) £22\nB) Jannis Okorafor", [HEAD, FEE], "B"),  # the better fact decides
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
