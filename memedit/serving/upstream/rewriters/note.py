"""NOTE: the facts that bear, as a local model gets them; nothing else of ours is sent."""

from __future__ import annotations

from memedit.core.errors import InvalidInputError
from memedit.editors.note import Note
from memedit.editors.prompting.notes import WORDINGS
from memedit.serving.upstream.placing import Form
from memedit.serving.upstream.rewriters import Rewriter
from memedit.serving.upstream.stating import Facts


def make_rewriter(editor: Note) -> Rewriter:
    """A note before the words of the last user turn.

    Raises:
        InvalidInputError: it shall stand elsewhere.
    """
    if editor.place != "before":
        raise InvalidInputError("An upstream gets its note before the words of the last turn.")
    wording = WORDINGS.get(editor.wording, editor.wording)
    return Facts("note-chat", Form(wording, note=True), editor.facts)
