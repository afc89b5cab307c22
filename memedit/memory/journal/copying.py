"""A whole memory from one place to another: every table, row by row, compared before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table, delete, inspect, select
from sqlalchemy.schema import DropTable

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.memory.address import Address, is_url, quote
from memedit.memory.journal.journal import Journal
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.schema import metadata

_CHUNK = 2_000  # rows in RAM at a time
_TAKEN = "Give an empty directory, database or schema; or replace it (--replace)."


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What was copied.

    Attributes:
        version: The memory's version, the same in both places.
        rows: Number of rows by table, dead records' too.
        sha256: Of every row, read back from the target and equal to the source's.
        purged: Records that had been purged in the target and were purged again.
    """

    version: int
    rows: dict[str, int]
    sha256: str
    purged: int = 0


def copy(
    source: JournalReader, target: Path, progress: Callable[[int], None] | None = None
) -> MigrationReport:
    """:func:`copy_journal` into a directory."""
    journal = Journal(target)
    try:
        return copy_journal(source, journal, progress)
    finally:
        journal.close()


def leave_edits(target: Path) -> None:
    """Take out of a copied file the tables that a server kept beside the edits."""
    with Journal(target) as copied, copied.write():
        for name in inspect(copied.connection).get_table_names():
            if name not in metadata.tables:
                copied.execute(DropTable(Table(name, MetaData())))


def copy_journal(
    source: JournalReader,
    target: Journal,
    progress: Callable[[int], None] | None = None,
    last: Callable[[], int] = int,
) -> MigrationReport:
    """Make ``target`` a copy of ``source``, history and vectors included, in one transaction.

    Args:
        progress: Told how many rows have been copied.
        last: Called in the same transaction once all is copied and compared; it purges what the
            target had purged, and answers how much that was.

    Raises:
        MemoryStoreError: there is nothing to copy, or what was written reads back differently;
            the target is then as before.
    """
    with source.read() as anything:
        if not anything:
            raise MemoryStoreError(f"There is no memory {quote(source.address)}.")
        version = source.head().version
        with target.write():
            # What refers to other tables goes first, and comes last.
            for table in reversed(metadata.sorted_tables):
                target.execute(delete(table))
            rows, done = dict[str, int](), 0
            for table in metadata.sorted_tables:
                rows[table.name] = 0
                for chunk in _chunks(source, table):
                    target.insert(table, chunk)
                    rows[table.name] += len(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(done)
            # Within the transaction: a copy that reads back differently is never committed.
            expected, found = fingerprint(source), fingerprint(target)
            if expected != found:
                raise MemoryStoreError(
                    f"The copy {quote(target.address)} reads back differently: nothing was kept.",
                    hint="Check the target's disk, and that its encoding is UTF-8.",
                )
            purged = last()
    return MigrationReport(version, rows, found, purged)


def _chunks(journal: JournalReader, table: Table) -> Iterator[list[dict[str, Any]]]:
    ordered = select(table).order_by(*table.primary_key.columns)
    for rows in journal.stream(ordered, _CHUNK):
        yield [dict(row._mapping) for row in rows]


def fingerprint(journal: JournalReader) -> str:
    """SHA-256 of every row of every table. Needs an open read or write."""
    total = hashlib.sha256()
    for name, added in fingerprints(journal).items():
        total.update(f"{name}:{added};".encode())
    return total.hexdigest()


def fingerprints(journal: JournalReader) -> dict[str, str]:
    """By table a hash of its rows, whatever their order. Needs an open read or write."""
    found: dict[str, str] = {}
    for table in metadata.sorted_tables:
        # The order of texts is the database's business: a sum of hashes has none.
        added = 0
        for rows in journal.stream(select(table), _CHUNK):
            for row in rows:
                content = repr(tuple(row)).encode()
                added += int.from_bytes(hashlib.sha256(content).digest()[:16], "big")
        found[table.name] = f"{added % (1 << 128):032x}"
    return found


def check_target(source: Address, target: Address, *, hint: str = _TAKEN) -> None:
    """Refuse a target that holds something, or is the source.

    Args:
        hint: What to do about a target that holds something.

    Raises:
        InvalidInputError, MemoryStoreError
    """
    if source == target:
        raise InvalidInputError("Source and target are the same.", hint="Name another target.")
    if not is_url(source) and not Path(str(source)).exists():
        raise MemoryStoreError(f"There is no memory {quote(source)}.", hint="Check the path.")
    journal = Journal(target)
    try:
        with journal.read() as anything:
            # Tables without events are an empty memory: nothing would be lost.
            if anything and journal.head().event:
                raise MemoryStoreError(f"There is a memory {quote(target)} already.", hint=hint)
    finally:
        journal.close()
