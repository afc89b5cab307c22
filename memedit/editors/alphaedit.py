"""AlphaEdit: null-space constrained editing (Fang et al. 2024, arXiv 2410.02355).

MEMIT's plan, with every change kept inside the directions in which ordinary keys hardly lie, and
with the keys of earlier edits kept in mind: D = R K^T P (K K^T P + K_p K_p^T P + L2 I)^-1.

The published rule takes the directions whose second moment is below 0.02, whatever its scale. On
small models that is most of the space, with a good part of what ordinary keys are made of;
``energy`` takes those that together hold a given share of the second moment's trace instead, of
which there soon are fewer than edits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError, StatisticsError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload, Record
from memedit.editors._sequences import require_subject
from memedit.editors.weights.base import check_layers
from memedit.editors.weights.closed_forms import Moment, solve_projected
from memedit.editors.weights.locating import Locating
from memedit.editors.weights.spreading import LayerChange, default_layers, payloads_of, spread
from memedit.editors.weights.statistics import moments_of
from memedit.editors.weights.values import optimise


@holds_settings
class Alphaedit(Locating):
    """Least-squares editing of several layers inside the null space of ordinary keys.

    Every payload tells the dimension of the null space (``null``) and its share of the trace
    (``energy``), of the last layer.

    Attributes:
        layers: Which; None for five from a tenth of the depth.
        threshold: The null space has the directions with a second moment below this.
        energy: Instead, the largest share of the second moment's trace that it may hold.
        weight: L2.

    The others are of :class:`~memedit.editors.weights.locating.Locating`.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "alphaedit"
    layers: tuple[int, ...] | None = None
    threshold: float = 0.02
    energy: float | None = None
    weight: float = 10.0

    def __post_init__(self) -> None:
        if self.layers is not None:
            # A list, as a file's settings have it, could not be hashed with the editor.
            object.__setattr__(self, "layers", tuple(self.layers))
        share = 1.0 if self.energy is None else self.energy
        if not 0 < share <= 1 or min(self.weight, self.threshold) <= 0:
            raise InvalidInputError("energy (at most 1), threshold and weight must be positive.")
        # With its arguments: "slots" makes the decorator build another class, of which a bare
        # super() knows nothing.
        super().__post_init__()

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit; together they are the joint solution of all.

        Raises:
            InvalidEditError: an edit without subject or target.
            StatisticsError: there are no second moments of a layer, or no null space in them.
        """
        for edit in edits:
            require_subject(edit)
        layers = check_layers(
            lm, default_layers(lm.sites.layers) if self.layers is None else self.layers
        )
        moments = moments_of(lm, layers, self.statistics)
        nulls = {layer: self._null(lm, layer, moment) for layer, moment in moments.items()}
        facts = self.facts(lm, edits)
        found = optimise(lm, facts, layer=layers[-1], inside=False, how=self.descent())
        earlier = lm.records

        def solve(layer: int, keys: Tensor) -> Tensor:
            before = self._sum_earlier(earlier, lm.sites.mlp_out(layer), len(keys))
            return solve_projected(keys, nulls[layer], before, self.weight)

        steps = spread(lm, facts, found, layers, solve)
        null, moment = nulls[layers[-1]], moments[layers[-1]]
        share = float((null * (moment.matrix @ null)).sum() / moment.matrix.trace())
        used = ",".join(each.digest for each in moments.values())
        extra: dict[str, str | float] = {
            "statistics": used, "null": null.shape[1], "energy": share
        }  # fmt: skip
        made = payloads_of(lm, steps, found.loss, extra)
        return [{**each, **_keys(lm, steps, j)} for j, each in enumerate(made)]

    def _null(self, lm: LM, layer: int, moment: Moment) -> Tensor:
        """[f, m] orthonormal basis of the layer's null space.

        Raises:
            StatisticsError: there is not one such direction.
        """
        key = ("null", moment.digest or layer, self.energy, self.threshold)
        if key not in lm.kept:
            # Kept: it takes all eigenvectors of the matrix.
            lm.kept[key] = moment.null_space(self.threshold, self.energy)
        null: Tensor = lm.kept[key]
        if not null.shape[1]:
            raise StatisticsError(
                f"No direction of layer {layer}'s keys is free.",
                hint="Allow more: a higher threshold, or energy=0.3, a share.",
            )
        return null

    def _sum_earlier(self, records: Sequence[Record], site: str, size: int) -> Tensor:
        """K_p K_p^T [f, f] of the edits that are in the model already."""
        payloads = [record.payloads.get(self.name, {}) for record in records]
        keys = [torch.as_tensor(p[f"{site}/keys"]) for p in payloads if f"{site}/keys" in p]
        if not keys:
            return torch.zeros(size, size, dtype=torch.float64)
        stacked = torch.stack(keys).double()
        return stacked.T @ stacked


def _keys(lm: LM, steps: Sequence[LayerChange], fact: int) -> dict[str, Tensor]:
    """What later edits must know of one: its key [f] at every layer."""
    return {
        f"{lm.sites.mlp_out(step.layer)}/keys": step.keys[:, fact].float().contiguous()
        for step in steps
    }
