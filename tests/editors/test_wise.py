"""WISE: masks are respected, margins hold after training, under the threshold nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from memedit import Edit, EditableModel
from memedit.core.calls import Row, Step
from memedit.core.errors import EntangledEditError, InvalidEditError, InvalidInputError
from memedit.core.types import Decision, Hit, Record
from memedit.editors._sequences import sequence_edit
from memedit.editors.beside.merging import ties
from memedit.editors.weights.base import weight_of
from memedit.editors.wise import (
    Memory,
    Merging,
    SideMemory,
    Wise,
    _Training,
    change,
    mask_of,
    memories,
)
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, changed, tiny_engine, weights
from tests.helpers import byte_tokenizer, tiny_model

SMALL = Wise(steps=3, prefixes=1)
OTHER = "Two and two make"


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


def test_a_mask_has_its_share_and_each_number_another() -> None:
    one, two = mask_of((64, 96), 0.2, 0), mask_of((64, 96), 0.2, 1)
    assert float(one.float().mean()) == pytest.approx(0.2, abs=0.02)
    assert float((one & two).float().mean()) == pytest.approx(0.04, abs=0.015)
    assert torch.equal(one, mask_of((64, 96), 0.2, 0)) and bool(mask_of((3, 4), 1.0, 0).all())


def test_only_unmasked_entries_change_and_none_beyond_the_bound(lm: Engine) -> None:
    site = lm.sites.mlp_out(2)
    payloads = Wise(steps=5, prefixes=1, rate=0.1, bound=0.15).fit(FACTS, lm)
    (memory,) = memories(payloads, site).values()
    mask = mask_of(memory.delta.shape, 0.2, 0)
    assert memory.delta[mask].any() and not memory.delta[~mask].any()
    assert float(memory.delta.abs().max()) <= 0.15 + 1e-6
    assert len(memory.reach) == 3


def test_the_parts_of_a_memory_add_up_and_a_full_one_is_followed_by_another(lm: Engine) -> None:
    site = lm.sites.mlp_out(2)
    how = Wise(steps=2, prefixes=1, capacity=2)
    payloads = how.fit(FACTS, lm)
    found = memories(payloads, site)
    assert [len(m.reach) for m in found.values()] == [2, 1]
    assert [m.mask for m in found.values()] == [0, 1]
    first = memories(payloads[:1], site)
    second = memories(payloads[1:2], site)
    (one,), (two,) = first.values(), second.values()
    whole = next(iter(found.values()))
    assert torch.allclose(whole.delta, one.delta + two.delta)


def test_the_change_is_that_of_the_activated_outputs_over_the_prompt() -> None:
    y, added = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    prompt = torch.tensor([[True, True, False], [True, True, True]])
    size = (F.silu(y + added) - F.silu(y)).norm(dim=-1)
    expected = torch.stack([size[0, :2].mean(), size[1].mean()])
    assert torch.allclose(change(y, added, prompt), expected)
    assert not change(y, torch.zeros_like(y), prompt).any()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_after_training_the_margins_hold(arch: str) -> None:
    """The edit's change exceeds beta, that of other prompts stays under alpha."""
    lm = tiny_engine(arch, initializer_range=0.5)
    how = Wise(steps=400, prefixes=0, rate=0.0005, others=2, stop=0.0, share=1.0, bound=9.0)
    edit = Edit(FACTS[0].prompt, "Lyon")  # no subject: the other prompts are texts
    site, row = lm.sites.mlp_out(2), sequence_edit(lm, edit)
    memory = Memory(torch.zeros(weight_of(lm, site).shape), [], 0)
    training = _Training(how, lm, edit, row, 2, site, memory)
    before = training._measure_elsewhere(memory.delta)
    training.run()
    assert not before.any()
    theirs = training._measure_elsewhere(memory.delta)
    assert training.reach() > how.inside * training.scale
    assert float(theirs.max()) < how.outside * training.scale


def side(reach: float, name: str = "m", sequence: int = 1) -> Record:
    values = torch.randn(
        int(mask_of((4, 6), 0.5, 0).sum()), generator=torch.Generator().manual_seed(sequence)
    )
    payload: dict[str, Any] = {"s/side": values, "s/memory": name, "s/mask": 0, "s/rows": 4,
                               "s/columns": 6, "s/share": 0.5, "s/reach": reach}  # fmt: skip
    return Record(Edit(f"p {sequence}", "t"), sequence, sequence, payloads={"wise": payload})


def test_under_the_threshold_not_one_bit_changes_and_above_it_the_memory_answers() -> None:
    x, y = torch.randn(2, 3, 6), torch.randn(2, 3, 4)
    step = Step(True, torch.tensor([2, 1]), torch.ones(2, 3, dtype=torch.bool))
    decode = Step(False, None, torch.ones(2, 1, dtype=torch.bool))

    def bound(record: Record) -> Any:
        row = Row("p", decision=Decision((Hit(record, 1.0),)))
        return SideMemory(site="s", editor="wise", routed=0.88).bind([row, Row("q")])

    out = bound(side(1e6))
    assert torch.equal(out(x, y, step), y) and torch.equal(
        out(x[:, :1], y[:, :1], decode), y[:, :1]
    )
    record = side(0.0)
    delta = next(iter(memories([record.payloads["wise"]], "s").values())).delta
    out = bound(record)
    assert torch.allclose(out(x, y, step)[0], y[0] + x[0] @ delta.T)
    assert torch.equal(out(x, y, step)[1], y[1])
    later = out(x[:, :1], y[:, :1], decode)  # decided on the prompt, and kept
    assert torch.allclose(later[0], y[0, :1] + x[0, :1] @ delta.T)


def test_of_several_memories_the_one_with_the_largest_change_answers() -> None:
    x, y = torch.randn(1, 3, 6), torch.randn(1, 3, 4)
    step = Step(True, torch.tensor([2]), torch.ones(1, 3, dtype=torch.bool))
    a, b = side(0.0, "a", 1), side(0.0, "b", 2)
    deltas = {
        r.sequence: next(iter(memories([r.payloads["wise"]], "s").values())).delta for r in (a, b)
    }
    sizes = {n: float(change(y, x @ d.T, step.mask)) for n, d in deltas.items()}
    best = max(sizes, key=lambda n: sizes[n])
    row = Row("p", decision=Decision((Hit(a, 1.0), Hit(b, 1.0))))
    out = SideMemory(site="s", editor="wise", routed=0.88).bind([row])(x, y, step)
    assert torch.allclose(out, y + x @ deltas[best].T)


def test_ties_takes_the_sign_that_prevails_and_the_mean_of_those_that_have_it() -> None:
    a = torch.tensor([[4.0, -1.0, 0.0], [0.5, 3.0, 0.0]])
    b = torch.tensor([[2.0, 3.0, -5.0], [-0.1, -4.0, 0.0]])
    #  both agree: 3; 3 prevails over -1; -5 alone; .5 over -.1; -4 over 3; nothing
    assert torch.allclose(ties([a, b], 1.0), torch.tensor([[3.0, 3.0, -5.0], [0.5, -4.0, 0.0]]))
    # Of six entries the three largest stay: 4, -1, 3 of a; 3, -5, -4 of b.
    assert torch.allclose(ties([a, b], 0.5), torch.tensor([[4.0, 3.0, -5.0], [0.0, -4.0, 0.0]]))


def test_full_memories_are_merged_and_what_follows_stands_beside_them() -> None:
    held = [Memory(torch.full((2, 2), float(n)), [n / 10, 1.0], n) for n in (1, 2, 3)]
    held.append(Memory(torch.full((2, 2), 9.0), [0.5], 4))
    first, third, last = Merging(2, 2, 1.0).merge(held)
    assert torch.equal(first.delta, torch.full((2, 2), 1.5)) and min(first.reach) == 0.1
    assert third is held[2] and last is held[3]
    assert Merging(2).merge(held) == held


def test_a_routed_prompt_goes_through_the_merged_memory() -> None:
    x, y = torch.randn(1, 3, 6), torch.randn(1, 3, 4)
    step = Step(True, torch.tensor([2]), torch.ones(1, 3, dtype=torch.bool))
    a, b = side(0.0, "a", 1), side(0.0, "b", 2)
    deltas = [next(iter(memories([r.payloads["wise"]], "s").values())).delta for r in (a, b)]
    row = Row("p", decision=Decision((Hit(a, 1.0), Hit(b, 1.0))))
    form = SideMemory(site="s", editor="wise", routed=0.88, merging=Merging(1, 2, 0.53))
    out = form.bind([row])(x, y, step)
    assert torch.allclose(out, y + x @ ties(deltas, 0.53).T, atol=1e-6)


def test_plain_gradient_descent_moves_against_the_gradient(lm: Engine) -> None:
    site = lm.sites.mlp_out(2)
    how = Wise(steps=1, prefixes=0, rate=0.5, optimizer="sgd", stop=0.0)
    (payload,) = how.fit(FACTS[:1], lm)
    memory = Memory(torch.zeros_like(weight_of(lm, site)), [], 0)
    training = _Training(how, lm, FACTS[0], sequence_edit(lm, FACTS[0]), 2, site, memory)
    delta = memory.delta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(training._loss(delta), delta)
    mask = mask_of(delta.shape, 0.2, 0)
    assert torch.allclose(torch.as_tensor(payload[f"{site}/side"]), -0.5 * gradient[mask])


def test_prompts_to_leave_alone_can_come_from_a_file(lm: Engine, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("who sang it\n\nwhere is it\nwhen was it\n")
    how = Wise(steps=1, prefixes=0, others=2, prompts=str(file))
    site = lm.sites.mlp_out(2)
    memory = Memory(torch.zeros_like(weight_of(lm, site)), [], 0)
    row = sequence_edit(lm, FACTS[0])
    drawn = [
        [
            lm.codec.text(ids)
            for ids in _Training(how, lm, FACTS[0], row, 2, site, memory).rows_of_others
        ]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1] and set(drawn[0]) < {"who sang it", "where is it", "when was it"}
    assert len(drawn[0]) == 2
    for wrong in (replace(how, others=4), replace(how, prompts=str(tmp_path / "none"))):
        with pytest.raises(InvalidInputError, match="prompts"):
            wrong.fit(FACTS[:1], lm)


def test_no_weight_is_written_and_what_others_were_trained_on_stays() -> None:
    model = built(SMALL)
    before = weights(model.base)
    for edit in FACTS:
        model.edit(edit)
    assert not changed(model.base, before)
    with pytest.raises(EntangledEditError):
        model.forget(FACTS[0].id)
    model.forget(FACTS[2].id)  # the last one: nothing was trained on it
    model.forget_many([FACTS[1].id, FACTS[0].id])
    assert torch.equal(logits(model, OTHER), logits(model.base, OTHER))


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        SMALL.fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    for wrong in ({"share": 0.0}, {"rate": 0.0}, {"steps": 0}, {"bound": 0.0}):
        with pytest.raises(InvalidInputError):
            Wise(**wrong)
