"""Several processes that write to one memory at once, killed one by one; clocks that jump."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import MemeditError
from memedit.core.types import Edit
from memedit.memory import EditMemory, store
from memedit.memory.journal import journal
from tests import postgres
from tests.campaign.acting import opened
from tests.campaign.ledger import LONG, Round, Stage
from tests.forking import fork
from tests.memory.helpers import CountingEncoder, sound
from tests.memory.writing import write

pytestmark = pytest.mark.slow
WRITERS = (2, 8) if LONG else (3,)
IN_FILES = Stage("2 and 8 writers, SQLite", bounded=1, long=12, share=0.02)
IN_DATABASE = Stage("2 and 8 writers, PostgreSQL", bounded=1, long=4, share=0.02)
CLOCKS = Stage("clock jumps", bounded=1, long=40, share=0.01)
STEPS = 60 if LONG else 25


def _together(path: str | Path, name: str, many: int, made: Round) -> tuple[set[str], set[str]]:
    """Writers killed one after the other, each some moments after it has made up to three changes:
    (ids acknowledged as added, as forgotten)."""
    children = [fork(write, str(path), f"{name}-{i}") for i in range(many)]
    for child in children:
        assert child.hear() == ("open",)
    there, gone = set[str](), set[str]()
    for child in children:
        heard = [child.hear() for _ in range(made.rng.randrange(4))]
        time.sleep(made.rng.uniform(0, 0.02))
        heard += child.kill()
        assert child.process.exitcode == -signal.SIGKILL
        for verb, *ids in heard:
            made.counts["acknowledged"] += 1
            (there if verb == "add" else gone).update(ids)
    made.counts["kills"] += many
    return there - gone, gone


def _agree(
    path: str | Path, many: int, made: Round, settled: Callable[[], object] = lambda: None
) -> None:
    """Everything acknowledged is there, whoever wrote; no change has another's version."""
    there, gone = _together(path, f"{made.number}.{many}", many, made)
    settled()
    with EditMemory(path, CountingEncoder()) as memory:
        live = {record.id for record in memory.records()}
        assert not gone & live
        # A writer's last change may have been stored and not yet acknowledged.
        lost = there - live
        assert len(lost) <= many
        assert all(memory.history(id)[-1].kind == "forget" for id in lost)
        versions = {event.version for event in memory.history()}
        assert versions == set(range(1, memory.version + 1))
        assert sound(memory)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_files(tmp_path: Path) -> None:
    for made in IN_FILES.rounds():
        for many in WRITERS:
            _agree(tmp_path / f"{made.number}-{many}", many, made)
    assert IN_FILES.counts["acknowledged"] > 3


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_postgresql(database: postgres.Cluster) -> None:
    for made in IN_DATABASE.rounds():
        for many in WRITERS:
            _agree(database.memory(), many, made, database.settle)
    assert IN_DATABASE.counts["acknowledged"] > 0


class _Clock(datetime):
    """A clock that somebody sets."""

    offset = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz or timezone.utc) + cls.offset


JUMPS = (-9_000, -365, -1, -0.001, 0, 0.001, 1, 365, 9_000)  # days


def test_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwards, backwards and over years, between and within changes: versions tell what was first,
    no event is older than the one before, and every version can be seen and brought back."""
    for module in (store, journal):
        monkeypatch.setattr(module, "datetime", _Clock)
    for made in CLOCKS.rounds():
        with opened(tmp_path / str(made.number)) as memory:
            _jumping(memory, made.rng, made.counts)
    assert CLOCKS.counts["jumps"] > 5


def _jumping(memory: EditMemory, rng: random.Random, counts: Counter[str]) -> None:
    states: list[list[str]] = [[]]
    for step in range(STEPS):
        if rng.random() < 0.7:
            _Clock.offset = timedelta(days=rng.choice(JUMPS))
            counts["jumps"] += 1
        version = memory.version
        try:
            _change(memory, rng, step)
        except MemeditError:  # where the date that was given is over, or begins after it ends
            counts["refused"] += 1
        assert memory.version in (version, version + 1)
        counts["changes"] += memory.version - version
        states += [[r.id for r in memory.records()]] * (memory.version - version)
        seen = rng.randrange(len(states))
        assert [r.id for r in memory.at(seen).records()] == states[seen]
    times = [event.at for event in memory.history()]
    assert times == sorted(times)
    assert sound(memory)


def _change(memory: EditMemory, rng: random.Random, step: int) -> None:
    live = list(memory.records())
    name = f"Land {rng.randrange(8)}"
    edit = Edit(f"The mayor of {name} is", f"Ann {step}", name)
    kind = rng.randrange(5)
    if kind == 0 and live:
        memory.forget(rng.choice(live).id)
    elif kind == 1:
        memory.restore(rng.randrange(memory.version + 1))
    elif kind == 2:
        day = _Clock.now() + timedelta(days=rng.choice(JUMPS))
        given: dict[str, Any] = {rng.choice(["valid_from", "valid_until"]): day}
        memory.add(edit, **given)
    else:
        memory.add(edit)
