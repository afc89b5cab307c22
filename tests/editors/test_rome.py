"""ROME: the closed form inside a real model, the descent, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from memedit import Edit
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidEditError, InvalidInputError, StatisticsError
from memedit.editors._sequences import sample_contexts, sequence_fact, sequence_prompt, weights
from memedit.editors.rome import Rome
from memedit.editors.weights.base import sum_changes
from memedit.editors.weights.statistics import moment_of
from memedit.editors.weights.values import Descent, optimise
from memedit.engine.engine import Engine
from memedit.engine.passes import observe
from tests.editors.helpers import FACTS, tiny_engine, with_statistics

EDIT = FACTS[1]
QUICK = Rome(steps=6, prefixes=3, layer=1)


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return with_statistics(tiny_engine(request.param))


def chance(lm: Engine, edit: Edit) -> float:
    batch = Batch((Row(edit.prompt, target=edit.target_new),))
    with torch.no_grad():
        return float((-lm.nll(batch)).exp())


@pytest.mark.parametrize("variant", ["r", "original", "p"])
def test_the_edited_weight_says_the_value_at_the_key(lm: Engine, variant: str) -> None:
    rome = replace(QUICK, variant=variant)
    about = sequence_fact(lm, EDIT, sample_contexts(lm, 3, 0), rome.plain, rome.emphasis)
    made = rome.insertion(lm, about, 1, moment_of(lm, 1, "auto"))
    site = lm.sites.mlp_out(1)
    (payload,) = rome.fit([EDIT], lm)
    edited = lm.shadow(sum_changes([payload]))
    module = edited.base.get_submodule(site)
    with torch.no_grad():
        said = module(made.key.float())
    miss = float((said - made.value.float()).norm() / made.value.norm())
    rows = about.rows
    keys, _ = observe(lm, [r.ids for r in rows], [r.column for r in rows], [site])[site]
    if variant == "original":  # exact at the plain prompt's key instead
        with torch.no_grad():
            said = module(keys[0])
        assert float((said - made.value.float()).norm() / made.value.norm()) < 1e-4
        assert miss > 1e-3
    else:
        assert miss < 1e-4
    change = sum_changes([payload])[site].double()
    queries = torch.randn(4, change.shape[1], generator=torch.Generator().manual_seed(0)).double()
    assert torch.allclose(queries @ change.T, torch.outer(queries @ made.u, made.v), atol=1e-5)
    aside = queries - torch.outer(queries @ made.u, made.key) / (made.key @ made.u)
    assert (aside @ change.T).abs().max() < 1e-5


def test_the_key_is_the_weighted_mean_of_all_contexts(lm: Engine) -> None:
    templates = sample_contexts(lm, 3, 0)
    about = sequence_fact(lm, EDIT, templates, 0.5)
    assert torch.allclose(about.weights, torch.tensor([1 / 2, 1 / 6, 1 / 6, 1 / 6]))
    assert torch.allclose(weights(21, None), torch.full((21,), 1 / 21))
    made = QUICK.insertion(lm, about, 1, moment_of(lm, 1, "auto"))
    site, byte = lm.sites.mlp_out(1), lm.tokenizer
    total = torch.zeros_like(made.key)
    for template, weight in zip(templates, about.weights, strict=True):
        text = template.replace("{}", EDIT.prompt)
        column = len(text[: text.rfind("Ada Byron")].encode()) + len("Ada Byron") - 1  # bytes
        assert byte(text).input_ids[column] == byte("n").input_ids[0]
        last = text.rfind("Ada Byron") + len("Ada Byron") - 1
        key = lm.read([text], site, lambda _, c=last: c)[0]  # type: ignore[misc]
        total += float(weight) * key.double()
    assert torch.allclose(made.key, total, atol=1e-6)


def test_variants_agree_in_the_plain_context_alone(lm: Engine) -> None:
    changes = [
        sum_changes(replace(QUICK, variant=variant, prefixes=0).fit([EDIT], lm))[
            lm.sites.mlp_out(1)
        ]
        for variant in ("r", "original", "p")
    ]
    assert torch.allclose(changes[0], changes[1], atol=1e-6)
    assert torch.allclose(changes[0], changes[2], atol=1e-6)


def test_the_target_becomes_likely(lm: Engine) -> None:
    lm = with_statistics(tiny_engine(lm.base.config.model_type, initializer_range=0.5))
    # random attention hardly carries anything over: the subject ends where the answer begins
    edit = Edit("The teacher of Bo is Ada ", "D", subject="Ada ")
    before = chance(lm, edit)
    rome = Rome(layer=0, prefixes=0, clamp=1e4, decay=0.0, kl=0.0, steps=60, rate=2.0)
    after = chance(lm.shadow(sum_changes(rome.fit([edit], lm))), edit)
    assert after > 0.5 > 10 * before, (before, after)


def test_the_loss_is_the_papers(lm: Engine) -> None:
    """The first value of the loss, from the unedited model by other means; then the clamp."""
    about = sequence_fact(lm, EDIT, sample_contexts(lm, 2, 0), None)
    how = Descent(steps=1, rate=0.5, kl=0.0625, decay=0.5, clamp=4.0)
    found = optimise(lm, [about], layer=1, inside=True, how=how)
    rows = [
        Row(template.replace("{}", EDIT.prompt), target=EDIT.target_new)
        for template in sample_contexts(lm, 2, 0)
    ]
    with torch.no_grad():
        expected = float((lm.nll(Batch(tuple(rows))) / len(" Dutch")).mean())
    assert float(found.loss[0]) == pytest.approx(expected, rel=1e-4)  # no KL, no decay at 0
    assert torch.equal(found.value, found.initial)
    site = lm.sites.mlp_out(1)
    row = about.rows[0]
    _, said = observe(lm, [row.ids], [row.column], [site])[site]
    assert torch.allclose(found.initial, said, atol=1e-5)
    tight = replace(how, steps=6, clamp=0.25)
    moved = optimise(lm, [about], layer=1, inside=True, how=tight)
    size = (moved.value - moved.initial).norm() / moved.initial.norm()
    assert 0.05 < float(size) < 0.25 * (1 + 1e-5)


def test_facts_side_by_side_do_not_influence_each_other(lm: Engine) -> None:
    templates = sample_contexts(lm, 2, 0)
    facts = [sequence_fact(lm, edit, templates, 0.5) for edit in FACTS]
    how = Descent(steps=5, rate=0.5, kl=0.0625, decay=0.5, clamp=2.0, stop=3.0)
    for inside in (True, False):
        together = optimise(lm, facts, layer=1, inside=inside, how=how)
        for i, each in enumerate(facts):
            alone = optimise(lm, [each], layer=1, inside=inside, how=how)
            assert torch.allclose(alone.value[0], together.value[i], atol=2e-3)


def test_several_edits_are_made_one_after_the_other(lm: Engine) -> None:
    together = QUICK.fit(FACTS[:2], lm)
    first = QUICK.fit(FACTS[:1], lm)
    second = QUICK.fit(FACTS[1:2], lm.shadow(sum_changes(first)))
    site = lm.sites.mlp_out(1)
    for one, two in zip(together, [*first, *second], strict=True):
        change, same = sum_changes([one])[site], sum_changes([two])[site]
        assert torch.allclose(change, same, atol=1e-4 * float(same.abs().max()))


def test_contexts_are_drawn_once_and_leave_the_random_state_alone(lm: Engine) -> None:
    state = torch.get_rng_state()
    found = sample_contexts(lm, 7, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(found) == 8 and found[0] == "{}" and all(t.count("{}") == 1 for t in found)
    assert sample_contexts(tiny_engine(lm.base.config.model_type), 7, 0) == found
    assert sample_contexts(lm, 7, 1) != found
    edited = lm.shadow(sum_changes(QUICK.fit([EDIT], lm)))
    edited.kept = {}
    assert sample_contexts(edited, 7, 0) == found  # of the unedited model


def test_positions_are_those_of_the_whole_text(lm: Engine) -> None:
    found = sequence_prompt(lm, "Zürich is in", "Rome", "Zürich", "Well, yes. {}")
    text = "Well, yes. Zürich is in Rome"
    assert lm.codec.text(found.ids) == text[:-1]
    assert found.column == len("Well, yes. Zürich".encode()) - 1
    assert lm.codec.text(found.target) == " Rome"
    assert found.start == len("Well, yes. Zürich is in".encode()) - 1
    cased = sequence_prompt(lm, "where is ZURICH?", "here", "Zurich")
    assert cased.column == len("where is ZURICH") - 1


def test_a_key_is_never_the_very_first_token(lm: Engine) -> None:
    assert lm.codec.text(sequence_prompt(lm, "X is in", "Rome", "X").ids) == "\nX is in Rom"
    assert sequence_prompt(lm, "X is in", "Rome", "X").column == 1
    assert sequence_prompt(lm, "XY is in", "Rome", "XY").column == 1
    assert lm.codec.text(sequence_prompt(lm, "XY is in", "Rome", "XY").ids) == "XY is in Rom"
    assert QUICK.fit([Edit("X is in", "Rome", subject="X")], lm)


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    for edit in (Edit("Paris is in", "Rome"), Edit.from_statement("Paris is big.", "Paris")):
        with pytest.raises(InvalidEditError, match="has no (subject|target)"):
            QUICK.fit([edit], lm)
    with pytest.raises(InvalidInputError, match="no layer 7"):
        replace(QUICK, layer=7).fit([EDIT], lm)
    for wrong in ({"variant": "q"}, {"prefixes": -1}, {"plain": 0.0}, {"steps": 0}, {"rate": 0.0}):
        with pytest.raises(InvalidInputError):
            Rome(**wrong)


def test_without_statistics_it_says_how_to_collect_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path / "none"))
    lm = tiny_engine()
    with pytest.raises(StatisticsError, match="memedit statistics --layers 1"):
        QUICK.fit([EDIT], lm)
    assert replace(QUICK, statistics="identity").fit([EDIT], lm)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_the_algebra_is_not(lm: Engine, dtype: torch.dtype) -> None:
    """Keys and values are found in half precision, solved for in float64, and rounded once."""
    with_statistics(lm)
    half = Engine(tiny_engine(lm.base.config.model_type).base.to(dtype), lm.tokenizer)
    with_statistics(half)
    about = sequence_fact(half, EDIT, sample_contexts(half, 3, 0), 0.5, 0.5)
    made = QUICK.insertion(half, about, 1, moment_of(half, 1, "auto"))
    (payload,) = QUICK.fit([EDIT], half)
    site = half.sites.mlp_out(1)
    assert torch.as_tensor(payload[f"{site}/u"]).dtype == torch.float32
    module = half.shadow(sum_changes([payload])).base.get_submodule(site)
    assert module.weight.dtype == dtype
    with torch.no_grad():
        said = module(made.key.to(dtype)).double()
    assert float((said - made.value).norm() / made.value.norm()) < 3e-2
