"""MEND: model editor networks with gradient decomposition (Mitchell et al. 2022, arXiv 2110.11309).

The gradient of an edit with respect to a linear module's weight is a sum over tokens of rank-one
terms d_t x_t^T. A small network, trained once for the base, maps each pair of factors to a better
one; the weight changes by W' = W - alpha sum of d~_t x~_t^T.

(The released code adds the update, an ascent direction that training has to turn round; here it is
subtracted, as in the code of SERAC's authors.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from memedit.core.calls import LM
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import require_targets, sequence_edit
from memedit.editors.weights.base import low_rank
from memedit.editors.weights.gradients import Factors, factors
from memedit.editors.weights.hypernetworks import (
    HypernetworkEditor,
    ends,
    load_trained,
    pass_over_rows,
    shapes_of,
)

_EPSILON = 1e-7


class Layer(nn.Module):
    """z + relu(scale_m * (U V z + b) + shift_m) [n, D] for matrix (mode) m; U starts at zero."""

    def __init__(self, size: int, rank: int, modes: int) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.zeros(size, rank))
        self.v = nn.Parameter(torch.randn(rank, size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.scale = nn.Parameter(torch.ones(modes, size))
        self.shift = nn.Parameter(torch.zeros(modes, size))

    def forward(self, z: Tensor, mode: int) -> Tensor:
        inner = (z @ self.v.T) @ self.u.T + self.bias
        # clamp, unlike relu, passes the gradient at exactly 0, where every unit starts
        return z + (self.scale[mode] * inner + self.shift[mode]).clamp(min=0)


class Transform(nn.Module):
    """Factors of all matrices of one shape to better factors.

    Args:
        d_in, d_out: The shape.
        modes: How many matrices share it.
        rank: Of the two layers.
        norm: Normalise every coordinate by ``mean`` and ``deviation`` first.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, d_in: int, d_out: int, *, modes: int, rank: int, norm: bool = True) -> None:
        super().__init__()
        self.d_in, self.norm = d_in, norm
        size = d_in + d_out
        self.layers = nn.ModuleList(Layer(size, min(rank, size), modes) for _ in range(2))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def forward(self, inputs: Tensor, gradients: Tensor, mode: int) -> tuple[Tensor, Tensor]:
        """(x~ [n, d_in], d~ [n, d_out]) of factors x [n, d_in], d [n, d_out]."""
        z = torch.cat([inputs, gradients], dim=-1)
        if self.norm:
            z = (z - self.mean) / (self.deviation + _EPSILON)
        for layer in self.layers:
            z = layer(z, mode)
        return z[:, : self.d_in], z[:, self.d_in :]


class Network(nn.Module):
    """One :class:`Transform` per shape and one learning rate per matrix.

    Args:
        shapes: Site -> (d_in, d_out), in order.
        rank: Of every transform.
        rate: What the learning rates start at.
        norm: As in :class:`Transform`.
    """

    def __init__(
        self, shapes: dict[str, tuple[int, int]], *, rank: int, rate: float, norm: bool = True
    ) -> None:
        super().__init__()
        self.sites = tuple(shapes)
        self.shape_of = {site: f"{a}x{b}" for site, (a, b) in shapes.items()}
        kinds = list(dict.fromkeys(shapes.values()))
        members = {k: [s for s in shapes if shapes[s] == k] for k in kinds}
        self.mode_of = {site: members[shapes[site]].index(site) for site in shapes}
        self.transforms = nn.ModuleDict({
            f"{a}x{b}": Transform(a, b, modes=len(members[a, b]), rank=rank, norm=norm)
            for a, b in kinds
        })  # fmt: skip
        self.rates = nn.Parameter(torch.full((len(shapes),), rate))

    def terms(self, site: str, found: Factors) -> tuple[Tensor, Tensor, Tensor]:
        """(U [m, d_in], V [m, d_out], [m] row of each) with D = V^T U: the change of one weight."""
        # Tokens without a gradient have no factors to transform: the layers would give them some.
        live = found.inputs.any(-1) & found.gradients.any(-1)
        transform = self.transforms[self.shape_of[site]]
        mode = self.mode_of[site]
        x, d = transform(found.inputs[live], found.gradients[live], mode)
        return x, -self.rates[self.sites.index(site)] * d, found.row[live]


@holds_settings
class Mend(HypernetworkEditor):
    """Gradients edited by a trained network."""

    name: ClassVar[str] = "mend"

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Each edit's terms of the update of all of them together.

        Raises:
            InvalidEditError: an edit without a target.
            InvalidInputError: no network was trained for this model.
        """
        if not edits:
            return []
        require_targets(edits)
        network = self._network(lm)
        end = ends(self.name, self.hypernetwork, lm)
        rows = [sequence_edit(lm, edit, end=end) for edit in edits]
        sites = network.sites
        found, nll = factors(pass_over_rows(lm, rows, sites), rows, sites, answers=False)
        payloads: list[dict[str, Tensor | str | float]] = [{} for _ in edits]
        with torch.no_grad():
            for site in sites:
                u, v, row = network.terms(site, found[site])
                for i, payload in enumerate(payloads):
                    payload |= low_rank(site, u[row == i], v[row == i])
        return list(payloads)

    def _network(self, lm: LM) -> Network:
        def empty(manifest: dict[str, Any]) -> Network:
            return Network(shapes_of(lm, manifest["sites"]), rank=manifest["rank"], rate=1e-4)

        return load_trained(self.name, self.hypernetwork, lm, empty)
