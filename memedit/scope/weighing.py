"""Which candidates are weighed at all, and which of those the cross-encoder reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from memedit.core.types import Hit
from memedit.scope.features import rate_naming

Floats = npt.NDArray[np.float32]
_MIN_SIMILARITY = 0.25
"""An edit whose subject is not named and that is less alike than this is not weighed."""
_SPELT = 0.6
"""Share of a subject's letter triples that a text must have where the subject is not named."""
_ALIKE, _UNNAMED, _LEAST = 0.5, 0.35, 0.2
"""Cosine from which an edit that is not named comes into question; from which one does whose edit
has no subject that a query could name; and from which it does among few edits."""
_CROWD, _ABOVE = 16, 0.12
"""Where so many edits are near, the best stand out from the last of these by this much: one of
twelve edits may be asked at a cosine of 0.3, of thousands any query finds some as near."""
_READ = 5
"""Candidates of one query that the cross-encoder reads at most."""
SURE = 0.5
"""Probability from which an edit is taken to bear even where something speaks against it."""
_FAINT, _FAINTLY = 0.35, 0.4
"""Cosine below which an edit that is not named is read only because few stand near: it must be as
probable as this."""
_UNLIKE, _SURER = 0.5, 0.7
"""The same, of an edit with a subject where many others are as near."""
_NAMED, _MOST_NAMED = 3, 0.9
"""How many times the threshold's probability of bearing an edit needs whose subject is named, where
so many are near, unless it is asked, and the most that it needs: of many facts one more often has
the subject of a question than bears on its answer."""
_BELOW = 0.99
"""Share of a threshold to which less sure ones are lowered."""
_LONG, _ASKING = 24, 0.7
"""A clause of more words than this must be alike by this much to be a question about an edit."""
_MOST = 24
"""Candidates weighed for one query: those named first, then the most alike."""


class Among(tuple[Hit, ...]):
    """Some of a query's candidates, which are judged as standing among all of them.

    Attributes:
        near: The similarities of all.
    """

    near: Sequence[float]

    @classmethod
    def of(cls, hits: Sequence[Hit], chosen: Iterable[Hit]) -> Among:
        """``chosen`` of ``hits``."""
        made = cls(chosen)
        made.near = tuple(hit.similarity for hit in hits)
        return made


def similarities_near(hits: Sequence[Hit]) -> Sequence[float]:
    """The similarities of the candidates, and of those that were left out (:class:`Among`)."""
    return hits.near if isinstance(hits, Among) else [hit.similarity for hit in hits]


def choose_each_to_read(weighed: Sequence[Sequence[Hit]], chances: Floats) -> list[int]:
    """Places, among all candidates one after another, of those that the cross-encoder reads."""
    places, start = [], 0
    for hits in weighed:
        places += [start + i for i in choose_to_read(hits, chances[start : start + len(hits)])]
        start += len(hits)
    return places


def choose_to_read(hits: Sequence[Hit], chances: Floats) -> list[int]:
    """Places of one query's candidates that the cross-encoder reads, the likeliest first."""
    # A named edit may share no word with the query but its subject ("Where did it take place?" of
    # a location): its relation's cosine alone would put edits of other subjects before it.
    order = sorted(
        range(len(hits)),
        key=lambda i: max(chances[i], hits[i].relation or 0.0, hits[i].similarity),
        reverse=True,
    )
    return order[:_READ]


def choose_weighed(hits: Sequence[Hit], *, read: bool = False) -> list[Hit]:
    """The candidates a query may concern: those it names, or as good as names, then those that are
    alike.

    Where nothing is ``read`` by a cross-encoder, a long passage that only mentions a subject is
    taken to ask nothing, and an edit whose subject is not named is not weighed.
    """
    asking = [hit for hit in hits if read or not _is_passage(hit)]
    named = [hit for hit in asking if hit.mention is not None]
    least = _stand_out(hits) if read else math.inf
    # An edit without a subject cannot be named.
    least_of_any = min(least, _UNNAMED) if read else _MIN_SIMILARITY
    like = [
        hit
        for hit in asking
        if hit.mention is None
        and (
            hit.similarity >= (least_of_any if hit.record.edit.subject is None else least)
            or (hit.similarity >= _MIN_SIMILARITY and rate_naming(hit) >= _SPELT)
        )
    ]
    return (named + like)[:_MOST]


def require_chance(hit: Hit, near: int) -> float:
    """How probable a candidate must be beyond the thresholds, among so many that are near."""
    if hit.mention is not None:
        return 0.0
    if near >= _CROWD and hit.record.edit.subject is not None and hit.similarity < _UNLIKE:
        return _SURER
    return _FAINTLY if hit.similarity < _FAINT else 0.0


def require_bearing(hit: Hit, near: int, informing: float) -> float:
    """How probable it must be that a candidate bears, among so many that are near, if it is not
    asked: a threshold, or more."""
    if hit.mention is None or near < _CROWD:
        return informing
    return max(informing, min(_NAMED * informing, _MOST_NAMED))


def lower_unsure(
    asks: float, bears: float, least: float, threshold: float, informing: float
) -> tuple[float, float]:
    """The probabilities of asking and bearing, below what fires unless as high as ``least``."""
    bears = bears if bears >= least else min(bears, _BELOW * informing)
    asks = asks if asks >= least else min(asks, bears, _BELOW * threshold)
    return asks, bears


def _stand_out(hits: Sequence[Hit]) -> float:
    """Cosine from which a candidate stands out from edits that merely are the nearest."""
    near = similarities_near(hits)
    if len(near) < _CROWD:
        return _LEAST
    far = sorted(near, reverse=True)[_CROWD - 1]
    return min(max(far + _ABOVE, _LEAST), _ALIKE)


def _is_passage(hit: Hit) -> bool:
    clause = hit.clause or hit.view
    return hit.similarity < _ASKING and clause.count(" ") > _LONG
