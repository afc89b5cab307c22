"""A file of edits whose lines correct what is in force, and those before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from memedit.core.documents import place_of
from memedit.core.types import Edit
from memedit.memory import EditMemory, Receipt
from memedit.memory.requests import Request
from memedit.model.correcting import Corrections, find_corrections, make_options
from memedit.model.deciding import Decider

Find = Callable[[Edit, str, datetime | None], Corrections]
"""What an edit corrects in a namespace, of what holds at a moment (None: now)."""


def compare_lines(memory: EditMemory, find: Find) -> Callable[[Request], Request | Receipt]:
    """What :meth:`EditMemory.import_file` takes as ``compare``: some 0.1 s a line.

    Passages of documents are as they are.
    """

    def compare(request: Request) -> Request | Receipt:
        if not len(memory) or place_of(request.source) is not None:
            return request
        found = find(request.edit, request.namespace, request.valid_from)
        if found.repeats is not None and request.valid_from is request.valid_until is None:
            return Receipt(found.repeats.id, "duplicate", memory.version, found.repeats)
        told = make_options(found, memory, request.valid_until)
        return replace(request, **told)

    return compare


def compare_with(decider: Decider) -> Callable[[Request], Request | Receipt]:
    """:func:`compare_lines` with what a decider finds."""
    return compare_lines(decider.memory, partial(find_corrections, decider))


def compare_by_default(memory: EditMemory) -> Callable[[Request], Request | Receipt]:
    """:func:`compare_lines` by the default scope: the language model is not needed."""
    return compare_with(Decider(memory))
