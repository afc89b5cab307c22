"""What a batch of new edits does to the live set: duplicates, retirements, conflicts.

A plan reads the live set and changes nothing; the memory writes it in one transaction. Edits of one
batch see the earlier ones of the same batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from memedit.core.documents import place_of
from memedit.core.text import subject_key
from memedit.core.types import Record, Vectors, key_texts, mask_prompt
from memedit.memory.journal import rows
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import Entry, Head, Stored
from memedit.memory.live.index import VectorIndex
from memedit.memory.live.space import Space, search_texts
from memedit.memory.live.state import LiveSet
from memedit.memory.meeting import (
    Span,
    agree,
    excludes,
    find_left,
    has_dates,
    hold_alike,
    latest,
    overlap,
    subtract,
)
from memedit.memory.pieces import Pieces, name_copy, name_original, own_name
from memedit.memory.reports import EventKind, Receipt
from memedit.memory.requests import Request

SAME_RELATION = 0.85
"""Cosine of two masked prompts about one subject from which they seem to ask the same."""
SAME_STATEMENT = 0.9
"""Cosine of two key texts from which edits without a subject seem to be about the same."""
_NEAREST = 8
_NEWEST = 256


class Plan:
    """Decides about requests one by one; afterwards ``stored`` and ``entries`` are to be written.

    Args:
        live: The live set, up to date.
        head: Where the journal stands.
        vectors: Vector by text, for every text of every request.
        now: What counts as now for a request without dates.
        journal: Open, where there is something in the live set.
    """

    def __init__(
        self,
        live: LiveSet,
        head: Head,
        vectors: Mapping[str, Vectors],
        now: datetime,
        journal: JournalReader | None = None,
    ) -> None:
        self.stored: list[Stored] = []
        self.entries: list[Entry] = []
        self._live, self._vectors, self._now = live, vectors, now
        self._version, self._sequence = head.version + 1, head.sequence
        self._retired: set[int] = set()
        self._added: dict[int, Stored] = {}
        self._spaces: dict[str, Space] = {}
        self._nothing = Space(self)
        self._pieces = Pieces(journal, self._added)

    def add_all(self, requests: Sequence[Request]) -> list[Receipt]:
        """A receipt per request, in order."""
        near = self._find_near(requests)
        earlier = self._find_near_in_batch(requests)
        receipts: list[Receipt] = []
        for at, request in enumerate(requests):
            staged = [receipts[i].record.sequence for i in earlier.get(at, ())]
            receipts.append(self._add(request, near.get(at, []) + staged))
        return receipts

    def replace(self, old: Record, request: Request) -> Receipt:
        """Retire ``old`` and add the request in its place."""
        known = self.duplicate(request)
        if known is not None and known.sequence == old.sequence:
            return self._add(request, [], old)  # the same with other dates, or no change at all
        if known is not None:
            self.retire(old, "", known.sequence)
            return Receipt(known.id, "duplicate", self._version, known, (old,))
        return self._add(request, self._find_near([request]).get(0, []), old)

    def duplicate(self, request: Request, *, exact: bool = False) -> Record | None:
        """The live record that already says this, with this validity.

        Without dates in the request, any live record of that id that holds now will do, unless
        ``exact``.
        """
        sequence = self._find(request.namespace, request.edit.id)
        if sequence is None:
            return None
        record = self[sequence]
        given = (request.valid_from, request.valid_until)
        if given == (record.valid_from, record.valid_until):
            return record
        some = not exact and given == (None, None) and record.holds_at(self._now)
        return record if some else None

    def retire(self, record: Record, reason: str, other: int | None) -> None:
        """Take ``record`` out; ``other`` replaces it."""
        kind: EventKind = "forget" if other is None else "supersede"
        self._log(Entry(kind, record.sequence, reason, other))
        self._retired.add(record.sequence)
        if record.sequence in self._added:
            self._spaces[record.namespace].remove(record)

    def find(self, namespace: str, id: str) -> Record | None:
        """The live record of an id; None: there is none."""
        sequence = self._find(namespace, id)
        return None if sequence is None else self[sequence]

    def add(self, request: Request) -> Record:
        """The live record of one request that is in conflict with nothing."""
        return self._add(request, []).record

    # -- one edit -----------------------------------------------------------------------------

    def _add(self, request: Request, near: Sequence[int], old: Record | None = None) -> Receipt:
        known = self.duplicate(request, exact=old is not None)
        if known is not None and (old is None or known.edit == request.edit):
            version = self._version if known.sequence in self._added else self._live.version
            return Receipt(known.id, "duplicate", version, known)
        self._end_sooner(request, old)
        # By number: a record that is looked up again may be another object.
        own = -1 if old is None else old.sequence
        rivals = [self[sequence] for sequence in self._rivals(request, old)]
        # Ids are unique among live records: a namesake goes whatever it says.
        rivals = [
            r for r in rivals
            if own == r.sequence or r.id == request.edit.id or excludes(r, request)
        ]  # fmt: skip
        conflicts = self._conflicts(request, near, {record.sequence for record in rivals})
        superseded = [r for r in rivals if own == r.sequence or overlap(r, request)]
        # They hold at other times than the new edit: they stay, but under another id.
        displaced = [r for r in rivals if r.id == request.edit.id and r not in superseded]
        copies = [(r, [Span(r.valid_from, r.valid_until)]) for r in displaced]
        copies += [(r, find_left(r, request, gone=own == r.sequence)) for r in superseded]
        # The number that the new record will have: copies are stored before it.
        sequence = self._sequence + sum(len(spans) for _, spans in copies) + 1
        for record in superseded + displaced:
            self.retire(record, "" if record in superseded else rows.RENAMED, sequence)
        for record, spans in copies:
            self._store_copies(record, spans, request.edit.id)
        record = self._store(request, old)
        return Receipt(
            record.id, "added", self._version, record, tuple(superseded), tuple(conflicts)
        )

    def _store(self, request: Request, old: Record | None) -> Record:
        edit = request.edit
        record = Record(
            edit=edit,
            sequence=self._take_next(),
            version=self._version,
            namespace=request.namespace,
            source=request.source,
            valid_from=request.valid_from,
            valid_until=request.valid_until,
            payloads=request.payloads,
        )
        texts = search_texts(edit)
        vectors = np.stack([self._vectors[text] for text in texts])
        stored = Stored(record, texts, vectors, mask_prompt(edit), request.payloads)
        # What was put into the place of a piece is one, too: it may get back the piece's time.
        piece = old if old is not None and has_dates(old) and hold_alike(old, record) else None
        self._enter(stored, *(() if piece is None else (rows.IN_PLACE, piece.sequence)))
        return record

    def _store_copies(self, old: Record, spans: Sequence[Span], taken: str) -> None:
        """``old`` again, once for each of these times: its past must stay visible to ``as_of``.

        Ids are unique among live records: one of them keeps the old one's, unless the new edit has
        it; others are known as ``<id>~<sequence>``.
        """
        if not spans:
            return
        self._enter_copies(old, spans, "" if old.id == taken else own_name(old))

    def _enter_copies(
        self, old: Record, spans: Sequence[Span], name: str, reason: str = ""
    ) -> None:
        # The one that holds now, or will again, is what is meant by the id.
        here = next((s for s in spans if s.end is None or s.end > self._now), spans[-1])
        for span in spans:
            self._store_copy(old, span, name if span is here else "", reason)

    def _store_copy(self, old: Record, span: Span, name: str, reason: str = "") -> None:
        """``name``: the id; "": one of its own."""
        sequence = self._take_next()
        record = replace(
            old, edit=replace(old.edit, id=name or name_copy(old, sequence)), sequence=sequence,
            version=self._version, valid_from=span.start, valid_until=span.end,
        )  # fmt: skip
        resumes = span.start != old.valid_from
        found = (
            rows.RESUMED
            if resumes
            else rows.SHORTENED
            if span.end != old.valid_until
            else rows.RENAMED
        )
        self._enter(self._copy_record(old, record), reason or found, old.sequence)

    def shorten(self, old: Record, until: datetime, reason: str) -> None:
        """``old`` anew under its id, up to a moment: it keeps the rest."""
        self.retire(old, reason, self._sequence + 1)
        self._store_copy(old, Span(old.valid_from, until), own_name(old))

    # -- time that is given back --------------------------------------------------------------

    def give_back(self, record: Record, since: datetime | None = None, taken: str = "") -> None:
        """Let what resumes at the end of a record hold before that.

        Args:
            since: From when on the record leaves its time; None: it leaves all of it.
            taken: An id that is another's now.
        """
        if record.valid_until is None:
            return
        for after, begins in self._pieces.resuming(record, self._find_live):
            time = Span(latest(begins, record.valid_from, since), record.valid_until)
            # Others may have been told about it meanwhile, which the record was not about.
            if free := subtract(time, self._find_times(after, but=record)):
                self._extend(after, free, taken)

    def _find_times(self, record: Record, but: Record) -> list[Span]:
        """When others hold that exclude a record."""
        if place_of(record.source) is not None:  # documents may say the same
            return []
        request = Request(record.edit, record.namespace)
        rivals = [self[s] for s in self._find_about(request) - {record.sequence, but.sequence}]
        return [Span(r.valid_from, r.valid_until) for r in rivals if excludes(r, request)]

    def _extend(self, after: Record, free: Sequence[Span], taken: str) -> None:
        """``after`` anew, for its own time and for times before it: as one where they meet, also
        with other pieces of the same."""
        gone, spans = self._pieces.join(after, free, self._find_live)
        for each in gone:
            self.retire(each, rows.EXTENDED, self._sequence + 1)
        name = name_original(after)
        free_name = name != taken and self._find(after.namespace, name) is None
        self._enter_copies(after, spans, name if free_name else "", rows.EXTENDED)

    def _end_sooner(self, request: Request, old: Record | None) -> None:
        """Give back what an edit no longer takes: one that is told anew and ends sooner."""
        end = request.valid_until
        if end is None:
            return
        known = self.find(request.namespace, request.edit.id) if old is None else old
        if known is None or known.valid_until is None or end >= known.valid_until:
            return
        # A namesake that holds at other times stays.
        if old is not None or (agree(known.edit, request.edit) and overlap(known, request)):
            self.give_back(known, end, request.edit.id)

    def _find_live(self, sequence: int) -> Record | None:
        there = sequence in self._added or sequence in self._live.records
        return self[sequence] if there and sequence not in self._retired else None

    # -- what is written ----------------------------------------------------------------------

    def move(
        self,
        old: Record,
        source: str,
        reason: str,
        dates: tuple[datetime | None, datetime | None] | None = None,
    ) -> Record:
        """``old`` anew under its id, in its place, with another source, and with other dates where
        they are given: it keeps the rest."""
        sequence = self._take_next()
        self.retire(old, reason, sequence)
        start, end = (old.valid_from, old.valid_until) if dates is None else dates
        record = replace(
            old, source=source, sequence=sequence, version=self._version,
            valid_from=start, valid_until=end,
        )  # fmt: skip
        self._enter(self._copy_record(old, record), reason, old.sequence)
        return record

    def _copy_record(self, old: Record, record: Record) -> Stored:
        """``record`` with keys and payloads of ``old``."""
        source = self._added.get(old.sequence)
        if source is not None:
            return replace(source, record=record)
        vectors = self._live.key_vectors(old)
        texts = search_texts(record.edit)
        if len(texts) != len(vectors):  # stored by a version that knew of no parts
            texts = key_texts(record.edit)
        return Stored(record, texts, vectors, mask_prompt(record.edit), {}, old.sequence)

    def _enter(self, stored: Stored, reason: str = "", other: int | None = None) -> None:
        record = stored.record
        self.stored.append(stored)
        self._added[record.sequence] = stored
        self._log(Entry("add", record.sequence, reason, other))
        if record.namespace not in self._spaces:
            self._spaces[record.namespace] = Space(self)
        self._spaces[record.namespace].add(record)

    def _log(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._pieces.note(entry)

    def _take_next(self) -> int:
        self._sequence += 1
        return self._sequence

    # -- looking up: the live set less what is retired, and what this plan added -----------------

    def __getitem__(self, sequence: int) -> Record:
        """The record of a sequence: one that is in force, or is to be written."""
        added = self._added.get(sequence)
        return self._live.records[sequence] if added is None else added.record

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

    def _rivals(self, request: Request, old: Record | None) -> list[int]:
        found = set() if old is None else {old.sequence}
        # What a person states retires what is in its place; a passage retires nothing.
        if place_of(request.source) is None:  # documents may say the same
            found |= self._find_about(request)
        for space in self._both_spaces(request.namespace):
            for id in (request.edit.id, *request.replaces):
                if (sequence := space.find(id)) is not None:
                    found.add(sequence)
        found |= self._find_pieces(request, old)
        return sorted(found - self._retired)

    def _find_about(self, request: Request) -> set[int]:
        """What is about the same, but for passages of documents."""
        spaces = self._both_spaces(request.namespace)
        found = {s for space in spaces for s in space.about(request.edit) if s not in space.shelf}
        return found - self._retired

    def _find_pieces(self, request: Request, old: Record | None) -> set[int]:
        """Other pieces of what is replaced by name, which no slot leads to."""
        named = [self.find(request.namespace, id) for id in request.replaces]
        dated = [r for r in (old, *named) if r is not None and has_dates(r)]
        family = {s for r in dated for s in self._pieces.family(r)}
        return {s for s in family if self._find_live(s) is not None}

    # -- conflicts ----------------------------------------------------------------------------

    def _conflicts(self, request: Request, near: Sequence[int], rivals: set[int]) -> list[Record]:
        if request.edit.multiple or place_of(request.source) is not None:
            return []
        named = [self._find(request.namespace, id) for id in request.perhaps]
        if request.edit.subject is not None:
            near = self._find_same_relation(request)
        found = dict.fromkeys([*near, *(s for s in named if s is not None)])
        records = [self[s] for s in found if s not in self._retired and s not in rivals]
        return [
            record
            for record in records
            if overlap(record, request) and not agree(record.edit, request.edit)
        ]

    def _find_same_relation(self, request: Request) -> list[int]:
        key = subject_key(request.edit.subject or "")
        known = self._live.space(request.namespace).subjects.sequences(key)[:_NEWEST]
        added = self._spaces.get(request.namespace, self._nothing).subjects.sequences(key)[:_NEWEST]
        if not known and not added:
            return []
        relation = self._vectors[mask_prompt(request.edit) or ""]
        vectors = self._live.relation_vectors(known)
        found = [s for s, v in zip(known, vectors, strict=True) if v @ relation >= SAME_RELATION]
        for sequence in added:
            vector = self._relation_vector(self._added[sequence])
            if vector @ relation >= SAME_RELATION:
                found.append(sequence)
        return sorted(found)

    def _relation_vector(self, stored: Stored) -> Vectors:
        text = stored.relation or ""
        if text in self._vectors or text not in self._live.relations:
            return self._vectors[text]  # which may encode it only now
        vector: Vectors = self._live.relations.vectors([text])[0]
        return vector

    def _find_near(self, requests: Sequence[Request]) -> dict[int, list[int]]:
        """Live records with a key near a request without a subject, by its position."""
        near: dict[int, list[int]] = {}
        for namespace, positions in self._group_without_subject(requests).items():
            space = self._live.space(namespace)
            if space.index is not None:
                ids, similarities = space.index.search(self._prompts(requests, positions), _NEAREST)
                for at, row, cosines in zip(positions, ids, similarities, strict=True):
                    close = row[(cosines >= SAME_STATEMENT) & (row >= 0)].tolist()
                    near[at] = [space.owner(key) for key in close if self._finds(space, key)]
        return near

    def _finds(self, space: Space, key: int) -> bool:
        """Whether a key is of a text that shall find its record: the last ones may be excluded."""
        sequence = space.owner(key)
        excluded = len(self._live.records[sequence].edit.excluded)
        return not excluded or key not in space.keys(sequence)[-excluded:]

    def _find_near_in_batch(self, requests: Sequence[Request]) -> dict[int, list[int]]:
        """The same among the requests themselves: positions of earlier ones."""
        near: dict[int, list[int]] = {}
        for positions in self._group_without_subject(requests).values():
            if len(positions) == 1:
                continue
            vectors = self._prompts(requests, positions)
            index = VectorIndex(vectors.shape[1])
            index.add(positions, vectors)
            ids, similarities = index.search(vectors, 2 * _NEAREST)
            for at, row, cosines in zip(positions, ids, similarities, strict=True):
                close = row[(cosines >= SAME_STATEMENT) & (row >= 0) & (row < at)]
                near[at] = close.tolist()
        return near

    def _group_without_subject(self, requests: Sequence[Request]) -> dict[str, list[int]]:
        """Positions of requests to add that have no subject, by namespace."""
        found: dict[str, list[int]] = {}
        for at, request in enumerate(requests):
            plain = request.edit.subject is None and place_of(request.source) is None
            if plain and self.duplicate(request) is None:
                found.setdefault(request.namespace, []).append(at)
        return found

    def _prompts(self, requests: Sequence[Request], positions: Sequence[int]) -> Vectors:
        return np.stack([self._vectors[requests[at].edit.prompt] for at in positions])
