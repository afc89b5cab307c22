"""Values that what bears on a request had before: a request may still go by them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from memedit.core.moments import UTC
from memedit.core.types import Decision, Hit
from memedit.memory import EditMemory, MemoryView


def add_former(
    decision: Decision, store: EditMemory | MemoryView, as_of: datetime | None
) -> Decision:
    """The decision, its hits with the values that their slots had before: what the edit says that
    the base would say, and what the edit replaced."""
    if not decision.bearing or decision.named:  # of another time, what was is what is asked
        return decision
    moment = as_of or datetime.now(UTC)

    def add(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        return tuple(_add(hit, store, moment) for hit in hits)

    return replace(decision, hits=add(decision.hits), informs=add(decision.informs))


def _add(hit: Hit, store: EditMemory | MemoryView, moment: datetime) -> Hit:
    edit = hit.record.edit
    if edit.target_new is None or edit.multiple or hit.passage is not None:
        return hit
    older = store.before(hit.record, moment)
    values = (edit.target_true, None if older is None else older.edit.target_new)
    former = tuple(value for value in dict.fromkeys(values) if value)
    return replace(hit, former=former) if former else hit
