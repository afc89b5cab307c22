"""The folder of a run: who works in it, and whether what it holds is the run that is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from memedit.core.errors import InvalidInputError
from memedit.core.files import read_file, write_atomically
from memedit.data.sources import Dataset, count_trained_on
from memedit.engine import loading
from memedit.evaluation.runs.specs import Spec
from memedit.evaluation.settings import Settings, identity, key_of, surroundings

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

MANIFEST = "manifest.json"
AGGREGATES = "aggregates.json"
_SEAL = "sealed"
_LOCK = "lock"


@contextmanager
def lock_folder(folder: Path, *, wait: float = 0) -> Iterator[None]:
    """Context manager: no other process works in this folder.

    Args:
        wait: Seconds to wait for another one to end.

    Raises:
        InvalidInputError: another process is at it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(
            f"{folder} cannot be made: {error.strerror}.", hint="Name another folder for the run."
        ) from error
    lock = FileLock(folder / _LOCK)
    try:
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            raise InvalidInputError(
                f"Another process is measuring in {folder}.",
                hint="Wait for it, or name another folder.",
            ) from None
        yield
    finally:
        lock.release()  # Ctrl-C may come as soon as it is taken


def begin(
    model: EditableModel,
    specs: Sequence[Spec],
    cases: Dataset,
    settings: Settings,
    folder: Path,
) -> dict[str, Any]:
    """The manifest of the run in ``folder``, made new unless the same run is there already.

    Raises:
        InvalidInputError: the folder holds something else.
    """
    what = identity(
        settings,
        model=loading.fingerprint(model.base),
        data=cases.digest,
        editors=[spec.text for spec in specs],
        place={
            "device": model.engine.device.type,
            "dtype": str(model.base.dtype).removeprefix("torch."),
        },
    )
    file = folder / MANIFEST
    if file.is_file():
        if (known := _join_run(folder, what)) is not None:
            return known
        # The manifest last: after a crash on the way the folder is still known to be another run's.
        for part in ("cells", "base", AGGREGATES, MANIFEST):
            _remove(folder / part)
    elif folder.is_dir() and any(part.name != _LOCK for part in folder.iterdir()):
        raise InvalidInputError(
            f"{folder} is not empty and holds no run.", hint="Name a new folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "identity": what,
        "data": {
            "format": cases.name,
            "source": cases.source,
            "asked": cases.selection.asked,
            "used": len(cases.selection),
            "left_out": dict(cases.selection.dropped),
            "unusable": [str(each) for each in cases.selection.unusable],
            "trained_on": count_trained_on(cases),
        },
        "surroundings": surroundings(),
    }
    _write_manifest(folder, manifest)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a run's folder says of it.

    Raises:
        InvalidInputError: something else; nothing there is changed.
    """
    try:
        found: dict[str, Any] = json.loads(read_file(folder / MANIFEST))
        sealed = found.pop(_SEAL, None)
        if sealed is not None and sealed != _seal(found):
            raise ValueError("not as it was written")
        names, kind = found["identity"]["editors"], found["data"]["format"]
        if not all(isinstance(name, str) for name in (*names, kind)):
            raise TypeError("names that are none")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError(
            f"{folder} holds no run, or a damaged one: its {MANIFEST} says something else "
            f"({type(error).__name__}: {error!s:.60}).",
            hint="Name the folder that memedit compare --run wrote, or a new one. To measure all "
            f"of this one anew, remove {folder}.",
        ) from error
    return found


def _join_run(folder: Path, what: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest of the run that is there, if it is this one; other editors may join it."""
    known = read_manifest(folder)
    if {**known["identity"], "editors": what["editors"]} != what:
        return None
    # The editors that join are not in them.
    if known["identity"] != what:
        _remove(folder / AGGREGATES)
    known["identity"] = dict(what)  # each editor's cell stands for itself
    _write_manifest(folder, known)
    return known


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Sealed: with anything changed a run begins anew, which a bit that fell over must not do."""
    write_json(folder / MANIFEST, {**manifest, _SEAL: _seal(manifest)})


def _seal(manifest: Mapping[str, Any]) -> str:
    return key_of(json.loads(json.dumps(manifest)))  # as it will be read


def write_json(file: Path, value: Any) -> None:
    """Atomically."""
    write_atomically(file, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
