"""One connection to a journal's tables: made when needed, made anew where it was lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine, RootTransaction, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from memedit.core.errors import MemoryStoreError
from memedit.memory.address import quote
from memedit.memory.journal.database import HAS_TABLES, WRITES, Database
from memedit.memory.journal.rows import readable
from memedit.memory.journal.schema import FORMAT, NEEDED, meta, metadata

T = TypeVar("T")


class JournalConnection:
    """The transactions of one connection, to be used by one thread at a time.

    Nothing is connected before the first call; the tables are made by the first :meth:`write`. A
    connection that was lost is made anew by the next call.

    Attributes:
        ready: Whether the tables were there when last looked at.
        closed: Whether :meth:`close` was called.
        connections: How many were made so far.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.address, self.path, self.read_only = (
            database.address,
            database.path,
            database.read_only,
        )
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self.connections = 0
        self.ready = self.closed = False

    def check_open(self) -> None:
        """:class:`MemoryStoreError` after :meth:`close`."""
        if self.closed:
            raise MemoryStoreError("The memory is closed.", hint="Open it with EditMemory(path).")

    def check_writable(self) -> None:
        """:class:`MemoryStoreError` where every change is refused."""
        if self.read_only:
            raise MemoryStoreError(
                f"Memory {quote(self.address)} was opened with read_only=True.",
                hint="Open it without read_only to change it.",
            )

    def exists(self) -> bool:
        """Whether something was ever written; of a database, only a connection can tell."""
        return self.database.exists()

    @property
    def connection(self) -> Connection:
        """The connection itself.

        Raises:
            MemoryStoreError: nothing was connected yet.
        """
        if self._connection is None:
            raise MemoryStoreError("Nothing was written to this memory yet.")
        return self._connection

    def prepare(self) -> bool:
        """Connect where there is something to connect to; True once the tables are there."""
        self.check_open()
        if self.ready and self._connection is not None:
            return True
        return self._try_twice(self._look)

    def _look(self) -> bool:
        if self._connection is None:
            if not self.exists():
                return False
            # The engine outlives a lost connection: it only knows how to make another.
            self._engine = self._engine or self.database.engine()
            self._connection = self._engine.connect()
            self.connections += 1
        with readable(self.address), self._connection.begin():
            self.ready = _has_tables(self._connection, self.database)
        return self.ready

    def _try_twice(self, act: Callable[[], T]) -> T:
        """What ``act`` gives; once more where the connection had been lost meanwhile."""
        for attempt in range(2):
            try:
                return act()
            except DBAPIError as error:
                self._give_up()
                if attempt or not self.database.is_lost(error):
                    raise
        raise AssertionError("unreachable")

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            give_up(connection)

    # -- transactions -------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[bool]:
        """One consistent state of the journal; yields False where nothing was ever written."""
        with self.database.errors(), self._renew():
            if not self.prepare():
                yield False
                return
            with self._begin():
                yield True

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction: durable once the block has ended, undone entirely if it raises."""
        with self.database.errors(), self._renew():
            self._make_tables()
            with self._begin(writes=True):
                yield
                # Here raising still undoes everything: after the commit it would be too late.
                self.database.check_place()
                self.database.before_commit(self.connection)

    def changed(self) -> tuple[int, int | None]:
        """(connection, commits): differs from the last one if another connection may have written.

        The number of commits (:meth:`Database.commits`) means nothing to a later connection, which
        may count from the start again.
        """
        with self.database.errors():
            if not self.prepare():
                # No database counts so: whatever comes next is a change.
                return self.connections, -1
            return self.connections, self.database.commits(self.connection)

    def _make_tables(self) -> None:
        self.check_writable()
        if self.prepare():
            return
        # Of a file nothing was connected yet; and another process may be faster.
        self.database.make()
        if self.prepare():
            return
        with self._begin(writes=True, has_tables=False):
            self.database.before_tables(self.connection)
            # Asked again under the lock: two processes may have found an empty database.
            if not _has_tables(self.connection, self.database):
                metadata.create_all(self.connection)
                # By this id others notice that another memory was put in its place.
                first = {"format": str(FORMAT), "memory": uuid.uuid4().hex}
                rows = [{"name": name, "value": value} for name, value in first.items()]
                self.connection.execute(insert(meta), rows)
                self.database.after_tables(self.connection)
        self.ready = True

    def _begin(self, *, writes: bool = False, has_tables: bool = True) -> RootTransaction:
        """A transaction; begun a second time where the connection had been lost meanwhile."""
        options = {WRITES: writes, HAS_TABLES: has_tables}

        def begin() -> RootTransaction:
            if self._connection is None:
                self.prepare()
            return self.connection.execution_options(**options).begin()

        return self._try_twice(begin)

    @contextmanager
    def _renew(self) -> Iterator[None]:
        """A connection that breaks within the block is given up: the next call makes another."""
        try:
            yield
        except DBAPIError as error:
            if self.database.is_lost(error):
                self._give_up()
            raise

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.closed, self.ready = True, False
        if self._connection is not None and self._engine is not None:
            self.database.release(self._connection, self._engine)
        self._connection = self._engine = None


def give_up(connection: Connection) -> None:
    """Close a connection, if it lets itself be closed: it may be in any state."""
    with suppress(Exception):
        # First: closing alone would roll back, and wait for a database that does not answer.
        connection.invalidate()
    with suppress(Exception):
        connection.close()


def _has_tables(connection: Connection, database: Database) -> bool:
    """Whether a journal's tables are there; :class:`MemoryStoreError` where what is there is
    another program's or of a newer format."""
    names = set(inspect(connection).get_table_names())
    if database.is_foreign(names, set(NEEDED)):
        raise MemoryStoreError(
            f"The database {quote(database.address)} is another program's.",
            hint="Give another directory or database.",
        )
    if "meta" not in names:
        return False
    database.check_schema(connection)
    format = select(meta.c.value).where(meta.c.name == "format")
    found = int(connection.execute(format).scalar() or 0)
    if found > FORMAT:
        raise MemoryStoreError(
            f"Memory {quote(database.address)} has format {found}; this memedit reads {FORMAT}.",
            hint="Install a newer memedit: pip install --upgrade memedit",
        )
    return True
