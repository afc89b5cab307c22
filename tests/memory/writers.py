"""Processes that write to a memory until they are killed.

They are forked from a server that has imported what they need, so that a hundred of them cost what
they do and not a hundred imports. This module must not import pytest: the server does import it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from memedit.core.types import Edit
from memedit.encoders import HashingEncoder
from memedit.memory import EditMemory

Said = tuple[str, ...]


@dataclass(frozen=True)
class Writer:
    """A running writer and the end of the pipe at which it is heard."""

    process: BaseProcess
    told: Connection

    def kill(self) -> list[Said]:
        """Kill -9; what it had said and nobody had heard."""
        self.process.kill()
        self.process.join()
        heard = []
        with self.told:
            while self.told.poll():
                try:
                    heard.append(self.told.recv())
                except (EOFError, OSError):  # it died in the middle of a word
                    break
        return heard


def start(path: str | Path, name: str, **variables: str) -> Writer:
    """A process that adds and forgets edits; it says ``("open",)``, then ``("add", *ids)`` and
    ``("forget", id)`` after each change.

    Args:
        path: Of the memory.
        name: Part of all its subjects.
        variables: Of its environment.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    told, says = context.Pipe(duplex=False)
    process = context.Process(target=_write, args=(says, str(path), name, variables), daemon=True)
    process.start()
    says.close()
    return Writer(process, told)


def _write(says: Connection, path: str, name: str, variables: Mapping[str, str]) -> None:
    os.environ.update(variables)
    memory = EditMemory(path, HashingEncoder(64))
    says.send(("open",))
    previous = ""
    for i in range(100_000):
        if i % 7 == 6:
            memory.snapshot()
        names = [f"R{name} N{i} {j}" for j in range(1 + i % 5)]
        receipts = memory.add_many([Edit(f"The mayor of {n} is", "Ann", n) for n in names])
        says.send(("add", *(receipt.id for receipt in receipts)))
        if i % 3 == 2:
            memory.forget(previous)
            says.send(("forget", previous))
        previous = receipts[0].id
