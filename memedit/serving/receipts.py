"""What an answer says of its edits, in a field and a header."""

from __future__ import annotations

import json
from typing import Any

from memedit.core.types import Decision
from memedit.scope.plain import plain_hits, plain_time

HEADER = "X-Memedit-Receipt"
FIELD = "memedit"
# Proxies refuse longer headers: many allow 4 kB for all of them.
_LONGEST = 3_000
_TOLD = ("id", "score", "bearing", "similarity", "document")
_DIGITS = 6


def receipt(decision: Decision, version: int, editor: str) -> dict[str, Any]:
    """Which edits answered, how sure the scope was, and in which version of the memory.

    Args:
        editor: Name of what answered with them; "" where none did.
    """
    edits = plain_hits(
        decision, ("hits", "informs", "companions", "disagrees"), _TOLD, digits=_DIGITS
    )
    return {
        "in_scope": bool(decision.hits),
        "edits": edits.pop("hits"),
        **edits,
        "score": round(float(decision.score), _DIGITS),
        "threshold": round(float(decision.threshold), _DIGITS),
        "unsure": decision.unsure,
        "time": plain_time(decision),
        "read_as": decision.read_as,
        "editor": editor,
        "version": version,
    }


def header(receipts: list[dict[str, Any]]) -> dict[str, str]:
    """The header: one receipt, or a list where a request had several prompts. ASCII."""
    content: Any = receipts[0] if len(receipts) == 1 else receipts
    text = json.dumps(content, separators=(",", ":"))  # ASCII, as headers must be
    if len(text) > _LONGEST:
        text = json.dumps({"in_scope": any(r["in_scope"] for r in receipts), "truncated": True})
    return {HEADER: text}


def field(receipts: list[dict[str, Any]]) -> dict[str, Any]:
    """The extra field of an answer's body: the first receipt, with all of them where several."""
    if len(receipts) == 1:
        return {FIELD: receipts[0]}
    return {FIELD: {"prompts": receipts}}
