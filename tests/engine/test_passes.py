"""Running a part of the model: equal to running all of it, on every architecture of the table."""

from __future__ import annotations

import pytest
import torch

from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError
from memedit.engine.passes import Pass, Seen, log_probs, observe
from tests.editors.helpers import changed, tiny_engine, weights
from tests.helpers import ARCHITECTURES

ROWS = [torch.arange(3, 3 + n) for n in (5, 9, 3, 9)]
STARTS = [2, 4, 1, 8]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_part_equals_the_whole(arch: str) -> None:
    lm = tiny_engine(arch)
    with torch.no_grad():
        whole = [lm.base(input_ids=row[None]).logits[0].log_softmax(-1) for row in ROWS]
        for first in (0, 1, 3):
            for starts in (None, STARTS):
                passing = Pass(lm, ROWS, first=first, starts=starts)
                assert passing.offset.tolist() == (starts or [0] * 4)
                for chosen in (None, torch.tensor([1, 3]), torch.tensor([3, 0, 3, 2, 0])):
                    hidden = passing.run(chosen)
                    for n, i in enumerate(range(4) if chosen is None else chosen.tolist()):
                        o = int(passing.offset[i])
                        ours = log_probs(lm, hidden[n, : len(ROWS[i]) - o])
                        assert torch.allclose(ours, whole[i][o:], atol=2e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_one_sequence_is_run_several_times(arch: str) -> None:
    lm = tiny_engine(arch)
    passing = Pass(lm, ROWS[1:2], first=1, starts=STARTS[1:2])
    with torch.no_grad():
        once, thrice = passing.run(), passing.run(torch.zeros(3, dtype=torch.long))
    assert torch.allclose(thrice, once.expand(3, -1, -1), atol=2e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("first", [0, 1, 2])
def test_what_was_seen_once_is_not_run_again(arch: str, first: int) -> None:
    lm = tiny_engine(arch)
    seen, ran = Seen(lm, first, most=4), []

    def see(y: torch.Tensor, x: torch.Tensor) -> None:
        ran.append(y.shape[:2])

    with torch.no_grad():
        for rows in (ROWS[:2], ROWS[1:], ROWS[::-1]):
            whole = Pass(lm, rows, first=first)
            ours, theirs = seen(rows).run(), whole.run()
            for i, row in enumerate(rows):
                assert torch.allclose(ours[i, : len(row)], theirs[i, : len(row)], atol=2e-5)
        site = lm.sites.mlp_out(0)
        with lm.watch(after={site: see}):
            passing = seen(ROWS[:2])
            assert len(ran) == (1 if first == 0 else 0)
            added = passing.run(after={lm.sites.mlp_out(2): lambda x, y: y + 1})
        assert not torch.allclose(added, seen(ROWS[:2]).run())
        assert torch.equal(lm.base(ROWS[0][None]).logits, lm.base(ROWS[0][None]).logits)
    assert not any("forward" in vars(module) for module in lm.base.modules())


def test_texts_seen_long_ago_are_run_again() -> None:
    lm = tiny_engine()
    seen = Seen(lm, 2, most=1)
    one = seen(ROWS[:1]).run()
    seen(ROWS[1:])
    assert torch.allclose(seen(ROWS[:1]).run(), one, atol=2e-5)


def test_a_window_too_short_for_the_padding_is_not_used() -> None:
    lm = tiny_engine("gemma3_text", sliding_window=8)
    with torch.no_grad():
        whole = lm.base(input_ids=ROWS[1][None]).logits[0].log_softmax(-1)
        passing = Pass(lm, ROWS, first=1, starts=STARTS)
        assert passing.offset.tolist() == [0] * 4
        assert torch.allclose(log_probs(lm, passing.run()[1]), whole, atol=2e-5)


def test_observed_values_are_those_of_hooks_in_order_of_the_rows() -> None:
    lm = tiny_engine("gpt2")
    sites = [lm.sites.mlp_out(0), lm.sites.block(1)]
    columns = [4, 0, 2, 8]
    found = observe(lm, ROWS, columns, sites)
    for i, (row, column) in enumerate(zip(ROWS, columns, strict=True)):
        with torch.no_grad():
            states = lm.base(input_ids=row[None], output_hidden_states=True).hidden_states
        assert torch.allclose(found[sites[1]][1][i], states[2][0, column], atol=1e-5)
        x, y = found[sites[0]][0][i], found[sites[0]][1][i]
        assert torch.allclose(lm.base.get_submodule(sites[0])(x), y, atol=1e-5)


def test_a_model_with_another_tail_is_refused() -> None:
    lm = tiny_engine("llama")
    forward = lm.base.forward

    def scaled(*args: object, **kwargs: object) -> object:
        out = forward(*args, **kwargs)
        out.logits = out.logits * 3
        return out

    lm.base.forward = scaled
    with pytest.raises(UnsupportedArchitectureError, match="final norm and head"):
        log_probs(lm, torch.zeros(1, 32))


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_a_shadow_is_the_model_with_another_weight(arch: str) -> None:
    lm = tiny_engine(arch)
    before, site = weights(lm.base), lm.sites.mlp_out(1)
    weight = lm.base.get_submodule(site).weight
    shape = weight.T.shape if arch == "gpt2" else weight.shape
    delta = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    other = lm.shadow({site: delta})
    new = other.base.get_submodule(site).weight
    assert torch.equal(new, weight + (delta.T if arch == "gpt2" else delta))
    assert not changed(lm.base, before)
    shared = {id(p) for p in lm.base.parameters()}
    assert sum(id(p) not in shared for p in other.base.parameters()) == 1
    assert other.base.get_output_embeddings().weight is lm.base.get_output_embeddings().weight
    assert other.fingerprint == lm.fingerprint and other.original is lm
    with other.watch(after={site: lambda x, y: y * 0}), torch.no_grad():
        assert torch.equal(  # a hook in the shadow is none in the model
            lm.base(input_ids=ROWS[0][None]).logits, tiny_engine(arch).base(
                input_ids=ROWS[0][None]).logits)  # fmt: skip


def test_a_tied_weight_cannot_be_changed_in_one_place() -> None:
    lm = tiny_engine("llama", tie_word_embeddings=True)
    with pytest.raises(InvalidInputError, match="token embedding"):
        lm.shadow({"lm_head": torch.zeros(300, 32)})
