"""What a model is saved with, it is opened with again: by name, with every setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memedit import EditableModel
from memedit.core.errors import InvalidInputError
from memedit.core.protocols import ChainsEditors
from memedit.core.types import Decision
from memedit.editors import load_chain, load_editor
from memedit.editors.ike import Ike
from memedit.editors.rome import Rome
from memedit.scope import load_scope
from tests import stranger

Tiny = Callable[[str], Any]


@pytest.fixture
def build(tiny: Tiny, tiny_tokenizer: Any) -> Callable[..., EditableModel]:
    def made(**options: Any) -> EditableModel:
        return EditableModel(tiny("llama"), tiny_tokenizer, encoder="hashing", **options)

    return made


def test_a_chain_keeps_the_settings_of_its_members(
    build: Callable[..., EditableModel], tmp_path: Path
) -> None:
    chain = load_chain([Ike(demonstrations=3), Rome(layer=1, steps=2)])
    build(editor=chain, scope="mention").save(tmp_path / "m")
    again = build(memory=tmp_path / "m").editor
    assert again.name == "ike+rome"
    assert isinstance(again, ChainsEditors) and isinstance(chain, ChainsEditors)
    assert again.editors == chain.editors


def test_a_chain_saved_before_members_kept_their_settings_opens(
    build: Callable[..., EditableModel], tmp_path: Path
) -> None:
    build(editor="ike", scope="mention").save(tmp_path / "m")
    (tmp_path / "m" / "model.json").write_text(
        '{"editor": {"name": "ike+serac", "settings": {}}, "scope": null, "base": ""}'
    )
    assert build(memory=tmp_path / "m").editor.name == "ike+serac"


@pytest.mark.parametrize("name", ["mention", "threshold", "nearest", "everything"])
def test_a_scope_is_found_again_by_name(
    name: str, build: Callable[..., EditableModel], tmp_path: Path
) -> None:
    scope = load_scope("threshold", similarity=0.7) if name == "threshold" else load_scope(name)
    build(scope=scope).save(tmp_path / "m")
    assert build(memory=tmp_path / "m").scope == scope


def test_a_strangers_editor_and_scope_are_found_again_by_name(
    build: Callable[..., EditableModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger.install(tmp_path / "site", monkeypatch)
    model = build(editor="parrot(times=2)", scope="starts(letters=5)")
    model.edit("The capital of France is", "Lyon")
    assert model.decide(["The colour of the sky is", "A capital"]) == model.decide(
        ["The colour of the sky is", "A capital"]
    )
    assert [bool(d) for d in model.decide(["The colour is", "A capital"])] == [True, False]
    asked = model.ask("The capital of France is", max_new_tokens=3)
    assert asked.editor == "parrot"
    model.save(tmp_path / "m")
    again = build(memory=tmp_path / "m")
    assert (again.editor, again.scope) == (model.editor, model.scope)
    assert again.ask("The capital of France is", max_new_tokens=3).text == asked.text


class Nameless:
    def decide(self, prompts: Any, candidates: Any) -> list[Decision]:
        return [Decision() for _ in prompts]


def test_a_scope_without_a_name_is_refused_when_it_is_handed_in(
    build: Callable[..., EditableModel],
) -> None:
    with pytest.raises(InvalidInputError, match="it has no name"):
        build(scope=Nameless())
    with pytest.raises(InvalidInputError, match="has no fit and no run"):
        build(editor=type("Half", (), {"name": "half", "needs": frozenset()})())


def test_an_editor_named_in_a_chain_keeps_settings_said_in_the_name(
    build: Callable[..., EditableModel], tmp_path: Path
) -> None:
    build(editor=load_editor("ike+rome(layer=1)"), scope="mention").save(tmp_path / "m")
    again = build(memory=tmp_path / "m").editor
    assert isinstance(again, ChainsEditors) and again.editors[1] == Rome(layer=1)
