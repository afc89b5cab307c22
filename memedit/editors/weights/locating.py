"""What ROME, MEMIT and AlphaEdit share: contexts, the descent, where the statistics are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.editors._sequences import Fact, sample_contexts, sequence_fact
from memedit.editors.weights.base import WeightEditor
from memedit.editors.weights.statistics import AUTO, IDENTITY
from memedit.editors.weights.values import Descent

LOCATED = 6
"""The one layer of ROME and EMMET by default: a sixth of the depth (5 of 28 to 32; 8 of 48)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locating(WeightEditor):
    """Editing where the subject is read.

    Attributes:
        prefixes: Sampled contexts besides the plain prompt.
        plain: Weight of the plain prompt among the contexts, in the key; None: as the others.
        emphasis: Its weight in the loss of the value; None: as the others, as in the papers' code.
        steps, rate, kl, decay, clamp, stop: Of the descent (:class:`Descent`).
        statistics: ``"auto"``, ``"identity"``, a file or a folder
            (:func:`memedit.editors.weights.statistics.moment_of`).
        seed: Of the contexts.

    Raises:
        InvalidInputError: a setting out of range.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"subject", "target"})
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"statistics": (AUTO, IDENTITY)}
    prefixes: int = 5
    plain: float | None = 0.5
    emphasis: float | None = None
    steps: int = 20
    rate: float = 0.5
    kl: float = 0.0625
    decay: float = 0.5
    clamp: float = 0.75
    stop: float = 0.05
    statistics: str = AUTO
    seed: int = 0

    def __post_init__(self) -> None:
        shares = [share for share in (self.plain, self.emphasis) if share is not None]
        if self.prefixes < 0 or not all(0 < share <= 1 for share in shares):
            raise InvalidInputError(
                "prefixes must be at least 0, plain and emphasis above 0 and at most 1."
            )
        self.descent()

    def descent(self) -> Descent:
        """How values are found."""
        return Descent(
            steps=self.steps, rate=self.rate, kl=self.kl, decay=self.decay, clamp=self.clamp,
            stop=self.stop,
        )  # fmt: skip

    def facts(self, lm: LM, edits: Sequence[Edit]) -> list[Fact]:
        """The edits in their contexts.

        Raises:
            InvalidEditError: one without subject or target.
        """
        templates = sample_contexts(lm, self.prefixes, self.seed)
        return [sequence_fact(lm, edit, templates, self.plain, self.emphasis) for edit in edits]
