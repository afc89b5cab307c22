"""What goes into the journal's tables and comes out of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

import numpy as np

from memedit.core.errors import InvalidEditError, MemeditError, MemoryStoreError
from memedit.core.types import Edit, Payload, Record, Vectors
from memedit.memory.address import Address, quote
from memedit.memory.journal.payloads import LazyPayloads, LazyReader
from memedit.memory.journal.schema import records
from memedit.memory.reports import EventKind

DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What reading content that no memory wrote raises."""

_MULTIPLE = {"multiple": True}
_FLOAT = np.dtype("<f4")
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as the shortest JSON."""


@contextmanager
def readable(address: Address) -> Iterator[None]:
    """Turns what damaged rows make the block raise into an error that says what to do.

    Raises:
        MemoryStoreError
    """
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, MemeditError) and not isinstance(error, InvalidEditError):
            raise
        raise MemoryStoreError(
            f"The journal of the memory {quote(address)} is damaged: "
            f"{type(error).__name__}: {error}.",
            hint="Restore it from a backup. memedit edit salvage FILE --memory DIR writes "
            "every edit that can still be read.",
        ) from error


KeyRow = tuple[int, int, str, bytes]
"""(id, sequence, text, vector)"""
RelationRow = tuple[int, str, bytes]
"""(id, masked prompt, vector)"""
PayloadRow = tuple[int, str, bytes, str]
"""(sequence, editor, tensors, values)"""


ERASED = "[purged]"
"""What stands for a text that was purged."""


def name_erased_relation(id: int) -> str:
    """The text of a relation that was purged and is the newest: its id is given to no other.
    No masked prompt is like it: they hold :data:`~memedit.core.text.MASK`."""
    return f"[purged {id}]"


@dataclass(slots=True)
class Stored:
    """A record with what the journal keeps beside it. ``vectors``: [keys, d]; the first is the
    prompt's. ``relation`` is the masked prompt, None without a subject."""

    record: Record
    texts: Sequence[str]
    vectors: Vectors
    relation: str | None = None
    payloads: Mapping[str, Payload] = field(default_factory=dict)
    copy_of: int | None = None  # committed record whose payloads hold for this one too


SHORTENED, RESUMED, EXTENDED, RENAMED = "shortened", "resumed", "extended", "renamed"
"""Why a copy was made of a record: of its time what is before another one, what comes after it, or
what that no longer takes; or its id is another's now."""
REFIT = "refit"
"""The reason of an edit that is taken out to be fitted anew, and comes back with its dates."""
IN_PLACE = "in place"
"""Why a record follows another: it was put into its place, and holds when that did."""


def strip_copies(id: str, lineage: Iterable[int]) -> str:
    """An id without what copies have behind it: the number of one of these, which are a record and
    what it is a copy of, or stands in the place of."""
    for sequence in lineage:
        id = id.removesuffix(f"~{sequence}")
    return id


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to write; ``at`` and ``version`` are the transaction's."""

    kind: EventKind
    sequence: int
    reason: str = ""
    other: int | None = None


class Change(NamedTuple):
    """What was done in a version: of events with the same kind and reason, one."""

    version: int
    kind: str
    reason: str


class Happened(NamedTuple):
    """An event, by numbers alone."""

    version: int
    kind: str
    sequence: int
    other: int | None


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal stands: the largest version, event, sequence, key and relation ids."""

    version: int = 0
    event: int = 0
    sequence: int = 0
    key: int = 0
    relation: int = 0
    at: str = ""


def utc(moment: datetime) -> str:
    """Sortable text of an aware datetime; beyond the years 1 to 9999 in UTC, the first or last."""
    try:
        moment = moment.astimezone(timezone.utc)
    except OverflowError:
        edge = datetime.min if moment.year < 2 else datetime.max
        moment = edge.replace(tzinfo=timezone.utc)
    # Always with microseconds: texts of one length sort as the moments do.
    return moment.isoformat(timespec="microseconds")


def parse_utc(text: str) -> datetime:
    """The moment of :func:`utc`.

    Raises:
        ValueError: it is none, or names no time zone, so that nothing can be compared with it.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return moment


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_utc(text)


CONTENT = tuple(column for column in records.columns if column.name not in ("relation", "digest"))
"""The columns of a record that its edit and its dates are made of."""


_COLUMNS = (*(column.name for column in CONTENT), "relation", "digest")
"""All of a record, in the order in which its hash is made of them."""


def to_record(row: Any, lazy: LazyReader | None = None) -> Record:
    """The record of a row with these columns by name; as :func:`make_record`."""
    return make_record([getattr(row, column.name) for column in CONTENT], lazy)


def make_record(values: Sequence[Any], lazy: LazyReader | None = None) -> Record:
    """The record of the values of :data:`CONTENT`; ``lazy`` reads its payloads when they are
    looked at."""
    sequence, version, namespace, id, prompt, new, subject, true, *rest = values
    listed, source, since, until = rest
    queries, excluded, multiple, because_of = read_listed_texts(listed)
    return Record(
        Edit(
            prompt, new, subject, true, queries, id, excluded, multiple,
            because_of,
        ),
        sequence,
        version,
        namespace,
        source,
        _moment(since),
        _moment(until),
        {} if lazy is None else LazyPayloads(sequence, lazy),
    )  # fmt: skip


Texts = tuple[str, ...]


def read_listed_texts(column: str) -> tuple[Texts, Texts, bool, Texts]:
    """(queries, excluded texts, whether it is one of several values, ids it rests on) of a record:
    an excluded text stands as ``{"not": text}``, an id as ``{"because": id}``, and last
    ``{"multiple": true}``.

    An older version, which knows of none of these, refuses such a record.
    """
    # As nearly all are; a start reads every one of them.
    if column == "[]":
        return (), (), False, ()
    texts = json.loads(column)
    queries = tuple(text for text in texts if not isinstance(text, dict))
    marked = [text for text in texts if isinstance(text, dict)]
    because_of = tuple(text["because"] for text in marked if text.keys() == {"because"})
    rest = [text for text in marked if text != _MULTIPLE and text.keys() != {"because"}]
    excluded = tuple(text["not"] for text in rest)
    return queries, excluded, _MULTIPLE in marked, because_of


def _column(edit: Edit) -> str:
    """What :func:`read_listed_texts` reads."""
    if not (edit.queries or edit.excluded or edit.because_of or edit.multiple):
        return "[]"  # as nearly all are
    texts: list[Any] = [*edit.queries, *({"not": text} for text in edit.excluded)]
    texts += [{"because": id} for id in edit.because_of]
    return json.dumps(texts + [_MULTIPLE] * edit.multiple, ensure_ascii=False)


def to_bytes(vector: Vectors) -> bytes:
    """Little-endian float32."""
    return np.asarray(vector, dtype=_FLOAT).tobytes()


def from_bytes(blobs: Sequence[bytes], dimension: int) -> Vectors:
    """[n, dimension] of :func:`to_bytes` rows.

    Raises:
        ValueError: one is of another length.
    """
    size = dimension * _FLOAT.itemsize
    # Of each, not of all together: what one lacks, another could have too much.
    if any(len(blob) != size for blob in blobs):
        raise ValueError(f"a vector is not of {dimension} numbers")
    flat = np.frombuffer(b"".join(blobs), dtype=_FLOAT)
    return flat.reshape(len(blobs), dimension).astype(np.float32, copy=False)


def record_row(record: Record, relation: int | None) -> dict[str, Any]:
    """What :func:`to_record` needs, with its hash."""
    content = [*list_content(record), relation]
    return dict(zip(_COLUMNS, [*content, _hash(content)], strict=True))


def list_content(record: Record) -> list[Any]:
    """The values of :data:`CONTENT`, from which :func:`make_record` makes the record again."""
    edit, since, until = record.edit, record.valid_from, record.valid_until
    return [
        record.sequence, record.version, record.namespace, edit.id, edit.prompt, edit.target_new,
        edit.subject, edit.target_true, _column(edit), record.source,
        None if since is None else utc(since), None if until is None else utc(until),
    ]  # fmt: skip


def digest(row: Mapping[str, Any]) -> str:
    """Hash of a record row's content, to notice a damaged file."""
    return _hash([row[name] for name in _COLUMNS[:-1]])


def _hash(content: Sequence[Any]) -> str:
    return hashlib.sha256(to_json(content).encode()).hexdigest()
