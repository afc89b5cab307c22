"""Names that a base says out of habit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memedit import Edit
from memedit.core.types import Hit, Record
from memedit.editors.prompting.stale import find_stale

WINDOW = Edit("Our refund window is", "45 days")
PERU = Edit("Machu Picchu is located in", "Nepal", "Machu Picchu")


def test_names_that_a_base_has_known_for_long() -> None:
    asked = Hit(Record(PERU, 1, 1), 1.0, role="asks", former=("Peru",))
    assert find_stale("which country is it in?", "", [asked]) == (("Peru", "Nepal"),)
    assert find_stale("It is in Peru, or where?", "", [asked]) == ()  # an answer may deny it
    number = replace(asked, record=Record(WINDOW, 1, 1), former=("30 days",))
    assert find_stale("how long is it?", "", [number]) == ()
    head = Edit("The head is", "Ann Lee")
    two = replace(asked, record=Record(head, 1, 1), former=("Bo Roth",))
    assert find_stale("who is it?", "", [two]) == (("Bo Roth", "Ann Lee"),)
    assert find_stale("write a mail", "", [replace(two, role="informs")]) == ()
    beside = Edit.from_statement("Peru has a new flag.")
    other = Hit(Record(beside, 2, 2), 1.0, role="informs")
    assert find_stale("where is it?", "", [asked, other]) == ()


@pytest.mark.parametrize(("old", "new", "words", "said"), [
    ("Bonn", "Ulm", "where is it now, and what was it before?", ""),
    ("Bonn", "Ulm", "where is it?", "You help the people of Bonn."),
    ("United States", "Peru", "where is it?", ""),  # the United Kingdom
    ("Harbour Hall", "Ulm Lodge", "in which harbour is it?", ""),
    ("Bo Roth, Cy Poe", "Ann Lee, Bo Roth", "who are they?", ""),
    ("Ann Lee and Bo Roth", "Cy Poe", "who are they?", ""),
    ("free", "paid", "how is it?", ""),
    ("Bonn", f"closed {'until it is open again ' * 4}", "where is it?", ""),
])  # fmt: skip
def test_an_old_value_that_an_answer_may_say_stays(
    old: str, new: str, words: str, said: str
) -> None:
    edit = Edit("It is", new)
    asked = Hit(Record(edit, 1, 1), 1.0, role="asks", former=(old,))
    assert find_stale(words, said, [asked]) == ()


def test_of_what_an_answer_depends_on_only_names_give_way() -> None:
    def swaps(old: str, new: str) -> bool:
        hit = Hit(Record(Edit("It is", new), 1, 1), 1.0, role="informs", former=(old,))
        return bool(find_stale("write a mail on it", "", [hit]))

    assert swaps("Bonn", "Ulm")
    assert not any((swaps("Monday", "Tuesday"), swaps("email", "phone"), swaps("May", "Ulm")))


def test_two_who_have_changed_posts_keep_their_names() -> None:
    pairs = [("The head is", "Ann Lee", "Bo Roth"), ("The porter is", "Bo Roth", "Ann Lee")]
    hits = [
        Hit(Record(Edit(prompt, new), n, n), 1.0, role="asks", former=(old,))
        for n, (prompt, new, old) in enumerate(pairs)
    ]
    assert find_stale("who is who?", "", hits) == ()
