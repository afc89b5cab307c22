"""KE: the update is gated and bounded as the paper says; training and its multiplier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from memedit import Edit
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.editors._sequences import Sequenced, sequence_prompt
from memedit.editors.ke import Head, Ke, Network, find_old_answer, fresh, read_text
from memedit.editors.weights.base import sum_changes, weight_of
from memedit.editors.weights.gradients import factors
from memedit.editors.weights.hypernetworks import find_last_mlps
from memedit.engine.engine import Engine
from memedit.engine.passes import Pass
from memedit.training.hypernetworks import KeTraining
from memedit.training.loop import Schedule
from tests.editors.helpers import FACTS, tiny_engine, with_hypernetworks
from tests.editors.test_mend import TEXTS, lessons


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return tiny_engine(request.param)


def test_the_terms_are_the_papers_dense_update(lm: Engine) -> None:
    sites = find_last_mlps(lm, skip=1)
    network, site = fresh(lm, sites), sites[-1]
    row = sequence_prompt(lm, FACTS[0].prompt, FACTS[0].target_new, None)
    passing = over(lm, row)
    found, _ = factors(passing, [row], sites, answers=False)
    network.requires_grad_(False)
    c = network.condition(read_text(passing, FACTS[0], row))
    a_row, a_col, b_row, b_col, eta = network.heads[sites.index(site)](c)
    gradient = found[site].gradients.T @ found[site].inputs
    dense = torch.sigmoid(eta) * (gradient * torch.outer(a_row, a_col) + torch.outer(b_row, b_col))
    u, v = network.terms(site, c, found[site])
    assert (v.T @ u).shape == weight_of(lm, site).shape
    assert torch.allclose(v.T @ u, dense, atol=1e-6)
    assert float(a_row.sum()) == pytest.approx(1, rel=1e-5)
    assert float(b_row.sum()) == pytest.approx(1, rel=1e-5)
    nothing = found[site].__class__(found[site].inputs * 0, found[site].gradients, found[site].row)
    u, v = network.terms(site, c, nothing)
    assert torch.linalg.matrix_rank(v.T @ u) <= 1


def test_a_closed_gate_changes_nothing(lm: Engine) -> None:
    sites = find_last_mlps(lm, skip=1)
    network = fresh(lm, sites).requires_grad_(False)
    row = sequence_prompt(lm, FACTS[0].prompt, FACTS[0].target_new, None)
    passing = over(lm, row)
    found, _ = factors(passing, [row], sites, answers=False)
    c = network.condition(read_text(passing, FACTS[0], row))
    with torch.no_grad():
        head = network.heads[0]
        assert isinstance(head, Head)
        head.outer.bias[-1] = -60.0  # eta
    u, v = network.terms(sites[0], c, found[sites[0]])
    assert float((v.T @ u).abs().max()) < 1e-20
    off = Network({sites[0]: (4, 3)}, embedding=32, most=0.0)
    assert off.most == 0.0


def over(lm: Engine, row: Sequenced) -> Pass:
    return Pass(lm, [row.ids], first=0)


def test_it_reads_the_old_answer_the_new_one_and_the_prompt(lm: Engine) -> None:
    edit = Edit("Q?", "Rome")
    row = sequence_prompt(lm, edit.prompt, edit.target_new, None)
    with torch.no_grad():
        said = lm.base(**lm.tokenizer("Q?", return_tensors="pt")).logits[0, -1].argmax()
    assert find_old_answer(over(lm, row), row) == lm.codec.text(said[None])
    text = f"{find_old_answer(over(lm, row), row).strip()} >> Rome || Q?"
    table = lm.base.get_input_embeddings().weight
    assert torch.equal(read_text(over(lm, row), edit, row), table[lm.codec.ids(text)].detach())
    long = Edit("x" * 100, "Rome")
    row = sequence_prompt(lm, long.prompt, "Rome", None)
    assert len(read_text(over(lm, row), long, row)) == 32


def test_the_multiplier_climbs_while_the_bound_is_broken(lm: Engine) -> None:
    training = KeTraining(lm, lessons(), TEXTS, seed=0, retained=2)
    for moved, sign in ((0.5, -1), (1e-5, 1)):
        kl = torch.tensor(moved, requires_grad=True)
        loss = training.objective(torch.tensor(1.0), kl)
        own, there = torch.autograd.grad(loss, [training.multiplier, kl])
        assert own.sign() == sign  # descent raises it where the KL exceeds the margin
        assert float(there) == pytest.approx(1.0)


def test_the_bound_tightens_only_while_edits_succeed(lm: Engine) -> None:
    training = KeTraining(lm, lessons(), TEXTS, seed=0, retained=2)
    training.tighten(0.9)
    assert float(training.margin) == pytest.approx(1e-3)
    training.tighten(0.95)
    assert float(training.margin) == pytest.approx(8e-4)
    for _ in range(40):
        training.tighten(1.0)
    assert float(training.margin) == pytest.approx(1e-5)


def test_no_update_moves_no_answer(lm: Engine) -> None:
    training = KeTraining(lm, lessons(), TEXTS, seed=0, retained=3)
    training.network.most = 0.0
    with torch.no_grad():
        assert abs(float(training.losses(0)[1])) < 1e-6


@pytest.mark.slow
def test_training_lowers_the_edits_loss_and_what_is_saved_edits(tmp_path: Path) -> None:
    lm = tiny_engine()
    training = KeTraining(lm, lessons(), TEXTS, seed=0, retained=2)
    folder = tmp_path / "ke"
    schedule = Schedule(steps=20, rate=3e-3, warmup=3, clip=100.0)
    scores = training.run(folder, schedule, lambda step, values: None)
    assert scores["edit_nll"] < scores["edit_nll_before"]
    training.save(folder, {})
    ours = sum_changes(Ke(hypernetwork=str(folder)).fit(FACTS[:1], lm))
    row = sequence_prompt(lm, FACTS[0].prompt, FACTS[0].target_new, None)
    for site, (u, v) in training.terms(FACTS[0], row).items():
        scale = float((v.T @ u).detach().abs().max())
        assert torch.allclose(ours[site], (v.T @ u).detach(), atol=0.02 * scale)


def test_what_is_missing_is_told(lm: Engine) -> None:
    with pytest.raises(InvalidInputError, match="no KE hypernetwork.*memedit train ke"):
        Ke().fit(FACTS, lm)
    with_hypernetworks(lm)
    with pytest.raises(InvalidEditError, match="no target"):
        Ke().fit([Edit.from_statement("Our refund window is 60 days.")], lm)
