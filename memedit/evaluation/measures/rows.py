"""Rows on disk: JSON lines in complete units, so that a run killed anywhere can go on.

A unit's rows are followed by a line ``{"unit": NAME, "rows": N}``. What follows the last such line
is the rest of a unit that was not finished: it is cut off when the file is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = "dict[str, Any]"


class RowFile:
    """The rows of one cell of a run, appended unit by unit. One writer at a time.

    Args:
        path: Created when missing; an unfinished last unit is removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.units: set[str] = set()
        end = 0
        with path.open("rb") as lines:
            for line in lines:
                if name := _unit(line):
                    self.units.add(name)
                    end = lines.tell()
        if path.stat().st_size > end:
            os.truncate(path, end)

    def append(self, unit: str, rows: Sequence[Row]) -> None:
        """Write a unit; once this returns it is there for good."""
        marker: Row = {"unit": unit, "rows": len(rows)}
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in (*rows, marker))
        with self.path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        self.units.add(unit)


def read(path: Path) -> Iterator[Row]:
    """The rows of the finished units of a file, in order."""
    waiting: list[Row] = []
    with path.open("rb") as lines:
        for line in lines:
            if _unit(line):
                yield from waiting
                waiting = []
            elif line.endswith(b"\n"):
                try:
                    waiting.append(json.loads(line))
                except ValueError:  # torn by a crash: its unit has no end
                    return


def _unit(line: bytes) -> str:
    """The name of the unit that a line ends; ``""`` for any other line."""
    if not line.startswith(b'{"unit": ') or not line.endswith(b"}\n"):
        return ""
    try:
        return str(json.loads(line)["unit"])
    except ValueError:
        return ""
