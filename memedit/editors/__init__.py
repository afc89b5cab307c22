"""The methods, one file each: the file's name is the editor's name.

An editor in another package registers through the entry-point group ``memedit.editors``.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from memedit.core.errors import InvalidInputError, check_settings, unknown_name
from memedit.core.protocols import Editor
from memedit.core.registry import called, split

__all__ = ["available", "editor_class", "load_editor"]

_GROUP = "memedit.editors"


def available() -> list[str]:
    """Names that :func:`load_editor` takes; nothing is imported."""
    found = [m for m in pkgutil.iter_modules(__path__) if not m.ispkg]
    own = {m.name for m in found if not m.name.startswith("_")}
    return sorted(own | {point.name for point in entry_points(group=_GROUP)})


def editor_class(name: str) -> type[Any]:
    """The class registered under ``name``.

    Raises:
        UnknownNameError: no such editor; the message lists those there are.
    """
    if name not in available():
        raise unknown_name("editor", name, available())
    for point in entry_points(group=_GROUP):
        if point.name == name:
            cls: type[Any] = point.load()
            return cls
    module = importlib.import_module(f"{__name__}.{name}")
    found = [c for c in vars(module).values() if isinstance(c, type) and _named(c, name)]
    return found[0]


def _named(cls: type[Any], name: str) -> bool:
    return getattr(cls, "name", None) == name and hasattr(cls, "run")


def load_editor(name: str, **settings: Any) -> Editor:
    """The editor registered under ``name``, with its settings; ``"a+b"`` is a chain of editors.

    Settings may also stand in the name, as in ``"rome(layer=5)"``.

    Raises:
        UnknownNameError: no such editor.
        InvalidInputError: it has no such setting, or settings were given for a chain.
    """
    parts = split(name, "+")
    if len(parts) > 1:
        from memedit.editors._chain import Chain

        if settings:
            raise InvalidInputError(
                "A chain takes no settings.", hint="Build it: Chain(load_editor(...), ...)."
            )
        return Chain(*map(load_editor, parts))
    name, said = called(name)
    cls = editor_class(name)
    settings = said | settings
    check_settings("Editor", name, cls, settings)
    editor: Editor = cls(**settings)
    return editor
