"""kill -9 at random moments: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT, SIGQUIT

import pytest

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from tests import helpers, postgres
from tests.forking import fork
from tests.memory.helpers import CountingEncoder, sound
from tests.memory.writing import write

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("MEMEDIT_CRASH_KILLS", "24"))
PG_KILLS = int(os.environ.get("MEMEDIT_PG_KILLS", "8"))
PG_RESTARTS = int(os.environ.get("MEMEDIT_PG_RESTARTS", "4"))
WRITERS = 4


def _round(path: str | Path, number: int, rng: random.Random) -> tuple[set[str], set[str], int]:
    """Writers killed one after the other, each some moments after it has made up to three changes:
    (ids acknowledged as added, as forgotten, changes)."""
    children = [fork(write, str(path), f"{number}-{i}") for i in range(WRITERS)]
    for child in children:
        assert child.hear() == ("open",)
    there: set[str] = set()
    gone: set[str] = set()
    changes = 0
    for child in children:
        heard = [child.hear() for _ in range(rng.randrange(4))]
        time.sleep(rng.uniform(0, 0.02))
        heard += child.kill()
        assert child.process.exitcode == -signal.SIGKILL
        for verb, *ids in heard:
            changes += 1
            (there if verb == "add" else gone).update(ids)
    return there - gone, gone, changes


def _survives(path: str | Path, rounds: int) -> int:
    """Rounds of writers killed; the number of changes that were acknowledged and found there."""
    rng, before, acknowledged = random.Random(7), set[str](), 0
    for number in range(rounds):
        there, gone, changes = _round(path, number, rng)
        acknowledged += changes
        with EditMemory(path, CountingEncoder()) as memory:
            live = {record.id for record in memory.records()}
            assert before <= live and not gone & live
            # A writer's last change may have been stored and not yet acknowledged.
            lost = there - live
            assert len(lost) <= WRITERS
            assert all(memory.history(id)[-1].kind == "forget" for id in lost)
            versions = {event.version for event in memory.history()}
            assert versions == set(range(1, memory.version + 1))
            assert sound(memory)
            before = live
    return acknowledged


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_acknowledged_writes_survive_kill_9(tmp_path: Path) -> None:
    rounds = -(-KILLS // WRITERS)
    assert _survives(tmp_path / "memory", rounds) > KILLS


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[postgres.Cluster]:
    """A cluster of its own, which writes as safely as any."""
    if reason := postgres.why_not():
        helpers.missing(reason)
    monkeypatch.setenv("MEMEDIT_REPLICA_DIR", str(tmp_path))
    with postgres.cluster() as running:
        yield running


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_in_postgresql_too(database: postgres.Cluster) -> None:
    assert _survives(database.memory(), -(-PG_KILLS // WRITERS)) > 0


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
        writer.join(60)
    told = [id for writer in writers for id in writer.acknowledged]
    assert sum(writer.refused for writer in writers) > 0
    with EditMemory(url, CountingEncoder()) as memory:
        live = [record.id for record in memory.records()]
        assert set(told) <= set(live) and len(set(live)) == len(live) == memory.version
        assert len(live) - len(set(told)) <= len(writers)  # stored, and not acknowledged in time
        assert sound(memory)
