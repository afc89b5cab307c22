"""How a reply to a note does not begin."""

from __future__ import annotations

from memedit.editors.prompting.denials import echoes_against
from memedit.editors.prompting.notes import WORDINGS


def test_a_note_is_not_said_again_in_capitals_either() -> None:
    """The fault: an answer of an eighth blind set was "Current Facts:", and the note."""
    lines = ["The fee is £12.", "Trash is kept for 40 days."]
    shunned = echoes_against("Is it worth a look?", WORDINGS["current"], lines)
    assert {"Current facts", "Current fact", "Current Facts", "Current Fact"} < {*shunned}
    assert "- The fee" in shunned
    # Who asks for a list may get the note's items, and not its head.
    listed = echoes_against("List all fees.", WORDINGS["current"], lines)
    assert "Current Facts" in listed and "- The fee" not in listed
