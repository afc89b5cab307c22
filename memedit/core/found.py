"""What is looked for until it is found, and then kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_MOST = 4
"""Results that are kept."""


def keep_found(again: float) -> Callable[[Callable[P, T | None]], Callable[P, T | None]]:
    """Decorator: a result is kept, but not None: what was being replaced is there a moment later.

    Args:
        again: Seconds for which nothing is looked for again where nothing was found.
    """

    def decorate(find: Callable[P, T | None]) -> Callable[P, T | None]:
        kept: dict[object, tuple[T | None, float]] = {}

        @wraps(find)
        def look(*args: P.args, **kwargs: P.kwargs) -> T | None:
            key = (args, tuple(sorted(kwargs.items())))
            found, until = kept.get(key, (None, 0.0))
            if found is None and time.monotonic() >= until:
                found = find(*args, **kwargs)
                if len(kept) >= _MOST:
                    kept.pop(next(iter(kept)), None)  # another thread may have
                kept[key] = found, time.monotonic() + again
            return found

        return look

    return decorate
