"""What a model is saved with and opened with again: its memory, its editor, its scope.

``model.json`` beside the memory holds names and settings, never weights.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from memedit.core.errors import InvalidInputError, MemoryStoreError, UntrustedFileError
from memedit.core.files import write_atomically
from memedit.core.protocols import ChainsEditors, Editor, Encoder, Scope
from memedit.core.registry import members_of, name_missing, read_saved_part
from memedit.core.untrusted import read_json
from memedit.editors import DEFAULT, editor_class, load_chain, load_editor
from memedit.memory import EditMemory
from memedit.scope import load_scope, scope_class

_FILE = "model.json"
logger = logging.getLogger(__name__)
T = TypeVar("T")


def open_memory(memory: str | Path | None, encoder: Encoder | str | None) -> EditMemory:
    """The memory in a directory, or one in RAM; ``encoder`` by name or instance.

    Raises:
        EncoderMismatchError: it was built with another encoder.
        MemoryStoreError: it cannot be opened.
    """
    if isinstance(encoder, str):
        from memedit.engine.encoders import load_encoder

        encoder = load_encoder(encoder)
    return EditMemory(memory, encoder)


def read_settings(folder: Path | None) -> dict[str, Any]:
    """What :func:`write_settings` wrote there; empty where nothing was.

    Raises:
        MemoryStoreError: the file cannot be read, or is not what it should be.
    """
    file = folder / _FILE if folder is not None else None
    if file is None or not file.is_file():
        return {}
    try:
        return read_json(file)
    except (OSError, UntrustedFileError) as error:
        raise MemoryStoreError(
            f"The settings in {str(file)!r} cannot be read: {error}.",
            hint="Remove the file, or save the model anew: the edits are not in it.",
        ) from None


def write_settings(folder: Path, editor: Editor, scope: Scope, base: str) -> None:
    """Editor and scope by name and settings; ``base`` is the fingerprint of the model."""
    settings = {"editor": _settings_of(editor), "scope": _settings_of(scope), "base": base}
    write_atomically(folder / _FILE, json.dumps(settings, indent=2) + "\n")


def tell_of_edits(weights: str | Path, edits: Path, count: int) -> None:
    """Say in the log that weights were written, which hold no edits, and where these are."""
    logger.warning(
        "The weights in %s are the base's, without edits; the %d edits are in %s. Both together: "
        "EditableModel.from_pretrained(%r, memory=%r).",
        weights, count, edits, str(weights), str(edits),
    )  # fmt: skip


def build_editor(given: Editor | str | None, saved: Mapping[str, Any] | None) -> Editor:
    """The editor asked for by name or instance, else the saved one, else ``auto``.

    Args:
        given: What was asked for.
        saved: ``editor`` of :func:`read_settings`.

    Raises:
        UnknownNameError: there is none of that name.
        InvalidInputError: an object that is no editor; a setting that it does not have.
    """
    if given is None:
        return _load_saved_editor(saved) if saved else load_editor(DEFAULT)
    return load_editor(given) if isinstance(given, str) else _check_part(given, Editor)


def _load_saved_editor(saved: Any) -> Editor:
    members = saved.get("editors") if isinstance(saved, Mapping) else None
    if isinstance(members, list):
        found = [_load("editor", member, editor_class, load_editor) for member in members]
        return load_chain(found)
    return _load("editor", saved, editor_class, load_editor)


def _load(kind: str, saved: Any, find: Callable[[str], type[Any]], load: Callable[..., T]) -> T:
    """An editor or scope as a memory's directory names it; the directory may be a stranger's."""
    name, settings = read_saved_part(kind, saved, find)
    try:
        return load(name, **settings)
    except (TypeError, AttributeError) as error:  # settings of other types than these
        raise InvalidInputError(
            f"The saved settings of {name!r} cannot be used: {error}.",
            hint="Name editor and scope yourself.",
        ) from None


def build_scope(given: Scope | str | None, saved: Mapping[str, Any] | None, default: str) -> Scope:
    """The scope asked for by name or instance, else the saved one, else the one named ``default``.

    Raises:
        UnknownNameError: there is none of that name.
        InvalidInputError: an object that is no scope; a setting that it does not have.
    """
    if given is None:
        return _load("scope", saved, scope_class, load_scope) if saved else load_scope(default)
    return load_scope(given) if isinstance(given, str) else _check_part(given, Scope)


def _check_part(part: T, kind: type[Any]) -> T:
    """What was handed in, if it has every member of its protocol."""
    if not isinstance(part, kind):
        lacks = name_missing(part, members_of(kind))
        raise InvalidInputError(
            f"{part!r} is no {kind.__name__.lower()}: it has no {lacks}.",
            hint=f"See memedit.protocols.{kind.__name__}; its name is what a saved model finds "
            "it by.",
        )
    return part


def _settings_of(part: Any) -> dict[str, Any]:
    if isinstance(part, ChainsEditors):  # a chain's settings are its members'
        return {"name": part.name, "editors": [_settings_of(editor) for editor in part.editors]}
    # is_dataclass holds of classes, too.
    settings = asdict(part) if is_dataclass(part) and not isinstance(part, type) else {}
    return {"name": part.name, "settings": settings}
