"""A paragraph that comes again with something changed is another version of it."""

from __future__ import annotations

from memedit.model.copies import is_changed_copy

BRIDGE = (
    "The Larkin bridge is a covered bridge over the river Pell. It was built in 1881 by the "
    "carpenter Amos Drew, is 65 feet long and 17 feet wide, and has been open to walkers only "
    "since the new road was finished. A fair is held on it each May."
)


def test_a_changed_value_is_another_version() -> None:
    assert is_changed_copy(BRIDGE, BRIDGE.replace("1881", "1902"))
    assert is_changed_copy(BRIDGE, BRIDGE.replace("Amos Drew", "Silas Crane"))
    assert is_changed_copy(BRIDGE, BRIDGE.replace("walkers", "riders"))


def test_the_same_and_what_only_says_more_are_not() -> None:
    assert not is_changed_copy(BRIDGE, BRIDGE)
    assert not is_changed_copy(BRIDGE, BRIDGE + " It was painted red in June.")


def test_a_paragraph_of_one_form_about_another_thing_is_not() -> None:
    other = BRIDGE.replace("Larkin", "Hadley").replace("1881", "1902")
    assert not is_changed_copy(BRIDGE, other)


def test_short_texts_and_others_are_not() -> None:
    assert not is_changed_copy("It was built in 1881.", "It was built in 1902.")
    assert not is_changed_copy(BRIDGE, " ".join(reversed(BRIDGE.split())))
