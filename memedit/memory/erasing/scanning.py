"""Where the purged texts are looked for afterwards: the journal's tables, and every file."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import select

from memedit.memory.address import ASIDE, ASIDE_LOCK
from memedit.memory.erasing.certificate import Scanned
from memedit.memory.erasing.texts import Texts
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.schema import metadata

_BLOCK = 8 << 20  # bytes in RAM at a time
_ROWS = 2_000
_ABANDONED = 60.0
"""Seconds in which a restore that put something aside has locked it."""


def scan_tables(journal: JournalReader, texts: Texts) -> list[Scanned]:
    """Every text in every row of the journal. Needs an open read."""
    found: list[Scanned] = []
    for table in metadata.sorted_tables:
        count, held = 0, False
        for rows in journal.stream(select(table), _ROWS):
            count += len(rows)
            held = held or any(_says(row, texts) for row in rows)
        found.append(Scanned(table.name, count, held))
    return found


def _says(row: Sequence[object], texts: Texts) -> bool:
    cells = [cell for cell in row if isinstance(cell, str)]
    return any(text in cell for cell in cells for text in texts.searched)


def scan_files(folder: Path, texts: Texts) -> list[Scanned]:
    """Every byte of every file in a directory and below; no link is followed. Other processes may
    remove some meanwhile."""
    found: list[Scanned] = []
    for file in _entries(folder):
        with suppress(FileNotFoundError):
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                name = str(file.relative_to(folder))
                found.append(Scanned(name, status.st_size, _holds(file, texts)))
    return found


def _entries(folder: Path) -> Iterator[Path]:
    for at, _, names in os.walk(folder):
        yield from (Path(at) / name for name in sorted(names))


def _holds(file: Path, texts: Texts) -> bool:
    if not texts.searched:
        return False
    before = b""
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            if texts.are_within(before + block):
                return True
            # A text may begin in one block and end in the next.
            before = block[-texts.longest :]
    return False


def sweep(folder: Path) -> list[str]:
    """Remove what a restore that was killed had put aside; what must stay, and why."""
    problems: list[str] = []
    for aside in folder.glob(f"{ASIDE}*"):
        with suppress(FileNotFoundError):  # its restore ended
            if _is_abandoned(aside):
                shutil.rmtree(aside, ignore_errors=True)
        if aside.exists():
            problems.append(f"{aside.name} holds what a restore put aside: remove it when it ended")
    return problems


def _is_abandoned(aside: Path) -> bool:
    """Whether no restore holds what was put aside: however long one takes, it holds a lock. What
    is a link, or holds one for a lock, no restore has made: it is left alone."""
    lock = aside / ASIDE_LOCK
    if aside.is_symlink() or lock.is_symlink():
        return False
    # The folder is made a moment before its lock is.
    if time.time() - aside.stat().st_mtime < _ABANDONED:
        return False
    try:
        FileLock(lock, timeout=0).acquire().lock.release()
    except (Timeout, OSError):
        return False
    return True
