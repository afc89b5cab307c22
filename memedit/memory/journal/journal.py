"""The journal: the truth about a memory, in SQL.

Immutable records and append-only events; nothing here knows about indexes or encoders. Every
method but :meth:`Journal.read` and :meth:`Journal.write` needs one of these two around it.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    RootTransaction,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Payload, Record, Vectors
from memedit.memory.address import Address, is_url, quoted
from memedit.memory.journal import payloads as payload_bytes
from memedit.memory.journal.payloads import LazyReader
from memedit.memory.journal.postgres import Postgres
from memedit.memory.journal.rows import (
    Entry,
    Head,
    KeyRow,
    PayloadRow,
    RelationRow,
    Stored,
    from_bytes,
    readable,
    record_row,
    to_bytes,
    to_record,
    utc,
)
from memedit.memory.journal.schema import (
    FORMAT,
    events,
    keys,
    meta,
    metadata,
    payloads,
    records,
    relations,
)
from memedit.memory.journal.sqlite import FILE, SQLite, backup, driver_of, store_errors
from memedit.memory.reports import Event, EventKind

__all__ = ["FILE", "LIVE", "PAYLOAD_CHANGES", "Journal"]

_FEW = 2_000
IDENTITY = ("memory", "encoder", "dimension", "embedding")
PAYLOAD_CHANGES = "payload_changes"
"""Meta name: how often payloads were put in after their records."""
LIVE: tuple[EventKind, EventKind] = ("add", "restore")

T = TypeVar("T")


class Journal:
    """The SQL side of one memory: a directory, a PostgreSQL database, or RAM.

    One connection, to be used by one thread at a time. The tables are made by the first
    :meth:`write`. A connection that was lost is made anew by the next call.

    Raises:
        MemoryStoreError: the path is a file, holds another program's database or a newer format;
            the database cannot be reached.
    """

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        self._of(_database(address, read_only=read_only), read_only=read_only)
        with self.database.errors():
            ready = self.exists() and self._prepare()
        if read_only and not (ready or (self.exists() and not self.shared)):
            self.close()
            raise MemoryStoreError(
                f"No memory {quoted(address)}.", hint="Check the path; read_only makes nothing."
            )

    def _of(self, database: SQLite | Postgres, *, read_only: bool) -> None:
        self.database, self.read_only = database, read_only
        self.address, self.path, self.shared = database.address, database.path, database.shared
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._connections = 0
        self.ready = self.closed = False

    @classmethod
    def lazy(cls, database: SQLite | Postgres) -> Journal:
        """A further connection, not made before it is needed."""
        journal = cls.__new__(cls)
        journal._of(database, read_only=False)
        return journal

    # -- connection ---------------------------------------------------------------------------

    def check_open(self) -> None:
        """:class:`MemoryStoreError` after :meth:`close`."""
        if self.closed:
            raise MemoryStoreError("The memory is closed.", hint="Open it with EditMemory(path).")

    def exists(self) -> bool:
        """Whether something was ever written; of a database, only a connection can tell."""
        return self.database.exists()

    def _prepare(self) -> bool:
        """Connect where there is something to connect to; True once the tables are there."""
        self.check_open()
        if self.ready and self._connection is not None:
            return True
        return self._twice(self._look)

    def _look(self) -> bool:
        if self._connection is None:
            if not self.exists():
                return False
            self._engine = self._engine or self.database.engine()
            self._connection = self._engine.connect()
            self._connections += 1
        with readable(self.address), self._connection.begin():
            self.ready = self._check_tables(self._connection)
        return self.ready

    def _twice(self, act: Callable[[], T]) -> T:
        """What ``act`` gives; once more where the connection had been lost meanwhile."""
        for attempt in range(2):
            try:
                return act()
            except DBAPIError as error:
                self._let_go()
                if attempt or not self.shared or not error.connection_invalidated:
                    raise
        raise AssertionError("unreachable")

    def _check_tables(self, connection: Connection) -> bool:
        names = set(inspect(connection).get_table_names())
        if self.database.foreign(names, {"meta", "events", "records"}):
            raise MemoryStoreError(
                f"The database {quoted(self.address)} is another program's.",
                hint="Give another directory or database.",
            )
        if "meta" not in names:
            return False
        self.database.check_schema(connection)
        found = int(self.meta("format") or 0)
        if found > FORMAT:
            raise MemoryStoreError(
                f"Memory {quoted(self.address)} has format {found}; this memedit reads {FORMAT}.",
                hint="Install a newer memedit: pip install --upgrade memedit",
            )
        return True

    def _create(self) -> None:
        if self.read_only:
            raise MemoryStoreError(
                f"Memory {quoted(self.address)} was opened with read_only=True.",
                hint="Open it without read_only to change it.",
            )
        if self._prepare():
            return
        self.database.make()
        if self._prepare():
            return
        with self._begin(write=True, tables=False) as connection:
            self.database.about_to_create(connection)
            if not self._check_tables(connection):
                metadata.create_all(connection)
                self.put_meta({"format": str(FORMAT), "memory": uuid.uuid4().hex})
                self.database.created(connection)
        self.ready = True

    @contextmanager
    def _begin(self, *, write: bool, tables: bool = True) -> Iterator[Connection]:
        transaction = self._begun(write=write, tables=tables)
        with transaction:
            yield cast(Connection, self._connection)

    def _begun(self, *, write: bool, tables: bool) -> RootTransaction:
        """A transaction; begun a second time where the connection had been lost meanwhile."""

        def begin() -> RootTransaction:
            options = {"memedit_write": write, "memedit_tables": tables}
            return self._connected().execution_options(**options).begin()

        return self._twice(begin)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._prepare()
        return cast(Connection, self._connection)

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """A connection that breaks within the block is given up: the next call makes another."""
        try:
            yield
        except DBAPIError as error:
            if self.shared and error.connection_invalidated:
                self._let_go()
            raise

    def _let_go(self) -> None:
        """Close the connection, if it lets itself be closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be in any state
                connection.invalidate()
            with suppress(Exception):
                connection.close()

    @contextmanager
    def read(self) -> Iterator[bool]:
        """One consistent state of the journal; yields False where nothing was ever written."""
        with self.database.errors(), self._renewed():
            if not self._prepare():
                yield False
                return
            with self._begin(write=False):
                yield True

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction: durable once the block has ended, undone entirely if it raises."""
        with self.database.errors(), self._renewed():
            self._create()
            with self._begin(write=True) as connection:
                yield
                self.database.check_place()
                if self.shared:
                    self.database.written(connection, self.meta("memory") or "")

    def changed(self) -> tuple[int, int]:
        """(connection, version): differs from the last one if another connection may have written.

        SQLite's version means nothing to a later connection, which counts from the start again. Of
        SQLite only; a database's news are announced (:mod:`memedit.memory.journal.feed`).
        """
        with self.database.errors():
            if not self._prepare():
                return self._connections, -1
            version = int(self.driver.execute("PRAGMA data_version").fetchone()[0])
            return self._connections, version

    @property
    def driver(self) -> sqlite3.Connection:
        """The SQLite connection itself."""
        if self._connection is None or self.shared:
            raise MemoryStoreError("Nothing was written to this memory yet.")
        return driver_of(self._connection)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.closed, self.ready = True, False
        self._let_go() if self.shared else self._close()
        self._connection = self._engine = None

    def _close(self) -> None:
        if self._connection is not None and self._engine is not None:
            self._connection.close()
            self._engine.dispose()

    # -- reading ------------------------------------------------------------------------------

    def _all(self, statement: Select[Any]) -> Sequence[Any]:
        return cast(Connection, self._connection).execute(statement).all()

    def stream(self, statement: Select[Any], size: int) -> Iterator[Sequence[Any]]:
        """The rows of a large result, ``size`` at a time."""
        connection = cast(Connection, self._connection)
        options = {"stream_results": True, "max_row_buffer": size}
        yield from connection.execute(statement, execution_options=options).partitions(size)

    def identity(self, metas: Mapping[str, str] | None = None) -> dict[str, str]:
        """Which memory, and which encoder's vectors: "memory", "encoder", "dimension",
        "embedding"; the last three once there are vectors."""
        known = self.metas() if metas is None else metas
        return {name: known[name] for name in IDENTITY if name in known}

    def metas(self) -> dict[str, str]:
        """The identity and how often payloads were put in later, in one question."""
        names = (*IDENTITY, PAYLOAD_CHANGES)
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
        version, event, at = self.newest()
        if not event:
            return Head()
        tops = [
            select(func.coalesce(func.max(column), 0)).scalar_subquery()
            for column in (records.c.sequence, keys.c.id, relations.c.id)
        ]
        (top,) = self._all(select(*tops))
        return Head(version, event, top[0], top[1], top[2], at)

    def last_event(self) -> tuple[int, str]:
        """(id, time) of the newest event."""
        _, event, at = self.newest()
        return event, at

    def newest(self) -> tuple[int, int, str]:
        """(version, id, time) of the newest event."""
        columns = (events.c.version, events.c.id, events.c.at)
        rows = self._all(select(*columns).order_by(events.c.id.desc()).limit(1))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else (0, 0, "")

    def event_time(self, event: int) -> str | None:
        """When the event of this id was written; None where there is none."""
        rows = self._all(select(events.c.at).where(events.c.id == event))
        return rows[0][0] if rows else None

    def undone_since(self, version: int) -> bool:
        """Whether the memory went back to an older state after ``version``."""
        undone = (events.c.kind == "restore") | events.c.reason.like("restore %")
        later = select(events.c.id).where(events.c.version > version, undone)
        return bool(self._all(later.limit(1)))

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

    def payload_rows(self, sequences: Sequence[int]) -> list[PayloadRow]:
        """(sequence, editor, tensors, values) of these records (ascending), as they are stored."""
        rows = self._chosen(select(payloads), payloads.c.sequence, sequences)
        return [(row.sequence, row.editor, row.tensors, row.values) for row in rows]

    def payload_rows_of_all(self) -> Iterator[PayloadRow]:
        """Every row of ``payloads``, some at a time."""
        for rows in self.stream(select(payloads), _FEW):
            yield from ((row.sequence, row.editor, row.tensors, row.values) for row in rows)

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

    def note_payloads(self) -> None:
        """Let other processes know that payloads were put in without an event."""
        count = int(self.meta(PAYLOAD_CHANGES) or 0)
        self.put_meta({PAYLOAD_CHANGES: str(count + 1)})

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

    def run(self, work: Callable[[Connection], None]) -> None:
        """What only this database understands, within an open write."""
        work(cast(Connection, self._connection))

    def execute(self, statement: Any) -> None:
        """Any statement."""
        self._execute(statement)

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows as :meth:`stream` gave them."""
        self._execute(insert(table), rows)

    # -- whole journals -----------------------------------------------------------------------

    def integrity(self) -> list[str]:
        """What the database itself finds wrong."""
        return self.database.integrity(cast(Connection, self._connection))

    def copy_to(self, path: Path) -> None:
        """Overwrite (or make) the journal in directory ``path`` with this one, atomically.

        Only of a memory in SQLite: see :mod:`memedit.memory.journal.copying` for the others.
        """
        with store_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            backup(self.driver, path / FILE)


def _database(address: Address, *, read_only: bool) -> SQLite | Postgres:
    if is_url(address):
        return Postgres(str(address), read_only=read_only)
    return SQLite(None if address is None else Path(address), read_only=read_only)
