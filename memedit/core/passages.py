"""Texts in parts: the sentences by which a long edit is found, and the turns of a conversation."""

from __future__ import annotations

import re

MOST_PARTS = 40
"""Sentences of one edit that are found by themselves."""
_LONG = 120
"""A text of fewer characters is found as a whole."""
_BREAK = re.compile(r"(?<=[.!?;:\n])\s+")
_TITLE_ENDS = re.compile(
    r"\s+(?:is|are|was|were|has|have|had|can|may|must|will|shall|should|do|does|did)\b|[,:;(–—\n]|\.\s"
)


class Conversation(str):
    """What was said, on lines, as one text; ``last`` is where the last turn begins."""

    last: int

    def __new__(cls, earlier: str, turn: str) -> Conversation:
        """Earlier turns, user's and assistant's, and the last turn of the user."""
        self = super().__new__(cls, f"{earlier}\n{turn}" if earlier else turn)
        self.last = len(earlier) + 1 if earlier else 0
        return self


def sentences(text: str) -> list[str]:
    """The text cut behind every mark that may end a sentence or clause, and at line breaks."""
    return [part for part in _BREAK.split(text.strip()) if part.strip()]


def parts_of(statement: str) -> list[str]:
    """Sentences by which a long statement is found too; [] for a short one, or one sentence."""
    if len(statement) < _LONG:
        return []
    found = sentences(statement)[:MOST_PARTS]
    return found if len(found) > 1 else []


def in_context(parts: list[str], subject: str | None) -> list[str]:
    """The parts as they are found: one that does not say what it is about is told.

    That is the subject, or the first words of the first part.
    """
    about = " ".join((subject or title(parts[0])).split()) if parts else ""
    flat = [" ".join(part.split()) for part in parts]
    return [p if about.casefold() in p.casefold() else f"{about}: {p}" for p in flat]


def title(text: str) -> str:
    """The first words of a text, up to its first verb of being or mark; at most eight."""
    flat = " ".join(text.lstrip("#*-• ").split())
    words = _TITLE_ENDS.split(flat, maxsplit=1)[0].split()
    return " ".join(words[:8])
