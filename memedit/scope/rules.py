"""Scopes that need no training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Decision, Hit


@holds_settings
class Everything:
    """Every edit concerns every query: the ungated form of the weight editors' papers.

    ``wants_all`` asks the caller to pass all live edits as candidates, not the nearest ones.
    """

    name: ClassVar[str] = "everything"
    wants_all: ClassVar[bool] = True

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [Decision(tuple(hits), 1.0, 0.0, tuple(hits)) for hits in candidates]


@holds_settings
class Nearest:
    """The edit with the highest similarity always fires: retrieval without a gate."""

    name: ClassVar[str] = "nearest"

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [
            # No cosine is less: all of them fire, the nearest first.
            _fire(hits, [h.similarity for h in hits], [-1.0] * len(hits))
            for hits in candidates
        ]


@holds_settings
class Threshold:
    """Fires when the cosine of query and edit reaches ``similarity``. Simple, and not selective."""

    name: ClassVar[str] = "threshold"
    similarity: float = 0.8

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [
            _fire(hits, [h.similarity for h in hits], [self.similarity] * len(hits))
            for hits in candidates
        ]


@holds_settings
class Embed:
    """SERAC's scope classifier over embeddings (Mitchell et al. 2022, arXiv 2206.06520, 3.2).

    It fires when ``s = exp(-scale |query - edit|^2)`` exceeds ``similarity``. The authors train the
    encoder (DistilBERT) for it, and embed the edit with its answer; here it is the memory's encoder
    with unit vectors, so that the squared distance is 2 - 2 cos: at 0.5 and scale 1 it fires from a
    cosine of 1 - ln 2 / 2 = 0.653.

    Raises:
        InvalidInputError: a number out of range.
    """

    name: ClassVar[str] = "embed"
    similarity: float = 0.5
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.similarity < 1 or self.scale <= 0:
            raise InvalidInputError("similarity must be in (0, 1), scale positive.")

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [
            _fire(hits, [self._score(h) for h in hits], [self.similarity] * len(hits))
            for hits in candidates
        ]

    def _score(self, hit: Hit) -> float:
        return math.exp(-self.scale * (2 - 2 * hit.similarity))


@holds_settings
class Mention:
    """Fires when the query names the edit's subject and asks a similar thing of it.

    Needs no training. An edit with a subject fires when the subject is mentioned and the cosine
    with the subject masked reaches ``relation`` (or, unmentioned, when the texts are as good as
    equal: ``verbatim``). An edit without a subject has only the cosine of the texts:
    ``similarity``.
    """

    name: ClassVar[str] = "mention"
    relation: float = 0.3
    similarity: float = 0.6
    verbatim: float = 0.97

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [
            _fire(hits, [self._score(h) for h in hits], [self._threshold(h) for h in hits])
            for hits in candidates
        ]

    @staticmethod
    def _score(hit: Hit) -> float:
        return hit.similarity if hit.relation is None else hit.relation

    def _threshold(self, hit: Hit) -> float:
        if hit.relation is not None:
            return self.relation
        return self.similarity if hit.record.edit.subject is None else self.verbatim


def _fire(hits: Sequence[Hit], scores: Sequence[float], thresholds: Sequence[float]) -> Decision:
    """The hits that reach their threshold, by margin; a tie goes to the newer edit.

    The decision's score and threshold are those of the candidate with the largest margin.
    """
    order = sorted(
        range(len(hits)),
        key=lambda i: (scores[i] - thresholds[i], hits[i].record.sequence),
        reverse=True,
    )
    if not order:
        return Decision()
    best = order[0]
    return Decision(
        hits=tuple(replace(hits[i], role="asks") for i in order if scores[i] >= thresholds[i]),
        score=scores[best],
        threshold=thresholds[best],
        candidates=tuple(hits[i] for i in order),
    )
