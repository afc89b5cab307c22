"""Of two edits that answer one question and contradict each other, the newer is seen.

Which of them holds was not sure enough to retire one when the newer was added (the receipt told a
possible conflict), or nobody compared them (:mod:`memedit.model.outdating`): both stay in the
memory, and a question that asks both sees the newer alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from memedit.core.naming import guess_subject
from memedit.core.protocols import Encoder
from memedit.core.types import Decision, Hit, Record
from memedit.model.restating import compare_forms
from memedit.model.several import chance_of

_RATHER_ONE = 0.5
"""Probability of several values below which the newer is seen alone."""
_MOST = 5
"""Edits that are compared with each other."""
_ALIKE = 0.4
"""Cosine below which two do not speak of the same: of our own corrections one in a hundred."""
Outdates = Callable[[Sequence[Record], Record], frozenset[int]]
"""The sequences of older ones that a newer one would have replaced."""


def keep_newest(
    decision: Decision, encoder: Callable[[], Encoder], outdates: Outdates | None = None
) -> Decision:
    """The decision without edits that bear and of which a newer one that bears says otherwise.

    Args:
        encoder: Gives the memory's; asked only where there are such.
        outdates: What those that were stored without being compared say; None: only sentences of
            one form count.
    """
    told = [hit for hit in decision.bearing if _is_plain(hit)]
    if len(told) < 2:
        return decision
    # The order of writing stands for age: since when a fact holds is seldom told.
    told.sort(key=lambda hit: hit.record.sequence)
    old = set(_find_outdated(told, encoder, outdates))
    if not old:
        return decision
    hits, informs = (
        tuple(hit for hit in some if hit.record.sequence not in old)
        for some in (decision.hits, decision.informs)
    )
    return replace(decision, hits=hits, informs=informs)


def _find_outdated(
    told: Sequence[Hit], encoder: Callable[[], Encoder], outdates: Outdates | None
) -> Iterator[int]:
    """The sequences of those that a later one says otherwise of."""
    left = list[Hit]()
    for newer in told[-_MOST:]:
        same = [one for one in left if not _outdates(newer, one, encoder)]
        older = [one.record for one in same if _sound_alike(one, newer)]
        if outdates is not None and older:
            gone = outdates(older, newer.record)
            same = [one for one in same if one.record.sequence not in gone]
        yield from {one.record.sequence for one in left} - {one.record.sequence for one in same}
        left = [*same, newer]


def _sound_alike(one: Hit, other: Hit) -> bool:
    keys = [hit.vectors.key for hit in (one, other) if hit.vectors is not None]
    return len(keys) < 2 or float(keys[0] @ keys[1]) >= _ALIKE


def _is_plain(hit: Hit) -> bool:
    return hit.passage is None and not hit.record.edit.multiple


def _outdates(newer: Hit, older: Hit, encoder: Callable[[], Encoder]) -> bool:
    new, old = newer.record.edit, older.record.edit
    if not (new.is_statement or old.is_statement):
        return False
    found = compare_forms(old.statement, new.statement)
    if found is None or not found.about or found.kind == "words":
        return False
    if found.kind in ("denial", "state", "named", "list"):
        return True
    # Within a sentence a name or number may say what it is about, and not what of it.
    if found.kind != "quantity" and not (found.ends or found.listed):
        return False
    subject = new.subject or guess_subject(found.before)
    chance = chance_of(found.before, subject, encoder())
    return chance is not None and chance < _RATHER_ONE
