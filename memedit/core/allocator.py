"""What the C library keeps of freed memory."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Give the system back what was freed: glibc keeps it for later, and a process that once read a
    million rows would look as if it still held them. Elsewhere nothing is done."""
    if not sys.platform.startswith("linux"):
        return
    # musl, for one, has no such function.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
