"""UltraEdit: lifelong editing from one gradient (Gu et al. 2025, arXiv 2505.14679).

One forward and backward pass gives, at the positions that predict the answers, what a module reads
(h) and the gradient of its output (g). Both are normalised by the mean and deviation over all edits
so far, of all modules of one shape together; the wanted change of the output is
v = -rate |h~|^2 g~, and the weights change by the ridge
solution D^T = (H^T H + I)^-1 H^T V. Nothing is optimised and no subject is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.progress import report
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, sequence_edit
from memedit.editors.weights.base import WeightEditor, check_layers, low_rank, weight_of
from memedit.editors.weights.closed_forms import normal
from memedit.editors.weights.gradients import Factors, factors
from memedit.engine.passes import Pass

_EPSILON = 1e-7


@dataclass(frozen=True, slots=True)
class Running:
    """Count, mean [d] and sum of squared deviations [d] of rows; float64."""

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Running:
        """Of rows [n, d]."""
        rows = rows.double()
        mean = rows.mean(0)
        return cls(len(rows), mean, (rows - mean).square().sum(0))

    def merge(self, other: Running) -> Running:
        """Of both together (Chan et al. 1979)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        between = gap.square() * (self.count * other.count / count)
        return Running(count, mean, self.squares + other.squares + between)

    def normalise(self, rows: Tensor) -> Tensor:
        """Rows [n, d] less the mean, over the deviation.

        One row alone has no deviation: it is divided by its own root mean square.
        """
        rows = rows.double()
        if self.count < 2:
            return rows / (rows.square().mean(1, keepdim=True).sqrt() + _EPSILON)
        deviation = (self.squares / (self.count - 1)).sqrt()
        return (rows - self.mean) / (deviation + _EPSILON)


@holds_settings
class Ultraedit(WeightEditor):
    """Closed-form editing of gate and up projections from one gradient.

    Edits made together are one turn.

    Attributes:
        gates, ups: Layers whose first and last map into the neurons is edited; None: 40% to 50%
            and 57% to 73% of the depth. A model with one such map has it in both.
        pooled: One mean and deviation for all modules of a shape, as published; else for each.
        rate: How far the output moves against the gradient (the paper: 1e-6 at d_in 4,096).
        batch: Edits in one pass.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "ultraedit"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    gates: tuple[int, ...] | None = None
    ups: tuple[int, ...] | None = None
    pooled: bool = True
    rate: float = 1e-5
    batch: int = 16

    def __post_init__(self) -> None:
        for name in ("gates", "ups"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(value))
        if self.rate <= 0 or self.batch < 1:
            raise InvalidInputError("rate and batch must be positive.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit, of one turn; its statistics go on from those in ``lm.records``.

        Raises:
            InvalidEditError: an edit without a target.
        """
        if not edits:
            return []
        rows = [sequence_edit(lm, edit) for edit in edits]
        sites, first = self._sites(lm)
        parts = list(self._factors(lm, rows, sites, first))
        payloads: list[dict[str, Tensor | str | float]] = [{} for _ in edits]
        turn = {site: self._gather(parts, site) for site in sites}
        for together in self._pools(lm, sites):
            running = self._running(lm, {site: turn[site][0] for site in together})
            for site in together:
                both, owner = turn[site]
                width = weight_of(lm, site).shape[1]
                self._solve(site, running, both, both[:, :width], owner, payloads)
        return list(payloads)

    def _gather(self, parts: Sequence[dict[str, Factors]], site: str) -> tuple[Tensor, Tensor]:
        """([n, d_in + d_out] what the module read and its gradients, [n] the edit of each)."""
        inputs = torch.cat([part[site].inputs for part in parts])
        # the mean over the turn's tokens, not over each pass's
        gradients = torch.cat([part[site].gradients * len(part[site].row) for part in parts])
        owner = torch.cat([part[site].row + i * self.batch for i, part in enumerate(parts)])
        return torch.cat([inputs, gradients / len(inputs)], dim=1), owner

    def _pools(self, lm: LM, sites: Sequence[str]) -> list[list[str]]:
        """The modules that share statistics: those of one shape."""
        pools: dict[tuple[int, ...] | str, list[str]] = {}
        for site in sites:
            shape = tuple(weight_of(lm, site).shape)
            pools.setdefault(shape if self.pooled else site, []).append(site)
        return list(pools.values())

    def _running(self, lm: LM, turn: Mapping[str, Tensor]) -> Running:
        """The statistics of these modules over this turn and what earlier edits left of them."""
        parts = [Running.of(both) for both in turn.values()]
        parts += [earlier for site in turn for earlier in self._read_earlier(lm, site)]
        return reduce(Running.merge, parts)

    def _solve(
        self,
        site: str,
        running: Running,
        both: Tensor,
        inputs: Tensor,
        owner: Tensor,
        payloads: list[dict[str, Tensor | str | float]],
    ) -> None:
        """Deal out one module's change to the edits whose tokens it comes from."""
        tilde = running.normalise(both)
        width = inputs.shape[1]
        size = tilde[:, :width].square().sum(1, keepdim=True)
        values = -self.rate * size * tilde[:, width:]
        # Of the raw inputs, which the weight is multiplied with; only the values come from
        # normalised ones.
        solution = normal(inputs)
        for i, payload in enumerate(payloads):
            mine = owner == i
            # Each edit keeps the statistics of its own tokens: any of them can be taken away.
            own = Running.of(both[mine])
            payload |= low_rank(site, solution[:, mine].T, values[mine])
            payload |= {
                f"{site}/count": own.count,
                f"{site}/mean": own.mean.float(),
                f"{site}/squares": own.squares.float(),
            }

    def _read_earlier(self, lm: LM, site: str) -> Iterator[Running]:
        """What earlier edits left of their statistics."""
        for record in lm.records:
            payload = record.payloads.get(self.name, {})
            if f"{site}/count" in payload:
                yield Running(
                    int(payload[f"{site}/count"]),
                    torch.as_tensor(payload[f"{site}/mean"]).double(),
                    torch.as_tensor(payload[f"{site}/squares"]).double(),
                )

    def _factors(
        self, lm: LM, rows: Sequence[Sequenced], sites: Sequence[str], first: int
    ) -> Iterator[dict[str, Factors]]:
        for start in range(0, len(rows), self.batch):
            chunk = rows[start : start + self.batch]
            passing = Pass(lm, [row.ids for row in chunk], first=first)
            yield factors(passing, chunk, sites, answers=True)[0]
            report(start + len(chunk))

    def _sites(self, lm: LM) -> tuple[list[str], int]:
        """(paths of the edited modules, the lowest block with one)."""
        depth = lm.sites.layers
        gates = self._choose(lm, self.gates, range(depth * 2 // 5, max(1, depth // 2 + 1)))
        ups = self._choose(lm, self.ups, range(depth * 17 // 30, max(1, depth * 22 // 30 + 1)))
        found = [lm.sites.mlp_in(layer)[0] for layer in gates]
        found += [lm.sites.mlp_in(layer)[-1] for layer in ups]
        return list(dict.fromkeys(found)), min(gates + ups)

    @staticmethod
    def _choose(lm: LM, given: Sequence[int] | None, default: range) -> list[int]:
        return check_layers(lm, list(default) if given is None else given)
