"""The live set as a plan sees it: less what is retired, and with what the plan adds."""

from __future__ import annotations

from datetime import datetime

from memedit.core.types import Edit, Record
from memedit.memory.draft import Draft
from memedit.memory.journal.rows import Stored
from memedit.memory.live.space import topics
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
        self._drafts: dict[str, Draft] = {}  # by namespace
        self._in_live: dict[tuple[str, str], int | None] = {}  # (namespace, id) -> sequence
        self._topics: tuple[Edit | None, list[str]] = (None, [])

    def __getitem__(self, sequence: int) -> Record:
        """The record of a sequence: one that is in force, or is to be written."""
        if (added := self._added.get(sequence)) is not None:
            return added.record
        back = self._back.get(sequence)
        return self._live.records[sequence] if back is None else back

    def _draft(self, namespace: str) -> Draft:
        found = self._drafts.get(namespace)
        if found is None:
            found = self._drafts[namespace] = Draft()
        return found

    def _show(self, record: Record) -> None:
        """Let a record that the live set does not have be found."""
        self._draft(record.namespace).add(record, self._topics_of(record.edit))

    def _hide(self, record: Record) -> None:
        """Undo :meth:`_show`."""
        self._draft(record.namespace).remove(record, self._topics_of(record.edit))

    def _topics_of(self, edit: Edit) -> list[str]:
        """Of an edit they are asked when it comes, and again when it is stored."""
        if self._topics[0] is not edit:
            self._topics = (edit, topics(edit))
        return self._topics[1]

    def _find(self, namespace: str, id: str) -> int | None:
        for sequence in self._find_both(namespace, id):
            if sequence is not None and sequence not in self._retired:
                return sequence
        return None

    def _find_both(self, namespace: str, id: str) -> tuple[int | None, int | None]:
        """The records of an id in the live set, and among those added; retired or not."""
        return self._find_in_live(namespace, id), self._draft(namespace).find(id)

    def _find_in_live(self, namespace: str, id: str) -> int | None:
        """The record of an id in the live set. Asked several times of each."""
        asked = (namespace, id)
        if asked not in self._in_live:
            self._in_live[asked] = self._live.space(namespace).find(id)
        return self._in_live[asked]

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
        wanted, space = self._topics_of(request.edit), self._live.space(request.namespace)
        found = {s for s in space.about(wanted) if s not in space.shelf}
        return found.union(self._draft(request.namespace).about(wanted)) - self._retired

    def _find_live(self, sequence: int) -> Record | None:
        there = sequence in self._added or sequence in self._back
        there = there or sequence in self._live.records
        return self[sequence] if there and sequence not in self._retired else None
