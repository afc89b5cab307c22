"""SQLite behind SQLAlchemy: one connection, real transactions, errors that say what to do.

pysqlite opens transactions late and behind one's back; here the driver is in autocommit mode and
SQLAlchemy's ``begin`` event sends ``BEGIN`` itself: deferred for reads, ``IMMEDIATE`` for writes,
so that a write never fails half-way because another process wrote first.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from memedit.core.errors import MemeditError, MemoryStoreError, UntrustedFileError
from memedit.core.untrusted import check_folder, check_plain
from memedit.memory.address import JOURNAL, OWN, quote
from memedit.memory.journal.database import WRITES, Listener
from memedit.memory.journal.patience import Patience
from memedit.memory.journal.schema import NEEDED

FILE = JOURNAL

BUSY_SECONDS = 30.0
"""How long a statement waits for another process's write to end."""
_TURNING = 5.0
"""Seconds for which a new file is tried to be turned to write-ahead logging."""
_STEP = 250
"""Milliseconds that it waits at a stretch: SQLite looks at no signal meanwhile."""

_TABLE = re.compile(
    r"CREATE TABLE(?!.*\b(AS|CHECK|COLLATE|DEFAULT|GENERATED)\b)[\w\s\",()]+", re.I | re.S
)
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX [\w\"]+ ON [\w\"]+ \([\w\", ]+\)", re.I)
"""Definitions that only hold values: without expressions, strings or comments."""
_ATTACHED = "SQLITE_LIMIT_ATTACHED"  # Python 3.11
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")
"""How a rollback journal ends that names a super-journal (its format, "the magic string")."""

_BUSY = (
    f"Another process is writing, and did not end in time ({BUSY_SECONDS:g} s; less where this one "
    "is about to end). Try again, or stop that process."
)
_HINTS = {
    "locked": _BUSY,
    "busy": _BUSY,
    "full": "The disk is full: free some space. Nothing of this change was stored.",
    "readonly": "Whoever runs this may not write there: change the directory's owner or "
    "permissions, or copy it and use the copy. To read only, open it with read_only=True.",
    "unable to open": "Check that the directory exists and may be written, or open it read_only.",
    "not a database": "Its journal.sqlite is no memedit journal: give another directory.",
    "malformed": "The journal is damaged: restore it from a backup or from an export; `memedit "
    "edit salvage FILE` writes what can still be read.",
    "closed": "Open it again with EditMemory(path).",
}


class SQLite:
    """The file ``journal.sqlite`` of a memory directory; ``path`` None: RAM.

    Raises:
        MemoryStoreError: the path is a file.
    """

    shared = False

    def __init__(self, path: Path | None, *, read_only: bool) -> None:
        self.address, self.path, self.read_only = path, path, read_only
        self._opened: tuple[int, int] | None = None
        self._patience = Patience(BUSY_SECONDS)
        if path is None or not path.exists():
            return
        if not path.is_dir():
            raise MemoryStoreError(
                f"{str(path)!r} is not a directory.", hint="A memory is a directory: give another."
            )
        self._check_files(path)

    def _check_files(self, path: Path) -> None:
        """A directory may be a stranger's: nothing is written through a link that lies in it."""
        with store_errors(path):
            try:
                check_folder(path, OWN)
            except UntrustedFileError as error:
                raise MemoryStoreError(error.message, hint=error.hint) from None

    def errors(self) -> AbstractContextManager[None]:
        """Around whatever uses the database."""
        return store_errors(self.path)

    def exists(self) -> bool:
        """Whether something was ever written."""
        return self.path is None or (self.path / FILE).exists()

    def is_missing(self, *, tables: bool) -> bool:
        """A file is a memory, were it empty."""
        return not self.exists()

    def make(self) -> None:
        """A place for tables."""
        if self.path is not None:
            self.path.mkdir(parents=True, exist_ok=True)
            # Only a file that exists is connected to.
            (self.path / FILE).touch()

    def engine(self) -> Engine:
        """An engine of one connection."""
        file = None if self.path is None else self.path / FILE

        def note_opened() -> None:
            self._opened = None if file is None else _place(file)

        return open_engine(
            file, read_only=self.read_only, opened=note_opened, needed=NEEDED,
            patience=self._patience,
        )  # fmt: skip

    def hurry(self, seconds: float) -> None:
        """Wait for other processes' writes no longer than so many seconds from now."""
        self._patience.hurry(seconds)

    def check_place(self) -> None:
        """Refuse to commit into a file that nobody will find again.

        Raises:
            MemoryStoreError: the directory was removed or replaced since the file was opened.
        """
        if self.path is not None and _place(self.path / FILE) != self._opened:
            raise MemoryStoreError(
                f"Memory {quote(self.path)} was removed or replaced while it was open: nothing "
                "of this change was stored.",
                hint="Put it back, or open the one that is there now: EditMemory(path).",
            )

    def is_lost(self, error: DBAPIError) -> bool:
        """A file is there or not: another connection would do no better."""
        return False

    def release(self, connection: Connection, engine: Engine) -> None:
        """Close the file."""
        connection.close()
        engine.dispose()

    def commits(self, connection: Connection) -> int:
        """SQLite's own count of what other connections committed."""
        return int(driver_of(connection).execute("PRAGMA data_version").fetchone()[0])

    def listen(self, memory: str) -> Listener:
        """Files announce nothing: look (:meth:`commits`)."""
        raise MemoryStoreError(f"Memory {quote(self.path)}: a file announces no commits.")

    def is_foreign(self, tables: set[str], ours: set[str]) -> bool:
        """Whether these tables are another program's."""
        return bool(tables) and not ours <= tables

    def check_schema(self, connection: Connection) -> None:
        """:func:`check_schema` of this file."""
        check_schema(connection, self.path)

    def before_tables(self, connection: Connection) -> None:
        """The write transaction keeps others out already."""

    def after_tables(self, connection: Connection) -> None:
        """Nothing more is needed than the tables."""

    def before_commit(self, connection: Connection) -> None:
        """Others look for themselves."""

    def integrity(self, connection: Connection) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        driver = driver_of(connection)
        rows = driver.execute("PRAGMA integrity_check").fetchall()
        wrong = [str(row[0]) for row in rows if row[0] != "ok"]
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        return wrong + [f"dangling reference in table {row[0]}, row {row[1]}" for row in broken]

    def acknowledge(self, connection: Connection, memory: str, purged: int) -> None:
        """Who reads the file looks at it first."""

    def acknowledged(self, memory: str) -> list[tuple[str, int]]:
        """Nobody says so."""
        return []

    def compact(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        """The file written anew, and its write-ahead log emptied."""
        with self.errors():
            return compact(driver_of(connection))

    def copy_file(self, connection: Connection, folder: Path) -> bool:
        """Page by page, in one transaction of the target."""
        with store_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _back_up(driver_of(connection), folder / FILE)
        return True


def compact(driver: sqlite3.Connection) -> list[str]:
    """Write a database anew without what was deleted, and empty its write-ahead log; what could
    not be done. Outside of any transaction."""
    _allow_attaching(driver, 1)  # VACUUM's own, of no name
    try:
        driver.execute("VACUUM")
    finally:
        _allow_attaching(driver, 0)
    # The first column: whether somebody kept it from finishing.
    if driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        return ["another process reads on, and keeps the write-ahead log from being emptied"]
    return []


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The SQLite connection itself."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def check_schema(connection: Connection, path: Path | None) -> None:
    """Refuse a file that holds more than tables of values and their indexes.

    A trigger would run with every change, a view or a virtual table stand where a table should, a
    generated column or an index over an expression compute what its author likes.

    Raises:
        MemoryStoreError: naming what was found.
    """
    driver = driver_of(connection)
    for kind, name, sql in driver.execute("SELECT type, name, sql FROM sqlite_master"):
        allowed = {"table": _TABLE, "index": _INDEX}.get(kind)
        if allowed is None or (sql is not None and not allowed.fullmatch(sql)):
            raise MemoryStoreError(
                f"The database {quote(path)} holds what no memedit makes: {kind} {name!r}.",
                hint="It is another program's, or made to do harm: give another.",
            )


def _place(file: Path) -> tuple[int, int] | None:
    """Which file this is, whatever its name; None: none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_engine(
    path: Path | None,
    *,
    read_only: bool,
    opened: Callable[[], None] = lambda: None,
    needed: frozenset[str] = frozenset(),
    patience: Patience | None = None,
) -> Engine:
    """An engine of exactly one connection to the file (or to RAM). Connects lazily, and then tells
    ``opened``. A file whose tables lack one of ``needed`` is another program's: nothing in it is
    changed by connecting. A write waits for others' as long as ``patience`` lasts."""

    def connect() -> sqlite3.Connection:
        connection = _connect(path, needed, read_only=read_only)
        opened()
        return connection

    # One connection for good: a second one to RAM would see an empty database.
    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    event.listen(engine, "begin", partial(_begin, patience or Patience(BUSY_SECONDS)))
    return engine


def _begin(patience: Patience, connection: Connection) -> None:
    if connection.get_execution_options().get(WRITES, False):
        _begin_writing(connection, patience)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection, patience: Patience) -> None:
    """Begin once others' writes have ended. Waits in steps: whoever presses Ctrl-C shall not wait
    for another process too."""
    driver = driver_of(connection)
    (usual,) = driver.execute("PRAGMA busy_timeout").fetchone()
    since = time.monotonic()
    driver.execute(f"PRAGMA busy_timeout = {min(_STEP, usual)}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                over = patience.is_over(since, usual / 1_000)
                if over or "locked" not in str(error.orig):
                    raise
            else:
                return
    finally:
        driver.execute(f"PRAGMA busy_timeout = {usual}")


def _connect(path: Path | None, needed: frozenset[str], *, read_only: bool) -> sqlite3.Connection:
    if path is not None and read_only:
        return _connect_read_only(path)
    connection = _open(path, "rwc")
    try:
        # Turning the log on writes into the file, which another program's must not see.
        if path is not None and _is_free_for(connection, needed):
            _use_wal(connection)
        connection.execute("PRAGMA foreign_keys=ON")
        # NORMAL would lose the last commits in the write-ahead log when the power fails.
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _open(path: Path | None, mode: str) -> sqlite3.Connection:
    """A connection to a file, or to RAM.

    Raises:
        MemoryStoreError: what lies beside the file would have SQLite delete another one.
    """
    if path is not None:
        _check_rollback(path)
    # As a URI with ? and # escaped, which would begin its options.
    uri = ":memory:" if path is None else f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        # Any thread may use it, but one at a time: its users hold the journal's lock.
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )
    connection.execute("PRAGMA trusted_schema=OFF")  # what a file defines calls no functions
    connection.execute("PRAGMA cell_size_check=ON")  # a damaged page is noticed when it is read
    connection.execute("PRAGMA secure_delete=ON")  # the bytes of what is deleted are overwritten
    _allow_attaching(connection, 0)
    return connection


def _check_rollback(path: Path) -> None:
    """Refuse a rollback journal that names another file.

    Where a transaction spans several databases, which ours never do, each one's journal ends with
    the name of a "super-journal", which whoever rolls back the last of them deletes
    (https://www.sqlite.org/atomiccommit.html, 5.3): any file of the user, if a stranger wrote it.
    """
    journal = path.with_name(f"{path.name}-journal")
    try:
        check_plain(journal)
        with journal.open("rb") as file:
            file.seek(-len(_NAMES_ANOTHER), os.SEEK_END)
            names_another = file.read() == _NAMES_ANOTHER
    except FileNotFoundError:
        return
    except OSError:  # shorter than that
        return
    if names_another:
        raise MemoryStoreError(
            f"{str(journal)!r} names another file, which SQLite would delete.",
            hint="No memedit makes such a file: it was made to do harm. Remove it, or the memory.",
        )


def _allow_attaching(connection: sqlite3.Connection, databases: int) -> None:
    if hasattr(sqlite3, _ATTACHED):
        connection.setlimit(getattr(sqlite3, _ATTACHED), databases)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Here SQLite does not wait for a lock: of processes that make a file at once each tries again
    until one of them has turned it."""
    end = time.monotonic() + _TURNING
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _is_free_for(connection: sqlite3.Connection, needed: frozenset[str]) -> bool:
    """Whether a file holds these tables, or none yet."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return not rows or needed <= {row[0] for row in rows}


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Plain read-only; where not even the lock files can be made, the file is taken as frozen.

    A frozen read would miss what is still in the write-ahead log, so a log that cannot be read is
    an error, never ignored.
    """
    connection = _open(path, "ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        connection.close()
        if not isinstance(error, sqlite3.OperationalError):
            raise
        log = path.with_name(path.name + "-wal")
        # "immutable" tells SQLite that nobody writes: it takes no locks and reads no log.
        if not path.exists() or (log.exists() and log.stat().st_size):
            raise
        return _open(path, "ro&immutable=1")
    return connection


def _back_up(source: sqlite3.Connection, path: Path) -> None:
    """Overwrite the database at ``path`` with ``source``, in one transaction of the target."""
    with closing(_open(path, "rwc")) as target:
        source.backup(target)
        _use_wal(target)


@contextmanager
def store_errors(path: Path | None) -> Iterator[None]:
    """Turns what the driver or the file system raises into :class:`MemoryStoreError`."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
        raise _translate(error, path) from error
    except MemeditError:  # some are OSErrors, and say what to do already
        raise
    except OSError as error:
        hint = "Check the path, its permissions and the free space."
        raise MemoryStoreError(f"Memory {quote(path)}: {error}.", hint=hint) from error


def _translate(error: Any, path: Path | None) -> MemoryStoreError:
    reason = str(getattr(error, "orig", None) or error)
    if isinstance(error, UnicodeDecodeError):  # of a name in the file's own schema
        reason = f"malformed: {reason}"
    hint = next((hint for part, hint in _HINTS.items() if part in reason.casefold()), "")
    return MemoryStoreError(f"Memory {quote(path)}: {reason}.", hint=hint)
