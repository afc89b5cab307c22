"""Intents: questions with their argument marked, ``"What is akin to <bright>?"`` (MemPrompt)."""

from __future__ import annotations

import re

from memedit.core.types import Edit

SLOT = re.compile(r"<[^<>\n]*>")
"""The argument of an intent, as the paper marks it; may be empty."""


def is_intent(edit: Edit) -> bool:
    """Whether an edit holds for every question of its prompt's form."""
    return edit.target_new is not None and bool(SLOT.search(edit.prompt))
