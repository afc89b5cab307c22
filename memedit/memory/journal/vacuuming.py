"""Tables of PostgreSQL written anew, so that no file of theirs holds what was deleted.

``DELETE`` only marks rows, and plain ``VACUUM`` only lets their room be used again: the bytes stay.
``VACUUM FULL`` writes a new file with the rows that are left and removes the old one; what another
transaction may still see would be copied, so those are waited for. ``ANALYZE`` replaces the samples
of values that the planner keeps. What lies outside the tables stays as long as the server's
settings say: its write-ahead log, archives of it, standbys, base backups, its own log.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_SECONDS = 20.0
"""How long other transactions are waited for."""
_EXISTING = (
    b"SELECT quote_ident(tablename) FROM pg_tables "
    b"WHERE schemaname = current_schema() AND tablename = ANY(%s)"
)
_OLDER = (
    b"SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
    b"AND datname = current_database() AND age(backend_xmin) > age(%s::text::xid)"
)


def vacuum(connection: psycopg.Connection[Any], tables: Sequence[str]) -> list[str]:
    """Write those of these tables anew that are there; what could not be done.

    Args:
        connection: Of its own, in autocommit mode; its role owns the tables.
    """
    problems = _wait(connection)
    told: list[str] = []
    connection.add_notice_handler(lambda said: told.append(said.message_primary or ""))
    connection.execute("SET client_min_messages = warning")
    names = [row[0] for row in connection.execute(_EXISTING, (list(tables),))]
    for name in names:
        connection.execute(f"VACUUM (FULL, ANALYZE) {name}".encode())
    problems += [f"the database says: {message}" for message in told]
    # Whoever may not is warned and skipped: no problem to tell of.
    connection.execute("SET client_min_messages = error")  # allowed to the database's owner only
    connection.execute("VACUUM (FULL) pg_statistic")
    return problems


def _wait(connection: psycopg.Connection[Any]) -> list[str]:
    """Wait until no transaction sees what was deleted; which still do."""
    # Compared with 32-bit ids: the upper half counts how often those began anew.
    found = connection.execute("SELECT txid_current() % (1::bigint << 32)").fetchone()
    assert found is not None
    end = time.monotonic() + _SECONDS
    while True:
        pids = [row[0] for row in connection.execute(_OLDER, (str(found[0]),))]
        if not pids:
            return []
        # Said, not waited for: a forgotten session may stay open for days.
        if time.monotonic() > end:
            listed = ", ".join(map(str, pids))
            return [f"transactions that began before still see the old rows: pid {listed}"]
        time.sleep(0.02)
