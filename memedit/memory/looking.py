"""The replica of a journal on this machine, or in RAM.

Every read looks whether another process wrote, which costs microseconds where none did.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from memedit.core.types import Payload
from memedit.memory.journal.feed import Freshness
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.turns import LOOK_AGAIN, Turns
from memedit.memory.live.state import LiveSet, News
from memedit.memory.replica import PayloadRows, Replica


class LookingReplica(Replica):
    """Looks at the journal, and reads payloads from it when somebody looks at them."""

    def __init__(self, turns: Turns) -> None:
        super().__init__(turns)
        self._seen: tuple[int, int | None] | None = None

    def load(self) -> None:
        self._seen = None
        self.refresh()

    def follow(self) -> None:
        """Nothing is announced."""

    def close(self) -> None:
        """Nothing was listened to."""

    def refresh(self) -> None:
        # Before reading: what is written in between is found by the next look.
        changed = self._journal.changed()
        if changed == self._seen:
            return
        with self._journal.read() as anything:
            if anything:
                self.catch_up(self._journal)
        self._seen = changed

    def refresh_to_read(self) -> None:
        if not self._turns.acquire():
            return
        try:
            self.refresh()
        finally:
            self._turns.lock.release()

    def refresh_to_write(self) -> None:
        changed = self._journal.changed()
        if changed != self._seen:
            self.catch_up(self._journal)
            self._seen = changed

    def catch_up(self, journal: JournalReader) -> dict[str, str]:
        try:
            return super().catch_up(journal)
        except BaseException:
            # What could not be taken in is looked for again.
            self._seen = None
            raise

    def freshness(self) -> Freshness:
        with self.reading() as live:
            return Freshness(live.version)

    def read_payloads(self, sequence: int) -> Mapping[str, Payload]:
        with self._turns.reading() as journal:
            return {} if journal is None else journal.payloads(sequence)

    def count_written(self, keys: int) -> None:
        self.unsaved += keys

    def folder(self, identity: Mapping[str, object]) -> Path | None:
        return self._journal.path

    def _payload_rows(
        self,
        journal: JournalReader,
        live: LiveSet,
        news: News,
        metas: Mapping[str, str],
        *,
        afresh: bool,
    ) -> PayloadRows:
        """They are read when somebody looks at them."""
        return {}

    def _take_payloads(self, rows: PayloadRows, news: News, *, afresh: bool) -> None:
        """There are none; but keys that no snapshot held are counted: processes that live shortly
        would each leave the next one's start to read them again."""
        if afresh:
            self.unsaved = sum(len(keys) for keys, _ in news.keys.values())

    def _wait(self, seconds: float) -> None:
        self._arrived.wait(min(seconds, LOOK_AGAIN))

    def snapshot_after_change(self) -> None:
        self.snapshot_if_due()

    def snapshot_at_close(self) -> None:
        """The next process begins with it: keys that it lacks are worth it."""
        self.snapshot_if_due(closing=True)
