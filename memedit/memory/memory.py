"""EditMemory: the edits a model shall hold. Durable, versioned, shared between processes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from memedit.core.errors import InvalidInputError, MemoryStoreError, UnknownEditError
from memedit.core.protocols import Encoder
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Hit, Payload, Record, check_text
from memedit.memory import files
from memedit.memory.address import Address, directory, is_url
from memedit.memory.importing import Import
from memedit.memory.journal.feed import Freshness
from memedit.memory.journal.rows import Entry, Head, readable, record_row
from memedit.memory.live.search import NAIVE_HINT, Search, prepare_all, texts_of
from memedit.memory.live.state import LiveSet
from memedit.memory.planning import Request, checked
from memedit.memory.reports import Event, ImportReport, Receipt, VerifyReport
from memedit.memory.store import Store
from memedit.memory.verify import verify
from memedit.memory.view import MemoryView


class EditMemory:
    """Edits with their vectors and payloads, in a directory or in RAM.

    Every change is one transaction: durable when the call returns, undone entirely if it raises.
    May be used by many threads. Several processes may open one directory, and see each other's
    changes at their next call; or, from any machine, one PostgreSQL database, of which each keeps
    a copy in RAM that answers every search and hears of changes within milliseconds
    (:meth:`wait_for`, :meth:`freshness`). A memory is true even when it is empty.

    Args:
        path: The memory's directory, made by the first change, or ``postgresql://user@host/name``
            (extra ``postgres``); None keeps everything in RAM.
        encoder: Turns texts into vectors; None loads the default when the first text is encoded.
        read_only: Refuse every change, and work in directories that cannot be written.

    Attributes:
        address: What was given as ``path``.
        path: The directory; None where there is none.

    Raises:
        MemoryStoreError: the path cannot be used as a memory.
        EncoderMismatchError: the memory was built with another encoder.
        InvalidInputError: a URL that is none.
        MissingExtraError: psycopg is not installed.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        encoder: Encoder | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.address: Address = path
        self.path = directory(path)
        self._store = Store(path, encoder, read_only=read_only)

    @property
    def encoder(self) -> Encoder:
        """The encoder; the default one is loaded when first asked for."""
        return self._store.encoder

    @property
    def read_only(self) -> bool:
        """Whether every change is refused."""
        return self._store.journal.read_only

    @property
    def version(self) -> int:
        """Grows by one with every change; 0 for a new memory."""
        with self._current() as live:
            return live.version

    def __len__(self) -> int:
        """Number of live records, in all namespaces."""
        with self._current() as live:
            return len(live)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> EditMemory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write an index snapshot where that saves time, and let go of the files."""
        self._store.close()

    def _current(self) -> AbstractContextManager[LiveSet]:
        """The live set, up to date, and nobody changes it."""
        return self._store.reading()

    @property
    def shared(self) -> bool:
        """Whether this is a copy of a memory that other machines may change."""
        return self._store.shared

    def freshness(self) -> Freshness:
        """How far the copy in this process may be behind: nothing to fear of a directory."""
        return self._store.freshness()

    def wait_for(self, version: int, seconds: float = 5.0) -> bool:
        """Wait until searches see ``version``, which a receipt named: read your own writes through
        any process. False where that takes longer than so many seconds."""
        return self._store.wait_for(version, seconds)

    def digest(self) -> str:
        """SHA-256 of the live records in order: equal in every process that has seen the same."""
        with self._current() as live:
            records, relations = live.in_order(), dict(live.relation_ids)
        total = hashlib.sha256()
        for record in records:
            row = record_row(record, relations.get(record.sequence))
            total.update(f"{record.sequence}:{row['digest']};".encode())
        return total.hexdigest()

    # -- changing -----------------------------------------------------------------------------

    def add(
        self,
        edit: Edit,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        payloads: Mapping[str, Payload] | None = None,
    ) -> Receipt:
        """Store one edit; an older one about the same thing, valid at the same time, is retired.

        An edit that is live already is a duplicate and changes nothing. Where ``valid_from`` is
        given and the older edit began before, the older one stays live up to that date.

        Raises:
            InvalidEditError: a date without time zone or an empty interval.
            MemoryStoreError: it could not be stored; the memory is as before.
        """
        request = Request(edit, namespace, source, valid_from, valid_until, payloads or {})
        return self._add([request])[0]

    def add_many(
        self,
        edits: Sequence[Edit],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        payloads: Sequence[Mapping[str, Payload]] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Receipt]:
        """:meth:`add` for many edits in one transaction: all or nothing.

        Later edits retire earlier ones as if added one by one. ``progress`` is told how many of
        the edits have been encoded.
        """
        if payloads is not None and len(payloads) != len(edits):
            raise InvalidInputError(f"{len(payloads)} payloads for {len(edits)} edits.")
        held = payloads if payloads is not None else [{}] * len(edits)
        requests = [
            Request(edit, namespace, source, valid_from, valid_until, mine)
            for edit, mine in zip(edits, held, strict=True)
        ]
        return self._add(requests, progress=progress)

    def preview(
        self,
        edits: Sequence[Edit],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> list[Receipt]:
        """What :meth:`add_many` would answer now; nothing is written."""
        requests = [
            checked(Request(edit, namespace, source, valid_from, valid_until)) for edit in edits
        ]
        store = self._store
        vectors = store.vectors_for(requests)
        with store.lock:
            with store.journal.read() as anything:
                head = store.journal.head() if anything else Head()
            with store.reading():
                return store.plan(head, vectors).add_all(requests)

    def _add(
        self,
        requests: Sequence[Request],
        *,
        progress: Callable[[int], None] | None = None,
        meta: Callable[[Sequence[Receipt], int], Mapping[str, str | None]] | None = None,
    ) -> list[Receipt]:
        requests = [checked(request) for request in requests]
        store = self._store
        vectors = store.vectors_for(requests, progress)
        with store.lock:
            if not vectors and meta is None:
                with store.reading():
                    plan = store.plan(Head(), vectors)
                    if all(plan.duplicate(request) for request in requests):
                        return plan.add_all(requests)  # changes nothing
            with store.change() as head:
                plan = store.plan(head, vectors)
                receipts = plan.add_all(requests)
                store.store(head, plan, vectors)
                if meta is not None:
                    store.journal.put_meta(meta(receipts, store.journal.newest()[0]))
            return store.followed(receipts)

    def supersede(
        self,
        id: str,
        edit: Edit,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        payloads: Mapping[str, Payload] | None = None,
    ) -> Receipt:
        """Retire edit ``id`` and add ``edit`` in its place, in one transaction.

        The same edit with other dates replaces the old one too. ``payloads`` as for :meth:`add`.

        Raises:
            UnknownEditError: no live edit has this id.
        """
        request = checked(
            Request(edit, namespace, source, valid_from, valid_until, dict(payloads or {}))
        )
        return self._replace(id, namespace, lambda old: request)

    def report(
        self, id: str, query: str, *, concerns: bool, namespace: str = DEFAULT_NAMESPACE
    ) -> Receipt:
        """Learn of one edit that a query concerns it (it was missed), or does not (it fired).

        The query becomes one of the texts that find the edit, or that do not. A record takes the
        old one's place with the same id, payloads and dates; :meth:`restore`, or the opposite
        report, undoes it.

        Raises:
            UnknownEditError: no live edit has this id.
            InvalidEditError: a blank query.
        """
        asked = check_text("query", query).strip()

        def told(old: Record) -> Request:
            edit = old.edit.told(asked, concerns=concerns)
            return checked(Request(edit, namespace, old.source, old.valid_from, old.valid_until))

        return self._replace(id, namespace, told, keep_payloads=True)

    def _replace(
        self,
        id: str,
        namespace: str,
        asked: Callable[[Record], Request],
        *,
        keep_payloads: bool = False,
    ) -> Receipt:
        """Put what is asked of a live record into its place. It is asked again once nobody else can
        write: what others made of the record meanwhile is kept."""
        store = self._store
        expected = asked(self.get(id, namespace=namespace))
        vectors = store.vectors_for([expected])
        vectors.foresee(expected.texts())
        with store.lock:
            with store.change() as head:
                old = store.known(id, namespace)
                request = asked(old)
                if keep_payloads:
                    request = replace(request, payloads=store.journal.payloads(old.sequence))
                plan = store.plan(head, vectors)
                receipt = plan.replace(old, request)
                store.store(head, plan, vectors)
            return store.followed([receipt])[0]

    def forget(self, id: str, *, namespace: str = DEFAULT_NAMESPACE, reason: str = "") -> Record:
        """Take an edit out of the live set; the record that was.

        Raises:
            UnknownEditError: no live edit has this id.
        """
        self.get(id, namespace=namespace)
        store = self._store
        with store.lock:
            with store.change() as head:
                record = store.known(id, namespace)
                store.journal.log(head, [Entry("forget", record.sequence, reason)])
            store.follow()
            return record

    def restore(self, version: int, *, namespace: str | None = None) -> int:
        """Make the live set exactly what it was at ``version``, as a new version.

        Args:
            namespace: Only this one goes back; the others stay as they are.

        Returns:
            The memory's version now (unchanged if the live set was that one already).
        """
        store = self._store
        with store.lock:
            if self._version_of(version) == store.live.version:
                return version
            with store.change() as head:
                wanted = set(store.journal.changes(upto=version)[0])
                there = store.live.records.keys()
                reason = f"restore {version}"
                lost, missing = sorted(there - wanted), sorted(wanted - there)
                if namespace is not None:
                    lost = [s for s in lost if store.live.records[s].namespace == namespace]
                    old = store.journal.records(missing)
                    missing = [r.sequence for r, _ in old if r.namespace == namespace]
                gone = [Entry("forget", s, reason) for s in lost]
                back = [Entry("restore", s, reason) for s in missing]
                store.journal.log(head, gone + back)
            store.follow()
            return store.live.version

    def put_payloads(self, payloads: Mapping[int, Mapping[str, Payload]]) -> None:
        """Store payloads compiled later: sequence -> editor name -> payload. No new version.

        Raises:
            UnknownEditError: no record has this sequence.
        """
        store = self._store
        with store.lock:
            if not payloads:
                return
            with store.change() as head:
                unknown = [s for s in payloads if not 1 <= s <= head.sequence]
                if unknown:
                    raise UnknownEditError(f"No record has sequence {unknown[0]}.")
                store.journal.put_payloads(payloads)
                if store.shared:
                    store.journal.note_payloads()
            store.payloads.clear()
            if store.shared:
                store.follow()

    def reembed(self, encoder: Encoder) -> None:
        """Encode every text anew with ``encoder``, dead records' too, in one transaction."""
        self._store.reembed(encoder)

    # -- reading ------------------------------------------------------------------------------

    def get(self, id: str, *, namespace: str = DEFAULT_NAMESPACE) -> Record:
        """The live record of this id.

        Raises:
            UnknownEditError: there is none.
        """
        with self._current():
            return self._store.known(id, namespace)

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """Live records in sequence order, as they are at the time of the call."""
        with self._current() as live:
            return iter(live.in_order(namespace))

    def namespaces(self) -> dict[str, int]:
        """Number of live records by namespace."""
        with self._current() as live:
            return live.counts()

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 16,
        namespace: str = DEFAULT_NAMESPACE,
        as_of: datetime | None = None,
    ) -> list[list[Hit]]:
        """The records each query may concern, best similarity first.

        Args:
            queries: Texts; a blank one finds nothing.
            k: Records wanted by similarity. Records whose subject the query mentions (at most 64)
                come in addition.
            as_of: Only records that hold at this moment; None: now.

        Raises:
            EncoderMismatchError: the memory was built with another encoder.
            InvalidInputError: ``k`` below one, or a moment without time zone.
        """
        with self._current() as live:
            prepared = prepare_all(live, namespace, queries)
            texts = texts_of(prepared)
        if not texts:
            return [[] for _ in queries]
        vectors = self._store.encode_checked(texts)
        moment = as_of or datetime.now(timezone.utc)
        with self._store.guard:
            return Search(self._store.live, namespace, vectors, k, moment).run(prepared)

    def history(self, id: str | None = None, *, namespace: str | None = None) -> list[Event]:
        """Everything that happened (to the edits of this id), oldest first."""
        with readable(self.address), self._store.read_journal() as journal:
            return [] if journal is None else journal.history(id, namespace)

    def at(self, moment: int | datetime) -> MemoryView:
        """The memory as it was at a version, or at a moment.

        Raises:
            InvalidInputError: no such version, or a moment without time zone.
        """
        store = self._store
        with store.lock:
            version = self._version_of(moment)
            live = LiveSet(upto=version, flat_limit=sys.maxsize)
            with readable(self.address), store.journal.read() as anything:
                if anything:
                    live.catch_up(store.journal, store.payloads)
        as_of = moment if isinstance(moment, datetime) else None
        return MemoryView(live, version, as_of, store.encode_checked)

    def _version_of(self, moment: int | datetime) -> int:
        self._store.refresh()
        journal, newest = self._store.journal, self._store.live.version
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                raise InvalidInputError("The moment has no time zone.", hint=NAIVE_HINT)
            with journal.read() as anything:
                return journal.version_at(moment) if anything else 0
        if not 0 <= moment <= newest:
            hint = f"Versions go from 0 to {newest}."
            raise InvalidInputError(f"There is no version {moment}.", hint=hint)
        return moment

    def verify(self) -> VerifyReport:
        """Check file, hashes, keys, live set and index against each other; reads everything."""
        with self._store.at_rest() as live:
            if live is None:
                return VerifyReport(0, 0, 0)
            return verify(self._store.journal, live)

    # -- files --------------------------------------------------------------------------------

    def export(self, path: str | Path) -> int:
        """Write every live edit as one JSON line, without vectors and payloads; their number.

        Raises:
            MemoryStoreError: the file cannot be written.
        """
        try:
            return files.write(Path(path), self.records())
        except OSError as error:
            hint = "Check the path, its permissions and the free space."
            raise MemoryStoreError(f"Cannot write {str(path)!r}: {error}.", hint=hint) from error

    def import_file(
        self,
        path: str | Path,
        *,
        namespace: str | None = None,
        source: str = "",
        pin: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Add the edits of a JSONL, JSON, CSV or TSV file, 1,024 lines a transaction.

        A line that cannot be used is reported and left out. An import that was interrupted goes on
        where it stopped when the same file is imported again.

        Args:
            path: By suffix: ``.csv``, ``.tsv``, ``.json`` (a list), else one JSON object a line.
            namespace: For lines that name none.
            source: For lines that name none.
            pin: Every line goes into ``namespace``, whichever it names.
            progress: Told how many lines have been dealt with.

        Raises:
            InvalidInputError: no such file, or one that is unusable as a whole.
        """
        store = self._store
        work = Import(Path(path), namespace, source, pin=pin)
        with store.lock, store.journal.read() as anything:
            work.resume(
                store.journal.meta(work.name) if anything else None, store.journal.undone_since
            )
        for requests in work.chunks():
            self._add(requests, meta=work.state)
            if progress is not None:
                progress(work.done)
        if work.done:
            with store.lock, store.change():
                store.journal.put_meta({work.name: None})
        return work.report

    def save(self, path: str | Path) -> None:
        """Copy the memory, with its history, into directory ``path``; its own: only a snapshot.

        Raises:
            MemoryStoreError: the directory holds another memory, or newer changes.
        """
        if is_url(path):
            raise InvalidInputError(
                "A memory is saved into a directory.",
                hint="memedit migrate copies into a database.",
            )
        target = Path(path)
        if self.path is not None and target.resolve() == self.path.resolve():
            self.snapshot()
        else:
            self._store.copy_to(target)

    def snapshot(self) -> None:
        """Write the index beside the journal, so that opening need not rebuild it."""
        with self._store.lock:
            self._store.snapshot()
