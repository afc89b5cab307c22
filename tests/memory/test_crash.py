"""kill -9 at random moments: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memedit.memory import EditMemory
from tests import helpers, postgres
from tests.memory.helpers import CountingEncoder, sound

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("MEMEDIT_CRASH_KILLS", "200"))
PG_ROUNDS = int(os.environ.get("MEMEDIT_PG_CRASH_ROUNDS", "2"))
WRITERS = 4
_WRITER = """
import os, sys
from memedit.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.types import Edit
path, run = sys.argv[1:]
memory = EditMemory(path, HashingEncoder(64))
print("open", flush=True)
previous = None
for i in range(100_000):
    if i % 7 == 6:
        memory.snapshot()
    names = [f"R{run} N{i} {j}" for j in range(1 + i % 5)]
    receipts = memory.add_many([Edit(f"The mayor of {n} is", "Ann", n) for n in names])
    print("add", *(r.id for r in receipts), flush=True)
    if i % 3 == 2:
        memory.forget(previous)
        print("forget", previous, flush=True)
    previous = receipts[0].id
"""


def _start(path: str | Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(path), name]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _kill(child: subprocess.Popen[str]) -> list[list[str]]:
    """Kill -9; the whole lines the child had printed."""
    assert child.stdout is not None
    child.send_signal(signal.SIGKILL)
    printed = child.stdout.read()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    return [line.split() for line in printed.split("\n")[:-1]]


def _round(path: str | Path, number: int, rng: random.Random) -> tuple[set[str], set[str], int]:
    """Writers killed one after the other: (ids acknowledged as added, as forgotten, changes)."""
    children = [_start(path, f"{number}-{i}") for i in range(WRITERS)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "open\n"
    there: set[str] = set()
    gone: set[str] = set()
    changes = 0
    for child in children:
        time.sleep(rng.uniform(0, 0.08))
        for verb, *ids in _kill(child):
            changes += 1
            (there if verb == "add" else gone).update(ids)
    return there - gone, gone, changes


def _survives(path: str | Path, rounds: int, between: Callable[[int], None]) -> int:
    """Rounds of writers killed; the number of changes that were acknowledged and found there."""
    rng, before, acknowledged = random.Random(7), set[str](), 0
    for number in range(rounds):
        there, gone, changes = _round(path, number, rng)
        acknowledged += changes
        between(number)
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
    assert _survives(tmp_path / "memory", rounds, lambda number: None) > KILLS


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_in_postgresql_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers are killed; so is, every other round, the whole database."""
    if reason := postgres.why_not():
        helpers.missing(reason)
    monkeypatch.setenv("MEMEDIT_REPLICA_DIR", str(tmp_path))

    def between(number: int) -> None:
        if number % 2:
            database.kill()
            database.start()

    with postgres.cluster() as database:
        assert _survives(database.memory(), PG_ROUNDS, between) > 0
