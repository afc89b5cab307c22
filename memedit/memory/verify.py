"""Checks that a memory is what it should be: file, content, live set and index agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.exc import DBAPIError

from memedit.core.errors import MemeditError
from memedit.core.types import Edit, Record, key_texts, mask_prompt
from memedit.memory.backup import find_altered
from memedit.memory.journal.payloads import load
from memedit.memory.journal.reading import PURGING, JournalReader
from memedit.memory.journal.rows import KeyRow, digest
from memedit.memory.live.index import VectorIndex, is_usable
from memedit.memory.live.space import Space, search_texts
from memedit.memory.live.state import LiveSet
from memedit.memory.reports import VerifyReport

_BLOCK = 1 << 14  # vectors that are compared at a time
_PAIRS = (
    ("ids", "ids.of"), ("topics", "topics.of"), ("subjects", "subjects.of"),
    ("words", "words.lengths"), ("more", "more.counts"),
)  # fmt: skip
"""Arrays of a space: numbers, and what is filed under them."""
UNFINISHED = (
    "a purge was interrupted: what it took may still be in the files' bytes; "
    "memedit edit purge --finish goes on"
)
"""The problem of a memory that is otherwise sound."""


def verify(journal: JournalReader, live: LiveSet) -> VerifyReport:
    """Compare everything with everything. Needs an open read; ``live`` must be up to date.

    Raises:
        DBAPIError: the connection broke, which says nothing of the memory.
        MemoryStoreError: this role of the database sees a part of the memory.
    """
    damaged = journal.integrity()
    if damaged:  # reading on could fail anywhere
        return VerifyReport(live.version, len(live), 0, tuple(damaged))
    rows: Sequence[KeyRow] = ()
    problems: list[str] = []
    try:
        rows = journal.key_rows()
        problems += [*_content(journal), *_keys(journal, live, rows), *_live(journal, live)]
        problems += _indexes(live, rows)
        problems += [*_payloads(journal, live), *find_altered(journal), *_check_unfinished(journal)]
    except (DBAPIError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
            RecursionError, MemeditError) as error:  # fmt: skip  # content that cannot even be read
        if isinstance(error, DBAPIError) and journal.database.is_lost(error):
            raise
        problems.append(f"cannot be read: {getattr(error, 'orig', error)}")
    return VerifyReport(live.version, len(live), len(rows), tuple(problems))


def _check_unfinished(journal: JournalReader) -> Iterator[str]:
    if journal.meta(PURGING) is not None:
        yield UNFINISHED


def _content(journal: JournalReader) -> Iterator[str]:
    for at, row in enumerate(journal.record_rows(), start=1):
        if row.sequence != at:
            # Told once: behind a gap every record stands elsewhere than it should.
            yield f"record {row.sequence} stands where {at} should"
            return
        if digest(row._mapping) != row.digest:
            yield f"record {row.sequence} ({row.id}) was changed: its hash does not match"


def _keys(journal: JournalReader, live: LiveSet, rows: Sequence[KeyRow]) -> Iterator[str]:
    texts: dict[int, list[str]] = {}
    for key, sequence, text, vector in rows:
        texts.setdefault(sequence, []).append(text)
        yield from _vector(f"key {key}", vector, live.dimension)
    relations: dict[int, str] = {}
    for id, text, vector in journal.relation_rows():
        relations[id] = text
        yield from _vector(f"relation {id}", vector, live.dimension)
    for record in live.iterate():
        sequence = record.sequence
        kept = texts.get(sequence)
        if kept not in (search_texts(record.edit), key_texts(record.edit)):  # older: no parts
            yield f"record {sequence} ({record.id}) lacks keys or has wrong ones"
        if relations.get(live.relation_of(sequence) or 0) != mask_prompt(record.edit):
            yield f"record {sequence} ({record.id}) has a wrong masked prompt"


def _vector(name: str, content: bytes, dimension: int) -> Iterator[str]:
    if len(content) != 4 * dimension:
        yield f"{name} has a vector of {len(content)} bytes instead of {4 * dimension}"
    elif not is_usable(np.frombuffer(content, dtype="<f4")):
        yield f"{name} has a vector with NaN or infinity, or of no unit's length"


def _payloads(journal: JournalReader, live: LiveSet) -> Iterator[str]:
    edits = {record.sequence: record.edit for record in live.iterate()}
    for sequence, editor, tensors, values in journal.payload_rows_of_all():
        try:
            payload = load(tensors, values)
        except MemeditError as error:
            yield f"record {sequence}, editor {editor}: {error.message}"
            continue
        edit = edits.get(sequence)
        if edit is not None and not _says_only(edit, payload):
            told = "what it tells is not what the edit says; forget the edit and add it again"
            yield f"record {sequence} ({edit.id}), editor {editor}: {told}"


def _says_only(edit: Edit, payload: Mapping[str, Any]) -> bool:
    """Whether the texts with which editors tell an edit are its own: its statement, from which
    special tokens may be missing and where a full stop may have come. Rows have no hash."""
    told = [payload.get("line")]
    if edit.is_statement or edit.prompt.rstrip()[-1:].isalnum():  # a question may be reworded
        told.append(payload.get("fact"))
    whole = "".join(edit.statement.split())
    for text in told:
        rest = iter(whole)
        if isinstance(text, str) and not all(
            letter in rest for letter in "".join(text.split()).removesuffix(".")
        ):
            return False
    return True


def _live(journal: JournalReader, live: LiveSet) -> Iterator[str]:
    sequences, _ = journal.changes()
    stored = {record.sequence: record for record, _ in journal.records(sequences)}
    held = {record.sequence: record for record in live.iterate()}
    if stored != held:
        both = stored.keys() | held.keys()
        wrong = sorted(s for s in both if stored.get(s) != held.get(s))
        yield f"the live set in RAM differs from the journal's at records {wrong[:10]}"
    else:
        yield from _derived(live, stored)
    names = Counter((record.namespace, record.id) for record in stored.values())
    for name, count in names.items():
        if count > 1:
            yield f"{count} live records share namespace and id {name}"


def _derived(live: LiveSet, stored: Mapping[int, Record]) -> Iterator[str]:
    """What records are found by, compared with what is worked out from them: a start takes it
    from a snapshot."""
    by_namespace: dict[str, list[Record]] = {}
    for record in stored.values():
        by_namespace.setdefault(record.namespace, []).append(record)
    for namespace, records in by_namespace.items():
        space, made = live.spaces.get(namespace), Space(live.records)
        made.add_many(records)
        if space is not None and not _are_alike(made.arrays(), space.arrays()):
            yield f"what finds the records of namespace {namespace!r} is not what they say"
    limits = {s: (r.valid_from, r.valid_until) for s, r in stored.items()}
    if live.records.dated() != {s: each for s, each in limits.items() if each != (None, None)}:
        yield "records in RAM hold at other times than the journal's"


def _are_alike(these: Mapping[str, Any], those: Mapping[str, Any]) -> bool:
    """Whether two spaces hold the same, but for keys of the index, in whatever order."""
    for keys, values in _PAIRS:
        here, there = (np.lexsort((each[values], each[keys])) for each in (these, those))
        for part in (keys, values):
            if not np.array_equal(these[part][here], those[part][there]):
                return False
    return all(np.array_equal(these[name], those[name]) for name in ("odd", "said"))


def _indexes(live: LiveSet, rows: Sequence[KeyRow]) -> Iterator[str]:
    owners: dict[str, dict[int, int]] = {}
    for key, sequence, _, _ in rows:
        if sequence in live.records:
            owners.setdefault(live.records[sequence].namespace, {})[key] = sequence
    vectors = {row[0]: row[3] for row in rows}
    if owners.keys() != live.spaces.keys():
        yield f"namespaces differ: {sorted(owners)} and {sorted(live.spaces)}"
        return
    for namespace, expected in owners.items():
        space = live.spaces[namespace]
        index = space.index
        if space.owners() != expected or index is None or index.ids.tolist() != sorted(expected):
            yield f"the index of namespace {namespace!r} holds other keys than the journal"
            continue
        if not _holds(index, vectors):
            yield f"the index of namespace {namespace!r} holds other vectors than the journal"


def _holds(index: VectorIndex, vectors: Mapping[int, bytes]) -> bool:
    """Whether an index has the journal's vectors, or those rounded as a large index does."""
    for start in range(0, len(ids := index.ids), _BLOCK):
        part = ids[start : start + _BLOCK]
        stored = np.frombuffer(b"".join(vectors[int(id)] for id in part), "<f4")
        held = index.reconstruct(part).ravel()
        if len(stored) != len(held):
            return False
        with np.errstate(over="ignore"):  # a damaged one is named already
            rounded = stored.astype(np.float16).astype(np.float32)
        # Compared as bits: of floats NaN would be unequal to itself.
        bits = held.view(np.uint32)
        same = (bits == stored.astype(np.float32).view(np.uint32)) | (bits == rounded.view("u4"))
        if not same.all():
            return False
    return True
