"""What moved is where it moved to: "We have moved to Park Lane 9." bears on "Where is your
office?".

The question is read as one about the move, and only the edit that tells it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memedit.core.passages import Conversation
from memedit.core.types import Decision
from memedit.model.moves import Move, read_moves
from memedit.model.on_days import Reading, add_by_readings


def decide_on_moves(
    queries: Sequence[str],
    decisions: Sequence[Decision],
    moves: Sequence[Move],
    decide: Callable[[Sequence[str]], list[Decision]],
) -> list[Decision]:
    """The decisions with the edits that tell where to what is asked for has moved.

    Args:
        queries: Texts, or chats.
        decisions: What is found without.
        moves: Those that edits tell.
        decide: The scope.
    """
    each = [
        [] if decision.disagrees else _read_last(query, moves)
        for query, decision in zip(queries, decisions, strict=True)
    ]
    return add_by_readings(decisions, each, decide)


def _read_last(query: str, moves: Sequence[Move]) -> list[Reading]:
    last = getattr(query, "last", 0)
    turn, earlier = str(query)[last:].strip(), str(query)[:last].rstrip("\n")
    readings = read_moves(turn, moves)
    return [(Conversation(earlier, text), ids) for text, ids in readings] if earlier else readings
