"""A second look: what the base says of edits that fired or are near, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memedit import Edit, EditableModel, EditMemory
from memedit.core.passages import Conversation
from memedit.core.types import Decision, Hit
from memedit.engine.encoders import HashingEncoder
from memedit.model.second_look import (
    NEAR,
    TOLD,
    ask_about,
    choose_hits,
    look_again,
    recall_poll,
    weigh,
)
from tests.helpers import byte_tokenizer, tiny_model

HEAD = Edit("The head of payroll at Stellmark is", "Dolores Wickham", "Stellmark", id="head")
PAID = Edit("Wages at Stellmark are paid on the", "26th", "Stellmark", id="paid")


@pytest.fixture(scope="module")
def hits() -> dict[str, Hit]:
    memory = EditMemory(None, HashingEncoder(16))
    memory.add_many([HEAD, PAID])
    return {record.id: Hit(record, 0.5, bearing=0.9, score=0.9) for record in memory.records()}


def decided(hits: dict[str, Hit], fired: str = "head") -> Decision:
    found = (replace(hits[fired], role="asks"),) if fired else ()
    return Decision(hits=found, candidates=tuple(hits.values()), informing_threshold=0.2)


def test_what_is_looked_at(hits: dict[str, Hit]) -> None:
    near = hits | {"paid": replace(hits["paid"], bearing=NEAR)}
    chosen = choose_hits("Who runs payroll over there?", decided(near))
    assert [hit.record.id for hit in chosen] == ["head", "paid"]
    far = hits | {"paid": replace(hits["paid"], bearing=NEAR / 2)}
    assert [hit.record.id for hit in choose_hits("Who runs it?", decided(far))] == ["head"]
    sure = hits | {"head": replace(hits["head"], bearing=0.98)}
    assert [hit.record.id for hit in choose_hits("Who runs it?", decided(sure))] == ["paid"]
    # In its own words there is no doubt; nor where a time that the request names decided.
    assert choose_hits("The head of payroll at Stellmark is", decided(far)) == ()
    assert choose_hits("Who was it in 2010?", replace(decided(near), named="in 2010")) == ()
    # Scopes that give no probability of bearing decide for themselves.
    bare = {name: replace(hit, bearing=None) for name, hit in hits.items()}
    assert choose_hits("Who runs it?", decided(bare)) == ()


@pytest.mark.parametrize(
    ("bearing", "odds", "stays"),
    [(0.9, 0.5, True), (0.9, -0.8, True), (0.9, -1.0, False), (0.3, 0.2, False), (0.3, 0.5, True)],
)
def test_base_and_scope_are_weighed_together(
    hits: dict[str, Hit], bearing: float, odds: float, stays: bool
) -> None:
    given = hits | {"head": replace(hits["head"], bearing=bearing)}
    told = weigh("Who runs it?", decided(given), {"head": odds})
    assert bool(told) is stays
    assert told.candidates[0].second_look == odds and told.candidates[1].second_look is None


def test_what_is_near_is_told_where_the_base_needs_it(hits: dict[str, Hit]) -> None:
    nothing = decided(hits, fired="")
    assert not weigh("Who runs it?", nothing, {"paid": TOLD - 0.1})
    [hit] = weigh("Who runs it?", nothing, {"paid": TOLD, "head": -1.0}).informs
    assert (hit.record.id, hit.role, hit.second_look) == ("paid", "informs", TOLD)
    beside = weigh("Who runs it?", decided(hits), {"paid": 1.0, "head": 1.0})
    assert [h.record.id for h in beside.bearing] == ["head", "paid"]
    assert weigh("Who runs it?", nothing, {}) is nothing


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("Who runs it?", ["head"]),
        (Conversation("Who runs it and when?\nBo does.", "sure?"), ["head"]),
        ("Who runs it, and when are wages paid?", ["head", "paid"]),
        ("Write a mail to Tom about wages.", ["head", "paid"]),
        ("Who runs it? When are wages paid?", ["head", "paid"]),
    ],
)
def test_where_one_thing_is_asked_what_bears_much_less_is_not_told(
    hits: dict[str, Hit], query: str, left: list[str]
) -> None:
    both = replace(decided(hits), informs=(replace(hits["paid"], role="informs", bearing=0.5),))
    told = weigh(query, both, {"head": 0.8, "paid": 0.2})
    assert [hit.record.id for hit in told.bearing] == left
    near = weigh(query, both, {"head": 0.8, "paid": 1.4})
    assert len(near.bearing) == 2
    # One that is sure is not looked at, and a document's passage is not compared.
    sure = replace(both, hits=(replace(hits["head"], bearing=0.99),))
    assert [hit.record.id for hit in weigh(query, sure, {"paid": 0.2}).bearing] == left
    doubted = replace(both, hits=(replace(hits["head"], bearing=0.9),))
    assert len(weigh(query, doubted, {"paid": 0.2}).bearing) == 2


def test_of_several_things_that_are_asked_none_is_behind(hits: dict[str, Hit]) -> None:
    words, odds = "Who runs payroll there?", {"head": 2.0, "paid": 0.1}
    whole = Decision(hits=tuple(replace(hit, role="asks") for hit in hits.values()))
    assert [hit.record.id for hit in weigh(words, whole, odds).bearing] == ["head"]
    pieces = tuple(replace(hit, piece=hit.record.id) for hit in whole.hits)
    assert len(weigh(words, replace(whole, hits=pieces), odds).bearing) == 2


def test_a_chat_is_shown_with_what_was_said_before() -> None:
    asked = ask_about(Conversation("When are wages paid?\nOn the 26th.", "sure?"), "F.", "Acme")
    assert (
        "Said before: When are wages paid?\nOn the 26th.\nRequest to the assistant of Acme: "
        in asked
    )
    assert asked.count("sure?") == 1 and "Said before" not in ask_about("x", "F.")
    assert "Request: x\n" in ask_about("x", "F.")
    assert len(ask_about("y" * 50_000, "F." * 9_000)) < 3_000


@pytest.fixture(scope="module")
def chatting() -> EditableModel:
    model = EditableModel(tiny_model(), byte_tokenizer(), encoder="hashing", editor="note")
    model.edit_many([HEAD, PAID])
    return model


def test_a_base_that_tells_nothing_apart_is_not_heard(chatting: EditableModel) -> None:
    """Random weights: their yes and no say nothing."""
    assert recall_poll(chatting.engine) is None
    before = Decision()
    assert look_again(["x"], [before], "", engine=chatting.engine) == [before]


def test_who_is_asked_is_the_callers_to_say(
    chatting: EditableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def look(queries: Any, decisions: Any, house: str, **_: Any) -> list[Decision]:
        asked.append((list(queries), house))
        return [replace(decision, hits=(), informs=()) for decision in decisions]

    monkeypatch.setattr("memedit.model.answering.look_again", look)
    query = HEAD.prompt
    assert chatting.decide([query])[0] and not asked  # small bases are not asked
    chatting.second_look = True
    try:
        assert not chatting.decide([query])[0]
    finally:
        chatting.second_look = None
    assert asked == [([query], "")]
