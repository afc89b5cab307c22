"""A fact that says no, and the question whether it is so."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit
from memedit.editors.prompting.negations import denies_premise, is_denied
from memedit.editors.prompting.verdicts import verdict

TOKENS = "Access tokens expire after 180 days and can be renewed once. Deploy tokens never expire."


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("do deploy tokens expire at some point? yes or no pls", TOKENS),
        ("Do you still ship to Norway?", "We no longer ship to Norway."),
        ("you ship to Norway, don't you", "We do not ship to Norway."),
        ("are dogs allowed in the pool area", "Dogs are not allowed in the pool area."),
        ("Is parking free?", "Parking is no longer free."),
    ],
)
def test_a_negated_fact_is_a_no(question: str, fact: str) -> None:
    assert verdict(question, Edit.from_statement(fact)) == "No"


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("do access tokens expire?", TOKENS),
        ("Are dogs allowed?", "Dogs are not allowed in the pool area."),  # elsewhere they may be
        ("Were parcels shipped to Norway?", "Parcels are no longer shipped to Norway."),
        ("Is parking free on Sundays?", "Parking is no longer free."),
        ("Are refunds paid?", "Refunds are not paid unless the goods are returned."),
        ("Are all rooms heated?", "Not all rooms are heated."),
        ("Is parking not free?", "Parking is not free."),
        ("Is smoking allowed?", "Smoking is not allowed indoors, and outdoors it is allowed."),
    ],
)
def test_what_says_more_than_no_is_left_to_the_base(question: str, fact: str) -> None:
    assert verdict(question, Edit.from_statement(fact)) is None


def test_a_word_in_common_is_no_denial() -> None:
    assert not is_denied("it", "It is never it.")
    assert is_denied("ships to Norway", "It never ships to Norway.")


def test_numerals_are_compared_as_digits() -> None:
    edit = Edit("The notice period of a membership at Loft Nine is", "three weeks", "Loft Nine")
    asked = "Is the notice period of a membership at Loft Nine"
    assert [verdict(f"{asked} {weeks} weeks?", edit) for weeks in ("3", "four")] == ["Yes", "No"]


TICKETS = "Tickets are no longer sold on board Larkmoor trains."


@pytest.mark.parametrize("words", [
    "As they sell tickets on board the Larkmoor trains, do they take cards?",
    "hi, since tickets are sold on board larkmoor trains, which coach do I go to?",
])  # fmt: skip
def test_a_premise_that_is_so_no_longer(words: str) -> None:
    assert denies_premise(words, TICKETS)


@pytest.mark.parametrize(("words", "fact"), [
    ("Since tickets used to be sold on board Larkmoor trains, where are they now?", TICKETS),
    ("As season tickets are sold on board Larkmoor trains, do they take cards?", TICKETS),
    ("As tickets 4 are sold on board Larkmoor trains, do they take cards?", TICKETS),
    ("Where are tickets sold on board Larkmoor trains?", TICKETS),  # no premise
    ("As the conductors sell tea on board the trains, do they take cards?", TICKETS),
    ("As I buy my tickets on board Larkmoor trains, do they take cards?", TICKETS),  # the asker's
    ("As tickets are not sold on board Larkmoor trains, where do I go?", TICKETS),  # he knows
    ("As tickets are sold on board Larkmoor trains, do they take cards?",
     "Tickets are sold on board Larkmoor trains."),
    ("As tickets are sold on board Larkmoor trains, do they take cards?",
     f"{TICKETS} They are sold at the counter."),  # more is to be told
])  # fmt: skip
def test_what_a_fact_does_not_deny(words: str, fact: str) -> None:
    assert not denies_premise(words, fact)
