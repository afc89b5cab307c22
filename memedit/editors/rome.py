"""ROME: rank-one model editing (Meng et al. 2022, arXiv 2202.05262), in the consistent form of
r-ROME (Gupta & Anumanchipalli 2024, arXiv 2403.07175).

The map out of one feed-forward layer, W, is taken for a memory of key-value pairs. An edit's *key*
k* is what W reads at the subject's last token, averaged over contexts; its *value* v* is found by
gradient descent; then W' = W + (v* - W k*) u^T with u = C^-1 k* / (k*^T C^-1 k*) says v* at k*, and
changes as little as possible of what W says to ordinary keys, whose second moment is C.

The published code divides by the key of the plain prompt where the derivation has k*
(``variant="original"``); single edits then disable the model now and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memedit.editors._facts import Fact, contexts, fact, needed
from memedit.editors._solve import Moment, through
from memedit.editors._statistics import AUTO, moment_of
from memedit.editors._values import Descent, optimise
from memedit.editors._weights import WeightEditor, checked_layers, low_rank
from memedit.errors import InvalidInputError
from memedit.passes import observe
from memedit.protocols import LM
from memedit.types import Edit, Payload

VARIANTS = ("r", "original", "p")
_DEPTH = 6
"""The layer by default: a sixth of the depth (5 of 28, 30 or 32; 8 of 48)."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """One solved edit: key k* [f], value v* [d], and the change ``v u^T`` of W; float64."""

    key: Tensor
    value: Tensor
    u: Tensor
    v: Tensor
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rome(WeightEditor):
    """Rank-one editing of one ``mlp_out``.

    Several edits at once are made one after the other, each on the model with those before.

    Attributes:
        layer: Which; None for a sixth of the depth.
        variant: ``"r"``: k* everywhere (r-ROME); ``"original"``: as the published code; ``"p"``:
            the plain prompt's key everywhere.
        prefixes: Sampled contexts besides the plain prompt (the paper: 20).
        plain: Weight of the plain prompt among the contexts, in key and loss; None: as the others
            (the paper).
        steps, rate, kl, decay, clamp, stop: Of the descent (:class:`._values.Descent`).
        statistics: ``"auto"``, ``"identity"``, a file or a folder (:func:`._statistics.moment_of`).
        seed: Of the contexts.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "rome"
    needs: ClassVar[frozenset[str]] = frozenset({"subject", "target"})
    layer: int | None = None
    variant: str = "r"
    prefixes: int = 5
    plain: float | None = 0.5
    steps: int = 20
    rate: float = 0.5
    kl: float = 0.0625
    decay: float = 0.5
    clamp: float = 4.0
    stop: float = 0.05
    statistics: str = AUTO
    seed: int = 0

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise InvalidInputError(f"variant must be one of {', '.join(VARIANTS)}.")
        if self.prefixes < 0 or (self.plain is not None and not 0 < self.plain <= 1):
            raise InvalidInputError("prefixes must be at least 0, plain above 0 and at most 1.")
        self._descent()

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One rank-one term per edit, in order, each fitted on the model with those before.

        Raises:
            InvalidEditError: an edit without subject or target.
            StatisticsError: there are no second moments of the layer.
        """
        for edit in edits:
            needed(edit)
        chosen = lm.sites.layers // _DEPTH if self.layer is None else self.layer
        (layer,) = checked_layers(lm, [chosen])
        site = lm.sites.mlp_out(layer)
        moment = moment_of(lm, layer, self.statistics)
        templates = contexts(lm, self.prefixes, self.seed)
        payloads: list[Payload] = []
        for edit in edits:
            made = self.insertion(lm, fact(lm, edit, templates, self.plain), layer, moment)
            terms = low_rank(site, made.u[None], made.v[None])
            payloads.append({**terms, "loss": made.loss, "statistics": moment.digest})
            if len(payloads) < len(edits):
                lm = lm.shadow({site: torch.outer(made.v, made.u).float()})
        return payloads

    def insertion(self, lm: LM, about: Fact, layer: int, moment: Moment) -> Insertion:
        """Key, value and rank-one change of one fact."""
        found = optimise(lm, [about], layer=layer, inside=True, how=self._descent())
        site = lm.sites.mlp_out(layer)
        rows = about.rows
        keys, outputs = observe(lm, [r.ids for r in rows], [r.column for r in rows], [site])[site]
        weights = about.weights.double()
        keys, outputs = keys.double().cpu(), outputs.double().cpu()
        key, said = weights @ keys, weights @ outputs
        value = found.value[0].double()
        if self.variant == "p":
            key, said = keys[0], outputs[0]
        u = through(key, moment)
        v = value - said
        if self.variant == "original":
            v = (value - outputs[0]) / (keys[0] @ u)
        return Insertion(key, value, u, v, float(found.loss[0]))

    def _descent(self) -> Descent:
        return Descent(
            steps=self.steps, rate=self.rate, kl=self.kl, decay=self.decay, clamp=self.clamp,
            stop=self.stop,
        )  # fmt: skip
