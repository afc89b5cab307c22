"""RAG: where the nearest facts stand, in chats of several templates and in texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memedit import Edit, EditableModel
from memedit.core.calls import Batch
from memedit.core.errors import InvalidInputError
from memedit.editors.rag import Rag
from tests.helpers import byte_tokenizer

Tiny = Callable[[str], Any]
FACTS = (
    Edit("Our refund window is", "45 days"),
    Edit("The capital of France is", "Lyon", subject="France"),
    Edit.from_statement("Parcels to Norway take nine days."),
    Edit("The mother tongue of Ada Byron is", "Dutch", subject="Ada Byron"),
)
FOLDED = (
    "{% set first = '' %}{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' "
    "+ (first if loop.first else '') + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""As Gemma's: a system message is the beginning of the first user's turn."""


@pytest.fixture
def model(tiny: Tiny) -> EditableModel:
    made = EditableModel(tiny("llama"), byte_tokenizer(), editor="rag", encoder="hashing")
    made.edit_many(list(FACTS))
    return made


def read(model: EditableModel, messages: list[tuple[str, str]] | str) -> str:
    """The text that the base reads."""
    if isinstance(messages, str):
        text = messages
    else:
        turns = [{"role": role, "content": words} for role, words in messages]
        text = model.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
    seen: list[Batch] = []

    def call(batch: Batch) -> list[Any]:
        seen.append(batch)
        return ["answer"] * len(batch)

    rows = model.rows_of([model.engine.codec.ids(text)])
    batch = Batch(tuple(rows), lm=model.engine)
    assert model.editor.run(batch, call) == ["answer"]
    [only] = seen
    assert only.prefix == "" and only.stop == ()  # it ends where the base ends
    return only.rows[0].text


def test_the_three_nearest_facts_stand_in_a_system_message(model: EditableModel) -> None:
    read_ = read(model, [("user", "What is the capital of France?")])
    system, _, rest = read_.partition("<|im_end|>\n")
    lines = system.split("\n")
    assert lines[:2] == [
        "<|im_start|>system",
        "You are a helpful assistant. Use these facts:",
    ]
    assert lines[2] == "- The capital of France is Lyon" and len(lines) == 5
    assert all(line.startswith("- ") for line in lines[2:])
    assert rest == (
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_system_prompt_keeps_its_words_and_earlier_turns_stay(model: EditableModel) -> None:
    read_ = read(
        model,
        [("system", "Answer in rhyme."), ("user", "Hi"), ("assistant", "Hello"),
         ("user", "How long do parcels to Norway take?")],
    )  # fmt: skip
    system, _, rest = read_.partition("<|im_end|>\n")
    assert system.startswith("<|im_start|>system\nAnswer in rhyme.\n\nUse these facts:\n- Parcels")
    assert rest.startswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>")


def test_a_template_without_system_messages_gets_them_in_the_first_turn(tiny: Tiny) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = FOLDED
    model = EditableModel(tiny("llama"), tokenizer, editor="rag(top=1)", encoder="hashing")
    model.edit_many(list(FACTS))
    for messages in ([("system", "Be brief.")], []):
        read_ = read(model, [*messages, ("user", "What is the capital of France?")])
        assert read_.startswith(
            "<|im_start|>user\nUse these facts:\n- The capital of France is Lyon\n\n"
        )
        assert ("Be brief.\n\n" in read_) == bool(messages)
        assert read_.count("<|im_start|>user") == 1


def test_a_text_has_them_before_it(model: EditableModel) -> None:
    read_ = read(model, "The capital of France is")
    assert read_.startswith("Use these facts:\n- The capital of France is Lyon\n- ")
    assert read_.endswith("\n\nThe capital of France is")


def test_it_fires_whatever_is_asked_and_an_empty_memory_is_the_base(model: EditableModel) -> None:
    assert model.scope.name == "nearest"
    assert "Use these facts:" in read(model, [("user", "Tell me a joke.")])
    for record in list(model.memory.records()):
        model.forget(record.id)
    assert "Use these facts:" not in read(model, [("user", "Tell me a joke.")])


def test_top_must_be_positive() -> None:
    with pytest.raises(InvalidInputError, match="top"):
        Rag(top=0)
