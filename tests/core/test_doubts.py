"""Turns that doubt the answer before them, and what they ask once more."""

from __future__ import annotations

import pytest

from memedit.core.doubts import asks_again, doubts, find_doubted, read_doubted
from memedit.core.passages import Conversation


@pytest.mark.parametrize("turn", [
    "Are you sure?", "you sure about that? my neighbour says something else",
    "hm, the sign at the door has another time on it. can you look that up again please",
    "Could you check again and give me the current number?", "That can't be right.",
    "no such page in what I have. what is it called really?", "isn't that from the old leaflet?",
    "Odd. My colleague told me otherwise. Her name then?", "really? please double check",
    "my teacher says it has been corrected. so who wrote it",
    "I typed in 8 and it was refused. So how many is it?",
    "that's not what the poster says any more! when is it then", "Really?", "Is that right?",
    "I doubt that.", "You must be mistaken.", "Isn't that the old price?",
    "That number doesn't work.", "your website says 8", "That's not what they said. What is it?",
])  # fmt: skip
def test_what_doubts(turn: str) -> None:
    assert doubts(turn)


@pytest.mark.parametrize("turn", [
    "", "Thanks!", "And for two adults?", "hm ok. and one swim for an adult?",
    "where is it, and do I have to bring something else", "What else can I book there?",
    "Is parking free again on Sundays?", "Can I check in again after a day trip?",
    "I am sure I want the red one. What does it cost to have it sent?",
    "Are you open?", "Do you have another colour of the sofa in the shop?", "you sure? " * 60,
    "My mate told me something different about insurance. Do you sell travel insurance?",
    "Are you sure I can bring my dog?", "Are you sure? And where do I park?",
    "My card was refused. Can I pay cash?", "My pass is out of date, how do I renew it?",
    "I heard you have a new sauna. What does it cost?", "Can you show me other hotels?",
    "Odd question maybe, but do you have showers?", "Can I read it again before I sign it?",
    "That isn't right for me, I need a bigger room. What do you have?",
    "My landlord says no to pets. Can he do that?", "Do retired people pay less?",
    "My ticket has a different name on it. Can I change it?", "Is there no such offer?",
    "My daughter wants a different colour. Can I swap it?",
])  # fmt: skip
def test_what_asks_something_of_its_own(turn: str) -> None:
    assert not doubts(turn)


def test_what_is_asked_once_more() -> None:
    earlier = (
        "Hello!\nHi. How can I help?\nwhat does a parcel to Norby cost?\nOf course. It is £4 now."
    )
    assert read_doubted("You sure?", earlier) == (
        "what does a parcel to Norby cost", "It is £4 now.",
    )  # fmt: skip
    assert read_doubted("You sure?", "The pool opens at 8 on Mondays.") == (
        "The pool opens at 8 on Mondays.",
    )  # fmt: skip
    fee = "Pls tell me the fee for a lost key.\nA lost key costs 12 euros."
    pool = f"When do you close?\nAt 9 pm.\n{fee}"
    assert "A lost key costs 12 euros." in read_doubted("Are you sure?", pool)
    twice = f"{earlier}\nAre you sure?\nYes, it is £4 at present."
    assert read_doubted("Can you check again?", twice)[0] == "what does a parcel to Norby cost"
    assert read_doubted("And for a letter?", earlier) == () == read_doubted("You sure?", "")


def test_the_question_that_is_said_again() -> None:
    assert find_doubted("Hello!\nWhat do you charge?\nAre you sure?") == "What do you charge"
    assert find_doubted("What do you charge?\nThanks!") == find_doubted("") == ""


def test_of_a_conversation_the_last_turn_doubts() -> None:
    assert asks_again(Conversation("When do you open?\nAt 8.", "Are you sure?"))
    assert not asks_again(Conversation("Are you sure?\nYes.", "When do you open?"))
    assert not asks_again("Are you sure?")
