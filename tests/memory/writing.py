"""Processes that write to a memory until they are killed, or end in the middle."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable
from typing import Any

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


def purge(say: Callable[[Said], None], path: str, id: str, owner: str, name: str, nth: int) -> None:
    """Purge an edit; the process ends, with 9, once a function has returned for the nth time.

    Args:
        say: Nothing is said.
        path: Of the memory.
        id: Of the edit.
        owner: Of the function, as :func:`pkgutil.resolve_name` takes it.
        name: Of the function.
        nth: Its last call.
    """
    holder = pkgutil.resolve_name(owner)
    original, calls = getattr(holder, name), 0

    def counted(*given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        found = original(*given, **options)
        return os._exit(9) if calls == nth else found

    setattr(holder, name, counted)
    EditMemory(path, HashingEncoder(16)).purge(id)
