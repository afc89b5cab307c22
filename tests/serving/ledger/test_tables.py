"""A server's own tables, beside a memory that several servers share."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from memedit.core.errors import MemoryStoreError
from memedit.memory.journal.postgres import LOCK_SECONDS
from memedit.serving.ledger.tables import Tables
from tests.postgres import Cluster


def test_who_waits_for_another_servers_tables_can_be_hurried(pg: Cluster, pg_memory: str) -> None:
    with closing(Tables(pg_memory)) as tables, psycopg.connect(pg_memory) as other:
        other.execute(b"SELECT pg_advisory_xact_lock(hashtext(current_schema()))")

        def wait() -> None:
            with tables.open() as connection:
                tables.lock(connection)

        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(wait)
            while not pg.run("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.02)
            tables.hurry(0.2)
            started = time.monotonic()
            for each in (waiting.result, wait):
                with pytest.raises(MemoryStoreError, match="Another process is writing"):
                    each()
            assert time.monotonic() - started < LOCK_SECONDS / 6
