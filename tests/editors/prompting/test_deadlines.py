"""What a deadline on a day of the week says to who asks on another one."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit, Hit, Record
from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.deadlines import judge_deadline
from memedit.editors.prompting.verdicts import verdict_of

CHANGES = "Changes to next week's box can be made until Tuesday at 21:15."


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("it's wednesday morning here. am i still in time to alter next week's box?", "No"),
        ("Today is Monday. Can I still change it?", "Yes"),
        ("It's Thursday, am I too late?", "Yes"),
        ("it is already thursday, not too late?", "No"),
        ("today is monday, is it too late?", "No"),
        # The same day, no day or several, and what asks something else.
        ("it's tuesday evening, am I still in time?", None),
        ("Am I still in time?", None),
        ("it's monday, is it still possible on wednesday?", None),
        ("It's Wednesday. Is the box heavy?", None),
        ("It's Wednesday, is my box still on its way?", None),
        ("It's Saturday, can I still change it?", None),  # before the next Tuesday, or behind it
        ("still in time, or is it too late? it's monday", None),
    ],
)
def test_a_deadline_on_a_day_of_the_week(words: str, verdict: Verdict | None) -> None:
    assert judge_deadline(words, CHANGES) == verdict


@pytest.mark.parametrize(
    "fact",
    [
        "Orders can be changed until 24 hours before delivery.",
        "The shop is open from Monday until Friday.",
        "Tuesday's box can be changed until Monday.",
        "The box comes on Tuesday.",
    ],
)
def test_what_names_no_one_last_day_says_nothing(fact: str) -> None:
    assert judge_deadline("It's Wednesday. Am I still in time?", fact) is None


@pytest.mark.parametrize(
    ("words", "verdict"),
    [("It's Saturday. Am I still in time?", None), ("It's Wednesday. Am I too late?", "Yes")],
)
def test_the_week_begins_anew(words: str, verdict: Verdict | None) -> None:
    assert judge_deadline(words, "The bins must be put out by Monday.") == verdict


def test_it_is_a_verdict_of_the_fact() -> None:
    papers = Edit("Papers are handed in by 12:00 on Friday.", None)
    hit = Hit(Record(papers, 1, 1), 0.9, role="informs")
    assert verdict_of("It's Saturday, am I too late?", [hit]) == "Yes"
