"""A record with some of what it says changed: what stands in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit, Record

CHANGED = (
    "prompt", "target_new", "statement", "subject", "target_true", "queries", "multiple",
    "because_of", "source", "valid_from", "valid_until",
)  # fmt: skip
"""What may be changed of a record, by the names of an import file's fields."""


def alter(record: Record, changed: Mapping[str, Any]) -> tuple[Edit, dict[str, Any]]:
    """(the edit, its ``source``, ``valid_from`` and ``valid_until``) of a record with a change made
    to it, as :meth:`EditMemory.supersede` takes them.

    Args:
        changed: By the names of an import file's fields; what is left out stays, None removes.

    Raises:
        InvalidEditError: no such edit can be.
    """
    given = dict(changed)
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


def read_text(record: Record, text: str, changed: Mapping[str, Any]) -> dict[str, str]:
    """What a text changes of a record that is to be put right, by the name of its field: what
    follows the prompt, which may be said with it; of a statement, all of it.

    Args:
        changed: What else is changed.

    Raises:
        InvalidEditError: the same is given by its name, too.
    """
    if taken := {"target_new", "statement"} & changed.keys():
        raise InvalidEditError(f"What is right is given twice: as text, and as {min(taken)}.")
    prompt = changed.get("prompt")
    if record.edit.is_statement and prompt is None:
        return {"statement": text}
    return {"target_new": _take_what_follows(prompt or record.edit.prompt, text)}


def _take_what_follows(prompt: str, text: str) -> str:
    """What a text says after a prompt, where it is the whole sentence, as lists show it."""
    before = prompt.split()
    *words, rest = text.split(maxsplit=len(before)) or [""]
    if list(map(str.casefold, words)) != list(map(str.casefold, before)):
        return text
    return rest[:-1] if rest.find(".") == len(rest) - 1 else rest
