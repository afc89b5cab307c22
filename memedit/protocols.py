"""What editors, scopes and encoders are; see :mod:`memedit.core.protocols`."""

from __future__ import annotations

from memedit.core.calls import LM, Apply, Intervention, Step, Transcript
from memedit.core.protocols import ASKED, Editor, Encoder, ReadsRoles, Scope, roles_of

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
