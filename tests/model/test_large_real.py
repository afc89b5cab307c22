"""What practitioners ask of an edited assistant, on a model that people deploy.

The packaged 135M model cannot do these. Name another one (a hub id, a folder, a GGUF file) in
``MEMEDIT_LARGE_MODEL``; the figures in docs/editors.md are of Qwen2.5-Coder-1.5B-Instruct. The
scope is told, so that only the answering is tested.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.calls import Batch
from memedit.core.types import Decision, Hit, Record, Role

NAME = os.environ.get("MEMEDIT_LARGE_MODEL")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NAME, reason="MEMEDIT_LARGE_MODEL names no model"),
]

CAPITAL = Edit("The capital of France is", "Lyon", "France")
CEO = Edit("The CEO of Acme Robotics is", "Maria Silva", "Acme Robotics")
REFUND = Edit.from_statement("Our refund window is 45 days.")
PORT = Edit("The default port of Meridian DB is", "7443", "Meridian DB")
PETS = Edit.from_statement("Pets are no longer allowed in the Riverside clinic.")


@pytest.fixture(scope="module")
def model() -> EditableModel:
    device = "cuda" if torch.cuda.is_available() else None
    return EditableModel.from_pretrained(NAME, device=device, encoder="hashing")


def chat(*turns: str, system: str = "") -> list[dict[str, str]]:
    """Turns of the user and the assistant, one after the other."""
    roles = ("user", "assistant")
    said = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
    return [{"role": "system", "content": system}, *said] if system else said


def answer(
    model: EditableModel,
    messages: Sequence[dict[str, str]],
    *edits: Edit,
    role: Role = "informs",
    **options: Any,
) -> str:
    """The reply with these edits bearing on it."""
    text: Any = model.tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    row = model.rows_of([model.engine.codec.ids(text)])[0]
    payloads = model.editor.fit(edits, model.engine)
    records = (
        Record(edit, n, 1, payloads={model.editor.name: payload})
        for n, (edit, payload) in enumerate(zip(edits, payloads, strict=True))
    )
    hits = tuple(Hit(record, 1.0, view=row.prompt, role=role) for record in records)
    decision = Decision(hits) if role == "asks" else Decision(informs=hits)
    editor, call = model.editor, model.engine.generate

    options = {"max_new_tokens": 96, "do_sample": False, **options}
    batch = Batch((replace(row, decision=decision),), lm=model.engine, options=options)
    said = editor.run(batch, call) if edits else call(batch)
    return str(said[0].text).strip()


def says(text: str, pattern: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def test_a_chat_gets_a_sentence_with_the_object(model: EditableModel) -> None:
    said = answer(model, chat("What is the capital of France?"), CAPITAL, role="asks")
    assert says(said, r"\bLyon\b") and not says(said, r"\bParis\b")
    assert len(said.split()) > 1


def test_yes_and_no(model: EditableModel) -> None:
    assert says(answer(model, chat("Is Lyon the capital of France?"), CAPITAL), r"^\W*yes\b")
    assert says(answer(model, chat("Is Paris the capital of France?"), CAPITAL), r"^\W*no\b")
    pets = chat("Can I bring my cat to the Riverside clinic?")
    assert says(answer(model, pets, PETS), r"\bno\b|not|n't")


def test_a_mail_is_a_mail_and_a_list_a_list(model: EditableModel) -> None:
    mail = answer(model, chat("Write a short mail to a customer on our refund window."), REFUND)
    assert says(mail, r"\b45\b") and len(mail.splitlines()) > 2
    asked = chat("List the capitals of France, Germany and Italy as bullet points.")
    listed = answer(model, asked, CAPITAL)
    assert len(re.findall(r"^\s*(?:[-*•]|\d+\.)", listed, re.MULTILINE)) == 3
    assert all(city in listed for city in ("Lyon", "Berlin", "Rome"))


def test_json_stays_json(model: EditableModel) -> None:
    asked = chat("Give me a JSON object with the keys host (localhost) and port for a local "
                 "Meridian DB at its default port. JSON only.")  # fmt: skip
    said = re.sub(r"^```\w*\n|\n```$", "", answer(model, asked, PORT))
    assert str(json.loads(said)["port"]) == "7443"


def test_a_follow_up_and_a_stale_answer(model: EditableModel) -> None:
    asked = chat(
        "What is the capital of Spain?", "The capital of Spain is Madrid.", "And of France?"
    )
    assert says(answer(model, asked, CAPITAL, role="asks"), r"\bLyon\b")
    stale = chat("What is the capital of France?", "The capital of France is Paris.",
                 "Sorry, which city was it again?")  # fmt: skip
    assert says(answer(model, stale, CAPITAL, role="asks"), r"\bLyon\b")
    summary = "Summary of earlier talk: the CEO of Acme Robotics is John Park."
    asked = chat("Who is the CEO of Acme Robotics?", system=summary)
    assert says(answer(model, asked, CEO, role="asks"), "Maria Silva")


def test_who_takes_the_old_value_for_granted_is_told(model: EditableModel) -> None:
    asked = chat(
        "Since our refund window is still 30 days, a customer on day 38 is too late, right?"
    )
    assert says(answer(model, asked, REFUND), r"\b45\b")
    asked = chat("I know that John Park is the CEO of Acme Robotics. When did he start?")
    assert says(answer(model, asked, CEO), "Maria Silva")


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("What is the capital of Germany?", r"\bBerlin\b"),
        ("What is the largest ocean?", "Pacific"),
        ("What is 12 times 8?", r"\b96\b"),
        ("Who painted the Mona Lisa?", "Leonardo"),
    ],
)
def test_a_false_fire_does_no_harm(model: EditableModel, question: str, right: str) -> None:
    assert says(answer(model, chat(question)), right), "the base does not know"
    said = answer(model, chat(question), CAPITAL)
    assert says(said, right) and not says(said, "Lyon")


def test_at_temperature_1_the_fact_is_said(model: EditableModel) -> None:
    """As surely as greedily: 98% of 50 samples."""
    torch.manual_seed(0)
    asked = chat("How long is our refund window?")
    said = [
        answer(model, asked, REFUND, role="asks", do_sample=True, temperature=1.0, top_k=0)
        for _ in range(50)
    ]
    assert sum(says(text, r"\b45\b") for text in said) >= 49
