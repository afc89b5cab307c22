"""Where an audit log's lines are, and its head: in RAM, in a file beside a journal, in a database.

The head of a file is in the memory's journal, moved in one transaction with the line: who alters
the file alone is found out, and several processes write one after the other.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from sqlalchemy import Connection, inspect, text

from memedit.core.errors import MemoryStoreError
from memedit.memory import EditMemory
from memedit.serving.ledger.chain import Head, hash_of
from memedit.serving.ledger.tables import Tables

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_HEADS = "audit_head"
_MAKE_HEADS = (
    f"CREATE TABLE IF NOT EXISTS {_HEADS} "
    "(count BIGINT NOT NULL, hash TEXT NOT NULL, seal TEXT NOT NULL)"
)
_READ_HEADS = f"SELECT count, hash, seal FROM {_HEADS}"
_MAKE_LINES = "CREATE TABLE IF NOT EXISTS audit (line TEXT NOT NULL)"
_REACH = 4_096  # bytes from the end in which the newest line is looked for first


@dataclass(frozen=True, slots=True)
class End:
    """The end of a log, while nobody else writes to it.

    Attributes:
        newest: The last whole line; b"" where there is none.
        torn: What follows it without being a line.
        head: What was kept of the newest line when it was written.
        all: Every whole line, oldest first.
        add: Puts lines after ``torn``, which becomes one, and keeps a new head.
        replace: Puts these in place of all lines, and keeps a new head. False where that takes two
            transactions, and this is the first: the head is announced, so that whatever happens
            one of two is right; the caller does the same again in the next.
    """

    newest: bytes
    torn: bytes
    head: Head | None
    all: Callable[[], Sequence[bytes]]
    add: Callable[[Sequence[bytes], Head], None]
    replace: Callable[[Sequence[bytes], Head], bool]


@dataclass(frozen=True, slots=True)
class Whole:
    """A log as it is: its whole lines, oldest first, what is torn after them, and the head."""

    lines: Sequence[bytes]
    torn: bytes
    head: Head | None


class Lines(Protocol):
    """A log's lines. What cannot be read or written is a :class:`MemoryStoreError`."""

    def end(self) -> AbstractContextManager[End]:
        """The end, to be added to within the block."""

    def whole(self) -> Whole: ...

    def newest(self, limit: int) -> list[bytes]:
        """The last lines, oldest first, a torn one among them."""


class InRam:
    """The newest lines of a memory that is kept in RAM."""

    def __init__(self) -> None:
        # Bounded: without a directory, whoever runs this is trying things out.
        self._lines: deque[bytes] = deque(maxlen=10_000)
        self._head: Head | None = None

    @contextmanager
    def end(self) -> Iterator[End]:
        newest = self._lines[-1] if self._lines else b""
        yield End(newest, b"", self._head, self._all, self._add, self._replace)

    def _replace(self, lines: Sequence[bytes], head: Head) -> bool:
        self._lines.clear()
        self._add(lines, head)
        return True

    def _all(self) -> list[bytes]:
        return list(self._lines)

    def _add(self, lines: Sequence[bytes], head: Head) -> None:
        self._lines.extend(lines)
        self._head = head

    def whole(self) -> Whole:
        return Whole(self._all(), b"", self._head)

    def newest(self, limit: int) -> list[bytes]:
        return self._all()[-limit:]


class InFile:
    """A file in a memory's directory; its head in that memory's journal."""

    def __init__(self, path: Path, memory: EditMemory) -> None:
        self.path, self._memory = path, memory

    @contextmanager
    def end(self) -> Iterator[End]:
        with self._memory.beside(write=True) as db, self._errors():
            assert db is not None  # a write makes what is missing
            # Never through a link, which somebody may have put there to have another file written.
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
            with os.fdopen(handle, "r+b") as file:
                newest, torn = _ending(file)
                add, replace = partial(_append, file, db), partial(_renew, self.path, db)
                head = _head(db, newest)
                yield End(newest, torn, head, partial(_lines_of, self.path), add, replace)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except MemoryStoreError:
            raise
        except OSError as error:
            raise MemoryStoreError(
                f"The audit log {str(self.path)!r} cannot be used: {error}.",
                hint="No change is made without it. The server's user has to own it.",
            ) from error

    def whole(self) -> Whole:
        with self._memory.beside(write=False) as db, self._errors():
            lines, torn = _read(self.path)
            return Whole(lines, torn, _head(db, lines[-1] if lines else b""))

    def newest(self, limit: int) -> list[bytes]:
        with self._errors():
            lines, torn = _read(self.path, limit)
        return [*lines, torn][-limit:] if torn else lines


class InTable:
    """A table of a shared memory's database, for all servers; its head in another."""

    def __init__(self, tables: Tables) -> None:
        self._tables, self._ready = tables, False

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with self._tables.open() as db:
            if not self._ready:
                self._tables.create(db, (_MAKE_LINES, _MAKE_HEADS))
                self._ready = True
            yield db

    @contextmanager
    def end(self) -> Iterator[End]:
        with self._open() as db:
            self._tables.lock(db)
            newest = _rows(db, 1)
            add = partial(_insert, db)
            last, replace = newest[0] if newest else b"", partial(_exchange, db)
            yield End(last, b"", _head(db), partial(_rows, db), add, replace)

    def whole(self) -> Whole:
        with self._tables.open() as db:  # makes nothing: whoever asks may have no right to
            return Whole(_rows(db) if inspect(db).has_table("audit") else [], b"", _head(db))

    def newest(self, limit: int) -> list[bytes]:
        with self._open() as db:
            return _rows(db, limit)


# -- the file ---------------------------------------------------------------------------------


def _append(file: BinaryIO, db: Connection, lines: Sequence[bytes], head: Head) -> None:
    """Lines at the end, on disk before the head that names them."""
    _, torn = _ending(file)
    file.seek(0, os.SEEK_END)
    # A torn line gets its end, so that it stays readable as what it is.
    file.write(b"\n" * bool(torn) + b"".join(line + b"\n" for line in lines))
    file.flush()
    # A head on disk whose line is not would say that the log was cut.
    os.fsync(file.fileno())
    _keep(db, head)


def _renew(path: Path, db: Connection, lines: Sequence[bytes], head: Head) -> bool:
    """All lines anew, once their head stands beside the old one's."""
    rows = db.execute(text(_READ_HEADS)).all()
    if len(rows) > 1 and rows[-1][1] == head.hash:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as new:  # mode 0600
            new.write(b"".join(line + b"\n" for line in lines))
            new.flush()
            os.fsync(new.fileno())
        os.replace(new.name, path)
        _keep(db, head)
        return True
    if len(rows) > 1:  # announced by one that was killed: it holds for no line
        db.execute(text(f"DELETE FROM {_HEADS} WHERE hash = :hash"), {"hash": rows[-1][1]})
    _insert_head(db, head)
    return False


def _ending(file: BinaryIO) -> tuple[bytes, bytes]:
    """(the last whole line, what follows it)."""
    size, reach = file.seek(0, os.SEEK_END), _REACH
    while True:
        file.seek(max(0, size - reach))
        *whole, torn = file.read().split(b"\n")
        if len(whole) > 1 or reach >= size:
            return (whole[-1] if whole else b""), torn
        reach *= 4


def _read(path: Path, limit: int | None = None) -> tuple[list[bytes], bytes]:
    """(the last whole lines, what follows them) of a file that need not be there."""
    try:
        handle = os.open(path, os.O_RDONLY | _NO_LINK)
    except FileNotFoundError:
        return [], b""
    with os.fdopen(handle, "rb") as file:
        # One more than asked for, since the last may be torn.
        lines = deque((line for line in file), maxlen=None if limit is None else limit + 1)
    torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
    whole = [line[:-1] for line in lines]
    return (whole if limit is None else whole[-limit:]), torn


def _lines_of(path: Path) -> list[bytes]:
    return _read(path)[0]


# -- the database -----------------------------------------------------------------------------


def _head(db: Connection | None, newest: bytes = b"") -> Head | None:
    """The head in an open transaction; one that cannot be read counts nothing. Where all lines are
    being replaced there are two: that of ``newest``, if it is either's."""
    if db is None or not inspect(db).has_table(_HEADS):
        return None
    rows = db.execute(text(_READ_HEADS)).all()
    if not rows:
        return None
    row = next((row for row in rows if row[1] == hash_of(newest)), rows[0])
    try:
        return Head(int(row[0]), str(row[1]), str(row[2]))
    except (TypeError, ValueError):
        return Head(0, "")


def _keep(db: Connection, head: Head) -> None:
    db.execute(text(_MAKE_HEADS))
    db.execute(text(f"DELETE FROM {_HEADS}"))
    _insert_head(db, head)


def _insert_head(db: Connection, head: Head) -> None:
    db.execute(text(_MAKE_HEADS))
    db.execute(
        text(f"INSERT INTO {_HEADS} (count, hash, seal) VALUES (:count, :hash, :seal)"),
        {"count": head.count, "hash": head.hash, "seal": head.seal},
    )


def _rows(db: Connection, limit: int | None = None) -> list[bytes]:
    """The last lines of the table, oldest first."""
    query = "SELECT line FROM audit ORDER BY number DESC"
    query += "" if limit is None else " LIMIT :limit"
    given = {} if limit is None else {"limit": limit}
    return [str(line).encode() for line in db.execute(text(query), given).scalars()][::-1]


def _insert(db: Connection, lines: Sequence[bytes], head: Head) -> None:
    rows = [{"line": line.decode()} for line in lines]
    db.execute(text("INSERT INTO audit (line) VALUES (:line)"), rows)
    _keep(db, head)


def _exchange(db: Connection, lines: Sequence[bytes], head: Head) -> bool:
    # In place: the numbers of lines are what a reader of the table goes by.
    numbers = db.execute(text("SELECT number FROM audit ORDER BY number")).scalars().all()
    rows = [{"n": n, "line": line.decode()} for n, line in zip(numbers, lines, strict=False)]
    db.execute(text("UPDATE audit SET line = :line WHERE number = :n AND line <> :line"), rows)
    if len(lines) > len(numbers):
        _insert(db, lines[len(numbers) :], head)
    _keep(db, head)
    return True
