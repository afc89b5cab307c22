"""Values of one kind stand for each other; what a sentence is about stays."""

from __future__ import annotations

import time

import pytest

from memedit.model.swapping import find_values, swap_values


@pytest.mark.parametrize(
    ("old", "new", "swapped", "kinds"),
    [
        (
            "Customers may return goods within 30 days.", "Our refund window is 45 days.",
            "Our refund window is 30 days.", ("duration",),
        ),
        ("A visa costs $80.", "Visas are 100 dollars.", "Visas are $80.", ("money",)),
        (
            "The notice period is three months.", "You can leave with 1 month of notice.",
            "You can leave with three months of notice.", ("duration",),
        ),
        (
            "Story time is on Wednesday at 3 pm.", "We read stories on Friday at 4 pm.",
            "We read stories on Wednesday at 3 pm.", ("day", "time"),
        ),
        ("It starts on 27 December.", "It begins in May.", "It begins in 27 December.", ("date",)),
        ("Rent is due on the 1st.", "Pay rent by the 3rd.", "Pay rent by the 1st.", ("rank",)),
        (
            "Room Elbe seats 8 people.", "Up to 12 people fit in.", "Up to 8 people fit in.",
            ("count peopl",),
        ),
    ],
)  # fmt: skip
def test_a_value_of_one_kind_is_swapped(
    old: str, new: str, swapped: str, kinds: tuple[str, ...]
) -> None:
    found = swap_values(old, new)
    assert (found.text, found.kinds, found.extra, found.missing) == (swapped, kinds, 0, 0)


def test_what_names_a_thing_is_no_value() -> None:
    found = swap_values("Ward 3A has 12 beds.", "Ward 3B has 14 beds.")
    assert found.text == "Ward 3B has 12 beds."
    assert swap_values("It is in room 12.", "It is in room 24.").kinds == ()


def test_values_of_other_kinds_are_counted() -> None:
    found = swap_values("It opens at 9:30.", "On Sundays it opens at 11:00 for 5 euros.")
    assert (found.text, found.extra, found.missing) == (
        "On Sundays it opens at 9:30 for 5 euros.", 2, 0,
    )  # fmt: skip
    assert swap_values("It has 900 watts.", "It has 4 bar.").missing == 1


def test_equal_values_stay() -> None:
    found = swap_values("The fee is 1,200 euros.", "We charge 1200 euros.")
    assert (found.text, found.kinds) == ("We charge 1200 euros.", ())


def test_long_texts_are_read_in_linear_time() -> None:
    began = time.perf_counter()
    for text in ("1" * 40_000, "a1-" * 20_000, "0 1 " * 20_000, "A" * 40_000):
        find_values(text)
        swap_values(text, text)
    assert time.perf_counter() - began < 2
