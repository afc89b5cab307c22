"""Numbers filed under numbers, in sixteen bytes each: a dictionary of sets needs hundreds."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_FEW = 1_024
_SHARE = 8
"""What is new is sorted in once it is one part in so many of what is there."""


class _State(NamedTuple):
    """Attributes:
    keys, values: Sorted by key.
    gone: Places in them whose value was taken out.
    new: What is not sorted in yet.
    """

    keys: array[int]
    values: array[int]
    gone: set[int]
    new: dict[int, list[int]]


def _empty() -> _State:
    return _State(array("q"), array("q"), set(), {})


class Postings:
    """Values of keys, both 64 bits, in the order in which they came.

    What is new stands in a dictionary until there is enough of it to be sorted in. Who reads while
    another thread writes sees all of a state, the old one or the new.
    """

    def __init__(self) -> None:
        self._state = _empty()
        self._waiting = 0  # values in ``new``

    def __len__(self) -> int:
        return len(self._state.keys) - len(self._state.gone) + self._waiting

    def add(self, key: int, value: int) -> None:
        """File a value."""
        self._state.new.setdefault(key, []).append(value)
        self._waiting += 1
        if self._waiting > max(_FEW, len(self._state.keys) // _SHARE):
            self._settle()

    def extend(self, pairs: Iterable[tuple[int, int]]) -> None:
        """File many (key, value) at once."""
        many = list(pairs)
        # What is sorted in costs a sort of everything: not for each batch of a large memory.
        if self._waiting + len(many) > max(_FEW, len(self._state.keys) // _SHARE):
            self._settle(many)
            return
        new = self._state.new
        for key, value in many:
            new.setdefault(key, []).append(value)
        self._waiting += len(many)

    def get(self, key: int) -> list[int]:
        """The values of a key, oldest first."""
        state = self._state
        new = state.new.get(key, [])
        # Most keys that are asked for are unknown: looked at first, since a generator costs more.
        at = bisect_left(state.keys, key)
        if at == len(state.keys) or state.keys[at] != key:
            return list(new)
        return [state.values[at] for at in _places(state, key)] + new

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, int):
            return False
        state = self._state
        return key in state.new or next(_places(state, key), None) is not None

    def discard(self, key: int, value: int) -> None:
        """Undo :meth:`add`; what is not there is ignored."""
        state = self._state
        for at in _places(state, key):
            if state.values[at] == value:
                state.gone.add(at)
                return
        new = state.new.get(key, [])
        if value in new:
            new.remove(value)
            self._waiting -= 1
            if not new:
                del state.new[key]

    def items(self) -> Iterator[tuple[int, int]]:
        """Every (key, value), by key."""
        self._settle()
        return zip(self._state.keys, self._state.values, strict=True)

    def keys(self) -> npt.NDArray[np.int64]:
        """The key of every value, ascending."""
        self._settle()
        return np.array(self._state.keys, np.int64)

    @classmethod
    def of(cls, keys: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> Postings:
        """Those of :meth:`keys` and :meth:`values`.

        Raises:
            ValueError: the keys do not ascend, or there is not one value a key.
        """
        if len(keys) != len(values) or (keys[1:] < keys[:-1]).any():
            raise ValueError("keys that do not ascend, or have no values")
        made = cls()
        made._state = _State(array("q", keys.tobytes()), array("q", values.tobytes()), set(), {})
        return made

    def values(self) -> npt.NDArray[np.int64]:
        """Every value, by its key."""
        self._settle()
        return np.array(self._state.values, np.int64)

    def _settle(self, more: Sequence[tuple[int, int]] = ()) -> None:
        """Sort in what is new, and more, and leave out what is gone."""
        state = self._state
        if not state.new and not state.gone and not more:
            return
        keys, values = np.array(state.keys, np.int64), np.array(state.values, np.int64)
        if state.gone:
            left = np.ones(len(keys), bool)
            left[list(state.gone)] = False
            keys, values = keys[left], values[left]
        new = [(key, value) for key, mine in state.new.items() for value in mine]
        new += more
        if new:
            flat = np.fromiter(chain.from_iterable(new), np.int64, 2 * len(new))
            keys, values = np.append(keys, flat[::2]), np.append(values, flat[1::2])
            order = np.argsort(keys, kind="stable")  # of one key, what came first stays first
            keys, values = keys[order], values[order]
        sorted_in = array("q", keys.tobytes()), array("q", values.tobytes())
        # In one assignment: who reads meanwhile has the old state or the new one.
        self._state, self._waiting = _State(*sorted_in, set(), {}), 0


def _places(state: _State, key: int) -> Iterator[int]:
    """Where the values of a key stand among those that are sorted in."""
    at = bisect_left(state.keys, key)
    while at < len(state.keys) and state.keys[at] == key:
        if at not in state.gone:
            yield at
        at += 1


def code_of(text: str) -> int:
    """The number that stands for a text: the same in every process, other than Python's own hash.
    Of a million texts two have one with a probability of 3e-8."""
    content = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)
