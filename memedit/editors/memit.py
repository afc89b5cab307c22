"""MEMIT: mass-editing memory in a transformer (Meng et al. 2023, arXiv 2210.07229), and EMMET
(Gupta et al. 2024, arXiv 2403.14236) for one layer.

For every fact a vector z is found that the residual stream shall have at the subject after the last
of several layers. The layers then share the way to it: each takes an equal part of what is left,
R, and changes its ``mlp_out`` by the regularised least squares D = R K^T (weight C + K K^T)^-1.

``method="emmet"`` replaces the least squares at a single layer by the equality D K = R. In key and
value the contexts count as in the code of the authors: the plain prompt is half of the key
(``compute_ks.py``), and one of six in the loss (``compute_z.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import require_subject
from memedit.editors.weights.base import check_layers
from memedit.editors.weights.closed_forms import exact, ridge
from memedit.editors.weights.locating import LOCATED, Locating
from memedit.editors.weights.spreading import default_layers, payloads_of, spread
from memedit.editors.weights.statistics import moments_of
from memedit.editors.weights.values import optimise

METHODS = ("memit", "emmet")
SHRINKAGE = 0.4
"""The weight of C by default, in units of f. A fraction k^T C^-1 k / (weight + k^T C^-1 k) of an
edit is realised and k^T C^-1 k is f for an average key: 0.71 here, so that more is written and less
kept than with the papers' 15,000, which is 0.92 f for GPT-J (0.52) and 1.36 f for Llama 7B (0.42).
The number itself leaves a model of f = 1,536 as good as unedited (0.09)."""


@holds_settings
class Memit(Locating):
    """Least-squares editing of several layers, many facts at once.

    Attributes:
        layers: Which; None for five from a tenth of the depth.
        method: ``"memit"``, or ``"emmet"`` (then one layer).
        weight: Of C; None: ``shrinkage`` times the number of neurons. The papers: 15,000 to 20,000.
        shrinkage: That weight in units of the number of neurons (published: 0.92 to 3.1).
        jitter: EMMET's, on the diagonal of K^T C^-1 K where there are several facts; the code of
            its authors scales C by 1,000 for GPT2-XL, which makes 100 of its 0.1.

    The others are of :class:`~memedit.editors.weights.locating.Locating`.

    Raises:
        InvalidInputError: a setting out of range, or EMMET with several layers.
    """

    name: ClassVar[str] = "memit"
    layers: tuple[int, ...] | None = None
    method: str = "memit"
    weight: float | None = None
    shrinkage: float = SHRINKAGE
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))
        if self.method not in METHODS:
            raise InvalidInputError(f"method must be one of {', '.join(METHODS)}.")
        if min(self.shrinkage, 1.0 if self.weight is None else self.weight) <= 0:
            raise InvalidInputError("weight and shrinkage must be positive.")
        if self.jitter < 0:
            raise InvalidInputError("jitter must not be negative.")
        if self.method == "emmet" and self.layers is not None and len(self.layers) != 1:
            raise InvalidInputError("EMMET edits one layer.", hint="layers=(5,)")
        super().__post_init__()

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit; together they are the joint solution of all.

        Raises:
            InvalidEditError: an edit without subject or target.
            StatisticsError: there are no second moments of a layer.
        """
        for edit in edits:
            require_subject(edit)
        layers = self._layers(lm)
        moments = moments_of(lm, layers, self.statistics)
        facts = self.facts(lm, edits)
        found = optimise(lm, facts, layer=layers[-1], inside=False, how=self.descent())

        def solve(layer: int, keys: Tensor) -> Tensor:
            if self.method == "emmet":
                return exact(keys, moments[layer], self.jitter)
            weight = self.shrinkage * len(keys) if self.weight is None else self.weight
            return ridge(keys, moments[layer], weight)

        steps = spread(lm, facts, found, layers, solve)
        used = ",".join(moment.digest for moment in moments.values())
        return payloads_of(lm, steps, found.loss, {"statistics": used})

    def _layers(self, lm: LM) -> list[int]:
        if self.layers is None:
            if self.method == "emmet":  # one layer, as ROME, of which it is the form for many facts
                return check_layers(lm, [lm.sites.layers // LOCATED])
            return check_layers(lm, default_layers(lm.sites.layers))
        return check_layers(lm, self.layers)
