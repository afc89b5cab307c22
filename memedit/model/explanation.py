"""Why a query was answered as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memedit.core.types import Decision, Hit
from memedit.scope.features import matched_words


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
            "in_scope": bool(self.decision),
            "score": self.decision.score,
            "threshold": self.decision.threshold,
            "unsure": self.decision.unsure,
            "editor": self.editor,
            "version": self.version,
            "informing_threshold": self.decision.informing_threshold,
            "hits": [_plain(hit) for hit in self.decision.hits],
            "informs": [_plain(hit) for hit in self.decision.informs],
            "disagrees": [_plain(hit) for hit in self.decision.disagrees],
            "time": plain_time(self.decision),
            "candidates": [_plain(hit) for hit in self.decision.candidates],
        }


def plain_time(decision: Decision) -> dict[str, str] | None:
    """The time that the query names, and whose facts were seen; None where it names none."""
    if decision.as_of is None:
        return None
    return {"named": decision.named, "as_of": decision.as_of.isoformat()}


def _plain(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.record.id,
        "fact": hit.record.edit.statement,
        "similarity": hit.similarity,
        "relation": hit.relation,
        "score": hit.score,
        "bearing": hit.bearing,
        "role": hit.role,
        "words": list(matched_words(hit)),
        "mention": hit.mention,
        "view": hit.view,
    }
