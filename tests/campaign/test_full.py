"""A disk that is full at every write: a clear error, nothing acknowledged lost, and on it goes."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from memedit.core.errors import MemeditError
from memedit.memory import EditMemory
from tests.campaign.acting import VERBS, Place, act, name_backup, opened, state
from tests.campaign.ledger import LONG, Stage
from tests.memory.helpers import sound

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs limits of files")
STAGE = Stage("disk full", bounded=1, long=6, share=0.06)
PAGE = 4_096
SIZE = 48 << 20
FEW = (0, 3, 24)
MANY = (*range(48), *range(48, 256, 8), *range(256, 900, 32))
NEEDS_NO_ROOM = {"restore", "undo", "bring back"}  # where there is nothing to be done


class Disk:
    """A folder of which one says how much more may be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
        root = os.geteuid() == 0
        self.is_mounted = root and subprocess.run(command, capture_output=True).returncode == 0

    @property
    def kind(self) -> str:
        return "tmpfs" if self.is_mounted else "RLIMIT_FSIZE"

    @contextmanager
    def only(self, pages: int) -> Iterator[None]:
        """No more room than these pages; a limit of files leaves so much to the largest one."""
        if self.is_mounted:
            filler = self.folder / "filler"
            found = os.statvfs(self.folder)
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, (found.f_bavail - pages) * found.f_frsize)
            try:
                yield
            finally:
                filler.unlink()
            return
        largest = max((f.stat().st_size for f in self.folder.rglob("*") if f.is_file()), default=0)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = min(largest, 64 * PAGE) + pages * PAGE
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Not below pytest's folders: those it cannot remove, should this process be killed."""
    made = Disk(Path(tempfile.mkdtemp(prefix="memedit-disk-")))
    yield made
    made.close()
    shutil.rmtree(made.folder)


def _fails(disk: Disk, pages: int, work: Callable[[], object], counts: Counter[str]) -> bool:
    """Whether it could not be done; what is raised says why."""
    try:
        with disk.only(pages):
            work()
    except MemeditError as error:
        counts["refused"] += 1
        said = str(error).casefold()
        assert any(word in said for word in ("full", "space", "i/o", "large", "open")), said
        return True
    counts["written"] += 1
    return False


class Both:
    """A memory on the disk and its double where there is room."""

    def __init__(self, disk: Disk, folder: Path, seed: str) -> None:
        self.disk, self.seed, self.step = disk, seed, 0
        self.mine = Place(str(disk.folder / "memory"), str(disk.folder), inputs=str(folder))
        self.double = Place(str(folder / "memory"), str(folder))
        self.memory, self.other = opened(self.mine.address), opened(self.double.address)
        for verb in ("add_many", "add_many", "forget", "backup", "add"):
            self.take(self.memory, self.mine, verb)
            self.follow(verb)

    def take(self, memory: EditMemory, place: Place, verb: str) -> None:
        act(memory, place, self.seed, self.step, verb)

    def follow(self, verb: str) -> None:
        self.take(self.other, self.double, verb)
        self.step += 1

    def fill(self, verb: str, pages: int, counts: Counter[str]) -> None:
        """Do it with so little room; what was not done is done once there is room."""
        before = state(self.memory)
        do = partial(self.take, self.memory, self.mine, verb)
        if _fails(self.disk, pages, do, counts):
            now = state(self.memory)
            if verb not in ("import", "purge"):  # which go on where they stopped
                assert now == before, verb
            if verb == "purge" and now != before:
                made = self.memory.finish_purge()
                assert made is None or made.complete
                counts["purges finished"] += 1
            else:
                self.clear()
                do()
        self.follow(verb)
        assert state(self.memory) == state(self.other), (verb, pages)
        assert sound(self.memory)

    def clear(self) -> None:
        """Remove a backup that was not made."""
        name = name_backup(self.step)
        if self.mine.path(name).exists():
            for file in sorted(self.mine.path(name).rglob("*"), reverse=True):
                file.unlink()
            self.mine.path(name).rmdir()

    def close(self) -> None:
        self.memory.close()
        self.other.close()


@pytest.mark.slow
def test_memory(disk: Disk, tmp_path: Path) -> None:
    for made in STAGE.rounds():
        made.counts[disk.kind] += 1
        sizes = MANY if LONG else FEW
        for verb in VERBS:
            folder = tmp_path / f"{made.number}-{verb}"
            folder.mkdir()
            both = Both(disk, folder, f"{made.seed}/{verb}")
            for pages in sizes:
                before = made.counts["refused"]
                both.fill(verb, pages, made.counts)
                if made.counts["refused"] == before and pages > 8:
                    break
            both.close()
            _empty(disk.folder)
    assert STAGE.counts["refused"] >= len(VERBS) - len(NEEDS_NO_ROOM)
    assert STAGE.counts["written"] > 0


def _empty(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
