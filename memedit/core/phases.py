"""How long each part of an answer takes: told where the work is done, heard by who serves.

As in :mod:`memedit.core.progress`, nothing is told between threads, but for those that take over
the context of who asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

Phase: TypeAlias = Literal["encode", "search", "decide", "prefill", "decode"]
"""Texts to vectors; the edits near them; what the scope makes of those; the prompt up to the first
token; the tokens after it."""
Told: TypeAlias = Callable[[Phase, float], object]

_told: ContextVar[Told | None] = ContextVar("told", default=None)
_within: ContextVar[list[float] | None] = ContextVar("within", default=None)


@contextmanager
def phase(name: Phase) -> Iterator[None]:
    """Tell the seconds that the block takes, without those of phases within it. Costs next to
    nothing where nobody listens."""
    told = _told.get()
    if told is None:
        yield
        return
    inner = [0.0]
    token, start = _within.set(inner), time.perf_counter()
    try:
        yield
    finally:
        spent = time.perf_counter() - start
        _within.reset(token)
        if (outer := _within.get()) is not None:
            outer[0] += spent
        told(name, spent - inner[0])


def tell(name: Phase, seconds: float) -> None:
    """Tell of a phase that was timed otherwise."""
    if (told := _told.get()) is not None:
        told(name, seconds)


@contextmanager
def hearing_phases(told: Told | None) -> Iterator[None]:
    """``told`` is called with each phase that ends in the block, and its seconds."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)
