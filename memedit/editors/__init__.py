"""The methods, one file each: the file's name is the editor's name.

An editor in another package registers through the entry-point group ``memedit.editors``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.core.protocols import Editor
from memedit.core.registry import Registry, classes_in, members_of, split

__all__ = ["DEFAULT", "available", "editor_class", "load_chain", "load_editor", "purposes"]

DEFAULT = "auto"

_EDITORS = Registry("editor", __name__, partial(classes_in, __name__, __path__), members_of(Editor))


def available() -> list[str]:
    """Names that :func:`load_editor` takes; nothing is imported."""
    return _EDITORS.names()


def purposes() -> dict[str, str]:
    """Name -> what it is for, in one line; those to begin with first. Nothing is imported."""
    from memedit.editors._purposes import PURPOSES

    names = available()
    ours = {name: PURPOSES[name] for name in PURPOSES if name in names}
    return ours | {name: "of another package" for name in names if name not in ours}


def editor_class(name: str) -> type[Any]:
    """The class registered under ``name``.

    Raises:
        UnknownNameError: no such editor; the message lists those there are.
        RegistrationError: what is registered is no editor.
    """
    cls: type[Any] = _EDITORS.find(name)
    return cls


def load_editor(name: str, **settings: Any) -> Editor:
    """The editor registered under ``name``, with its settings; ``"a+b"`` is a chain of editors.

    Settings may also stand in the name, as in ``"rome(layer=5)"``.

    Raises:
        UnknownNameError: no such editor.
        InvalidInputError: it has no such setting, or settings were given for a chain.
        RegistrationError: what is registered is no editor.
    """
    parts = split(name, "+")
    if len(parts) > 1:
        if settings:
            raise InvalidInputError(
                "A chain takes no settings.", hint="Build it: Chain(load_editor(...), ...)."
            )
        return load_chain([load_editor(part) for part in parts])
    editor: Editor = _EDITORS.make(name, settings)
    return editor


def load_chain(editors: Sequence[Editor]) -> Editor:
    """A chain of editors, the first outermost.

    Raises:
        InvalidInputError: none, or two of one name.
    """
    from memedit.editors._chain import Chain

    return Chain(*editors)
