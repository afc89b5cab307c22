"""Who else may read a memory in PostgreSQL: see :mod:`memedit.memory.journal.policies`."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from memedit.core.errors import InvalidInputError
from memedit.memory.address import Address, is_postgres, quote
from memedit.memory.journal import policies
from memedit.memory.journal.journal import Journal


def grant(address: Address, role: str, namespace: str) -> None:
    """Let a role of the database read one namespace (``*``: all).

    Raises:
        InvalidInputError: the memory is no database's.
        MemoryStoreError: there is no such role, or one lacks the right to grant.
    """
    _change(address, lambda connection: policies.grant(connection, role, namespace))


def revoke(address: Address, role: str, namespace: str) -> None:
    """Undo :func:`grant`."""
    _change(address, lambda connection: policies.revoke(connection, role, namespace))


def granted(address: Address) -> list[tuple[str, str]]:
    """(role, namespace) of all that was granted, in their order; raises as :func:`grant`."""
    found: list[tuple[str, str]] = []
    _change(address, lambda connection: found.extend(policies.granted(connection)))
    return found


def _change(address: Address, work: Callable[[Connection], None]) -> None:
    if not is_postgres(address):
        raise InvalidInputError(
            f"The memory {quote(address)} has no roles.",
            hint="They are PostgreSQL's: --memory postgresql://…; a server's are memedit keys.",
        )
    journal = Journal(address)
    try:
        with journal.write():
            journal.run(work)
    finally:
        journal.close()
