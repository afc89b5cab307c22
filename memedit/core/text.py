"""Where a subject stands in a text."""

from __future__ import annotations

import re
from bisect import bisect_right


def subject_span(prompt: str, subject: str) -> tuple[int, int]:
    """Where ``subject`` last occurs in ``prompt``, whatever its case; (0, 0) if nowhere."""
    start = prompt.rfind(subject)
    if start >= 0:
        return start, start + len(subject)
    found = list(re.finditer(re.escape(subject), prompt, re.IGNORECASE))
    if found:
        return found[-1].span()
    return _folded_span(prompt, subject.casefold())


def _folded_span(prompt: str, folded: str) -> tuple[int, int]:
    """Case folding may change lengths (ß, İ): fold character by character and map back."""
    parts = [character.casefold() for character in prompt]
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part))
    found = "".join(parts).rfind(folded)
    if found < 0:
        return 0, 0
    first = bisect_right(starts, found) - 1
    last = bisect_right(starts, found + len(folded) - 1) - 1
    return first, last + 1
