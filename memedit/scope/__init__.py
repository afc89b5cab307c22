"""Who is affected by an edit: from candidates to decisions."""

from __future__ import annotations

from typing import Any

from memedit.core.errors import check_settings, unknown_name
from memedit.core.protocols import Scope
from memedit.core.registry import called
from memedit.scope.classifier import ClassifierScope
from memedit.scope.feedback import Feedback
from memedit.scope.proposals import propose_queries
from memedit.scope.rules import Everything, Mention, Nearest, Threshold

__all__ = [
    "ClassifierScope",
    "Everything",
    "Feedback",
    "Mention",
    "Nearest",
    "Threshold",
    "available",
    "load_scope",
    "propose_queries",
    "scope_class",
]

DEFAULT = "classifier"


def _known() -> dict[str, type[Any]]:
    every = (ClassifierScope, Everything, Feedback, Mention, Nearest, Threshold)
    return {cls.name: cls for cls in every}


def available() -> list[str]:
    """Names that :func:`load_scope` takes."""
    return sorted(_known())


def scope_class(name: str) -> type[Any]:
    """The class registered under ``name``.

    Raises:
        UnknownNameError: no such scope; the message lists those there are.
    """
    known = _known()
    name = DEFAULT if name == "default" else name
    if name not in known:
        raise unknown_name("scope", name, known)
    return known[name]


def load_scope(name: str = "default", **settings: Any) -> Scope:
    """The scope registered under ``name``, with its settings.

    Settings may also stand in the name, as in ``"threshold(similarity=0.6)"``.

    Raises:
        UnknownNameError: no such scope.
        InvalidInputError: it has no such setting.
    """
    name, said = called(name)
    cls = scope_class(name)
    settings = said | settings
    check_settings("Scope", name, cls, settings)
    scope: Scope = cls(**settings)
    return scope
