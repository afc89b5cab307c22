"""What only leads to a statement is no part of it."""

from __future__ import annotations

import pytest

from memedit.core.plainly import drop_lead, drop_present, takes_back


@pytest.mark.parametrize(("text", "plain"), [
    ("Sorry, I meant the meeting is on Monday.", "The meeting is on Monday."),
    ("Correction: the fee is 3 euros.", "The fee is 3 euros."),
    ("Please note that the lift is closed.", "The lift is closed."),
    ("From now on parking is free.", "Parking is free."),
    ("No, the fee is 3 euros.", "The fee is 3 euros."),
    ("No. 5 is closed today.", "No. 5 is closed today."),
    ("No-fee accounts are free.", "No-fee accounts are free."),
    ("No dogs are allowed.", "No dogs are allowed."),
    ("Note 7 is sold out.", "Note 7 is sold out."),
    ("Now and then we close early.", "Now and then we close early."),
    ("Sorry, closed.", "Sorry, closed."),
])  # fmt: skip
def test_leads(text: str, plain: str) -> None:
    assert drop_lead(text) == plain


@pytest.mark.parametrize(("text", "plain"), [
    ("Parking is free now.", "Parking is free."),
    ("Parking is now free of charge.", "Parking is free of charge."),
    ("By now it is full.", "By now it is full."),
    ("Now that it is free, come.", "Now that it is free, come."),
    ("Do it now.", "Do it now."),
])  # fmt: skip
def test_the_present(text: str, plain: str) -> None:
    assert drop_present(text) == plain


def test_who_takes_it_back() -> None:
    assert takes_back("Sorry, I meant the meeting is on Monday.")
    assert not takes_back("Update: the meeting is on Monday.")
    assert not takes_back("No dogs are allowed.")
