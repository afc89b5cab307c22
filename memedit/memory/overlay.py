"""The live set as a plan sees it: less what is retired, and with what the plan adds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from memedit.core.types import Record
from memedit.memory.journal.rows import Stored
from memedit.memory.live.space import Space
from memedit.memory.live.state import LiveSet
from memedit.memory.meeting import tells_the_same
from memedit.memory.requests import Request


class Overlay:
    """What is in force once a plan is written.

    Args:
        live: The live set, up to date; it is not changed.
        now: What counts as now for a request without dates.
    """

    def __init__(self, live: LiveSet, now: datetime) -> None:
        self._live, self._now = live, now
        self._retired: set[int] = set()
        self._added: dict[int, Stored] = {}
        self._back: dict[int, Record] = {}  # stored long ago, and live again with the plan
        self._spaces: dict[str, Space] = {}
        self._nothing = Space(self)

    def __getitem__(self, sequence: int) -> Record:
        """The record of a sequence: one that is in force, or is to be written."""
        if (added := self._added.get(sequence)) is not None:
            return added.record
        back = self._back.get(sequence)
        return self._live.records[sequence] if back is None else back

    def statement(self, sequence: int) -> str:
        """What such a record states."""
        return self[sequence].edit.statement

    def _both_spaces(self, namespace: str) -> Iterator[Space]:
        yield self._live.space(namespace)
        yield self._spaces.get(namespace, self._nothing)

    def _find(self, namespace: str, id: str) -> int | None:
        for space in self._both_spaces(namespace):
            sequence = space.find(id)
            if sequence is not None and sequence not in self._retired:
                return sequence
        return None

    def find(self, namespace: str, id: str) -> Record | None:
        """The live record of an id; None: there is none."""
        sequence = self._find(namespace, id)
        return None if sequence is None else self[sequence]

    def duplicate(self, request: Request, *, exact: bool = False) -> Record | None:
        """The live record that already says this, with this validity.

        Without dates in the request, any live record of that id that holds now will do, unless
        ``exact``.
        """
        sequence = self._find(request.namespace, request.edit.id)
        if sequence is None:
            return None
        record = self[sequence]
        # A name that somebody gave may be that of another fact now.
        if not tells_the_same(record.edit, request.edit):
            return None
        given = (request.valid_from, request.valid_until)
        if given == (record.valid_from, record.valid_until):
            return record
        some = not exact and given == (None, None) and record.holds_at(self._now)
        return record if some else None

    def _find_about(self, request: Request) -> set[int]:
        """What is about the same, but for passages of documents."""
        spaces = self._both_spaces(request.namespace)
        found = {s for space in spaces for s in space.about(request.edit) if s not in space.shelf}
        return found - self._retired

    def _find_live(self, sequence: int) -> Record | None:
        there = sequence in self._added or sequence in self._back
        there = there or sequence in self._live.records
        return self[sequence] if there and sequence not in self._retired else None
