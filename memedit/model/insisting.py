"""Requests that go by what was so before: "It's KiddyLink I need to install, isn't it?".

Who names the value that an edit replaced asks about that edit, however he puts it, and whatever the
base thinks of it. Of 221 requests of eleven sets that name one, 114 had the edit among those that
fired and 5 among those that were near; beside them it fired wrongly once, and no other edit was
sure where it was near and right.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from memedit.core.types import Decision, Hit
from memedit.editors.prompting.former import find_former
from memedit.editors.prompting.polar import is_polar
from memedit.editors.prompting.reckoning import counts, has_other_form
from memedit.memory import EditMemory, MemoryView
from memedit.model.former import find_values
from memedit.model.joining import SURE, rate_surest

_OPEN = re.compile(r"\b(?:who|whose|what|which|where|when|how)\b", re.IGNORECASE)
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

    fired = {hit.record.id for hit in decision.bearing}
    near = () if sure else (h for h in decision.candidates if h.record.id not in fired)
    raised = [hit for hit in (*decision.bearing, *near) if insists(hit)]
    if not raised:
        return decision
    # What is asked openly, by who names the old value, is the new one.
    plain = _OPEN.search(turn) and not (is_polar(turn) or has_other_form(turn) or counts(turn))
    told = {
        hit.record.id: _raise(hit, asked=bool(plain) and hit.record.edit.target_new is not None)
        for hit in raised
    }
    known = {hit.record.id for hit in decision.hits}
    every = [told.get(h.record.id, h) for h in decision.bearing]
    every += [hit for id, hit in told.items() if id not in fired]
    asks = [hit.role == "asks" or hit.record.id in known for hit in every]
    return replace(
        decision,
        hits=tuple(hit for hit, asked in zip(every, asks, strict=True) if asked),
        informs=tuple(hit for hit, asked in zip(every, asks, strict=True) if not asked),
    )


def _raise(hit: Hit, *, asked: bool) -> Hit:
    """A hit that bears for certain, and is what is asked, or what the answer depends on."""
    return replace(
        hit, bearing=CERTAIN, score=CERTAIN if asked else hit.score,
        role="asks" if asked else (hit.role or "informs"),
    )  # fmt: skip
