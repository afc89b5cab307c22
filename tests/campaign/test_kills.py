"""kill -9 at random moments of every verb: what was acknowledged is there, nothing is half there.

The same steps are taken on a second memory that nobody kills. After each kill the first one is in
the second one's state after the last step that was acknowledged, or after the one that was begun.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from memedit.core.errors import MemeditError
from memedit.memory import EditMemory
from memedit.memory.address import ASIDE
from memedit.memory.moving import check_sound
from tests import postgres
from tests.campaign import acting
from tests.campaign.acting import Place, act, opened, state, verb_of
from tests.campaign.ledger import LONG, Stage
from tests.forking import fork
from tests.memory.helpers import sound

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"),
]
KILLS = 25 if LONG else 8  # of one memory
IN_FILES = Stage("SIGKILL, SQLite", bounded=1, long=32, share=0.10)
IN_DATABASE = Stage("SIGKILL, PostgreSQL", bounded=1, long=8, share=0.05)


class Trial:
    """A memory whose processes are killed, and its double.

    Args:
        settled: Returns once nothing that a killed process began can be stored any more.
    """

    def __init__(
        self,
        address: str | Path,
        folder: Path,
        seed: str,
        counts: Counter[str],
        settled: Callable[[], object] = lambda: None,
    ) -> None:
        for name in ("mine", "double"):
            (folder / name).mkdir(parents=True)
        self.mine = Place(str(address), str(folder / "mine"))
        self.double = Place(str(folder / "double" / "memory"), str(folder / "double"))
        self.memory = opened(self.double.address)
        self.seed, self.step, self.counts, self.settled = seed, 0, counts, settled

    def close(self) -> None:
        self.memory.close()

    def kill(self, rng: random.Random) -> None:
        """Let a process take some steps, kill it, and see what is there."""
        child = fork(acting.work, self.mine, self.seed, self.step)
        assert child.hear() == ("open",)
        heard: list[tuple[object, ...]] = []
        wanted = rng.randrange(4)
        while sum(said[0] == "done" for said in heard) < wanted:
            heard.append(child.hear())
        time.sleep(rng.uniform(0, 0.03))
        heard += child.kill()
        assert child.process.exitcode == -signal.SIGKILL
        self.counts["kills"] += 1
        for said in heard:
            if said[0] == "done":
                self._take()
                assert (said[2], said[3]) == (state(self.memory), self.double.backup)
                self.mine.backup = self.double.backup
                self.counts["acknowledged"] += 1
        self._check(begun=bool(heard) and heard[-1][0] == "begin")

    def _take(self) -> None:
        act(self.memory, self.double, self.seed, self.step)
        self.step += 1

    def _check(self, *, begun: bool) -> None:
        self.settled()
        with opened(self.mine.address) as memory:
            if begun:
                self._settle(memory)
            assert state(memory) == state(self.memory)
            self._let_a_minute_pass()
            unfinished = memory.finish_purge()
            assert unfinished is None or unfinished.complete, unfinished
            self.counts["purges finished"] += unfinished is not None
            assert sound(memory)
            assert state(memory) == state(self.memory)
        self._see_files()

    def _settle(self, memory: EditMemory) -> None:
        """The step that was begun has happened, or it has not."""
        verb, found = verb_of(self.seed, self.step), state(memory)
        self.counts[f"in {verb}"] += 1
        if found == state(self.memory):
            return
        self._take()
        if verb == "import" and found != state(self.memory):
            act(memory, self.mine, self.seed, self.step - 1)  # it goes on
            found = state(memory)
            self.counts["imports resumed"] += 1
        assert found == state(self.memory), verb
        self.counts["stored, not acknowledged"] += 1

    def _let_a_minute_pass(self) -> None:
        """What a killed restore had put aside is taken for a dead one's only then."""
        for aside in Path(self.mine.address).glob(f"{ASIDE}*"):
            os.utime(aside, (1, 1))

    def _see_files(self) -> None:
        """No file is torn; a backup that nobody was told of is whole, or refused."""
        file = self.mine.path("export.jsonl")
        if file.exists():
            assert all(map(json.loads, file.read_text().splitlines()))
        for folder in Path(self.mine.folder).glob("backup-*"):
            if folder.name > self.mine.backup and not self.double.path(folder.name).exists():
                try:
                    check_sound(folder)
                except MemeditError:
                    self.counts["partial backups refused"] += 1
                shutil.rmtree(folder)


def _survives(trial: Trial, rng: random.Random) -> None:
    try:
        for _ in range(KILLS):
            trial.kill(rng)
    finally:
        trial.close()


def test_files(tmp_path: Path) -> None:
    for made in IN_FILES.rounds():
        folder = tmp_path / str(made.number)
        _survives(Trial(folder / "memory", folder, made.seed, made.counts), made.rng)
        shutil.rmtree(folder)
    assert IN_FILES.counts["acknowledged"] > KILLS / 4


def test_postgresql(database: postgres.Cluster, tmp_path: Path) -> None:
    for made in IN_DATABASE.rounds():
        folder = tmp_path / str(made.number)
        trial = Trial(database.memory(), folder, made.seed, made.counts, database.settle)
        _survives(trial, made.rng)
    assert IN_DATABASE.counts["acknowledged"] > KILLS / 4
