"""A database that goes down: what was acknowledged is there, and nothing is half there.

Processes that are killed: ``tests/campaign``.
"""

from __future__ import annotations

import os
import random
import threading
import time
from signal import SIGINT, SIGQUIT

import pytest

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from tests import postgres
from tests.memory.helpers import CountingEncoder, sound

pytestmark = pytest.mark.slow

PG_RESTARTS = int(os.environ.get("MEMEDIT_PG_RESTARTS", "4"))


class _Writer(threading.Thread):
    """Adds edits to a copy of its own, again and again until each is acknowledged."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._memory = EditMemory(url, CountingEncoder())
        self.acknowledged: list[str] = []
        self.refused = 0
        self.stop = threading.Event()

    def run(self) -> None:
        with self._memory:
            for i in range(1_000_000):
                subject = f"{self.name} {i}"
                while not self.stop.is_set():
                    try:
                        edit = Edit(f"The mayor of {subject} is", "Ann", subject)
                        self.acknowledged.append(self._memory.add(edit).id)
                        break
                    except MemoryStoreError:
                        self.refused += 1
                        time.sleep(0.02)
                if self.stop.is_set():
                    return


def test_a_database_that_goes_down_again_and_again(database: postgres.Cluster) -> None:
    """Killed with all its processes, or shut down fast, under three writers."""
    url, rng = database.memory(), random.Random(5)
    writers = [_Writer(url, name) for name in ("Ada", "Bob", "Cid")]
    for writer in writers:
        writer.start()
    for number in range(PG_RESTARTS):
        before = [len(writer.acknowledged) for writer in writers]
        while [len(w.acknowledged) > n for w, n in zip(writers, before, strict=True)].count(
            True
        ) < 2:
            assert all(writer.is_alive() for writer in writers)
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.2))
        database.kill() if number % 2 else database.stop(rng.choice([SIGINT, SIGQUIT]))
        told = [id for writer in writers for id in list(writer.acknowledged)]
        database.start()
        there = {row[0] for row in database.run("SELECT id FROM records", url)}
        assert set(told) <= there
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join(300)
    told = [id for writer in writers for id in writer.acknowledged]
    assert sum(writer.refused for writer in writers) > 0
    with EditMemory(url, CountingEncoder()) as memory:
        live = [record.id for record in memory.records()]
        assert set(told) <= set(live) and len(set(live)) == len(live) == memory.version
        assert len(live) - len(set(told)) <= len(writers)  # stored, and not acknowledged in time
        assert sound(memory)
