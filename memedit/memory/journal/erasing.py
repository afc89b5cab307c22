"""Erasure within the journal's tables: texts, vectors and payloads go; events and ids stay.

A record that was purged keeps its row, without a text, since events name it. The ids of keys and
relations are never given again: an index somewhere might take a new vector for the old one. So the
rows go, but for the newest of each table, which stays without a text.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Column, bindparam, delete, func, select, update

from memedit.core.documents import prefix_of
from memedit.core.text import subject_key
from memedit.memory.journal.journal import Journal
from memedit.memory.journal.reading import PURGED, PURGING, JournalReader
from memedit.memory.journal.rows import (
    ERASED,
    Entry,
    Head,
    digest,
    name_erased_relation,
    read_listed_texts,
    strip_copies,
    to_bytes,
)
from memedit.memory.journal.schema import events, keys, meta, payloads, records, relations

Row = Mapping[str, Any]
"""A row of ``records``."""
_KEPT = ("sequence", "version", "namespace", "id")
_OWN_REASON = re.compile(
    r"restore \d+(?:, later changes kept)?|import \d+|renamed|shortened|resumed|extended|in place|"
    r"refit|document|"
)
"""Reasons that memedit gives; others are people's words."""
_CHUNK = 5_000  # SQLite takes at most 32,766 values in one statement
T = TypeVar("T")


def choose_rows(
    journal: JournalReader,
    namespace: str,
    ids: Sequence[str],
    subject: str | None,
    document: str | None = None,
) -> list[Row]:
    """The records of a namespace, in force or not, to be purged: those of these ids and every piece
    of their facts, those about this subject, the passages of every version of this document; all
    if nothing is given. Purged ones are left out."""
    purged = select(events.c.sequence).where(events.c.kind == "purge")
    wanted = [records.c.namespace == namespace, records.c.sequence.not_in(purged)]
    if document is not None:
        wanted.append(records.c.source.startswith(prefix_of(document), autoescape=True))
    named, key = set(ids), None if subject is None else subject_key(subject)
    origins = journal.origins() if named else {}
    # The id of a piece means the fact: its text stands in every piece of it. Read are names alone:
    # with whole rows a purged text stayed in RAM (test_postgres_and_three_replicas_drop_it).
    names = select(records.c.id, records.c.sequence).where(*wanted)
    for rows in journal.stream(names, _CHUNK) if named else ():
        pieces = [row for row in rows if row.id in ids]
        named |= {strip_copies(row.id, _lineage(row.sequence, origins)) for row in pieces}
    found: list[Row] = []
    for rows in journal.stream(select(records).where(*wanted).order_by(records.c.sequence), _CHUNK):
        # Here, not in SQL, which knows nothing of how subjects are spelt alike.
        found += [row._mapping for row in rows if _is_chosen(row._mapping, named, key, origins)]
    return found


def _is_chosen(row: Row, ids: set[str], key: str | None, origins: Mapping[int, int]) -> bool:
    if not ids and key is None:
        return True
    # A copy is named after its original, and what stands in its place may have its name.
    if row["id"] in ids or strip_copies(row["id"], _lineage(row["sequence"], origins)) in ids:
        return True
    about = row["subject"]
    return key is not None and about is not None and subject_key(about) == key


def _lineage(sequence: int, origins: Mapping[int, int]) -> Iterator[int]:
    here: int | None = sequence
    while here is not None:
        yield here
        origin = origins.get(here)
        here = origin if origin is not None and origin < here else None


def read_others(journal: JournalReader, sequences: set[int]) -> Iterator[Row]:
    """Every record but these and those that were purged."""
    purged = select(events.c.sequence).where(events.c.kind == "purge")
    for rows in journal.stream(select(records).where(records.c.sequence.not_in(purged)), _CHUNK):
        yield from (row._mapping for row in rows if row.sequence not in sequences)


def texts_of(row: Row) -> list[str]:
    """Everything that a record says, the prompt first; not the ids that it rests on, which are
    those of others, and stay."""
    queries, excluded, *_ = read_listed_texts(row["queries"])
    spare = {*_KEPT, "queries", "relation", "digest", "valid_from", "valid_until"}
    plain = [value for name, value in row.items() if name not in spare and isinstance(value, str)]
    whole = [f"{row['prompt'].rstrip()} {row['target_new'].strip()}"] if row["target_new"] else []
    return [text for text in dict.fromkeys([*plain, *whole, *queries, *excluded]) if text]


def reasons_of(journal: JournalReader, sequences: Sequence[int]) -> list[str]:
    """What people gave as reasons in events of these records."""
    found: list[str] = []
    for some in _chunks(sequences):
        query = select(events.c.reason).where(events.c.sequence.in_(some))
        rows = journal.connection.execute(query.distinct()).scalars()
        found += [reason for reason in rows if not _OWN_REASON.fullmatch(reason)]
    return found


def hash_salted(salt: str, row: Row) -> str:
    """What stays of a record's content: only who knows salt and text can tell that it was this."""
    content = {name: value for name, value in row.items() if name not in ("relation", "digest")}
    plain = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{salt}\0{plain}".encode()).hexdigest()


def erase(
    journal: Journal,
    head: Head,
    rows: Sequence[Row],
    hashes: Mapping[int, str],
    tells: Callable[[str], bool],
) -> dict[str, int]:
    """Erase records, within an open write; the number of rows that went or changed, by table.

    Args:
        head: Where the journal stands.
        rows: Of :func:`choose_rows`.
        hashes: By sequence what stands in the event for the content: of :func:`hash_salted`.
        tells: Whether an id says what was purged: it is given another.
    """
    sequences = [row["sequence"] for row in rows]
    counts = {
        "records": _clear_records(journal, rows, tells),
        "keys": _drop_keys(journal, sequences),
        "payloads": _delete(journal, payloads.c.sequence, sequences),
        "relations": _drop_relations(journal, sorted({row["relation"] or 0 for row in rows} - {0})),
        "events": _clear_reasons(journal, sequences),
        "meta": _clear_imports(journal),
    }
    journal.log(head, [Entry("purge", s, f"sha256 {hashes[s]}") for s in sequences])
    # The events just logged are numbered on from the head.
    journal.put_meta({PURGED: str(head.event + len(sequences))})
    return counts


def _clear_records(journal: Journal, rows: Sequence[Row], tells: Callable[[str], bool]) -> int:
    cleared = [_clear_row(row, tells) for row in rows]
    names = [name for name in cleared[0] if name != "sequence"]
    # SQLAlchemy keeps parameters named like columns for itself: hence "at" and "new_…".
    change = update(records).where(records.c.sequence == bindparam("at"))
    change = change.values({name: bindparam(f"new_{name}") for name in names})
    for some in _chunks(cleared):
        values = [{"at": r["sequence"], **{f"new_{n}": r[n] for n in names}} for r in some]
        journal.connection.execute(change, values)
    return len(rows)


def _clear_row(row: Row, tells: Callable[[str], bool]) -> dict[str, Any]:
    """The row of a record without anything that it says."""
    empty = {"prompt": ERASED, "queries": "[]"}
    cleared: dict[str, Any] = {}
    for column in records.columns:
        if column.name in _KEPT:
            cleared[column.name] = row[column.name]
        else:
            cleared[column.name] = None if column.nullable else empty.get(column.name, "")
    if tells(cleared["id"]):
        cleared["id"] = make_new_id(row["sequence"])
    return cleared | {"digest": digest(cleared)}


def _drop_keys(journal: Journal, sequences: Sequence[int]) -> int:
    top = journal.connection.execute(select(func.max(keys.c.id))).scalar() or 0
    dimension, count = journal.dimension(), 0
    for some in _chunks(sequences):
        mine = keys.c.sequence.in_(some)
        count += journal.connection.execute(delete(keys).where(mine, keys.c.id != top)).rowcount
        stays = update(keys).where(mine, keys.c.id == top)
        count += journal.connection.execute(
            stays.values(text=ERASED, vector=to_bytes(np.zeros(dimension, np.float32)))
        ).rowcount
    return count


def _drop_relations(journal: Journal, ids: Sequence[int]) -> int:
    """Those of these masked prompts that no record has any more."""
    used: set[int] = set()
    for some in _chunks(ids):
        query = select(records.c.relation).where(records.c.relation.in_(some)).distinct()
        used.update(journal.connection.execute(query).scalars())
    gone = [id for id in ids if id not in used]
    top = journal.connection.execute(select(func.max(relations.c.id))).scalar() or 0
    if top in gone:
        vector = to_bytes(np.zeros(journal.dimension(), np.float32))
        stays = update(relations).where(relations.c.id == top)
        journal.execute(stays.values(text=name_erased_relation(top), vector=vector))
    _delete(journal, relations.c.id, [id for id in gone if id != top])
    return len(gone)


def _delete(journal: Journal, column: Column[int], ids: Sequence[int]) -> int:
    count = 0
    for some in _chunks(ids):
        found = journal.connection.execute(delete(column.table).where(column.in_(some)))
        count += found.rowcount
    return count


def _clear_reasons(journal: Journal, sequences: Sequence[int]) -> int:
    """People's words in events that mention these records."""
    cleared: list[int] = []
    for some in _chunks(sequences):
        # The reason of a purge is the hash of what went, in nobody's words.
        mentions = events.c.sequence.in_(some) | events.c.other.in_(some)
        query = select(events.c.id, events.c.reason).where(mentions, events.c.kind != "purge")
        rows = journal.connection.execute(query).all()
        cleared += [row.id for row in rows if not _OWN_REASON.fullmatch(row.reason)]
    for some in _chunks(cleared):
        journal.execute(update(events).where(events.c.id.in_(some)).values(reason=""))
    return len(cleared)


def _clear_imports(journal: Journal) -> int:
    """Imports that were interrupted remember the beginnings of lines that they refused."""
    query = select(meta.c.name, meta.c.value).where(meta.c.name.like("import:%"))
    changed: dict[str, str | None] = {}
    for name, value in journal.connection.execute(query).all():
        state = json.loads(value)
        if any(text for _, text, _ in state["report"]["refused"]):
            refused = [[number, "", ""] for number, _, _ in state["report"]["refused"]]
            state["report"]["refused"] = refused
            changed[name] = json.dumps(state, ensure_ascii=False)
    journal.put_meta(changed)
    return len(changed)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def read_purged(journal: JournalReader) -> list[Row]:
    """The rows of records that were purged. Needs an open read."""
    purged = select(events.c.sequence).where(events.c.kind == "purge")
    rows = journal.connection.execute(select(records).where(records.c.sequence.in_(purged)))
    return [dict(row._mapping) for row in rows]


def erase_again(journal: Journal, purged: Sequence[Row]) -> int:
    """Erase what was purged in a newer state of the same memory, within an open write; how many
    records that were."""
    known = {(row["sequence"], row["namespace"], row["version"]): row["id"] for row in purged}
    found = []
    for row in read_others(journal, set()):
        id = known.get((row["sequence"], row["namespace"], row["version"]))
        if id == row["id"] or id == make_new_id(row["sequence"]):
            found.append(row)
    if found:
        salt = secrets.token_hex(16)
        hashes = {row["sequence"]: hash_salted(salt, row) for row in found}
        ids = {row["id"] for row in found} - set(known.values())
        version = journal.newest()[0] + 1
        erase(journal, journal.head(), found, hashes, ids.__contains__)
        journal.put_meta({PURGING: json.dumps({"version": version})})
    return len(found)


def make_new_id(sequence: int) -> str:
    """The id of a purged record whose own id said what was purged."""
    return f"purged-{sequence}"
