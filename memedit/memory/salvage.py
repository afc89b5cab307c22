"""What can still be read of a damaged journal: record by record, past what cannot."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from memedit.core.errors import MemeditError, MemoryStoreError, UntrustedFileError
from memedit.core.types import Record
from memedit.core.untrusted import check_plain
from memedit.memory.address import quote
from memedit.memory.files import write
from memedit.memory.journal.journal import FILE, LIVE
from memedit.memory.journal.rows import digest, to_record
from memedit.memory.journal.schema import records

_COLUMNS = tuple(column.name for column in records.columns)
_MOST_LOST = 100_000  # a damaged maximum must not keep it looking for ever


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """What was saved.

    Attributes:
        saved: Edits written: those in force, and those of which no event can be read.
        altered: Of these, records whose hash does not match: look at them.
        lost: Sequences that cannot be read.
        out_of_force: Records left out since they were forgotten or superseded.
    """

    saved: int
    altered: tuple[int, ...]
    lost: tuple[int, ...]
    out_of_force: int


def salvage(folder: Path, out: Path) -> SalvageReport:
    """Write what can be read of the memory in a directory into a JSONL file that import takes.

    The memory is only read; vectors and payloads are left out: import makes them again.

    Raises:
        MemoryStoreError: there is no journal, or its file cannot be read at all.
    """
    file = folder / FILE
    try:
        check_plain(file)
        uri = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as journal:
            journal.execute("PRAGMA trusted_schema=OFF")
            found = _Found(journal)
            saved = write(out, found.records())
    except (OSError, sqlite3.Error, UnicodeDecodeError, UntrustedFileError) as error:
        raise MemoryStoreError(f"Memory {quote(folder)}: {error}.") from error
    return SalvageReport(saved, tuple(found.altered), tuple(found.lost), found.out_of_force)


class _Found:
    """The records of a journal, one query each: a page that is damaged costs only its own."""

    def __init__(self, journal: sqlite3.Connection) -> None:
        self._journal = journal
        # A flipped byte in a text must not cost the whole record.
        journal.text_factory = lambda content: content.decode("utf-8", "replace")
        self.altered: list[int] = []
        self.lost: list[int] = []
        self.out_of_force = 0

    def _one(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._journal.execute(statement, values).fetchone()
        return row

    def records(self) -> Iterator[Record]:
        sequence, last = 0, self._find_last()
        while sequence < last and len(self.lost) < _MOST_LOST:
            sequence += 1
            try:
                row = self._row(sequence)
                kind = None if row is None else self._kind(sequence)
                if row is not None and kind is not None and kind not in LIVE:
                    self.out_of_force += 1
                elif row is not None:
                    yield self._read(row)
            except (sqlite3.Error, MemeditError, ValueError, TypeError, KeyError, RecursionError):
                self.lost.append(sequence)

    def _find_last(self) -> int:
        """The largest sequence anywhere: the table itself may end early."""
        found = 0
        for table in ("records", "events"):
            try:
                row = self._one(f"SELECT max(sequence) FROM {table}")
            except (sqlite3.Error, UnicodeDecodeError):
                continue
            found = max(found, row[0] if row is not None and isinstance(row[0], int) else 0)
        return found

    def _row(self, sequence: int) -> Mapping[str, Any] | None:
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        row = self._one(f"SELECT {names} FROM records WHERE sequence = ?", sequence)
        if row is None:
            self.lost.append(sequence)
            return None
        return dict(zip(_COLUMNS, row, strict=True))

    def _kind(self, sequence: int) -> str | None:
        """What its newest event did; None where that cannot be read: then it is kept."""
        try:
            row = self._one(
                "SELECT kind FROM events WHERE sequence = ? ORDER BY id DESC LIMIT 1", sequence
            )
        except (sqlite3.Error, UnicodeDecodeError):
            return None
        return None if row is None else str(row[0])

    def _read(self, row: Mapping[str, Any]) -> Record:
        record = to_record(SimpleNamespace(**row))
        # SQLite's columns hold values of any type: bytes in a text's place are refused here.
        json.dumps([record.edit.prompt, record.namespace, record.source])
        if digest(row) != row["digest"]:
            self.altered.append(record.sequence)
        return record
