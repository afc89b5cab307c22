"""An edit that is added, or put right by its id, together with what it corrects in other words.

Who puts an edit right says what holds, as somebody does who adds it: what says the same slot in
other words is compared with it, too. Else two values would be in force, the corrected one and the
other, and nobody would be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from memedit.core.documents import place_of
from memedit.core.errors import InvalidEditError
from memedit.core.moments import UTC, Moment, moment_of
from memedit.core.types import Edit, Payload, Record
from memedit.memory import EditMemory, Receipt
from memedit.model.correcting import Corrections, find_corrections, find_start, make_options
from memedit.model.judging import Judge

Find = Callable[[Edit, str, datetime | None, Record | None], Corrections]
"""What an edit corrects in a namespace, of what holds at a moment (None: now), as if a record
(None: none) were not there."""
Fit = Callable[..., Mapping[str, Payload]]
"""Payloads of an edit, from what :meth:`EditMemory.supersede` is told of it."""
DATES = ("valid_from", "valid_until")


def add_by_default(
    memory: EditMemory,
    edit: Edit,
    namespace: str,
    *,
    source: str = "",
    valid_from: Moment | None = None,
    valid_until: Moment | None = None,
) -> Receipt:
    """Add an edit with what it corrects, by the default scope: the language model is not needed.

    Raises:
        InvalidEditError: no date; a reason that is not in force. Nothing was stored.
    """
    dates = {"valid_from": valid_from, "valid_until": valid_until}
    with memory.comparing():
        memory.check_reasons(edit, namespace)
        told = compare_new(memory, edit, namespace, _find_by_default(memory), **dates)
        if isinstance(told, Receipt):
            return told
        return memory.add(edit, namespace=namespace, source=source, **(dates | told))


def compare_new(
    memory: EditMemory,
    edit: Edit,
    namespace: str,
    find: Find,
    *,
    valid_from: Moment | None = None,
    valid_until: Moment | None = None,
) -> Receipt | dict[str, Any]:
    """What :meth:`EditMemory.add` must be told of an edit, as :func:`make_options` says it; or the
    receipt where it is there already.

    Raises:
        InvalidEditError: no date.
    """
    start = find_start(memory, valid_from)
    found = find(edit, namespace, start, None) if len(memory) else Corrections()
    # With dates of its own it says something new: when the same holds.
    if found.repeats is not None and valid_from is valid_until is None:
        return Receipt(found.repeats.id, "duplicate", memory.version, found.repeats)
    return make_options(found, memory, valid_until)


def correct_by_default(memory: EditMemory, old: Record, edit: Edit, **rest: Any) -> Receipt:
    """:func:`correct` by the default scope: the language model is not needed."""
    return correct(memory, old, edit, _find_by_default(memory), **rest)


def _find_by_default(memory: EditMemory) -> Find:
    # Its scope is loaded only where there is something to be compared with.
    return lambda *given: find_by(Judge(memory))(*given)


def find_by(judge: Judge) -> Find:
    """What a judge finds."""

    def find(
        edit: Edit, namespace: str, moment: datetime | None, but: Record | None
    ) -> Corrections:
        return find_corrections(judge, edit, namespace, moment, but=but)

    return find


def correct(
    memory: EditMemory,
    old: Record,
    edit: Edit,
    find: Find,
    *,
    fit: Fit | None = None,
    source: str = "",
    valid_from: Moment | None = None,
    valid_until: Moment | None = None,
) -> Receipt:
    """Put an edit into the place of a live one. What says the same slot in other words is retired
    or told as it would be if the edit were added; where another live edit says the same already,
    that one stays, and is the receipt's.

    Where only the dates change nothing else is retired: what would be is told. Passages of
    documents are compared with nothing.

    Args:
        old: The live record.
        edit: What stands in its place.
        find: Finds what it corrects; not called where nothing is to be compared.
        fit: Says what editors must remember of it; None: they see to it when it first answers.
        source, valid_from, valid_until: As of :meth:`EditMemory.supersede`.

    Raises:
        UnknownEditError: the record is not live any more.
        InvalidEditError: no date; it is a piece of a fact, and cannot be changed so.
    """
    dates: dict[str, Moment | None] = {"valid_from": valid_from, "valid_until": valid_until}
    options: dict[str, Any]
    with memory.comparing():
        found = _compare(memory, old, edit, find, **dates)
        known = found.repeats
        if known is not None and not _has_dates(known) and valid_from is valid_until is None:
            edit, options = known.edit, {"source": known.source, "replaces": []}
        else:
            told = make_options(found, memory, valid_until)
            options = {"source": source, **(dates | told)}
        if fit is not None:
            about = {name: value for name, value in options.items() if name != "perhaps"}
            options["payloads"] = fit(edit, **about)
        return memory.supersede(old.id, edit, namespace=old.namespace, **options)


def compare_in_place(
    memory: EditMemory, old: Record, edit: Edit, find: Find, dates: Mapping[str, Moment | None]
) -> dict[str, Any]:
    """What :meth:`EditMemory.add` must be told of an edit that takes the place of a live record, as
    :func:`make_options` says it, but for that record.

    Args:
        dates: Its ``valid_from`` and ``valid_until``, where it has any.

    Raises:
        InvalidEditError: no date.
    """
    given = {name: dates.get(name) for name in DATES}
    return make_options(_compare(memory, old, edit, find, **given), memory, given["valid_until"])


def take_dates(options: Mapping[str, Any]) -> dict[str, Moment | None]:
    """The dates among the options of a record."""
    return {name: options[name] for name in DATES if name in options}


def _compare(
    memory: EditMemory,
    old: Record,
    edit: Edit,
    find: Find,
    *,
    valid_from: Moment | None,
    valid_until: Moment | None,
) -> Corrections:
    """What an edit corrects in other words that takes the place of a live record."""
    says = _slot_and_value(edit) != _slot_and_value(old.edit)
    moved = (valid_from, valid_until) != (old.valid_from, old.valid_until)
    if not (says or moved) or place_of(old.source) is not None or len(memory) < 2:
        return Corrections()
    found = find(edit, old.namespace, _find_moment(memory, valid_from, valid_until), old)
    if says:
        return found
    # Both stood beside each other before: who moves a date says nothing of the other.
    return Corrections(perhaps=(*found.replaces, *found.perhaps))


def _slot_and_value(edit: Edit) -> tuple[object, ...]:
    return edit.prompt, edit.target_new, edit.subject, edit.multiple


def _has_dates(record: Record) -> bool:
    return record.valid_from is not None or record.valid_until is not None


def _find_moment(memory: EditMemory, since: Moment | None, until: Moment | None) -> datetime | None:
    """When what takes a record's place is compared with others: now, where it holds now; else when
    it begins."""
    start = find_start(memory, since)
    if start is None:
        return None
    now, end = datetime.now(UTC), None
    if until is not None:
        end = moment_of(until, "valid_until", InvalidEditError, zone=memory.zone, last=True)
    return now if start <= now and (end is None or now < end) else start
