"""What a training is made of: told in its manifest, and by digests in its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from memedit.core.files import check_file, sha256
from memedit.data.split import describe
from memedit.training.loop import Schedule, digest


def provenance(data: Sequence[Path], texts: Sequence[Path], seed: int) -> dict[str, Any]:
    """What went into a training: file hashes, split, seed, versions."""
    names = ("memedit", "torch", "transformers", "sentence-transformers")
    return {
        "data": _hash_by_name([*data, *texts]),
        "split": describe(),
        "seed": seed,
        "versions": {name: version(name) for name in names},
    }


def begin_with(
    schedule: Schedule, base: str, files: Mapping[str, Sequence[Path]], **others: object
) -> Schedule:
    """The schedule of a training with these inputs, from whose checkpoints only the same goes on.

    Args:
        schedule: How long and how fast.
        base: Its fingerprint, or the encoder's.
        files: What is learnt from, in this order, by what it is to the training: a file that was a
            text and is now data is another input.
        others: Whatever else the result depends on, as plain data.
    """
    hashes = {name: [sha256_of(file) for file in each] for name, each in files.items()}
    told = {"the base": base, **hashes, **others}
    return replace(schedule, inputs={name: digest(value) for name, value in told.items()})


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes.

    Raises:
        InvalidInputError: it is no file.
    """
    check_file(path)
    return sha256(path)


def _hash_by_name(files: Sequence[Path]) -> dict[str, str]:
    """The hash of each file by its name; those of one name are told apart by a number."""
    found: dict[str, str] = {}
    for path in files:
        name, number = path.name, 1
        while name in found:
            name, number = f"{path.name} ({number + 1})", number + 1
        found[name] = sha256_of(path)
    return found
