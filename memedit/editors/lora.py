"""LoRA as an editor: one low-rank adapter per batch of edits (Hu et al. 2021, arXiv 2106.09685).

A baseline: plain adapters on the attention's query and value maps (or on ``mlp_out``), trained on
the edits' targets until they are fitted. EasyEdit uses AdaLoRA with dropout and a higher rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError
from memedit.core.progress import report
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, sequence_edit
from memedit.editors.weights.base import WeightEditor, low_rank, weight_of
from memedit.engine.passes import Pass, log_probs

ATTENTION, MLP_OUT = "attention", "mlp_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora(WeightEditor):
    """One adapter for the edits made together.

    Attributes:
        modules: ``"attention"``: its query and value maps (where they are one, all of it);
            ``"mlp_out"``.
        rank, alpha: r and alpha; the adapter counts alpha / r.
        steps: Passes over the edits, at most.
        rate: Of AdamW, without weight decay.
        batch: Edits a step.
        stop: The mean loss at which it ends.
        end: The end of the answer is trained, too (not in EasyEdit).
        seed: Of the random half.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "lora"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    modules: str = ATTENTION
    rank: int = 8
    alpha: float = 16.0
    steps: int = 50
    rate: float = 1e-3
    batch: int = 32
    stop: float = 1e-2
    end: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.modules not in {ATTENTION, MLP_OUT}:
            raise InvalidInputError(f"modules must be {ATTENTION} or {MLP_OUT}.")
        if min(self.rank, self.steps, self.batch) < 1 or min(self.rate, self.alpha) <= 0:
            raise InvalidInputError("rank, alpha, steps, batch and rate must be positive.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: its share of the terms of one adapter.

        Raises:
            InvalidEditError: an edit without a target.
            UnsupportedArchitectureError: attention without a known map.
        """
        if not edits:
            return []
        pairs = self._fresh(lm)
        rows = [sequence_edit(lm, edit, end=self.end) for edit in edits]
        loss = self._train(lm, rows, pairs)
        scale, number = self.alpha / self.rank, len(edits)
        payloads: list[dict[str, Tensor | str | float]] = [{"loss": loss} for _ in edits]
        for site, (a, b) in pairs.items():
            # Of more edits than ranks the last ones own no term.
            for i, payload in enumerate(payloads[: self.rank]):
                payload |= low_rank(site, a[i::number], scale * b[:, i::number].T)
        return list(payloads)

    def _fresh(self, lm: LM) -> dict[str, tuple[Tensor, Tensor]]:
        """Site -> (A [r, d_in] as PEFT begins it, B [d_out, r] zero)."""
        # On the CPU: from the same seed a GPU draws other numbers.
        stream = torch.Generator().manual_seed(self.seed)
        pairs = {}
        for layer in range(lm.sites.layers):
            for site in self._sites(lm, layer):
                d_out, d_in = weight_of(lm, site).shape
                bound = 1 / math.sqrt(d_in)
                a = (torch.rand(self.rank, d_in, generator=stream) * 2 - 1) * bound
                device = lm.base.device
                a = a.to(device).requires_grad_()
                pairs[site] = (a, torch.zeros(d_out, self.rank, device=device, requires_grad=True))
        return pairs

    def _sites(self, lm: LM, layer: int) -> list[str]:
        if self.modules == MLP_OUT:
            return [lm.sites.mlp_out(layer)]
        sites = lm.sites.query_value(layer)
        try:
            for site in sites:
                lm.base.get_submodule(site)
        except AttributeError as error:
            raise UnsupportedArchitectureError(
                f"This model has no {site}, where its attention asks: {error}.",
                hint="Use modules='mlp_out'.",
            ) from None
        return list(sites)

    def _train(
        self, lm: LM, rows: Sequence[Sequenced], pairs: dict[str, tuple[Tensor, Tensor]]
    ) -> float:
        leaves = [tensor for pair in pairs.values() for tensor in pair]
        optimiser = torch.optim.AdamW(leaves, lr=self.rate, weight_decay=0.0)
        chunks = [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)]
        passes = [Pass(lm, [row.ids for row in chunk], first=0) for chunk in chunks]
        mean = float("inf")
        for step in range(self.steps):
            report(len(rows) * step // self.steps)
            total = 0.0
            for passing, chunk in zip(passes, chunks, strict=True):
                loss = self._loss(lm, passing, chunk, pairs)
                total += float(loss.detach()) * len(chunk)
                grads = torch.autograd.grad(loss, leaves)
                for leaf, grad in zip(leaves, grads, strict=True):
                    leaf.grad = grad
                if float(loss.detach()) >= self.stop:
                    optimiser.step()
            mean = total / len(rows)
            if mean < self.stop:
                break
        return mean

    def _loss(
        self,
        lm: LM,
        passing: Pass,
        rows: Sequence[Sequenced],
        pairs: dict[str, tuple[Tensor, Tensor]],
    ) -> Tensor:
        """Mean over the rows of their tokens' mean NLL."""
        scale = self.alpha / self.rank

        def make_hook(a: Tensor, b: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
            return lambda x, y: y + ((x.to(a.dtype) @ a.T) @ b.T * scale).to(y.dtype)

        after = {site: make_hook(a, b) for site, (a, b) in pairs.items()}
        hidden = passing.run(after=after)
        total = torch.zeros((), device=hidden.device)
        for n, row in enumerate(rows):
            logs = log_probs(lm, hidden[n, row.places])
            total = total - logs.gather(-1, row.target.to(logs.device)[:, None]).mean()
        return total / len(rows)
