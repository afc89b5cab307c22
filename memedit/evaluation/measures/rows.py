"""Rows on disk: JSON lines in complete units, so that a run killed anywhere can go on.

A unit's rows are followed by a line ``{"unit": NAME, "rows": N, "sha256": HASH}``, of the rows'
bytes. What follows the last such line is the rest of a unit that was not finished: it is cut off
when the file is opened again, and a unit that was damaged since is taken out, to be measured anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from memedit.core.errors import InvalidInputError
from memedit.core.files import replacing

Row: TypeAlias = "dict[str, Any]"
_NEEDED = frozenset({"index", "case", "phase", "edited", "measure", "value"})
_LOG = logging.getLogger(__name__)


class RowFile:
    """The rows of one cell of a run, appended unit by unit. One writer at a time.

    Args:
        path: Created when missing; an unfinished last unit, and damaged ones, are removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        found = list(_units(path))
        self.units = {unit.name for unit in found if unit.rows is not None}
        if damaged := [unit.name for unit in found if unit.rows is None]:
            _LOG.warning("%s is damaged: measuring %s anew.", path, ", ".join(damaged))
            _keep(path, [unit for unit in found if unit.rows is not None])
        elif path.stat().st_size > (end := found[-1].end if found else 0):
            os.truncate(path, end)

    def append(self, unit: str, rows: Sequence[Row]) -> None:
        """Write a unit; once this returns it is there for good."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        hashed = hashlib.sha256(lines).hexdigest()
        marker = json.dumps({"unit": unit, "rows": len(rows), "sha256": hashed}, ensure_ascii=False)
        with self.path.open("ab") as file:
            file.write(lines + f"{marker}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        self.units.add(unit)


def read(path: Path) -> Iterator[Row]:
    """The rows of the finished units of a file, in order.

    Raises:
        InvalidInputError: one was damaged.
    """
    for unit in _units(path):
        if unit.rows is None:
            raise InvalidInputError(
                f"{path} is damaged: unit {unit.name!r} is not as it was written.",
                hint="The same memedit compare measures it anew, and keeps the others.",
            )
        yield from unit.rows


@dataclass(slots=True)
class _Unit:
    """A unit's place in its file, in bytes, and its rows; None: they are damaged."""

    name: str
    start: int
    end: int
    rows: list[Row] | None = field(default=None)


def _units(path: Path) -> Iterator[_Unit]:
    waiting: list[bytes] = []
    start = end = 0
    with path.open("rb") as lines:
        for line in lines:
            end += len(line)
            if marker := _read_marker(line):
                yield _Unit(str(marker["unit"]), start, end, _read_rows(waiting, marker))
                waiting, start = [], end
            else:
                waiting.append(line)


def _read_marker(line: bytes) -> Row | None:
    """The line that ends a unit; None for any other line."""
    if not line.startswith(b'{"unit": ') or not line.endswith(b"}\n"):
        return None
    try:
        marker: Row = json.loads(line)
    except ValueError:
        return None
    return marker


def _read_rows(lines: Sequence[bytes], marker: Row) -> list[Row] | None:
    hashed = marker.get("sha256")
    if hashed is not None and hashlib.sha256(b"".join(lines)).hexdigest() != hashed:
        return None
    try:
        rows: list[Row] = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None
    # Older files have no hash.
    whole = len(rows) == marker.get("rows") and all(isinstance(row, dict) for row in rows)
    return rows if whole and (hashed or all(row.keys() >= _NEEDED for row in rows)) else None


def _keep(path: Path, units: Sequence[_Unit]) -> None:
    content = path.read_bytes()
    with replacing(path) as new:
        new.write_bytes(b"".join(content[unit.start : unit.end] for unit in units))
