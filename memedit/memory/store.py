"""Journal, replica and encoder kept in step: what every verb of a memory is made of."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.core.protocols import Encoder
from memedit.core.types import Record, Vectors, check_named
from memedit.memory.address import Address
from memedit.memory.encoding import Encoding, VectorTable
from memedit.memory.journal import copying
from memedit.memory.journal.database import Hurries
from memedit.memory.journal.journal import Journal
from memedit.memory.journal.rows import Head, readable
from memedit.memory.journal.turns import Turns
from memedit.memory.listening import ListeningReplica
from memedit.memory.live.state import LiveSet
from memedit.memory.looking import LookingReplica
from memedit.memory.planning import Plan
from memedit.memory.replica import Replica
from memedit.memory.reports import Receipt, make_unknown
from memedit.memory.requests import Request
from memedit.memory.slots import Replaced

log = logging.getLogger(__name__)


class Store:
    """The state of one open memory.

    Methods that need ``lock`` held say so.

    Attributes:
        journal: The truth; ``lock`` guards its connection.
        replica: The copy in RAM that answers.
        encoding: The encoder.
    """

    def __init__(self, address: Address, encoder: Encoder | None, *, read_only: bool) -> None:
        self.address = address
        self.journal = Journal(address, read_only=read_only)
        self.path = self.journal.database.path
        self.turns = Turns(self.journal)
        self.lock = self.turns.lock
        shared = self.journal.database.shared
        self.replica: Replica = (ListeningReplica if shared else LookingReplica)(self.turns)
        self.encoding = Encoding(encoder, address, lambda: self.replica.built_with)
        self._comparing = threading.RLock()
        try:
            self.replica.load()
            # None would load the default one now, which a reader may never need.
            if encoder is not None:
                self.encoding.check()
        except BaseException:
            self.journal.close()
            raise
        self.replica.follow()

    @property
    def live(self) -> LiveSet:
        """The live set as it is in RAM now."""
        return self.replica.live

    @contextmanager
    def comparing(self) -> Iterator[None]:
        """Within, no other thread compares an edit with those in force and adds it: of two at once
        neither would see the other. A text is encoded once."""
        with self._comparing, self.encoding.once():
            yield

    def reading(self) -> AbstractContextManager[LiveSet]:
        """The live set, up to date, and nobody changes it."""
        return self.replica.reading()

    def known(self, id: str, namespace: str) -> Record:
        """The live record of this id, else :class:`UnknownEditError`. Lock or guard held."""
        check_named("id", id)
        sequence = self.live.space(namespace).find(id)
        if sequence is None:
            raise make_unknown(id, namespace)
        return self.live.records[sequence]

    def version_of(self, moment: int | datetime) -> int:
        """The version that is meant, or was current at a moment. Lock held.

        Raises:
            InvalidInputError: there is no such version.
        """
        if isinstance(moment, datetime):
            self.replica.refresh()
            with self.journal.read() as anything:
                return self.journal.version_at(moment) if anything else 0
        return self.version(moment)

    def version(self, given: object) -> int:
        """A version that there was. Lock held.

        Raises:
            InvalidInputError: there was none such.
        """
        self.replica.refresh()
        newest = self.live.version
        hint = f"Versions go from 0 to {newest}; history() tells what each one changed."
        if not isinstance(given, int) or isinstance(given, bool):
            raise InvalidInputError(f"A version is a whole number, not {given!r}.", hint=hint)
        if not 0 <= given <= newest:
            raise InvalidInputError(f"There is no version {given}.", hint=hint)
        return given

    def replaced(self, record: Record, upto: int | None = None) -> list[Replaced]:
        """What a record replaced, in versions up to ``upto``, the newest first."""
        with readable(self.address), self.turns.reading() as journal:
            if journal is None:
                return []
            return journal.replaced(record.sequence, self.replica.payloads, upto)

    # -- vectors ------------------------------------------------------------------------------

    def vectors_for(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> VectorTable:
        """Vectors of every text that is new, encoded without holding the lock.

        Empty if every request is a duplicate. ``progress`` is told how many requests are ready.
        """
        vectors = VectorTable(self.encoding.encode_checked)
        with self.reading() as live:
            needed = self._count_new_texts(requests)
            if needed:
                self.encoding.check()
            relations = live.relations
            # A vector depends on its text alone, so those of masked prompts serve again.
            known = [text for text in needed if text in relations]
            if known:
                vectors.update(zip(known, relations.vectors(known), strict=True))
        missing = [text for text in needed if text not in vectors]
        # The n-th text that is ready completes all requests before the first that needs the next.
        report = None if progress is None else lambda n: progress(needed[missing[n - 1]])
        vectors.foresee(missing, report)
        if progress is not None:
            progress(len(requests))
        return vectors

    def _count_new_texts(self, requests: Sequence[Request]) -> dict[str, int]:
        """Text -> number of requests up to the first that needs it. Guard held."""
        plan = self.plan(Head(), VectorTable(self.encoding.encode))
        needed: dict[str, int] = {}
        for count, request in enumerate(requests):
            if plan.duplicate(request) is None:
                for text in request.texts():
                    needed.setdefault(text, count)
        return needed

    # -- changing -----------------------------------------------------------------------------

    @contextmanager
    def change(self) -> Iterator[Head]:
        """A write transaction, begun with the live set up to date. Lock held."""
        with self.turns.writing():
            self.replica.refresh_to_write()
            yield self.journal.head()

    def plan(self, head: Head, vectors: Mapping[str, Vectors]) -> Plan:
        """A plan on the live set as it is. Lock held, and the journal open where something is to
        be replaced."""
        return Plan(self.live, head, vectors, datetime.now(timezone.utc), self.journal)

    def store(self, head: Head, plan: Plan, vectors: Mapping[str, Vectors]) -> None:
        """Write what a plan decided, within :meth:`change`."""
        # Of copies the vectors are there: to take an edit out needs no encoder.
        if any(stored.copy_of is None for stored in plan.stored):
            self.encoding.check()
            if self.replica.built_with is None:
                self.journal.put_meta(self._embedding_meta())
        if plan.stored:
            self.journal.append(head, plan.stored, vectors)
        self.journal.log(head, plan.entries)
        self.replica.count_written(sum(len(stored.texts) for stored in plan.stored))

    def _embedding_meta(self) -> dict[str, str | None]:
        encoder = self.encoding.encoder
        return {
            "encoder": encoder.id,
            "dimension": str(encoder.dimension),
            "embedding": uuid.uuid4().hex,  # new each time: indexes of older vectors are told by it
        }

    def follow(self) -> None:
        """Take in one's own change. It is stored: a failure here costs a reload. Lock held."""
        try:
            with self.journal.read():
                self.replica.catch_up(self.journal)
        except Exception as error:
            log.warning("The change is stored, but reading it back failed: %s", error)
        self.replica.snapshot_after_change()

    def follow_all(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """:meth:`follow`, and the receipts with the records as they now are. Lock held."""
        self.follow()
        # Others' news arrive without the lock: they may take out the very record that is read.
        with self.replica.guard:
            live = self.live.records
            return [
                replace(receipt, record=live.get(receipt.record.sequence, receipt.record))
                for receipt in receipts
            ]

    @contextmanager
    def beside(self, *, write: bool) -> Iterator[Connection | None]:
        """A transaction for tables beside the memory's own; None: there is nothing to read."""
        if write:
            with self.lock, self.turns.writing() as journal:
                journal.database.check_place()
                yield journal.connection
        else:
            with self.turns.reading() as reading:
                yield None if reading is None else reading.connection

    # -- the whole memory ---------------------------------------------------------------------

    def reembed(self, encoder: Encoder) -> None:
        """Encode every text anew, dead records' too, and keep ``encoder``."""
        with self.lock, self.journal.read() as anything:
            # Encoded without the lock, as it takes long; what is added meanwhile follows below.
            texts = self._read_stored_texts() if anything else []
        old = self.encoding.change(encoder)
        try:
            vectors = VectorTable(self.encoding.encode)
            vectors.foresee(texts)
            with self.lock:
                self._replace_vectors(vectors)
                self.replica.load()
        except BaseException:
            self.encoding.change(old)
            raise

    def _read_stored_texts(self) -> list[str]:
        keys = [row[2] for row in self.journal.key_rows()]
        return list(dict.fromkeys(keys + [row[1] for row in self.journal.relation_rows()]))

    def _replace_vectors(self, vectors: VectorTable) -> None:
        if not self.journal.exists():
            return
        with self.journal.write():
            keys = [vectors[row[2]] for row in self.journal.key_rows()]
            relations = [vectors[row[1]] for row in self.journal.relation_rows()]
            self.journal.replace_vectors(keys, relations)
            if keys:
                self.journal.put_meta(self._embedding_meta())

    def copy_to(self, path: Path) -> None:
        """Journal and snapshot into another directory, over an older copy of this memory."""
        with self.lock:
            # Makes the tables: a memory without edits is copied too.
            if not self.journal.ready:
                with self.journal.write():
                    pass
            self._check_target(path)
            # A copied file brings along the tables that a server keeps beside the edits.
            if self.journal.copy_file(path):
                copying.leave_edits(path)
            else:
                copying.copy(self.journal, path)
            self.replica.snapshot(path)

    def _check_target(self, path: Path) -> None:
        target = Journal(path)
        try:
            with target.read() as anything:
                if not anything:
                    return
                event, at = target.read_last_event()
                theirs = target.meta("memory")
        finally:
            target.close()
        with self.journal.read():
            same = theirs == self.journal.meta("memory")
            if event and not (same and self.journal.event_time(event) == at):
                raise MemoryStoreError(
                    f"{str(path)!r} holds another memory, or changes that this one lacks.",
                    hint="Save into an empty directory, or export and import the edits.",
                )

    def hurry(self, seconds: float) -> None:
        """Wait for other processes' writes no longer than so many seconds from now."""
        if isinstance(self.journal.database, Hurries):
            self.journal.database.hurry(seconds)

    def close(self) -> None:
        """Snapshot where that saves time, and let go of the files."""
        self.replica.close()
        with self.lock:
            if not self.journal.read_only and not self.journal.closed:
                self.replica.snapshot_at_close()
            self.journal.close()
