"""How long a write waits for another process's write to end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Patience:
    """So many seconds a write; less once somebody hurries. Threads may share it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = math.inf
        self._waiting: dict[object, Callable[[], None]] = {}
        self._lock = threading.Lock()

    def hurry(self, seconds: float) -> None:
        """Nobody waits longer than so many seconds from now, whoever waits already included."""
        self._end = min(self._end, time.monotonic() + seconds)
        with self._lock:
            if self._waiting:
                timer = threading.Timer(seconds, self._give_up)
                timer.daemon = True  # a process that has ended otherwise waits for nobody
                timer.start()

    def is_over(self, since: float, seconds: float) -> bool:
        """Whether a write that waits since then, and may for so many seconds, gives up."""
        return time.monotonic() >= min(since + seconds, self._end)

    @contextmanager
    def waiting(self, give_up: Callable[[], None]) -> Iterator[float]:
        """Around a wait that looks at no clock of ours. Yields the seconds that it may last; who
        hurries meanwhile has ``give_up`` called, from another thread."""
        mark = object()
        with self._lock:
            self._waiting[mark] = give_up
        try:
            # After it is known: who hurries in between finds it.
            yield max(0.0, min(self.seconds, self._end - time.monotonic()))
        finally:
            with self._lock:
                del self._waiting[mark]

    def _give_up(self) -> None:
        with self._lock:
            for give_up in self._waiting.values():
                with suppress(Exception):  # it may have ended this moment
                    give_up()
