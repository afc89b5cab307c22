"""UltraEdit: running statistics, gradient factors, and the closed form inside tiny models."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memedit import Edit
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.types import Record
from memedit.editors._sequences import sequence_prompt
from memedit.editors.ultraedit import Running, Ultraedit
from memedit.editors.weights.base import sum_changes, weight_of
from memedit.editors.weights.gradients import factors
from memedit.engine.engine import Engine
from memedit.engine.passes import Pass
from tests.editors.helpers import FACTS, tiny_engine


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def test_statistics_of_parts_are_those_of_the_whole() -> None:
    rows = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    merged = Running.of(rows[:2]).merge(Running.of(rows[2:3])).merge(Running.of(rows[3:]))
    assert merged.count == 9
    assert torch.allclose(merged.mean, rows.double().mean(0))
    assert torch.allclose((merged.squares / 8).sqrt(), rows.double().std(0))
    scaled = merged.normalise(rows)
    assert torch.allclose(scaled.mean(0), torch.zeros(4).double(), atol=1e-9)
    assert torch.allclose(scaled.std(0), torch.ones(4).double(), atol=1e-5)
    one = Running.of(rows[:1]).normalise(rows[:1])
    assert float(one.square().mean()) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("answers", [True, False])
def test_the_factors_make_up_autograds_gradient(lm: Engine, answers: bool) -> None:
    edit = FACTS[0]
    site = lm.sites.mlp_in(1)[0]
    row = sequence_prompt(lm, edit.prompt, edit.target_new, None)
    found, nll = factors(Pass(lm, [row.ids], first=1), [row], [site], answers=answers)
    loss = lm.nll(Batch((Row(edit.prompt, target=edit.target_new),)))
    assert float(nll.sum()) == pytest.approx(float(loss.detach()), rel=1e-5)
    weight = lm.base.get_submodule(site).weight
    (gradient,) = torch.autograd.grad(loss.sum() / len(row.target), weight)
    gradient = gradient.T if lm.sites.is_conv1d(site) else gradient
    ours = found[site].gradients.T @ found[site].inputs
    assert torch.allclose(ours, gradient, rtol=1e-4, atol=1e-7) is not answers
    assert len(found[site].inputs) == (len(row.target) if answers else len(row.ids))


def test_a_turn_is_the_papers_formula(lm: Engine) -> None:
    ultra = Ultraedit(gates=(1,), ups=(1,), rate=1e-4, batch=2, pooled=False)
    site = lm.sites.mlp_in(1)[0]
    rows = [sequence_prompt(lm, e.prompt, e.target_new, None) for e in FACTS]
    found, _ = factors(Pass(lm, [r.ids for r in rows], first=1), rows, [site], answers=True)
    h, g = found[site].inputs.double(), found[site].gradients.double()
    both = torch.cat([h, g], 1)
    tilde = (both - both.mean(0)) / (both.std(0) + 1e-7)
    h_, g_ = tilde[:, : h.shape[1]], tilde[:, h.shape[1] :]
    values = -1e-4 * h_.square().sum(1, keepdim=True) * g_
    inner = h.T @ h + torch.eye(h.shape[1]).double()
    expected = torch.linalg.solve(inner, h.T @ values).T
    ours = sum_changes(ultra.fit(FACTS, lm))[site].double()
    assert torch.allclose(ours, expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max()))
    backwards = sum_changes(ultra.fit(FACTS[::-1], lm))[site].double()
    assert torch.allclose(ours, backwards, atol=1e-3 * float(expected.abs().max()))


def test_modules_of_one_shape_share_their_statistics() -> None:
    """The reference keeps a normaliser per shape (ULTRAEDIT.py:84-94, 124)."""
    lm = tiny_engine("llama")
    ultra = Ultraedit(gates=(1,), ups=(1, 2), rate=1e-4)
    sites = [lm.sites.mlp_in(1)[0], lm.sites.mlp_in(1)[-1], lm.sites.mlp_in(2)[-1]]
    rows = [sequence_prompt(lm, e.prompt, e.target_new, None) for e in FACTS]
    found, _ = factors(Pass(lm, [r.ids for r in rows], first=1), rows, sites, answers=True)
    both = {s: torch.cat([found[s].inputs, found[s].gradients], 1).double() for s in sites}
    pool = torch.cat(list(both.values()))
    changes = sum_changes(ultra.fit(FACTS, lm))
    alone = sum_changes(replace(ultra, pooled=False).fit(FACTS, lm))
    for site in sites:
        h = found[site].inputs.double()
        tilde = (both[site] - pool.mean(0)) / (pool.std(0) + 1e-7)
        values = -1e-4 * tilde[:, : h.shape[1]].square().sum(1, keepdim=True)
        values = values * tilde[:, h.shape[1] :]
        inner = h.T @ h + torch.eye(h.shape[1]).double()
        expected = torch.linalg.solve(inner, h.T @ values).T
        largest = float(expected.abs().max())
        assert torch.allclose(changes[site].double(), expected, rtol=1e-2, atol=1e-2 * largest)
        assert not torch.allclose(alone[site].double(), expected, atol=1e-1 * largest)


def test_later_turns_go_on_with_the_statistics(lm: Engine) -> None:
    ultra = Ultraedit(gates=(1,), ups=(1,), rate=1e-4)
    first = ultra.fit(FACTS[:2], lm)
    records = [
        Record(e, i + 1, 1, payloads={"ultraedit": p})
        for i, (e, p) in enumerate(zip(FACTS, first, strict=False))
    ]
    site = lm.sites.mlp_in(1)[0]
    earlier = list(ultra._read_earlier(lm.shadow(None, records), site))
    assert sum(each.count for each in earlier) == len(" Lyon") + len(" Dutch")
    knowing = sum_changes(ultra.fit(FACTS[2:], lm.shadow(sum_changes(first), records)))[site]
    ignorant = sum_changes(ultra.fit(FACTS[2:], lm.shadow(sum_changes(first))))[site]
    assert not torch.allclose(knowing, ignorant, atol=1e-3 * float(ignorant.abs().max()))


def test_it_moves_the_answer_the_right_way(lm: Engine) -> None:
    rows = tuple(Row(e.prompt, target=e.target_new) for e in FACTS)
    edited = lm.shadow(sum_changes(Ultraedit(rate=1e-3).fit(FACTS, lm)))
    with torch.no_grad():
        assert (edited.nll(Batch(rows)) < lm.nll(Batch(rows))).all()


def test_only_its_modules_change_and_one_token_is_enough(lm: Engine) -> None:
    edit = Edit("The capital of France is ", "L")
    changes = sum_changes(Ultraedit(rate=1e-3).fit([edit], lm))
    allowed = {site for layer in (1, 2) for site in lm.sites.mlp_in(layer)}
    assert changes.keys() <= allowed
    assert all(d.shape == weight_of(lm, s).shape and d.norm() > 0 for s, d in changes.items())


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        Ultraedit().fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    with pytest.raises(InvalidInputError, match="no layer 9"):
        Ultraedit(gates=(9,)).fit(FACTS[:1], lm)
    with pytest.raises(InvalidInputError):
        Ultraedit(rate=0.0)
