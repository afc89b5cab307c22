"""Indexes on disk: a manifest, and one file of plain arrays per namespace, named by its hash.

The arrays (safetensors) are put into an index made anew: a memory may be a stranger's, and FAISS's
own format can name other files, which FAISS opens and writes. Nothing here hands it a file.

A snapshot only saves time. It is used when the manifest names this very memory, these very vectors
and an event the journal has, and every file's hash is right, the manifest's own too; whatever was
added or retired since is then put in or taken out by comparing ids. Anything else counts as no
snapshot.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from memedit.core.errors import UntrustedFileError
from memedit.core.files import put, reserve_path, sha256, write_atomically
from memedit.core.untrusted import check_folder, open_tensors, read_json
from memedit.memory.live.index import VectorIndex

FOLDER = "index"
MANIFEST = "manifest.json"
_FORMAT = 5  # 1 held FAISS's own files: they are never read; 2 all vectors in float32; 3 no state
# 4 was not sealed: a bit of a namespace's name that fell over hid its edits
_SEAL = "sealed"
_SUFFIXES = (".safetensors", ".faiss")
_ABANDONED = 3_600  # seconds
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_TRAINED_ON = 1 << 40
_UNUSABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError)
_LARGEST = 1 << 63  # what a database takes as a number
EventTime = Callable[[int], str | None]
"""When the event of an id was written; None: there is none."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """What was found of a snapshot.

    Attributes:
        indexes: By namespace, those that are whole.
        state: The arrays of everything else that is held of the records; None where they, or one
            of the indexes, are not whole.
        event, version: Where the snapshot ends.
    """

    indexes: Mapping[str, VectorIndex] = field(default_factory=dict)
    state: Mapping[str, Any] | None = None
    event: int = 0
    version: int = 0


def write(
    directory: Path,
    identity: Mapping[str, Any],
    indexes: Mapping[str, VectorIndex],
    state: Mapping[str, Any] | None = None,
) -> None:
    """Replace the snapshot in ``directory``; a crash on the way leaves the old one or none.

    Args:
        identity: What must be equal for the snapshot to be used, plus "event": [id, time] and
            "version".
        indexes: By namespace.
        state: Of :class:`Saved`.
    """
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    check_folder(directory, (FOLDER,))  # nothing is written or swept where a link leads
    parts: dict[str, Any] = {}
    for namespace, index in indexes.items():
        parts[namespace] = {
            "sha256": _write_arrays(folder, index.arrays()),
            "count": len(index),
            "trained_on": index.trained_on,
        }
    manifest = {"format": _FORMAT, **identity, "indexes": parts}
    files = list(parts.values())
    if state is not None:
        manifest["state"] = {"sha256": _write_arrays(folder, state)}
        files.append(manifest["state"])
    # After the arrays, before the sweep: at every moment a manifest names files that are there.
    told = json.dumps(seal(manifest), ensure_ascii=False, indent=1)
    write_atomically(folder / MANIFEST, told)
    kept = {_name(part["sha256"]) for part in files}
    _sweep(folder, kept)


def seal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the hash of what it says, so that damage shows; it is no signature."""
    said = {name: value for name, value in manifest.items() if name != _SEAL}
    hashed = hashlib.sha256(json.dumps(said, sort_keys=True).encode("ascii")).hexdigest()
    return {**said, _SEAL: hashed}


def _name(hashed: str) -> str:
    # 80 bits tell a memory's files apart; who loads one compares the whole hash.
    return f"{hashed[:20]}.safetensors"


def _write_arrays(folder: Path, arrays: Mapping[str, Any]) -> str:
    with reserve_path(folder) as new:
        save_file(dict(arrays), new)
        hashed = sha256(new)
        put(new, folder / _name(hashed))
    return hashed


def _sweep(folder: Path, kept: set[str]) -> None:
    """Remove indexes of older snapshots, and what crashed writers left."""
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # its writer may be alive, and rename it
            if file.suffix in _SUFFIXES and file.name not in kept:
                file.unlink()
            elif file.suffix == ".tmp" and time.time() - file.stat().st_mtime > _ABANDONED:
                shutil.rmtree(file) if file.is_dir() else file.unlink()


def drop_older(directory: Path, event: int, event_time: EventTime) -> bool:
    """Remove a snapshot, and what is left of others, made before an event, or of another history:
    it may hold what was purged since. Whether there was one.

    Args:
        event: That of the purge.
        event_time: Of this memory's events.

    Raises:
        UntrustedFileError: a link lies in its folder.
        OSError: it cannot be removed.
    """
    folder = directory / FOLDER
    if not folder.is_dir():
        return False
    check_folder(directory, (FOLDER,))
    found = manifest(directory)
    made = _read_event(found) if found is not None else None
    if made is not None and made[0] >= event and event_time(made[0]) == made[1]:
        return False
    # All of them: what a crashed writer left may hold the same vectors.
    files = list(folder.iterdir())
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    return bool(files)


def manifest(directory: Path) -> dict[str, Any] | None:
    """The snapshot's manifest; None if there is none that can be read."""
    path = directory / FOLDER / MANIFEST
    try:
        check_folder(directory, (FOLDER,))
        content = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, UntrustedFileError) as error:
        log.warning("Index snapshot %s cannot be read (%s): rebuilding.", path, error)
        return None
    if content.get("format") != _FORMAT:
        log.warning("Index snapshot %s has another format: rebuilding.", path)
        return None
    if not _is_sealed(content):
        log.warning("Index snapshot %s is damaged: rebuilding.", path)
        return None
    return content


def _is_sealed(content: Mapping[str, Any]) -> bool:
    try:
        return content == seal(content)
    except RecursionError:  # nested as none of ours is
        return False


def _read_event(manifest: Mapping[str, Any]) -> tuple[int, Any] | None:
    """The id and time of the event a snapshot ends at; None: there can be none such."""
    event = manifest.get("event")
    if not isinstance(event, list) or len(event) != 2 or type(event[0]) is not int:
        return None
    return (event[0], event[1]) if 0 < event[0] < _LARGEST else None


def find(directory: Path, identity: Mapping[str, str], event_time: EventTime) -> Saved:
    """A snapshot of this very memory; nothing where there is none.

    Args:
        identity: What the manifest must say, the vectors' "dimension" among it.
        event_time: Of this memory's events: the snapshot's must be one of them.
    """
    found = manifest(directory)
    if found is None:
        return Saved()
    if any(found.get(name) != value for name, value in identity.items()):
        log.warning("Index snapshot in %s is another memory's: rebuilding.", directory)
        return Saved()
    event = _read_event(found)
    if event is None:
        return Saved()
    # The same id at another time: the memory went back to a backup and on from there.
    if event_time(event[0]) != event[1]:
        log.warning("Index snapshot in %s is of another history: rebuilding.", directory)
        return Saved()
    indexes = load(directory, found, int(identity["dimension"]))
    version, parts = found.get("version"), found.get("indexes")
    whole = isinstance(parts, dict) and parts.keys() == indexes.keys()
    state = _load_state(directory / FOLDER, found.get("state")) if whole else None
    if type(version) is not int or not 0 < version < _LARGEST:
        version, state = 0, None
    return Saved(indexes, state, event[0], version)


def _load_state(folder: Path, part: Any) -> Mapping[str, Any] | None:
    if part is None:
        return None
    try:
        arrays = _read_arrays(folder, part["sha256"])
        for name, array in arrays.items():
            wanted = np.uint8 if name == "records" else np.int64
            if array.dtype != wanted or array.ndim != 1:
                raise ValueError(f"{name} of type {array.dtype} and shape {array.shape}")
    except _UNUSABLE as error:
        log.warning("Snapshot of the records is unusable (%s): rebuilding.", error)
        return None
    return arrays


def load(directory: Path, manifest: Mapping[str, Any], dimension: int) -> dict[str, VectorIndex]:
    """The indexes by namespace that are whole; the others are left out with a warning."""
    found: dict[str, VectorIndex] = {}
    parts = manifest.get("indexes")
    for namespace, part in parts.items() if isinstance(parts, dict) else ():
        try:
            found[namespace] = _load_one(directory / FOLDER, part, dimension)
        except _UNUSABLE as error:
            log.warning("Index snapshot of %r is unusable (%s): rebuilding.", namespace, error)
    return found


def _load_one(folder: Path, part: Mapping[str, Any], dimension: int) -> VectorIndex:
    trained_on, count = part["trained_on"], part["count"]
    if not 0 <= trained_on < _MOST_TRAINED_ON:
        raise ValueError("no number")
    arrays = _read_arrays(
        folder, part["sha256"], lambda opened: _check_sizes(opened, count, dimension)
    )
    return VectorIndex.from_arrays(arrays, trained_on=int(trained_on))


def _read_arrays(
    folder: Path, hashed: str, check: Callable[[Any], None] = lambda opened: None
) -> dict[str, Any]:
    if not _HASH.fullmatch(hashed):
        raise ValueError("no hash")
    path = folder / _name(hashed)
    with open_tensors(path, "np") as opened:  # declared sizes agree with the file's
        check(opened)
        # After the sizes, before any array: a wrong file costs no memory.
        if sha256(path) != hashed:
            raise ValueError("wrong hash")
        return {name: opened.get_tensor(name) for name in opened.keys()}


def _check_sizes(opened: Any, count: int, dimension: int) -> None:
    """Before anything is read: as many vectors as the manifest says, of the memory's size."""
    shape = opened.get_slice("vectors").get_shape()
    if shape != [count, dimension]:
        raise ValueError("wrong size")
