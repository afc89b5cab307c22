"""What is left of records of whose time another record took a part: copies that hold for the rest.

An edit that ends takes only its own time from what it replaces. A copy of that resumes where it
ends; where the edit is forgotten, or ends sooner, the copy holds from then on. Who took whose
time is told by the journal, and by the plan that is being made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from memedit.core.types import Record
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import Entry, Stored, strip_copies
from memedit.memory.meeting import Span, agree, merge, outlasts, span_of, subtract

FindLive = Callable[[int], Record | None]
"""The record of a sequence, where it is live."""
_MOST = 200
"""Records that are looked at, at most."""


class Pieces:
    """Who took whose time.

    Args:
        journal: Open for reading wherever a record of the live set is asked for.
        planned: What the plan adds, by sequence.
        upto: The version of which the live set is, where that is not the newest.
    """

    def __init__(
        self,
        journal: JournalReader | None,
        planned: Mapping[int, Stored],
        upto: int | None = None,
    ) -> None:
        self._journal, self._planned, self._upto = journal, planned, upto
        self._taken: dict[int, list[int]] = {}
        self._copies: dict[int, list[int]] = {}
        self._forgotten = set[int]()
        self._origins: dict[int, int] = {}

    def note(self, entry: Entry) -> None:
        """Hear of an event that the plan will write."""
        if entry.other is None:
            return
        if entry.kind == "supersede":
            self._taken.setdefault(entry.other, []).append(entry.sequence)
        elif entry.kind == "add":
            self._copies.setdefault(entry.other, []).append(entry.sequence)
            self._origins[entry.sequence] = entry.other

    def note_forgotten(self, record: Record) -> None:
        """Hear of a record that the plan takes out, and not for another."""
        self._forgotten.add(record.sequence)

    def name_original(self, record: Record) -> str:
        """The id of a record, without what copies have behind it."""
        if "~" not in record.id:
            return record.id
        return strip_copies(record.id, self._lineage(record.sequence))

    def name_copy(self, old: Record, sequence: int) -> str:
        """The id of a copy that cannot have the old one's: with the copy's own number, by which a
        purge tells whose copy it is."""
        return f"{self.name_original(old)}~{sequence}"

    def own_name(self, record: Record) -> str:
        """The id of a record, for one of its copies; "": it is a copy's own."""
        return record.id if record.id == self.name_original(record) else ""

    def find_claims(
        self, record: Record, time: Span, find_live: FindLive
    ) -> list[tuple[Record, Span]]:
        """Who had the time that a record leaves: (a record of which it took that, what of it).

        Only those of whose fact something is left: what was replaced entirely does not come again.
        Where a fact was forgotten, those from whom it had taken the time are asked.
        """
        found, seen = list[tuple[Record, Span]](), set[tuple[int, Span]]()
        todo = deque([(record, time)])
        while todo and len(seen) < _MOST:
            here, span = todo.popleft()
            if (here.sequence, span) in seen:
                continue
            seen.add((here.sequence, span))
            origin = self._find_origin(here.sequence)
            todo += [(old, span) for old in self._read([] if origin is None else [origin])]
            for old, shared in self._find_shared(here, span):
                # Other pieces of the record itself: who takes one out does not mean the other.
                own = agree(old.edit, record.edit)
                if not own and self.find_left(old, record, find_live):
                    found.append((old, shared))
                elif own or self._is_forgotten(old):
                    todo.append((old, shared))
        return found

    def _find_shared(self, here: Record, span: Span) -> Iterator[tuple[Record, Span]]:
        """(a record of whose time another took some, what of that is within a span)."""
        olds = [*self._read(self._find_taken(here))]
        purged = bool(olds) and self._is_purged(here)
        for old in olds:
            taken = [span_of(old)]
            # When it held is known no more, but by what it left of others.
            if purged and not self._is_purged(old):
                copies = self._read(self._find_copies(old.sequence))
                left = [span_of(r) for r in copies if r.version == here.version]
                taken = subtract(span_of(old), left)
            yield from ((old, shared) for each in taken if (shared := each.meet(span)) is not None)

    def find_takers(self, record: Record, find_live: FindLive) -> list[Record]:
        """The live records that took time of one which was purged, or of what it was a copy of."""
        lineage = [*self._lineage(record.sequence)]
        takers = [] if self._journal is None else self._journal.takers_of(lineage)
        family = {s for taker in takers for s in (taker, *self.copies(taker))}
        found = map(find_live, sorted(family - {*lineage}))
        return [r for r in found if r is not None]

    def _is_purged(self, record: Record) -> bool:
        journal = self._reader(record.sequence)
        return journal is not None and journal.was_purged(record.sequence)

    def find_left(self, old: Record, record: Record, find_live: FindLive) -> list[Record]:
        """The live pieces of a fact, but for those that say what a record says."""
        root = self._find_root(old.sequence)
        pieces = map(find_live, (root, *self.copies(root)))
        return [r for r in pieces if r is not None and not agree(r.edit, record.edit)]

    def _is_forgotten(self, record: Record) -> bool:
        """Whether a piece of a fact was taken out, and not for another."""
        root = self._find_root(record.sequence)
        family = [root, *self.copies(root)]
        if not self._forgotten.isdisjoint(family):
            return True
        stored = sorted(s for s in family if s not in self._planned)
        return self._journal is not None and self._journal.were_forgotten(stored, self._upto)

    def join(
        self, piece: Record, free: Sequence[Span], find_live: FindLive
    ) -> tuple[list[Record], list[Span]]:
        """(pieces that go, when there shall be pieces instead), once ``piece`` holds at other
        times, too: one where they meet, also with other pieces of the same."""
        others = [r for r in map(find_live, self.siblings(piece)) if r is not None]
        others = [r for r in others if say_the_same(r, piece)]
        starts, ends = ({span[at] for span in free} - {None} for at in (0, 1))
        met = [r for r in others if r.valid_until in starts or r.valid_from in ends]
        gone = [piece, *met]
        return gone, merge([*free, *map(span_of, gone)])

    def copies(self, sequence: int) -> list[int]:
        """The copies of a record, what was put into its place, and their copies, live or not."""
        found = dict[int, None]()
        todo = [sequence]
        while todo and len(found) < _MOST:
            for copy in self._find_copies(todo.pop()):
                found[copy] = None
                todo.append(copy)
        return list(found)

    def siblings(self, record: Record) -> list[int]:
        """Other copies of what a record is a copy of, live or not."""
        return sorted({*self.copies(self._find_root(record.sequence))} - {record.sequence})

    def family(self, record: Record) -> list[int]:
        """:meth:`siblings`, and the copies of those of whose time the record took its own: of it,
        or of what it replaced itself, such as the same with another end."""
        found, seen = set(self.siblings(record)), set[int]()
        todo = deque([record])
        while todo and len(seen) < _MOST:
            here = todo.popleft()
            if here.sequence in seen:
                continue
            seen.add(here.sequence)
            if here is not record and outlasts(here, record):
                found.update(self.copies(self._find_root(here.sequence)))
            origin = self._find_origin(here.sequence)
            todo += self._read([*self._find_taken(here), *([] if origin is None else [origin])])
        return sorted(found - {record.sequence})

    def _find_root(self, sequence: int) -> int:
        *_, root = self._lineage(sequence)
        return root

    def _lineage(self, sequence: int) -> Iterator[int]:
        """A record, what it is a copy of, or stands in the place of, and so on."""
        here: int | None = sequence
        for _ in range(_MOST):
            if here is None:
                break
            yield here
            here = self._find_origin(here)

    def _find_taken(self, record: Record) -> list[int]:
        mine, journal = self._taken.get(record.sequence, []), self._reader(record.sequence)
        return mine if journal is None else [*mine, *journal.taken_by(record)]

    def _find_copies(self, sequence: int) -> list[int]:
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


def say_the_same(one: Record, other: Record) -> bool:
    """Whether two records are alike, but for their ids and dates."""
    return replace(one.edit, id=other.id) == other.edit and one.source == other.source
