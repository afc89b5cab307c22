"""AUTO: what suits a base is not known of an upstream; it reads a note and answers itself."""

from __future__ import annotations

from memedit.editors.auto import Auto
from memedit.editors.note import Note
from memedit.serving.upstream.rewriters import Rewriter, note


def make_rewriter(editor: Auto) -> Rewriter:
    """The default note."""
    return note.make_rewriter(Note())
