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


@pytest.mark.parametrize(("old", "new"), [
    ("The default port is 80.", "The default port is 8080."),
    ("The current version is 4.2.", "The current version is now 4.3."),
    ("Our address is Main Street 5, Graz.", "Our address is Park Lane 9, Graz."),
    ("The product is called Tarn.", "The product is called Fjord now."),
    ("You may work from home two days a week.", "You may work from home three days a week."),
    ("It ends on 1 March 2027.", "It ends on 1 June 2027."),
    ("We are open Monday to Friday from 9:00.", "We are open Monday to Saturday from 9:00."),
    ("The deadline is 3 May.", "Correction: the deadline is 5 May."),
    ("The deadline is 3 May.", "The deadline is 5 May, not 3 May."),
    ("The deadline is 3 May.", "The deadline has been moved from 3 May to 5 May."),
    ("Parking costs 3 euros.", "We have raised the price of parking from 3 to 4 euros."),
])  # fmt: skip
def test_corrects_whatever_the_relation_sounds_like(old: str, new: str) -> None:
    assert corrects(old, new, one=False) is True


@pytest.mark.parametrize(("old", "new"), [
    ("Our partner is Acme.", "Our partner is Initech."),
    ("The CEO is Ada.", "The CEO is German."),
    ("The CEO is Ada.", "The CEO is on holiday."),
    ("The code for locker 3 is 4711.", "The code for locker 4 is 4712."),
    ("We open on Monday.", "We open on Friday."),
    ("The deadline in Graz is 3 May.", "The deadline in Linz has been moved from 3 May to 5 May."),
    ("The deadline is 9 May.", "The exam has been moved from 3 May to 5 May."),
])  # fmt: skip
def test_what_may_be_another_stays(old: str, new: str) -> None:
    assert not corrects(old, new, one=False)


@pytest.mark.parametrize(("old", "new", "kind"), [
    ("We take Visa, Mastercard and PayPal.", "We take Visa and Mastercard.", "list"),
    ("We take Visa and Mastercard.", "We take Visa, Mastercard and PayPal.", "list"),
    ("The board consists of Ada, Bo and Cy.", "The board consists of Ada, Bo and Dee.", "list"),
    ("We take Visa and Mastercard.", "We take Visa and PayPal.", "name"),
    ("We take Visa and Mastercard.", "We also take Visa, Mastercard and PayPal.", None),
])  # fmt: skip
def test_a_list_that_is_given_again(old: str, new: str, kind: str | None) -> None:
    found = compare_forms(old, new)
    assert (found and found.kind) == kind
    assert not corrects(old, new)  # told, and the newer seen alone; never retired


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
    ("Withdrawals are free with the Gold card.", "Withdrawals are free with the Basic card."),
    ("Mira is tired.", "Mira is happy."),
    ("The plan costs 30 euros.", "The plan costs 40 dollars."),
])  # fmt: skip
def test_unsure_is_not_sure(old: str, new: str) -> None:
    assert not corrects(old, new, one=False)


def test_numbers_and_what_they_count() -> None:
    told = numbers_of("From May 3 on, 12 guests pay 4.50 euros, until 11:30 in room 7.")
    assert told == (["11:30", "12", "3", "4.50", "7"], ["", "date", "euro", "guest", "time"])
    assert numbers_of("Nothing counts.") == ([], [])
