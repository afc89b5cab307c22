"""memedit: knowledge editing for deployed language models, at runtime, with frozen weights."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memedit.core.calls import Completion
    from memedit.core.types import Decision, Edit, Hit, Record
    from memedit.editors import load_editor
    from memedit.memory import EditMemory
    from memedit.model.editable import EditableModel

__version__ = "0.1.0"

__all__ = [
    "Completion",
    "Decision",
    "Edit",
    "EditMemory",
    "EditableModel",
    "Hit",
    "Record",
    "__version__",
    "load_editor",
]

_HOME = {
    "Completion": "memedit.core.calls",
    "Decision": "memedit.core.types",
    "Edit": "memedit.core.types",
    "EditMemory": "memedit.memory",
    "EditableModel": "memedit.model.editable",
    "Hit": "memedit.core.types",
    "Record": "memedit.core.types",
    "load_editor": "memedit.editors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'memedit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
