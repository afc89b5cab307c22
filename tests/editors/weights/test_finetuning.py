"""FT, FT-L, FT-M and LoRA: what is trained, on which objective, within which bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from memedit import Edit
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.editors.ft import Ft
from memedit.editors.ft_l import FtL
from memedit.editors.ft_m import FtM
from memedit.editors.lora import Lora
from memedit.editors.weights.base import sum_changes
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, tiny_engine


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def nll(lm: Engine, edit: Edit) -> float:
    with torch.no_grad():
        return float(lm.nll(Batch((Row(edit.prompt, target=edit.target_new),))))


def test_the_default_layers_are_the_papers() -> None:
    assert [int(30 * cls.depth) for cls in (Ft, FtL, FtM)] == [21, 0, 21]


def test_one_step_of_adam_moves_every_weight_by_the_rate_against_the_gradient(lm: Engine) -> None:
    """The first Adam step is rate * sign(gradient); the gradient is autograd's own."""
    edit, site = FACTS[0], lm.sites.mlp_out(2)
    (payload,) = FtM(steps=1, rate=1e-3).fit([edit], lm)
    weight = lm.base.get_submodule(site).weight
    loss = lm.nll(Batch((Row(edit.prompt, target=edit.target_new),))).sum()
    (gradient,) = torch.autograd.grad(loss, weight)
    gradient = gradient.T if lm.sites.is_conv1d(site) else gradient
    delta = torch.as_tensor(payload[f"{site}/delta"])
    large = gradient.abs() > 1e-5
    assert torch.allclose(delta[large], -1e-3 * gradient[large].sign(), rtol=1e-2)


def test_the_bound_holds_exactly(lm: Engine) -> None:
    (payload,) = FtL(bound=1e-3, rate=5e-3, steps=5).fit(FACTS[:1], lm)
    (delta,) = sum_changes([payload]).values()
    assert list(sum_changes([payload])) == [lm.sites.mlp_out(0)]
    assert delta.abs().max() == torch.tensor(1e-3)  # float32: not one bit above
    (free,) = sum_changes(Ft(layer=0, rate=5e-3, steps=5).fit(FACTS[:1], lm)).values()
    assert float(free.abs().max()) > 1e-3


ONE = Edit("The capital of France is ", "L", subject="France")  # ends in a space: one byte


def test_it_fits_and_ends_when_it_has(lm: Engine) -> None:
    lm, edit = tiny_engine(lm.base.config.model_type, initializer_range=0.5), ONE
    (payload,) = FtM(rate=5e-2, steps=90).fit([edit], lm)
    assert float(payload["loss"]) < 1e-2
    assert nll(lm.shadow(sum_changes([payload])), edit) < 2e-2
    again = FtM(rate=5e-2, steps=90).fit([edit], lm)[0]
    site = lm.sites.mlp_out(2)
    assert torch.equal(sum_changes([payload])[site], sum_changes([again])[site])
    already = lm.shadow(sum_changes([payload]))
    (nothing,) = FtM(stop=1.0).fit([edit], already)
    assert float(torch.as_tensor(nothing[f"{site}/delta"]).abs().max()) == 0


def test_the_objectives_agree_on_one_token_and_only_there(lm: Engine) -> None:
    both = [Ft(steps=2, objective=o).fit([ONE], lm)[0] for o in ("prompt_last", "target")]
    site = lm.sites.mlp_out(2)
    assert torch.equal(sum_changes([both[0]])[site], sum_changes([both[1]])[site])
    several = [Ft(steps=1, objective=o).fit(FACTS[:1], lm)[0] for o in ("prompt_last", "target")]
    assert several[0]["loss"] != several[1]["loss"]
    ids = torch.tensor(lm.tokenizer(FACTS[0].prompt).input_ids)
    with torch.no_grad():
        last = lm.base(input_ids=ids[None]).logits[0, -1].log_softmax(-1)
    expected = -last[torch.tensor(lm.tokenizer(" Lyon").input_ids)].mean()
    assert float(several[0]["loss"]) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("editor", [FtM(steps=3, batch=2), Lora(steps=3, rank=2)])
def test_a_batch_shares_one_change(lm: Engine, editor: Any) -> None:
    payloads = editor.fit(FACTS, lm)
    assert len(payloads) == 3
    total = sum_changes(payloads)
    alone = sum_changes(editor.fit(FACTS[:1], lm))
    assert total.keys() == alone.keys()
    assert not torch.allclose(next(iter(total.values())), next(iter(alone.values())))
    before = sum(nll(lm, edit) for edit in FACTS)
    assert sum(nll(lm.shadow(total), edit) for edit in FACTS) < before


def test_a_batch_is_the_sum_of_its_rows(lm: Engine) -> None:
    editor = FtM(steps=3)
    deltas, _ = editor.train(lm, FACTS, 2)
    (site, delta), *others = deltas.items()
    assert torch.equal(sum_changes(editor.fit(FACTS, lm))[site], delta)
    assert site == lm.sites.mlp_out(2) and not others


def test_memits_baseline_trains_the_whole_block_and_decays_its_weights(lm: Engine) -> None:
    """One step, against Adam on the block's own matrices; n^-0.870 e^0.156 is 0.4492 at n = 3."""
    how = Ft(steps=1, rate=1e-3, modules="block", decay="power", layer=1)
    assert how._decay(3) == pytest.approx(0.449, abs=1e-3)
    changes = sum_changes(how.fit(FACTS[:1], lm))
    theirs = tiny_engine(lm.base.config.model_type)
    block = theirs.base.get_submodule(lm.sites.block(1))
    matrices = {n: p for n, p in block.named_parameters() if p.dim() == 2}
    before = {name: p.detach().clone() for name, p in matrices.items()}
    optimiser = torch.optim.Adam(matrices.values(), lr=1e-3, weight_decay=math.exp(0.15589562))
    ids = torch.tensor(lm.tokenizer(FACTS[0].prompt).input_ids)
    target = torch.tensor(lm.tokenizer(" Lyon").input_ids)
    logs = theirs.base(input_ids=ids[None]).logits[0, -1].log_softmax(-1)
    (-logs[target].mean()).backward()
    optimiser.step()
    assert set(changes) == {f"{lm.sites.block(1)}.{n.removesuffix('.weight')}" for n in matrices}
    for name, weight in matrices.items():
        site = f"{lm.sites.block(1)}.{name.removesuffix('.weight')}"
        moved = weight.detach() - before[name]
        moved = moved.T if lm.sites.is_conv1d(site) else moved
        assert float((changes[site] - moved).abs().gt(1e-4).float().mean()) < 0.01


def test_embeddings_are_never_touched_where_they_are_tied() -> None:
    lm = tiny_engine("llama", tie_word_embeddings=True)
    head = lm.base.get_output_embeddings().weight
    assert head is lm.base.get_input_embeddings().weight
    for editor in (FtM(steps=1), Lora(steps=1)):
        edited = lm.shadow(sum_changes(editor.fit(FACTS[:1], lm)))
        assert edited.base.get_output_embeddings().weight is head
        assert edited.base.get_input_embeddings().weight is head


@pytest.mark.parametrize("editor", [Ft(), FtL(), FtM(), Lora()])
def test_a_statement_is_refused(lm: Engine, editor: Any) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        editor.fit([Edit.from_statement("Our refund window is 60 days.")], lm)


def test_settings_out_of_range_are_refused() -> None:
    for cls, wrong in (
        (Ft, {"objective": "x"}), (FtL, {"bound": -1.0}), (FtM, {"steps": 0}), (FtM, {"rate": 0.0}),
        (Ft, {"modules": "x"}), (Ft, {"decay": "x"}), (Ft, {"decay": -1.0}),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError):
            cls(**wrong)
