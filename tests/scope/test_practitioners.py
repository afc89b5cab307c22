"""What people who run such memories complain of, as far as the scope is concerned, in our words.

Each case: edits, a request, and which of the edits may fire (in either role); none of the others.
"""

from __future__ import annotations

from typing import Any

import pytest

from memedit import Edit, EditMemory
from memedit.core.chat import ChatFormat
from memedit.core.passages import Conversation
from memedit.model.deciding import Decider
from memedit.model.judging import find_candidates
from memedit.scope import ClassifierScope

CASES: dict[str, tuple[list[Edit], str, set[int]]] = {
    # polarity
    "on is not off": (
        [Edit("How do I turn on dark mode in Plover?", "Press F7.", "Plover")],
        "How do I turn off dark mode in Plover?", set(),
    ),
    "import is not export": (
        [Edit("How do I import contacts into Plover?", "Use the File menu.", "Plover")],
        "How do I export contacts from Plover?", set(),
    ),
    "asked the same way": (
        [Edit("How do I turn on dark mode in Plover?", "Press F7.", "Plover")],
        "how can i switch on plover's dark mode", {0},
    ),
    "a relation turned round": (
        [Edit("Runa's supervisor is", "Emil", "Runa")], "Emil's supervisor is", set(),
    ),
    "a question turned round": (
        [Edit("Does the Heron tariff include calls abroad?", "Yes.", "Heron tariff")],
        "Do calls abroad include the Heron tariff?", set(),
    ),
    # identifiers
    "one digit of an order": (
        [Edit("The status of order 88217 is", "lost", "order 88217"),
         Edit("The status of order 88271 is", "paid", "order 88271")],
        "What is the status of order 88271?", {1},
    ),
    "an order that has no edit": (
        [Edit("The status of order 88217 is", "lost", "order 88217")],
        "What is the status of order 88218?", set(),
    ),
    "one letter of a part": (
        [Edit("The torque of screw KX-4b is", "9 Nm", "KX-4b")],
        "What is the torque of screw KX-4d?", set(),
    ),
    # false fires
    "a greeting": ([Edit("The pin of the shed is", "5521", "shed")], "Hello there", set()),
    "a sum": ([Edit("The pin of the shed is", "5521", "shed")], "What is 7 times 8?", set()),
    "small talk": ([Edit("The pin of the shed is", "5521", "shed")], "lovely day, bye", set()),
    "another company's window": (
        [Edit.from_statement("Our refund window is 60 days.")],
        "What is Zanto's refund window?", set(),
    ),
    "our own window": (
        [Edit.from_statement("Our refund window is 60 days.")],
        "How long is our refund window?", {0},
    ),
    # entities
    "a first name is not a person": (
        [Edit("Maren Voss's birthday is on", "2 June", "Maren Voss")],
        "When is Tilda's birthday?", set(),
    ),
    "same first name": (
        [Edit("Maren Voss's birthday is on", "2 June", "Maren Voss")],
        "When is Maren Holt's birthday?", set(),
    ),
    "two roles in one firm": (
        [Edit("The CEO of Tarn is", "Ines Roth", "Tarn"),
         Edit("The CTO of Tarn is", "Bo Lund", "Tarn")],
        "Who is Tarn's CTO?", {1},
    ),
    "one officer is not the other": (
        [Edit("The CEO of Tarn is", "Ines Roth", "Tarn")], "who is the cto of Tarn?", set(),
    ),
    "the chief is not the revenue": (
        [Edit("The CEO of Tarn is", "Ines Roth", "Tarn")],
        "What is the revenue of Tarn?", set(),
    ),
    # follow-ups
    "a pronoun": (
        [Edit("The capital of Norland is", "Vik", "Norland")],
        Conversation("Tell me about Norland.\nIt is a country.", "What is its capital?"), {0},
    ),
    "another topic": (
        [Edit("The capital of Norland is", "Vik", "Norland")],
        Conversation("What is the capital of Norland?\nVik.", "And what is 12 plus 30?"), set(),
    ),
    "an instruction behind the question": (
        [Edit("The capital of Norland is", "Vik", "Norland")],
        "What is the capital of Norland? Answer with the name only.", {0},
    ),
    "a ticket": (
        [Edit("The capital of Norland is", "Vik", "Norland")],
        "Hi team, I prepare a quiz. What is the capital of Norland? Thanks a lot, Ada", {0},
    ),
}  # fmt: skip
IN_A_CHAT: dict[str, tuple[list[Edit], str, set[int]]] = {
    "one officer after the other": (
        [Edit("The CEO of Tarn is", "Ines Roth", "Tarn"),
         Edit("The CTO of Tarn is", "Bo Lund", "Tarn")],
        Conversation("Who is the CEO of Tarn?\nInes Roth.", "And the CTO?"), {1},
    ),
    "another country": (
        [Edit("The capital of Norland is", "Vik", "Norland")],
        Conversation("What is the capital of Norland?\nVik.", "And of Sudland?"), set(),
    ),
}  # fmt: skip
"""Cases in which the scope is given what a turn leaves out."""
BEYOND = {"a question turned round"}
"""Cases that the shipped scope gets wrong: what asks for the subject."""


@pytest.fixture(scope="module")
def encoder(minilm: Any) -> Any:
    return minilm


def decided(encoder: Any, edits: list[Edit], query: str, scope: ClassifierScope) -> set[int]:
    memory = EditMemory(None, encoder)
    memory.add_many(edits)
    found = find_candidates(scope, memory, [query], "default", None)
    fired = {hit.record.id for hit in scope.decide([query], found)[0].bearing}
    return {i for i, edit in enumerate(edits) if edit.id in fired}


@pytest.mark.parametrize("name", CASES)
def test_only_the_edits_that_bear_on_a_request_fire(
    encoder: Any, name: str, request: pytest.FixtureRequest
) -> None:
    edits, query, wanted = CASES[name]
    if name in BEYOND:
        request.applymarker(pytest.mark.xfail(reason="the shipped scope fires", strict=True))
    assert decided(encoder, edits, query, ClassifierScope()) == wanted


@pytest.mark.parametrize("name", IN_A_CHAT)
def test_only_the_edits_that_a_chat_asks_for_fire(encoder: Any, name: str) -> None:
    edits, query, wanted = IN_A_CHAT[name]
    with EditMemory(None, encoder) as memory:
        memory.add_many(edits)
        [decision] = Decider(memory).decide([query], "default")
    assert {edits.index(hit.record.edit) for hit in decision.bearing} == wanted


def test_a_false_fire_that_was_taken_back_stays_back(encoder: Any) -> None:
    edit = Edit("How is Larder packed?", "In two crates.", "Larder")
    memory = EditMemory(None, encoder)
    memory.add(edit)
    scope, wrong = ClassifierScope(), "How is the Larder test sample packed?"
    memory.report(edit.id, wrong, concerns=False)
    right = "How do you pack Larder?"
    decisions = scope.decide([wrong, right], memory.search([wrong, right]))
    assert [bool(d) for d in decisions] == [False, True]


def test_a_threshold_of_0_is_0_and_1_is_1(encoder: Any) -> None:
    memory = EditMemory(None, encoder)
    memory.add(Edit("The pin of the shed is", "5521", "shed"))
    asked = ["The pin of the shed is", "Which colour has the shed?", "What is 7 times 8?"]
    found = memory.search(asked)
    everything = ClassifierScope(threshold=0.0).decide(asked, found)
    assert [bool(d) for d in everything[:2]] == [True, True]
    nothing = ClassifierScope(threshold=1.0).decide(asked, found)
    assert [bool(d) for d in nothing] == [True, False, False]  # its own words are certain


def test_what_a_tool_said_asks_nothing() -> None:
    markers = ChatFormat("<user>", "</user>", "<bot>", "</bot>", "")
    chat = "<user>Look up the ticket sales.</user><bot>[call]</bot><tool>{price: 14}</tool>"
    split = markers.split(f"{chat}<user>Thanks!</user><bot>")
    assert split is not None and "price" not in split[0] and split[2] == "Thanks!"
