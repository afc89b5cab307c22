"""What the edited place shall say: v* of ROME and z of MEMIT, by gradient descent.

A vector is added at the subject's last token, to the output of one layer's ``mlp_out`` (ROME) or
to the residual stream after a block (MEMIT), in several contexts at once, until the target follows.
The loss of one fact (Meng et al. 2022, eq. 4; the direction of the divergence is the code's):

    sum over contexts of weight * mean token NLL + kl * KL(edited || unedited, at "{subject} is a")
        + decay * |delta| / |initial|^2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.progress import report
from memedit.editors._sequences import Fact, Sequenced, places_of
from memedit.engine.passes import Pass, log_probs

_TOKENS = 1_024
"""Padded tokens of the facts that are optimised side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """How a value is found: Adam, its norm kept under ``clamp`` times that of the initial value.

    Attributes:
        steps: Evaluations of the loss; the last one makes no step.
        rate: Learning rate.
        kl, decay: Weights in the loss.
        clamp: Largest norm of what is added, relative to the initial value's.
        stop: A fact whose loss is below is done.
    """

    steps: int
    rate: float
    kl: float
    decay: float
    clamp: float
    stop: float = 0.05

    def __post_init__(self) -> None:
        if self.steps < 1 or self.rate <= 0 or self.clamp <= 0:
            raise InvalidInputError("steps, rate and clamp must be positive.")


@dataclass(frozen=True, slots=True)
class Values:
    """The result for n facts.

    Attributes:
        initial: [n, d] what the place said before.
        value: [n, d] what it shall say.
        loss: [n] at the end.
    """

    initial: Tensor
    value: Tensor
    loss: Tensor


def optimise(lm: LM, facts: Sequence[Fact], *, layer: int, inside: bool, how: Descent) -> Values:
    """Find the value of each fact; facts do not influence each other.

    Args:
        lm: The model.
        facts: With their contexts.
        layer: Where.
        inside: Add to the output of the layer's ``mlp_out`` (True), or to that of the block.
        how: The descent.
    """
    parts: list[Values] = []
    chunk: list[Fact] = []
    for each in facts:
        if chunk and _count_padded([*chunk, each]) > _TOKENS:
            parts.append(_Descent(lm, chunk, layer, inside, how).run())
            report(sum(len(part.loss) for part in parts))
            chunk = []
        chunk.append(each)
    parts.append(_Descent(lm, chunk, layer, inside, how).run())
    return Values(*(torch.cat([getattr(p, n) for p in parts]) for n in Values.__slots__))


def _count_padded(facts: Sequence[Fact]) -> int:
    rows = [row for fact in facts for row in (*fact.rows, fact.essence)]
    return len(rows) * max(len(row.ids) for row in rows)


class _Descent:
    """The facts of one chunk, optimised side by side."""

    def __init__(
        self, lm: LM, facts: Sequence[Fact], layer: int, inside: bool, how: Descent
    ) -> None:
        self.lm, self.how, self.facts = lm, how, facts
        self.site = lm.sites.mlp_out(layer) if inside else None
        self.rows = [row for fact in facts for row in (*fact.rows, fact.essence)]
        self.owner = torch.tensor([i for i, f in enumerate(facts) for _ in range(len(f.rows) + 1)])
        self.is_essence = torch.tensor([row is facts[o].essence for row, o in self._pair_owners()])
        # The essence ("{subject} is a") has weight 0: it counts in the divergence only.
        columns = [row.column for row in self.rows]
        self.weight = torch.cat([torch.cat([f.emphasis, torch.zeros(1)]) for f in facts])
        ids = [row.ids for row in self.rows]
        # A value inside the block changes that block; one behind it, what enters the next.
        self.passing = Pass(lm, ids, first=layer + (not inside), starts=columns)
        self.device = self.passing.entering.device
        self.offset = self.passing.offset.cpu()
        self.column = torch.tensor(columns) - self.offset

    def _pair_owners(self) -> list[tuple[Sequenced, int]]:
        return list(zip(self.rows, self.owner.tolist(), strict=True))

    def run(self) -> Values:
        how, initial = self.how, self._initial()
        delta = torch.zeros_like(initial, requires_grad=True)
        optimiser = torch.optim.Adam([delta], lr=how.rate)
        value, final = initial.clone(), torch.full((len(initial),), float("inf"))
        active = torch.arange(len(self.facts))
        unedited: Tensor | None = None
        for step in range(how.steps):
            nll, essence = self._forward(delta, active)
            if unedited is None:
                unedited = essence.detach()
            kl = F.kl_div(unedited[active], essence, log_target=True, reduction="none").sum(-1)
            # The norm over a squared norm: so in the authors' code (the paper has no decay).
            size = delta[active].norm(dim=1) / initial[active].norm(dim=1).square()
            loss = nll + (how.kl * kl + how.decay * size).cpu()
            done = (loss.detach() < how.stop) | (step == how.steps - 1)
            ended = active[done]
            value[ended] = (initial + delta.detach())[ended]
            final[active] = loss.detach()
            if done.all():
                break
            # A sum over facts: each one's gradient, and so Adam's step, is as if it were alone.
            keep, active = loss[~done].sum(), active[~done]
            (delta.grad,) = torch.autograd.grad(keep, delta)
            optimiser.step()
            self._project(delta, initial)
        return Values(initial.cpu(), value.cpu(), final)

    def _project(self, delta: Tensor, initial: Tensor) -> None:
        with torch.no_grad():
            most = self.how.clamp * initial.norm(dim=1)
            delta *= (most / delta.norm(dim=1).clamp(min=1e-12)).clamp(max=1.0)[:, None]

    def _initial(self) -> Tensor:
        """[n, d] the value at the subject in the plain prompt, float32."""
        first = torch.tensor([self.owner.tolist().index(i) for i in range(len(self.facts))])
        column = self.column[first].to(self.device)
        if self.site is None:
            return self.passing.entering[first.to(self.device), column].float()
        seen: list[Tensor] = []

        def read(x: Tensor, y: Tensor) -> None:
            seen.append(y[torch.arange(len(y), device=y.device), column].float())

        with torch.no_grad():
            self.passing.run(
                first.to(self.device), after={self.site: read}, last=self.passing.first
            )
        return seen[0]

    def _forward(self, delta: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """([a] weighted NLL, [a, V] log-probabilities at the essence) of the active facts."""
        rows = torch.isin(self.owner, active).nonzero()[:, 0]
        owner, column = self.owner[rows].to(self.device), self.column[rows].to(self.device)
        at = torch.arange(len(rows), device=self.device)

        def add_values(x: Tensor, y: Tensor) -> Tensor:
            change = torch.zeros_like(y).index_put((at, column), delta[owner].to(y.dtype))
            return y + change

        chosen = rows.to(self.device)
        if self.site is None:
            entering = self.passing.entering[chosen]
            hidden = self.passing.run(chosen, entering=add_values(entering, entering))
        else:
            hidden = self.passing.run(chosen, after={self.site: add_values})
        return self._losses(hidden, rows, active)

    def _losses(self, hidden: Tensor, rows: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        at, place, token = places_of([self.rows[i] for i in rows.tolist()])  # essences have none
        essence = self.is_essence[rows].nonzero()[:, 0]
        which = torch.cat([at, essence]).to(self.device)
        column = torch.cat([place - self.offset[rows][at], self.column[rows][essence]])
        logs = log_probs(self.lm, hidden[which, column.to(self.device)])
        nll = -logs[: len(at)].gather(-1, token.to(self.device)[:, None])[:, 0].cpu()
        lengths = torch.bincount(at, minlength=len(rows)).clamp(min=1)
        share = self.weight[rows][at] / lengths[at]
        fact = torch.searchsorted(active, self.owner[rows][at])
        total = torch.zeros(len(active)).index_add(0, fact, nll * share)
        return total, logs[len(at) :]
