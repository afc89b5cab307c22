"""Which records' texts hold a word: pairs of both, sorted, in eight bytes each.

A word stands for itself by 32 bits of its hash: what is found holds the word, or one that shares
them, and is looked at again by who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from zlib import crc32

import numpy as np

from memedit.core.text import words_of
from memedit.core.types import Ids

_PLAIN = re.compile(rb"[a-z0-9]+[+#]*")
"""Words (:data:`~memedit.core.text.WORD`) of ASCII."""
_BITS = 31
_RECORD = (1 << _BITS) - 1
_FEW = 1 << 15
_SHARE = 8
"""What is new is sorted in once it is one part in so many of what is there."""
_PARTS = 64
"""Parts of what is new that are looked through one by one."""


class Said:
    """The words of records' texts.

    Args:
        codes: Those of :meth:`array`.

    Raises:
        ValueError: they do not ascend.
    """

    def __init__(self, codes: Ids | None = None) -> None:
        self._sorted: Ids = np.empty(0, np.int64) if codes is None else codes
        if len(self._sorted) and (
            self._sorted[0] < 0 or (self._sorted[1:] <= self._sorted[:-1]).any()
        ):
            raise ValueError("words that do not ascend")
        self._new: list[Ids] = []
        self._waiting = 0  # codes in ``new``
        self._gone = set[int]()

    def __len__(self) -> int:
        return len(self._sorted) + self._waiting - len(self._gone)

    def add_many(self, texts: Iterable[tuple[int, str]]) -> None:
        """Enter (sequence, text) of records that are not there."""
        found = chain.from_iterable(_codes_of(sequence, text) for sequence, text in texts)
        codes = np.sort(np.fromiter(found, np.int64))
        if self._gone:  # what comes back is in the arrays still
            back = self._gone.intersection(codes.tolist())
            self._gone -= back
            codes = np.setdiff1d(codes, np.fromiter(back, np.int64), assume_unique=True)
        self._new.append(codes)
        self._waiting += len(codes)
        if self._waiting > max(_FEW, len(self._sorted) // _SHARE):
            self._settle()
        elif len(self._new) > _PARTS:
            self._new = [_merge(self._new)]

    def remove(self, sequence: int, text: str) -> None:
        """Undo :meth:`add_many` for the text of a record that was entered."""
        self._gone |= _codes_of(sequence, text)
        if len(self._gone) > max(_FEW, len(self._sorted) // _SHARE):
            self._settle()

    def find(self, words: Iterable[str]) -> set[int]:
        """Sequences of the records whose text may hold all of these folded words: every one that
        does, and others."""
        found = min((self._places(word) for word in words), key=_count)
        codes = _merge(found).tolist() if found else []
        return {code & _RECORD for code in codes if code not in self._gone}

    def _places(self, word: str) -> list[Ids]:
        """The codes of a word."""
        first = crc32(_encode(word)) << _BITS
        spans = [
            (each, np.searchsorted(each, first), np.searchsorted(each, first | _RECORD, "right"))
            for each in self._parts
        ]
        return [each[start:end] for each, start, end in spans if end > start]

    @property
    def _parts(self) -> list[Ids]:
        return [self._sorted, *self._new]

    def array(self) -> Ids:
        """Every (word, record) in one number, ascending."""
        self._settle()
        return self._sorted

    def _settle(self) -> None:
        """Sort in what is new, and leave out what is gone."""
        if not self._new and not self._gone:
            return
        merged = _merge(self._parts)
        if self._gone and len(merged):
            gone = np.fromiter(self._gone, np.int64)
            at = np.searchsorted(merged, gone)
            merged = np.delete(merged, at[merged[np.minimum(at, len(merged) - 1)] == gone])
        self._sorted, self._new, self._waiting, self._gone = merged, [], 0, set()


def holds_others(codes: Ids, sequences: Ids) -> bool:
    """Whether codes name other records than these."""
    return not np.isin(codes & _RECORD, sequences).all()


def _count(parts: list[Ids]) -> int:
    return sum(map(len, parts))


def _merge(parts: list[Ids]) -> Ids:
    # Of parts that ascend this kind takes little more than a copy.
    return np.sort(np.concatenate(parts), kind="stable")


def _codes_of(sequence: int, text: str) -> set[int]:
    # Folded words are in lower case already; folding takes ten times as long.
    if text.isascii():
        words = _PLAIN.findall(text.lower().encode())
    else:
        words = [_encode(word) for word in words_of(text)]
    return {crc32(word) << _BITS | sequence for word in words}


def _encode(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")
