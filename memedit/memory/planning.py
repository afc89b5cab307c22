"""What a batch of new edits does to the live set: duplicates, retirements, conflicts.

A plan reads the live set and changes nothing; the memory writes it in one transaction. Edits of one
batch see the earlier ones of the same batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

import numpy as np

from memedit.core.documents import place_of
from memedit.core.errors import InvalidEditError
from memedit.core.types import Record, Vectors, key_texts, mask_prompt
from memedit.memory.inheriting import inherit, take_vectors
from memedit.memory.journal import rows
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import Entry, Head, Stored
from memedit.memory.live.space import search_texts
from memedit.memory.live.state import LiveSet
from memedit.memory.meeting import (
    Span,
    agree,
    excludes,
    find_left,
    has_dates,
    hold_alike,
    measure_distance,
    outlasts,
    overlap,
    span_of,
    subtract,
)
from memedit.memory.neighbours import Neighbours
from memedit.memory.pieces import Pieces, say_the_same
from memedit.memory.reports import EventKind, Receipt
from memedit.memory.requests import Request


class Plan(Neighbours):
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
        super().__init__(live, vectors, now)
        self._version, self._sequence = head.version + 1, head.sequence
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
        """Retire ``old`` and add the request in its place.

        Raises:
            InvalidEditError: it is a piece of a fact, and cannot be changed alone.
        """
        known = self.duplicate(request, exact=True)
        if known is not None and known.sequence == old.sequence:
            return self._add(request, [], old)  # the same with other dates, or no change at all
        if known is not None:
            others = self._find_others(request, old)
            self.retire(old, "", known.sequence)
            self._retire_others(others, self._sequence + 1)
            self._store_others(others, known, old)
            return Receipt(known.id, "duplicate", self._version, known, (old, *others))
        return self._add(request, self._find_near([request]).get(0, []), old)

    def retire(self, record: Record, reason: str, other: int | None) -> None:
        """Take ``record`` out; ``other`` replaces it."""
        kind: EventKind = "forget" if other is None else "supersede"
        self._log(Entry(kind, record.sequence, reason, other))
        self._leave_out(record)

    def withdraw(self, gone: Sequence[Record], reason: str | None) -> None:
        """Take records out, and give back their time to what resumes at their ends.

        Args:
            gone: Live records. None of them gets time that another leaves.
            reason: Of the events; None: who calls writes others.
        """
        for record in gone:
            if reason is None:
                self._leave_out(record)
            else:
                self.retire(record, reason, None)
            self._pieces.note_forgotten(record)
        for record in gone:
            self.give_back(record)

    def find_after(self, record: Record) -> list[Record]:
        """What this plan leaves of a live record: itself, or what holds at other times instead."""
        found = map(self._find_live, (record.sequence, *self._pieces.copies(record.sequence)))
        return [each for each in found if each is not None]

    def _leave_out(self, record: Record) -> None:
        self._retired.add(record.sequence)
        if record.sequence in self._added or record.sequence in self._back:
            self._hide(record)

    def add(self, request: Request) -> Record:
        """The live record of one request that is in conflict with nothing."""
        return self._add(request, []).record

    # -- one edit -----------------------------------------------------------------------------

    def _add(self, request: Request, near: Sequence[int], old: Record | None = None) -> Receipt:
        known = self.duplicate(request, exact=old is not None)
        if known is not None and (old is None or _say_it(known, request)):
            version = self._version if known.sequence in self._added else self._live.version
            return Receipt(known.id, "duplicate", version, known)
        self._give_back_unsaid(request, old)
        # By number: a record that is looked up again may be another object.
        own = -1 if old is None else old.sequence
        place = old or self._find_place(request)
        others = [] if place is None else self._find_others(request, place)
        same = {record.sequence for record in others}
        pieces = self._find_pieces(request, old)
        rivals = [self[s] for s in self._rivals(request, old, pieces) if s not in same]
        # Ids are unique among live records: a namesake goes whatever it says. And so does what is
        # replaced by its id, one of several values, too.
        goes = {request.edit.id, *request.replaces}
        rivals = [
            r for r in rivals
            if own == r.sequence or r.id in goes or r.sequence in pieces or excludes(r, request)
        ]  # fmt: skip
        conflicts = self._conflicts(request, near, {record.sequence for record in rivals})
        superseded = [r for r in rivals if own == r.sequence or overlap(r, request)]
        # They hold at other times than the new edit: they stay, but under another id.
        displaced = [r for r in rivals if r.id == request.edit.id and r not in superseded]
        copies = [(r, [span_of(r)]) for r in displaced]
        copies += [(r, find_left(r, request, gone=own == r.sequence)) for r in superseded]
        # The number that the new record will have: copies are stored before it.
        sequence = self._sequence + sum(len(spans) for _, spans in copies) + 1
        for record in superseded + displaced:
            self.retire(record, "" if record in superseded else rows.RENAMED, sequence)
        self._retire_others(others, sequence + 1)
        for record, spans in copies:
            self._store_copies(record, spans, request.edit.id)
        # What replaces an edit by its id says itself by what it is found.
        left = [r for r in superseded if r.sequence != own]
        record = self._store(request, place, left)
        if place is not None:
            self._store_others(others, record, place)
        gone = (*superseded, *others)
        given, stored = request.edit, record.edit
        return Receipt(
            record.id, "added", self._version, record, gone, tuple(conflicts),
            kept_queries=stored.queries[len(given.queries) :],
            kept_excluded=stored.excluded[len(given.excluded) :],
        )  # fmt: skip

    # -- a fact that stands in pieces ---------------------------------------------------------

    def _find_place(self, request: Request) -> Record | None:
        """The piece of a fact whose place a request takes that names it, and its dates."""
        named = (self.find(request.namespace, id) for id in request.replaces)
        dated = (r for r in named if r is not None and has_dates(r) and hold_alike(r, request))
        return next(dated, None)

    def _find_others(self, request: Request, place: Record) -> list[Record]:
        """Other pieces of the fact of which one is replaced: they shall say what is said now, at
        their own times. None where only the piece's times change."""
        same = replace(place, edit=replace(place.edit, id=request.edit.id))
        if not has_dates(place) or _say_it(same, request):
            return []
        found = [self._find_live(sequence) for sequence in self._pieces.siblings(place)]
        others = [r for r in found if r is not None and say_the_same(r, place)]
        if (start := request.valid_from) != place.valid_from and start is not None:
            # From then on: before, it was as it was.
            others = [r for r in others if r.valid_until is None or r.valid_until > start]
        if request.valid_until != place.valid_until:
            if any(outlasts(r, request) for r in others):
                raise _refuse(place)
            return []
        return [r for r in others if not overlap(r, request)]

    def _retire_others(self, others: Sequence[Record], sequence: int) -> None:
        """Take out pieces; those that follow them are stored from ``sequence`` on."""
        for number, piece in enumerate(others, sequence):
            self.retire(piece, "", number)

    def _store_others(self, others: Sequence[Record], record: Record, place: Record) -> None:
        """Have what was put into the place of one piece in those of others, too."""
        for piece in others:
            sequence = self._take_next()
            # Under another name of its own, unless the fact has its old one.
            kept = record.id == place.id
            id = piece.id if kept else self._pieces.name_copy(record, sequence)
            again = replace(
                record, edit=replace(record.edit, id=id), sequence=sequence,
                version=self._version, valid_from=piece.valid_from, valid_until=piece.valid_until,
            )  # fmt: skip
            self._enter(self._copy_record(record, again), rows.IN_PLACE, piece.sequence)

    # -- what is stored -----------------------------------------------------------------------

    def _store(self, request: Request, old: Record | None, replaced: Sequence[Record]) -> Record:
        edit = inherit(request.edit, [record.edit for record in replaced])
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
        known = dict[str, Vectors]()
        if edit is not request.edit:
            for each in replaced:
                added = self._added.get(each.sequence)
                vectors = self._key_vectors(each) if added is None else added.vectors
                known |= take_vectors(each.edit, vectors)
        vectors = np.array([known[t] if t in known else self._vectors[t] for t in texts])
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
        self._enter_copies(old, spans, "" if old.id == taken else self._pieces.own_name(old))

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
        id = name or self._pieces.name_copy(old, sequence)
        record = replace(
            old, edit=replace(old.edit, id=id), sequence=sequence, version=self._version,
            valid_from=span.start, valid_until=span.end,
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
        self._store_copy(old, Span(old.valid_from, until), self._pieces.own_name(old))

    # -- time that is given back --------------------------------------------------------------

    def give_back(self, record: Record, time: Span | None = None, taken: str = "") -> None:
        """Let those of whose time a record took its own hold again.

        Args:
            time: Of its own, that it leaves; None: all of it.
            taken: An id that is another's now.
        """
        if has_dates(record):  # else what it replaced is gone entirely
            self._hand_back(record, time or span_of(record), (), taken)

    def _hand_back(self, record: Record, left: Span, others: Sequence[Span], taken: str) -> None:
        for old, span in self._pieces.find_claims(record, left, self._find_live):
            pieces = self._pieces.find_left(old, record, self._find_live)
            if pieces:
                piece = min(pieces, key=lambda r: measure_distance(r, span))
                # Others may have been told about it meanwhile, which the record was not about.
                known = [*others, *self._find_times(piece, but=record)]
                if free := subtract(span, [*known, *map(span_of, pieces)]):
                    self._extend(piece, free, taken)

    def _find_times(self, record: Record, but: Record) -> list[Span]:
        """When others hold that exclude a record."""
        if place_of(record.source) is not None:  # documents may say the same
            return []
        request = Request(record.edit, record.namespace)
        rivals = [self[s] for s in self._find_about(request) - {record.sequence, but.sequence}]
        return [span_of(r) for r in rivals if excludes(r, request)]

    def _extend(self, piece: Record, free: Sequence[Span], taken: str) -> None:
        """``piece`` anew, for its own time and for others: as one where they meet, also with other
        pieces of the same."""
        gone, spans = self._pieces.join(piece, free, self._find_live)
        for each in gone:
            self.retire(each, rows.EXTENDED, self._sequence + 1)
        name = self._pieces.name_original(piece)
        free_name = name != taken and self._find(piece.namespace, name) is None
        self._enter_copies(piece, spans, name if free_name else "", rows.EXTENDED)

    def _give_back_unsaid(self, request: Request, old: Record | None) -> None:
        """Give back what an edit no longer takes: one that is told anew and ends sooner, or that
        its id gives another time."""
        known = self.find(request.namespace, request.edit.id) if old is None else old
        if known is None or not has_dates(known):
            return
        same = agree(known.edit, request.edit)
        if old is None and not (same and overlap(known, request)):
            return  # a namesake that holds at other times stays
        # What had no end replaced others for good, and now ends. And where another value begins
        # later, the old one stays up to then.
        end = None if known.valid_until is None else request.valid_until
        start = request.valid_from if same and old is not None else None
        for left in subtract(span_of(known), [Span(start, end)]):
            self.give_back(known, left, request.edit.id)

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
        vectors = self._key_vectors(old)
        texts = search_texts(record.edit)
        if len(texts) != len(vectors):  # stored by a version that knew of no parts
            texts = key_texts(record.edit)
        return Stored(record, texts, vectors, mask_prompt(record.edit), {}, old.sequence)

    def _key_vectors(self, old: Record) -> Vectors:
        return self._live.key_vectors(old)

    def _enter(self, stored: Stored, reason: str = "", other: int | None = None) -> None:
        record = stored.record
        self.stored.append(stored)
        self._added[record.sequence] = stored
        self._log(Entry("add", record.sequence, reason, other))
        self._show(record)

    def _log(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._pieces.note(entry)

    def _take_next(self) -> int:
        self._sequence += 1
        return self._sequence

    # -- what is in the way -----------------------------------------------------------------------

    def _rivals(self, request: Request, old: Record | None, pieces: Set[int]) -> list[int]:
        found = {*pieces} if old is None else {old.sequence, *pieces}
        # What a person states retires what is in its place; a passage retires nothing.
        if place_of(request.source) is None:  # documents may say the same
            found |= self._find_about(request)
        for id in (request.edit.id, *request.replaces):
            found.update(s for s in self._find_both(request.namespace, id) if s is not None)
        return sorted(found - self._retired)

    def _find_pieces(self, request: Request, old: Record | None) -> set[int]:
        """Other pieces of what is replaced by name, which no slot leads to."""
        named = [self.find(request.namespace, id) for id in request.replaces]
        dated = [r for r in (old, *named) if r is not None and has_dates(r)]
        family = {s for r in dated for s in self._pieces.family(r)}
        return {s for s in family if self._find_live(s) is not None}


def _say_it(record: Record, request: Request) -> bool:
    return (record.edit, record.source) == (request.edit, request.source)


def _refuse(place: Record) -> InvalidEditError:
    return InvalidEditError(
        f"{place.id!r} is one of several pieces of its fact, which holds again after another edit "
        "that ends: what it says and when it ends cannot be changed at once.",
        hint="Change what it says first, which changes every piece; then the end of each.",
    )
