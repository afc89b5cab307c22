"""A set of numbers in eight bytes each: Python's own needs eighty."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from memedit.core.types import Ids

_FEW = 1_024
_SHARE = 8
"""What is new is sorted in once it is one part in so many of what is there."""


class IdSet:
    """Numbers of 64 bits, each once."""

    def __init__(self, ids: Sequence[int] | Ids = ()) -> None:
        self._sorted: Ids = _sort_once(np.asarray(ids, np.int64))
        self._new, self._gone = set[int](), set[int]()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new) - len(self._gone)

    def __contains__(self, id: object) -> bool:
        return id in self._new or (isinstance(id, int) and self._is_old(id))

    def _is_old(self, id: int) -> bool:
        at = bisect_left(self._sorted, id)
        return at < len(self._sorted) and int(self._sorted[at]) == id and id not in self._gone

    def have(self, ids: Ids) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """[n] whether each of these is in it."""
        if len(ids) <= _FEW:
            return np.array([id in self for id in ids.tolist()], bool)
        self._settle()
        if not len(self._sorted):
            return np.zeros(len(ids), bool)
        at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = self._sorted[at] == ids
        return found

    def add(self, ids: Ids) -> None:
        """Put in numbers that are not in it."""
        if len(ids) > _FEW:
            self._settle()
            self._sorted = np.sort(np.concatenate([self._sorted, ids]))
            return
        fresh = set(ids.tolist())
        back = fresh & self._gone
        self._gone -= back
        self._new |= fresh - back
        self._settle_if_due()

    def discard(self, ids: Ids) -> None:
        """Take out numbers that are in it."""
        if len(ids) > _FEW:
            self._settle()
            self._sorted = np.setdiff1d(self._sorted, ids, assume_unique=True)
            return
        lost = set(ids.tolist())
        self._gone |= lost - self._new
        self._new -= lost
        self._settle_if_due()

    def take(self, id: int) -> bool:
        """Take out one; whether it was there."""
        there = id in self
        if there:
            self.discard(np.array([id], np.int64))
        return there

    def take_first(self, most: int | None) -> Ids:
        """Take out the smallest, so many or (None) all of them, ascending."""
        self._settle()
        first, self._sorted = self._sorted[:most], self._sorted[len(self._sorted[:most]) :]
        return first

    def array(self) -> Ids:
        """[n] all of them, ascending."""
        self._settle()
        return self._sorted.copy()

    def _settle_if_due(self) -> None:
        if len(self._new) + len(self._gone) > max(_FEW, len(self._sorted) // _SHARE):
            self._settle()

    def _settle(self) -> None:
        """Sort in what is new, and leave out what is gone."""
        if not self._new and not self._gone:
            return
        gone = np.fromiter(self._gone, np.int64, len(self._gone))
        left = np.setdiff1d(self._sorted, gone, assume_unique=True)
        new = np.fromiter(self._new, np.int64, len(self._new))
        self._sorted = np.sort(np.concatenate([left, new]))
        self._new, self._gone = set(), set()


def _sort_once(ids: Ids) -> Ids:
    """Numbers, each once, ascending."""
    if (ids[1:] > ids[:-1]).all():
        return ids
    ordered: Ids = np.sort(ids)
    first = np.ones(len(ordered), bool)
    # NumPy's own ``unique`` hashes, which takes several times as long.
    first[1:] = ordered[1:] > ordered[:-1]
    return ordered[first]
