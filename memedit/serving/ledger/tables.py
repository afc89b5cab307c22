"""A server's own tables: in a file, in RAM, or beside a memory that several servers share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, inspect, text

from memedit.memory import EditMemory
from memedit.memory.address import Address, is_url
from memedit.memory.journal.database import Hurries
from memedit.memory.journal.patience import Patience
from memedit.memory.journal.postgres import Postgres
from memedit.memory.journal.sqlite import (
    BUSY_SECONDS,
    check_schema,
    compact,
    driver_of,
    open_engine,
    store_errors,
)

FILE = "serving.sqlite3"
_POOL = 4


class Tables:
    """Transactions of a small database.

    Args:
        address: A file, None for RAM, or the URL of a memory in PostgreSQL.

    Attributes:
        shared: Other servers may use the same tables.
        order: What tells which row came first.
    """

    def __init__(self, address: Address) -> None:
        self.shared = is_url(address)
        self.order = "number" if self.shared else "rowid"
        self._lock: AbstractContextManager[Any] = threading.Lock()
        self._errors: Any
        self._hurries: Hurries
        if self.shared:
            database = self._database = Postgres(str(address), read_only=False)
            self._hurries = database
            # PostgreSQL keeps transactions apart by itself; of SQLite's, one can write at a time.
            self._errors, self._lock = database.errors, nullcontext()
            self._engine = _make_pool(database)
        else:
            file = self._file = None if address is None else Path(address)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._errors = lambda: store_errors(file)
            self._hurries = patience = Patience(BUSY_SECONDS)
            engine = open_engine(file, read_only=False, patience=patience)
            self._engine = engine.execution_options(memedit_write=True)

    def create(self, db: Connection, statements: Sequence[str]) -> None:
        """Make these tables unless they are there. The shared ones number their rows."""
        if self.shared:
            self.lock(db)
        else:
            check_schema(db, self._file)
        for statement in statements:
            db.execute(text(statement))
            if self.shared:
                name = statement.split("IF NOT EXISTS", 1)[1].split("(", 1)[0].strip()
                if "number" not in {c["name"] for c in inspect(db).get_columns(name)}:
                    db.execute(text(f"ALTER TABLE {name} ADD COLUMN number BIGSERIAL"))

    def lock(self, db: Connection) -> None:
        """Keep other servers' transactions that do the same waiting until this one ends."""
        if self.shared:
            # By schema: servers of another memory in the same database need not wait.
            self._database.await_lock(
                db, "SELECT pg_advisory_xact_lock(hashtext(current_schema()))"
            )

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """A transaction.

        Raises:
            MemoryStoreError: the database cannot be used.
        """
        with self._lock, self._errors(), self._engine.begin() as connection:
            yield connection

    def compact(self) -> list[str]:
        """Write the file anew, without what was deleted; what could not be done."""
        with self._lock, self._errors(), self._engine.connect() as connection:
            return compact(driver_of(connection))

    def hurry(self, seconds: float) -> None:
        """Wait for other processes no longer than so many seconds from now."""
        self._hurries.hurry(seconds)

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            self._engine.dispose()


def tables_of(memory: EditMemory) -> Tables:
    """The tables beside a memory: in its database, a file of its directory, or RAM."""
    if memory.shared:
        return Tables(memory.address)
    return Tables(None if memory.path is None else memory.path / FILE)


def _make_pool(database: Postgres) -> Engine:
    """Connections that are tried before they are used: a restart of the database goes unnoticed."""
    engine = create_engine(
        "postgresql+psycopg://", creator=database.connect, pool_size=_POOL, pool_pre_ping=True
    )
    return engine
