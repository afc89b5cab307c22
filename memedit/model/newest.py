"""Of two sentences that answer one question and contradict each other, the newer is seen.

Which of them holds was not sure enough to retire one when the newer was added (the receipt told a
possible conflict): both stay in the memory, and a question that asks both sees the newer alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from memedit.core.naming import guess_subject
from memedit.core.protocols import Encoder
from memedit.core.types import Decision, Hit
from memedit.model.restating import compare_forms
from memedit.model.several import chance_of

_RATHER_ONE = 0.5
"""Probability of several values below which the newer is seen alone."""


def keep_newest(decision: Decision, encoder: Callable[[], Encoder]) -> Decision:
    """The decision without asked sentences of which a newer one of their form says otherwise.

    Args:
        encoder: Gives the memory's; asked only where there are such.
    """
    asked = [hit for hit in decision.hits if _is_plain(hit)]
    if len(asked) < 2 or not any(hit.record.edit.is_statement for hit in asked):
        return decision
    # The order of writing stands for age: since when a fact holds is seldom told.
    asked.sort(key=lambda hit: hit.record.sequence)
    old = {
        one.record.sequence
        for n, one in enumerate(asked)
        if any(_outdates(newer, one, encoder) for newer in asked[n + 1 :])
    }
    if not old:
        return decision
    hits = tuple(hit for hit in decision.hits if hit.record.sequence not in old)
    return replace(decision, hits=hits)


def _is_plain(hit: Hit) -> bool:
    return hit.passage is None and not hit.record.edit.multiple


def _outdates(newer: Hit, older: Hit, encoder: Callable[[], Encoder]) -> bool:
    new, old = newer.record.edit, older.record.edit
    if not (new.is_statement or old.is_statement):
        return False
    found = compare_forms(old.statement, new.statement)
    if found is None or not found.about or found.kind == "words":
        return False
    if found.kind == "denial":
        return True
    # Within a sentence a name or number may say what it is about, and not what of it.
    if found.kind != "quantity" and not (found.ends or found.listed):
        return False
    subject = new.subject or guess_subject(found.before)
    chance = chance_of(found.before, subject, encoder())
    return chance is not None and chance < _RATHER_ONE
