"""What a purge did, for the files of whoever asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Erased:
    """One record that was purged.

    Attributes:
        sha256: Of salt and content: the memory keeps it in the event, and not the salt.
    """

    namespace: str
    id: str
    sequence: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file or table in which the purged texts were looked for afterwards.

    Attributes:
        name: Of the file or table.
        size: Bytes of a file, rows of a table.
        found: Whether one of the texts is still there.
    """

    name: str
    size: int
    found: bool


@dataclass(frozen=True, slots=True)
class Follower:
    """A copy that follows a shared memory, and whether it has let go of what was purged."""

    name: str
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was purged, when, where it was looked for, and what could not be done.

    Attributes:
        purge: An id of this purge.
        memory: The memory's id.
        at: When it was done (ISO 8601, UTC).
        version: The memory's version since.
        records: What was purged. Where an interrupted purge was finished, its salt and texts are
            known no more: the hashes are those of its events, and :attr:`searched` is 0.
        salt: Goes into every hash below. It is kept nowhere else: who has it and the text can show
            that this was purged.
        before, after: Salted hash of every row of the journal.
        changed: Rows that went or lost their text, by table.
        tables, files: Where the texts were looked for afterwards.
        searched, common, shared: How many of the purged texts were looked for; were not, since
            they are too short or too common to tell anything; stay, since another edit says them.
        replicas: Copies of a shared memory.
        problems: What could not be done. Purging again goes on with it.
    """

    purge: str
    memory: str
    at: str
    version: int
    records: tuple[Erased, ...] = ()
    salt: str = ""
    before: str = ""
    after: str = ""
    changed: Mapping[str, int] | None = None
    tables: tuple[Scanned, ...] = ()
    files: tuple[Scanned, ...] = ()
    searched: int = 0
    common: int = 0
    shared: int = 0
    replicas: tuple[Follower, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything was done."""
        return not self.problems

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {"format": FORMAT, "complete": self.complete, **asdict(self)}
