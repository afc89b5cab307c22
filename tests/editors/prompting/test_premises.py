"""What a row takes for granted of its facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memedit import Edit
from memedit.core.calls import Row
from memedit.core.types import Decision, Hit, Record
from memedit.editors.prompting.premises import correct_row

TICKET = Edit("The adult ticket at Orrinfeld costs", "17 euros", "Orrinfeld")


@pytest.mark.parametrize(("words", "read"), [
    ("how much 2 get in 4 a grown up", "how much to get in for a grown up"),
    ("r u open 2nite? can we come 4 the concert", "r u open tonite? can we come for the concert"),
    ("we are 2 adults and 4 kids, 2 days", "we are 2 adults and 4 kids, 2 days"),
    ("I take 2 a day. How much 4 is enough?", "I take 2 a day. How much 4 is enough?"),
])  # fmt: skip
def test_digits_in_the_place_of_words_are_words(words: str, read: str) -> None:
    hit = Hit(Record(TICKET, 1, 1), 0.9, role="asks")
    row = Row(words, decision=Decision(hits=(hit,)))
    assert correct_row(row, [hit]) == read
    abroad = replace(row, decision=replace(row.decision, read_as="in English"))
    assert correct_row(abroad, [hit]) == words
    long = replace(row, prompt=f"{words} {'x' * 300}")
    assert correct_row(long, [hit]) == long.prompt
