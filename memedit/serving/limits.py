"""How often a key may ask."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_KEPT = 10_000


class RateLimiter:
    """A token bucket per key: a minute's requests may come at once, then at the steady rate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, per_minute: int | None, now: float | None = None) -> float:
        """Seconds until the request may come; 0: it may now, and is counted."""
        if per_minute is None:
            return 0.0
        moment = time.monotonic() if now is None else now
        with self._lock:
            tokens, since = self._buckets.pop(key, (float(per_minute), moment))
            tokens = min(float(per_minute), tokens + (moment - since) * per_minute / 60)
            wait = 0.0 if tokens >= 1 else (1 - tokens) * 60 / per_minute
            self._buckets[key] = (tokens - (0 if wait else 1), moment)
            while len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        return wait
