"""LoRA as an editor: one low-rank adapter per batch of edits (Hu et al. 2021, arXiv 2106.09685).

A baseline: plain adapters on the attention's query and value maps (or on ``mlp_out``), trained on
the edits' targets until they are fitted.

What EasyEdit calls LoRA is AdaLoRA (Zhang et al. 2023, arXiv 2303.10512) without its allocation of
ranks: ``Lora(form="adalora", rank=12, alpha=32, rate=5e-3, steps=70, batch=1, dropout=0.1,
stop=0)`` (its ``rank: 8`` PEFT ignores, for 12 at first). There the change is B diag(E) A, E begins
at zero, and the loss holds A and B to orthonormal directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError
from memedit.core.options import holds_settings
from memedit.core.progress import report
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, sequence_edit
from memedit.editors.weights.base import WeightEditor, low_rank, weight_of
from memedit.engine.passes import Pass, log_probs

LORA, ADALORA = "lora", "adalora"
_ADALORA_DEVIATION, _ADALORA_WEIGHT = 0.02, 0.5
"""Of PEFT: of A and B at first; of the loss that keeps them orthonormal."""
Leaves = tuple[Tensor, ...]
ATTENTION, MLP_OUT = "attention", "mlp_out"


@holds_settings
class Lora(WeightEditor):
    """One adapter for the edits made together.

    Attributes:
        form: ``"lora"`` or ``"adalora"``.
        modules: ``"attention"``: its query and value maps (where they are one, all of it);
            ``"mlp_out"``.
        rank, alpha: r and alpha; the adapter counts alpha / r.
        steps: Passes over the edits, at most.
        rate: Of AdamW, without weight decay.
        batch: Edits a step.
        stop: The mean loss at which it ends; 0: never.
        dropout: Share of what a module reads that the adapter is not shown in training.
        end: The end of the answer is trained, too (not in EasyEdit).
        seed: Of what begins at random, and of the dropout.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "lora"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    form: str = LORA
    modules: str = ATTENTION
    rank: int = 8
    alpha: float = 16.0
    steps: int = 50
    rate: float = 1e-3
    batch: int = 32
    stop: float = 1e-2
    dropout: float = 0.0
    end: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.modules not in {ATTENTION, MLP_OUT}:
            raise InvalidInputError(f"modules must be {ATTENTION} or {MLP_OUT}.")
        if min(self.rank, self.steps, self.batch) < 1 or min(self.rate, self.alpha) <= 0:
            raise InvalidInputError("rank, alpha, steps, batch and rate must be positive.")
        if self.form not in {LORA, ADALORA} or not 0 <= self.dropout < 1:
            raise InvalidInputError(f"form must be {LORA} or {ADALORA}, dropout in [0, 1).")

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
        number = len(edits)
        payloads: list[dict[str, Tensor | str | float]] = [{"loss": loss} for _ in edits]
        for site, leaves in pairs.items():
            a, b = self._terms(leaves)
            # Of more edits than ranks the last ones own no term.
            for i, payload in enumerate(payloads[: self.rank]):
                payload |= low_rank(site, a[i::number], b[:, i::number].T)
        return list(payloads)

    def _terms(self, leaves: Leaves) -> tuple[Tensor, Tensor]:
        """(A [r, d_in], B [d_out, r]) with the change B A, scale and singular values in B."""
        a, b, *values = leaves
        for e in values:
            b = b * e
        return a, b * (self.alpha / self.rank)

    def _fresh(self, lm: LM) -> dict[str, Leaves]:
        """Site -> (A [r, d_in], B [d_out, r]) as PEFT begins them, for AdaLoRA also E [r]."""
        # On the CPU: from the same seed a GPU draws other numbers.
        stream = torch.Generator().manual_seed(self.seed)
        pairs = {}
        for layer in range(lm.sites.layers):
            for site in self._sites(lm, layer):
                d_out, d_in = weight_of(lm, site).shape
                drawn = self._begin(d_out, d_in, stream)
                pairs[site] = tuple(each.to(lm.base.device).requires_grad_() for each in drawn)
        return pairs

    def _begin(self, d_out: int, d_in: int, stream: torch.Generator) -> Leaves:
        if self.form == ADALORA:
            a = torch.randn(self.rank, d_in, generator=stream) * _ADALORA_DEVIATION
            b = torch.randn(d_out, self.rank, generator=stream) * _ADALORA_DEVIATION
            return a, b, torch.zeros(self.rank)
        a = (torch.rand(self.rank, d_in, generator=stream) * 2 - 1) / math.sqrt(d_in)
        return a, torch.zeros(d_out, self.rank)

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

    def _train(self, lm: LM, rows: Sequence[Sequenced], pairs: Mapping[str, Leaves]) -> float:
        leaves = [tensor for pair in pairs.values() for tensor in pair]
        stream = torch.Generator().manual_seed(self.seed + 1)
        optimiser = torch.optim.AdamW(leaves, lr=self.rate, weight_decay=0.0)
        chunks = [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)]
        passes = [Pass(lm, [row.ids for row in chunk], first=0) for chunk in chunks]
        mean = float("inf")
        for step in range(self.steps):
            report(len(rows) * step // self.steps)
            total = 0.0
            for passing, chunk in zip(passes, chunks, strict=True):
                loss = self._loss(lm, passing, chunk, pairs, stream)
                total += float(loss.detach()) * len(chunk)
                grads = torch.autograd.grad(loss + self._bend(pairs), leaves)
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
        pairs: Mapping[str, Leaves],
        stream: torch.Generator,
    ) -> Tensor:
        """Mean over the rows of their tokens' mean NLL."""

        def make_hook(a: Tensor, b: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
            return lambda x, y: y + ((self._drop(x.to(a.dtype), stream) @ a.T) @ b.T).to(y.dtype)

        after = {site: make_hook(*self._terms(each)) for site, each in pairs.items()}
        hidden = passing.run(after=after)
        total = torch.zeros((), device=hidden.device)
        for n, row in enumerate(rows):
            logs = log_probs(lm, hidden[n, row.places])
            total = total - logs.gather(-1, row.target.to(logs.device)[:, None]).mean()
        return total / len(rows)

    def _drop(self, x: Tensor, stream: torch.Generator) -> Tensor:
        if not self.dropout:
            return x
        kept = (torch.rand(x.shape, generator=stream) >= self.dropout).to(x)
        return x * kept / (1 - self.dropout)

    def _bend(self, pairs: Mapping[str, Leaves]) -> Tensor | float:
        """AdaLoRA's loss beside the edits': half the mean distance of A A^T and B^T B from I."""
        if self.form != ADALORA:
            return 0.0
        grams = [gram for a, b, _ in pairs.values() for gram in (a @ a.T, b.T @ b)]
        unit = torch.eye(self.rank, device=grams[0].device)
        return _ADALORA_WEIGHT * torch.stack([(gram - unit).norm() for gram in grams]).mean()
