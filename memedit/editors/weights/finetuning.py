"""Plain gradient descent on one ``mlp_out``: what FT, FT-L and FT-M share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.progress import report
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, places_of, sequence_edit
from memedit.editors.weights.base import WeightEditor, check_layers, low_rank, weight_of
from memedit.engine.passes import Pass, log_probs

PROMPT_LAST, TARGET = "prompt_last", "target"
OBJECTIVES = (PROMPT_LAST, TARGET)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning(WeightEditor):
    """Fine-tuning of one layer's ``mlp_out``; everything else stays.

    Several edits at once share one change of the matrix, trained on all of them.

    Attributes:
        layer: Which; None for ``depth`` of the depth.
        objective: ``"target"``: the mean NLL of the target's tokens, each after those before it;
            ``"prompt_last"``: of all of them as the next token after the prompt, as the code of
            ROME and EasyEdit has it (wrong for targets of several tokens).
        bound: Largest change of any weight (the L-infinity bound of FT-L); None for none.
        steps: Passes over the edits.
        rate: Of Adam.
        batch: Edits a step.
        stop: No step is made at a loss below; nor another pass at such a mean.
        end: The end of the answer is trained, too (not in the code of ROME and EasyEdit; without
            it nothing tells the model to say no more than the target).

    Raises:
        InvalidInputError: a setting out of range.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    depth: ClassVar[float] = 0.7
    layer: int | None = None
    objective: str = TARGET
    bound: float | None = None
    steps: int = 25
    rate: float = 5e-4
    batch: int = 32
    stop: float = 1e-2
    end: bool = False

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InvalidInputError(f"objective must be one of {', '.join(OBJECTIVES)}.")
        if min(self.steps, self.batch) < 1 or self.rate <= 0 or (self.bound or 1) <= 0:
            raise InvalidInputError("steps, batch, rate and bound must be positive.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit; together they are the change trained on all of them.

        Raises:
            InvalidEditError: an edit without a target.
        """
        if not edits:
            return []
        chosen = int(lm.sites.layers * self.depth) if self.layer is None else self.layer
        (layer,) = check_layers(lm, [chosen])
        site = lm.sites.mlp_out(layer)
        delta, loss = self.train(lm, edits, layer)
        return [{**part, "loss": loss} for part in share_change(site, delta, len(edits))]

    def train(self, lm: LM, edits: Sequence[Edit], layer: int) -> tuple[Tensor, float]:
        """(the change [d_out, d_in] float32, the mean loss of the last pass over the edits)."""
        site = lm.sites.mlp_out(layer)
        delta = torch.zeros_like(weight_of(lm, site), dtype=torch.float32, requires_grad=True)
        optimiser = torch.optim.Adam([delta], lr=self.rate, weight_decay=0.0)
        batches = [_Examples(lm, part, layer, self.objective) for part in self._batches(lm, edits)]
        mean = float("inf")
        for step in range(self.steps):
            report(len(edits) * step // self.steps)
            losses = []
            for examples in batches:
                loss = examples.loss(site, delta)
                losses.append(float(loss.detach()) * len(examples))
                if losses[-1] >= self.stop * len(examples):
                    (delta.grad,) = torch.autograd.grad(loss, delta)
                    optimiser.step()
                    self._bound(delta)
            mean = sum(losses) / len(edits)
            if mean < self.stop:
                break
        return delta.detach(), mean

    def _bound(self, delta: Tensor) -> None:
        if self.bound is not None:
            with torch.no_grad():
                delta.clamp_(-self.bound, self.bound)

    def _batches(self, lm: LM, edits: Sequence[Edit]) -> Iterator[list[Sequenced]]:
        rows = [sequence_edit(lm, edit, end=self.end) for edit in edits]
        for start in range(0, len(rows), self.batch):
            yield rows[start : start + self.batch]


class _Examples:
    """A batch of prompts with targets, run up to the edited layer."""

    def __init__(self, lm: LM, rows: Sequence[Sequenced], layer: int, objective: str) -> None:
        self.lm, self.passing = lm, Pass(lm, [row.ids for row in rows], first=layer)
        device = self.passing.entering.device
        self.row, self.column, self.token = places_of(rows).to(device)
        if objective != TARGET:  # every token where the first one is predicted
            self.column = torch.tensor([row.start for row in rows], device=device)[self.row]
        count = torch.bincount(self.row, minlength=len(rows))
        self.share = 1 / (count[self.row] * len(rows))

    def __len__(self) -> int:
        return len(self.passing)

    def loss(self, site: str, delta: Tensor) -> Tensor:
        """Mean over the rows of their tokens' mean NLL, with ``delta`` added to a weight."""

        def add_change(x: Tensor, y: Tensor) -> Tensor:
            return y + (x.to(delta.dtype) @ delta.to(x.device).T).to(y.dtype)

        hidden = self.passing.run(after={site: add_change})
        logs = log_probs(self.lm, hidden[self.row, self.column])
        return -(logs.gather(-1, self.token[:, None])[:, 0] * self.share).sum()


def share_change(site: str, delta: Tensor, number: int) -> list[Payload]:
    """A change of a matrix that belongs to several edits together, dealt out row by row."""
    if number == 1:
        return [{f"{site}/delta": delta.detach().float().cpu().contiguous()}]
    unit = torch.eye(len(delta))
    return [low_rank(site, delta[i::number], unit[i::number]) for i in range(number)]
