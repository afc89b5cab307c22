"""Who is affected by an edit: from candidates to decisions.

A scope in another package registers through the entry-point group ``memedit.scopes``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from memedit.core.errors import UnknownNameError
from memedit.core.protocols import Scope
from memedit.core.registry import Registry, members_of
from memedit.scope.classifier import ClassifierScope
from memedit.scope.feedback import Feedback
from memedit.scope.proposals import propose_queries
from memedit.scope.rules import Embed, Everything, Mention, Nearest, Threshold

__all__ = [
    "ClassifierScope",
    "Embed",
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


def _own() -> dict[str, Callable[[], Any]]:
    every = (ClassifierScope, Embed, Everything, Feedback, Mention, Nearest, Threshold)
    return {cls.name: partial(_itself, cls) for cls in every}


def _itself(cls: type[Any]) -> type[Any]:
    return cls


_SCOPES = Registry("scope", "memedit.scopes", _own, members_of(Scope))


def available() -> list[str]:
    """Names that :func:`load_scope` takes."""
    return _SCOPES.names()


def scope_class(name: str) -> type[Any]:
    """The class registered under ``name``.

    Raises:
        UnknownNameError: no such scope; the message lists those there are.
        RegistrationError: what is registered is no scope.
    """
    cls: type[Any] = _SCOPES.find(DEFAULT if name == "default" else name)
    return cls


def load_scope(name: str = "default", **settings: Any) -> Scope:
    """The scope registered under ``name``, with its settings.

    Settings may also stand in the name, as in ``"threshold(similarity=0.6)"``.

    Raises:
        UnknownNameError: no such scope.
        InvalidInputError: it has no such setting.
        RegistrationError: what is registered is no scope.
    """
    try:
        scope: Scope = _SCOPES.make(DEFAULT if name == "default" else name, settings)
    except UnknownNameError as error:
        if not os.path.isdir(name):
            raise
        hint = f'A folder that was trained into is "{DEFAULT}(model={name})".'
        raise UnknownNameError(error.message, hint=hint) from None
    return scope
