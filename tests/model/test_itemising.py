"""A request piece by piece."""

from __future__ import annotations

import pytest

from memedit.model.itemising import clauses_of, items_of, keys_of, parts_of


@pytest.mark.parametrize(("turn", "items"), [
    ("Three bullet points: the refund window, the price of standard delivery.",
     ["the refund window", "the price of standard delivery"]),
    ("Numbered: 1. the CTO of Nordlicht 2. its licence", ["the CTO of Nordlicht", "its licence"]),
    ("2 bullets: wifi pw + printer pin", ["wifi pw", "printer pin"]),
    ("List: a C++ compiler, the default port", ["a C++ compiler", "the default port"]),
    ("List:\n1. the CTO of Nordlicht\n2. the price of delivery",
     ["the CTO of Nordlicht", "the price of delivery"]),
    ("two bullets: our courier / by when one must order",
     ["our courier", "by when one must order"]),
    ("email to Jo pls: how warm the pool is + what opens a locker. 3 sentences max",
     ["how warm the pool is", "what opens a locker"]),
    ("a numbered list, nothing else: 1 who wrote Emma 2 who found penicillin 3 the town of ikea",
     ["who wrote Emma", "who found penicillin", "the town of ikea"]),
    ("List: the 3 people and the 2 dogs", ["the 3 people", "the 2 dogs"]),
    ("What is the price of bread and butter?", []),
    ("List the steps.", []),
])  # fmt: skip
def test_items(turn: str, items: list[str]) -> None:
    assert items_of(turn) == items


@pytest.mark.parametrize(("turn", "clauses"), [
    ("Draft a reply to Mr Tahiri: he wishes to know the price of the monthly ticket, when we close "
     "during the week, and how one locks the lockers.",
     ["the price of the monthly ticket", "when we close during the week",
      "how one locks the lockers"]),
    ("mail to Jo pls, she should know on what weekday it is cheap, and if she still needs a stamp. "
     "sign it Maud", ["on what weekday it is cheap", "if she still needs a stamp"]),
    ("A message to my husband, please: give him the number to ring in case it breaks down.",
     ["the number to ring in case it breaks down"]),
    ("Mail my friend who comes for the first time: which gate she takes", ["which gate she takes"]),
    ("write a note to our driver Ruben about the weather", []),
    ("On what weekday is it cheap, and when do you close?", []),  # nothing is to be written
])  # fmt: skip
def test_clauses(turn: str, clauses: list[str]) -> None:
    assert clauses_of(turn) == clauses


@pytest.mark.parametrize(("turn", "keys"), [
    ('A JSON object, keys: "brand" (Tarn), "courier" (string) and "coolHours" (a number).',
     ["brand", "courier", "cool hours"]),
    ("python: FREE_DAYS = how many days the trial takes, and SERVER_PORT",
     ["free days", "server port"]),
    ('He said "hello" to me.', []),
])  # fmt: skip
def test_keys(turn: str, keys: list[str]) -> None:
    assert keys_of(turn) == keys


def test_sentences_that_ask_are_read_by_themselves() -> None:
    turn = "I am in the lift. The ward is still on the second floor, right? Which floor do I press?"
    assert parts_of(turn) == (
        "The ward is still on the second floor, right?", "Which floor do I press?",
    )  # fmt: skip
    assert parts_of("Which floor do I press?") == ()


def test_white_space_costs_its_length() -> None:
    gap = " " * 100_000
    assert items_of(f"List{gap}of it: the fee{gap}, the window and{gap}the desk{gap}x") == [
        "the fee", "the window", f"the desk{gap}x",
    ]  # fmt: skip
    assert items_of("List: the fee , , the window\n and the desk") == [
        "the fee", "the window", "the desk",
    ]  # fmt: skip
