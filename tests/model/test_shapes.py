"""A question in another shape."""

from __future__ import annotations

import pytest

from memedit.model.shapes import find_hours_of, reshape


@pytest.mark.parametrize(("question", "shape"), [
    ("How much is breakfast?", "Is breakfast included?"),
    ("What does the day ticket cost?", "Is the day ticket free?"),
    ("How much is the setup fee?", "Is there a setup fee?"),
    ("Is breakfast included?", "What does breakfast cost?"),
    ("Is there a setup fee?", "What is the setup fee?"),
    ("Do I have to pay for parking?", "What does parking cost?"),
    ("Does breakfast cost extra?", "What does breakfast cost?"),
    ("How long is the branch in Linz open?", "Until when is the branch in Linz open?"),
    ("When does the library close on Saturday?", "Until when is the library open on Saturday?"),
    ("What time do you close?", "Until when are you open?"),
    ("Is the library open on Sunday?", "On which days is the library open?"),
    ("open on mondays?", "On which days are you open?"),
])  # fmt: skip
def test_another_shape(question: str, shape: str) -> None:
    assert shape in reshape(question)


@pytest.mark.parametrize("question", [
    "How much is it?", "Is there a lift?", "Is the shop open?", "Is it open on Sunday?",
    "Is the bid open to students?", "When does it close?", "When do the doors close behind me?",
    "How long is the film?", "Parking?"
])  # fmt: skip
def test_most_have_one_shape(question: str) -> None:
    assert reshape(question) == ()


def test_what_the_hours_of_are_asked() -> None:
    assert find_hours_of("When does the canteen close?") == "the canteen"
    assert find_hours_of("What time do you close?") == "you"
    assert find_hours_of("How much is breakfast?") == ""
    assert find_hours_of("Is the canteen open on Monday?") == "the canteen"
    assert find_hours_of("Are you open on Monday?") == ""
