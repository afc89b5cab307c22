"""What took the place of an edit that is in force no more: told where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memedit.core.errors import MemoryStoreError, UnknownEditError
from memedit.memory.journal.rows import readable
from memedit.memory.reports import make_unknown
from memedit.memory.store import Store

_AWAY = 2.0
"""Seconds without the database after which nobody waits for it to name one."""


@contextmanager
def naming_successors(store: Store, namespace: str) -> Iterator[None]:
    """Errors of the block that an edit is unknown say what is in force in its place. No lock is
    held around it: the journal is read."""
    try:
        yield
    except UnknownEditError as error:
        found = _find_successor(store, error.id, namespace) if error.id else ""
        if not found:
            raise
        raise make_unknown(error.id, namespace, found) from None


def _find_successor(store: Store, id: str, namespace: str) -> str:
    """The id of the edit in force that stands where one stood, whatever stood there between; ""
    where there is none, or the database is away."""
    if store.replica.freshness().stale_seconds > _AWAY:
        return ""
    try:
        with readable(store.address), store.turns.reading() as journal:
            sequence = None if journal is None else journal.successor(id, namespace)
    except MemoryStoreError:  # who asks hears at least that it is unknown
        return ""
    with store.reading() as live:
        record = None if sequence is None else live.records.get(sequence)
        return record.id if record is not None and record.namespace == namespace else ""
