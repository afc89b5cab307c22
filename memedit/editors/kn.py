"""KN: knowledge neurons (Dai et al. 2022, arXiv 2104.08696).

Integrated gradients attribute the probability of the answer to single neurons of the feed-forward
layers; those found in most wordings of the fact are *its* neurons. Their columns of ``mlp_out``
are then rewritten from the old answer's embedding to the new one's (or switched off, or doubled).

A neuron is an input of ``mlp_out``, so that what is attributed and what is rewritten are one unit
(the released code hooks other tensors on models other than BERT).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Row
from memedit.core.errors import InvalidInputError
from memedit.core.progress import count_done
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import sample_contexts, sequence_edit
from memedit.editors.weights.base import WeightEditor, weight_of
from memedit.engine.passes import Pass, log_probs, observe

EDIT, SUPPRESS, ENHANCE = "edit", "suppress", "enhance"
_STEP = 0.05
Neuron = tuple[int, int]
"""(layer, unit)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kn(WeightEditor):
    """Rewriting the columns of a fact's knowledge neurons.

    Attributes:
        operation: ``"edit"``: the old answer's embedding out, the new one's in; ``"suppress"``: the
            columns to zero; ``"enhance"``: the columns doubled.
        steps: Of the integral (m).
        threshold: A neuron counts for a prompt from this share of the largest attribution (t).
        share: It is the fact's when it counts for more than this share of the prompts (p); moved
            until there are ``fewest`` to ``most``.
        fewest, most: Neurons wanted.
        prefixes: Sampled contexts that serve as further wordings, besides the edit's ``queries``.
        old, new: How much of each embedding (lambda 1 and 2).
        embedding: ``"head"``: the rows of the output projection, which reads what the columns
            write; ``"input"``: of the token embedding, as the released code (the same when tied).
        seed: Of the contexts.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "kn"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    operation: str = EDIT
    steps: int = 20
    threshold: float = 0.2
    share: float = 0.7
    fewest: int = 2
    most: int = 5
    prefixes: int = 4
    old: float = 2.0
    new: float = 2.0
    embedding: str = "head"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.operation not in {EDIT, SUPPRESS, ENHANCE}:
            raise InvalidInputError(f"operation must be {EDIT}, {SUPPRESS} or {ENHANCE}.")
        if self.embedding not in {"head", "input"}:
            raise InvalidInputError("embedding must be head or input.")
        if self.steps < 2 or not 0 < self.threshold < 1 or not 0 < self.share < 1:
            raise InvalidInputError("steps must be at least 2, threshold and share in (0, 1).")
        if not 1 <= self.fewest <= self.most:
            raise InvalidInputError("fewest must be at least 1 and at most most.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """The columns to add to, per layer, for each edit; edits do not know of each other.

        Raises:
            InvalidEditError: an edit without a target.
        """
        return [self._fit_edit(lm, edit) for edit in count_done(edits)]

    def _fit_edit(self, lm: LM, edit: Edit) -> Payload:
        target = sequence_edit(lm, edit).target
        old = self.answer(lm, edit)
        payload: dict[str, Tensor | str | float] = {}
        by_layer: dict[int, list[int]] = {}
        for layer, unit in self.neurons(lm, edit, old):
            by_layer.setdefault(layer, []).append(unit)
        change = self._change(lm, target, old)
        for layer, units in sorted(by_layer.items()):
            site = lm.sites.mlp_out(layer)
            payload[f"{site}/units"] = torch.tensor(units)[:, None]
            payload[f"{site}/values"] = self._values(weight_of(lm, site), units, change)
            payload[f"{site}/width"] = weight_of(lm, site).shape[1]
        return payload

    def _values(self, weight: Tensor, units: Sequence[int], change: Tensor) -> Tensor:
        """[m, d_out] what is added to the columns."""
        if self.operation == EDIT:
            return change[None].repeat(len(units), 1)
        sign = -1.0 if self.operation == SUPPRESS else 1.0
        return (sign * weight[:, list(units)].T).detach().float().cpu().contiguous()

    def _change(self, lm: LM, target: Tensor, old: Tensor) -> Tensor:
        """[d_out] -old E[first token of the answer] + new sum of E[tokens of the target]."""
        head = lm.base.get_output_embeddings()
        table = (head if self.embedding == "head" else lm.base.get_input_embeddings()).weight
        rows: Tensor = table.detach().float().cpu()
        return self.new * rows[target].sum(0) - self.old * rows[int(old[0])]

    def answer(self, lm: LM, edit: Edit) -> Tensor:
        """[n] what the fact's neurons stand for: the true target where it is known, else the
        model's own next token."""
        if edit.target_true is not None:
            row = Row(edit.prompt, target=edit.target_true)
            _, target = lm.codec.with_target(row, prefixed=False)
            return target
        ids = lm.codec.prompt(Row(edit.prompt), prefixed=False)
        site = lm.sites.block(-1)
        _, state = observe(lm, [ids], [len(ids) - 1], [site])[site]
        with torch.no_grad():
            said: Tensor = log_probs(lm, state.to(lm.base.dtype)).argmax(-1).cpu()
        return said

    # Which neurons

    def neurons(self, lm: LM, edit: Edit, answer: Tensor) -> list[Neuron]:
        """The refined set: neurons that count in most wordings of the fact."""
        templates = sample_contexts(lm, self.prefixes, self.seed)
        prompts = [template.replace("{}", edit.prompt) for template in templates]
        prompts += [query for query in edit.queries if query != edit.prompt]
        coarse = [self.coarse(lm, prompt, answer) for prompt in prompts]
        return self._refine(coarse)

    def _refine(self, coarse: Sequence[Sequence[Neuron]]) -> list[Neuron]:
        counts = Counter(neuron for found in coarse for neuron in found)

        def find_shared(share: float) -> list[Neuron]:
            return sorted(n for n, c in counts.items() if c > share * len(coarse))

        # Lowered until there are enough, then raised while there are too many.
        share = self.share
        while len(find_shared(share)) < self.fewest and share - _STEP > 0:
            share -= _STEP
        while len(find_shared(share)) > self.most and share + _STEP < 1:
            share += _STEP
        found = find_shared(share)
        # Better the most frequent neuron than no edit at all.
        return found or [max(counts, key=lambda n: (counts[n], n))]

    def coarse(self, lm: LM, prompt: str, answer: Tensor) -> list[Neuron]:
        """Neurons with at least ``threshold`` of the largest attribution for one prompt."""
        scores = self.attributions(lm, prompt, answer)
        found = (scores > self.threshold * scores.max()).nonzero()
        return [(int(layer), int(unit)) for layer, unit in found]

    def attributions(self, lm: LM, prompt: str, answer: Tensor) -> Tensor:
        """[layers, f] integrated gradients of P(answer token) at the prompt's last position, mean
        over the answer's tokens, each after those before it."""
        ids = lm.codec.prompt(Row(prompt), prefixed=False)
        total = [
            self._attribute(lm, torch.cat([ids, answer[:i]]), int(answer[i]))
            for i in range(len(answer))
        ]
        return torch.stack(total).mean(0)

    def _attribute(self, lm: LM, ids: Tensor, token: int) -> Tensor:
        last = len(ids) - 1
        sites = [lm.sites.mlp_out(layer) for layer in range(lm.sites.layers)]
        keys = observe(lm, [ids], [last], sites)
        # Only the last position changes: what is before it is run once for all steps of all layers.
        passing = Pass(lm, [ids], first=0, starts=[last])
        rows = torch.zeros(self.steps, dtype=torch.long, device=passing.entering.device)
        column = last - int(passing.offset[0])
        # Both ends: from a silent neuron to its full activation.
        scales = torch.linspace(0, 1, self.steps, device=rows.device)[:, None]
        scores = []
        for layer, site in enumerate(sites):
            key = keys[site][0].to(scales.device)
            scaled = (scales * key).requires_grad_()

            def place_scaled(args: Any, kwargs: Any, scaled: Tensor = scaled) -> Tensor:
                x: Tensor = args[0] if args else next(iter(kwargs.values()))
                x = x.clone()
                x[:, column] = scaled.to(x.dtype)
                return x

            with torch.enable_grad():
                hidden = passing.run(rows, begin=layer, before={site: place_scaled})
                chance = log_probs(lm, hidden[:, column])[:, token].exp()
                (slope,) = torch.autograd.grad(chance.sum(), scaled)
            scores.append((key[0] * slope.mean(0)).detach().float().cpu())
        return torch.stack(scores)
