"""What a journal says: records, keys, vectors, payloads and events.

Every method needs :meth:`~JournalReader.read` or :meth:`~JournalReader.write` around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Column, Select, func, select

from memedit.core.types import Payload, Record, Vectors
from memedit.memory.journal import payloads as payload_bytes
from memedit.memory.journal.connection import JournalConnection
from memedit.memory.journal.payloads import LazyReader
from memedit.memory.journal.rows import (
    CONTENT,
    IN_PLACE,
    REFIT,
    RESUMED,
    Change,
    Happened,
    Head,
    KeyRow,
    PayloadRow,
    RelationRow,
    from_bytes,
    make_record,
    name_erased_relation,
    parse_utc,
    to_record,
    utc,
)
from memedit.memory.journal.schema import events, keys, meta, payloads, records, relations
from memedit.memory.reports import Event, EventKind
from memedit.memory.slots import Replaced

IDENTITY = ("memory", "encoder", "dimension", "embedding")
PAYLOAD_CHANGES = "payload_changes"
"""Meta name: how often payloads were put in after their records."""
PURGED, PURGING = "purged", "purging"
"""Meta names: the newest event of a purge; a purge of which something is still to be done."""
LIVE: tuple[EventKind, EventKind] = ("add", "restore")
_FEW, _CHUNK = 2_000, 4_096


class JournalReader(JournalConnection):
    """A journal that is only asked."""

    def stream(self, statement: Select[Any], size: int) -> Iterator[Sequence[Any]]:
        """The rows of a large result, ``size`` at a time."""
        # Without them psycopg fetches the whole result first.
        options = {"stream_results": True, "max_row_buffer": size}
        yield from self.connection.execute(statement, execution_options=options).partitions(size)

    def integrity(self) -> list[str]:
        """What the database itself finds wrong."""
        return self.database.integrity(self.connection)

    def _all(self, statement: Select[Any]) -> Sequence[Any]:
        return self.connection.execute(statement).all()

    def identity(self, metas: Mapping[str, str] | None = None) -> dict[str, str]:
        """Which memory, and which encoder's vectors: "memory", "encoder", "dimension",
        "embedding"; the last three once there are vectors."""
        known = self.metas() if metas is None else metas
        return {name: known[name] for name in IDENTITY if name in known}

    def metas(self) -> dict[str, str]:
        """The identity, how often payloads came later and the last purge, in one question."""
        names = (*IDENTITY, PAYLOAD_CHANGES, PURGED)
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

    def read_last_event(self) -> tuple[int, str]:
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
        up to ``upto``, put them into the live set or took them out. Ascending. What was purged is
        live in no version."""
        rows = select(events.c.sequence, events.c.kind).where(events.c.id > since)
        if upto is not None:
            purged = select(events.c.sequence).where(events.c.kind == "purge")
            rows = rows.where(events.c.version <= upto, events.c.sequence.not_in(purged))
        # Later events overwrite earlier ones: what is left is each record's last.
        last = {row[0]: row[1] for row in self._all(rows.order_by(events.c.id))}
        live = [sequence for sequence in sorted(last) if last[sequence] in LIVE]
        return live, [sequence for sequence in sorted(last) if last[sequence] not in LIVE]

    def touched_since(self, version: int) -> list[int]:
        """Sequences to which something happened after a version, ascending."""
        rows = select(events.c.sequence).where(events.c.version > version).distinct()
        return [row[0] for row in self._all(rows.order_by(events.c.sequence))]

    def live_among(self, sequences: Sequence[int], version: int) -> set[int]:
        """Which of these sequences (ascending) were live at a version; none that was purged."""
        columns = (events.c.id, events.c.kind, events.c.version)
        rows = sorted(self._choose(columns, events.c.sequence, sequences), key=itemgetter(1))
        last: dict[int, str] = {}
        purged = set[int]()
        for sequence, _, kind, at in rows:
            if at <= version:
                last[sequence] = kind
            if kind == "purge":
                purged.add(sequence)
        return {sequence for sequence, kind in last.items() if kind in LIVE} - purged

    def purged_of(self, version: int, namespace: str | None) -> list[int]:
        """The records (of one namespace) that were live at a version and were purged after it."""
        gone = select(events.c.sequence).where(events.c.kind == "purge", events.c.version > version)
        last = select(func.max(events.c.id)).where(events.c.version <= version)
        last = last.where(events.c.sequence.in_(gone)).group_by(events.c.sequence)
        rows = select(events.c.sequence).where(events.c.id.in_(last), events.c.kind.in_(LIVE))
        if namespace is not None:
            mine = select(records.c.sequence).where(records.c.namespace == namespace)
            rows = rows.where(events.c.sequence.in_(mine))
        return [row[0] for row in self._all(rows)]

    def _choose(
        self, columns: Sequence[Column[Any]], column: Column[int], ids: Sequence[int]
    ) -> Iterator[Any]:
        """Rows of these columns whose ``column``, which is put first, is among ``ids`` (ascending):
        by name if few, else by range, some at a time."""
        if not ids:
            return
        statement, wanted = select(column, *columns), set(ids)
        if len(ids) <= _FEW:
            first, last = min(wanted), max(wanted)
            # After a change they follow each other: to name each takes as long as to read it.
            follow = last - first + 1 == len(wanted)
            chosen = column.between(first, last) if follow else column.in_(ids)
            yield from self._all(statement.where(chosen))
            return
        for rows in self.stream(statement.where(column.between(ids[0], ids[-1])), _CHUNK):
            yield from (row for row in rows if row[0] in wanted)

    def records(
        self, sequences: Sequence[int], lazy: LazyReader | None = None
    ) -> list[tuple[Record, int | None]]:
        """(record, relation id) of these sequences (ascending). ``lazy`` reads their payloads."""
        columns = (records.c.relation, *CONTENT)
        rows = self._choose(columns, records.c.sequence, sequences)
        return [(make_record(row[2:], lazy), row[1]) for row in rows]

    def keys(self, sequences: Sequence[int]) -> list[tuple[int, int]]:
        """(key id, sequence) of the keys of these records (ascending)."""
        rows = self._choose((keys.c.id,), keys.c.sequence, sequences)
        return [(row[1], row[0]) for row in rows]

    def vectors(
        self, ids: Sequence[int], dimension: int, *, rounded: bool = False
    ) -> Vectors | npt.NDArray[np.float16]:
        """[n, dimension] vectors of these keys (ascending); ``rounded``: to float16."""
        found = np.empty((len(ids), dimension), np.float16 if rounded else np.float32)
        place = {id: at for at, id in enumerate(ids)}
        with np.errstate(over="ignore"):  # a damaged one: infinite is as good
            rows = self._choose((keys.c.vector,), keys.c.id, ids)
            while some := list(islice(rows, _FEW)):
                places = [place.pop(row[0]) for row in some]
                found[places] = from_bytes([row[1] for row in some], dimension)
        if place:
            raise KeyError(f"there is no key {min(place)}")
        return found

    def key_rows(self, after: int = 0) -> list[KeyRow]:
        """(id, sequence, text, vector) of every key with a larger id, dead records' too."""
        rows = select(keys).where(keys.c.id > after).order_by(keys.c.id)
        return [tuple(row) for row in self._all(rows)]

    def relation_rows(self, after: int = 0) -> list[RelationRow]:
        """(id, masked prompt, vector) of every relation with a larger id."""
        rows = select(relations).where(relations.c.id > after).order_by(relations.c.id)
        return [tuple(row) for row in self._all(rows)]

    def relation_ids(self) -> set[int]:
        """The relations that hold a text."""
        ids = {row[0] for row in self._all(select(relations.c.id))}
        if not ids:
            return ids
        newest = max(ids)
        (text,) = self._all(select(relations.c.text).where(relations.c.id == newest))
        # The newest stays as a blank when it is purged, so that no other text gets its id.
        return ids - {newest} if text[0] == name_erased_relation(newest) else ids

    def record_rows(self) -> Sequence[Any]:
        """Every row of ``records``, dead ones too."""
        return self._all(select(records).order_by(records.c.sequence))

    def sources(self, namespace: str, start: str) -> list[str]:
        """The sources of a namespace's records, in force or not, that begin so."""
        mine = records.c.namespace == namespace
        # A document's name may hold % or _, which LIKE takes for wildcards.
        begins = records.c.source.startswith(start, autoescape=True)
        return [row[0] for row in self._all(select(records.c.source).where(mine, begins))]

    def payload_rows(self, sequences: Sequence[int]) -> list[PayloadRow]:
        """(sequence, editor, tensors, values) of these records (ascending), as they are stored."""
        columns = (payloads.c.editor, payloads.c.tensors, payloads.c["values"])
        rows = self._choose(columns, payloads.c.sequence, sequences)
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def payload_rows_of_all(self) -> Iterator[PayloadRow]:
        """Every row of ``payloads``, some at a time."""
        for rows in self.stream(select(payloads), _FEW):
            yield from ((row.sequence, row.editor, row.tensors, row.values) for row in rows)

    def payloads(self, sequence: int) -> dict[str, Payload]:
        """The payloads of one record, by editor."""
        rows = self._all(select(payloads).where(payloads.c.sequence == sequence))
        return {row.editor: payload_bytes.load(row.tensors, row.values) for row in rows}

    def replaced(
        self, sequence: int, lazy: LazyReader | None = None, upto: int | None = None
    ) -> list[Replaced]:
        """What the record of this sequence replaced, in versions up to ``upto``, newest first; in
        place of what was purged, what that had replaced."""
        log = select(events.c.sequence, events.c.at).order_by(events.c.id.desc())
        log = log.where(events.c.kind == "supersede", events.c.other == sequence)
        if upto is not None:
            log = log.where(events.c.version <= upto)
        ended = {row[0]: parse_utc(row[1]) for row in reversed(self._all(log))}
        if not ended:
            return self._read_interrupting(sequence, lazy)
        chosen = events.c.sequence.in_(list(ended))
        begun = self._read_beginnings(list(ended))
        gone = select(events.c.sequence).where(events.c.kind == "purge", chosen)
        purged = {row[0] for row in self._all(gone)}
        known = {record.sequence: record for record, _ in self.records(sorted(ended), lazy)}
        found: list[Replaced] = []
        for s in reversed(ended):
            here = [Replaced(known[s], begun[s], ended[s])]
            # Purged records keep their place in the chain, and nothing else.
            found += self.replaced(s, lazy, upto) if s in purged else here
        return found

    def _read_beginnings(self, sequences: Sequence[int]) -> dict[int, datetime]:
        """When records were told: a copy, when what it is a copy of was."""
        columns = (events.c.sequence, events.c.at, events.c.other, events.c.reason)
        known: dict[int, tuple[str, int | None]] = {}
        asked = set(sequences)
        while asked:
            rows = select(*columns).where(events.c.kind == "add", events.c.sequence.in_(asked))
            # What was put into the place of another is told itself.
            found = {
                row[0]: (row[1], None if row[3] == IN_PLACE else row[2]) for row in self._all(rows)
            }
            known |= found
            asked = {other for _, other in found.values() if other is not None} - known.keys()
        begun: dict[int, datetime] = {}
        for sequence in sequences:
            at, other = known[sequence]
            while other is not None:
                at, other = known[other]
            begun[sequence] = parse_utc(at)
        return begun

    def _read_interrupting(self, sequence: int, lazy: LazyReader | None) -> list[Replaced]:
        """What held up to where a copy resumed, unless that was forgotten."""
        made, gone = events.alias(), events.alias()
        took = (gone.c.version == made.c.version) & (gone.c.sequence == made.c.other)
        rows = select(gone.c.other).join(made, took).where(gone.c.kind == "supersede")
        rows = rows.where(made.c.sequence == sequence, made.c.kind == "add")
        rows = rows.where(made.c.reason == RESUMED)
        found: list[Replaced] = []
        for record, _ in self.records([row[0] for row in self._all(rows)], lazy):
            log = select(events.c.kind).where(events.c.sequence == record.sequence)
            last = self._all(log.order_by(events.c.id.desc()).limit(1))
            if record.valid_until is not None and last[0][0] not in ("forget", "purge"):
                begun = self._read_beginnings([record.sequence])[record.sequence]
                found.append(Replaced(record, begun, record.valid_until))
        return found

    def taken_by(self, record: Record) -> list[int]:
        """The records that this one superseded when it was added."""
        # By its version, which is indexed: what replaced a record is not.
        mine = events.c.version == record.version
        chosen = (mine, events.c.kind == "supersede", events.c.other == record.sequence)
        return [row[0] for row in self._all(select(events.c.sequence).where(*chosen))]

    def successor(self, id: str, namespace: str) -> int | None:
        """The record that stands where the newest of this id stood, whatever stood there between;
        None: nothing took its place."""
        mine = (records.c.id == id, records.c.namespace == namespace)
        (newest,) = self._all(select(func.max(records.c.sequence)).where(*mine))
        first = last = newest[0]
        seen: set[int] = set()
        while last is not None and last not in seen:
            seen.add(last)
            log = select(events.c.kind, events.c.other).where(events.c.sequence == last)
            ((kind, other),) = self._all(log.order_by(events.c.id.desc()).limit(1))
            if kind != "supersede":
                return None if last == first else last
            last = other
        return None

    def copies_of(self, sequence: int) -> list[int]:
        """The copies that were made of a record when it was superseded, and what was put into its
        place."""
        gone = select(events.c.version).where(
            events.c.sequence == sequence, events.c.kind == "supersede"
        )
        rows = select(events.c.sequence).where(
            events.c.version.in_(gone), events.c.kind == "add", events.c.other == sequence
        )
        return [row[0] for row in self._all(rows.order_by(events.c.id))]

    def takers_of(self, sequences: Sequence[int]) -> list[int]:
        """The records for which one of these was ever superseded."""
        mine = (events.c.kind == "supersede", events.c.sequence.in_(sequences))
        return [row[0] for row in self._all(select(events.c.other).where(*mine).distinct())]

    def was_purged(self, sequence: int) -> bool:
        """Whether a record says nothing any more."""
        mine = (events.c.kind == "purge", events.c.sequence == sequence)
        return bool(self._all(select(events.c.id).where(*mine).limit(1)))

    def were_forgotten(self, sequences: Sequence[int], upto: int | None = None) -> bool:
        """Whether one of these was taken out last (in versions up to ``upto``; purged whenever),
        and not for another, or to be fitted anew."""
        last = select(func.max(events.c.id)).where(events.c.sequence.in_(sequences))
        if upto is not None:
            last = last.where((events.c.version <= upto) | (events.c.kind == "purge"))
        last = last.group_by(events.c.sequence)
        gone = (events.c.kind == "forget") & (events.c.reason != REFIT) | (events.c.kind == "purge")
        rows = select(events.c.id).where(events.c.id.in_(last), gone)
        return bool(self._all(rows.limit(1)))

    def origin_of(self, sequence: int) -> int | None:
        """What a record is a copy of, or was put into the place of; None: of nothing."""
        mine = (events.c.sequence == sequence, events.c.kind == "add")
        return next((row[0] for row in self._all(select(events.c.other).where(*mine))), None)

    def origins(self) -> dict[int, int]:
        """:meth:`origin_of` of all."""
        mine = (events.c.kind == "add", events.c.other.is_not(None))
        rows = self._all(select(events.c.sequence, events.c.other).where(*mine))
        return {row[0]: row[1] for row in rows}

    def versions(self, namespace: str | None) -> list[Change]:
        """What was done in each version (to records of one namespace), oldest first."""
        log = select(events.c.version, events.c.kind, events.c.reason).distinct()
        if namespace is not None:
            log = log.join(records, events.c.sequence == records.c.sequence)
            log = log.where(records.c.namespace == namespace)
        return [Change(*row) for row in self._all(log.order_by(events.c.version))]

    def happened_since(self, version: int, namespace: str | None) -> list[Happened]:
        """What happened (to records of one namespace) after a version, in order."""
        columns = (events.c.version, events.c.kind, events.c.sequence, events.c.other)
        log = select(*columns).where(events.c.version > version)
        if namespace is not None:
            log = log.join(records, events.c.sequence == records.c.sequence)
            log = log.where(records.c.namespace == namespace)
        return [Happened(*row) for row in self._all(log.order_by(events.c.id))]

    def history(self, id: str | None, namespace: str | None, since: int = 0) -> list[Event]:
        """The events of every record with this id (None: all) after a version, oldest first."""
        rows = select(records)
        log = select(events).join(records, events.c.sequence == records.c.sequence)
        log = log.where(events.c.version > since).order_by(events.c.id)
        if namespace is not None:
            log = log.where(records.c.namespace == namespace)
            rows = rows.where(records.c.namespace == namespace)
        if id is not None:
            log = log.where(records.c.id == id)
        found = self._all(log)
        before = self._read_replaced({row.version for row in found if row.kind == "add"})
        if id is None and not since:
            known = {row.sequence: to_record(row) for row in self._all(rows)}
        else:
            named = {row.sequence for row in found} | {row.other for row in found}
            named |= {before.get(sequence) for sequence in named}
            some = self.records(sorted(sequence for sequence in named if sequence is not None))
            known = {record.sequence: record for record, _ in some}
        return [
            Event(
                version=row.version,
                kind=row.kind,
                record=known[row.sequence],
                at=parse_utc(row.at),
                reason=row.reason,
                other=known.get(
                    row.other or before.get(row.sequence) if row.kind == "add" else row.other
                ),
            )
            for row in found
        ]

    def _read_replaced(self, versions: Set[int]) -> dict[int, int]:
        """{sequence of a record: sequence of the (first) one whose place it took} in versions."""
        columns = (events.c.id, events.c.kind, events.c.sequence, events.c.other)
        found = self._choose(columns, events.c.version, sorted(versions))
        rows = sorted((row for row in found if row.kind == "supersede"), key=itemgetter(1))
        # Descending: the first of several is entered last, and stays.
        return {row.other: row.sequence for row in reversed(rows)}
