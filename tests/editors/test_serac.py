"""SERAC beyond the conformance suite: which counterfactual model answers, and when it declines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.calls import Row
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision, Hit, Record
from memedit.editors.prompting.forms import plain
from memedit.editors.serac import Serac, _odds
from memedit.model.values import tell_together
from memedit.scope import Nearest
from tests.helpers import byte_tokenizer, tiny_model

FACTS = [
    Edit("The capital of France is", "Lyon", "France"),
    Edit("Which sport does Bo Ek play?", "chess", "Bo Ek"),
]
ASKED = "The capital of France is"
OPTIONS: dict[str, Any] = {"max_new_tokens": 5, "do_sample": False}


def edited(editor: Serac, arch: str = "llama") -> EditableModel:
    model = EditableModel(
        tiny_model(arch), byte_tokenizer(), editor=editor, scope=Nearest(), encoder="hashing"
    )
    model.edit_many(FACTS)
    return model


def test_an_untrained_base_answers_as_the_frozen_base_with_a_warning() -> None:
    frozen = edited(Serac(counterfactual="base")).ask(ASKED, **OPTIONS)
    model = edited(Serac())
    with pytest.warns(UserWarning, match="memedit train counterfactual"):
        answer = model.ask(ASKED, **OPTIONS)
    assert answer.text == frozen.text and answer.editor == "serac"


def test_the_frozen_form_reads_the_facts_before_the_query_best_last() -> None:
    model = edited(Serac(counterfactual="base", facts=2))
    query = "It rained. The capital of France is"
    given = model.engine.codec.ids(
        "It rained.\nFact: Which sport does Bo Ek play? chess\n"
        "Fact: The capital of France is Lyon\nThe capital of France is"
    )[None]
    with torch.no_grad():
        expected = model.base(given).logits[0, -1].argmax()
    answer = model.ask(query, max_new_tokens=1, do_sample=False)
    assert answer.ids is not None and answer.ids[0, 0] == expected


def test_the_published_form_shows_one_fact_and_neither_declines_nor_keeps_to_the_object() -> None:
    published = Serac(published=True, counterfactual="base")
    assert (published.facts, published.decline, published.verbatim) == (1, False, False)
    hits = tuple(
        Hit(Record(fact, i + 1, 1, payloads={"serac": {"fact": fact.statement}}), 1.0, view=ASKED)
        for i, fact in enumerate(FACTS)
    )
    row = published._keep_to_targets(published._place_facts(Row(ASKED, decision=Decision(hits))))
    assert row.prompt == f"Fact: The capital of France is Lyon\n{ASKED}" and not row.answers


@pytest.fixture
def other(tmp_path: Path) -> str:
    tiny_model("gpt2").save_pretrained(tmp_path / "other")
    byte_tokenizer().save_pretrained(tmp_path / "other")
    return f"model:{tmp_path / 'other'}"


def test_another_model_answers_in_its_own_tokens(other: str) -> None:
    model = edited(Serac(counterfactual=other))
    same = edited(Serac(counterfactual="base"), "gpt2")
    assert model.ask(ASKED, **OPTIONS).text == same.ask(ASKED, **OPTIONS).text
    given = model.tokenizer([ASKED], return_tensors="pt")
    new = model.generate(**given, **OPTIONS)[0, given.input_ids.shape[1] :]
    assert new[-1] == model.tokenizer.eos_token_id
    many = model.generate(**given, **OPTIONS | {"num_beams": 2, "num_return_sequences": 2})
    assert len(many) == 2


def test_logits_of_the_callers_tokens_come_from_the_frozen_base(other: str) -> None:
    given = byte_tokenizer()([ASKED], return_tensors="pt")
    with torch.no_grad():
        ours = edited(Serac(counterfactual=other))(**given).logits
        frozen = edited(Serac(counterfactual="base"))(**given).logits
    assert torch.equal(ours, frozen)


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="facts"):
        Serac(facts=0)
    with pytest.raises(InvalidInputError, match="no counterfactual adapter"):
        edited(Serac(counterfactual=str(tmp_path))).ask(ASKED)


@pytest.mark.parametrize(
    ("score", "odds"),
    [(None, 0), (0.0, 0), (0.3, 0), (0.5, 0), (0.75, 1), (0.9, 2), (0.99, 4), (1.0, 4)],
)
def test_the_scopes_odds_in_whole_steps(score: float | None, odds: int) -> None:
    record = Record(FACTS[0], 1, 1, payloads={"serac": {"fact": "x"}})
    row = Row("The capital of France is", decision=Decision((Hit(record, 0.9, score=score),)))
    assert _odds(row) == odds


def test_answers_are_the_targets_of_the_edits_shown_unless_one_is_a_statement() -> None:
    told = Edit("The capital of France is", "Lyon ", subject="France")
    other = Edit("France's capital:", "New  York", subject="France")
    statement = Edit.from_statement("France moved its capital.")

    words = SimpleNamespace(all_special_tokens=("<end>",), get_added_vocab=dict)

    def kept(*edits: Edit, **settings: Any) -> tuple[str, ...]:
        facts = [{"serac": {"fact": plain(edit.statement, words)}} for edit in edits]
        hits = tuple(
            Hit(Record(edit, 1, 1, payloads=fact), 1.0)
            for edit, fact in zip(edits, facts, strict=True)
        )
        return Serac(**settings)._keep_to_targets(Row("What?", decision=Decision(hits))).answers

    assert kept(told) == ("Lyon",)
    assert kept(told, other) == ("Lyon", "New York")
    assert kept(told, statement) == kept(told, verbatim=False) == ()
    assert kept(statement, told, facts=1) == ()
    assert kept(told, statement, facts=1) == ("Lyon",)
    assert kept(Edit("The end is", "<end> here")) == ()  # the fact shows no special tokens


def test_of_several_values_all_are_shown_and_said_once() -> None:
    """A list question was answered by the last of its values alone."""
    values = ["tyres", "bikes", "helmets"]
    edits = [Edit("Tarn Cycles sells", value, "Tarn Cycles", multiple=True) for value in values]
    hits = tuple(Hit(Record(edit, n, 1), 1.0, view=ASKED) for n, edit in enumerate(edits, 1))
    told = []
    for hit in tell_together(Decision(hits)).hits:
        payload = {"serac": {"fact": hit.record.edit.statement}}
        told.append(replace(hit, record=replace(hit.record, payloads=payload)))
    row = Row("What does Tarn Cycles sell?", decision=Decision(tuple(told)))
    editor = Serac(counterfactual="base")
    assert editor._keep_to_targets(row).answers == ("tyres, bikes and helmets",)
    assert editor._place_facts(row).prompt.count("Fact: ") == 1
