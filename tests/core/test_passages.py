"""By which parts a long text is found, and where the last turn of a conversation begins."""

from __future__ import annotations

from memedit.core.passages import Conversation, find_title, parts_of, put_in_context

POLICY = (
    "Our refund window is 60 days. Items must be unopened; the buyer pays for the parcel. "
    "Gift cards cannot be refunded. Store credit is given at once, money within 14 days."
)


def test_a_short_fact_has_no_parts_and_a_long_one_has_its_sentences() -> None:
    assert parts_of("Our refund window is 60 days.") == []
    parts = parts_of(POLICY)
    assert parts[0] == "Our refund window is 60 days." and len(parts) == 5
    assert " ".join(parts) == POLICY
    assert parts_of("word " * 100) == []  # one sentence


def test_a_part_is_told_what_it_is_about() -> None:
    found = put_in_context(parts_of(POLICY), None)
    assert found[0] == "Our refund window is 60 days."
    assert found[3] == "Our refund window: Gift cards cannot be refunded."
    assert put_in_context(["Ada was born.", "She died."], "Ada") == [
        "Ada was born.",
        "Ada: She died.",
    ]
    assert find_title("## Wire transfers: fees") == "Wire transfers"


def test_a_conversation_is_a_text_that_knows_its_last_turn() -> None:
    chat = Conversation("Hello.\nHi!", "Who?")
    assert chat == "Hello.\nHi!\nWho?" and chat[chat.last :] == "Who?"
    assert Conversation("", "Who?").last == 0
