"""Whole memories: moved between directories and databases, backed up, brought back."""

from __future__ import annotations

from collections.abc import Callable

from memedit.core.errors import MemoryStoreError
from memedit.memory.address import Address, quoted
from memedit.memory.journal.copying import MigrationReport, check_target, copy_journal
from memedit.memory.journal.journal import Journal
from memedit.memory.memory import EditMemory


def migrate(
    source: Address,
    target: Address,
    *,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> MigrationReport:
    """Copy a memory, with its history, vectors and payloads, to another place, and verify it.

    Servers that use the target see the change as one step. The source is only read.

    Args:
        source, target: A directory or a ``postgresql://`` URL each.
        replace: What the target holds is replaced; else a target that holds something is refused.
        progress: Told how many rows have been copied.

    Raises:
        InvalidInputError, MemoryStoreError: it cannot be done; the target is as before.
    """
    if not replace:
        check_target(source, target)
    origin = Journal(source, read_only=True)
    try:
        copy = Journal(target)
        try:
            report = copy_journal(origin, copy, progress)
        finally:
            copy.close()
    finally:
        origin.close()
    with EditMemory(target, read_only=True) as memory:
        checked = memory.verify()
    if not checked.ok:
        raise MemoryStoreError(
            f"The memory {quoted(target)} was copied as it is, and is damaged: "
            f"{'; '.join(checked.problems[:3])}.",
            hint=f"So is {quoted(source)}: memedit verify tells more.",
        )
    return report
