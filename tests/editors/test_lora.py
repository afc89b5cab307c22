"""LoRA: one adapter for the edits made together, dealt out to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from memedit import Edit
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError
from memedit.editors._sequences import sequence_edit
from memedit.editors.lora import Lora
from memedit.editors.weights.base import sum_changes
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, tiny_engine

ONE = Edit("The capital of France is ", "L", subject="France")  # ends in a space: one byte


@pytest.fixture(params=["llama", "gpt2"])
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def nll(lm: Engine, edit: Edit) -> float:
    with torch.no_grad():
        return float(lm.nll(Batch((Row(edit.prompt, target=edit.target_new),))))


def test_it_begins_as_nothing_has_its_rank_and_fits(arch: str) -> None:
    lm = tiny_engine(arch, initializer_range=0.5)
    lora = Lora(steps=40, rate=3e-2, rank=3, alpha=6.0)
    (payload,) = lora.fit([ONE], lm)
    changes = sum_changes([payload])
    assert float(payload["loss"]) < nll(lm, ONE) / 10
    assert all(torch.linalg.matrix_rank(d) <= 3 for d in changes.values())
    kinds = {site.rsplit(".", 1)[-1] for site in changes}
    assert kinds == ({"c_attn"} if arch == "gpt2" else {"q_proj", "v_proj"})
    assert nll(lm.shadow(changes), ONE) < nll(lm, ONE) / 3
    (nothing,) = Lora(steps=1, stop=1e9).fit(FACTS[:1], lm)
    assert all(float(d.abs().max()) == 0 for d in sum_changes([nothing]).values())
    (mlp,) = replace(lora, modules="mlp_out", steps=1).fit([ONE], lm)
    assert set(sum_changes([mlp])) == {lm.sites.mlp_out(i) for i in range(3)}


def test_adalora_is_pefts() -> None:
    """Values and gradients of one step, against PEFT's own module."""
    from peft import AdaLoraConfig, get_peft_model

    lm = tiny_engine(initializer_range=0.5)
    how = Lora(form="adalora", rank=3, alpha=32.0, steps=1, rate=5e-3, stop=0.0)
    begun = how._fresh(lm)
    config = AdaLoraConfig(
        init_r=3, lora_alpha=32, lora_dropout=0.0, target_modules=["q_proj", "v_proj"],
        task_type="CAUSAL_LM", total_step=70,
    )  # fmt: skip
    theirs = get_peft_model(tiny_engine(initializer_range=0.5).base, config)
    named = dict(theirs.named_parameters())
    for site, (a, b, _) in begun.items():
        place = f"base_model.model.{site}"
        with torch.no_grad():
            named[f"{place}.lora_A.default"].copy_(a)
            named[f"{place}.lora_B.default"].copy_(b)
    row = sequence_edit(lm, FACTS[0])
    ids = torch.cat([row.ids, row.target[-1:]])[None]
    labels = ids.clone()
    labels[0, : row.start + 1] = -100
    optimiser = torch.optim.Adam([p for p in theirs.parameters() if p.requires_grad], lr=5e-3)
    theirs(input_ids=ids, labels=labels).loss.backward()
    optimiser.step()
    changes = sum_changes(how.fit(FACTS[:1], lm))
    for site in begun:
        place = f"base_model.model.{site}"
        a, e, b = (named[f"{place}.lora_{kind}.default"] for kind in "AEB")
        wanted = (b @ (a * e) * 32 / 3).detach()
        assert float(wanted.norm()) > 0
        assert torch.allclose(changes[site], wanted, rtol=2e-2, atol=1e-5)


def test_dropout_repeats_with_its_seed_and_leaves_the_random_state_alone(arch: str) -> None:
    lm, how = tiny_engine(arch), Lora(steps=2, dropout=0.5)
    state = torch.get_rng_state()
    one, same = (sum_changes(how.fit(FACTS[:1], lm)) for _ in range(2))
    plain = sum_changes(replace(how, dropout=0.0).fit(FACTS[:1], lm))
    assert torch.equal(torch.get_rng_state(), state)
    for site, change in one.items():
        assert torch.equal(change, same[site]) and not torch.allclose(change, plain[site])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_shares_of_a_batch_add_up_to_one_adapter(arch: str, rank: int) -> None:
    """Also where there are more edits than directions: then some hold none."""
    lm, lora = tiny_engine(arch), Lora(steps=2, rank=rank)
    payloads = lora.fit(FACTS, lm)
    assert len(payloads) == len(FACTS) > 2
    held = [any(torch.is_tensor(v) for v in payload.values()) for payload in payloads]
    assert held == [i < rank for i in range(3)]
    assert len({payload["loss"] for payload in payloads}) == 1
    for change in sum_changes(payloads).values():
        assert 0 < torch.linalg.matrix_rank(change) <= rank
    assert lora.fit([], lm) == []


def test_attention_without_a_known_map_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny_engine()
    monkeypatch.setattr(
        type(lm.sites), "attention", lambda self, layer: f"model.layers.{layer}.mlp"
    )
    with pytest.raises(UnsupportedArchitectureError, match="mlp.q_proj"):
        Lora(steps=1).fit(FACTS[:1], lm)
    assert Lora(steps=1, modules="mlp_out").fit(FACTS[:1], lm)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": 0},
        {"modules": "x"},
        {"alpha": 0.0},
        {"steps": 0},
        {"rate": -1.0},
        {"form": "x"},
        {"dropout": 1.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Lora(**wrong)
