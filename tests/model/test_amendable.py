"""``model.correct``: an edit put right by its id from Python, as the REST API does it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.errors import (
    EntangledEditError,
    InvalidEditError,
    UnknownEditError,
    UnknownOptionError,
)
from memedit.memory.plain import plain_receipt
from tests import helpers
from tests.editors.helpers import FACTS, quick
from tests.serving.helpers import tiny_service, within

CHIEF = Edit(
    "The CEO of Acme is", "Ada", "Acme", queries=("Who runs Acme?",), excluded=("Who is Acme?",)
)
OTHERS = [
    Edit("Acme's CEO is", "Bo", "Acme"),
    Edit("Acme was founded in", "1971", "Acme"),
    Edit.from_statement("Our refund window is 30 days."),
    Edit.from_statement("Our refund window is 45 days.", queries=["How long may I wait?"]),
]
CHANGES: list[tuple[int, dict[str, Any]]] = [
    (0, {"target_new": "Cy"}),
    (0, {"target_new": "Bo"}),
    (0, {"subject": None, "source": "board"}),
    (0, {"valid_until": "2090-12-31"}),
    (0, {"queries": ["Who leads Acme?"]}),
    (3, {"statement": "Our refund window is 60 days."}),
]
"""Which of the edits, and what shall be different."""


def make_model(minilm: Any, **options: Any) -> EditableModel:
    model = EditableModel(
        helpers.tiny_model("llama"), helpers.byte_tokenizer(), encoder=minilm, **options
    )
    model.memory.add_many([CHIEF, *OTHERS])
    return model


@pytest.mark.parametrize(("at", "change"), CHANGES, ids=lambda given: f"{given}"[:40])
def test_it_does_what_the_rest_api_does(at: int, change: dict[str, Any], minilm: Any) -> None:
    here, there = (make_model(minilm, editor="ike") for _ in range(2))
    id = [*here.memory.records()][at].id
    receipt = here.correct(id, **change)

    async def ask() -> Any:
        async with within(tiny_service(model=there)) as client:
            answer = await client.patch(f"/v1/edits/{id}", json=change)
            assert answer.status_code == 200, answer.text
            return answer.json()

    assert plain_receipt(receipt) == asyncio.run(ask())
    seen = [[r.edit for r in model.memory.records()] for model in (here, there)]
    assert seen[0] == seen[1]


def test_a_text_is_what_follows_or_the_whole_statement(minilm: Any) -> None:
    model = make_model(minilm, editor="ike")
    chief, _, _, refund, _ = [*model.memory.records()]
    made = model.correct(chief.id, "The CEO of Acme is Cy.")
    assert made.record.edit.target_new == "Cy"
    assert [r.edit.target_new for r in made.superseded] == ["Ada", "Bo"]
    assert made.record.edit.queries == CHIEF.queries
    assert made.record.edit.excluded == CHIEF.excluded
    stated = model.correct(refund.id, "Our refund window is 60 days.")
    assert {r.edit.prompt for r in stated.superseded} >= {refund.edit.prompt}
    as_prompt = model.correct(stated.id, "9 weeks", prompt="Our refund window is")
    assert as_prompt.record.edit.statement == "Our refund window is 9 weeks"
    assert model.decide(["Who runs Acme?"])[0].hits[0].record.id == made.id


def test_it_is_put_right_where_it_is(minilm: Any) -> None:
    model = make_model(minilm, editor="ike")
    id = model.edit(CHIEF, namespace="acme").id
    model.correct(id, "Cy", namespace="acme")
    assert [r.edit.target_new for r in model.memory.records("acme")] == ["Cy"]
    with model.using(namespace="acme"):
        (record,) = model.memory.records("acme")
        model.correct(record.id, "Di", valid_until="2090-01-01", source="board")
    (record,) = model.memory.records("acme")
    assert (record.edit.target_new, record.source) == ("Di", "board")
    assert len(model.memory) == 1 + len(OTHERS) + 1


def test_what_cannot_be_is_said_and_stores_nothing(minilm: Any) -> None:
    model = make_model(minilm, editor="ike")
    version, id = model.memory.version, CHIEF.id
    with pytest.raises(InvalidEditError, match="is missing"):
        model.correct(id)
    with pytest.raises(UnknownEditError):
        model.correct("none", "Cy")
    with pytest.raises(UnknownOptionError, match="target_new"):
        model.correct(id, target="Cy")
    with pytest.raises(InvalidEditError, match="given twice"):
        model.correct(id, "Cy", target_new="Di")
    with pytest.raises(InvalidEditError, match="target_new is missing"):
        model.correct(id, target_new=None)
    with pytest.raises(InvalidEditError, match="because_of names 'gone'"):
        model.correct(id, because_of=["gone"])
    assert model.memory.version == version


def weights_of(model: EditableModel) -> torch.Tensor:
    with torch.no_grad():
        rows = model.tokenizer(FACTS[0].prompt, return_tensors="pt").input_ids
        found: torch.Tensor = model(input_ids=rows).logits[0]
    return found


def test_editors_of_weights_fit_what_is_right_without_what_was_wrong() -> None:
    """In whatever words: the weights are those of a model that was never told what was wrong."""
    right = Edit(f"People know that {FACTS[1].prompt}", "Oslo", FACTS[1].subject)
    models = []
    for edits in (FACTS[:2], FACTS[:1]):
        model = EditableModel(
            helpers.tiny_model("llama"), helpers.byte_tokenizer(), encoder="hashing",
            editor=quick("ft_l"), scope="everything",
        )  # fmt: skip
        for edit in edits:
            model.edit(edit)
        models.append(model)
    corrected, never = models
    made = corrected.correct(FACTS[1].id, prompt=right.prompt, target_new=right.target_new)
    never.edit(right)
    assert corrected.editor.name in made.record.payloads
    assert [r.edit for r in corrected.memory.records()] == [FACTS[0], right]
    assert torch.allclose(weights_of(corrected), weights_of(never), atol=1e-5)
    before = weights_of(corrected)
    told = corrected.correct(made.id, queries=["Where is it?"])
    assert told.record.payloads.keys() == made.record.payloads.keys()
    assert torch.equal(weights_of(corrected), before)
    with pytest.raises(EntangledEditError):
        corrected.correct(FACTS[0].id, "Rome")
    assert len(corrected.memory) == 2
