"""Which database an address means: a directory SQLite's, a URL that of its scheme.

A database of another package registers through the entry-point group ``memedit.stores``, under the
scheme of its URLs: a class that is called with ``(url, read_only=...)`` and gives a
:class:`~memedit.memory.journal.database.Database`.
"""

from __future__ import annotations

from pathlib import Path

from memedit.core.registry import Registry, members_of
from memedit.memory.address import POSTGRES, Address, is_url
from memedit.memory.journal.database import Database
from memedit.memory.journal.postgres import Postgres
from memedit.memory.journal.sqlite import SQLite

_STORES = Registry(
    "store",
    "memedit.stores",
    lambda: {scheme: lambda: Postgres for scheme in POSTGRES},
    members_of(Database),
    named=False,
    instances=True,
)


def open_database(address: Address, *, read_only: bool) -> Database:
    """The database of an address; nothing is connected yet.

    Raises:
        UnknownNameError: a URL of a scheme that nobody registered.
        RegistrationError: what is registered under it is no database.
        MemoryStoreError, InvalidInputError, MissingExtraError: as the database says.
    """
    if not is_url(address):
        return SQLite(None if address is None else Path(address), read_only=read_only)
    scheme = str(address).partition("://")[0]
    cls = _STORES.find(scheme)
    database: Database = _STORES.check_part(scheme, cls(str(address), read_only=read_only))
    return database
