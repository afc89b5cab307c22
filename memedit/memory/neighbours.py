"""What seems to ask the same as a new edit in other words: its conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from memedit.core.documents import place_of
from memedit.core.text import subject_key
from memedit.core.types import Record, Vectors, mask_prompt
from memedit.memory.journal.rows import Stored
from memedit.memory.live.index import VectorIndex
from memedit.memory.live.space import Space
from memedit.memory.live.state import LiveSet
from memedit.memory.meeting import agree, overlap
from memedit.memory.overlay import Overlay
from memedit.memory.requests import Request

SAME_RELATION = 0.85
"""Cosine of two masked prompts about one subject from which they seem to ask the same."""
SAME_STATEMENT = 0.9
"""Cosine of two key texts from which edits without a subject seem to be about the same."""
_NEAREST = 8
_NEWEST = 256


class Neighbours(Overlay):
    """Finds conflicts by vectors.

    Args:
        live, now: As of :class:`Overlay`.
        vectors: Vector by text, for every text of every request.
    """

    def __init__(self, live: LiveSet, vectors: Mapping[str, Vectors], now: datetime) -> None:
        super().__init__(live, now)
        self._vectors = vectors

    def _conflicts(self, request: Request, near: Sequence[int], rivals: set[int]) -> list[Record]:
        if request.edit.multiple or place_of(request.source) is not None:
            return []
        named = [self._find(request.namespace, id) for id in request.perhaps]
        if request.edit.subject is not None:
            near = self._find_same_relation(request)
        found = dict.fromkeys([*near, *(s for s in named if s is not None)])
        records = [self[s] for s in found if s not in self._retired and s not in rivals]
        return [
            record
            for record in records
            if overlap(record, request) and not agree(record.edit, request.edit)
        ]

    def _find_same_relation(self, request: Request) -> list[int]:
        key = subject_key(request.edit.subject or "")
        known = self._live.space(request.namespace).subjects.sequences(key)[:_NEWEST]
        added = self._draft(request.namespace).newest(key, _NEWEST)
        if not known and not added:
            return []
        relation = self._vectors[mask_prompt(request.edit) or ""]
        vectors = self._live.relation_vectors(known)
        found = [s for s, v in zip(known, vectors, strict=True) if v @ relation >= SAME_RELATION]
        for sequence in added:
            vector = self._relation_vector(self._added[sequence])
            if vector @ relation >= SAME_RELATION:
                found.append(sequence)
        return sorted(found)

    def _relation_vector(self, stored: Stored) -> Vectors:
        text = stored.relation or ""
        if text in self._vectors or text not in self._live.relations:
            return self._vectors[text]  # which may encode it only now
        vector: Vectors = self._live.relations.vectors([text])[0]
        return vector

    def _find_near(self, requests: Sequence[Request]) -> dict[int, list[int]]:
        """Live records with a key near a request without a subject, by its position."""
        near: dict[int, list[int]] = {}
        for namespace, positions in self._group_without_subject(requests).items():
            space = self._live.space(namespace)
            if space.index is not None:
                ids, similarities = space.index.search(self._prompts(requests, positions), _NEAREST)
                for at, row, cosines in zip(positions, ids, similarities, strict=True):
                    close = row[(cosines >= SAME_STATEMENT) & (row >= 0)].tolist()
                    near[at] = [space.owner(key) for key in close if self._finds(space, key)]
        return near

    def _finds(self, space: Space, key: int) -> bool:
        """Whether a key is of a text that shall find its record: the last ones may be excluded."""
        sequence = space.owner(key)
        excluded = len(self._live.records[sequence].edit.excluded)
        return not excluded or key not in space.keys(sequence)[-excluded:]

    def _find_near_in_batch(self, requests: Sequence[Request]) -> dict[int, list[int]]:
        """The same among the requests themselves: positions of earlier ones."""
        near: dict[int, list[int]] = {}
        for positions in self._group_without_subject(requests).values():
            if len(positions) == 1:
                continue
            vectors = self._prompts(requests, positions)
            index = VectorIndex(vectors.shape[1])
            index.add(positions, vectors)
            ids, similarities = index.search(vectors, 2 * _NEAREST)
            for at, row, cosines in zip(positions, ids, similarities, strict=True):
                close = row[(cosines >= SAME_STATEMENT) & (row >= 0) & (row < at)]
                near[at] = close.tolist()
        return near

    def _group_without_subject(self, requests: Sequence[Request]) -> dict[str, list[int]]:
        """Positions of requests to add that have no subject, by namespace."""
        found: dict[str, list[int]] = {}
        for at, request in enumerate(requests):
            plain = request.edit.subject is None and place_of(request.source) is None
            if plain and self.duplicate(request) is None:
                found.setdefault(request.namespace, []).append(at)
        return found

    def _prompts(self, requests: Sequence[Request], positions: Sequence[int]) -> Vectors:
        return np.stack([self._vectors[requests[at].edit.prompt] for at in positions])
