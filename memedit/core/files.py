"""Files: where memedit keeps what it can make again, hashes, and writes that leave no half."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """``$MEMEDIT_CACHE``, else ``$XDG_CACHE_HOME/memedit``, else ``~/.cache/memedit``."""
    if own := os.environ.get("MEMEDIT_CACHE"):
        return Path(own).expanduser()
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "memedit"


def sha256(path: Path) -> str:
    """Hash of the file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(file: Path, text: str) -> None:
    """Write a text file so that a reader finds the old content or the new, never a part of it."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as out:
        out.write(text)
    os.replace(out.name, file)
