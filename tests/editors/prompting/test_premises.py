"""What a row takes for granted of its facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memedit import Edit
from memedit.core.calls import Row
from memedit.core.chat import ChatFormat, Turn
from memedit.core.types import Decision, Hit, Record
from memedit.editors.prompting.premises import correct_row, is_refuted

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


def test_what_is_asked_once_more_is_said_again(tiny_tokenizer: Any) -> None:
    chat = ChatFormat.of(tiny_tokenizer)
    assert chat is not None
    said = f"What do you want for a ticket?{chat.user_close}{chat.reply_open}15 euros."
    before = f"{chat.opening}{chat.user_open}{said}{chat.reply_close}{chat.user_open}"
    turn = Turn(before, f"{chat.user_close}{chat.reply_open}", chat)
    hit = Hit(Record(TICKET, 1, 1), 0.9, role="asks")
    row = Row("Can you look again?", decision=Decision(hits=(hit,)), turn=turn)
    assert correct_row(row, [hit]) == f"{row.prompt}\nWhat do you want for a ticket?"
    own = replace(row, prompt="And for a child?")
    assert correct_row(own, [hit]) == own.prompt


@pytest.mark.parametrize(("words", "refuted"), [
    ("As your adult ticket is 15 euros, I sent you 30 for us two. That's alright, isn't it?", True),
    ("I know that a ticket is 15 euros at Orrinfeld. Please just confirm that.", True),
    ("As your adult ticket is 15 euros, I sent you 30 for us two. Where do we go in?", False),
    ("I sent you 40 euros for us two. That's alright, isn't it?", False),
])  # fmt: skip
def test_who_wants_a_yes_to_a_former_value_is_refuted(words: str, refuted: bool) -> None:
    hit = Hit(Record(TICKET, 1, 1), 0.9, role="informs", former=("15 euros",))
    assert is_refuted(Row(words, decision=Decision(informs=(hit,))), hit) is refuted
