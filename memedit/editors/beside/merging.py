"""Several side memories made one: TIES merging (Yadav et al. 2023, 2306.01708), as in WISE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def ties(changes: Sequence[Tensor], density: float) -> Tensor:
    """Merge changes of one matrix, each of the same weight.

    Of each change the ``density`` largest entries are kept; of each entry the sign that prevails in
    the sum is taken, and the mean of the changes that have it.

    Args:
        changes: [d_out, d_in] each.
        density: Share of the entries kept (WISE: 0.53), in (0, 1].
    """
    kept = torch.stack([_keep_largest(each, density) for each in changes])
    prevails = torch.where(kept.sum(0) >= 0, 1.0, -1.0).to(kept)
    agree = kept.sign() == prevails
    merged: Tensor = (kept * agree).sum(0) / agree.sum(0).clamp(min=1)
    return merged


def _keep_largest(change: Tensor, density: float) -> Tensor:
    """The change, its smallest entries zero."""
    count = max(1, int(density * change.numel()))
    at = change.abs().reshape(-1).topk(count).indices
    kept = torch.zeros(change.numel(), dtype=change.dtype, device=change.device)
    kept[at] = change.reshape(-1)[at]
    return kept.reshape(change.shape)
