"""Edits told beside those that bear on a request, though they may not bear on it themselves.

Where nothing bears, the base runs untouched, and so an edit must be probable to be told at all.
Where something bears, the base reads a note anyway: one line more costs some tokens, and one line
less costs the answer wherever the scope took the wrong one of two, or one of several. So what comes
next in probability is told there, too, before what bears.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from memedit.core.types import Decision, Hit

LEAST = 0.1
"""Probability of bearing from which an edit is told beside others: half of what informs."""
TOLD = 3
"""As many facts are told in all, where what bears are fewer."""


def add_companions(decision: Decision, without: Collection[str] = ()) -> Decision:
    """The decision with the edits that may bear too, the most probable first.

    Args:
        decision: What bears; nothing is told beside nothing.
        without: Ids of edits that must not be told: what another one made old.
    """
    told = decision.bearing
    if not 0 < len(told) < TOLD:
        return decision
    others = {*without, *(hit.record.id for hit in (*told, *decision.disagrees))}
    near = [hit for hit in decision.candidates if _may_bear(hit) and hit.record.id not in others]
    near.sort(key=lambda hit: -(hit.bearing or 0.0))
    chosen = near[: TOLD - len(told)]
    return replace(decision, companions=tuple(replace(hit, role=None) for hit in chosen))


def _may_bear(hit: Hit) -> bool:
    # Passages of documents are shown with what stands around them, and fill a note by themselves.
    return (hit.bearing or 0.0) >= LEAST and hit.passage is None
