"""Processes that a test kills, forked from a server that has imported what they need: many of them
cost what they do, and not an import of torch each."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = ("tests.evaluation.running", "tests.memory.writing", "tests.campaign.acting")
"""Modules of what is forked. They must not import pytest: the server imports them."""


@dataclass(frozen=True)
class Forked:
    """A running process and the end of the pipe at which it is heard."""

    process: BaseProcess
    told: Connection

    def hear(self) -> Any:
        """What it says next.

        Raises:
            EOFError: it has ended.
        """
        return self.told.recv()

    def kill(self) -> list[Any]:
        """Kill -9; what it had said and nobody had heard."""
        self.process.kill()
        return self.wait()

    def wait(self) -> list[Any]:
        """Until it has ended; what it said meanwhile."""
        heard = []
        with self.told:
            while True:
                try:
                    heard.append(self.told.recv())
                except (EOFError, OSError):  # it ended, perhaps in the middle of a word
                    break
        self.process.join()
        return heard


def fork(work: Callable[..., None], *args: Any) -> Forked:
    """``work(say, *args)`` in a process of its own: what it says is heard here. Its environment is
    this process's as it is now (the server's is as it was when the server started)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    told, says = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, says, dict(os.environ), args), daemon=True)
    process.start()
    says.close()
    return Forked(process, told)


def _run(
    work: Callable[..., None], says: Connection, environment: dict[str, str], args: tuple[Any, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with says:
        work(says.send, *args)
