"""The journal: the truth about a memory, in SQL.

Immutable records and append-only events; nothing here knows about indexes or encoders. Every
method but :meth:`Journal.read`, :meth:`Journal.write` and :meth:`Journal.copy_file` needs one of
the first two around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Payload, Vectors
from memedit.memory.address import Address, is_url, quote
from memedit.memory.journal import payloads as payload_bytes
from memedit.memory.journal.reading import LIVE, PAYLOAD_CHANGES, JournalReader
from memedit.memory.journal.rows import Entry, Head, Stored, record_row, to_bytes, utc
from memedit.memory.journal.schema import events, keys, meta, payloads, records, relations
from memedit.memory.journal.sqlite import FILE
from memedit.memory.journal.stores import open_database

__all__ = ["FILE", "LIVE", "PAYLOAD_CHANGES", "Journal"]

_AT_ONCE = 64
"""Records whose payloads lie in RAM as bytes, too."""


class Journal(JournalReader):
    """The SQL side of one memory: a directory, a PostgreSQL database, or RAM.

    Raises:
        MemoryStoreError: the path is a file, holds another program's database or a newer format;
            the database cannot be reached; there is no memory to be opened ``read_only``.
    """

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        super().__init__(open_database(address, read_only=read_only))
        # By table: (statement, the order of its values; None: it names them).
        self._inserts: dict[str, tuple[str, Sequence[str] | None]] = {}
        try:
            # Looked at now, so that a wrong path is told when the memory is opened, not at the
            # first edit.
            with self.database.errors():
                ready = self.exists() and self.prepare()
        except BaseException:
            self.close()
            raise
        if read_only and self.database.is_missing(tables=ready):
            self.close()
            hint = "Check the path: reading makes none."
            if is_url(address):
                hint = "Reading makes none: add an edit, or bring one there with memedit migrate."
            reason = FileNotFoundError("no tables")  # by this it is told from one that is damaged
            raise MemoryStoreError(f"No memory {quote(address)}.", hint=hint) from reason

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(self, statement: Any, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        if rows is None:
            self.connection.execute(statement)
        elif rows:
            self.connection.execute(statement, cast(Any, rows))

    def _insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of all columns, as the driver takes them: SQLAlchemy's own look at each value of
        each row takes as long as the database does."""
        if not rows:
            return
        if table.name not in self._inserts:
            dialect = self.connection.dialect
            made = insert(table).compile(dialect=dialect, column_keys=list(rows[0]))
            self._inserts[table.name] = (str(made), made.positiontup)
        statement, order = self._inserts[table.name]
        given = list(map(itemgetter(*order), rows)) if order else list(rows)
        self.connection.exec_driver_sql(statement, cast(Any, given))

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
        self._insert(records, rows)
        pairs = [
            (item, text, vector)
            for item in stored
            for text, vector in zip(item.texts, item.vectors, strict=True)
        ]
        key_rows = [
            {"id": id, "sequence": item.record.sequence, "text": text, "vector": to_bytes(vector)}
            for id, (item, text, vector) in enumerate(pairs, start=head.key + 1)
        ]
        self._insert(keys, key_rows)
        # Some at a time: an editor of weights has megabytes for each.
        for start in range(0, len(stored), _AT_ONCE):
            some = stored[start : start + _AT_ONCE]
            fresh = [_payload_rows(item.record.sequence, item.payloads) for item in some]
            self._insert(payloads, list(chain.from_iterable(fresh)))
        for item in stored:
            if item.copy_of is not None:
                self._copy_payloads(item.copy_of, item.record.sequence)

    def _put_relations(
        self, head: Head, stored: Sequence[Stored], vectors: Mapping[str, Vectors]
    ) -> dict[str, int]:
        texts = list(dict.fromkeys(item.relation for item in stored if item.relation is not None))
        known: dict[str, int] = {}
        # SQLite takes at most 32,766 values in one statement.
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
            for row in _payload_rows(sequence, by_editor):
                same = (payloads.c.sequence == sequence, payloads.c.editor == row["editor"])
                self._execute(delete(payloads).where(*same))
                self._execute(insert(payloads), [row])

    def log(self, head: Head, entries: Iterable[Entry]) -> None:
        """Write the events of one transaction: version ``head.version + 1``, time now (never
        before the newest event's)."""
        # A clock may be set back: "as of" looks for versions by these times.
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
        self._insert(events, rows)

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
            # SQLAlchemy keeps "id" and "vector", the columns' own names, for itself.
            changed = update(table).where(table.c.id == bindparam("key"))
            changed = changed.values(vector=bindparam("new"))
            rows = [{"key": i, "new": to_bytes(v)} for i, v in zip(ids, vectors, strict=True)]
            self._execute(changed, rows)

    def run(self, work: Callable[[Connection], None]) -> None:
        """What only this database understands, within an open write."""
        work(self.connection)

    def execute(self, statement: Any) -> None:
        """Any statement."""
        self._execute(statement)

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows as :meth:`stream` gave them."""
        self._execute(insert(table), rows)

    def copy_file(self, folder: Path) -> bool:
        """Overwrite (or make) the journal in a directory with this one, atomically. False where
        this one is no file: :mod:`memedit.memory.journal.copying` copies those."""
        return self.database.copy_file(self.connection, folder)


def _payload_rows(sequence: int, by_editor: Mapping[str, Payload]) -> Iterator[dict[str, Any]]:
    for editor, payload in by_editor.items():
        tensors, values = payload_bytes.dump(payload)
        yield {"sequence": sequence, "editor": editor, "tensors": tensors, "values": values}
