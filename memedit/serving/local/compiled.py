"""Compiled grammars that are kept, within bounds of number and memory.

Copies of a matcher share what it has found out of its grammar: what is kept grows with every answer
of that form, up to 100,000 states, and past them it fails whoever uses it. What has grown large is
therefore given up, and compiled anew when it is next asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from llguidance import LLMatcher

_MOST, _LARGEST, _NUMBER = 512 << 20, 128 << 20, 64
"""Bytes of all and of one, and how many."""
SMALLEST = 1 << 20
"""Bytes of a grammar that nobody has measured, which is short and plain."""
_GROWTH = 32 << 10
"""Bytes that a token of an answer adds. Measured with Qwen's vocabulary: 1 kB for a free string, 20
where its length is bounded, 50 for a choice between a dozen of them."""


@dataclass(slots=True, eq=False)
class Compiled:
    """A grammar and what it takes.

    Attributes:
        begun: A matcher at the beginning.
        size: Bytes, about.
    """

    begun: LLMatcher
    size: int = SMALLEST


class Compilations:
    """Those that were asked for last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Compiled] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all, about."""
        return sum(each.size for each in self._kept.values())

    def find(self, grammar: str) -> Compiled | None:
        with self._lock:
            found = self._kept.get(key := _key(grammar))
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, grammar: str, made: Compiled) -> None:
        """Keep it as the one asked for last."""
        with self._lock:
            self._kept.pop(key := _key(grammar), None)
            self._kept[key] = made
            self._shrink()

    def grow(self, used: Compiled) -> None:
        """Note that an answer took one more token."""
        with self._lock:
            used.size += _GROWTH
            self._shrink()

    def give_up(self, used: Compiled) -> None:
        """Keep it no longer, if it is kept."""
        with self._lock:
            for key in [key for key, each in self._kept.items() if each is used]:
                del self._kept[key]

    def _shrink(self) -> None:
        for key in [key for key, each in self._kept.items() if each.size > _LARGEST]:
            del self._kept[key]
        while len(self) > _NUMBER or self.size > _MOST:
            self._kept.popitem(last=False)


def _key(grammar: str) -> bytes:
    return sha256(grammar.encode()).digest()
