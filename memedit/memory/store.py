"""Journal, live set and encoder kept in step: what every verb of a memory is made of."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from memedit.core.errors import (
    EncoderMismatchError,
    InvalidInputError,
    MemoryStoreError,
    UnknownEditError,
    UntrustedFileError,
)
from memedit.core.protocols import Encoder
from memedit.core.types import Payload, Record, Vectors
from memedit.memory.address import Address, directory, replica_folder, shown
from memedit.memory.journal import copying
from memedit.memory.journal.feed import Feed, Freshness
from memedit.memory.journal.journal import PAYLOAD_CHANGES, Journal
from memedit.memory.journal.payloads import LazyReader, load
from memedit.memory.journal.postgres import Postgres
from memedit.memory.journal.rows import Head, PayloadRow, readable
from memedit.memory.live import snapshots
from memedit.memory.live.index import VectorIndex
from memedit.memory.live.state import LiveSet, News
from memedit.memory.planning import Plan, Request
from memedit.memory.reports import Receipt

ENCODE_CHUNK = 1_024
SNAPSHOT_EVERY = 20_000
"""Keys written between two snapshots of an index that is slow to rebuild."""
_LOOK_AGAIN = 0.01  # seconds, where nobody announces changes
_BROKEN = "broken"
_LARGEST = 1 << 63  # what a database takes as a number

log = logging.getLogger(__name__)


class VectorTable(dict[str, Vectors]):
    """Vector by text; a text that was not foreseen is encoded when asked for."""

    def __init__(self, encode: Callable[[Sequence[str]], dict[str, Vectors]]) -> None:
        super().__init__()
        self._encode_texts = encode

    def __missing__(self, text: str) -> Vectors:
        self.foresee([text])
        return self[text]

    def foresee(self, texts: Sequence[str]) -> None:
        """Encode those that are missing, in one call."""
        if missing := [text for text in texts if text not in self]:
            self.update(self._encode_texts(missing))


class Store:
    """The state of one open memory.

    ``lock`` guards the journal's connection; methods that need it held say so. The live set is
    guarded by ``guard``, and answers while a write waits for the database. News are taken in by one
    thread at a time. Locks are taken in the order lock, news, guard.
    """

    def __init__(self, address: Address, encoder: Encoder | None, *, read_only: bool) -> None:
        self.address, self.path = address, directory(address)
        self.lock = threading.RLock()
        self.journal = Journal(address, read_only=read_only)
        self.shared = self.journal.shared
        self.guard = threading.RLock()
        self._news = threading.RLock()
        self._arrived = threading.Condition(self.guard)
        self.payloads = LazyReader(self._read_payloads)
        self._encoder, self._encoder_lock = encoder, threading.RLock()
        self._unsaved = 0
        self._waits = False
        self._feed: Feed | None = None
        self.reset()
        try:
            self._load()
            if encoder is not None:
                self.check_encoder()
        except BaseException:
            self.journal.close()
            raise
        if isinstance(self.journal.database, Postgres):
            self._feed = Feed(self.journal.database, self.catch_up, self._save_now_and_then)

    # -- following the journal ----------------------------------------------------------------

    def reset(self) -> None:
        """Forget what was read; the next :meth:`refresh` reads everything."""
        self.live = LiveSet()
        self._copies: dict[int, list[PayloadRow]] = {}
        self._seen: tuple[int, int] | None = None
        self._embedding: str | None = None
        self._last = (0, "")
        self._payload_changes: str | None = None
        self._built_with: tuple[str, int] | None = None

    def _load(self) -> None:
        if not self.shared:
            self.refresh()
            return
        with self.lock, self.journal.read() as anything:
            if anything:
                self.catch_up(self.journal)

    def refresh(self) -> None:
        """Take in what others wrote; microseconds when nothing was. Lock held.

        A shared memory's copy is kept up to date by its feed: nothing is to be done here.
        """
        if self.shared:
            self.journal.check_open()
            return
        changed = self.journal.changed()
        if changed == self._seen:
            return
        with self.journal.read() as anything:
            if anything:
                self.catch_up(self.journal)
        self._seen = changed

    @contextmanager
    def reading(self) -> Iterator[LiveSet]:
        """The live set, up to date, and nobody changes it."""
        self._refresh_unless_waiting()
        with self.guard:
            yield self.live

    def _refresh_unless_waiting(self) -> None:
        """:meth:`refresh`, unless a write waits: readers go on with what they have."""
        if self.shared:
            self.refresh()
            return
        if not self._acquire_unless_waiting():
            self.journal.check_open()
            return
        try:
            self.refresh()
        finally:
            self.lock.release()

    def _acquire_unless_waiting(self) -> bool:
        """Take the lock; False while a write of this process waits, with the connection, for
        another process to end its own."""
        while not self.lock.acquire(timeout=_LOOK_AGAIN):
            if self._waits:
                return False
        return True

    @contextmanager
    def read_journal(self) -> Iterator[Journal | None]:
        """The journal, open for reading; None where nothing was ever written. While a write waits
        with the connection, another is made."""
        with ExitStack() as stack:
            if self._acquire_unless_waiting():
                stack.callback(self.lock.release)
                journal = self.journal
            else:
                self.journal.check_open()
                journal = stack.enter_context(Journal(self.address, read_only=True))
            yield journal if stack.enter_context(journal.read()) else None

    @contextmanager
    def at_rest(self) -> Iterator[LiveSet | None]:
        """The live set exactly at the state that the journal shows within the block; None where
        nothing was ever written."""
        with self.lock, self._news, self.journal.read() as anything:
            if not anything:
                yield None
                return
            self.catch_up(self.journal)
            with self.guard:
                yield self.live

    def freshness(self) -> Freshness:
        """How far the copy in this process may be behind."""
        with self.reading() as live:
            version = live.version
        return Freshness(version) if self._feed is None else self._feed.freshness(version)

    def wait_for(self, version: int, seconds: float) -> bool:
        """Whether the live set has reached ``version``, after at most so many seconds."""
        end = time.monotonic() + seconds
        while True:
            self._refresh_unless_waiting()  # without the guard: locks are taken in their order
            with self.guard:
                if self.live.version >= version:
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._arrived.wait(left if self.shared else min(left, _LOOK_AGAIN))

    def catch_up(self, journal: Journal) -> dict[str, str]:
        """Take in the journal's news, within one of its transactions; what it says of itself.

        What cannot be read changes nothing: the copy stays as it was.
        """
        with self._news:
            try:
                with readable(journal.address):
                    return self._take(journal)
            except BaseException:
                self._seen = None
                raise

    def _take(self, journal: Journal) -> dict[str, str]:
        metas = journal.metas()
        identity = journal.identity(metas)
        live, ready = self.live, dict[str, VectorIndex]()
        afresh = identity.get("embedding") != self._embedding or not self._continues(journal)
        if afresh:  # new, re-encoded elsewhere, or gone back to a backup
            live = LiveSet()
            ready = self._snapshot_indexes(journal, identity)
        dimension = int(identity.get("dimension", 0))
        news = live.read(journal, self.payloads, ready, dimension)
        copies = self._copied(journal, news, metas.get(PAYLOAD_CHANGES), afresh=afresh)
        last = (news.event, news.at)
        if afresh:
            live.apply(news, ready)
        with self.guard:
            if not afresh:
                self._embedding = _BROKEN  # should taking it in fail, all is read again
                live.apply(news)
            for sequence in news.dead:
                copies.pop(sequence, None)
            self.live, self._copies, self._last = live, copies, last
            self._embedding = identity.get("embedding")
            if self._embedding is not None:
                self._built_with = (identity["encoder"], int(identity["dimension"]))
            self.payloads.clear()
            if self.shared:
                self._unsaved += sum(len(keys) for keys, _ in news.keys.values())
            self._arrived.notify_all()
        return identity

    def _continues(self, journal: Journal) -> bool:
        """Whether the journal still holds the event up to which it was read."""
        event, at = self._last
        return not event or journal.event_time(event) == at

    def _copied(
        self, journal: Journal, news: News, changes: str | None, *, afresh: bool
    ) -> dict[int, list[PayloadRow]]:
        """The payloads of a shared memory's live records: answering must not ask the database."""
        if not self.shared:
            return self._copies
        fresh = [record.sequence for record, _ in news.records]
        if afresh or changes != self._payload_changes:
            kept = () if afresh else self.live.records
            fresh = sorted({*kept, *fresh} - {*news.dead})
        found: dict[int, list[PayloadRow]] = {}
        for row in journal.payload_rows(fresh) if fresh else ():
            found.setdefault(row[0], []).append(row)
        self._payload_changes = changes
        if afresh:
            return found
        self._copies.update(found)
        return self._copies

    def follow(self) -> None:
        """Take in one's own change. It is stored: a failure here costs a reload. Lock held."""
        try:
            with self.journal.read():
                self.catch_up(self.journal)
        except Exception as error:
            log.warning("The change is stored, but reading it back failed: %s", error)
        if not self.shared and self._unsaved >= SNAPSHOT_EVERY:
            self.snapshot_if_slow_to_rebuild()

    def followed(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """:meth:`follow`, and the receipts with the records as they now are. Lock held."""
        self.follow()
        live = self.live.records
        return [
            replace(receipt, record=live.get(receipt.record.sequence, receipt.record))
            for receipt in receipts
        ]

    def known(self, id: str, namespace: str) -> Record:
        """The live record of this id, else :class:`UnknownEditError`. Lock held."""
        sequence = self.live.space(namespace).by_id.get(id)
        if sequence is None:
            raise UnknownEditError(
                f"No live edit {id!r} in namespace {namespace!r}.",
                hint="history() says what came and went; namespaces() lists the others.",
            )
        return self.live.records[sequence]

    def _read_payloads(self, sequence: int) -> dict[str, Payload]:
        if self.shared and sequence in self.live.records:
            rows = self._copies.get(sequence, ())
            return {editor: load(tensors, values) for _, editor, tensors, values in rows}
        with self.read_journal() as journal:
            return {} if journal is None else journal.payloads(sequence)

    # -- encoding -----------------------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """The encoder; the default one is loaded when first asked for."""
        with self._encoder_lock:
            if self._encoder is None:
                from memedit.encoders import load_encoder

                self._encoder = load_encoder()
            return self._encoder

    def check_encoder(self) -> None:
        """:class:`EncoderMismatchError` unless the memory's vectors are this encoder's."""
        if self._built_with is None:
            return
        name, size = self._built_with
        mine = (self.encoder.id, self.encoder.dimension)
        if mine != self._built_with:
            where = "DIR" if self.address is None else shown(self.address)
            raise EncoderMismatchError(
                f"This memory was built with encoder {name!r} ({size} dimensions), "
                f"not with {mine[0]!r} ({mine[1]}).",
                hint="Open it with that encoder, or re-encode it: memedit edit reembed --memory "
                f"{where} (in Python: EditMemory(path).reembed(encoder)).",
            )

    def encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Vector by text, in one call of the encoder."""
        encoder = self.encoder
        vectors = np.asarray(encoder.encode(texts), dtype=np.float32)
        if vectors.shape != (len(texts), encoder.dimension) or not np.isfinite(vectors).all():
            raise InvalidInputError(
                f"Encoder {encoder.id!r} gave {vectors.shape} for {len(texts)} texts of dimension "
                f"{encoder.dimension}, or values that are not finite.",
                hint="encode() must return finite float32 [n, dimension].",
            )
        return dict(zip(texts, vectors, strict=True))

    def encode_checked(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """:meth:`check_encoder`, then :meth:`encode`."""
        with self.guard:
            self.check_encoder()
        return self.encode(texts)

    def _fill(
        self,
        vectors: VectorTable,
        texts: Sequence[str],
        report: Callable[[int], None] | None = None,
    ) -> None:
        for start in range(0, len(texts), ENCODE_CHUNK):
            chunk = texts[start : start + ENCODE_CHUNK]
            vectors.update(self.encode(chunk))
            if report is not None:
                report(start + len(chunk))

    def vectors_for(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> VectorTable:
        """Vectors of every text that is new, encoded without holding the lock.

        Empty if every request is a duplicate. ``progress`` is told how many requests are ready.
        """
        vectors = VectorTable(self.encode_checked)
        with self.reading() as live:
            needed = self._new_texts(requests)
            if needed:
                self.check_encoder()
            relations = live.relations
            known = [text for text in needed if text in relations]
            if known:
                vectors.update(zip(known, relations.vectors(known), strict=True))
        missing = [text for text in needed if text not in vectors]
        report = None if progress is None else lambda n: progress(needed[missing[n - 1]])
        self._fill(vectors, missing, report)
        if progress is not None:
            progress(len(requests))
        return vectors

    def _new_texts(self, requests: Sequence[Request]) -> dict[str, int]:
        """Text -> number of requests up to the first that needs it. Guard held."""
        plan = self.plan(Head(), VectorTable(self.encode))
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
        with ExitStack() as stack:
            self._waits = self.address is not None  # perhaps for another process
            try:
                stack.enter_context(self.journal.write())
            finally:
                self._waits = False
            if self.shared:
                self.catch_up(self.journal)
            elif (changed := self.journal.changed()) != self._seen:
                self.catch_up(self.journal)
                self._seen = changed
            yield self.journal.head()

    def plan(self, head: Head, vectors: Mapping[str, Vectors]) -> Plan:
        """A plan on the live set as it is. Lock held."""
        return Plan(self.live, head, vectors, datetime.now(timezone.utc))

    def store(self, head: Head, plan: Plan, vectors: Mapping[str, Vectors]) -> None:
        """Write what a plan decided, within :meth:`change`."""
        if plan.stored:
            self.check_encoder()
            if self._built_with is None:
                self.journal.put_meta(self._embedding_meta())
            self.journal.append(head, plan.stored, vectors)
        self.journal.log(head, plan.entries)
        if not self.shared:
            self._unsaved += sum(len(stored.texts) for stored in plan.stored)

    def _embedding_meta(self) -> dict[str, str | None]:
        return {
            "encoder": self.encoder.id,
            "dimension": str(self.encoder.dimension),
            "embedding": uuid.uuid4().hex,
        }

    def reembed(self, encoder: Encoder) -> None:
        """Encode every text anew, dead records' too, and keep ``encoder``."""
        with self.lock, self.journal.read() as anything:
            texts = self._stored_texts() if anything else []
        old, self._encoder = self._encoder, encoder
        try:
            vectors = VectorTable(self.encode)
            self._fill(vectors, texts)
            with self.lock:
                self._replace_vectors(vectors)
                self._seen = None
                self._load()
        except BaseException:
            self._encoder = old
            raise

    def _stored_texts(self) -> list[str]:
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

    # -- snapshots ----------------------------------------------------------------------------

    def folder(self, identity: Mapping[str, object]) -> Path | None:
        """Where index snapshots of this memory are kept: beside the journal, or on this machine."""
        if self.path is None and "memory" in identity and self.shared:
            return replica_folder(str(identity["memory"]))
        return self.path

    def _snapshot_indexes(
        self, journal: Journal, identity: Mapping[str, str]
    ) -> dict[str, VectorIndex]:
        folder = self.folder(identity)
        if folder is None or "embedding" not in identity:
            return {}
        manifest = snapshots.manifest(folder)
        if manifest is None:
            return {}
        if any(manifest.get(name) != value for name, value in identity.items()):
            log.warning("Index snapshot in %s is another memory's: rebuilding.", folder)
            return {}
        event = manifest.get("event")
        if not isinstance(event, list) or len(event) != 2 or not isinstance(event[0], int):
            return {}
        if not 0 < event[0] < _LARGEST:
            return {}
        if journal.event_time(event[0]) != event[1]:
            log.warning("Index snapshot in %s is of another history: rebuilding.", folder)
            return {}
        return snapshots.load(folder, manifest, int(identity["dimension"]))

    def snapshot(self, path: Path | None = None, journal: Journal | None = None) -> None:
        """Write the indexes into memory directory ``path``; None: where they are looked for.

        Lock held, unless another journal than the store's is given.
        """
        journal = journal or self.journal
        with self._news:
            with journal.read() as anything:
                if not anything:
                    return
                self.catch_up(journal)
                identity = journal.identity() | {"event": list(journal.last_event())}
            folder = path or self.folder(identity)
            if folder is None:
                return
            spaces = self.live.spaces.items()
            indexes = {name: space.index for name, space in spaces if space.index is not None}
            try:
                snapshots.write(folder, identity, indexes)
            except (OSError, UntrustedFileError) as error:
                raise MemoryStoreError(
                    f"The index snapshot in {str(folder)!r} cannot be written: {error}.",
                    hint="The edits are safe: the index is rebuilt from the journal.",
                ) from error
            self._unsaved = 0

    def snapshot_if_slow_to_rebuild(self, journal: Journal | None = None) -> None:
        """Snapshot an index whose cells took long to learn; a failure is only logged. Lock held,
        unless another journal than the store's is given."""
        spaces = list(self.live.spaces.values())
        large = any(space.index is not None and not space.index.exact for space in spaces)
        if (self.path is None and not self.shared) or not large:
            return
        self._unsaved = 0
        try:
            self.snapshot(journal=journal)
        except MemoryStoreError as error:
            log.warning("%s", error)

    def _save_now_and_then(self, journal: Journal) -> None:
        """Keep a snapshot of a shared memory, so that this machine's next process starts soon."""
        if self._unsaved >= SNAPSHOT_EVERY:
            self.snapshot_if_slow_to_rebuild(journal)

    def close(self) -> None:
        """Snapshot where that saves time, and let go of the files."""
        if self._feed is not None:
            self._feed.close()
        with self.lock:
            due = self._unsaved >= (SNAPSHOT_EVERY if self.shared else 1)
            if due and not self.journal.read_only and not self.journal.closed:
                self.snapshot_if_slow_to_rebuild()
            self.journal.close()

    def copy_to(self, path: Path) -> None:
        """Journal and snapshot into another directory, over an older copy of this memory."""
        with self.lock:
            if not self.journal.ready:
                with self.journal.write():
                    pass
            self._check_target(path)
            if self.shared:
                copying.copy(self.journal, path)
            else:
                self.journal.copy_to(path)
            self.snapshot(path)

    def _check_target(self, path: Path) -> None:
        target = Journal(path)
        try:
            with target.read() as anything:
                if not anything:
                    return
                event, at = target.last_event()
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
