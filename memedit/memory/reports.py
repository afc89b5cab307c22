"""What the memory's verbs answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Literal

from memedit.core.days import find_first_day, find_last_day
from memedit.core.errors import UnknownEditError
from memedit.core.moments import UTC
from memedit.core.suspicion import find_suspicious
from memedit.core.types import Record

EventKind = Literal["add", "forget", "supersede", "restore", "purge"]
_HINT = (
    "`memedit edit list` (records() in Python, GET /v1/edits) shows the ids there are; the history "
    "says what became of one that was changed."
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one edit.

    Attributes:
        id: The edit's id.
        status: ``"duplicate"``: it was live already and nothing was written.
        version: The memory's version that holds it.
        record: The live record.
        superseded: Records this edit retired.
        conflicts: Live records that seem to say otherwise about the same thing; both stay live.
        may_rest: Live records that may rest on what was retired: they say so (``because_of``), or
            are about the same subject and name the value that is gone. Told, not touched.
        compared: False: it was added with others at once, and compared in other words neither with
            these nor with what is in force; ``edit_many(..., compare=True)`` does so.
        kept_queries, kept_excluded: Texts that shall find the edit, or shall not, which were given
            for what it replaced, and not with it: the record has them.
        zone: In which the days begin that its text names.
    """

    id: str
    status: Literal["added", "duplicate"]
    version: int
    record: Record
    superseded: tuple[Record, ...] = ()
    conflicts: tuple[Record, ...] = ()
    may_rest: tuple[Record, ...] = ()
    compared: bool | None = None
    kept_queries: tuple[str, ...] = ()
    kept_excluded: tuple[str, ...] = ()
    zone: tzinfo = UTC

    @property
    def possible_conflict(self) -> tuple[tuple[str, str], ...]:
        """(what stays live, what was added) of each conflict, as texts."""
        return tuple((old.edit.statement, self.record.edit.statement) for old in self.conflicts)

    @property
    def suspicious(self) -> tuple[str, ...]:
        """What of its texts looks like more than a fact: :mod:`memedit.core.suspicion`."""
        return find_suspicious(self.record.edit)

    @property
    def open_end(self) -> str:
        """The words with which its text says a last day, where it was given no ``valid_until`` and
        so goes on holding after that day; else ""."""
        ends = self.record.valid_until is not None
        return "" if ends else find_last_day(self.record.edit.statement)

    @property
    def open_start(self) -> str:
        """The words with which its text says a first day that is to come, where it was given no
        ``valid_from`` and so holds already; else ""."""
        if self.record.valid_from is not None:
            return ""
        found = find_first_day(self.record.edit.statement, datetime.now(UTC), self.zone)
        return "" if found is None else found.words

    @property
    def names_first_day(self) -> bool:
        """Whether its text says a first day, of whatever zone, and it was given no
        ``valid_from``."""
        text, now = self.record.edit.statement, datetime.now(UTC)
        undated = self.record.valid_from is None
        return undated and find_first_day(text, now, UTC, coming=False) is not None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the journal. ``other`` is the record that replaced ``record`` (supersede), or
    the one whose place it took, or of which it is a shortened copy (add)."""

    version: int
    kind: EventKind
    record: Record
    at: datetime
    reason: str = ""
    other: Record | None = None

    @property
    def took_place(self) -> bool:
        """Whether the record was put into the place of the other: shortened copies of that, and the
        like, have a reason, as has (``import``) what a file goes on with."""
        plain = not self.reason or self.reason.startswith("import ")
        return self.kind == "add" and self.other is not None and plain


@dataclass(frozen=True, slots=True)
class Undone:
    """What a change that was taken back leaves.

    Attributes:
        change: The version of the change, of several the last one.
        version: The memory's version now.
        events: What happened: what left, what is in force again.
        first: The version with which the change began: a file makes several, one for every thousand
            lines or so. 0: it made one.
        apart: Others came after the change had begun, and their changes stay: the memory is not as
            it was before it. Then the version before this one brings the change again.
        kept: Records of the change that stay, as others have changed since what holds at other
            times of the same facts; each can be forgotten by its id.
    """

    change: int
    version: int
    events: Sequence[Event]
    first: int = 0
    apart: bool = False
    kept: tuple[Record, ...] = ()

    @property
    def before(self) -> int:
        """The version before the change."""
        return (self.first or self.change) - 1

    @property
    def again(self) -> int:
        """The version whose return brings the change again."""
        return self.version - 1 if self.apart else self.change


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file's lines. A resumed import counts the lines of earlier runs too.

    Attributes:
        added, duplicate, superseded: Number of edits.
        refused: (line number, start of the line, reason) of the first 1,000 refused lines.
        refused_total: Number of refused lines.
        resumed_at: Number of edits or lines that an interrupted import had already dealt with.
        suspicious: Number of edits, among those added, whose texts look like more than a fact
            (:mod:`memedit.core.suspicion`).
        open_end: Number of edits, among those that this run added, whose texts name a last day and
            that were given no ``valid_until``: they go on holding after it.
        open_start: The same of a first day that is to come, and ``valid_from``: they hold already.
        compared: Whether each line was compared in other words with what is in force, and so with
            those before it (``compare=True``, ``--compare``); else only the same prompt, or subject
            and wording, replaces.
        change: The version that it made first; 0: nothing was added. :meth:`EditMemory.undo` of it
            takes back all that the file brought.
    """

    added: int = 0
    duplicate: int = 0
    superseded: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    refused_total: int = 0
    resumed_at: int = 0
    suspicious: int = 0
    open_end: int = 0
    compared: bool = False
    open_start: int = 0
    change: int = 0


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """``problems`` is empty for a sound memory."""

    version: int
    records: int
    keys: int
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


def make_unknown(id: str, namespace: str, replaced_by: str = "") -> UnknownEditError:
    """No edit of that id is in force.

    Args:
        replaced_by: The id of the one that stands in its place; "": none, or not to be told.
    """
    hint = f"It was replaced by {replaced_by!r}." if replaced_by else _HINT
    message = f"No live edit {id!r} in namespace {namespace!r}."
    return UnknownEditError(message, hint=hint, id=id, replaced_by=replaced_by)
