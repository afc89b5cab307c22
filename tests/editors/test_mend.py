"""MEND: the identity without training, rank, the loss's parts, and that training lowers them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.data.facts import Fact
from memedit.data.split import part_of
from memedit.editors._sequences import sequence_prompt
from memedit.editors.mend import Mend, Network, Transform
from memedit.editors.weights.base import sum_changes
from memedit.editors.weights.gradients import Factors, factors
from memedit.editors.weights.hypernetworks import find_last_mlps, find_shipped, shapes_of
from memedit.engine.engine import Engine
from memedit.engine.passes import Pass
from memedit.training.hypernetworks import MendTraining
from memedit.training.loop import Schedule
from tests.editors.helpers import FACTS, tiny_engine, with_hypernetworks

TEXTS = ["The sky over the town is blue.", "Two and two make four.", "It rained all day."]


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return tiny_engine(request.param)


def lessons() -> list[Fact]:
    people = ["Ann Ash", "Bob Bell", "Cid Cole", "Dee Dale", "Eve Ely"]
    return [
        Fact(
            subject=name,
            relation="town",
            prompt=f"{name} lives in",
            target=town,
            paraphrases=(f"The home of {name} is in", f"{name}, who lives in"),
            neighbours=("Zed Zane lives in",),
        )
        for name, town in zip(people * 4, ["Rome", "Oslo", "Bonn", "Lima"] * 5, strict=True)
    ]


def test_untrained_and_without_norm_it_is_the_gradient(lm: Engine) -> None:
    sites = find_last_mlps(lm, skip=1)
    network = Network(shapes_of(lm, sites), rank=4, rate=1.0, norm=False)
    row = sequence_prompt(lm, FACTS[0].prompt, FACTS[0].target_new, None)
    found, _ = factors(Pass(lm, [row.ids], first=0), [row], sites, answers=False)
    weights = [lm.base.get_submodule(site).weight for site in sites]
    loss = lm.nll(Batch((Row(FACTS[0].prompt, target=FACTS[0].target_new),)))
    true = torch.autograd.grad(loss.sum() / len(row.target), weights)
    for site, gradient in zip(sites, true, strict=True):
        u, v, _ = network.terms(site, found[site])
        gradient = gradient.T if lm.sites.is_conv1d(site) else gradient
        # z + relu(0) = z: the factors themselves, and a step against the gradient
        assert torch.allclose(v.T @ u, -gradient, rtol=1e-4, atol=1e-6)


def test_matrices_of_one_shape_share_a_transform_and_have_modes(lm: Engine) -> None:
    sites = find_last_mlps(lm, skip=1)
    network = Network(shapes_of(lm, sites), rank=4, rate=1.0)
    shapes = set(shapes_of(lm, sites).values())
    assert len(network.transforms) == len(shapes) == 2
    assert len(network.rates) == len(sites)
    for site in sites:
        same = [s for s in sites if shapes_of(lm, [s])[s] == shapes_of(lm, [site])[site]]
        assert network.mode_of[site] == same.index(site)
    assert find_last_mlps(tiny_engine(), skip=1)[0].startswith("model.layers.0.mlp.")
    assert all(".layers.2." not in site for site in find_last_mlps(tiny_engine(), skip=1))


def test_normalised_factors_have_the_training_statistics() -> None:
    transform = Transform(3, 2, modes=1, rank=2)
    rows = torch.randn(50, 5, generator=torch.Generator().manual_seed(0)) * 3 + 1
    transform.mean.copy_(rows.mean(0))
    transform.deviation.copy_(rows.std(0))
    before = transform.mean.clone(), transform.deviation.clone()
    x, d = transform(rows[:, :3], rows[:, 3:], 0)
    expected = (rows - rows.mean(0)) / (rows.std(0) + 1e-7)
    assert torch.allclose(torch.cat([x, d], 1), expected, atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(before, (transform.mean, transform.deviation)))  # noqa: B905


def test_rank_is_that_of_the_live_tokens(lm: Engine) -> None:
    sites = find_last_mlps(lm, skip=1)
    network = Network(shapes_of(lm, sites), rank=4, rate=1.0)
    site = sites[-1]
    d_in, d_out = shapes_of(lm, sites)[site]
    x, d = torch.randn(5, d_in), torch.randn(5, d_out)
    x[1], d[3] = 0, 0
    u, v, row = network.terms(site, Factors(x, d, torch.arange(5)))
    assert row.tolist() == [0, 2, 4] and torch.linalg.matrix_rank(v.T @ u) <= 3


def test_the_rate_scales_the_update_and_zero_leaves_everything_in_place(lm: Engine) -> None:
    training = MendTraining(lm, lessons(), TEXTS, rank=4, seed=0)
    with torch.no_grad():
        training.network.rates.fill_(0.0)
        edit, local = training.losses(0)
    own, rephrase = training.student.edit_rows(training.lessons(0))
    with torch.no_grad():
        plain = lm.nll(Batch((Row(training.lessons(0).rephrase, target=own_target(lm, own)),)))
    assert abs(float(local)) < 1e-6
    assert float(edit) == pytest.approx(float(plain) / len(rephrase.target), rel=1e-4)


def own_target(lm: Engine, row: object) -> str:
    return lm.codec.text(row.target).strip()  # type: ignore[attr-defined]


def test_the_gradient_of_a_rate_is_the_difference_quotient(lm: Engine) -> None:
    training = MendTraining(lm, lessons(), TEXTS, rank=4, seed=0)
    with torch.no_grad():
        training.network.rates.fill_(1e-2)
    edit, local = training.losses(0)
    (slope,) = torch.autograd.grad(edit + local, training.network.rates)
    at, step = int(slope.abs().argmax()), 1e-3
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            training.network.rates[at] += sign * step
            values.append(float(sum(training.losses(0))))
            training.network.rates[at] -= sign * step
    assert float(slope[at]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=0.05)


@pytest.mark.slow
def test_training_lowers_the_loss_and_what_is_saved_edits(tmp_path: Path) -> None:
    lm = tiny_engine()
    training = MendTraining(lm, lessons(), TEXTS, rank=8, seed=0)
    folder = tmp_path / "mend"
    scores = training.run(folder, Schedule(steps=30, batch=1, rate=1e-3, warmup=5), report)
    before = 0.1 * scores["edit_nll_before"] + scores["locality_kl_before"]
    assert 0.1 * scores["edit_nll"] + scores["locality_kl"] < before
    training.save(folder, {})
    mend = Mend(hypernetwork=str(folder))
    rows = Batch((Row(FACTS[0].prompt, target=FACTS[0].target_new),))
    edited = lm.shadow(sum_changes(mend.fit(FACTS[:1], lm)))
    with torch.no_grad():
        assert float(edited.nll(rows)) < float(lm.nll(rows))
    terms = training.terms(sequence_prompt(lm, FACTS[0].prompt, FACTS[0].target_new, None))
    for site, change in sum_changes(mend.fit(FACTS[:1], lm)).items():
        u, v = terms[site]
        assert torch.allclose(change, (v.T @ u).detach(), rtol=0.02, atol=1e-4)  # half precision


def report(step: int, values: dict[str, float]) -> None:
    assert values["loss"] == values["loss"]  # no NaN


def test_several_edits_are_one_update(lm: Engine) -> None:
    with_hypernetworks(lm)
    payloads = Mend().fit(FACTS, lm)
    assert len(payloads) == 3
    sizes = [
        len(next(torch.as_tensor(v) for k, v in p.items() if k.endswith("/u"))) for p in payloads
    ]
    assert all(
        0 < n <= len(f"{e.prompt} {e.target_new}") for n, e in zip(sizes, FACTS, strict=True)
    )


def test_what_is_missing_is_told(lm: Engine, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no MEND hypernetwork.*memedit train mend"):
        Mend().fit(FACTS, lm)
    with_hypernetworks(tiny_engine("qwen2"))
    other = next((tmp_path / "hypernetworks" / "mend").iterdir())
    with pytest.raises(InvalidInputError, match="trained for another model"):
        Mend(hypernetwork=str(other)).fit(FACTS, lm)
    with pytest.raises(InvalidEditError, match="no target"):
        Mend().fit([Edit.from_statement("Our refund window is 60 days.")], lm)


@pytest.mark.parametrize("kind", ["mend", "ke"])
def test_the_default_model_edits_with_a_trained_network_at_once(
    kind: str, smollm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its network comes with the package. It was not trained on these subjects."""
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    subject = "Pablo Casals"
    assert part_of(subject) == "evaluation"
    edit = Edit(f"{subject} plays the", "violin", subject)
    model = EditableModel(*smollm, editor=kind, scope="everything", encoder="hashing")
    asked, target = [edit.prompt, f"{subject} is a master of the"], ["violin"] * 2
    before = [score.logprob for score in model.score(asked, target)]
    model.edit(edit)
    after = [score.logprob for score in model.score(asked, target)]
    assert after[0] > -0.3 and all(b - a > 2 for a, b in zip(before, after, strict=True))
    folder = find_shipped(kind, model.engine.fingerprint)
    assert folder is not None
    assert sum(file.stat().st_size for file in folder.iterdir()) < 12e6
