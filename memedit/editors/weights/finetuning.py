"""Gradient descent on one ``mlp_out``, or on its block: what FT, FT-L, FT-M and FT-W share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
from memedit.engine.passes import After, Pass, log_probs

PROMPT_LAST, TARGET = "prompt_last", "target"
MLP_OUT, BLOCK, POWER = "mlp_out", "block", "power"
_POWER, _FACTOR = -0.87028798, 0.15589562
"""``wd_power_law`` of MEMIT's settings for GPT-J."""
OBJECTIVES = (PROMPT_LAST, TARGET)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning(WeightEditor):
    """Fine-tuning of one layer's ``mlp_out``, or of its block; everything else stays.

    Several edits at once share one change of each matrix, trained on all of them.

    Attributes:
        layer: Which; None for ``depth`` of the depth.
        objective: ``"target"``: the mean NLL of the target's tokens, each after those before it;
            ``"prompt_last"``: of all of them as the next token after the prompt, as the code of
            ROME and EasyEdit has it (wrong for targets of several tokens).
        modules: ``"mlp_out"``, or ``"block"``: every matrix of the layer's block.
        decay: Adam's weight decay; ``"power"``: by the number of edits, as the
            power law in MEMIT's settings for FT-W has it. The released code does not apply it (it
            looks for a tuple where JSON gives a list): ``Ft(modules="block")`` is what it runs,
            biases and norms aside.
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
    modules: str = MLP_OUT
    decay: float | str = 0.0
    bound: float | None = None
    steps: int = 25
    rate: float = 5e-4
    batch: int = 32
    stop: float = 1e-2
    end: bool = False

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InvalidInputError(f"objective must be one of {', '.join(OBJECTIVES)}.")
        if self.modules not in {MLP_OUT, BLOCK}:
            raise InvalidInputError(f"modules must be {MLP_OUT} or {BLOCK}.")
        if self.decay != POWER and (isinstance(self.decay, str) or self.decay < 0):
            raise InvalidInputError(f"decay must be {POWER} or a number from 0.")
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
        deltas, loss = self.train(lm, edits, layer)
        payloads: list[dict[str, Tensor | str | float]] = [{"loss": loss} for _ in edits]
        for site, delta in deltas.items():
            for payload, part in zip(payloads, share_change(site, delta, len(edits)), strict=True):
                payload |= part
        return list(payloads)

    def train(self, lm: LM, edits: Sequence[Edit], layer: int) -> tuple[dict[str, Tensor], float]:
        """(site -> the change [d_out, d_in] float32, the mean loss of the last pass over the
        edits)."""
        weights = {site: weight_of(lm, site).detach().float() for site in self._sites(lm, layer)}
        deltas = {site: torch.zeros_like(w, requires_grad=True) for site, w in weights.items()}
        leaves = list(deltas.values())
        optimiser = torch.optim.Adam(leaves, lr=self.rate, weight_decay=0.0)
        batches = [_Examples(lm, part, layer, self.objective) for part in self._batches(lm, edits)]
        mean, decay = float("inf"), self._decay(len(edits))
        for step in range(self.steps):
            report(len(edits) * step // self.steps)
            losses = []
            for examples in batches:
                loss = examples.loss(deltas)
                losses.append(float(loss.detach()) * len(examples))
                # What is fitted already is left alone, as ROME's code does.
                if losses[-1] >= self.stop * len(examples):
                    for leaf, grad, weight in zip(
                        leaves, torch.autograd.grad(loss, leaves), weights.values(), strict=True
                    ):
                        # Of the weight as it is now: what decays in Adam is not the change alone.
                        leaf.grad = grad + decay * (weight + leaf.detach()) if decay else grad
                    optimiser.step()
                    self._bound(leaves)
            mean = sum(losses) / len(edits)
            if mean < self.stop:
                break
        return {site: delta.detach() for site, delta in deltas.items()}, mean

    def _sites(self, lm: LM, layer: int) -> list[str]:
        """The modules that are trained."""
        if self.modules == MLP_OUT:
            return [lm.sites.mlp_out(layer)]
        block = lm.sites.block(layer)
        inside = lm.base.get_submodule(block).named_modules()
        return [
            f"{block}.{name}"
            for name, module in inside
            if isinstance(weight := getattr(module, "weight", None), Tensor) and weight.dim() == 2
        ]

    def _decay(self, edits: int) -> float:
        """Adam's weight decay: by MEMIT's power law, n^-0.870 e^0.156, or what is set."""
        if isinstance(self.decay, str):
            return float(edits**_POWER * math.exp(_FACTOR))
        return self.decay

    def _bound(self, leaves: Sequence[Tensor]) -> None:
        if self.bound is not None:
            with torch.no_grad():
                for leaf in leaves:
                    leaf.clamp_(-self.bound, self.bound)

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

    def loss(self, deltas: Mapping[str, Tensor]) -> Tensor:
        """Mean over the rows of their tokens' mean NLL, with the changes added to the weights."""

        def make_hook(delta: Tensor) -> After:
            return lambda x, y: y + (x.to(delta.dtype) @ delta.to(x.device).T).to(y.dtype)

        hidden = self.passing.run(after={site: make_hook(d) for site, d in deltas.items()})
        logs = log_probs(self.lm, hidden[self.row, self.column])
        return -(logs.gather(-1, self.token[:, None])[:, 0] * self.share).sum()


def share_change(site: str, delta: Tensor, number: int) -> list[Payload]:
    """A change of a matrix that belongs to several edits together, dealt out row by row."""
    if number == 1:
        return [{f"{site}/delta": delta.detach().float().cpu().contiguous()}]
    unit = torch.eye(len(delta))
    return [low_rank(site, delta[i::number], unit[i::number]) for i in range(number)]
