"""What several readings of a request find, put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from memedit.core.types import Decision, Hit, Role

SURE = 0.6
"""Probability from which an edit counts that only another reading brought up."""


def rate_surest(decision: Decision) -> float:
    """Probability of the edit that most surely bears."""
    return max((max(hit.score or 0.0, hit.bearing or 0.0) for hit in decision.bearing), default=0.0)


def find_ids(decision: Decision) -> set[str]:
    return {hit.record.id for hit in decision.bearing}


def add_informing(own: Decision, hits: Iterable[Hit]) -> Decision:
    """The decision with these edits, too: the answer depends on them, and on others."""
    known = find_ids(own)
    new = [_make_informing(hit) for hit in hits if hit.record.id not in known]
    if not new:
        return own
    told = tuple(_make_informing(hit) for hit in own.hits)
    weighed = {hit.record.id: hit for hit in (*own.candidates, *told, *new)}
    return replace(
        own, hits=(), informs=(*told, *own.informs, *new), candidates=tuple(weighed.values())
    )


def _make_informing(hit: Hit) -> Hit:
    role: Role = "informs"
    return replace(hit, role=role, bearing=max(hit.bearing or 0.0, hit.score or 0.0))
