"""MEMIT and EMMET: what they share and what is their own, inside tiny models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from memedit.core.errors import InvalidInputError
from memedit.core.types import Payload, Record
from memedit.editors._sequences import Fact, sample_contexts, sequence_fact
from memedit.editors.alphaedit import Alphaedit
from memedit.editors.memit import Memit
from memedit.editors.weights.base import sum_changes
from memedit.editors.weights.closed_forms import ridge
from memedit.editors.weights.spreading import default_layers, keys_of, spread, states_of
from memedit.editors.weights.statistics import moment_of
from memedit.editors.weights.values import optimise
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, tiny_engine, with_statistics

QUICK: dict[str, Any] = {"steps": 4, "prefixes": 5, "layers": (0, 1)}


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return with_statistics(tiny_engine(request.param))


def facts_of(lm: Engine) -> list[Fact]:
    return [sequence_fact(lm, edit, sample_contexts(lm, 5, 0), 0.5) for edit in FACTS]


def test_the_plain_prompt_has_half_the_weight_of_a_key_and_each_prefix_a_tenth(lm: Engine) -> None:
    about = facts_of(lm)[0]
    assert torch.allclose(about.weights, torch.tensor([0.5] + [0.1] * 5))
    site = lm.sites.mlp_out(1)
    total = torch.zeros(keys_of(lm, [about], 1).shape[0], dtype=torch.float64)
    for row, weight in zip(about.rows, [0.5] + [0.1] * 5, strict=True):
        with torch.no_grad():
            found: list[torch.Tensor] = []
            handle = lm.base.get_submodule(site).register_forward_pre_hook(
                lambda m, args, f=found: f.append(args[0])
            )
            lm.base(input_ids=row.ids[None])
            handle.remove()
        total = total + weight * found[0][0, row.column].double()
    assert torch.allclose(keys_of(lm, [about], 1)[:, 0], total, atol=1e-6)


def test_in_the_loss_all_contexts_weigh_the_same(lm: Engine) -> None:
    """``nll_loss_each.mean()`` of compute_z.py; nothing is moved yet, so it is the base's own."""
    one = Memit(steps=1, prefixes=5, layers=(1,))
    nll = []
    for template in sample_contexts(lm, 5, 0):
        ids = torch.tensor(lm.tokenizer(template.replace("{}", FACTS[0].prompt)).input_ids)
        target = torch.tensor(lm.tokenizer(" Lyon").input_ids)
        with torch.no_grad():
            logits = lm.base(input_ids=torch.cat([ids, target])[None]).logits[0]
        logs = logits[len(ids) - 1 : -1].log_softmax(-1)
        nll.append(-logs.gather(-1, target[:, None]).mean())
    each = torch.stack(nll)
    for editor, wanted in (
        (one, each.mean()),
        (replace(one, emphasis=0.5), each[0] / 2 + each[1:].mean() / 2),
    ):
        facts = editor.facts(lm, FACTS[:1])
        found = optimise(lm, facts, layer=1, inside=False, how=editor.descent())
        assert torch.allclose(found.loss, wanted[None], atol=1e-5)
        assert torch.allclose(facts[0].weights, torch.tensor([0.5] + [0.1] * 5))


def test_the_weight_of_ordinary_keys_is_in_units_of_the_width(lm: Engine) -> None:
    width = keys_of(lm, facts_of(lm)[:1], 0).shape[0]
    for shrinkage in (0.4, 1.4):
        by_share = Memit(**QUICK, shrinkage=shrinkage).fit(FACTS[:1], lm)
        by_number = Memit(**QUICK, weight=shrinkage * width).fit(FACTS[:1], lm)
        for site, change in sum_changes(by_share).items():
            assert torch.equal(change, sum_changes(by_number)[site])


def test_every_layer_brings_the_states_nearer_to_the_values(lm: Engine) -> None:
    facts = facts_of(lm)
    how = Memit(**QUICK).descent()
    found = optimise(lm, facts, layer=1, inside=False, how=how)
    goal = found.value.double().T
    model, left = lm, [float((goal - states_of(lm, facts, 1)).norm())]

    def solve(layer: int, keys: torch.Tensor) -> torch.Tensor:
        return ridge(keys, moment_of(lm, layer, "auto"), 5.0)

    steps = spread(lm, facts, found, [0, 1], solve)
    for n, step in enumerate(steps):
        assert torch.allclose(step.keys, keys_of(model, facts, step.layer))
        expected = (goal - states_of(model, facts, 1)) / (len(steps) - n)
        assert torch.allclose(step.residual, expected)
        made = {lm.sites.mlp_out(step.layer): (step.residual @ step.solution.T).float()}
        model = model.shadow(made)
        left.append(float((goal - states_of(model, facts, 1)).norm()))
    assert left[2] < left[1] < left[0]
    payloads = Memit(**QUICK, weight=5.0).fit(FACTS, lm)
    for site, change in sum_changes(payloads).items():
        layer = int(lm.sites.mlp_out(1) == site)
        assert torch.allclose(
            change.double(), steps[layer].residual @ steps[layer].solution.T, atol=1e-5
        )
        assert torch.linalg.matrix_rank(change) <= len(FACTS)


@pytest.mark.parametrize("editor", [Memit(**QUICK), Alphaedit(**QUICK)])
def test_the_order_of_a_batch_is_irrelevant(lm: Engine, editor: Any) -> None:
    one, other = editor.fit(FACTS, lm), editor.fit(FACTS[::-1], lm)[::-1]
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        for key, value in a.items():
            if isinstance(value, torch.Tensor):
                # the values come out of float32 descents side by side, in another order
                scale = float(value.abs().max())
                assert torch.allclose(value, torch.as_tensor(b[key]), atol=5e-3 * scale)


def test_a_smaller_weight_realises_more_of_an_edit(lm: Engine) -> None:
    sizes = [
        sum(
            float(d.norm())
            for d in sum_changes(Memit(**QUICK, weight=w).fit(FACTS[:1], lm)).values()
        )
        for w in (1e4, 1e2, 1.0)
    ]
    assert sizes[0] < sizes[1] < sizes[2]


def test_emmet_edits_one_layer_exactly(lm: Engine) -> None:
    emmet = Memit(method="emmet", layers=(1,), steps=4, prefixes=5)
    edited = lm.shadow(sum_changes(emmet.fit(FACTS[:1], lm)))
    (about,) = facts_of(lm)[:1]
    found = optimise(lm, [about], layer=1, inside=False, how=emmet.descent())
    weight = edited.base.get_submodule(lm.sites.mlp_out(1)).weight
    old = lm.base.get_submodule(lm.sites.mlp_out(1)).weight
    delta = (weight - old).T if lm.base.config.model_type == "gpt2" else weight - old
    wanted = (found.value - found.initial)[0].double()
    assert torch.allclose(delta.double() @ keys_of(lm, [about], 1)[:, 0], wanted, atol=1e-4)
    assert Memit(method="emmet")._layers(lm) == [lm.sites.layers // 6]  # ROME's
    with pytest.raises(InvalidInputError, match="one layer"):
        Memit(method="emmet", layers=(0, 1))


def test_emmets_jitter_is_a_setting(lm: Engine) -> None:
    """The change is R (K^T C^-1 K + jitter I)^-1 K^T C^-1, worked out with inverses."""
    emmet = Memit(method="emmet", layers=(1,), steps=2, prefixes=5, jitter=7.0)
    edits, facts = FACTS[:2], facts_of(lm)[:2]
    change = sum_changes(emmet.fit(edits, lm))[lm.sites.mlp_out(1)]
    found = optimise(lm, facts, layer=1, inside=False, how=emmet.descent())
    keys, inverse = keys_of(lm, facts, 1), torch.linalg.inv(moment_of(lm, 1, "auto").matrix)
    inner = keys.T @ inverse @ keys + 7.0 * torch.eye(2, dtype=torch.float64)
    left = found.value.double().T - states_of(lm, facts, 1)
    wanted = left @ torch.linalg.inv(inner) @ keys.T @ inverse
    assert torch.allclose(change, wanted.float(), atol=1e-5)
    with pytest.raises(InvalidInputError, match="jitter"):
        Memit(jitter=-1.0)


def test_default_layers() -> None:
    assert default_layers(30) == default_layers(32) == (3, 4, 5, 6, 7)
    assert default_layers(3) == (0, 1) and default_layers(2) == (0,) and default_layers(1) == (0,)


def as_record(payload: Payload, editor: str, number: int) -> Record:
    return Record(FACTS[number], number + 1, 1, payloads={editor: payload})


def test_settings_out_of_range_are_refused(lm: Engine) -> None:
    for bad in ({"method": "x"}, {"weight": 0.0}, {"clamp": 0.0}):
        with pytest.raises(InvalidInputError):
            Memit(**bad)
    with pytest.raises(InvalidInputError, match="No layer"):
        replace(Memit(), layers=()).fit(FACTS[:1], lm)
