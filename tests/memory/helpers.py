"""What the memory tests share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory

Vectors = npt.NDArray[np.float32]


class CountingEncoder(HashingEncoder):
    """Remembers what it was asked; raises when told to."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.calls: list[list[str]] = []
        self.broken = False

    def encode(self, texts: Sequence[str]) -> Vectors:
        if self.broken:
            raise RuntimeError("encoder is broken")
        self.calls.append(list(texts))
        return super().encode(texts)


def capital(country: str, city: str = "Lyon") -> Edit:
    return Edit(f"The capital of {country} is", city, country)


def utc(year: int, month: int = 1, day: int = 1, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=timezone.utc)


_LATER = datetime.now(timezone.utc).year - 2026


def since_2026(year: int, month: int = 1) -> datetime:
    """:func:`utc` of a year as far from now as this one was from 2026: what was to come still
    is."""
    return utc(year + _LATER, month)


def ids(memory: EditMemory, namespace: str | None = None) -> list[str]:
    return [record.id for record in memory.records(namespace)]


def sound(memory: EditMemory) -> bool:
    """verify() finds nothing; shows what it found otherwise."""
    report = memory.verify()
    assert report.problems == ()
    assert report.records == len(memory)
    return report.ok
