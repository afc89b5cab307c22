"""The copy of a memory in this process's RAM, kept in step with the journal.

What all have in common; how each hears of what others write is in
:mod:`memedit.memory.looking` and :mod:`memedit.memory.listening`.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from memedit.core.allocator import give_back_memory
from memedit.core.collecting import collecting_later
from memedit.core.errors import MemoryStoreError, UntrustedFileError
from memedit.core.types import Payload
from memedit.memory.journal.feed import Freshness
from memedit.memory.journal.payloads import LazyReader
from memedit.memory.journal.reading import PURGED, JournalReader
from memedit.memory.journal.rows import DAMAGE, PayloadRow, readable
from memedit.memory.journal.turns import Turns
from memedit.memory.live import snapshots
from memedit.memory.live.index import VectorIndex
from memedit.memory.live.state import LiveSet, News

SNAPSHOT_EVERY = 20_000
"""Keys written between two snapshots of an index that is slow to rebuild, while it is small."""
_SHARE, _SHARE_AT_CLOSE = 4, 50
"""Of a large index one key in so many: a snapshot is all of it, and what is in none is read from
the journal in a small part of the time. Else a million edits would write their vectors fifty
times."""
PayloadRows = dict[int, list[PayloadRow]]
"""By sequence."""
_MANY = 10_000
"""Records from which it counts what their rows took while they were read."""
_BROKEN = "broken"

log = logging.getLogger(__name__)


class Replica(ABC):
    """The live set in RAM, and where in the journal it stands.

    ``guard`` guards the live set, which answers while a write waits for the database. News are
    taken in by one thread at a time. Locks are taken in the order ``turns.lock``, news, guard.

    Attributes:
        live: The live set; replaced as a whole when it must be read afresh.
        built_with: (id, dimension) of the encoder that the vectors are of; None: no vectors yet.
        payloads: Reads a record's payloads when asked.
        when_purged: Called when something was purged, by whomever: who keeps something that was
            made of edits lets go of it.
        unsaved: Keys that no index snapshot holds.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns, self._journal = turns, turns.journal
        self.guard = threading.RLock()
        self._news = threading.RLock()
        self._arrived = threading.Condition(self.guard)
        self.payloads = LazyReader(self.read_payloads)
        self.unsaved = 0
        self.live = LiveSet()
        self.built_with: tuple[str, int] | None = None
        self._embedding: str | None = None
        self._last = (0, "")  # id and time of the newest event taken in
        self._purged: str | None = None  # the newest event of a purge taken in
        self.when_purged: list[Callable[[], None]] = []

    # -- how each keeps up --------------------------------------------------------------------

    @abstractmethod
    def load(self) -> None:
        """Read the journal as it is now, before anything else."""

    @abstractmethod
    def follow(self) -> None:
        """Begin to hear of what others write."""

    @abstractmethod
    def refresh(self) -> None:
        """Take in what others wrote; microseconds when nothing was. Lock held."""

    @abstractmethod
    def refresh_to_read(self) -> None:
        """:meth:`refresh`, unless a write waits: readers go on with what they have."""

    @abstractmethod
    def refresh_to_write(self) -> None:
        """:meth:`refresh` within a write transaction: nobody else can write now."""

    @abstractmethod
    def freshness(self) -> Freshness:
        """How far this copy may be behind."""

    @abstractmethod
    def read_payloads(self, sequence: int) -> Mapping[str, Payload]:
        """The payloads of one record, by editor."""

    @abstractmethod
    def count_written(self, keys: int) -> None:
        """Count keys that this process wrote."""

    @abstractmethod
    def folder(self, identity: Mapping[str, object]) -> Path | None:
        """Where index snapshots of the memory of this identity are kept; None: nowhere."""

    @abstractmethod
    def close(self) -> None:
        """Hear of nothing any more."""

    @abstractmethod
    def snapshot_after_change(self) -> None:
        """:meth:`snapshot_if_due`, where nothing else sees to it. Lock held."""

    @abstractmethod
    def snapshot_at_close(self) -> None:
        """:meth:`snapshot_if_due`, for the next process that opens the memory. Lock held."""

    @abstractmethod
    def _payload_rows(
        self,
        journal: JournalReader,
        live: LiveSet,
        news: News,
        metas: Mapping[str, str],
        *,
        afresh: bool,
    ) -> PayloadRows:
        """The payloads that the copy shall hold and does not yet; ``live`` is the set to be."""

    @abstractmethod
    def _take_payloads(self, rows: PayloadRows, news: News, *, afresh: bool) -> None:
        """Put :meth:`_payload_rows` in their place. Guard held."""

    @abstractmethod
    def _wait(self, seconds: float) -> None:
        """Until something arrives, or it is time to look again. Guard held."""

    # -- reading ------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[LiveSet]:
        """The live set, up to date, and nobody changes it."""
        self.refresh_to_read()
        with self.guard:
            yield self.live

    @property
    def purged(self) -> int:
        """The newest event of a purge of which nothing is left here; 0: there was none."""
        return int(self._purged or 0)

    @contextmanager
    def hold_at_rest(self) -> Iterator[LiveSet | None]:
        """The live set exactly at the state that the journal shows within the block; None where
        nothing was ever written."""
        with self._turns.lock, self._news, self._journal.read() as anything:
            if not anything:
                yield None
                return
            self.catch_up(self._journal)
            with self.guard:
                yield self.live

    def wait_for(self, version: int, seconds: float) -> bool:
        """Whether the live set has reached ``version``, after at most so many seconds."""
        end = time.monotonic() + seconds
        while True:
            self.refresh_to_read()  # without the guard: locks are taken in their order
            with self.guard:
                if self.live.version >= version:
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._wait(left)

    # -- taking in ----------------------------------------------------------------------------

    def catch_up(self, journal: JournalReader) -> dict[str, str]:
        """Take in the journal's news, within one of its transactions; what it says of itself.

        What cannot be read changes nothing: the copy stays as it was.
        """
        with self._news, readable(journal.address):
            return self._take(journal)

    def _take(self, journal: JournalReader) -> dict[str, str]:
        metas = journal.metas()
        identity = journal.identity(metas)
        live = self.live
        afresh = identity.get("embedding") != self._embedding or not self._continues(journal)
        with collecting_later() if afresh else nullcontext():
            if afresh:  # new, re-encoded elsewhere, or gone back to a backup
                live, news = self._read_afresh(journal, identity)
            else:
                news = live.read(journal, self.payloads, {}, int(identity.get("dimension", 0)))
        rows = self._payload_rows(journal, live, news, metas, afresh=afresh)
        purged = metas.get(PURGED) != self._purged
        relations = journal.relation_ids() if purged and not afresh else None
        with self.guard:
            if not afresh:
                # Records and keys are taken in one by one: half of them is worse than none.
                self._embedding = _BROKEN  # should taking it in fail, all is read again
                live.apply(news)
            if relations is not None:
                live.relations.keep(relations)
            self.live, self._last = live, (news.event, news.at)
            self._take_payloads(rows, news, afresh=afresh)
            self._embedding = identity.get("embedding")
            if self._embedding is not None:
                self.built_with = (identity["encoder"], int(identity["dimension"]))
            # Cached payloads may have been put in anew, or purged.
            self.payloads.clear()
            self._arrived.notify_all()
        if purged:
            self._drop_purged(journal, identity, metas.get(PURGED))
        if afresh and len(live) > _MANY:
            del news, rows
            give_back_memory()
        return identity

    def _drop_purged(
        self, journal: JournalReader, identity: Mapping[str, str], event: str | None
    ) -> None:
        """What was purged is let go of wherever it was kept beside the live set, within one of
        the journal's transactions."""
        # A copy: another thread may add to it meanwhile.
        for forget in list(self.when_purged):
            forget()
        folder = self.folder(identity)
        # A reader of a directory leaves it as it is: whoever writes there removes the snapshot.
        if folder is not None and (self._journal.database.shared or not self._journal.read_only):
            try:
                if snapshots.drop_older(folder, int(event or 0), journal.event_time):
                    # A new one is due: without any, the next start learns all cells again.
                    self.unsaved = max(self.unsaved, SNAPSHOT_EVERY, self._count_keys())
            except (OSError, UntrustedFileError) as error:  # tried again with the next news
                log.error("An index snapshot holds what was purged and stays: %s", error)
                return
        self._purged = event

    def _continues(self, journal: JournalReader) -> bool:
        """Whether the journal still holds the event up to which it was read."""
        event, at = self._last
        # A restored backup may reach the same id again, but not at the same time.
        return not event or journal.event_time(event) == at

    # -- snapshots ----------------------------------------------------------------------------

    def _read_afresh(
        self, journal: JournalReader, identity: Mapping[str, str]
    ) -> tuple[LiveSet, News]:
        """A live set with everything taken in, and the last of it. Without the guard: nobody reads
        this set yet, and it may take minutes."""
        dimension = int(identity.get("dimension", 0))
        live, ready = self._begin(journal, identity)
        of_snapshot = bool(live.event)
        try:
            news = live.read(journal, self.payloads, ready, dimension)
            live.apply(news, ready)
            return live, news
        except (*DAMAGE, MemoryStoreError) as error:
            if not of_snapshot:
                raise
            # A state may pass every check and yet not be what the journal goes on from.
            log.warning("Snapshot of the records is unusable (%s): rebuilding.", error)
        live = LiveSet()
        news = live.read(journal, self.payloads, {}, dimension)
        live.apply(news)
        return live, news

    def _begin(
        self, journal: JournalReader, identity: Mapping[str, str]
    ) -> tuple[LiveSet, Mapping[str, VectorIndex]]:
        """The live set of a snapshot, or one of nothing and what there is of indexes."""
        folder = self.folder(identity)
        if folder is None or "embedding" not in identity:
            return LiveSet(), {}
        saved = snapshots.find(folder, identity, journal.event_time)
        if saved.state is not None:
            try:
                live = LiveSet.from_arrays(saved.state, saved.indexes, self.payloads)
            except (*DAMAGE, MemoryStoreError) as error:
                log.warning("Snapshot of the records is unusable (%s): rebuilding.", error)
            else:
                dimension = int(identity["dimension"])
                live.relations.extend(journal.relation_rows(), dimension)
                live.event, live.version = saved.event, saved.version
                return live, {}
        return LiveSet(), saved.indexes

    def snapshot(self, path: Path | None = None, journal: JournalReader | None = None) -> None:
        """Write the indexes into memory directory ``path``; None: where they are looked for.

        Lock held, unless another journal than this process's own is given.
        """
        journal = journal or self._journal
        with self._news:
            with journal.read() as anything:
                if not anything:
                    return
                self.catch_up(journal)
                identity: dict[str, Any] = {**journal.identity(), "version": self.live.version}
                identity["event"] = list(journal.read_last_event())
            folder = path or self.folder(identity)
            if folder is None:
                return
            # News are held: the live set stays as it is while it is written.
            try:
                # Texts lie where the journal does, and nowhere else.
                state = None if journal.database.shared else self.live.arrays()
                snapshots.write(folder, identity, self.live.indexes(), state)
                dropped = self._drop_if_purged(journal, folder, identity["event"][0])
            except (OSError, UntrustedFileError) as error:
                raise MemoryStoreError(
                    f"The index snapshot in {str(folder)!r} cannot be written: {error}.",
                    hint="The edits are safe: the index is rebuilt from the journal.",
                ) from error
            if path is None:
                # Dropped: without any, the next start learns all cells again.
                self.unsaved = max(SNAPSHOT_EVERY, self._count_keys()) if dropped else 0

    def _drop_if_purged(self, journal: JournalReader, folder: Path, event: int) -> bool:
        """Remove the snapshot just written if there was a purge after its event; whether so.

        Writing takes seconds, and no transaction is open meanwhile: what another process purged
        then, and saw to be nowhere, came back with it. Who purges later removes it itself.
        """
        with journal.read():
            purged = int(journal.metas().get(PURGED) or 0)
            if purged <= event:
                return False
            # No more than that: who keeps what was made of edits hears of it with the news.
            snapshots.drop_older(folder, purged, journal.event_time)
        return True

    def snapshot_if_due(
        self, journal: JournalReader | None = None, *, closing: bool = False
    ) -> None:
        """:meth:`snapshot` of indexes whose cells took long to learn, if enough keys are in none
        (:data:`SNAPSHOT_EVERY`, or more of a large index; at the end, less); a failure is only
        logged. Lock held, unless another journal is given."""
        spaces, keys = list(self.live.spaces.values()), self._count_keys()
        large = any(space.index is not None and not space.index.exact for space in spaces)
        due = max(SNAPSHOT_EVERY, keys // _SHARE)
        if closing:
            due = keys // _SHARE_AT_CLOSE if keys > SNAPSHOT_EVERY else 1
        if self.unsaved < due or not large:
            return
        unsaved, self.unsaved = self.unsaved, 0  # other threads need not try it, too
        try:
            self.snapshot(journal=journal)
        except MemoryStoreError as error:
            self.unsaved += unsaved
            log.warning("%s", error)

    def _count_keys(self) -> int:
        spaces = list(self.live.spaces.values())
        return sum(len(space.index) for space in spaces if space.index is not None)
