"""Whole memories: moved between directories and databases, backed up, brought back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.core.files import replacing
from memedit.core.untrusted import read_bytes
from memedit.memory import changing
from memedit.memory.address import ASIDE, ASIDE_LOCK, Address, check_address, directory, quote
from memedit.memory.backup import SETTINGS, seal
from memedit.memory.journal.copying import MigrationReport, check_target, copy_journal
from memedit.memory.journal.erasing import Row, erase_again, read_purged
from memedit.memory.journal.journal import FILE, Journal
from memedit.memory.memory import EditMemory
from memedit.memory.verify import UNFINISHED


def migrate(
    source: Address,
    target: Address,
    *,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> MigrationReport:
    """Copy a memory, with its history, vectors and payloads, to another place, and verify it.

    Servers that use the target see the change as one step. The source is only read, whole and
    first: a damaged one replaces nothing.

    Args:
        source, target: A directory or a ``postgresql://`` URL each.
        replace: What the target holds is replaced; else a target that holds something is refused.
        progress: Told how many rows have been copied.

    Raises:
        InvalidInputError, MemoryStoreError: it cannot be done; the target is as before.
    """
    check_address(source)
    check_address(target)
    if source == target:
        raise InvalidInputError("Source and target are the same.", hint="Name another target.")
    if not replace:
        check_target(source, target)
    # Before the target is touched: a damaged source must not replace a good memory.
    check_sound(source)
    origin = Journal(source, read_only=True)
    try:
        with _keep_aside(target):
            report = _copy_to(origin, target, progress)
            # Still with the old one aside, which comes back if the disk wrote something else.
            check_sound(target)
    finally:
        origin.close()
    if report.purged:
        with EditMemory(target) as memory:
            changing.fill_purged(memory._store, report.version)
            memory.finish_purge()
    return report


def backup(
    source: Address, folder: Path, *, progress: Callable[[int], None] | None = None
) -> MigrationReport:
    """:func:`migrate` into a new directory, with the model's settings, sealed by hashes.

    Raises:
        InvalidInputError, MemoryStoreError: it cannot be done.
    """
    check_address(source)
    check_address(folder)
    check_target(source, folder, hint="Name another directory: no backup is written over another.")
    report = migrate(source, folder, progress=progress)
    # Before the seal, which holds their hash too.
    _copy_settings(directory(source), folder)
    seal(folder)
    return report


def restore(
    folder: Path,
    target: Address,
    *,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> MigrationReport:
    """:func:`migrate` of a backup; the settings that lie beside it come with it. What the target
    has purged since the backup was made stays purged.

    Raises:
        InvalidInputError, MemoryStoreError: it cannot be done; the target is as before.
    """
    check_address(target)
    to = directory(target)
    if to is not None and (to / SETTINGS).is_dir():
        raise InvalidInputError(
            f"{str(to / SETTINGS)!r} is a folder, where the settings of the memory belong.",
            hint="Move it away. Nothing was replaced.",
        )
    report = migrate(folder, target, replace=replace, progress=progress)
    if to is not None:
        _copy_settings(folder, to)
    return report


def _copy_settings(source: Path | None, target: Path) -> None:
    """``model.json`` belongs to the memory beside it: with one goes the other."""
    if source is None:
        return
    try:
        content = read_bytes(source / SETTINGS)
    except FileNotFoundError:
        # Those of the memory that was there do not fit the one that came.
        (target / SETTINGS).unlink(missing_ok=True)
    else:
        with replacing(target / SETTINGS) as new:
            new.write_bytes(content)


def _copy_to(
    origin: Journal, target: Address, progress: Callable[[int], None] | None
) -> MigrationReport:
    copy = Journal(target)
    try:
        purged = _find_purged_since(origin, copy)
        return copy_journal(origin, copy, progress, lambda: erase_again(copy, purged))
    finally:
        copy.close()


def _find_purged_since(origin: Journal, copy: Journal) -> list[Row]:
    """What the target purged, where the source is an older state of the same memory."""
    with copy.read() as anything, origin.read():
        # Sequences of another memory name other edits.
        if not anything or copy.meta("memory") != origin.meta("memory"):
            return []
        return read_purged(copy)


def check_sound(address: Address) -> None:
    """Read the whole memory.

    Raises:
        MemoryStoreError: something is wrong with it; nothing was changed anywhere.
    """
    with EditMemory(address, read_only=True) as memory:
        problems = [each for each in memory.verify().problems if each != UNFINISHED]
    if problems:
        raise MemoryStoreError(
            f"The memory {quote(address)} is damaged: {'; '.join(problems[:3])}.",
            hint="Nothing was replaced. memedit verify tells more; memedit edit salvage writes "
            "what can still be read into a file.",
        )


@contextmanager
def _keep_aside(target: Address) -> Iterator[None]:
    """The memory at ``target`` (a directory) comes back if the block raises. A database takes the
    new one in a single transaction, which compares every row before it ends."""
    folder = directory(target)
    if folder is None or not (folder / FILE).exists():
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix=ASIDE, dir=folder) as aside,
        FileLock(Path(aside) / ASIDE_LOCK),  # held as long as this process needs what is aside
    ):
        with Journal(folder) as old:
            old.copy_file(Path(aside))
        try:
            yield
        except BaseException:
            with Journal(Path(aside)) as kept:
                kept.copy_file(folder)
            raise
