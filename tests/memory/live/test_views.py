"""Which parts of a request are compared: instructions, tickets, options, templates, chats."""

from __future__ import annotations

import pytest

from memedit.core.passages import Conversation
from memedit.memory.live.subjects import SubjectIndex
from memedit.memory.live.views import MOST_VIEWS, View, views


def index(*subjects: str) -> SubjectIndex:
    known = SubjectIndex()
    for sequence, subject in enumerate(subjects, start=1):
        known.add(sequence, subject)
    return known


def texts(text: str, *subjects: str) -> list[str]:
    found = views(text, index(*subjects).mentions)
    for view in found:
        assert all(view.text[m.start : m.end] == m.text for m in view.mentions)
    return [view.text for view in found]


def test_first_comes_the_last_sentence_that_holds_a_mention() -> None:
    known = index("Messi", "Bach")
    first = views("Bach wrote music. What does Messi play? They play", known.mentions)[0]
    assert first.text == "What does Messi play? They play"
    (mention,) = first.mentions
    assert first.text[mention.start : mention.end] == "Messi"
    last = views("Bach wrote music. Where does Messi live? ", known.mentions)[0]
    assert last.text == "Where does Messi live?"


def test_one_sentence_is_one_view() -> None:
    assert texts("Where does Messi live?", "Messi") == ["Where does Messi live?"]
    assert texts("Where is it?", "Messi") == ["Where is it?"]
    assert texts(" \n ", "Messi") == []


def test_a_view_never_cuts_a_mention() -> None:
    assert texts("See Yahoo! Inc. Who leads it?", "Yahoo! Inc")[0].startswith("See Yahoo! Inc")


def test_without_mention_the_last_sentence_and_all_of_a_short_text() -> None:
    assert texts("One. Two?", "Messi") == ["Two?", "One. Two?"]
    assert texts("One. " * 100 + "Two?", "Messi") == ["Two?"]


def test_only_the_tail_is_looked_at() -> None:
    (view,) = views("Messi plays. " + "word " * 500, index("Messi").mentions)
    assert len(view.text) <= 2_000 and not view.mentions and view.text.startswith("word")


ASKED = "What is the capital of France?"


@pytest.mark.parametrize(
    "text",
    [
        f"{ASKED} Answer in one sentence.",
        f"{ASKED}\nA) Lyon\nB) Paris\nC) Nice",
        f"{ASKED} Choose one: Lyon, Paris.",
        f"You are a helpful clerk. {ASKED}",
        f"Hello team. We met last week and it was fun. {ASKED} I could not find it. Thanks, Bo",
        f"### Instruction:\n{ASKED}\n\n### Response:\n",
        f"{ASKED} Please explain step by step.\n\nFormat: JSON.\nLanguage: English.",
    ],
)
def test_the_question_is_a_view_whatever_stands_round_it(text: str) -> None:
    assert any(view == ASKED for view in texts(text, "France"))
    assert len(texts(text, "France")) <= MOST_VIEWS


def test_in_a_ticket_every_sentence_that_may_ask_and_the_whole_are_views() -> None:
    ticket = "My blender came broken. It is day 40. Can I still return it? Tell me who pays."
    found = texts(ticket, "Messi")
    assert {"Can I still return it?", "Tell me who pays.", ticket} <= set(found)
    told = texts("My Zanto arrived. It hums. I am sad.", "Zanto")
    assert "My Zanto arrived." in told  # nothing asks: what names something is looked at


def test_a_pronoun_is_read_as_what_it_stands_for() -> None:
    assert "What is France's capital?" in texts("I like France. What is its capital?", "France")
    assert "Where does Messi live?" in texts("I saw Messi. Where does he live? Thanks.", "Messi")


def test_in_a_chat_only_the_last_turn_asks() -> None:
    chat = Conversation("What is the capital of France?\nParis.", "Who wrote Hamlet? Be brief.")
    assert "What is the capital of France?" not in texts(chat, "France")
    alone = {"Who wrote Hamlet?", "Be brief.", chat[chat.last :]}
    assert set(texts(chat, "France")) <= alone | {str(chat)}  # all of it: whoever reads it judges
    named = Conversation("What is the capital of France?\nParis.", "Who wrote Hamlet in France?")
    assert set(texts(named, "France")) == {"Who wrote Hamlet in France?"}
    short = Conversation("Is the night nurse in?\nYes, she is.", "And the phone number, please?")
    assert str(short) in texts(short, "night nurse")
    leaning = Conversation("Tell me about France.\nIt is a country.", "What is its capital?")
    assert "What is France's capital?" in texts(leaning, "France")


def test_an_elliptic_turn_asks_what_was_asked_before() -> None:
    chat = Conversation("What is the capital of France?\nParis.", "And Germany?")
    found = views(chat, index("France", "Germany").mentions)
    assert found[0].text == "And Germany?"
    other = View("What is the capital of Germany?", ())
    (view,) = [view for view in found if view.text == other.text]
    assert [m.text for m in view.mentions] == ["Germany"]
