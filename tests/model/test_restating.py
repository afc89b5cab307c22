"""Sentences of one form: which replaces which, and which only sounds like it."""

from __future__ import annotations

import pytest

from memedit.model.restating import compare_forms, numbers_of, replaces


def corrects(old: str, new: str, *, one: bool = True) -> bool | None:
    found = compare_forms(old, new)
    if found is None or not found.about:
        return None
    return replaces(found, lambda before: one, lambda before: "Departures" in before)


@pytest.mark.parametrize(("old", "new"), [
    ("Our refund window is 30 days.", "Our refund window is now 60 days."),
    ("The canteen is open from 9:00 to 15:00.", "The canteen is open from 8:00 to 16:00."),
    ("Customers pay the postage.", "Customers do not pay the postage."),
    ("Dogs aren't allowed.", "Dogs are allowed."),
    ("The CEO of Acme is Ada Byron.", "The CEO of Acme is Bo Ek."),
    ("Ann is a citizen of Peru.", "Ann is a citizen of Isle of Man."),
    ("Up to 15 guests may stay.", "Up to 2 guests may stay."),
    ("Guests check out by 11:00.", "Guests check out by 10:30."),
    ("Version 2.9 ends on July 15.", "Version 2.9 ends on September 17."),
    ("The set costs €30.", "The set costs €45."), ("VAT is 19% here.", "VAT is 21% here."),
    ("The default port is 80.", "The default port is 8080."),
])  # fmt: skip
def test_corrects(old: str, new: str) -> None:
    assert corrects(old, new) is True


def test_a_long_text_is_no_sentence() -> None:
    words = "and so on " * 1_000
    assert compare_forms(f"{words} 3 days.", f"{words} 5 days.") is None
    assert compare_forms(f"It is {' '.join(map(str, range(99)))}", f"It is {'x ' * 99}") is None


@pytest.mark.parametrize(("old", "new"), [
    ("The train RE 5 leaves from platform 3.", "The train RE 6 leaves from platform 3."),
    ("Ward 3A is on floor 2.", "Ward 4A is on floor 2."),
    ("Lockers on floor 2 cost 3 euros.", "Lockers on floor 3 cost 3 euros."),
    ("Section 4 of the lease covers pets.", "Section 5 of the lease covers pets."),
    ("Acme is in Lyon.", "Initech is in Lyon."),
    ("The refund window is 30 days.", "The shipping takes 3 days."),
    ("The refund window is 30 days.", "The refund window is 30 days."),
    ("Tea is hot.", "Coffee costs 3 euros."),
    ("", "The refund window is 30 days."),
])  # fmt: skip
def test_is_about_something_else_or_says_the_same(old: str, new: str) -> None:
    assert not corrects(old, new)


@pytest.mark.parametrize(("old", "new"), [
    ("Kirk is interested in Chess.", "Kirk is interested in Golf."),  # several values
    ("Departures are at 9:15.", "Departures are at 10:15."),
    ("The default port is 80.", "The default port is 8080."),
    ("Withdrawals are free with the Gold card.", "Withdrawals are free with the Basic card."),
    ("Mira is tired.", "Mira is happy."),
    ("The fee is 30 euros.", "The fee is waived."),
    ("The plan costs 30 euros.", "The plan costs 40 dollars."),
])  # fmt: skip
def test_unsure_is_not_sure(old: str, new: str) -> None:
    assert not corrects(old, new, one=False)


def test_numbers_and_what_they_count() -> None:
    told = numbers_of("From May 3 on, 12 guests pay 4.50 euros, until 11:30 in room 7.")
    assert told == (["11:30", "12", "3", "4.50", "7"], ["", "date", "euro", "guest", "time"])
    assert numbers_of("Nothing counts.") == ([], [])
