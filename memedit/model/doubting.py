"""What a turn asks that doubts the answer before it: the edit that replaced what was answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from memedit.core.types import Decision, Hit

_SURE = 0.9
"""What the question before and the doubted answer must say together for an edit: the sum of both
probabilities."""


def put_doubted_first(own: Decision, found: Sequence[Decision]) -> Decision:
    """The decision with the edit alone that is asked once more, where one surely is.

    Args:
        own: What the scope says of the turn.
        found: What it says of the question before it and of the sentences that were answered, as
            :func:`~memedit.core.doubts.read_doubted` gives them.
    """
    rated, hits = defaultdict[str, float](float), dict[str, Hit]()
    for decision in found:
        for hit in decision.bearing:
            rated[hit.record.id] += _rate(hit)
            if _rate(hit) > _rate(hits.get(hit.record.id)):
                hits[hit.record.id] = hit
    best = max(rated, key=rated.__getitem__, default="")
    if not best or rated[best] < _SURE:
        return own
    asked = replace(hits[best], role="asks", score=_rate(hits[best]), bearing=_rate(hits[best]))
    weighed = {hit.record.id: hit for hit in (*own.candidates, asked)}
    return replace(own, hits=(asked,), informs=(), candidates=tuple(weighed.values()))


def _rate(hit: Hit | None) -> float:
    return 0.0 if hit is None else max(hit.score or 0.0, hit.bearing or 0.0)
