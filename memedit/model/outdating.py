"""Whether a newer edit says otherwise than an older one, where nobody compared them when they were
stored: edits taken as they are (``edit_many``, an import), or stored by two processes at once.

Asked only of what one question found together; what was found out of two is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from memedit.core.types import Record
from memedit.memory import EditMemory
from memedit.model.correcting import find_corrections
from memedit.model.judging import Judge

SEEN = 0.9
"""Probability of the reader of statements from which the newer is seen alone. Nothing is retired,
so it may be less than what retires: of our own pairs that should stay 0.5% reach it."""
_KEPT = 10_000
"""Results that are kept."""


class Outdating:
    """What newer edits say otherwise than older ones. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A record never changes under its sequence.
        self._known: dict[tuple[int, ...], frozenset[int]] = {}

    def forget(self) -> None:
        """Judge anew from here on, as by another scope."""
        with self._lock:
            self._known.clear()

    def find(self, older: Sequence[Record], newer: Record, judge: Judge) -> frozenset[int]:
        """The sequences of the older ones that the newer one would have replaced."""
        asked = (*(record.sequence for record in older), newer.sequence)
        found = self._known.get(asked)
        if found is None:
            found = _find_replaced(older, newer, judge)
            with self._lock:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[asked] = found
        return found


def _find_replaced(older: Sequence[Record], newer: Record, judge: Judge) -> frozenset[int]:
    # A memory of these alone, which the newer one is told to.
    with EditMemory(None, judge.memory.encoder) as alone:
        own = {alone.add(old.edit).record.sequence: old.sequence for old in older}
        found = find_corrections(Judge(alone, judge.scope), newer.edit, "default", sure=SEEN)
    if found.since is not None:
        return frozenset()  # what it says is to come
    return frozenset(own[record.sequence] for record in found.replaces)
