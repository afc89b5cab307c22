"""The closed forms against their definitions, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from memedit.core.errors import StatisticsError
from memedit.editors.weights.closed_forms import (
    Moment,
    exact,
    normal,
    ridge,
    solve_projected,
    solve_through,
)

F, D, N = 24, 10, 4


@pytest.fixture
def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def draw(stream: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=stream, dtype=torch.float64)


@pytest.fixture
def moment(stream: torch.Generator) -> Moment:
    keys = draw(stream, 300, F) * torch.linspace(0.1, 3, F, dtype=torch.float64)
    return Moment(keys.T @ keys / 300)


def cost(delta: Tensor, moment: Moment) -> float:
    return float((delta @ moment.matrix @ delta.T).trace())


def test_rome_says_the_value_at_the_key_at_the_least_cost(
    stream: torch.Generator, moment: Moment
) -> None:
    key, residual = draw(stream, F), draw(stream, D)
    u = solve_through(key, moment)
    delta = torch.outer(residual, u)
    assert torch.allclose(delta @ key, residual)
    other = draw(stream, F)
    unrelated = other - key * (other @ u) / (key @ u)  # u . unrelated = 0
    assert torch.allclose(delta @ unrelated, torch.zeros(D, dtype=torch.float64), atol=1e-10)
    assert torch.allclose(delta @ other, residual * (u @ other))
    plain = torch.outer(residual, key / (key @ key))
    assert torch.allclose(plain @ key, residual)
    assert cost(delta, moment) < cost(plain, moment)
    for _ in range(5):  # any other change that says the same costs more
        aside = draw(stream, D, F)
        aside = aside - torch.outer(aside @ key, key / (key @ key))
        assert cost(delta + 0.1 * aside, moment) > cost(delta, moment)


def test_memit_is_where_the_gradient_vanishes(stream: torch.Generator, moment: Moment) -> None:
    keys, residual, weight = draw(stream, F, N), draw(stream, D, N), 7.0
    delta = (residual @ ridge(keys, moment, weight).T).requires_grad_()
    loss = weight * (delta @ moment.matrix @ delta.T).trace()
    loss = loss + (delta @ keys - residual).square().sum()
    (gradient,) = torch.autograd.grad(loss, delta)
    assert gradient.norm() < 1e-9 * residual.norm()
    direct = torch.linalg.solve(weight * moment.matrix + keys @ keys.T, keys)
    assert torch.allclose(ridge(keys, moment, weight), direct)
    assert torch.linalg.matrix_rank(delta.detach()) <= N


def test_memit_of_one_fact_without_weight_is_rome(stream: torch.Generator, moment: Moment) -> None:
    key = draw(stream, F, 1)
    assert torch.allclose(ridge(key, moment, 1e-12)[:, 0], solve_through(key[:, 0], moment))


def test_emmet_keeps_the_equality_and_is_rome_for_one_fact(
    stream: torch.Generator, moment: Moment
) -> None:
    keys, residual = draw(stream, F, N), draw(stream, D, N)
    delta = residual @ exact(keys, moment, jitter=0.0).T
    assert torch.allclose(delta @ keys, residual)
    assert torch.allclose(exact(keys[:, :1], moment)[:, 0], solve_through(keys[:, 0], moment))
    inner = keys.T @ moment.solve(keys) + 0.1 * torch.eye(N, dtype=torch.float64)
    published = residual @ torch.linalg.inv(inner) @ keys.T @ torch.linalg.inv(moment.matrix)
    assert torch.allclose(residual @ exact(keys, moment).T, published)


def test_alphaedit_stays_in_the_null_space(stream: torch.Generator, moment: Moment) -> None:
    keys, residual = draw(stream, F, N), draw(stream, D, N)
    null = moment.null_space(0.02, energy=0.05)
    projector = null @ null.T
    values = torch.linalg.eigvalsh(moment.matrix)
    assert 0 < null.shape[1] < F
    assert float((projector @ moment.matrix).trace()) <= 0.05 * float(values.sum()) + 1e-9
    assert torch.allclose(projector @ projector, projector)
    earlier = draw(stream, F, 3)
    solution = solve_projected(keys, null, earlier @ earlier.T, 2.0)
    delta = residual @ solution.T
    assert torch.allclose(delta @ projector, delta, atol=1e-12)
    top = torch.linalg.eigh(moment.matrix)[1][:, -1]
    assert (delta @ top).norm() < 1e-10
    gram = projector @ (keys @ keys.T + earlier @ earlier.T) + 2.0 * torch.eye(F).double()
    assert torch.allclose(solution, torch.linalg.solve(gram, projector @ keys))
    by_value = moment.null_space(float(values[4]) + 1e-9)
    assert by_value.shape[1] == 5


def test_alphaedit_without_projection_and_with_the_moment_is_memit(
    stream: torch.Generator, moment: Moment
) -> None:
    keys, weight = draw(stream, F, N), 3.0
    everything, tiny = torch.eye(F, dtype=torch.float64), 1e-9
    solution = solve_projected(keys, everything, weight * moment.matrix, tiny)
    assert torch.allclose(solution, ridge(keys, moment, weight), atol=1e-6)


def test_ultraedit_solves_the_normal_equations(stream: torch.Generator) -> None:
    rows, values = draw(stream, N, F), draw(stream, N, D)
    delta = values.T @ normal(rows).T
    expected = torch.linalg.solve(rows.T @ rows + torch.eye(F).double(), rows.T @ values).T
    assert torch.allclose(delta, expected)
    one = values[:1].T @ normal(rows[:1]).T
    size = rows[0] @ rows[0]
    assert torch.allclose(one @ rows[0], values[0] * size / (1 + size))


def test_a_moment_that_cannot_be_inverted_says_so(stream: torch.Generator) -> None:
    few = draw(stream, 5, F)
    with pytest.raises(StatisticsError, match="cannot be inverted.*Collect more tokens"):
        Moment(few.T @ few / 5, tokens=5)
    assert torch.allclose(Moment.identity(F).solve(few.T), few.T)
