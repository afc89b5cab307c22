"""CaliNET: the untrained network is the identity; trained, it is one for all facts of a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.errors import (
    EntangledEditError,
    InvalidEditError,
    InvalidInputError,
    UnsupportedArchitectureError,
)
from memedit.editors.calinet import Calinet, Network, cka
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, changed, tiny_engine, weights
from tests.helpers import byte_tokenizer, tiny_model

SMALL = Calinet(steps=3, prefixes=1)


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def built(editor: Any, scope: str = "everything") -> EditableModel:
    base = tiny_model("llama")
    return EditableModel(base, byte_tokenizer(), editor=editor, scope=scope, encoder="hashing")


def logits(model: Any, prompt: str) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**byte_tokenizer()(prompt, return_tensors="pt")).logits
    return found


def site_of(lm: Engine) -> str:
    site = lm.sites.mlp(-1)
    assert site is not None
    return site


def test_the_fresh_network_is_the_identity(lm: Engine) -> None:
    network = Network.fresh(lm, site_of(lm), 7, seed=0)
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    assert network.w1.shape == (7, 32) and not network(x).any()
    assert network.w1.abs().max() <= (6 / 32) ** 0.5
    ids = torch.arange(4, 9)[None]
    with torch.no_grad():
        before = lm.base(input_ids=ids).logits
        with lm.watch(after={site_of(lm): lambda x, y: y + network(x)}):
            assert torch.equal(lm.base(input_ids=ids).logits, before)


def test_the_slots_dealt_out_are_one_network(lm: Engine) -> None:
    payloads = SMALL.fit(FACTS, lm)
    whole = Network.of(payloads, site_of(lm))
    assert whole is not None and whole.w1.shape == (24, 32)
    assert [torch.as_tensor(p[f"{site_of(lm)}/w2"]).shape[0] for p in payloads] == [8, 8, 8]
    few = Calinet(slots=4, steps=1, prefixes=0).fit(FACTS, lm)
    assert len(torch.as_tensor(few[0][f"{site_of(lm)}/w1"])) == 2
    assert Network.of([{}], site_of(lm)) is None


def test_only_the_side_network_is_trained_and_the_loss_falls(lm: Engine) -> None:
    before = weights(lm.base)
    losses = [Calinet(steps=n, prefixes=0).fit(FACTS, lm)[0]["loss"] for n in (1, 80)]
    assert float(losses[1]) < 0.7 * float(losses[0])
    assert not changed(lm.base, before)
    assert all(p.grad is None for p in lm.base.parameters())


def test_what_was_trained_is_what_answers() -> None:
    model = built(Calinet(steps=150, prefixes=0, rate=3e-3))
    model.edit_many(FACTS)
    assert [c.text[: len(e.target_new or "")] for c, e in zip(
        model.ask([e.prompt for e in FACTS], chat=False, max_new_tokens=8), FACTS, strict=True
    )] == [e.target_new for e in FACTS]  # fmt: skip
    scores = model.score([e.prompt for e in FACTS], [str(e.target_new) for e in FACTS])
    assert all(all(s.right) for s in scores)


def test_queries_and_contexts_are_wordings_too(lm: Engine) -> None:
    edit = Edit("The capital of France is", "Lyon", queries=("France's capital is",))
    rows = Calinet(prefixes=2).wordings(lm, edit)
    assert len(rows) == 4
    said = [lm.codec.text(row.ids) for row in rows]
    assert said[0].startswith("The capital") and said[1].startswith("France's capital")
    assert all("The capital of France is" in text and "Lyo" in text for text in said[2:])
    assert all(row.target.tolist() == rows[0].target.tolist() for row in rows)


def test_a_batch_is_taken_back_as_one() -> None:
    model = built(SMALL)
    model.edit_many(FACTS)
    with pytest.raises(EntangledEditError, match="together with it"):
        model.forget(FACTS[0].id)
    model.forget_many([edit.id for edit in FACTS])
    assert torch.equal(logits(model, FACTS[0].prompt), logits(model.base, FACTS[0].prompt))


def test_refitted_without_one_it_was_never_there() -> None:
    model, other = built(SMALL), built(SMALL)
    model.edit_many(FACTS)
    model.forget(FACTS[0].id, refit=True)
    other.edit_many(FACTS[1:])
    for prompt in (FACTS[1].prompt, "Two and two make"):
        assert torch.equal(logits(model, prompt), logits(other, prompt))


def test_a_second_batch_is_trained_beside_the_first() -> None:
    model = built(SMALL)
    model.edit_many(FACTS[:2])
    first = {r.sequence: r.payloads["calinet"] for r in model.memory.records()}
    model.edit(FACTS[2])
    for record in model.memory.records():
        if record.sequence in first:
            name = f"{site_of(model.engine)}/w2"
            mine, old = record.payloads["calinet"][name], first[record.sequence][name]
            assert torch.equal(torch.as_tensor(mine), torch.as_tensor(old))
    alone = SMALL.fit(FACTS[2:], model.engine)[0]
    with_first = next(r for r in model.memory.records() if r.edit == FACTS[2])
    assert float(with_first.payloads["calinet"]["loss"]) != float(alone["loss"])


def test_behind_a_scope_each_edit_is_its_own_network() -> None:
    model = built(SMALL, scope="mention")
    model.edit_many(FACTS)
    assert torch.equal(logits(model, "Two and two make"), logits(model.base, "Two and two make"))
    model.forget(FACTS[0].id)  # no other edit depends on it
    assert torch.equal(logits(model, FACTS[0].prompt), logits(model.base, FACTS[0].prompt))


def test_cka_is_the_ratio_of_right_to_distracting() -> None:
    assert cka([0.2, 0.4], [0.1, 0.2, 0.3]) == pytest.approx(1.5)
    assert cka([0.2], [0.1], smoothing=0.1) == pytest.approx(1.0)
    with pytest.raises(InvalidInputError, match="distractors"):
        cka([0.2], [])


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        SMALL.fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    with pytest.raises(UnsupportedArchitectureError, match="feed-forward"):
        SMALL.fit(FACTS, tiny_engine("opt"))
    for wrong in ({"slots": 0}, {"rate": 0.0}, {"prefixes": -1}):
        with pytest.raises(InvalidInputError):
            Calinet(**wrong)
