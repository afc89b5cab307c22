"""Slots with several values: a question that asks one of them asks them all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from memedit.core.moments import UTC
from memedit.core.text import normalise
from memedit.core.types import Decision, Hit, mask_prompt
from memedit.memory import EditMemory, MemoryView


def add_all_values(
    decision: Decision, store: EditMemory | MemoryView, as_of: datetime | None
) -> Decision:
    """The decision with the other values of each slot that is asked, where it may have several."""
    if not any(hit.record.edit.multiple for hit in decision.hits):
        return decision
    moment = as_of or datetime.now(UTC)
    hits = {hit.record.sequence: hit for hit in decision.hits}
    for hit in decision.hits:
        for record in store.siblings(hit.record, moment):
            hits.setdefault(record.sequence, replace(hit, record=record))
    informs = tuple(hit for hit in decision.informs if hit.record.sequence not in hits)
    beside = tuple(hit for hit in decision.companions if hit.record.sequence not in hits)
    return replace(decision, hits=tuple(hits.values()), informs=informs, companions=beside)


def tell_together(decision: Decision) -> Decision:
    """The decision, the first hit of each slot with several values saying all of them.

    For editors that read what an edit says. Nothing of it is stored: what an editor makes of the
    joint fact is kept under a sequence of its own, below zero.
    """
    groups: dict[tuple[str, str], list[Hit]] = {}
    for hit in decision.hits:
        edit = hit.record.edit
        if edit.multiple and edit.target_new is not None:
            slot = normalise(mask_prompt(edit) or edit.prompt), normalise(edit.subject or "")
            groups.setdefault(slot, []).append(hit)
    joint = {hits[0].record.sequence: _join_hits(hits) for hits in groups.values() if len(hits) > 1}
    if not joint:
        return decision
    hits = tuple(joint.get(hit.record.sequence, hit) for hit in decision.hits)
    return replace(decision, hits=hits)


def _join_hits(hits: Sequence[Hit]) -> Hit:
    records = sorted((hit.record for hit in hits), key=lambda record: record.sequence)
    values = list(dict.fromkeys((record.edit.target_new or "").strip(" .") for record in records))
    said = " and ".join(part for part in (", ".join(values[:-1]), values[-1]) if part)
    first = hits[0].record
    edit = replace(first.edit, target_new=said)
    digest = hashlib.sha256(f"{first.namespace}\0{edit.statement}".encode()).digest()
    sequence = -1 - int.from_bytes(digest[:7], "big")  # 7 bytes: a signed 64-bit number
    return replace(hits[0], record=replace(first, edit=edit, sequence=sequence, payloads={}))
