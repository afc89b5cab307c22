"""Back to an earlier version of which something was purged since.

What was purged does not come again. So the version comes back as it would have been had the purge
been made then: what would hold again after an edit that is purged has its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from memedit.core.types import Record, Vectors
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import Entry, Head
from memedit.memory.live.state import LiveSet
from memedit.memory.meeting import Span, span_of
from memedit.memory.pieces import Pieces
from memedit.memory.planning import Plan
from memedit.memory.standing import RETURN


def list_returns(
    version: int, lost: Sequence[int], missing: Sequence[int], reason: str = RETURN
) -> list[Entry]:
    """The events by which a memory goes back to a version: these records leave, those return."""
    reason = reason.format(version)
    gone = [Entry("forget", sequence, reason) for sequence in lost]
    return gone + [Entry("restore", sequence, reason) for sequence in missing]


class Return(Plan):
    """Goes back to a version, and fills what a purge left open there.

    Args:
        live, head, vectors: As of :class:`~memedit.memory.planning.Plan`.
        journal: Open.
        version: That comes back.
    """

    def __init__(
        self,
        live: LiveSet,
        head: Head,
        vectors: Mapping[str, Vectors],
        journal: JournalReader,
        version: int,
    ) -> None:
        super().__init__(live, head, vectors, datetime.now(timezone.utc), journal)
        self._reading, self._to = journal, version
        self._pieces = Pieces(journal, self._added, version)

    def go_back(self, lost: Sequence[int], missing: Sequence[int]) -> None:
        """Take these records out, and bring those back (ascending)."""
        for entry in list_returns(self._to, lost, missing):
            self._log(entry)
        self._retired.update(lost)
        for record, _ in self._reading.records(missing):
            self._back[record.sequence] = record
            self._show(record)

    def fill(self, purged: Sequence[int]) -> None:
        """Let what resumes after purged records, which were live, have their time."""
        for record, _ in self._reading.records(sorted(purged)):
            taken = map(span_of, self._pieces.find_takers(record, self._find_live))
            self._hand_back(record, Span(None, None), [*taken], "")
        self._keep_what_is_there()

    def _keep_what_is_there(self) -> None:
        """Change nothing where all that would be stored anew is what is there already, such as
        after the purge itself: editors need not make it again."""
        lost = {e.sequence for e in self.entries if e.kind == "forget"}
        there = {_content(self._live.records[s]): s for s in lost}
        twins = {s.record.sequence: there.get(_content(s.record)) for s in self.stored}
        if None in twins.values():
            return
        again = {e.sequence for e in self.entries if e.kind == "supersede" and e.other in twins}
        if not again <= self._back.keys():
            return
        again |= {sequence for sequence in twins.values() if sequence is not None}
        self.entries = [e for e in self.entries if not {e.sequence, e.other} & {*again, *twins}]
        self.stored = []

    def _key_vectors(self, old: Record) -> Vectors:
        if old.sequence not in self._back:
            return super()._key_vectors(old)
        keys = sorted(key for key, _ in self._reading.keys([old.sequence]))
        found = self._reading.vectors(keys, self._reading.dimension())
        return found.astype("float32", copy=False)


def _content(record: Record) -> Record:
    """A record, but for which one it is."""
    return replace(record, sequence=0, version=0, payloads={})
