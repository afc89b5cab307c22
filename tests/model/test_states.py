"""Another state of the very same thing replaces; of a part of it, or in other words, not."""

from __future__ import annotations

import pytest

from memedit.model.states import compare_states


@pytest.mark.parametrize(("old", "new"), [
    ("Parking costs 3 euros.", "Parking is free now."),
    ("Parking is free.", "Parking costs €3 a day."),
    ("Breakfast costs 12 euros per person.", "Breakfast is included in the price."),
    ("The fee is 30 euros.", "The fee is waived."),
    ("The lift is working.", "The lift is out of order."),
    ("The shop is open on Sundays.", "The shop is closed on Sundays."),
    ("We are closed on Sundays.", "We are now open on Sundays, too."),
    ("The red mug is out of stock.", "The red mug is back in stock."),
    ("The red mug is available.", "The red mug isn't available any more."),
    ("Masks are mandatory in the ward.", "Masks are optional in the ward."),
    ("Dogs are welcome.", "Dogs are not allowed."),
    ("There is no setup fee.", "The setup fee is 49 euros."),
    ("The setup fee is 49 euros.", "There is no setup fee any more."),
])  # fmt: skip
def test_another_state_replaces(old: str, new: str) -> None:
    assert compare_states(old, new) == "replaces"


@pytest.mark.parametrize(("old", "new"), [
    ("Membership costs 20 euros.", "Membership is free for students."),
    ("Membership is free for students.", "Membership costs 20 euros."),
    ("Delivery costs 5 euros.", "Delivery is free from 50 euros."),
    ("Parking costs 3 euros.", "Parking in Graz is free."),
    ("Parking costs 3 euros.", "Parking will be free."),
    ("Parking costs 3 euros.", "Parking is free this week."),
    ("The shop is open from 9 to 18.", "The shop is closed on Sundays."),
    ("The shop is open from 9 to 18.", "The shop is closed."),
    ("The shop is open.", "The bar is closed."),
    ("It is open.", "It is closed."),
    ("Room 3 costs 80 euros.", "Room 3 is free."),
    ("Tickets cost 9 euros.", "There are no tickets any more."),
    ("Parking is free.", "Parking is gratis."),
    ("Wi-Fi is free.", "Wi-Fi is slow."),
])  # fmt: skip
def test_what_is_no_other_state_stays(old: str, new: str) -> None:
    assert compare_states(old, new) is None


def test_a_reason_behind_it_leaves_it_open() -> None:
    old, new = "The cafeteria is open.", "The cafeteria is closed for renovation."
    assert compare_states(old, new) == "perhaps"
    assert compare_states(old, "The cafeteria is closed for lunch.") is None
