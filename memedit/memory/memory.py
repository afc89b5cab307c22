"""EditMemory: the edits a model shall hold. Durable, versioned, shared between processes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.core.files import as_path
from memedit.core.moments import Moment
from memedit.core.options import known_options
from memedit.core.protocols import Encoder
from memedit.core.types import (
    DEFAULT_NAMESPACE,
    Edit,
    Payload,
    Record,
    Vectors,
    check_named,
    check_text,
)
from memedit.memory import changing, files
from memedit.memory.address import Address, check_address, is_url
from memedit.memory.documents import Documented
from memedit.memory.erasing.verbs import Erasable
from memedit.memory.importing import Import
from memedit.memory.journal.feed import Freshness
from memedit.memory.journal.rows import readable, record_row
from memedit.memory.live.state import LiveSet
from memedit.memory.reports import Event, ImportReport, Receipt, VerifyReport
from memedit.memory.requests import Request
from memedit.memory.resting import Resting
from memedit.memory.slots import Replaced
from memedit.memory.store import Store
from memedit.memory.successors import naming_successors
from memedit.memory.undoing import Undoable
from memedit.memory.using import Counted, Uses
from memedit.memory.verify import verify
from memedit.memory.view import MemoryView, Searchable
from memedit.memory.zones import Zoned


class EditMemory(Zoned, Searchable, Documented, Undoable, Erasable, Counted, Resting):
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
        UnknownNameError: a URL of a scheme that nobody registered.
        MissingExtraError: psycopg is not installed.
    """

    @known_options
    def __init__(
        self,
        path: str | Path | None = None,
        encoder: Encoder | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        check_address(path)
        self.address: Address = path
        self._store = Store(path, encoder, read_only=read_only)
        self.path = self._store.path
        self._uses = Uses(lambda write: self.beside(write=write), keeps=not read_only)
        self._store.replica.when_purged.append(self._uses.forget)

    @property
    def encoder(self) -> Encoder:
        """The encoder; the default one is loaded when first asked for."""
        return self._store.encoding.encoder

    def comparing(self) -> AbstractContextManager[None]:
        """Within, an edit is compared with others and then added: no other thread does so
        meanwhile, and a text is encoded once."""
        return self._store.comparing()

    @property
    def read_only(self) -> bool:
        """Whether every change is refused."""
        return self._store.journal.read_only

    @property
    def version(self) -> int:
        """Grows by one with every change; 0 for a new memory."""
        with self._current() as live:
            return live.version

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
        """Write counts of use, an index snapshot where that saves time, and let go of the files.
        What is lost where another process goes on writing for seconds are the counts."""
        self.hurry()
        if not self._store.journal.closed and self.freshness().connected:
            self._uses.write()
        self._store.close()

    def hurry(self, seconds: float = 2.0) -> None:
        """Let changes, those under way too, wait for another process's write no longer than so many
        seconds from now: this process is about to end. One that waits in vain raises
        :class:`MemoryStoreError`, and nothing of it is stored."""
        self._store.hurry(seconds)

    def _current(self) -> AbstractContextManager[LiveSet]:
        return self._store.reading()

    @contextmanager
    def _held(self) -> Iterator[LiveSet]:
        with self._store.replica.guard:
            yield self._store.live

    def _encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        return self._store.encoding.encode_checked(texts)

    def _replaced(self, record: Record) -> Sequence[Replaced]:
        return self._store.replaced(record)

    @property
    def shared(self) -> bool:
        """Whether this is a copy of a memory that other machines may change."""
        return self._store.journal.database.shared

    def freshness(self) -> Freshness:
        """How far the copy in this process may be behind: nothing to fear of a directory."""
        return self._store.replica.freshness()

    def wait_for(self, version: int, seconds: float = 5.0) -> bool:
        """Wait until searches see ``version``, which a receipt named: read your own writes through
        any process. False where that takes longer than so many seconds."""
        return self._store.replica.wait_for(version, seconds)

    def digest(self) -> str:
        """SHA-256 of the live records in order: equal in every process that has seen the same."""
        with self._current() as live:
            records = live.iterate()
            relations = dict(live.relation_pairs())
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
        valid_from: Moment | None = None,
        valid_until: Moment | None = None,
        payloads: Mapping[str, Payload] | None = None,
        replaces: Sequence[str] = (),
        perhaps: Sequence[str] = (),
    ) -> Receipt:
        """Store one edit; an older one about the same thing loses the time that both would hold: it
        stays live up to ``valid_from`` and, unless it says the same, from where ``valid_until``
        ends. An edit that is live already is a duplicate and changes nothing. The ``queries`` and
        ``excluded`` of what it replaces are kept: the receipt tells them.

        Args:
            valid_from: From when it holds: a date (the whole day, in the memory's :attr:`zone`) or
                an aware datetime, or either in ISO 8601.
            valid_until: The last day on which it holds, or the moment up to which it does.
            replaces: Ids of live edits that it corrects though they are in other words.
            perhaps: Ids of live edits that it may contradict: they stay, and are conflicts.

        Raises:
            InvalidEditError: a date without time zone or an empty interval.
            MemoryStoreError: it could not be stored; the memory is as before.
        """
        zone = self._zone_for(valid_from, valid_until)
        request = Request.of(edit, namespace, source, valid_from, valid_until, payloads, zone=zone)
        request = replace(request, replaces=tuple(replaces), perhaps=tuple(perhaps))
        return self._told(changing.add(self._store, [request])[0])

    def _told(self, receipt: Receipt) -> Receipt:
        """A receipt that also tells what may rest on what was retired."""
        but = receipt.record.id
        told = replace(receipt, may_rest=self.resting_on(receipt.superseded, but))
        return self._tell_zone([told])[0]

    def add_many(
        self,
        edits: Sequence[Edit],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: Moment | None = None,
        valid_until: Moment | None = None,
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
        zone = self._zone_for(valid_from, valid_until)
        requests = [
            Request.of(edit, namespace, source, valid_from, valid_until, mine, zone=zone)
            for edit, mine in zip(edits, held, strict=True)
        ]
        return self._tell_zone(changing.add(self._store, requests, progress=progress))

    def preview(
        self,
        edits: Sequence[Edit],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: Moment | None = None,
        valid_until: Moment | None = None,
    ) -> list[Receipt]:
        """What :meth:`add_many` would answer now; nothing is written."""
        zone = self._zone_for(valid_from, valid_until)
        requests = [
            Request.of(edit, namespace, source, valid_from, valid_until, zone=zone)
            for edit in edits
        ]
        return changing.preview(self._store, requests)

    def supersede(
        self,
        id: str,
        edit: Edit,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        source: str = "",
        valid_from: Moment | None = None,
        valid_until: Moment | None = None,
        payloads: Mapping[str, Payload] | None = None,
        replaces: Sequence[str] = (),
        perhaps: Sequence[str] = (),
    ) -> Receipt:
        """Retire edit ``id`` and add ``edit`` in its place, in one transaction.

        The same edit with other dates replaces the old one too, which is not in force again when
        the new one ends. ``payloads``, ``replaces`` and ``perhaps`` as for :meth:`add`: other
        edits that say the same slot in other words are not looked for. ``queries`` and ``excluded``
        are those of ``edit``: what ``id`` had is left where they are left out.

        Raises:
            UnknownEditError: no live edit has this id.
        """
        zone = self._zone_for(valid_from, valid_until)
        request = Request.of(edit, namespace, source, valid_from, valid_until, payloads, zone=zone)
        request = replace(request, replaces=tuple(replaces), perhaps=tuple(perhaps))
        made = changing.put_in_place(self._store, id, namespace, lambda old: request)
        return self._told(made)

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
        return changing.report(self._store, id, namespace, asked, concerns=concerns)

    def put_payloads(self, payloads: Mapping[int, Mapping[str, Payload]]) -> None:
        """Store payloads compiled later: sequence -> editor name -> payload. No new version.

        Raises:
            UnknownEditError: no record has this sequence.
        """
        if payloads:
            changing.put_payloads(self._store, payloads)

    def reembed(self, encoder: Encoder) -> None:
        """Encode every text anew with ``encoder``, dead records' too, in one transaction."""
        self._store.reembed(encoder)

    # -- reading ------------------------------------------------------------------------------

    def get(self, id: str, *, namespace: str = DEFAULT_NAMESPACE) -> Record:
        """The live record of this id.

        Raises:
            UnknownEditError: there is none; it says what took the place of one there was.
        """
        with naming_successors(self._store, namespace), self._current():
            return self._store.known(id, namespace)

    def history(self, id: str | None = None, *, namespace: str | None = None) -> list[Event]:
        """Everything that happened (to the edits of this id), oldest first.

        Raises:
            InvalidInputError: an id or a namespace that is no text.
        """
        for what, name in (("id", id), ("namespace", namespace)):
            if name is not None:
                check_named(what, name)
        with readable(self.address), self._store.turns.reading() as journal:
            return [] if journal is None else journal.history(id, namespace)

    def at(self, moment: int | Moment) -> MemoryView:
        """The memory as it was at a version, or at a moment (of a date: as its day began).

        Raises:
            InvalidInputError: no such version, or a moment without time zone.
        """
        store, zone = self._store, self.zone
        if not isinstance(moment, int):
            moment = self.moment(moment)
        with store.lock:
            version = store.version_of(moment)
            live = LiveSet(upto=version, flat_limit=sys.maxsize)
            with readable(self.address), store.journal.read() as anything:
                if anything:
                    live.catch_up(store.journal, store.replica.payloads)
        as_of = moment if isinstance(moment, datetime) else None
        replaced = partial(store.replaced, upto=version)
        return MemoryView(live, version, as_of, self._encode, zone, replaced)

    def verify(self) -> VerifyReport:
        """Check file, hashes, keys, live set and index against each other; reads everything."""
        with self._store.replica.hold_at_rest() as live:
            if live is None:
                return VerifyReport(0, 0, 0)
            return verify(self._store.journal, live)

    @contextmanager
    def beside(self, *, write: bool) -> Iterator[Connection | None]:
        """A transaction of the memory's database, for what a server keeps beside the edits.

        Its tables hold values only, and stay where they are: no copy takes them along. None where
        nothing was ever written, and ``write`` is False.

        Raises:
            MemoryStoreError: the database cannot be used.
        """
        with self._store.beside(write=write) as connection:
            yield connection

    # -- files --------------------------------------------------------------------------------

    def export(self, path: str | Path) -> int:
        """Write every live edit as one JSON line, without vectors and payloads; their number.

        Raises:
            MemoryStoreError: the file cannot be written.
        """
        file = as_path(path)
        try:
            return files.write(file, self.records())
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
        compare: Callable[[Request], Request | Receipt] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Add the edits of a JSONL, JSON, CSV or TSV file, 1,024 lines a transaction.

        A line that cannot be used is reported and left out. An import that was interrupted goes on
        where it stopped when the same file is imported again.

        Args:
            path: By suffix: ``.csv``, ``.tsv``, ``.json`` (a list), else one JSON object a line.
            namespace, source: For lines that name none.
            pin: Every line goes into ``namespace``, whichever it names.
            compare: Says what a line corrects, or of what it is a duplicate: one at a time.
            progress: Told how many lines have been dealt with.

        Raises:
            InvalidInputError: no such file, or one that is unusable as a whole.
        """
        work = Import(as_path(path), namespace, source, pin=pin, zone=self.zone)
        changing.import_file(self._store, work, progress, compare)
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
        target = as_path(path)
        if self.path is not None and target.resolve() == self.path.resolve():
            self.snapshot()
        else:
            self._store.copy_to(target)

    def snapshot(self) -> None:
        """Write the index beside the journal, so that opening need not rebuild it."""
        with self._store.lock:
            self._store.replica.snapshot()
