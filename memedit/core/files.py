"""Where memedit keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$MEMEDIT_CACHE``, else ``$XDG_CACHE_HOME/memedit``, else ``~/.cache/memedit``."""
    if own := os.environ.get("MEMEDIT_CACHE"):
        return Path(own).expanduser()
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "memedit"
