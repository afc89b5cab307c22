"""Which form answers what, where the choice comes from, and that answers say which form it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from memedit import Edit, EditableModel
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision, Hit
from memedit.editors.auto import Auto
from memedit.editors.prompting import choosing
from memedit.editors.prompting.choosing import OBJECTS, SENTENCES, Forms, keep, read_tuned
from memedit.engine.engine import Engine

Tiny = Callable[[str], Any]
EDIT = Edit("The capital of France is", "Lyon", "France")
ASKS, DEPENDS, NEITHER = "The capital of France is", "Is Lyon a capital?", "Two and two are"


@dataclass(frozen=True)
class Told:
    """A scope that knows what the tests ask."""

    name: ClassVar[str] = "told"

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [self._one(*pair) for pair in zip(prompts, candidates, strict=True)]

    @staticmethod
    def _one(prompt: str, hits: Sequence[Hit]) -> Decision:
        if ASKS in prompt or "What is the capital" in prompt:
            return Decision(tuple(replace(hit, role="asks") for hit in hits), 0.9, 0.5)
        informs = tuple(replace(hit, role="informs") for hit in hits)
        return Decision(informs=informs if DEPENDS in prompt else ())


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))


@pytest.fixture
def model(tiny: Tiny, tiny_tokenizer: Any) -> EditableModel:
    model = EditableModel(
        tiny("llama"), tiny_tokenizer, editor="auto", scope=Told(), encoder="hashing"
    )
    model.edit(EDIT)
    return model


def with_editor(model: EditableModel, editor: Any) -> EditableModel:
    return EditableModel(
        model.base, model.tokenizer, memory=model.memory, editor=editor, scope=Told()
    )


def test_what_is_asked_is_the_object_and_what_depends_on_it_is_free(model: EditableModel) -> None:
    asked, depends, neither = model.ask([ASKS, DEPENDS, NEITHER], chat=False, max_new_tokens=6)
    assert (asked.text, asked.editor) == ("Lyon", "note")
    assert depends.editor == "note" and depends.text != "Lyon"
    with model.unedited():
        assert neither.text == model.ask(NEITHER, chat=False, max_new_tokens=6).text
    assert neither.editor == ""


def test_what_the_caller_gives_a_form_is_read_from_a_note(model: EditableModel) -> None:
    """An object alone is no JSON."""
    way = with_editor(model, Auto(asks="serac"))
    row = way.rows_of([model.engine.codec.ids(ASKS)])[0]
    assert row.decision.hits
    assert way.answering(row.decision, chat=True) == "serac"
    assert way.answering(row.decision, chat=True, formed=True) == "note"
    left = with_editor(model, Auto(asks="none"))
    assert left.answering(row.decision, chat=True, formed=True) == ""


def test_a_small_base_says_the_object_in_a_chat_a_large_one_its_sentence(
    model: EditableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "What is the capital of France?"
    assert model.ask(question, chat=True, max_new_tokens=6).text == "Lyon"
    monkeypatch.setattr(choosing, "_LARGE", 1)
    large = with_editor(model, "auto")
    assert large.ask(question, chat=True, max_new_tokens=6).text != "Lyon"


def test_each_kind_has_its_own_editor(model: EditableModel) -> None:
    other = with_editor(model, Auto(asks="note", completes="ike", informs="none"))
    asked, depends = other.ask([ASKS, DEPENDS], chat=False, max_new_tokens=6)
    assert asked.editor == "ike"
    with model.unedited():
        assert depends.text == model.ask(DEPENDS, chat=False, max_new_tokens=6).text


def test_a_setting_goes_before_what_was_tuned_and_that_before_the_rule(
    model: EditableModel,
) -> None:
    engine = Engine(model.base, model.tokenizer)
    assert Auto().forms(engine) == Forms(OBJECTS, SENTENCES, SENTENCES, "rule")
    keep(engine.fingerprint, Forms("ike", "ike", "none", "tuned"), {"asks": 1.0})
    engine = Engine(model.base, model.tokenizer)
    assert Auto().forms(engine) == Forms("ike", "ike", "none", "tuned")
    assert Auto(informs="note").forms(engine) == Forms("ike", "ike", "note", "tuned")


def test_a_spoilt_file_says_what_to_do(model: EditableModel) -> None:
    file = choosing.file_of("abc")
    file.parent.mkdir()
    file.write_text(json.dumps({"forms": {"asks": "note"}}), "utf-8")
    with pytest.raises(InvalidInputError, match="tune"):
        read_tuned("abc")


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="cannot choose 'rome'"):
        Auto(asks="rome")


def test_families_are_known_by_their_shape(tiny: Tiny) -> None:
    assert choosing.family(tiny("llama")) not in choosing.FAMILIES
    for forms in choosing.FAMILIES.values():
        forms.check()
