"""Yes and no about times: those of a fact, and questions of what once was."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit
from memedit.editors.prompting.verdicts import verdict

PAIRS = [
    (
        Edit("The Oslo office opens on", "4 May", "Oslo office"),
        "Yes",
        [
            "Does the Oslo office open on 4 May?",
            "Does the Oslo office open on May 4?",
        ],
    ),
    (
        Edit("The Oslo office opens on", "4 May", "Oslo office"),
        "No",
        [
            "Does the Oslo office open on 5 May?",
        ],
    ),
    (
        Edit("The Oslo office opens on", "4 May", "Oslo office"),
        None,
        [
            "Does the Oslo office open on Monday?",
            "Does the Oslo office close on 5 May?",
            "Is the Oslo office closed on 5 May?",
            "Is the Oslo office open on 5 May?",
            "Is the Oslo office closed on 4 May?",
            "Does the Oslo office close on 4 May?",
            "Is the Oslo office opening delayed to 4 May?",
            "Is the Oslo office opening party on 4 May?",
            "Does the Oslo office open on the 4th of May?",
            "Does the Oslo office open on 04.05.?",
            "Does the Oslo office open on 4.5.?",
            "Does the Oslo office open on 2027-05-04?",
        ],
    ),
    (
        Edit("The library opens at", "8:30", "library"),
        "Yes",
        [
            "Does the library open at 8:30?",
            "Does the library open at 8:30 am?",
        ],
    ),
    (
        Edit("The library opens at", "8:30", "library"),
        None,
        [
            "Does the library close at 8:30?",
            "Is the library closed at 8:30?",
            "Is the library full at 8:30?",
        ],
    ),
    (
        Edit("The train to Bern leaves from platform", "7", "train to Bern"),
        "Yes",
        [
            "Does the train to Bern leave from platform 7?",
        ],
    ),
    (
        Edit("The train to Bern leaves from platform", "7", "train to Bern"),
        None,
        [
            "Does the train to Bern leave at 7?",
            "Is the train to Bern number 7?",
        ],
    ),
    (
        Edit("Nina's birthday is", "3 March", "Nina"),
        "Yes",
        [
            "Is Nina's birthday March 3?",
        ],
    ),
    (
        Edit("Nina's birthday is", "3 March", "Nina"),
        "No",
        [
            "Is Nina's birthday on 4 March?",
            "Is Nina's birthday 4 March?",
        ],
    ),
    (
        Edit("Nina's birthday is", "3 March", "Nina"),
        None,
        [
            "Is Nina's birthday party on 4 March?",
            "Is Nina's sister's birthday on 4 March?",
            "Is Nina on holiday on 4 March?",
            "Is Nina's birthday on a Monday?",
        ],
    ),
    (
        Edit("The CEO of Acme is", "Tom Rudd", "Acme"),
        None,
        [
            "Was Tom Rudd the CEO of Acme?",
            "Was the CEO of Acme Tom Rudd?",
            "The CEO of Acme was Tom Rudd, right?",
            "Was Bo Lind the CEO of Acme?",
            "Has Tom Rudd been the CEO of Acme?",
            "Has Bo Lind been the CEO of Acme?",
            "Was Tom Rudd the CEO of Acme in 2019?",
            "Was Tom Rudd the CEO of Acme last year?",
        ],
    ),
    (
        Edit("The CEO of Acme was", "Tom Rudd", "Acme"),
        "Yes",
        [
            "Was Tom Rudd the CEO of Acme?",
        ],
    ),
    (
        Edit("The CEO of Acme was", "Tom Rudd", "Acme"),
        "No",
        [
            "Was Bo Lind the CEO of Acme?",
        ],
    ),
    (
        Edit("The Tilda lamp costs", "€129", "Tilda lamp"),
        None,
        [
            "Did the Tilda lamp cost €129?",
            "Did the Tilda lamp cost €99?",
            "Was the Tilda lamp €129?",
            "Was the price of the Tilda lamp €129?",
        ],
    ),
    (
        Edit("Parking costs", "£5", "Parking"),
        None,
        [
            "Was parking £5?",
            "Was parking £3?",
        ],
    ),
    (
        Edit("Parking costs", "£5", "Parking"),
        "Yes",
        [
            "Is parking £5?",
            "Does parking cost £5?",
        ],
    ),
    (
        Edit("The Opera House opened in", "1979", "Opera House"),
        "Yes",
        [
            "Was the Opera House opened in 1979?",
        ],
    ),
    (
        Edit("The birthplace of Ada Nym is", "Rome", "Ada Nym"),
        "Yes",
        [
            "Was Ada Nym born in Rome?",
        ],
    ),
    (
        Edit("The birthplace of Ada Nym is", "Rome", "Ada Nym"),
        "No",
        [
            "Was Oslo the birthplace of Ada Nym?",
        ],
    ),
]


@pytest.mark.parametrize(("edit", "expected", "questions"), PAIRS)
def test_times(edit: Edit, expected: str | None, questions: list[str]) -> None:
    assert {words: verdict(words, edit) for words in questions} == dict.fromkeys(
        questions, expected
    )
