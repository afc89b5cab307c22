"""Why a query was answered as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memedit.core.types import Decision
from memedit.scope.plain import plain_hits, plain_time

_GROUPS = ("hits", "informs", "companions", "disagrees", "candidates")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a query was answered as it was.

    ``answer`` is what the model says, ``base_answer`` what it would have said without edits;
    ``version`` is the memory's at the time.
    """

    query: str
    answer: str
    base_answer: str
    decision: Decision
    editor: str
    version: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: hits and candidates with facts, roles, scores and the words
        matched."""
        return {
            "query": self.query,
            "answer": self.answer,
            "base_answer": self.base_answer,
            "in_scope": bool(self.decision.hits),
            "score": self.decision.score,
            "threshold": self.decision.threshold,
            "unsure": self.decision.unsure,
            "editor": self.editor,
            "version": self.version,
            "informing_threshold": self.decision.informing_threshold,
            **plain_hits(self.decision, _GROUPS),
            "time": plain_time(self.decision),
            "read_as": self.decision.read_as,
        }
