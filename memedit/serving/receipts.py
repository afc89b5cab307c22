"""What an answer says of its edits, in a field and a header."""

from __future__ import annotations

import json
from typing import Any

from memedit.core.types import Decision, Hit
from memedit.model.explanation import plain_time

HEADER = "X-Memedit-Receipt"
FIELD = "memedit"
_LONGEST = 3_000


def receipt(decision: Decision, version: int, editor: str) -> dict[str, Any]:
    """Which edits answered, how sure the scope was, and in which version of the memory.

    Args:
        editor: Name of what answered with them; "" where none did.
    """
    return {
        "in_scope": bool(decision),
        "edits": [_plain(hit) for hit in decision.hits],
        "informs": [_plain(hit) for hit in decision.informs],
        "disagrees": [_plain(hit) for hit in decision.disagrees],
        "score": _rounded(decision.score),
        "threshold": _rounded(decision.threshold),
        "unsure": decision.unsure,
        "time": plain_time(decision),
        "editor": editor,
        "version": version,
    }


def _plain(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.record.id,
        "score": _rounded(hit.score),
        "bearing": _rounded(hit.bearing),
        "similarity": _rounded(hit.similarity),
    }


def header(receipts: list[dict[str, Any]]) -> dict[str, str]:
    """The header: one receipt, or a list where a request had several prompts. ASCII."""
    content: Any = receipts[0] if len(receipts) == 1 else receipts
    text = json.dumps(content, separators=(",", ":"))
    if len(text) > _LONGEST:
        text = json.dumps({"in_scope": any(r["in_scope"] for r in receipts), "truncated": True})
    return {HEADER: text}


def field(receipts: list[dict[str, Any]]) -> dict[str, Any]:
    """The extra field of an answer's body: the first receipt, with all of them where several."""
    if len(receipts) == 1:
        return {FIELD: receipts[0]}
    return {FIELD: {"prompts": receipts}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
