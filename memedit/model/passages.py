"""What is shown of a document where it is asked: the passage found, whole, and what stands around.

A passage is found by itself; what it says may begin in the one before. So an answer reads it with
its neighbours under the same heading, as far as there is room. Passages of one document that are
found together are shown once, in the document's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from memedit.core.passages import body_of, heading_of
from memedit.core.types import Decision, Hit, Record
from memedit.memory import EditMemory, MemoryView

ROOM = 1_200
"""Characters of one document that are shown with one question; a passage is shown whole."""


def add_neighbours(
    decision: Decision, store: EditMemory | MemoryView, moment: datetime | None = None
) -> Decision:
    """The decision, every passage that bears with the text to be shown of its document as it stands
    at a moment (None: now)."""
    groups: dict[tuple[str, str], list[Hit]] = {}
    for hit in decision.bearing:
        if hit.passage is not None:
            groups.setdefault((hit.record.namespace, hit.passage.document), []).append(hit)
    if not groups:
        return decision
    texts: dict[int, str] = {}
    for hits in groups.values():
        texts |= choose_shown(hits, store.passages(hits[0].record, moment))

    def put_texts(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(
            replace(hit, passage=replace(hit.passage, text=texts[hit.record.sequence]))
            if hit.passage is not None
            else hit
            for hit in hits
        )

    return replace(decision, hits=put_texts(decision.hits), informs=put_texts(decision.informs))


def choose_shown(hits: Sequence[Hit], passages: Sequence[Record]) -> dict[int, str]:
    """By sequence what is shown of one document: all of it by the first hit, "" by the others.

    Args:
        hits: Passages that bear, the most probable first.
        passages: All of the document.
    """
    number = {record.sequence: n for n, record in enumerate(passages)}
    found = [hit.record for hit in hits]
    if any(record.sequence not in number for record in found):  # changed since it was found
        return {record.sequence: record.edit.statement for record in found}
    chosen: dict[int, Record] = {}
    room = ROOM
    for record in found:
        # The first is shown however long it is: it was found.
        if not chosen or len(record.edit.prompt) <= room:
            chosen[number[record.sequence]] = record
            room -= len(record.edit.prompt)
    _grow(chosen, passages, number[found[0].sequence], room)
    rest = {record.sequence: "" for record in found[1:]}
    return {found[0].sequence: join_passages([chosen[n] for n in sorted(chosen)])} | rest


def _grow(
    chosen: dict[int, Record], passages: Sequence[Record], start: int, room: int
) -> Mapping[int, Record]:
    """Take in what follows and precedes under the same heading, in turn, while there is room."""
    heading = heading_of(passages[start].edit.prompt)
    ways = [(start + 1, 1), (start - 1, -1)]
    while ways:
        at, step = ways.pop(0)
        if not 0 <= at < len(passages) or heading_of(passages[at].edit.prompt) != heading:
            continue
        # One that was found is paid for already: the way goes on behind it.
        size = 0 if at in chosen else len(body_of(passages[at].edit.prompt))
        if size <= room:
            chosen.setdefault(at, passages[at])
            room -= size
            ways.append((at + step, step))
    return chosen


def join_passages(records: Sequence[Record]) -> str:
    """Passages as one text: a heading stands once before all that follow under it."""
    lines, last = list[str](), ""
    for record in records:
        heading = heading_of(record.edit.prompt)
        if heading and heading != last:
            lines.append(f"{heading}:")
        last = heading
        lines.append(body_of(record.edit.prompt))
    return "\n".join(lines)
