"""Comparisons in a thought, and what is concluded from wrong ones."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.claims import concludes_falsely, find_claims
from memedit.editors.prompting.reasoning import find_conclusion


@pytest.mark.parametrize(
    ("thought", "so"),
    [
        ("Since 128 euros is above the reimbursement limit of 135 euros, no.", [False]),
        ("Since 128 euros is not above the limit of 135 euros, yes.", [True]),
        ("8 am is not within the opening hours of 7:15 am to 12:45 pm", [False]),
        ("2:15 pm is within the hours of 11:30 am to 2:30 pm", [True]),
        ("7-year-olds are not under 9", [False]),
        ("45 days is less than 60 days", [True]),
        ("1,200 MB is more than 250 MB", [True]),
        # Of other units, of a time that may be another half day's, of what is no unit: nothing.
        ("2 hours is more than 90 minutes", []),
        ("11 is more than 90 minutes", []),
        ("2 is within the hours of 11:30 am to 2:30 pm", []),
        ("10 TB is more than 10 TB", []),
        ("The 3rd is over", []),
    ],
)
def test_comparisons_are_worked_out(thought: str, so: list[bool]) -> None:
    assert list(find_claims(thought)) == so


def test_what_rests_on_a_wrong_comparison_is_turned() -> None:
    wrong = "The limit is 135 euros. Since 128 euros is above 135 euros, it is not paid. Answer: No"
    assert find_conclusion(wrong) == "Yes"
    assert find_conclusion(wrong.replace("above", "below").replace("No", "Yes")) == "Yes"
    # Where it compares twice nobody knows which of both decides.
    assert not concludes_falsely(f"{wrong} {'9' * 300_000}")  # it is no thought of ours
    assert not concludes_falsely("3 days is above 5 days, and 2 days is below 4 days")
