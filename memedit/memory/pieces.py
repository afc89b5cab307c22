"""What is left of records of whose time another record took a part: copies that hold for the rest.

An edit that ends takes only its own time from what it replaces. A copy of that resumes where it
ends; where the edit is forgotten, or ends sooner, the copy holds from then on. Who took whose
time is told by the journal, and by the plan that is being made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from memedit.core.types import Record
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import RESUMED, Entry, Stored
from memedit.memory.meeting import Span, agree, earliest

_MOST = 200
"""Records that are looked at, at most."""


def name_original(record: Record) -> str:
    """The id of a record, without what copies have behind it."""
    return record.id.removesuffix(f"~{record.sequence}")


def name_copy(old: Record, sequence: int) -> str:
    """The id of a copy that cannot have the old one's: with the copy's own number, by which a purge
    tells whose copy it is."""
    return f"{name_original(old)}~{sequence}"


def own_name(record: Record) -> str:
    """The id of a record, for one of its copies; "": it is a copy's own."""
    return record.id if record.id == name_original(record) else ""


class Pieces:
    """Who took whose time.

    Args:
        journal: Open for reading wherever a record of the live set is asked for.
        planned: What the plan adds, by sequence.
    """

    def __init__(self, journal: JournalReader | None, planned: Mapping[int, Stored]) -> None:
        self._journal, self._planned = journal, planned
        self._taken: dict[int, list[int]] = {}
        self._copies: dict[int, list[tuple[int, str]]] = {}
        self._origins: dict[int, int] = {}

    def note(self, entry: Entry) -> None:
        """Hear of an event that the plan will write."""
        if entry.other is None:
            return
        if entry.kind == "supersede":
            self._taken.setdefault(entry.other, []).append(entry.sequence)
        elif entry.kind == "add":
            self._copies.setdefault(entry.other, []).append((entry.sequence, entry.reason))
            self._origins[entry.sequence] = entry.other

    def taken_by(self, record: Record) -> list[Record]:
        """Records that hold longer than this one, of whose time it took its own: it, or what it
        replaced itself, such as the same with another end. The last ones first."""
        found, seen = dict[int, Record](), set[int]()
        todo = deque([record])
        while todo and len(seen) < _MOST:
            here = todo.popleft()
            if here.sequence in seen:
                continue
            seen.add(here.sequence)
            if here is not record and _outlasts(here, record):
                found[here.sequence] = here
            origin = self._find_origin(here.sequence)
            todo += self._read([*self._find_taken(here), *([] if origin is None else [origin])])
        return list(found.values())

    def resuming(
        self, record: Record, find_live: Callable[[int], Record | None]
    ) -> list[tuple[Record, datetime | None]]:
        """What resumes next after the end of a record, of whose time that took its own; with when
        that began of which it is a piece."""
        end, found = record.valid_until, dict[int, tuple[Record, datetime | None]]()
        for old in self.taken_by(record):
            for copy, resumed in self.copies(old.sequence).items():
                here = find_live(copy) if resumed else None
                start = None if here is None else here.valid_from
                if here is None or start is None or end is None or start < end:
                    continue
                # Another piece of the record itself: who takes one out does not mean the other.
                if not agree(here.edit, record.edit):
                    begins = found[copy][1] if copy in found else old.valid_from
                    found[copy] = (here, earliest(begins, old.valid_from))
        starts = [here.valid_from for here, _ in found.values() if here.valid_from is not None]
        return [each for each in found.values() if each[0].valid_from == min(starts)]

    def join(
        self, after: Record, free: Sequence[Span], find_live: Callable[[int], Record | None]
    ) -> tuple[list[Record], list[Span]]:
        """(pieces that go, when there shall be pieces instead), once ``after`` holds at times
        before its own, too: one where they meet, also with other pieces of the same."""
        others = [r for r in map(find_live, self.siblings(after)) if r is not None]
        ends = {r.valid_until: r for r in others if _say_the_same(r, after)}
        gone, spans = [after], list[Span]()
        for start, end in (*free, Span(after.valid_from, after.valid_until)):
            before = None if start is None else ends.get(start)
            if spans and spans[-1].end == start:
                start = spans.pop().start
            elif before is not None:
                gone.append(before)
                start = before.valid_from
            spans.append(Span(start, end))
        return gone, spans

    def copies(self, sequence: int) -> dict[int, bool]:
        """The copies of a record, what was put into its place, and their copies, live or not:
        whether they are of what resumed after another record."""
        found = dict[int, bool]()
        todo = [(sequence, False)]
        while todo and len(found) < _MOST:
            here, resumed = todo.pop()
            for copy, reason in self._find_copies(here):
                found[copy] = resumed or reason == RESUMED
                todo.append((copy, found[copy]))
        return found

    def siblings(self, record: Record) -> list[int]:
        """Other copies of what a record is a copy of, live or not."""
        return sorted(self.copies(self._find_root(record.sequence)).keys() - {record.sequence})

    def family(self, record: Record) -> list[int]:
        """:meth:`siblings`, and the copies of those of whose time the record took its own."""
        found = set(self.siblings(record))
        for old in self.taken_by(record):
            found.update(self.copies(self._find_root(old.sequence)))
        return sorted(found - {record.sequence})

    def _find_root(self, sequence: int) -> int:
        for _ in range(_MOST):
            origin = self._find_origin(sequence)
            if origin is None:
                break
            sequence = origin
        return sequence

    def _find_taken(self, record: Record) -> list[int]:
        mine, journal = self._taken.get(record.sequence, []), self._reader(record.sequence)
        return mine if journal is None else [*mine, *journal.taken_by(record)]

    def _find_copies(self, sequence: int) -> list[tuple[int, str]]:
        mine, journal = self._copies.get(sequence, []), self._reader(sequence)
        return mine if journal is None else [*mine, *journal.copies_of(sequence)]

    def _find_origin(self, sequence: int) -> int | None:
        journal = self._reader(sequence)
        return self._origins.get(sequence) if journal is None else journal.origin_of(sequence)

    def _reader(self, sequence: int) -> JournalReader | None:
        """The journal, where it knows of a record."""
        return None if sequence in self._planned else self._journal

    def _read(self, sequences: Sequence[int]) -> Iterator[Record]:
        yield from (self._planned[s].record for s in sequences if s in self._planned)
        stored = sorted({s for s in sequences if s not in self._planned})
        if stored and self._journal is not None:
            yield from (record for record, _ in self._journal.records(stored))


def _outlasts(record: Record, other: Record) -> bool:
    end = other.valid_until
    return end is not None and (record.valid_until is None or record.valid_until > end)


def _say_the_same(one: Record, other: Record) -> bool:
    """Whether two records are alike, but for their ids and dates."""
    return replace(one.edit, id=other.id) == other.edit and one.source == other.source
