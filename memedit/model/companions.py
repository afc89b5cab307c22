"""Edits told beside those that bear on a request, though they may not bear on it themselves.

Where nothing bears, the base runs untouched, and so an edit must be probable to be told at all.
Where something bears, the base reads a note anyway, and where the scope is in doubt what bears, or
nearly found another edit too, a line more costs less than the answer that is missing. Where it is
sure, it does not: a small base is led astray by a fact that has nothing to do with the question.
"""

from __future__ import annotations

from dataclasses import replace

from memedit.core.secrets import is_secret, names_secret
from memedit.core.types import Decision, Hit
from memedit.model.second_look import stands_beside

SURE = 0.65
"""Probability of bearing of the surest edit below which others are told that are hardly likely."""
LEAST, LIKELY = 0.1, 0.21
"""Probability from which an edit is told beside others, where none of them is sure, and always."""
TOLD = 3
"""As many facts are told in all, where what bears are fewer."""


def add_companions(decision: Decision) -> Decision:
    """The decision with the edits that may bear too, the most probable first; nothing is told
    beside nothing, nor of now beside what held at a time that the request names."""
    told = decision.bearing
    if decision.named or not 0 < len(told) < TOLD:
        return decision
    least = LEAST if max(hit.bearing or 0.0 for hit in told) < SURE else LIKELY
    others = {hit.record.id for hit in (*told, *decision.disagrees)}
    near = [
        hit
        for hit in decision.candidates
        # Passages of documents are shown with what stands around them, and fill a note.
        if (hit.bearing or 0.0) >= least
        and hit.passage is None
        and hit.record.id not in others
        and stands_beside(hit, told)
        and not is_secret(hit.record.edit)
    ]
    near.sort(key=lambda hit: -(hit.bearing or 0.0))
    chosen = (replace(hit, role=None) for hit in near[: TOLD - len(told)])
    return replace(decision, companions=tuple(chosen))


def leave_out_secrets(decision: Decision, words: str) -> Decision:
    """The decision without a secret that nothing in the words names, where another edit bears more:
    who asks how to print is not told the password of the Wi-Fi."""
    surest = max((hit.bearing or 0.0 for hit in decision.bearing), default=0.0)

    def is_told(hit: Hit) -> bool:
        edit = hit.record.edit
        less = (hit.bearing or 0.0) < surest
        return not (less and is_secret(edit)) or names_secret(edit, words)

    informs = tuple(filter(is_told, decision.informs))
    return decision if len(informs) == len(decision.informs) else replace(decision, informs=informs)
