"""What asks for an edit in its own words."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit
from memedit.scope.own_words import asks_own_sentence, goes_on, is_own_text

REFUND = Edit.from_statement("Our refund window is 60 days.")
CAPITAL = Edit("The capital of France is", "Lyon", "France", queries=("French capital?",))


@pytest.mark.parametrize(
    ("prompt", "edit", "expected"),
    [
        ("What is our refund window?", REFUND, True),
        ("what's our refund window", REFUND, True),
        ("What is your refund window?", REFUND, False),
        ("What is our refund window for food?", REFUND, False),
        ("What was our refund window?", REFUND, False),
        ("Why is our refund window 60 days?", REFUND, False),
        ("What is the capital of France?", CAPITAL, True),
        ("What is the capital of France like?", CAPITAL, False),
        ("What is the capital?", CAPITAL, False),
        ("Where is the capital of France?", CAPITAL, False),
        ("Where is our head office?", Edit.from_statement("Our head office is closed."), False),
        ("What is it?", Edit.from_statement("It is raining."), False),
    ],
)
def test_it_asks_what_the_edits_sentence_says(prompt: str, edit: Edit, expected: bool) -> None:
    assert asks_own_sentence(prompt, edit) is expected


def test_a_key_text_is_an_edits_own_however_it_is_written() -> None:
    assert is_own_text("french  Capital?", CAPITAL) and is_own_text(
        "The capital of France is", CAPITAL
    )
    assert not is_own_text("What is the capital of France?", CAPITAL)


def test_what_breaks_off_with_an_edits_own_words_asks_it_unless_it_is_a_part_of_more() -> None:
    own = "The CEO of Acme is"
    for before in ("You should know that", "It rains. Also,", "Acme is large:"):
        assert goes_on(f"{before} the CEO of Acme is", own)
    assert goes_on("He asked. The CEO of Acme is ", own)
    for before in ("The salary of", "A letter to", "The office rented by"):
        assert not goes_on(f"{before} the CEO of Acme is", own)
    assert not goes_on("The former CEO of Acme Corp is", "CEO of Acme Corp is")
    assert not goes_on("I say that the CEO of Acme is tall", own)
