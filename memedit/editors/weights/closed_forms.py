"""The closed forms that ROME, MEMIT, EMMET, AlphaEdit and UltraEdit share; all in float64.

Columns are facts: K [f, n] keys, R [d, n] what each key's output shall change by, C [f, f] the
second moment of ordinary keys. Every change of a weight is returned as ``X`` [f, n] with
``D = R X^T`` [d, f]: fact j owns the rank-one term ``R[:, j] X[:, j]^T``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from memedit.core.errors import StatisticsError


class Moment:
    """A second moment C [f, f] of keys, ready to be divided by.

    Args:
        matrix: C; symmetric positive definite.
        tokens: Over how many tokens it is the mean.
        digest: Names the statistics it comes from; "" for the identity.

    Raises:
        StatisticsError: C is not positive definite.
    """

    def __init__(self, matrix: Tensor, tokens: int = 0, digest: str = "") -> None:
        self.matrix, self.tokens, self.digest = matrix.double(), tokens, digest
        # "_ex" says by a number what the other raises in torch's words.
        factor, info = torch.linalg.cholesky_ex(self.matrix)
        if int(info):
            raise StatisticsError(
                f"The second moment over {tokens:,} tokens cannot be inverted: it is of size "
                f"{len(matrix):,}.",
                hint="Collect more tokens: memedit statistics --tokens N.",
            )
        self._factor = factor

    def __len__(self) -> int:
        return len(self.matrix)

    @classmethod
    def identity(cls, size: int) -> Moment:
        """C = I: no statistics at all (EasyEdit's ``mom2_adjustment: false``)."""
        return cls(torch.eye(size, dtype=torch.float64))

    def solve(self, keys: Tensor) -> Tensor:
        """C^-1 K [f, n] of keys K [f, n]."""
        solved: Tensor = torch.cholesky_solve(keys.double().cpu(), self._factor)
        return solved

    def null_space(self, threshold: float, energy: float | None = None) -> Tensor:
        """[f, m] orthonormal directions in which the second moment is below a threshold; or, given
        ``energy``, those that together hold at most this share of C's trace."""
        values, vectors = torch.linalg.eigh(self.matrix)
        # Rounding leaves some eigenvalues a little below zero.
        held = values.clamp(min=0).cumsum(0) / values.clamp(min=0).sum()
        free: Tensor = vectors[:, values < threshold if energy is None else held <= energy]
        return free


def solve_through(key: Tensor, moment: Moment) -> Tensor:
    """u [f] with ``u . key = 1`` and ``u . q = 0`` for every q that is C^-1-orthogonal to ``key``:
    C^-1 k / (k^T C^-1 k) (Meng et al. 2022, eq. 2)."""
    direction = moment.solve(key[:, None])[:, 0]
    return direction / (key.double().cpu() @ direction)


def ridge(keys: Tensor, moment: Moment, weight: float) -> Tensor:
    """X [f, n] of the least-squares change: D = R K^T (weight C + K K^T)^-1 minimises
    ``|D K - R|^2 + weight tr(D C D^T)`` (Meng et al. 2023, eq. 14).

    Computed as C^-1 K (weight I + K^T C^-1 K)^-1, which is the same matrix.
    """
    # n x n instead of f x f: there are hundreds of facts at most, and thousands of neurons.
    known = moment.solve(keys)
    inner = keys.double().cpu().T @ known
    inner = inner + weight * torch.eye(len(inner), dtype=torch.float64)
    solved: Tensor = torch.linalg.solve(inner, known.T)
    return solved.T


def exact(keys: Tensor, moment: Moment, jitter: float = 0.1) -> Tensor:
    """X [f, n] of the change with D K = R and least tr(D C D^T) (EMMET, arXiv 2403.14236).

    ``jitter`` is added to the diagonal where there are several facts, as the paper does.
    """
    return ridge(keys, moment, jitter if keys.shape[1] > 1 else 0.0)


def solve_projected(keys: Tensor, null: Tensor, earlier: Tensor, weight: float) -> Tensor:
    """X [f, n] of AlphaEdit (arXiv 2410.02355, eq. 14): D = R K^T P (...)^-1 with D = D P.

    Args:
        keys: K [f, n].
        null: [f, m] orthonormal basis N of the kept-free directions; P = N N^T.
        earlier: K_p K_p^T [f, f] of the edits already made.
        weight: L2.

    Solves (P (K K^T + K_p K_p^T) + weight I) X = P K inside the span of N.
    """
    keys, basis = keys.double().cpu(), null.double()
    inside = basis.T @ keys
    gram = inside @ inside.T + basis.T @ earlier.double() @ basis
    gram = gram + weight * torch.eye(len(gram), dtype=torch.float64)
    solved: Tensor = torch.linalg.solve(gram, inside)
    return basis @ solved


def normal(inputs: Tensor) -> Tensor:
    """X [f, n] = (H^T H + I)^-1 H^T of rows H [n, f]: UltraEdit's solve (arXiv 2505.14679).

    Computed as H^T (H H^T + I)^-1.
    """
    rows = inputs.double().cpu()
    gram = rows @ rows.T + torch.eye(len(rows), dtype=torch.float64)
    solved: Tensor = torch.linalg.solve(gram, rows)
    return solved.T
