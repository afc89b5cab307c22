"""A process that writes to a memory until it is killed."""

from __future__ import annotations

from collections.abc import Callable

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory

Said = tuple[str, ...]


def write(say: Callable[[Said], None], path: str, name: str) -> None:
    """Add and forget edits. Says ``("open",)``, then ``("add", *ids)`` or ``("forget", id)`` after
    each change.

    Args:
        say: Hears it.
        path: Of the memory.
        name: Part of all subjects.
    """
    memory = EditMemory(path, HashingEncoder(64))
    say(("open",))
    previous = ""
    for i in range(100_000):
        if i % 7 == 6:
            memory.snapshot()
        names = [f"R{name} N{i} {j}" for j in range(1 + i % 5)]
        receipts = memory.add_many([Edit(f"The mayor of {n} is", "Ann", n) for n in names])
        say(("add", *(receipt.id for receipt in receipts)))
        if i % 3 == 2:
            memory.forget(previous)
            say(("forget", previous))
        previous = receipts[0].id
