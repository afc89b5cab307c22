"""The history of a slot: what a record replaced, and when.

A value that was replaced stays known for the time it was in force: from its own ``valid_from``, or
from when it was added, until it was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from memedit.core.text import normalise
from memedit.core.types import Record


@dataclass(frozen=True, slots=True)
class Replaced:
    """A record that another one replaced, with when it was added and when it was replaced."""

    record: Record
    added: datetime
    until: datetime

    @property
    def since(self) -> datetime:
        """From when it was in force."""
        return self.record.valid_from or self.added


Replacements: TypeAlias = Callable[[Record], Sequence[Replaced]]
"""What a record replaced, the newest first."""
_DEEPEST = 256


def find_then(record: Record, moment: datetime, replaced: Replacements) -> Record:
    """What was in force at the moment instead of a record that says not since when it holds; the
    record itself where nothing is known."""
    here = record
    for _ in range(_DEEPEST):
        older = [old for old in replaced(here) if moment < old.until]
        if here.valid_from is not None or not older:
            return record
        for old in older:
            if old.since <= moment:
                return old.record
        here = older[0].record
    return record


def find_before(
    record: Record, moment: datetime, same: Iterable[Record], replaced: Replacements
) -> Record | None:
    """What was in force before a record: of the same slot the one that ended last, else what it
    replaced; None: nothing is known.

    Args:
        same: Live records of the same slot.
    """
    ended = [r for r in same if r.valid_until is not None and r.valid_until <= moment]
    ended = [r for r in ended if r.sequence != record.sequence and _differ(r, record)]
    if ended:
        return max(ended, key=lambda r: (r.valid_until or moment, r.sequence))
    here = record
    for _ in range(_DEEPEST):
        older = replaced(here)
        if not older:
            return None
        other = next((old.record for old in older if _differ(old.record, record)), None)
        if other is not None:
            return other
        here = older[0].record  # the same fact, told anew
    return None


def _differ(one: Record, other: Record) -> bool:
    return normalise(one.edit.statement) != normalise(other.edit.statement)
