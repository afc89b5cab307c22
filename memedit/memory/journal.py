"""The journal: the truth about a memory, in SQL.

Immutable records and append-only events; nothing here knows about indexes or encoders. Every
method but :meth:`Journal.read` and :meth:`Journal.write` needs one of these two around it.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Select,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)

from memedit.errors import MemoryStoreError
from memedit.memory import payloads as payload_bytes
from memedit.memory.index import Vectors
from memedit.memory.payloads import LazyReader
from memedit.memory.reports import Event, EventKind
from memedit.memory.rows import (
    Entry,
    Head,
    KeyRow,
    RelationRow,
    Stored,
    from_bytes,
    record_row,
    to_bytes,
    to_record,
    utc,
)
from memedit.memory.schema import FORMAT, events, keys, meta, metadata, payloads, records, relations
from memedit.memory.sqlite import backup, open_engine, store_errors
from memedit.types import Payload, Record

FILE = "journal.sqlite"
_FEW = 2_000
LIVE: tuple[EventKind, EventKind] = ("add", "restore")


class Journal:
    """The SQL side of one memory directory; ``path`` None keeps it in RAM.

    One connection, to be used by one thread at a time. The directory and its tables are made by
    the first :meth:`write`.

    Raises:
        MemoryStoreError: the path is a file, holds another program's database or a newer format.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path, self.read_only = path, read_only
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self.ready = self.closed = False
        if path is not None and path.exists() and not path.is_dir():
            raise MemoryStoreError(
                f"{str(path)!r} is not a directory.", hint="A memory is a directory: give another."
            )
        if read_only and not self.exists():
            raise MemoryStoreError(
                f"No memory at {str(path)!r}.", hint="Check the path; read_only makes nothing."
            )
        with store_errors(path):
            self._prepare()

    # -- connection ---------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether something was ever written."""
        return self.path is None or (self.path / FILE).exists()

    def _prepare(self) -> bool:
        """Connect where there is something to connect to; True once the tables are there."""
        if self.closed:
            raise MemoryStoreError("The memory is closed.", hint="Open it with EditMemory(path).")
        if self.ready:
            return True
        if self._connection is None:
            if not self.exists():
                return False
            file = None if self.path is None else self.path / FILE
            self._engine = open_engine(file, read_only=self.read_only)
            self._connection = self._engine.connect()
        with self._connection.begin():
            self.ready = self._check_tables(self._connection)
        return self.ready

    def _check_tables(self, connection: Connection) -> bool:
        names = set(inspect(connection).get_table_names())
        if not names:
            return False
        if not {"meta", "events", "records"} <= names:
            raise MemoryStoreError(
                f"{str(self.path)!r} holds another program's database.",
                hint="Give another directory.",
            )
        found = int(self.meta("format") or 0)
        if found > FORMAT:
            raise MemoryStoreError(
                f"Memory at {str(self.path)!r} has format {found}; this memedit reads {FORMAT}.",
                hint="Install a newer memedit: pip install --upgrade memedit",
            )
        return True

    def _create(self) -> None:
        if self.read_only:
            raise MemoryStoreError(
                f"Memory at {str(self.path)!r} was opened with read_only=True.",
                hint="Open it without read_only to change it.",
            )
        if self._prepare():
            return
        if self.path is not None:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / FILE).touch()
            if self._prepare():
                return
        with self._begin(write=True) as connection:
            if not self._check_tables(connection):
                metadata.create_all(connection)
                self.put_meta({"format": str(FORMAT), "memory": uuid.uuid4().hex})
        self.ready = True

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Connection]:
        connection = cast(Connection, self._connection).execution_options(memedit_write=write)
        with connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[bool]:
        """One consistent state of the journal; yields False where nothing was ever written."""
        with store_errors(self.path):
            if not self._prepare():
                yield False
                return
            with self._begin(write=False):
                yield True

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction: durable once the block has ended, undone entirely if it raises."""
        with store_errors(self.path):
            self._create()
            with self._begin(write=True):
                yield

    def changed(self) -> int:
        """A number that differs from the last one if another connection may have written."""
        with store_errors(self.path):
            if not self._prepare():
                return -1
            row = self.driver.execute("PRAGMA data_version").fetchone()
            return int(row[0])

    @property
    def driver(self) -> sqlite3.Connection:
        """The SQLite connection itself."""
        if self._connection is None:
            raise MemoryStoreError("Nothing was written to this memory yet.")
        return cast(sqlite3.Connection, self._connection.connection.driver_connection)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.closed, self.ready = True, False
        if self._connection is not None and self._engine is not None:
            self._connection.close()
            self._engine.dispose()
        self._connection = self._engine = None

    # -- reading ------------------------------------------------------------------------------

    def _all(self, statement: Select[Any]) -> Sequence[Any]:
        return cast(Connection, self._connection).execute(statement).all()

    def identity(self) -> dict[str, str]:
        """Which memory, and which encoder's vectors: "memory", "encoder", "dimension",
        "embedding"; the last three once there are vectors."""
        names = ("memory", "encoder", "dimension", "embedding")
        rows = self._all(select(meta.c.name, meta.c.value).where(meta.c.name.in_(names)))
        return {row[0]: row[1] for row in rows}

    def dimension(self) -> int:
        """Length of the vectors; 0 while there are none."""
        return int(self.meta("dimension") or 0)

    def meta(self, name: str) -> str | None:
        """The value stored under ``name``."""
        rows = self._all(select(meta.c.value).where(meta.c.name == name))
        return rows[0][0] if rows else None

    def head(self) -> Head:
        """Where the journal stands now."""
        columns = (events.c.version, events.c.id, events.c.at)
        last = self._all(select(*columns).order_by(events.c.id.desc()).limit(1))
        if not last:
            return Head()
        tops = [
            select(func.coalesce(func.max(column), 0)).scalar_subquery()
            for column in (records.c.sequence, keys.c.id, relations.c.id)
        ]
        (top,) = self._all(select(*tops))
        version, event, at = last[0]
        return Head(version, event, top[0], top[1], top[2], at)

    def last_event(self) -> tuple[int, str]:
        """(id, time) of the newest event."""
        newest = select(events.c.id, events.c.at).order_by(events.c.id.desc()).limit(1)
        rows = self._all(newest)
        return (rows[0][0], rows[0][1]) if rows else (0, "")

    def event_time(self, event: int) -> str | None:
        """When the event of this id was written; None where there is none."""
        rows = self._all(select(events.c.at).where(events.c.id == event))
        return rows[0][0] if rows else None

    def version_at(self, moment: datetime) -> int:
        """The version that was current at ``moment``; 0 before the first."""
        latest = select(func.max(events.c.version)).where(events.c.at <= utc(moment))
        return self._all(latest)[0][0] or 0

    def changes(self, since: int = 0, upto: int | None = None) -> tuple[list[int], list[int]]:
        """(live, dead): sequences by whether their last event after event ``since``, in versions
        up to ``upto``, put them into the live set or took them out. Ascending."""
        rows = select(events.c.sequence, events.c.kind).where(events.c.id > since)
        if upto is not None:
            rows = rows.where(events.c.version <= upto)
        last = {row[0]: row[1] for row in self._all(rows.order_by(events.c.id))}
        live = [sequence for sequence in sorted(last) if last[sequence] in LIVE]
        return live, [sequence for sequence in sorted(last) if last[sequence] not in LIVE]

    def _chosen(self, statement: Select[Any], column: Column[int], ids: Sequence[int]) -> list[Any]:
        """Rows whose ``column`` is among ``ids`` (ascending): by name if few, else by range."""
        if not ids:
            return []
        if len(ids) <= _FEW:
            return list(self._all(statement.where(column.in_(ids))))
        wanted, name = set(ids), column.name
        rows = self._all(statement.where(column.between(ids[0], ids[-1])))
        return [row for row in rows if row._mapping[name] in wanted]

    def records(
        self, sequences: Sequence[int], lazy: LazyReader | None = None
    ) -> list[tuple[Record, int | None]]:
        """(record, relation id) of these sequences (ascending). ``lazy`` reads their payloads."""
        rows = self._chosen(select(records), records.c.sequence, sequences)
        return [(to_record(row, lazy), row.relation) for row in rows]

    def keys(self, sequences: Sequence[int]) -> list[tuple[int, int]]:
        """(key id, sequence) of the keys of these records (ascending)."""
        rows = self._chosen(select(keys.c.id, keys.c.sequence), keys.c.sequence, sequences)
        return [(row[0], row[1]) for row in rows]

    def vectors(self, ids: Sequence[int], dimension: int) -> Vectors:
        """[n, dimension] vectors of these keys (ascending)."""
        rows = self._chosen(select(keys.c.id, keys.c.vector), keys.c.id, ids)
        found: dict[int, bytes] = {row[0]: row[1] for row in rows}
        return from_bytes([found[id] for id in ids], dimension)

    def key_rows(self, after: int = 0) -> list[KeyRow]:
        """(id, sequence, text, vector) of every key with a larger id, dead records' too."""
        rows = select(keys).where(keys.c.id > after).order_by(keys.c.id)
        return [tuple(row) for row in self._all(rows)]

    def relation_rows(self, after: int = 0) -> list[RelationRow]:
        """(id, masked prompt, vector) of every relation with a larger id."""
        rows = select(relations).where(relations.c.id > after).order_by(relations.c.id)
        return [tuple(row) for row in self._all(rows)]

    def record_rows(self) -> Sequence[Any]:
        """Every row of ``records``, dead ones too."""
        return self._all(select(records).order_by(records.c.sequence))

    def payloads(self, sequence: int) -> dict[str, Payload]:
        """The payloads of one record, by editor."""
        rows = self._all(select(payloads).where(payloads.c.sequence == sequence))
        return {row.editor: payload_bytes.load(row.tensors, row.values) for row in rows}

    def history(self, id: str | None, namespace: str | None) -> list[Event]:
        """The events of every record with this id (None: all), oldest first."""
        rows = select(records)
        log = select(events).join(records, events.c.sequence == records.c.sequence)
        log = log.order_by(events.c.id)
        if namespace is not None:
            log = log.where(records.c.namespace == namespace)
            rows = rows.where(records.c.namespace == namespace)
        if id is not None:
            log = log.where(records.c.id == id)
        found = self._all(log)
        if id is not None:
            named = {row.sequence for row in found} | {row.other for row in found}
            rows = rows.where(records.c.sequence.in_(named))
        known = {row.sequence: to_record(row) for row in self._all(rows)}
        return [
            Event(
                version=row.version,
                kind=row.kind,
                record=known[row.sequence],
                at=datetime.fromisoformat(row.at),
                reason=row.reason,
                other=known.get(row.other),
            )
            for row in found
        ]

    # -- writing ------------------------------------------------------------------------------

    def _execute(self, statement: Any, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        connection = cast(Connection, self._connection)
        if rows is None:
            connection.execute(statement)
        elif rows:
            connection.execute(statement, cast(Any, rows))

    def put_meta(self, values: Mapping[str, str | None]) -> None:
        """Set these meta values; None deletes."""
        if not values:
            return
        self._execute(delete(meta).where(meta.c.name.in_(list(values))))
        rows = [{"name": k, "value": v} for k, v in values.items() if v is not None]
        self._execute(insert(meta), rows)

    def append(
        self, head: Head, stored: Sequence[Stored], relation_vectors: Mapping[str, Vectors]
    ) -> None:
        """Write new records with their keys and payloads. ``relation_vectors`` holds the masked
        prompts that may be new, with their vectors."""
        relation_ids = self._put_relations(head, stored, relation_vectors)
        rows = [record_row(item.record, relation_ids.get(item.relation or "")) for item in stored]
        self._execute(insert(records), rows)
        pairs = [
            (item, text, vector)
            for item in stored
            for text, vector in zip(item.texts, item.vectors, strict=True)
        ]
        key_rows = [
            {"id": id, "sequence": item.record.sequence, "text": text, "vector": to_bytes(vector)}
            for id, (item, text, vector) in enumerate(pairs, start=head.key + 1)
        ]
        self._execute(insert(keys), key_rows)
        for item in stored:
            if item.payloads:
                self.put_payloads({item.record.sequence: item.payloads})
            if item.copy_of is not None:
                self._copy_payloads(item.copy_of, item.record.sequence)

    def _put_relations(
        self, head: Head, stored: Sequence[Stored], vectors: Mapping[str, Vectors]
    ) -> dict[str, int]:
        texts = list(dict.fromkeys(item.relation for item in stored if item.relation is not None))
        known: dict[str, int] = {}
        for start in range(0, len(texts), 10_000):
            chosen = relations.c.text.in_(texts[start : start + 10_000])
            rows = self._all(select(relations.c.text, relations.c.id).where(chosen))
            known.update((row[0], row[1]) for row in rows)
        fresh = [text for text in texts if text not in known]
        ids = {text: id for id, text in enumerate(fresh, start=head.relation + 1)}
        rows_new = [{"id": ids[t], "text": t, "vector": to_bytes(vectors[t])} for t in fresh]
        self._execute(insert(relations), rows_new)
        return known | ids

    def _copy_payloads(self, source: int, target: int) -> None:
        rows = self._all(select(payloads).where(payloads.c.sequence == source))
        self._execute(insert(payloads), [{**row._mapping, "sequence": target} for row in rows])

    def put_payloads(self, given: Mapping[int, Mapping[str, Payload]]) -> None:
        """Store payloads, replacing those of the same record and editor."""
        for sequence, by_editor in given.items():
            for editor, payload in by_editor.items():
                tensors, values = payload_bytes.dump(payload)
                self._execute(
                    delete(payloads).where(
                        payloads.c.sequence == sequence, payloads.c.editor == editor
                    )
                )
                row = {"sequence": sequence, "editor": editor, "tensors": tensors, "values": values}
                self._execute(insert(payloads), [row])

    def log(self, head: Head, entries: Iterable[Entry]) -> None:
        """Write the events of one transaction: version ``head.version + 1``, time now (never
        before the newest event's)."""
        at = max(utc(datetime.now(timezone.utc)), head.at)
        rows = [
            {
                "id": id,
                "version": head.version + 1,
                "kind": entry.kind,
                "sequence": entry.sequence,
                "at": at,
                "reason": entry.reason,
                "other": entry.other,
            }
            for id, entry in enumerate(entries, start=head.event + 1)
        ]
        self._execute(insert(events), rows)

    def replace_vectors(
        self, key_vectors: Sequence[Vectors], relation_vectors: Sequence[Vectors]
    ) -> None:
        """New vectors for every key and relation, in order of their ids."""
        for table, vectors in ((keys, key_vectors), (relations, relation_vectors)):
            ids = [row[0] for row in self._all(select(table.c.id).order_by(table.c.id))]
            changed = update(table).where(table.c.id == bindparam("key"))
            changed = changed.values(vector=bindparam("new"))
            rows = [{"key": i, "new": to_bytes(v)} for i, v in zip(ids, vectors, strict=True)]
            self._execute(changed, rows)

    # -- whole files --------------------------------------------------------------------------

    def integrity(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        rows = self.driver.execute("PRAGMA integrity_check").fetchall()
        wrong = [str(row[0]) for row in rows if row[0] != "ok"]
        broken = self.driver.execute("PRAGMA foreign_key_check").fetchall()
        return wrong + [f"dangling reference in table {row[0]}, row {row[1]}" for row in broken]

    def copy_to(self, path: Path) -> None:
        """Overwrite (or make) the journal in directory ``path`` with this one, atomically."""
        with store_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            backup(self.driver, path / FILE)
