"""CaliNET: a small side network that calibrates a batch of facts (Dong et al. 2022,
arXiv 2210.03329).

``y + relu(x W1^T) W2^T`` beside the last feed-forward layer, with K slots, trained on several
wordings of every fact. W2 begins at zero, so that the untrained network is the identity. The slots
are dealt out to the facts' payloads; where all edits are in scope (``scope="everything"``, as in
the paper) they are one network, which is taken back as one. Behind a scope each edit is a network
of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean as mean
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch, Call
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.progress import report
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import (
    PLAIN,
    Sequenced,
    sample_contexts,
    sequence_edit,
    sequence_prompt,
)
from memedit.editors.beside.targets import Targets, feed_forward, sites, to_cpu
from memedit.engine.interventions import SideFFN


@holds_settings
class Calinet:
    """One side network for the edits made together.

    Attributes:
        slots: K, at most.
        per_fact: Slots for each fact, up to ``slots``: few facts need no more.
        prefixes: Contexts sampled from the model that each fact is trained in, besides its plain
            prompt and its ``queries``.
        steps: Batches, at most.
        rate: Of Adam.
        batch: Wordings in one.
        stop: The mean loss over all of them at which it ends.
        end: The end of the answer is trained, too.
        seed: Of W1, the contexts and the order.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "calinet"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    ungated: ClassVar[str] = "everything"
    """The scope of the paper: the network stands beside the layer whatever is asked."""
    joint: ClassVar[bool] = True
    slots: int = 64
    per_fact: int = 8
    prefixes: int = 4
    steps: int = 500
    rate: float = 5e-3
    batch: int = 64
    stop: float = 1e-2
    end: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.slots, self.per_fact, self.steps, self.batch) < 1 or self.rate <= 0:
            raise InvalidInputError("slots, per_fact, steps, batch and rate must be positive.")
        if self.prefixes < 0:
            raise InvalidInputError("prefixes must not be negative.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Each edit's slots of one network, trained on all of them.

        Raises:
            InvalidEditError: an edit without a target.
            UnsupportedArchitectureError: a model without a feed-forward module (OPT).
        """
        if not edits:
            return []
        layer = lm.sites.layers - 1
        site = feed_forward(lm, layer)
        network = Network.fresh(lm, site, self._slots(len(edits)), self.seed)
        earlier = Network.of([r.payloads.get(self.name, {}) for r in lm.records], site)
        rows = [row for edit in edits for row in self.wordings(lm, edit)]
        loss = self._train(lm, rows, layer, site, network, earlier, len(edits))
        return [
            {
                # Every n-th slot: each fact gets as many, give or take one.
                f"{site}/w1": to_cpu(network.w1[i :: len(edits)]),
                f"{site}/w2": to_cpu(network.w2[i :: len(edits)]),
                "loss": loss,
            }
            for i in range(len(edits))
        ]

    def _slots(self, facts: int) -> int:
        return min(self.slots, self.per_fact * facts)

    def wordings(self, lm: LM, edit: Edit) -> list[Sequenced]:
        """What one fact is trained on: prompt and queries, plain and in sampled contexts."""
        target, asked = edit.target_new, partial(sequence_prompt, lm, end=self.end)
        found = [sequence_edit(lm, edit, end=self.end)]
        for query in edit.queries:
            if query != edit.prompt:
                found.append(asked(query, target, None))
        for template in sample_contexts(lm, self.prefixes, self.seed) if self.prefixes else ():
            if template != PLAIN:
                found.append(asked(edit.prompt, target, None, template))
        return found

    def _train(
        self,
        lm: LM,
        rows: Sequence[Sequenced],
        layer: int,
        site: str,
        network: Network,
        earlier: Network | None,
        facts: int,
    ) -> float:
        """Train in place; the mean loss of the last pass over the wordings."""
        stream = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(rows), generator=stream).tolist()
        parts = [
            Targets(lm, [rows[i] for i in order[start : start + self.batch]], first=layer)
            for start in range(0, len(rows), self.batch)
        ]
        leaves = [network.w1.requires_grad_(), network.w2.requires_grad_()]
        optimiser = torch.optim.Adam(leaves, lr=self.rate)

        def add_change(x: Tensor, y: Tensor) -> Tensor:
            change = network(x) if earlier is None else network(x) + earlier(x)
            return y + change.to(y.dtype)

        losses: list[float] = []
        for step in range(self.steps):
            report(facts * step // self.steps)
            loss = parts[step % len(parts)].nll({site: add_change}).mean()
            # Weighted by its wordings: the last part may have fewer.
            losses.append(float(loss.detach()) * len(parts[step % len(parts)]))
            if step % len(parts) == len(parts) - 1 and self._mean(losses, parts) < self.stop:
                break
            for leaf, grad in zip(leaves, torch.autograd.grad(loss, leaves), strict=True):
                leaf.grad = grad
            optimiser.step()
        return self._mean(losses, parts)

    @staticmethod
    def _mean(losses: Sequence[float], parts: Sequence[Targets]) -> float:
        return sum(losses[-len(parts) :]) / sum(map(len, parts))

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """The call with the network, or what each row's edits have of it, beside the layer."""
        forms = [
            SideFFN(site=site, editor=self.name, key=f"{site}/")
            for site in sites(batch, self.name, "w1")
        ]
        return call(batch.intervene(*forms) if forms else batch)


@dataclass(frozen=True, slots=True)
class Network:
    """``relu(x W1^T) W2``.

    Attributes:
        w1: [K, d_in].
        w2: [K, d_out]: the columns of the paper's W2.
    """

    w1: Tensor
    w2: Tensor

    @classmethod
    def fresh(cls, lm: LM, site: str, slots: int, seed: int) -> Network:
        """W1 as Kaiming (2015) begins it for ReLU, W2 zero: the identity."""
        width = lm.base.get_input_embeddings().weight.shape[1]
        # On the CPU: from the same seed a GPU draws other numbers.
        stream = torch.Generator().manual_seed(seed)
        bound = math.sqrt(6 / width)
        w1 = (torch.rand(slots, width, generator=stream) * 2 - 1) * bound
        device = lm.base.device
        return cls(w1.to(device), torch.zeros(slots, width, device=device))

    @classmethod
    def of(cls, payloads: Sequence[Payload], site: str) -> Network | None:
        """The network whose slots these payloads hold; None if they hold none."""
        held = [p for p in payloads if f"{site}/w1" in p]
        if not held:
            return None
        return cls(
            *(torch.cat([torch.as_tensor(p[f"{site}/{n}"]) for p in held]) for n in ("w1", "w2"))
        )

    def __call__(self, x: Tensor) -> Tensor:
        hidden = torch.relu(x.to(self.w1.dtype) @ self.w1.to(x.device).T)
        return hidden @ self.w2.to(x.device)


def cka(right: Sequence[float], distractors: Sequence[float], smoothing: float = 0.0) -> float:
    """CKA score of a fact: below 1 the model holds it for false (the paper's eq. 1).

    Args:
        right: P(o | s, r) in several wordings of the relation.
        distractors: P(o | s, r') for wordings of other relations.
        smoothing: alpha, added to the mean of the distractors.

    Raises:
        InvalidInputError: no wording, or no distractor.
    """
    if not right or not distractors:
        raise InvalidInputError("A CKA score needs wordings of the relation, and distractors.")
    return mean(right) / (mean(distractors) + smoothing)
