"""What others commit to a shared journal, taken in as it happens: one thread per open memory.

The database announces every commit on a connection that does nothing but listen; the events
themselves are read by version, on another one. Whatever was announced while nobody listened is
found the same way after a reconnect, so an announcement may get lost, never an edit.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from memedit.core.errors import MemeditError
from memedit.memory.journal.database import Database, Listener
from memedit.memory.journal.reading import JournalReader

BEAT = 1.0
"""Seconds after which a silent connection is tried."""
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0  # seconds between attempts to reconnect
_SILENT = 3 * BEAT

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a memory's copy in this process is behind the journal.

    Attributes:
        version: Of the copy.
        connected: Whether commits of others are heard of.
        stale_seconds: How long ago the copy was last known to be all there is; 0 while connected.
        error: Why it is not connected.
    """

    version: int
    connected: bool = True
    stale_seconds: float = 0.0
    error: str = ""


class Feed:
    """Follows a shared journal until it is closed.

    Args:
        database: Where it is.
        take: Takes in what the given journal, open for reading, has to say; its identity.
        idle: Called after every catch-up, with the journal, outside any transaction.
        purged: The newest event of a purge of which the copy holds nothing any more: the database
            is told.
    """

    def __init__(
        self,
        database: Database,
        take: Callable[[JournalReader], Mapping[str, str]],
        idle: Callable[[JournalReader], None],
        purged: Callable[[], int],
    ) -> None:
        self._database, self._take, self._idle, self._purged = database, take, idle, purged
        self._acknowledged = (0, -1)  # connections count from 1: the first is always told
        self._journal = JournalReader(database)  # connects in the thread
        self._contact = time.monotonic()
        self._connected, self._error = False, "Not connected yet."
        self._told = logging.INFO  # after a loss as loud as that: else it seems to last
        self._stopped = threading.Event()
        # Closing one end wakes the thread, which waits on the other beside the database.
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="memedit-feed", daemon=True)
        self._thread.start()

    def freshness(self, version: int) -> Freshness:
        """How old the copy, which has this version, may be."""
        silent = time.monotonic() - self._contact
        if self._connected and silent < _SILENT:
            return Freshness(version)
        error = self._error or "The database does not answer."
        return Freshness(version, False, round(silent, 3), error)

    def close(self) -> None:
        """Stop following; closing twice is fine."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._wake.close()
        self._thread.join(timeout=2 * BEAT)  # longer only where the database stands still

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        wait = _FIRST_WAIT
        while not self._stopped.is_set():
            contact = self._contact
            try:
                self._follow()
            except Exception as error:
                self._lose(error)
            # It went well for a while: the next attempt need not wait as if it never had.
            if self._contact > contact:
                wait = _FIRST_WAIT
            self._stopped.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        self._journal.close()
        self._woken.close()

    def _lose(self, error: Exception) -> None:
        expected = isinstance(error, MemeditError)
        self._error = getattr(error, "message", "") or " ".join(str(error).split())
        # Once for each loss: while the database is away, every attempt fails the same way.
        if self._connected or not expected:
            log.warning("Lost the memory's database: %s", self._error, exc_info=not expected)
            self._told = logging.WARNING
        self._connected = False

    def _follow(self) -> None:
        memory = self._catch_up()
        if memory is None:
            return  # nothing was ever written: look again
        with closing(self._database.listen(memory)) as listening:
            while not self._stopped.is_set():
                # Caught up again once it listens: what was committed in between is not missed.
                if self._catch_up() != memory:
                    return  # another memory was put in its place
                if not self._connected:
                    self._connected, self._error = True, ""
                    log.log(self._told, "Following the memory's database.")
                    self._told = logging.INFO
                self._idle(self._journal)
                self._listen(listening)

    def _listen(self, listening: Listener) -> None:
        """Wait for an announcement, a beat, or the end."""
        sources: list[Listener | socket.socket] = [listening, self._woken]
        ready, _, _ = select.select(sources, [], [], BEAT)
        if listening in ready:
            listening.drain()

    def _catch_up(self) -> str | None:
        """The memory's id; None while there is none."""
        # Before the answer: the copy is at least as new as the question.
        asked = time.monotonic()
        with self._journal.read() as anything:
            told = self._take(self._journal) if anything else {}
            if "memory" in told:
                self._acknowledge(told["memory"])
        self._contact = asked
        return told.get("memory")

    def _acknowledge(self, memory: str) -> None:
        """Once for each purge and each connection."""
        now = (self._journal.connections, self._purged())
        if now != self._acknowledged:
            self._database.acknowledge(self._journal.connection, memory, now[1])
            self._acknowledged = now
