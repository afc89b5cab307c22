"""Receipts of use: which edit fired, how often, and when last. Never what was asked.

Counted in RAM, which costs a dictionary access; a thread adds the counts to a table beside the
journal once a minute, and the memory does when it is closed. What a killed process had counted
since is lost, as are counts that cannot be written: nothing rests on them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, inspect, text

from memedit.core.errors import MemeditError
from memedit.core.types import Record
from memedit.memory.journal.rows import parse_utc

EVERY = 60.0
"""Seconds between two times that counts are written."""
TABLE = "uses"
_MAKE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (namespace TEXT NOT NULL, id TEXT NOT NULL, "
    "count BIGINT NOT NULL, last TEXT NOT NULL, PRIMARY KEY (namespace, id))"
)
_ADD = (
    f"INSERT INTO {TABLE} (namespace, id, count, last) VALUES (:namespace, :id, :count, :last) "
    f"ON CONFLICT (namespace, id) DO UPDATE SET count = {TABLE}.count + excluded.count, "
    f"last = CASE WHEN excluded.last > {TABLE}.last THEN excluded.last ELSE {TABLE}.last END"
)
Beside = Callable[[bool], "AbstractContextManager[Connection | None]"]
"""A transaction beside the journal, to write in (True) or to read in."""
Key = tuple[str, str]
"""Namespace and id of an edit."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Use:
    """How often an edit fired, and when last."""

    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class EditUse:
    """An edit in force and its use.

    Attributes:
        added: When it came into force.
        count: How often it fired; 0: never since uses are counted.
        last: When it fired last.
    """

    record: Record
    added: datetime
    count: int = 0
    last: datetime | None = None

    @property
    def age(self) -> timedelta:
        """How long ago it was said."""
        return datetime.now(timezone.utc) - self.added


class Uses:
    """Counts of one open memory.

    Args:
        beside: Where they are kept.
        keeps: Whether they are written at all: not where the memory is only read.
    """

    def __init__(self, beside: Beside, *, keeps: bool) -> None:
        self._beside, self._keeps = beside, keeps
        self._lock = threading.Lock()
        self._new: dict[Key, tuple[int, str]] = {}
        self._timer: threading.Timer | None = None

    def count(self, records: Iterable[Record]) -> None:
        """These edits fired."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._lock:
            for record in records:
                key = record.namespace, record.id
                self._new[key] = self._new.get(key, (0, ""))[0] + 1, now
            if self._timer is None and self._new and self._keeps:
                self._timer = threading.Timer(EVERY, self.write)
                # A process that ends does not wait a minute for it: closing writes what is left.
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Add what was counted to what is kept; what cannot be written is counted no more."""
        with self._lock:
            # Taken out at once: what is counted while it is written is the next minute's.
            new, self._new, timer, self._timer = self._new, {}, self._timer, None
        if timer is not None:
            timer.cancel()
        if not new or not self._keeps:
            return
        rows = [
            {"namespace": namespace, "id": id, "count": count, "last": last}
            for (namespace, id), (count, last) in sorted(new.items())
        ]
        try:
            with self._beside(True) as db:
                assert db is not None
                db.execute(text(_MAKE))
                db.execute(text(_ADD), rows)
        except MemeditError as error:
            log.warning("%d counts of use are lost: %s", len(rows), error)

    def forget(self) -> None:
        """Count nothing of what was not written yet: it may be of edits that were purged."""
        with self._lock:
            self._new = {}

    def all(self) -> dict[Key, Use]:
        """By edit, with what is not written yet."""
        with self._beside(False) as db:
            found = {} if db is None else _read_kept(db)
        with self._lock:
            new = dict(self._new)
        for key, (count, last) in new.items():
            before = found.get(key)
            total = count + (0 if before is None else before.count)
            found[key] = Use(total, parse_utc(last))
        return found


def _read_kept(db: Connection) -> dict[Key, Use]:
    if not inspect(db).has_table(TABLE):
        return {}
    rows = db.execute(text(f"SELECT namespace, id, count, last FROM {TABLE}")).all()
    return {(row[0], row[1]): Use(int(row[2]), parse_utc(row[3])) for row in rows}


def drop(db: Connection, namespace: str, ids: Sequence[str]) -> None:
    """Forget how edits that are purged were used, within an open write."""
    if inspect(db).has_table(TABLE):
        rows = [{"namespace": namespace, "id": id} for id in ids]
        db.execute(text(f"DELETE FROM {TABLE} WHERE namespace = :namespace AND id = :id"), rows)


class Counted:
    """A memory that knows which of its edits are used."""

    _uses: Uses

    def count_use(self, records: Iterable[Record]) -> None:
        """These edits were what an answer rests on. Costs microseconds; who answers with edits
        that this memory found should say so, as
        :class:`~memedit.model.editable.EditableModel` and the server do."""
        self._uses.count(records)

    def uses(self, namespace: str | None = None) -> list[EditUse]:
        """Every edit in force with how often and when last it fired, the most used first."""
        memory: Any = self
        added = {e.record.sequence: e.at for e in memory.history() if e.kind in ("add", "restore")}
        counts, found = self._uses.all(), list[EditUse]()
        for record in memory.records(namespace):
            use = counts.get((record.namespace, record.id))
            count, last = (0, None) if use is None else (use.count, use.last)
            found.append(EditUse(record, added[record.sequence], count, last))
        return sorted(found, key=lambda each: (-each.count, each.added))
