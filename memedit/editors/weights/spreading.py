"""MEMIT's plan, shared with EMMET and AlphaEdit: keys, targets, and layer after layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.types import Payload
from memedit.editors._sequences import Fact
from memedit.editors.weights.base import low_rank
from memedit.editors.weights.values import Values
from memedit.engine.passes import observe

Solve = Callable[[int, Tensor], Tensor]
"""(layer, keys K [f, n]) -> X [f, n], with D = R X^T."""


@dataclass(frozen=True, slots=True)
class LayerChange:
    """What was done at one layer.

    Attributes:
        layer: Which.
        keys: K [f, n].
        residual: R [d, n], the share of this layer.
        solution: X [f, n]; the change is D = R X^T.
    """

    layer: int
    keys: Tensor
    residual: Tensor
    solution: Tensor


def default_layers(layers: int) -> tuple[int, ...]:
    """Five layers from a tenth of the depth: 3-7 of 28, 30 or 32."""
    first = layers // 10
    return tuple(range(first, max(first + 1, min(first + 5, layers - 1))))


def keys_of(lm: LM, facts: Sequence[Fact], layer: int) -> Tensor:
    """K [f, n] float64: what the layer's ``mlp_out`` reads at the subjects, averaged over contexts
    with their weights."""
    site = lm.sites.mlp_out(layer)
    rows = [row for fact in facts for row in fact.rows]
    inputs, _ = observe(lm, [r.ids for r in rows], [r.column for r in rows], [site])[site]
    weights = torch.cat([fact.weights for fact in facts]).double()
    owner = torch.tensor([i for i, fact in enumerate(facts) for _ in fact.rows])
    keys = inputs.double().cpu() * weights[:, None]
    return torch.zeros(len(facts), keys.shape[1], dtype=torch.float64).index_add(0, owner, keys).T


def states_of(lm: LM, facts: Sequence[Fact], layer: int) -> Tensor:
    """H [d, n] float64: the residual stream after a layer at the subjects of the plain prompts."""
    site = lm.sites.block(layer)
    rows = [fact.rows[0] for fact in facts]
    _, outputs = observe(lm, [r.ids for r in rows], [r.column for r in rows], [site])[site]
    return outputs.double().cpu().T


def spread(
    lm: LM, facts: Sequence[Fact], found: Values, layers: Sequence[int], solve: Solve
) -> list[LayerChange]:
    """Bring the residual stream after the last layer to the values, layer after layer.

    Each layer takes an equal share of what is left to do, on the model with the layers below
    already changed (Meng et al. 2023, alg. 1).
    """
    steps: list[LayerChange] = []
    for i, layer in enumerate(layers):
        keys = keys_of(lm, facts, layer)
        # Measured anew on the model so far: what is left is not what was planned.
        left = found.value.double().T - states_of(lm, facts, layers[-1])
        residual = left / (len(layers) - i)
        steps.append(LayerChange(layer, keys, residual, solve(layer, keys)))
        # The last layer's change need not be run: nothing is measured after it.
        if i + 1 < len(layers):
            change = residual @ steps[-1].solution.T
            lm = lm.shadow({lm.sites.mlp_out(layer): change.float()})
    return steps


def payloads_of(
    lm: LM, steps: Sequence[LayerChange], loss: Tensor, extra: Mapping[str, str | float]
) -> list[Payload]:
    """Each fact's own rank-one term at every layer."""
    made: list[Payload] = []
    for j in range(len(loss)):
        terms: dict[str, Tensor | str | float] = {}
        for step in steps:
            site = lm.sites.mlp_out(step.layer)
            terms |= low_rank(site, step.solution[:, j][None], step.residual[:, j][None])
        made.append({**terms, "loss": float(loss[j]), **extra})
    return made
