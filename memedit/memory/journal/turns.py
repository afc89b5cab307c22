"""A journal's one connection, which the threads of a process use in turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from memedit.memory.journal.journal import Journal

LOOK_AGAIN = 0.01
"""Seconds between two looks at what nobody announces."""


class Turns:
    """Who may use the journal now.

    A write may have to wait, with the connection, for another process to end its own. Readers do
    not wait behind it: they go on with what they have, or read on another connection.

    Attributes:
        lock: Guards the journal's connection; threads that hold it may take it again.
        write_waits: Whether a write of this process waits for another process.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        # Taken again within: a write reads what it replaces.
        self.lock = threading.RLock()
        self.write_waits = False

    def acquire(self) -> bool:
        """Take the lock; False, without it, while a write waits."""
        while not self.lock.acquire(timeout=LOOK_AGAIN):
            if self.write_waits:
                self.journal.check_open()
                return False
        return True

    @contextmanager
    def reading(self) -> Iterator[Journal | None]:
        """The journal, open for reading; None where nothing was ever written."""
        with ExitStack() as stack:
            if self.acquire():
                stack.callback(self.lock.release)
                journal = self.journal
            else:
                # Its own connection: the other one waits within a statement, which nobody can
                # share.
                journal = stack.enter_context(Journal(self.journal.address, read_only=True))
            yield journal if stack.enter_context(journal.read()) else None

    @contextmanager
    def writing(self) -> Iterator[Journal]:
        """The journal, within a write transaction. Lock held."""
        with ExitStack() as stack:
            # In RAM there is no other process to wait for.
            self.write_waits = self.journal.address is not None
            try:
                stack.enter_context(self.journal.write())
            finally:
                self.write_waits = False
            yield self.journal
