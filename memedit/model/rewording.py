"""What a statement corrects in other words: "Customers may return goods within 30 days.", then "Our
refund window is 45 days.".

With the old one's value the new one would be its paraphrase, and that is what is asked of a reader
of pairs (:mod:`memedit.scope.rewording`). What it finds is told, and nothing is retired for it: it
is as sure that "Going from Linz to Graz takes 4 hours" corrects "The train from Graz to Linz takes
3 hours", and to retire what should stay is the worse error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memedit.core.types import Edit, Hit, Record
from memedit.model.deciding import Decider
from memedit.model.swapping import swap_values
from memedit.scope.classifier import ClassifierScope

if TYPE_CHECKING:
    from memedit.scope.rewording import Rewording

POSSIBLE = 0.4
"""Probability of telling the same from which an old statement is told as a possible conflict."""
_ALIKE = 0.3
"""Cosine below which nothing is read."""
_MOST = 3
"""Old statements that are read beside a new one, both ways: six pairs."""
_LONGEST = 240
"""Characters of a statement that is read; what is longer says more than one thing."""


def find_reworded(decider: Decider, edit: Edit, hits: Sequence[Hit]) -> list[Record]:
    """What a new statement may correct in other words among some candidates. The reader sees at
    most six pairs."""
    near = [hit for hit in hits if _may_be_read(hit, edit)]
    near = sorted(near, key=lambda hit: -hit.similarity)[:_MOST]
    reader = _load_reader(decider) if near else None
    if reader is None:
        return []
    olds = [hit.record.edit for hit in near]
    pairs = [(old.statement, swap_values(old.statement, edit.statement).text) for old in olds]
    chances = zip(near, reader.rate(pairs), strict=True)
    return [hit.record for hit, chance in chances if chance >= POSSIBLE]


def _may_be_read(hit: Hit, edit: Edit) -> bool:
    old = hit.record.edit
    if hit.passage is not None or old.multiple or not (edit.is_statement and old.is_statement):
        return False
    return hit.similarity >= _ALIKE and max(len(old.statement), len(edit.statement)) <= _LONGEST


def _load_reader(decider: Decider) -> Rewording | None:
    """The reader of the scope in use; None where it has none."""
    decider.check()
    scope = decider.scope
    if not isinstance(scope, ClassifierScope):
        return None
    # It loads torch, which a server in front of an upstream need not have loaded.
    from memedit.scope.rewording import load_rewording

    return load_rewording(scope.model)
