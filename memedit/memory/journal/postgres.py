"""PostgreSQL behind SQLAlchemy: one writer at a time, and errors that say what to do.

A write takes a table lock first, so versions are given out in the order in which they are
committed: whoever has seen version n has seen everything before it, whatever any clock says.
Readers see one snapshot and never wait. The end of a write tells the other processes (NOTIFY).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError

from memedit.core.errors import InvalidInputError, MemoryStoreError, MissingExtraError
from memedit.memory.address import quote
from memedit.memory.journal import policies
from memedit.memory.journal.connection import give_up
from memedit.memory.journal.database import HAS_TABLES, WRITES, Listener
from memedit.memory.journal.patience import Patience
from memedit.memory.journal.schema import meta
from memedit.memory.journal.vacuuming import vacuum

if TYPE_CHECKING:
    import psycopg

LOCK_SECONDS = 30
"""How long a write waits for another process's write to end."""
_APPLICATION = "memedit"
_FOLLOWERS = (
    b"SELECT pid, application_name FROM pg_stat_activity "
    b"WHERE datname = current_database() AND starts_with(application_name, %s)"
)
_OPTIONS = {
    "application_name": _APPLICATION,
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds: a cut cable is noticed
}
_SETTINGS = (
    f"SET lock_timeout = '{LOCK_SECONDS}s'",
    # A process that stands still in a write lets the others go on.
    f"SET idle_in_transaction_session_timeout = '{2 * LOCK_SECONDS}s'",
    # An acknowledged write is on disk, whatever the database's default is.
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'",
)
_AWAY = (
    "Edits are refused until it is back; a server goes on answering from its copy. "
    "Check the address, and that PostgreSQL runs there and takes connections from here."
)
_BUSY = "Another process is writing. Try again, or stop that process."
_HINTS = {
    "08": _AWAY,
    "57P": _AWAY,
    "25P03": _AWAY,
    "55P03": _BUSY,
    "57014": _BUSY,  # given up because this process is about to end
    "40": "Another process wrote at the same time. Try again.",
    "53100": "The database's disk is full: free some space. Nothing of this change was stored.",
    "53": "The database has too many connections or too little memory. Try again.",
    "25006": "The database is read-only (a standby?): give the primary's URL.",
    "28": "Check the user, and its password in ~/.pgpass: a line HOST:PORT:DATABASE:USER:PASSWORD, "
    "as in the address; mode 600.",
    "3D000": "Create the database first: createdb NAME --owner USER.",
    "3F000": "Create the schema first that search_path names, as the user's own: CREATE SCHEMA "
    "NAME AUTHORIZATION USER.",
    "42501": "The database's user lacks a right: the owner of the tables writes, others read what "
    "memedit tenants grant lets them.",
    "42704": "Make the role first: CREATE ROLE NAME LOGIN.",
}
_NO_TABLES = (
    "The database's user lacks the right to make tables: make it the owner, by createdb NAME "
    "--owner USER, or afterwards ALTER DATABASE (or SCHEMA) NAME OWNER TO USER."
)
_UNREAD = ("08", "25P03", "28", "3D000", "3F000", "40", "42501", "53", "55P03", "57")
"""Codes of errors that tell nothing of a memory's content: it was not reached, or not let read."""


def driver() -> ModuleType:
    """psycopg, or an error that says how to get it."""
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError("psycopg", extra="postgres") from error
    return psycopg


class Postgres:
    """A memory in the first schema of a database's search path.

    Args:
        url: As libpq takes it: ``postgresql://user@host/database``.
        read_only: The database refuses every change.

    Raises:
        InvalidInputError: libpq cannot make sense of the URL.
        MissingExtraError: psycopg is not installed.
    """

    shared = True
    path = None

    def __init__(self, url: str, *, read_only: bool) -> None:
        self.address, self.read_only = url, read_only
        self._patience = Patience(LOCK_SECONDS)
        psycopg = driver()
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error as error:
            raise InvalidInputError(
                f"The memory {quote(url)} is no PostgreSQL URL: {error}.",
                hint="Such as postgresql://user@host:5432/database.",
            ) from None
        self._options: dict[str, Any] = {**_OPTIONS, **given}  # what the URL says wins

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        """A connection of psycopg's, with memedit's settings."""
        # Settings made within a transaction would be undone with it.
        connection = driver().connect(**self._options, autocommit=True)
        try:
            for statement in _SETTINGS:
                connection.execute(statement)
            if self.read_only:
                connection.execute("SET default_transaction_read_only = on")
            connection.autocommit = autocommit
        except BaseException:
            connection.close()  # psycopg warns of what is left to the garbage collector
            raise
        return cast("psycopg.Connection[Any]", connection)

    def errors(self) -> AbstractContextManager[None]:
        """Around whatever uses the database."""
        return _errors(self.address)

    def exists(self) -> bool:
        """Whether there is something to connect to; the connection tells."""
        return True

    def is_missing(self, *, tables: bool) -> bool:
        """A database without tables is no memory."""
        return not tables

    def make(self) -> None:
        """The database is there already."""

    def check_place(self) -> None:
        """A database that is gone says so itself."""

    def engine(self) -> Engine:
        """An engine that connects anew each time."""
        # No pool: a connection that broke must not be handed out again.
        engine = create_engine("postgresql+psycopg://", creator=self.connect, poolclass=NullPool)
        event.listen(engine, "begin", self._begin)
        return engine

    def _begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(WRITES, False):
            # By default every statement sees a state of its own.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        elif options.get(HAS_TABLES, True):
            # Of all tables only this one: it keeps out writers, and lets readers read.
            self.await_lock(connection, "LOCK TABLE events IN EXCLUSIVE MODE")

    def await_lock(self, connection: Connection, statement: str) -> None:
        """A statement that waits until other processes' transactions have ended."""
        own = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        with self._patience.waiting(partial(own.cancel_safe, timeout=1)) as seconds:
            if seconds < LOCK_SECONDS:  # 0 would be for ever
                limit = f"SET LOCAL lock_timeout = {max(1, round(seconds * 1_000))}"
                connection.exec_driver_sql(limit)
            connection.exec_driver_sql(statement)

    def hurry(self, seconds: float) -> None:
        """Wait for other processes' writes no longer than so many seconds from now."""
        self._patience.hurry(seconds)

    def is_lost(self, error: DBAPIError) -> bool:
        """Connections break: the network, or a restart of the database."""
        return error.connection_invalidated

    def release(self, connection: Connection, engine: Engine) -> None:
        """Never wait for a database that stands still."""
        give_up(connection)

    def commits(self, connection: Connection) -> None:
        """Nothing counts them for this connection."""

    def listen(self, memory: str) -> Listener:
        """A further connection, on which PostgreSQL announces what :meth:`before_commit` sent."""
        with self.errors():
            connection = self.connect(autocommit=True)
            try:
                return _Announcements(connection, self.address, _channel(memory))
            except BaseException:
                connection.close()
                raise

    def is_foreign(self, tables: set[str], ours: set[str]) -> bool:
        """Whether a part of our names is taken; other tables may stand beside ours."""
        return bool(tables & ours) and not ours <= tables

    def check_schema(self, connection: Connection) -> None:
        """Whoever makes tables in the database is trusted with it."""

    def before_tables(self, connection: Connection) -> None:
        """Wait for another process that creates the tables now."""
        self.await_lock(connection, "SELECT pg_advisory_xact_lock(hashtext('memedit'))")

    def after_tables(self, connection: Connection) -> None:
        """Namespaces are kept apart: :mod:`memedit.memory.journal.policies`."""
        policies.install(connection)

    def before_commit(self, connection: Connection) -> None:
        """Tell the other processes, when this transaction commits."""
        memory = connection.execute(select(meta.c.value).where(meta.c.name == "memory")).scalar()
        told = {"channel": _channel(memory or "")}
        connection.execute(text("SELECT pg_notify(:channel, '')"), told)

    def integrity(self, connection: Connection) -> list[str]:
        """Foreign keys that do not hold: PostgreSQL lets in none, unless its files are damaged.

        Raises:
            MemoryStoreError: this role sees a part of the memory, which would pass for the whole.
        """
        if not policies.sees_all(connection):
            raise MemoryStoreError(
                f"Memory {quote(self.address)}: this role sees no more than the namespaces that "
                "were granted to it, so it can neither check nor copy the whole.",
                hint="As the owner of the tables, or a role that was granted all: memedit tenants "
                "grant ROLE '*'.",
            ) from PermissionError("row-level security")
        return policies.dangling(connection)

    def acknowledge(self, connection: Connection, memory: str, purged: int) -> None:
        """As the connection's name, which whoever looks into ``pg_stat_activity`` sees."""
        # PostgreSQL cuts names after 63 bytes; 41 of them are taken before the number.
        named = {"name": f"{_APPLICATION} {memory} {purged}"}
        connection.execute(text("SELECT set_config('application_name', :name, false)"), named)

    def acknowledged(self, memory: str) -> list[tuple[str, int]]:
        """By process of the database."""
        with self.errors(), closing(self.connect(autocommit=True)) as connection:
            named = f"{_APPLICATION} {memory} "
            rows = connection.execute(_FOLLOWERS, (named,)).fetchall()
        told = [(f"pid {pid}", name.removeprefix(named)) for pid, name in rows]
        # Any program may choose such a name: what follows must be what a copy says.
        return [(who, int(n or 0)) for who, n in told if n.isascii() and (n.isdigit() or not n)]

    def compact(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        """:func:`memedit.memory.journal.vacuuming.vacuum`"""
        with self.errors(), closing(self.connect(autocommit=True)) as own:
            return vacuum(own, tables)

    def copy_file(self, connection: Connection, folder: Path) -> bool:
        """The files are the server's."""
        return False


class _Announcements:
    """A connection that does nothing but listen: in psycopg 3 whoever asks on it waits for ever."""

    def __init__(self, connection: psycopg.Connection[Any], address: str, channel: str) -> None:
        self._connection, self._address = connection, address
        # As bytes: psycopg's types refuse a str that was put together.
        connection.execute(f'LISTEN "{channel}"'.encode())

    def fileno(self) -> int:
        return self._connection.fileno()

    def drain(self) -> None:
        with _errors(self._address):
            for _ in self._connection.notifies(timeout=0):
                pass

    def close(self) -> None:
        self._connection.close()


def _channel(memory: str) -> str:
    """What a memory's processes listen to."""
    return f"memedit_{memory}"


@contextmanager
def _errors(address: str) -> Iterator[None]:
    """Turns what the driver raises into :class:`MemoryStoreError`."""
    psycopg = driver()
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        raise translate(error, address) from error


def translate(error: BaseException, address: str) -> MemoryStoreError:
    """What the driver raised, in words that help."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    reason = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
    hint = next((hint for start, hint in _HINTS.items() if state.startswith(start)), "")
    if not state and (_is_lost(error) or "onnect" in reason):
        hint = _hint_of(reason)
    if "permission denied for schema" in reason:
        hint = _NO_TABLES
    end = "" if reason.endswith("?") else "."  # libpq asks whether the server is running
    return MemoryStoreError(f"Memory {quote(address)}: {reason}{end}", hint=hint)


def is_unread(error: BaseException) -> bool:
    """Whether an error of this module's tells nothing of what the memory holds."""
    if isinstance(error.__cause__, PermissionError | FileNotFoundError):
        return True
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    if not isinstance(cause, driver().Error):
        return False
    state = getattr(cause, "sqlstate", None)
    return _is_lost(cause) if state is None else state.startswith(_UNREAD)


def _hint_of(reason: str) -> str:
    """libpq gives no code where it could not connect."""
    if "password" in reason or "authentication" in reason:
        return _HINTS["28"]
    if "does not exist" in reason:
        return _HINTS["3D000"]
    return _AWAY


def _is_lost(error: BaseException) -> bool:
    """Whether the connection is gone: the next one may do better."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = getattr(error, "orig", None) or error
    if not isinstance(cause, driver().OperationalError):
        return False
    state = getattr(cause, "sqlstate", None)
    # Without a code the network broke off; 08: connection, 57P: shutdown, 25P03: idle too long.
    return state is None or state.startswith(("08", "57P", "25P03"))
