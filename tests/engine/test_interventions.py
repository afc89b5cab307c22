"""Every form against a closed form, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from memedit.core.calls import Row, Step
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.engine.codebook import Codebook, Rule
from memedit.engine.interventions import Columns, Dense, LowRank, Neurons, SideFFN, pack

B, T, D_IN, D_OUT = 3, 5, 6, 4


def record(sequence: int, payload: Mapping[str, Tensor | str | float]) -> Record:
    edit = Edit(f"prompt {sequence}", "target")
    return Record(edit, sequence, sequence, payloads={"e": payload})


def row(*records: Record) -> Row:
    return Row("p", decision=Decision(tuple(Hit(r, 1.0) for r in records)))


@pytest.fixture
def xy() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(B, T, D_IN), torch.randn(B, T, D_OUT)


def prefill() -> Step:
    mask = torch.ones(B, T, dtype=torch.bool)
    return Step(True, torch.tensor([T - 1, T - 2, T - 1]), mask)


def test_low_rank_equals_the_weight_edit_per_row(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    a = record(1, {"u": torch.randn(D_IN), "v": torch.randn(D_OUT)})
    u_b, v_b = torch.randn(2, D_IN), torch.randn(2, D_OUT)
    b = record(2, {"u": u_b, "v": v_b})
    out = LowRank(site="s", editor="e").bind([row(a), row(), row(b, a)])(x, y, prefill())
    delta_a = torch.outer(a.payloads["e"]["v"], a.payloads["e"]["u"])  # type: ignore[arg-type]
    delta_b = v_b.T @ u_b
    torch.testing.assert_close(out[0], y[0] + x[0] @ delta_a.T)
    assert torch.equal(out[1], y[1])
    torch.testing.assert_close(out[2], y[2] + x[2] @ (delta_a + delta_b).T)


def test_dense_adds_each_rows_own_deltas(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    delta_a, delta_b = torch.randn(D_OUT, D_IN), torch.randn(D_OUT, D_IN)
    a, b = record(1, {"delta": delta_a}), record(2, {"delta": delta_b})
    out = Dense(site="s", editor="e").bind([row(), row(b), row(a, b)])(x, y, prefill())
    assert torch.equal(out[0], y[0])
    torch.testing.assert_close(out[1], y[1] + x[1] @ delta_b.T)
    torch.testing.assert_close(out[2], y[2] + x[2] @ (delta_a + delta_b).T)


def test_columns_equal_a_change_of_those_columns(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    values = torch.randn(2, D_OUT)
    a = record(1, {"units": torch.tensor([[4], [1]]), "values": values})
    out = Columns(site="s", editor="e").bind([row(a), row(), row()])(x, y, prefill())
    delta = torch.zeros(D_OUT, D_IN)
    delta[:, 4], delta[:, 1] = values[0], values[1]
    torch.testing.assert_close(out[0], y[0] + x[0] @ delta.T)
    assert torch.equal(out[1:], y[1:])


def test_a_neuron_that_does_not_fire_changes_no_bit(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    k, v = torch.randn(1, D_IN), torch.randn(1, D_OUT)
    off = record(1, {"k": k, "b": torch.tensor([[-1e4]]), "v": v})
    on = record(2, {"k": k, "b": torch.tensor([[0.5]]), "v": v})
    out = Neurons(site="s", editor="e").bind([row(off), row(on), row()])(x, y, prefill())
    assert torch.equal(out[0], y[0])
    assert torch.equal(out[2], y[2])
    torch.testing.assert_close(out[1], y[1] + torch.relu(x[1] @ k.T + 0.5) @ v)


def test_side_network_starts_as_identity_and_is_gated(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    w1, w2 = torch.randn(7, D_IN), torch.randn(7, D_OUT)
    form = SideFFN(site="s", editor="e")
    fresh = record(1, {"w1": w1, "w2": torch.zeros(7, D_OUT)})
    assert torch.equal(form.bind([row(fresh), row(), row()])(x, y, prefill()), y)
    a = record(1, {"w1": w1[:3], "w2": w2[:3]})
    b = record(2, {"w1": w1[3:], "w2": w2[3:]})
    out = form.bind([row(a, b), row(), row(b)])(x, y, prefill())
    torch.testing.assert_close(out[0], y[0] + torch.relu(x[0] @ w1.T) @ w2)  # the whole network
    assert torch.equal(out[1], y[1])
    torch.testing.assert_close(out[2], y[2] + torch.relu(x[2] @ w1[3:].T) @ w2[3:])


def test_codebook_replaces_inside_the_ball_and_nothing_else(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    value = torch.randn(D_OUT)
    near = record(1, {"key": x[0, T - 1] + 0.1, "value": value, "label": "a"})
    book = Codebook(site="s", editor="e", rule=Rule(1.0))
    out = book.bind([row(near), row(near), row()])(x, y, prefill())
    assert torch.equal(out[0, T - 1], value)
    assert torch.equal(out[0, : T - 1], y[0, : T - 1])
    assert torch.equal(out[1:], y[1:])
    decode = Step(False, None, torch.ones(B, T, dtype=torch.bool))
    assert torch.equal(book.bind([row(near)] * 3)(x, y, decode), y)


def test_pack_gates_rows_and_orders_terms_by_sequence() -> None:
    b, a = record(2, {"u": torch.ones(2, 3)}), record(1, {"u": torch.zeros(3)})
    (u,), gate = pack([row(b), row(), row(b, a)], "e", ["u"])
    assert u.tolist() == [[0.0] * 3, [1.0] * 3, [1.0] * 3]
    assert gate.tolist() == [[False, True, True], [False] * 3, [True] * 3]


def test_rows_without_payload_pass_through_untouched(xy: tuple[Tensor, Tensor]) -> None:
    x, y = xy
    other = Record(Edit("p", "t"), 1, 1, payloads={"other": {"u": torch.ones(D_IN)}})
    for form in (
        LowRank(site="s", editor="e"),
        Dense(site="s", editor="e"),
        Columns(site="s", editor="e"),
        Neurons(site="s", editor="e"),
        SideFFN(site="s", editor="e"),
        Codebook(site="s", editor="e", rule=Rule(1.0)),
    ):
        assert form.bind([row(other)] * B)(x, y, prefill()) is y
