"""KN: knowledge neurons (Dai et al. 2022, arXiv 2104.08696).

Integrated gradients attribute the probability of the answer to single neurons of the feed-forward
layers; those found in most wordings of the fact are *its* neurons. Their columns of ``mlp_out``
are then rewritten from the old answer's embedding to the new one's (or switched off, or doubled).

The authors' form (``src/6_edit_knowledge_sampled.py``): neurons that more than a tenth of the
relation's facts share are dropped, and each column changes by ``lambda_1 = 1`` and ``lambda_2 = 8``
times its own norm along the two embeddings. Ports for GPT models (EleutherAI's, and so ROME's and
EasyEdit's) take twice the bare embeddings and drop nothing: ``form="port"``.

A neuron is an input of ``mlp_out``, so that what is attributed and what is rewritten are one unit
(the ports hook other tensors).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Row
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.progress import count_done
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import sample_contexts, sequence_edit
from memedit.editors.beside.negatives import STRANGERS
from memedit.editors.weights.base import WeightEditor, weight_of
from memedit.engine.passes import Pass, log_probs, observe

EDIT, SUPPRESS, ENHANCE = "edit", "suppress", "enhance"
AUTHORS, PORT = "authors", "port"
_FACTORS = {AUTHORS: (1.0, 8.0), PORT: (2.0, 2.0)}
"""form -> (lambda 1, lambda 2)"""
_STEP = 0.05
Neuron = tuple[int, int]
"""(layer, unit)"""


@holds_settings
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
        form: ``"authors"``: the two factors are in units of the column's norm, 1 and 8; shared
            neurons are dropped. ``"port"``: in units of the embeddings, 2 and 2; nothing is.
        old, new: How much of each embedding (lambda 1 and 2); None: by the form.
        common: A neuron is dropped that more than this share of the relation's other facts has;
            where that leaves none, those stay that the fewest have.
        others: How many other facts that is: the edit's own words about other subjects, with what
            the model says of them (the authors have the relation's facts of a data set). They are
            looked at once for all edits of one wording.
        known: Leave facts alone of which the model does not say the true answer (the authors'
            measurements have none of them).
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
    form: str = AUTHORS
    old: float | None = None
    new: float | None = None
    common: float = 0.1
    others: int = 10
    known: bool = False
    embedding: str = "head"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.operation not in {EDIT, SUPPRESS, ENHANCE}:
            raise InvalidInputError(f"operation must be {EDIT}, {SUPPRESS} or {ENHANCE}.")
        if self.embedding not in {"head", "input"}:
            raise InvalidInputError("embedding must be head or input.")
        if self.steps < 2 or not 0 < self.threshold < 1 or not 0 < self.share < 1:
            raise InvalidInputError("steps must be at least 2, threshold and share in (0, 1).")
        if self.form not in _FACTORS:
            raise InvalidInputError(f"form must be {AUTHORS} or {PORT}.")
        if not 0 <= self.common <= 1 or not 0 <= self.others <= len(STRANGERS) - 1:
            raise InvalidInputError(f"common must be in [0, 1], others 0 to {len(STRANGERS) - 1}.")
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
        answer, said = self.answer(lm, edit), self._find_own_answer(lm, edit)
        if self.known and answer[0] != said[0]:
            return {"left": "unknown"}
        payload: dict[str, Tensor | str | float] = {}
        by_layer: dict[int, list[int]] = {}
        for layer, unit in self.neurons(lm, edit, answer):
            by_layer.setdefault(layer, []).append(unit)
        for layer, units in sorted(by_layer.items()):
            site = lm.sites.mlp_out(layer)
            columns = weight_of(lm, site)[:, units].T.detach().float().cpu()
            payload[f"{site}/units"] = torch.tensor(units)[:, None]
            payload[f"{site}/values"] = self._values(lm, columns, target, said)
            payload[f"{site}/width"] = weight_of(lm, site).shape[1]
        return payload

    def _values(self, lm: LM, columns: Tensor, target: Tensor, said: Tensor) -> Tensor:
        """[m, d_out] what is added to the columns [m, d_out]."""
        if self.operation != EDIT:
            return ((-1.0 if self.operation == SUPPRESS else 1.0) * columns).contiguous()
        head = lm.base.get_output_embeddings()
        table = (head if self.embedding == "head" else lm.base.get_input_embeddings()).weight
        rows: Tensor = table.detach().float().cpu()
        new, old = rows[target].sum(0), rows[int(said[0])]
        less, more = self._factors()
        if self.form == AUTHORS:
            # In units of the column: an embedding's own norm says nothing of what a layer writes.
            new, old = new / new.norm(), old / old.norm()
            norms = columns.norm(dim=1, keepdim=True)
        else:
            norms = torch.ones(len(columns), 1)
        values: Tensor = norms * (more * new - less * old)
        return values.contiguous()

    def _factors(self) -> tuple[float, float]:
        """(lambda 1 of what goes, lambda 2 of what comes)."""
        less, more = _FACTORS[self.form]
        return less if self.old is None else self.old, more if self.new is None else self.new

    def answer(self, lm: LM, edit: Edit) -> Tensor:
        """[n] what the fact's neurons stand for: the true target where it is known, else the
        model's own next token."""
        if edit.target_true is not None:
            row = Row(edit.prompt, target=edit.target_true)
            _, target = lm.codec.with_target(row, prefixed=False)
            return target
        return self._find_own_answer(lm, edit)

    @staticmethod
    def _find_own_answer(lm: LM, edit: Edit) -> Tensor:
        """[1] the model's own next token."""
        ids = lm.codec.prompt(Row(edit.prompt), prefixed=False)
        site = lm.sites.block(-1)
        _, state = observe(lm, [ids], [len(ids) - 1], [site])[site]
        with torch.no_grad():
            said: Tensor = log_probs(lm, state.to(lm.base.dtype)).argmax(-1).cpu()
        return said

    # Which neurons

    def neurons(self, lm: LM, edit: Edit, answer: Tensor) -> list[Neuron]:
        """The refined set, less what other facts of the relation share (the authors' form)."""
        found = self.find_refined(lm, edit, answer)
        template = edit.template
        if self.form != AUTHORS or template is None or not self.others:
            return found
        names = [name for name in STRANGERS if name != edit.subject][: self.others]
        return self.drop_common(found, [self._relation(lm, template, name) for name in names])

    def drop_common(
        self, found: Sequence[Neuron], others: Sequence[Sequence[Neuron]]
    ) -> list[Neuron]:
        """The neurons that at most the share ``common`` of the other facts have, or the rarest."""
        counts = Counter(neuron for each in others for neuron in set(each))
        most = max(self.common * len(others), min(counts[neuron] for neuron in found))
        return [neuron for neuron in found if counts[neuron] <= most]

    def _relation(self, lm: LM, template: str, name: str) -> list[Neuron]:
        """The refined set of the relation's fact about another subject, in the unedited model."""
        # It is enough to know roughly which neurons ten facts share: a quarter of the steps and
        # two wordings. Looking as closely as at the edit would take ten times as long as it does.
        light = replace(self, steps=max(2, self.steps // 4), prefixes=min(1, self.prefixes))
        key = ("kn", lm.fingerprint, template, name, light)
        if key not in lm.kept:
            # Its target does not count.
            edit = Edit(template.replace("{}", name), name, subject=name)
            lm.kept[key] = light.find_refined(
                lm.original, edit, self._find_own_answer(lm.original, edit)
            )
        known: list[Neuron] = lm.kept[key]
        return known

    def find_refined(self, lm: LM, edit: Edit, answer: Tensor) -> list[Neuron]:
        """Neurons that count in most wordings of the fact."""
        templates = sample_contexts(lm, self.prefixes, self.seed)
        prompts = [template.replace("{}", edit.prompt) for template in templates]
        prompts += [query for query in edit.queries if query != edit.prompt]
        coarse = [self.find_coarse(lm, prompt, answer) for prompt in prompts]
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

    def find_coarse(self, lm: LM, prompt: str, answer: Tensor) -> list[Neuron]:
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
