"""Python's cyclic garbage collector, held back while much is made and nothing is thrown away."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Within, nothing is looked through for garbage, in the whole process: where thousands of
    objects are made to stay, that takes a third of the time, and most of it goes into what was
    there before (a model's libraries alone are half a million objects)."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
