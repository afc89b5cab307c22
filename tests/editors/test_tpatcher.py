"""T-Patcher: fires with 1 at first, never where it must not, and its absence is the base."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.errors import InvalidEditError, InvalidInputError, UnsupportedArchitectureError
from memedit.core.types import Record
from memedit.editors._sequences import sequence_edit
from memedit.editors.beside.negatives import sample_texts, states, strangers
from memedit.editors.tpatcher import Tpatcher, _Fitting, memory_loss
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, changed, tiny_engine, weights
from tests.helpers import byte_tokenizer, tiny_model

SMALL = Tpatcher(steps=2, memory=96, others=4, end=False)
BYTE = Edit("The capital of France is ", "L", subject="France")  # ends in a space: one byte


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def fitting(lm: Engine, how: Tpatcher = SMALL) -> _Fitting:
    rows = [sequence_edit(lm, edit) for edit in FACTS]
    layer = lm.sites.layers - 1
    site = lm.sites.mlp(layer)
    assert site is not None
    return _Fitting(how, lm, FACTS, rows, site, layer)


def built(editor: Any, **changes: Any) -> EditableModel:
    base = tiny_model("llama", **changes)
    return EditableModel(
        base, byte_tokenizer(), editor=editor, scope="everything", encoder="hashing"
    )


def logits(model: Any, prompt: str) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**byte_tokenizer()(prompt, return_tensors="pt")).logits
    return found


def test_a_new_neuron_fires_with_one_on_its_mistake(lm: Engine) -> None:
    fit = fitting(lm)
    own = (fit.k * fit.query).sum(1) + fit.b
    assert torch.allclose(own, torch.ones(len(own)), atol=1e-5)
    assert torch.allclose(fit.a, torch.tensor(10.0))


def test_one_neuron_for_each_wrong_token_and_five_at_most(lm: Engine) -> None:
    for most in (5, 2):
        payloads = Tpatcher(steps=1, memory=0, others=0, patches=most, end=False).fit(FACTS, lm)
        for edit, payload in zip(FACTS, payloads, strict=True):
            prompt = torch.tensor(lm.tokenizer(edit.prompt).input_ids)
            target = torch.tensor(lm.tokenizer(f" {edit.target_new}").input_ids)
            with torch.no_grad():
                whole = lm.base(input_ids=torch.cat([prompt, target])[None]).logits[0]
            said = whole[len(prompt) - 1 : -1].argmax(-1)
            wrong = int((said != target).sum())
            k = next(torch.as_tensor(v) for n, v in payload.items() if n.endswith("/k"))
            assert len(k) == min(wrong, most)


def test_the_end_of_the_answer_is_a_token_like_any_other(lm: Engine) -> None:
    ended, open_ = (
        Tpatcher(steps=1, memory=0, others=2, patches=9, end=end).fit(FACTS[:1], lm)[0]
        for end in (True, False)
    )
    site = lm.sites.mlp(lm.sites.layers - 1)
    row = sequence_edit(lm, FACTS[0], end=True)
    assert int(row.target[-1]) == lm.tokenizer.eos_token_id
    assert row.places[-1] == len(row.ids) - 1
    counts = [len(torch.as_tensor(payload[f"{site}/k"])) for payload in (ended, open_)]
    assert counts[0] == counts[1] + 1  # the tiny base does not end here


def test_earlier_edits_can_be_part_of_memory(lm: Engine) -> None:
    record = Record(FACTS[1], 1, 1, payloads={"tpatcher": {}})
    before = lm.shadow(None, [record])
    plain = fitting(before)
    knowing = fitting(before, replace(SMALL, earlier=True))
    added = knowing.common[len(plain.common) :]
    row = sequence_edit(lm, FACTS[1])
    assert torch.equal(knowing.common[: len(plain.common)], plain.common)
    with torch.no_grad():
        seen: list[torch.Tensor] = []
        handle = lm.base.get_submodule(plain.site).register_forward_pre_hook(
            lambda m, args: seen.append(args[0])
        )
        lm.base(input_ids=row.ids[None])
        handle.remove()
    assert torch.allclose(added, seen[0][0, row.start :], atol=1e-5)
    assert not len(fitting(lm, replace(SMALL, earlier=True)).common) - len(plain.common)


def test_what_the_model_says_already_needs_no_neuron(lm: Engine) -> None:
    prompts = (f"{a}{b} is " for a in string.ascii_letters for b in string.ascii_letters)
    edit = next(edit for edit in (favourite(lm, prompt) for prompt in prompts) if edit is not None)
    (payload,) = SMALL.fit([edit], lm)
    assert payload and all(len(torch.as_tensor(v)) == 0 for v in payload.values())


def favourite(lm: Engine, prompt: str) -> Edit | None:
    """What the model says after a prompt, if it can be written."""
    ids = torch.tensor(lm.tokenizer(prompt).input_ids)
    with torch.no_grad():
        said = int(lm.base(input_ids=ids[None]).logits[0, -1].argmax())
    text = lm.codec.text(torch.tensor([said]))
    return (
        Edit(prompt, text)
        if len(text) == 1 and text.isascii() and text.isprintable() and text != " "
        else None
    )


def test_the_memory_loss_is_the_published_one() -> None:
    """``top_k_loss_func`` of patch.py: 40,000 states, each 8 times, of which the top 1,000."""
    memory, own = torch.tensor([[-4.0, -2.0, 0.5]]), torch.tensor([1.5])
    above, fires = (memory[0] - 1.5 + 3).exp().mean(), (memory[0] + 3).exp().mean()
    assert torch.allclose(memory_loss(memory, own, share=1.0), (above + fires)[None])
    many = torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    eight = many[:, None].expand(-1, 8).reshape(-1)
    terms = [each.exp().topk(1_000).values.mean() for each in (eight - 1.5 + 3, eight + 3)]
    found = memory_loss(many[None], own)
    assert torch.allclose(found, torch.stack(terms).sum()[None], rtol=0.02)  # 120 of 40,000 for 125
    wrong = [each.exp().topk(1_000).values.mean() for each in (many - 1.5 + 3, many + 3)]
    assert not torch.allclose(found, torch.stack(wrong).sum()[None], rtol=0.2)


def test_the_first_step_is_adams_on_the_sum_of_the_losses(lm: Engine) -> None:
    """The first Adam step is rate * sign(gradient + decay): the gradient is autograd's own."""
    how = Tpatcher(steps=1, begin=1, memory=96, others=4, decay=0.0)
    fit = fitting(lm, how)
    k, b = fit.k.clone().requires_grad_(), fit.b.clone().requires_grad_()
    active = torch.arange(len(FACTS))
    loss = fit.edit_loss(fit.logs([k, b, fit.e, fit.a], active), active) + fit.guard(k, b)
    (gradient,) = torch.autograd.grad(loss.sum(), k)
    before = fit.k.clone()
    from memedit.editors.tpatcher import _Descent

    _Descent(fit, how).step(active, torch.full((len(FACTS),), 1e-2))
    large = gradient.abs() > gradient.abs().max() * 1e-3
    moved = (fit.k - before)[large]
    assert torch.allclose(moved, -1e-2 * gradient[large].sign(), rtol=1e-2)


def test_where_nothing_fires_the_model_is_the_base_bit_for_bit() -> None:
    model = built(SMALL)
    before = weights(model.base)
    model.edit_many(FACTS)
    records = list(model.memory.records())
    for record in records:  # far below zero everywhere
        payload = {
            n: (v if not n.endswith("/b") else torch.as_tensor(v) - 1e4)
            for n, v in record.payloads["tpatcher"].items()
        }
        model.memory.put_payloads({record.sequence: {"tpatcher": payload}})
    for prompt in ("Two and two make", FACTS[0].prompt):
        assert torch.equal(logits(model, prompt), logits(model.base, prompt))
    assert not changed(model.base, before)


def test_it_learns_its_target_and_leaves_memory_alone() -> None:
    # One state of so small a memory counts: at the published weight of 5 nothing is learnt.
    how = Tpatcher(memory=96, others=4, steps=400, memory_weight=3.0)
    model = built(how, initializer_range=0.5)
    model.edit(BYTE)
    assert model.ask(BYTE.prompt, max_new_tokens=1, min_new_tokens=1).text == "L"
    payload = next(iter(model.memory.records())).payloads["tpatcher"]
    site = model.engine.sites.mlp(2)
    assert site is not None
    k, b = (torch.as_tensor(payload[f"{site}/{n}"]) for n in "kb")
    kept = states(model.engine, site, 2, 96, 0) @ k.T + b[:, 0]
    trained = torch.arange(len(kept)) % 3 < 2  # the rest is for validation
    assert bool((kept[trained] <= 0).all())
    assert float((kept <= 0).float().mean()) > 0.95


def test_forgetting_restores_the_base_and_the_others() -> None:
    model = built(SMALL)
    model.edit(FACTS[0])
    alone = logits(model, FACTS[0].prompt)
    model.edit(FACTS[1])
    model.forget(FACTS[1].id)
    assert torch.equal(logits(model, FACTS[0].prompt), alone)
    model.forget(FACTS[0].id)
    assert torch.equal(logits(model, FACTS[0].prompt), logits(model.base, FACTS[0].prompt))


def test_edits_are_trained_side_by_side_as_if_alone(lm: Engine) -> None:
    how = Tpatcher(steps=30, begin=10, memory=96, others=4)
    together = how.fit(FACTS, lm)
    for edit, payload in zip(FACTS, together, strict=True):
        (alone,) = how.fit([edit], lm)
        for name, value in alone.items():
            other = torch.as_tensor(payload[name])
            assert torch.allclose(torch.as_tensor(value), other, atol=2e-3), name


def test_the_memory_is_text_of_the_model_and_the_edits_words_about_others(lm: Engine) -> None:
    state = torch.get_rng_state()
    texts = sample_texts(lm, 96, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(texts, sample_texts(lm, 96, 0), strict=True))
    site = lm.sites.mlp(2)
    assert site is not None
    assert states(lm, site, 2, 96, 0).shape[1] == 32
    each = strangers(lm, site, 2, FACTS[0], 4)
    assert [e.shape for e in each] == [(4, 32)] * 5  # " Lyon": five bytes
    bare = strangers(lm, site, 2, Edit("The capital of France is", "Lyon"), 4)
    assert [e.numel() for e in bare] == [0] * 5


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        SMALL.fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    with pytest.raises(UnsupportedArchitectureError, match="feed-forward"):
        SMALL.fit(FACTS, tiny_engine("opt"))
    for wrong in ({"steps": 0}, {"smoothing": 1.0}, {"memory": -1}, {"rate": 0.0}):
        with pytest.raises(InvalidInputError):
            Tpatcher(**wrong)
