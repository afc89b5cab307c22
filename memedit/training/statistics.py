"""The statistics that ROME and MEMIT need, as a user collects them: from files of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from memedit.core.errors import InvalidInputError
from memedit.data.texts import passages
from memedit.editors.weights.statistics import Collected, Progress, collect
from memedit.training.inputs import sha256_of

if TYPE_CHECKING:
    from memedit.core.calls import LM


def layers_of(text: str) -> list[int]:
    """Layers written as ``3-9``, ``3,5,7`` or both.

    Raises:
        InvalidInputError: it is not written so.
    """
    found: list[int] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        first, dash, last = part.partition("-")
        if (
            not first.isdigit()
            or (dash and not last.isdigit())
            or (dash and int(last) < int(first))
        ):
            raise InvalidInputError(f"{text!r} does not name layers.", hint="As in 3-9 or 3,5,7.")
        found += range(int(first), int(last or first) + 1)
    if not found:
        raise InvalidInputError("No layers are named.", hint="As in 3-9 or 3,5,7.")
    return list(dict.fromkeys(found))


def collect_statistics(
    lm: LM,
    layers: Sequence[int],
    files: Sequence[Path],
    *,
    tokens: int = 100_000,
    length: int = 128,
    folder: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Collected]:
    """Second moments of the keys of these layers over the text of files, kept in the cache.

    Args:
        lm: The model's engine.
        layers: Which.
        files: ``.txt``, or JSON lines with a text; either may be gzip'd.
        tokens, length, folder, progress: As for :func:`memedit.editors.weights.statistics.collect`.
    """
    for file in files:
        if not file.is_file():
            raise InvalidInputError(f"{file} is not a file.")
    text = ", ".join(f"{file.name} {sha256_of(file)[:16]}" for file in files)
    return collect(
        lm,
        layers,
        chain.from_iterable(passages(file) for file in files),
        tokens=tokens,
        text=text,
        length=length,
        folder=folder,
        progress=progress,
    )
