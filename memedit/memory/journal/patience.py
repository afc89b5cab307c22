"""How long a write waits for another process's write to end."""

from __future__ import annotations

import math
import time


class Patience:
    """So many seconds a write; less once somebody hurries. Threads may share it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = math.inf

    def hurry(self, seconds: float) -> None:
        """Nobody waits longer than so many seconds from now, whoever waits already included."""
        self._end = min(self._end, time.monotonic() + seconds)

    def is_over(self, since: float, seconds: float) -> bool:
        """Whether a write that waits since then, and may for so many seconds, gives up."""
        return time.monotonic() >= min(since + seconds, self._end)
