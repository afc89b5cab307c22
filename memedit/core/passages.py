"""Texts in parts: the sentences by which a long edit is found, and the turns of a conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_PARTS = 40
"""Sentences of one edit that are found by themselves."""
WITHIN = " › "
"""Between a title and a heading below it."""
_LONG = 120
"""A text of fewer characters is found as a whole."""
_BREAK = re.compile(r"(?<=[.!?;:\n])\s+")
_LINE = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_TITLE_ENDS = re.compile(
    r"\s+(?:is|are|was|were|has|have|had|can|may|must|will|shall|should|do|does|did)\b|[,:;(–—\n]|\.\s"
)


# A text to whoever knows nothing of turns: encoders, scopes of other packages.
class Conversation(str):
    """What was said, on lines, as one text; ``last`` is where the last turn begins."""

    last: int

    def __new__(cls, earlier: str, turn: str) -> Conversation:
        """Earlier turns, user's and assistant's, and the last turn of the user."""
        self = super().__new__(cls, f"{earlier}\n{turn}" if earlier else turn)
        self.last = len(earlier) + 1 if earlier else 0
        return self


def split_sentences(text: str) -> list[str]:
    """The text cut behind every mark that may end a sentence or clause, and at line breaks."""
    return [part for part in _BREAK.split(text.strip()) if part.strip()]


def parts_of(statement: str) -> list[str]:
    """Sentences by which a long statement is found too; [] for a short one, or one sentence."""
    if len(statement) < _LONG:
        return []
    heading = heading_of(statement)
    if WITHIN in heading:  # rows and items hold colons and semicolons
        found = [f"{heading}:", *_LINE.split(body_of(statement).strip())][:MOST_PARTS]
    else:
        found = split_sentences(statement)[:MOST_PARTS]
    return found if len(found) > 1 else []


def head_passage(path: Sequence[str], text: str) -> str:
    """A passage of a document as a statement: titles and headings above it, and what it says."""
    return f"{WITHIN.join(path)}:\n{text}"


def heading_of(statement: str) -> str:
    """Titles and headings that :func:`head_passage` puts before a passage; "": there are none."""
    first, line, _ = statement.partition(":\n")
    return first if line and "\n" not in first else ""


def body_of(statement: str) -> str:
    """What a passage says, without :func:`heading_of`."""
    heading = heading_of(statement)
    return statement[len(heading) + 2 :] if heading else statement


def put_in_context(parts: list[str], subject: str | None) -> list[str]:
    """The parts as they are found: one that does not say what it is about is told.

    That is the subject, or the first words of the first part.
    """
    about = (
        " ".join((subject or _find_path(parts[0]) or find_title(parts[0])).split()) if parts else ""
    )
    flat = [" ".join(part.split()) for part in parts]
    return [p if about.casefold() in p.casefold() else f"{about}: {p}" for p in flat]


def _find_path(part: str) -> str:
    """The headings of a passage, where its first part is them."""
    return part.removesuffix(":") if WITHIN in part and part.endswith(":") else ""


def find_title(text: str) -> str:
    """The first words of a text, up to its first verb of being or mark; at most eight."""
    flat = " ".join(text.lstrip("#*-• ").split())
    words = _TITLE_ENDS.split(flat, maxsplit=1)[0].split()
    return " ".join(words[:8])
