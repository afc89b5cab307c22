"""Requests in an edit's own words: they fire whatever the training makes of them."""

from __future__ import annotations

import re

from memedit.core.text import normalise
from memedit.core.types import Edit, key_texts

_GOVERNS = frozenset(
    "of for by to in at on from with about former previous late next future first second last "
    "deputy vice acting".split()
)
"""Words that make of what is behind them a part of something else, or another thing."""
_ASKED = re.compile(r"what(?P<verb>['’]s| is| are| was| were) (?P<named>\S+ .+)", re.DOTALL)
"""A question that only names what it asks for, with two words at least. "Where is our office?" asks
for another thing than "Our office is closed." says."""


def is_own_text(prompt: str, edit: Edit) -> bool:
    """Whether a request is one of an edit's key texts."""
    asked = normalise(prompt)
    return any(asked == normalise(text) for text in key_texts(edit))


def asks_own_sentence(prompt: str, edit: Edit) -> bool:
    """Whether a request asks what an edit's sentence says of what it begins with: "What is our
    refund window?" of "Our refund window is 60 days."."""
    found = _ASKED.fullmatch(normalise(prompt))
    if found is None:
        return False
    verb = " is" if found["verb"] in ("'s", "’s") else found["verb"]
    return f"{normalise(edit.statement)} ".startswith(f"{found['named']}{verb} ")


def goes_on(prompt: str, own: str) -> bool:
    """Whether a text to be continued breaks off with an edit's own words: "You should know that the
    capital of France is"."""
    if own.count(" ") < 3 or prompt.rstrip().endswith(("?", ".", "!")):
        return False
    before, found, rest = normalise(prompt).rpartition(f" {normalise(own)}")
    # "The salary of the CEO of Acme is" asks something else of what the edit's words name.
    return bool(found) and not rest and before.rpartition(" ")[2] not in _GOVERNS
