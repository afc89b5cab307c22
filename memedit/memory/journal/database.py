"""Where a journal's tables are: what SQLite and PostgreSQL do, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from memedit.memory.address import Address

# Options of a connection's execution, read where an engine begins a transaction.
WRITES = "memedit_write"
"""Whether the transaction will write; without it, it only reads."""
HAS_TABLES = "memedit_tables"
"""Whether a transaction that writes finds the tables, and may lock them; true if not given."""


class Listener(Protocol):
    """A connection that hears of the commits to one memory. Nothing is asked on it."""

    def fileno(self) -> int:
        """What ``select`` waits for."""

    def drain(self) -> None:
        """Take what was announced, without waiting.

        Raises:
            MemoryStoreError: the connection is lost.
        """

    def close(self) -> None:
        """Let go of the connection."""


@runtime_checkable
class Hurries(Protocol):
    """A database that can be told not to wait long any more. Not every one can."""

    def hurry(self, seconds: float) -> None:
        """Wait for other processes' writes no longer than so many seconds from now, in
        transactions that wait already as well."""


class Database(Protocol):
    """One database that holds, or shall hold, the tables of a journal.

    Attributes:
        address: As the memory's user gave it.
        path: The memory's directory, None where there is none.
        read_only: Whether every change is refused.
        shared: Whether processes on other machines use it too. Each then keeps a whole copy that
            answers alone, and hears of others' commits (:meth:`listen`); else a reader looks
            whether there were any (:meth:`commits`), which costs microseconds.
    """

    @property
    def address(self) -> Address: ...

    @property
    def path(self) -> Path | None: ...

    @property
    def read_only(self) -> bool: ...

    @property
    def shared(self) -> bool: ...

    # -- the place ----------------------------------------------------------------------------

    def errors(self) -> AbstractContextManager[None]:
        """Around whatever uses the database: its errors become :class:`MemoryStoreError`."""

    def exists(self) -> bool:
        """Whether there is something to connect to."""

    def is_missing(self, *, tables: bool) -> bool:
        """Whether there is no memory, after one looked whether its tables are there."""

    def make(self) -> None:
        """Make a place for tables, where there is none."""

    def check_place(self) -> None:
        """Refuse to commit where nobody will find it again.

        Raises:
            MemoryStoreError: the place was removed or replaced meanwhile.
        """

    # -- connections --------------------------------------------------------------------------

    def engine(self) -> Engine:
        """Connects, and begins transactions by :data:`WRITES` and :data:`HAS_TABLES`."""

    def is_lost(self, error: DBAPIError) -> bool:
        """Whether only the connection failed: with another one the same may succeed."""

    def release(self, connection: Connection, engine: Engine) -> None:
        """Close a connection that is needed no longer, whatever state it is in."""

    def commits(self, connection: Connection) -> int | None:
        """A number that differs from the last one on this connection if another has committed;
        None where the tables themselves must be asked."""

    def listen(self, memory: str) -> Listener:
        """Hear of the commits to the memory of this id.

        Raises:
            MemoryStoreError: nobody announces them here (:attr:`shared` is false), or the database
                cannot be reached.
        """

    # -- the tables ---------------------------------------------------------------------------

    def is_foreign(self, tables: set[str], ours: set[str]) -> bool:
        """Whether these tables, of which ours would be some, are another program's."""

    def check_schema(self, connection: Connection) -> None:
        """See that the database holds nothing that acts by itself.

        Raises:
            MemoryStoreError: it does.
        """

    def before_tables(self, connection: Connection) -> None:
        """In the transaction that makes the tables: keep others from making them too."""

    def after_tables(self, connection: Connection) -> None:
        """In the same transaction: what the database shall enforce beyond the schema."""

    def before_commit(self, connection: Connection) -> None:
        """In every write, last: what others shall hear when it commits."""

    def integrity(self, connection: Connection) -> list[str]:
        """What the database itself finds wrong."""

    def acknowledge(self, connection: Connection, memory: str, purged: int) -> None:
        """Say, for as long as this connection lasts, that a copy of the memory of this id has let
        go of all that was purged up to an event. Nothing where nobody asks."""

    def acknowledged(self, memory: str) -> list[tuple[str, int]]:
        """Which copies follow the memory of this id now, and what each last acknowledged."""

    def compact(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        """Rewrite tables so that nothing is left of deleted rows; outside of any transaction.

        Returns:
            What could not be done, and why; nothing where all was.
        """

    def copy_file(self, connection: Connection, folder: Path) -> bool:
        """Overwrite (or make) the journal in a directory with this one, atomically and as a whole
        file. False where there is no file: rows can be copied then.

        Raises:
            MemoryStoreError: the directory cannot be written.
        """
