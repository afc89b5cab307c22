"""Who is affected by an edit: from candidates to decisions."""

from __future__ import annotations

from typing import Any

from memedit.errors import check_settings, unknown_name
from memedit.names import called
from memedit.protocols import Scope
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
]

DEFAULT = "classifier"


def _known() -> dict[str, type[Any]]:
    every = (ClassifierScope, Everything, Feedback, Mention, Nearest, Threshold)
    return {cls.name: cls for cls in every}


def available() -> list[str]:
    """Names that :func:`load_scope` takes."""
    return sorted(_known())


def load_scope(name: str = "default", **settings: Any) -> Scope:
    """The scope registered under ``name``, with its settings.

    Settings may also stand in the name, as in ``"threshold(similarity=0.6)"``.

    Raises:
        UnknownNameError: no such scope.
        InvalidInputError: it has no such setting.
    """
    known = _known()
    name, said = called(name)
    name = DEFAULT if name == "default" else name
    if name not in known:
        raise unknown_name("scope", name, known)
    cls = known[name]
    settings = said | settings
    check_settings("Scope", name, cls, settings)
    scope: Scope = cls(**settings)
    return scope
