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

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.progress import count_done
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Fact, require_subject
from memedit.editors.weights.base import check_layers, low_rank
from memedit.editors.weights.closed_forms import Moment, solve_through
from memedit.editors.weights.locating import LOCATED, Locating
from memedit.editors.weights.statistics import moment_of
from memedit.editors.weights.values import optimise
from memedit.engine.passes import observe

VARIANTS = ("r", "original", "p")


@dataclass(frozen=True, slots=True)
class Insertion:
    """One solved edit: key k* [f], value v* [d], and the change ``v u^T`` of W; float64."""

    key: Tensor
    value: Tensor
    u: Tensor
    v: Tensor
    loss: float


@holds_settings
class Rome(Locating):
    """Rank-one editing of one ``mlp_out``.

    Several edits at once are made one after the other, each on the model with those before.

    Attributes:
        layer: Which; None for a sixth of the depth.
        variant: ``"r"``: k* everywhere (r-ROME); ``"original"``: as the published code; ``"p"``:
            the plain prompt's key everywhere.

    The others are of :class:`~memedit.editors.weights.locating.Locating`. As published:
    ``Rome(variant="original", plain=None, emphasis=None, prefixes=20)``; here the plain prompt has
    half the weight, in key and loss.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "rome"
    layer: int | None = None
    variant: str = "r"
    emphasis: float | None = 0.5
    clamp: float = 4.0

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise InvalidInputError(f"variant must be one of {', '.join(VARIANTS)}.")
        super().__post_init__()

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One rank-one term per edit, in order, each fitted on the model with those before.

        Raises:
            InvalidEditError: an edit without subject or target.
            StatisticsError: there are no second moments of the layer.
        """
        for edit in edits:
            require_subject(edit)
        chosen = lm.sites.layers // LOCATED if self.layer is None else self.layer
        (layer,) = check_layers(lm, [chosen])
        site = lm.sites.mlp_out(layer)
        moment = moment_of(lm, layer, self.statistics)
        payloads: list[Payload] = []
        for edit in count_done(edits):
            made = self.insertion(lm, self.facts(lm, [edit])[0], layer, moment)
            terms = low_rank(site, made.u[None], made.v[None])
            payloads.append({**terms, "loss": made.loss, "statistics": moment.digest})
            if len(payloads) < len(edits):
                lm = lm.shadow({site: torch.outer(made.v, made.u).float()})
        return payloads

    def insertion(self, lm: LM, about: Fact, layer: int, moment: Moment) -> Insertion:
        """Key, value and rank-one change of one fact."""
        found = optimise(lm, [about], layer=layer, inside=True, how=self.descent())
        site = lm.sites.mlp_out(layer)
        rows = about.rows
        keys, outputs = observe(lm, [r.ids for r in rows], [r.column for r in rows], [site])[site]
        weights = about.weights.double()
        # On the CPU: some accelerators know no float64, and the matrices are solved in it.
        keys, outputs = keys.double().cpu(), outputs.double().cpu()
        key, said = weights @ keys, weights @ outputs
        value = found.value[0].double()
        if self.variant == "p":
            key, said = keys[0], outputs[0]
        u = solve_through(key, moment)
        v = value - said
        if self.variant == "original":
            v = (value - outputs[0]) / (keys[0] @ u)
        return Insertion(key, value, u, v, float(found.loss[0]))
