"""Forms are tried on a base, and the choice is kept where auto reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memedit import EditableModel
from memedit.core.calls import Batch, Completion
from memedit.core.errors import InvalidInputError
from memedit.editors.auto import Auto
from memedit.editors.prompting.choosing import NONE, OBJECTS, SENTENCES, read_tuned
from memedit.model.tuning import _balance, _choose_best, make_facts, make_trials

Tiny = Callable[[str], Any]


@pytest.fixture
def model(
    tiny: Tiny, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EditableModel:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return EditableModel(tiny("llama"), tiny_tokenizer, encoder="hashing")


def test_the_facts_are_forty_and_distinct() -> None:
    made = make_facts()
    assert len({fact.edit.id for fact in made}) == 40
    assert all(str(fact.edit.target_new) in fact.true for fact in made)
    assert all(str(fact.edit.target_new) not in fact.false for fact in made)
    kinds = {trial.kind for trial in make_trials()}
    assert kinds == {"asks", "against", "completes", "yes", "no", "open", "two", "apart"}


def test_answers_are_judged_by_what_they_say() -> None:
    by = {trial.kind: trial for trial in make_trials()}
    value = str(by["asks"].edits[0].target_new)
    assert by["asks"].right(f"It is {value}.", "") and not by["asks"].right("It is.", "")
    assert by["yes"].right("Yes, it does.", "") and not by["yes"].right("No.", "")
    assert by["no"].right(" No, at noon.", "") and not by["no"].right("Nobody knows.", "")
    assert by["apart"].right("Honey.", "honey") and not by["apart"].right("Amber.", "honey")
    assert by["apart"].right("Amber.", "wax")  # the base did not know either


def test_the_first_of_those_about_as_good_as_the_best_is_taken() -> None:
    assert _choose_best({"a": 0.9, "b": 0.93, "c": 1.0}, ("a", "b", "c")) == "c"
    assert _choose_best({"a": 0.96, "b": 0.5, "c": 1.0}, ("a", "b", "c")) == "a"
    yes, no = (next(t for t in make_trials() if t.kind == kind) for kind in ("yes", "no"))
    assert _balance([yes, yes, yes, no], [True, True, True, False]) == 0.5


def test_what_holds_on_this_base_is_kept_and_used(
    model: EditableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base that can only repeat what its prompt says right before its end."""

    def echoing(batch: Batch) -> list[Completion]:
        found = []
        for row in batch.rows:
            said = row.answers[0] if row.answers else ""
            after = "" if row.turn is None else row.turn.after
            facts = [line for line in f"{row.prompt}\n{after}".splitlines() if line[:2] == "- "]
            if not said and "\n- " in after:
                said = " ".join(facts)
            found.append(replace(Completion(said), decision=row.decision))
        return found

    monkeypatch.setattr(model.engine, "generate", echoing)
    heard: list[tuple[int, int]] = []
    found = model.tune(progress=lambda done, total: heard.append((done, total)))
    assert found.forms.asks == OBJECTS and found.forms.completes == SENTENCES
    assert found.forms.informs == "note(place=reply)"
    assert found.scores["informs"][NONE] < found.scores["informs"]["note(place=reply)"]
    assert heard[-1][0] == heard[-1][1] and found.file.is_file()
    assert read_tuned(model.engine.fingerprint) == found.forms
    assert Auto().forms(model.engine) == found.forms


def test_without_a_chat_template_there_is_nothing_to_choose(
    model: EditableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.tokenizer, "chat_template", None)
    with pytest.raises(InvalidInputError, match="nothing to choose"):
        model.tune()
