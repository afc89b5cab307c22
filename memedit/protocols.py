"""What editors, scopes and encoders are; see :mod:`memedit.core.protocols`."""

from __future__ import annotations

from memedit.core.protocols import (
    ASKED,
    LM,
    Apply,
    Editor,
    Encoder,
    Intervention,
    ReadsRoles,
    Scope,
    Step,
    Transcript,
    roles_of,
)

__all__ = [
    "ASKED",
    "LM",
    "Apply",
    "Editor",
    "Encoder",
    "Intervention",
    "ReadsRoles",
    "Scope",
    "Step",
    "Transcript",
    "roles_of",
]
