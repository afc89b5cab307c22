"""What sounds alike and tells of different things is set apart; what only words it anew is not."""

from __future__ import annotations

import pytest

from memedit.model.contrasts import contrast


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("The practice opens at 8:00.", "The practice closes at 8:00."),
        ("Essays have at least 800 words.", "Essays have at most 800 words."),
        ("Check-in is from 15:00.", "Check-out is by 15:00."),
        ("The head of HR is Mo.", "The deputy head of HR is Mo."),
        ("Training costs 60 euros.", "The first hour of training costs 60 euros."),
        ("The lead of billing is Ravi.", "The lead of search is Kim."),
        ("Bikes must be back by 18:00.", "Bikes can be picked up from 18:00."),
        ("Guests can stay for 14 nights.", "Guests must stay for at least 14 nights."),
        ("Tables are held for 15 minutes.", "Tables are booked for 15 minutes."),
    ],
)
def test_other_things_are_set_apart(old: str, new: str) -> None:
    assert contrast(old, new) and contrast(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Goods may be returned within 30 days.", "Our refund window is 30 days."),
        ("Membership costs 39 euros a month.", "The monthly fee is 39 euros."),
        ("The practice opens at 8:00.", "Surgery hours begin at 8:00."),
        ("The office is on the first floor.", "The office has moved up to the third floor."),
        ("The kitchen closes at 22:00.", "Our kitchen stops at 22:00."),
    ],
)
def test_other_words_are_not(old: str, new: str) -> None:
    assert not contrast(old, new) and not contrast(new, old)
