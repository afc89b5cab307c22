"""What a request asks for, as an edit."""

from __future__ import annotations

from typing import Any

from memedit.core.types import Edit, Record
from memedit.memory import files
from memedit.memory.altering import alter
from memedit.serving.schemas import EditChange, NewEdit


def make_edit(wanted: NewEdit) -> Edit:
    """The edit a request describes.

    Raises:
        InvalidEditError: neither prompt and target nor statement, or values no edit can have.
    """
    row = wanted.model_dump(exclude={"source", "valid_from", "valid_until"}, exclude_none=True)
    return files.request(row, "default", "").edit


def apply_change(record: Record, change: EditChange) -> tuple[Edit, dict[str, Any]]:
    """(the edit, source and dates) of a record with a change made to it."""
    return alter(record, {name: getattr(change, name) for name in change.model_fields_set})
