"""The replica of a journal that other machines use.

A thread takes in what they commit. Reading never asks the database: the copy holds payloads too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from memedit.core.types import Payload
from memedit.memory.address import replica_folder
from memedit.memory.journal.feed import Feed, Freshness
from memedit.memory.journal.payloads import load
from memedit.memory.journal.reading import PAYLOAD_CHANGES, JournalReader
from memedit.memory.journal.turns import Turns
from memedit.memory.live.state import LiveSet, News
from memedit.memory.replica import PayloadRows, Replica


class ListeningReplica(Replica):
    """Hears of commits, and answers alone while the database is away."""

    def __init__(self, turns: Turns) -> None:
        super().__init__(turns)
        self._copies: PayloadRows = {}
        self._payload_changes: str | None = None
        self._feed: Feed | None = None

    def load(self) -> None:
        with self._turns.lock, self._journal.read() as anything:
            if anything:
                self.catch_up(self._journal)

    def follow(self) -> None:
        def idle(journal: JournalReader) -> None:
            self.snapshot_if_due(journal=journal)  # so that this machine's next process starts soon

        self._feed = Feed(self._journal.database, self.catch_up, idle, lambda: self.purged)

    def close(self) -> None:
        if self._feed is not None:
            self._feed.close()

    def refresh(self) -> None:
        """The feed does it."""
        self._journal.check_open()

    def refresh_to_read(self) -> None:
        self.refresh()

    def refresh_to_write(self) -> None:
        self.catch_up(self._journal)

    def freshness(self) -> Freshness:
        with self.reading() as live:
            version = live.version
        return Freshness(version) if self._feed is None else self._feed.freshness(version)

    def read_payloads(self, sequence: int) -> Mapping[str, Payload]:
        if sequence in self.live.records:
            rows = self._copies.get(sequence, ())
            return {editor: load(tensors, values) for _, editor, tensors, values in rows}
        with self._turns.reading() as journal:
            return {} if journal is None else journal.payloads(sequence)

    def count_written(self, keys: int) -> None:
        """They are counted as they are taken in, with those of others."""

    def folder(self, identity: Mapping[str, object]) -> Path | None:
        memory = identity.get("memory")
        return None if memory is None else replica_folder(str(memory))

    def _payload_rows(
        self,
        journal: JournalReader,
        live: LiveSet,
        news: News,
        metas: Mapping[str, str],
        *,
        afresh: bool,
    ) -> PayloadRows:
        wanted = [record.sequence for record, _ in news.records]
        changes = metas.get(PAYLOAD_CHANGES)
        if afresh or changes != self._payload_changes:
            # Nobody says which payloads came later: all are read again.
            wanted = sorted({*live.records, *wanted} - {*news.dead})
        found: PayloadRows = {}
        for row in journal.payload_rows(wanted) if wanted else ():
            found.setdefault(row[0], []).append(row)
        self._payload_changes = changes
        return found

    def _take_payloads(self, rows: PayloadRows, news: News, *, afresh: bool) -> None:
        if afresh:
            self._copies = {}
        self._copies.update(rows)
        for sequence in news.dead:
            self._copies.pop(sequence, None)
        self.unsaved += sum(len(keys) for keys, _ in news.keys.values())

    def _wait(self, seconds: float) -> None:
        self._arrived.wait(seconds)

    def snapshot_after_change(self) -> None:
        """The feed's thread sees to it."""

    def snapshot_at_close(self) -> None:
        self.snapshot_if_due()
