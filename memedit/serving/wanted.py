"""What a request asks for, as an edit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit, Record
from memedit.memory import files
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
    given = {name: getattr(change, name) for name in change.model_fields_set}
    rest: dict[str, Any] = {
        "source": (given.pop("source", record.source)) or "",
        "valid_from": given.pop("valid_from", record.valid_from),
        "valid_until": given.pop("valid_until", record.valid_until),
    }
    edit = record.edit
    statement = given.pop("statement", None)
    if statement is not None:
        if given.get("prompt") is not None or given.get("target_new") is not None:
            raise InvalidEditError("Give either prompt and target_new, or statement.")
        given |= {"prompt": statement, "target_new": None}
    elif given.get("prompt", edit.prompt) is None:
        raise InvalidEditError("An edit needs a prompt or a statement.")
    elif edit.is_statement and "prompt" in given and given.get("target_new") is None:
        raise InvalidEditError("target_new is missing.", hint="A full sentence is a statement.")
    elif not edit.is_statement and given.get("target_new", "") is None:
        raise InvalidEditError("target_new is missing.", hint="A full sentence is a statement.")
    for name in {"queries", "because_of"} & given.keys():
        given[name] = tuple(given[name] or ())
    if "multiple" in given:
        given["multiple"] = bool(given["multiple"])
    if (
        "subject" not in given
        and edit.subject
        and edit.subject not in given.get("prompt", edit.prompt)
    ):
        given["subject"] = None
    made = replace(edit, **given)
    if made != edit:
        made = replace(made, id="")  # a new fact, a new name
    return made, rest
