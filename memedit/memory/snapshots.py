"""Indexes on disk: a manifest, and one FAISS file per namespace named by its hash.

A snapshot only saves time. It is used when the manifest names this very memory, these very vectors
and an event the journal has, and every file's hash is right; whatever was added or retired since is
then put in or taken out by comparing ids. Anything else counts as no snapshot.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from memedit.memory.index import VectorIndex

FOLDER = "index"
MANIFEST = "manifest.json"
_FORMAT = 1
_ABANDONED = 3_600  # seconds

log = logging.getLogger(__name__)


def write(directory: Path, identity: Mapping[str, Any], indexes: Mapping[str, VectorIndex]) -> None:
    """Replace the snapshot in ``directory``; a crash on the way leaves the old one or none.

    Args:
        identity: What must be equal for the snapshot to be used, plus "event": [id, time].
        indexes: By namespace.
    """
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {}
    for namespace, index in indexes.items():
        content = index.to_bytes()
        sha256 = hashlib.sha256(content.data).hexdigest()
        _replace(folder / f"{sha256[:20]}.faiss", content.data)
        parts[namespace] = {
            "sha256": sha256,
            "count": len(index),
            "trained_on": index.trained_on,
        }
    manifest = {"format": _FORMAT, **identity, "indexes": parts}
    _replace(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    kept = {f"{part['sha256'][:20]}.faiss" for part in parts.values()}
    _sweep(folder, kept)


def _sweep(folder: Path, kept: set[str]) -> None:
    """Remove indexes of older snapshots, and what crashed writers left."""
    for file in folder.glob("*.faiss"):
        if file.name not in kept:
            file.unlink(missing_ok=True)
    for file in folder.glob("*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # its writer may be alive, and rename it
            if time.time() - file.stat().st_mtime > _ABANDONED:
                file.unlink()


def _replace(path: Path, content: bytes | memoryview) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def manifest(directory: Path) -> dict[str, Any] | None:
    """The snapshot's manifest; None if there is none that can be read."""
    path = directory / FOLDER / MANIFEST
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("Index snapshot %s cannot be read (%s): rebuilding.", path, error)
        return None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        log.warning("Index snapshot %s has an unknown format: rebuilding.", path)
        return None
    return content


def load(directory: Path, manifest: Mapping[str, Any], dimension: int) -> dict[str, VectorIndex]:
    """The indexes by namespace that are whole; the others are left out with a warning."""
    found: dict[str, VectorIndex] = {}
    parts = manifest.get("indexes")
    for namespace, part in parts.items() if isinstance(parts, dict) else ():
        try:
            found[namespace] = _load_one(directory / FOLDER, part, dimension)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            log.warning("Index snapshot of %r is unusable (%s): rebuilding.", namespace, error)
    return found


def _load_one(folder: Path, part: Mapping[str, Any], dimension: int) -> VectorIndex:
    content = np.fromfile(folder / f"{part['sha256'][:20]}.faiss", dtype=np.uint8)
    if hashlib.sha256(content.data).hexdigest() != part["sha256"]:
        raise ValueError("wrong hash")
    index = VectorIndex.from_bytes(content, trained_on=int(part["trained_on"]))
    if index.dimension != dimension or len(index) != part["count"]:
        raise ValueError("wrong size")
    return index
