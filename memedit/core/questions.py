"""The question that a chat last put, as its turns stand on lines."""

from __future__ import annotations

import re

_BEFORE = 600
"""Characters before a turn in which its question is looked for."""
_ASKED = (
    r"(?:(?:hi|hello|hey|ok|so|and|please|sorry|thanks)[,!]? )?"
    r"(?P<asked>(?:(?:from|until|till|by|at|to|in|on|for|up to) )?"
    r"(?:who|whose|what|which|when|where|how|is|are|was|were|do|does|did|can|may)\b"
    r"[^?.!\n]{3,200})"
)
_QUESTION = re.compile(rf"(?:(?<=[.!?\n] )|(?<=[.!?\n])|^){_ASKED}(?=\?)", re.IGNORECASE)
_UNMARKED = re.compile(rf"^{_ASKED}$", re.IGNORECASE | re.MULTILINE)
"""A line that asks without a mark: what is said in a reply has a full stop."""
_OFFER = re.compile(r"\b(?:anything|something) else\b|\b(?:help|assist) you\b", re.IGNORECASE)
"""An assistant's last sentence asks nothing that could be gone on from."""


def find_last_question(earlier: str) -> str:
    """The last question that was put, without its mark; "" where nothing was asked."""
    for question in (_QUESTION, _UNMARKED):
        asked = [match["asked"].strip() for match in question.finditer(earlier[-_BEFORE:])]
        put = [text for text in asked if not _OFFER.search(text)]
        if put:
            return put[-1]
    return ""
