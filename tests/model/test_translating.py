"""Requests in other languages are read in English, and answered as they were put."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from memedit import EditableModel
from memedit.core.passages import Conversation
from memedit.core.types import Decision, Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.model.translating import decide_in_english, keep_codes, parts_to_read, request_of
from tests import helpers

INHABITANTS = "Und wie viele Leute wohnen da?"
GERMAN, ENGLISH = "Was ist die Hauptstadt von Frankreich?", "What is the capital of France?"
PRESIDENT, PRESIDENT_IN_ENGLISH = "法国的总统是谁?", "Who is the president of France?"
TOLD = "Ich habe eine Frage zu der Hauptstadt von Frankreich.\nGerne, fragen Sie."


class Translator:
    """The translations of known texts, and which were asked for."""

    known = {GERMAN: ENGLISH, PRESIDENT: PRESIDENT_IN_ENGLISH, "Merci bien, et vous ?": ""}

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.asked += texts
        return [self.known[text] for text in texts]


@pytest.fixture(scope="module")
def decider(minilm: Any) -> Iterator[Decider]:
    with EditMemory(None, minilm) as memory:
        memory.add(Edit("The capital of France is", "Lyon", "France"))
        memory.add(Edit("Unser Telefon ist besetzt von 8 bis 17 Uhr.", None))
        yield Decider(memory)


def decide(decider: Decider, *queries: str) -> tuple[list[Decision], list[str]]:
    translator = Translator()

    def decided(texts: Sequence[str]) -> list[Decision]:
        return decider.decide(texts, "default")

    return decide_in_english(queries, decided, translator), translator.asked


def facts(decision: Decision) -> list[str]:
    return [hit.record.edit.statement for hit in decision.bearing]


def test_what_asks_in_another_language_is_found(decider: Decider) -> None:
    (found, english), asked = decide(decider, GERMAN, ENGLISH)
    assert facts(found) == facts(english) == ["The capital of France is Lyon"]
    assert asked == [GERMAN]
    assert (found.read_as, english.read_as) == (ENGLISH, "")


def test_letters_that_the_encoder_cannot_read_fire_nothing(decider: Decider) -> None:
    (found,), _ = decide(decider, PRESIDENT)
    assert facts(found) == []
    assert found.read_as == PRESIDENT_IN_ENGLISH


def test_an_edit_in_the_same_language_is_found_by_its_own_words(decider: Decider) -> None:
    own = "Unser Telefon ist besetzt von 8 bis 17 Uhr."
    translator = {own: "Our phone is staffed from 8 to 17."}

    def decided(texts: Sequence[str]) -> list[Decision]:
        return decider.decide(texts, "default")

    (found,) = decide_in_english([own], decided, lambda texts: [translator[t] for t in texts])
    assert facts(found) == [own]


def test_a_base_that_says_nothing_leaves_the_query_as_it_is(decider: Decider) -> None:
    (found,), asked = decide(decider, "Merci bien, et vous ?")
    assert asked == ["Merci bien, et vous ?"] and found.read_as == ""


@pytest.mark.parametrize(("query", "parts"), [
    (GERMAN, (GERMAN,)), (ENGLISH, ()), (Conversation("Hello.\nHello!", GERMAN), (GERMAN,)),
    (Conversation(TOLD, INHABITANTS), (TOLD, INHABITANTS)),
    (Conversation(TOLD, "Und?"), (TOLD, "Und?")), (Conversation("Who are you?", "And?"), ()),
])  # fmt: skip
def test_a_short_turn_is_read_with_what_was_said_before(query: str, parts: tuple[str, ...]) -> None:
    assert parts_to_read(query) == parts


def test_the_base_is_asked_and_answers_the_request_as_it_was_put() -> None:
    """What it translates is for the scope: out of scope every token is the base's."""
    base, tokenizer = helpers.tiny_model("llama"), helpers.byte_tokenizer()
    model = EditableModel(base, tokenizer, scope="mention", encoder=HashingEncoder(64))
    assert model.translate is None
    model.edit("The capital of France is", "Lyon", subject="France")
    plain = model.ask(GERMAN, max_new_tokens=4)
    model.translate = True
    asked = model.ask(GERMAN, max_new_tokens=4)
    assert asked.text == plain.text
    (known,) = model.engine.kept["translations"]
    assert known == GERMAN
    assert request_of(known)[-1]["content"].endswith(GERMAN)
    model.purge(subject="France")
    assert not model.engine.kept["translations"]
    model.edit("The capital of France is", "Lyon", subject="France", namespace="full")
    model.ask(GERMAN, max_new_tokens=4)
    assert not model.engine.kept["translations"]  # where there is no edit, nothing is to be read


def test_what_cannot_be_translated_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long for the window with what is asked of the base; no chat template. Others that are
    decided with it are not its victims."""
    base, tokenizer = helpers.tiny_model("llama"), helpers.byte_tokenizer()
    model = EditableModel(base, tokenizer, scope="mention", encoder=HashingEncoder(64))
    model.edit("The capital of France is", "Lyon", subject="France")
    model.translate = True
    long = f"{GERMAN} " * 14
    foreign, english = model.decide([long, ENGLISH])
    assert english and not foreign and foreign.read_as == ""
    assert set(model.engine.kept["translations"].values()) == {""}
    monkeypatch.setattr(model.tokenizer, "chat_template", None)
    foreign, english = model.decide([GERMAN, ENGLISH])
    assert english and not foreign


@pytest.mark.parametrize(
    ("text", "translated", "kept"),
    [
        ("¿Quién es el CTO de Acme?", "Who is the CEO of Acme?", "Who is the CTO of Acme?"),
        ("Was kostet das X2?", "How much is the X3 then?", "How much is the X2 then?"),
        ("Wer ist CEO und wer CTO?", "Who is CEO and who is CTO?", "Who is CEO and who is CTO?"),
        ("Quel est le délai pour une IRM ?", "How long for an MRI?", "How long for an MRI?"),
        ("¿Está en la ONU?", "Is it in the UN?", "Is it in the UN?"),
    ],
)
def test_codes_are_not_translated(text: str, translated: str, kept: str) -> None:
    assert keep_codes(text, translated) == kept
