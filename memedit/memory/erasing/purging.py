"""A purge, step by step. Each may be interrupted: purging again goes on where it stopped.

1. What lies beside the memory (audit log, proposals, reports) loses the texts, while the journal
   still knows which they are.
2. One transaction takes them out of the journal's tables and says in an event that they are gone.
   Every copy in RAM lets go of them when it hears of it. Until here nothing is purged; from here on
   everything is, but for bytes that no query finds.
3. Those bytes: the database and its log are written anew, index snapshots are removed, copies have
   acknowledged. Then the mark that something is left to be done goes.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Protocol

from memedit.core.errors import UnknownEditError
from memedit.core.types import DEFAULT_NAMESPACE, Record
from memedit.core.untrusted import parse_json
from memedit.memory import using
from memedit.memory.backup import MANIFEST, seal
from memedit.memory.encoding import VectorTable
from memedit.memory.erasing import scanning
from memedit.memory.erasing.certificate import Certificate, Erased, Follower
from memedit.memory.erasing.texts import Texts
from memedit.memory.journal import erasing
from memedit.memory.journal.copying import fingerprint
from memedit.memory.journal.reading import PURGED, PURGING
from memedit.memory.journal.rows import Head, to_record
from memedit.memory.journal.schema import metadata
from memedit.memory.store import Store

_PATIENCE = 10.0
"""Seconds in which copies of a shared memory are expected to acknowledge."""
_TABLES = (*metadata.tables, using.TABLE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be purged: edits of these ids, or about this subject, or of this
    document, or all of the namespace."""

    namespace: str = DEFAULT_NAMESPACE
    ids: tuple[str, ...] = ()
    subject: str | None = None
    document: str | None = None

    @property
    def of(self) -> str:
        """What is wanted, in words, with a space before it."""
        if self.ids:
            return f" with the id {', '.join(map(repr, self.ids))}"
        if self.subject is not None:
            return f" about {self.subject!r}"
        return "" if self.document is None else f" of the document {self.document!r}"

    @property
    def what(self) -> tuple[str, tuple[str, ...], str | None, str | None]:
        """Arguments of :func:`~memedit.memory.journal.erasing.choose_rows`."""
        return self.namespace, self.ids, self.subject, self.document


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What a purge would take.

    Attributes:
        records: Every record that would go, in force or not, oldest first.
        mentions: Others of the namespace that name a subject of these: they stay.
        unfinished: Whether an earlier purge has still something to do.
    """

    records: tuple[Record, ...]
    mentions: tuple[Record, ...]
    unfinished: bool


class Beside(Protocol):
    """What lies beside a memory and may hold texts of its edits."""

    @property
    def tables(self) -> Sequence[str]:
        """Names of its tables, where they are in the memory's own database."""

    def erase(self, namespace: str, ids: Sequence[str], texts: Texts, salt: str) -> None:
        """Lose what concerns these ids or says one of these texts; ``salt`` is for hashes.

        Raises:
            MemoryStoreError: it cannot; nothing was purged yet.
        """

    def compact(self) -> list[str]:
        """Leave nothing of it in files; what could not be done."""


def plan(store: Store, wanted: Wanted) -> PurgePlan:
    """What :func:`purge` would take now."""
    with store.lock, store.journal.read() as anything:
        if not anything:
            return PurgePlan((), (), unfinished=False)
        rows = erasing.choose_rows(store.journal, *wanted.what)
        about = Texts(tuple({row["subject"] for row in rows} - {None}))
        mentions = [
            row
            for row in erasing.read_others(store.journal, {row["sequence"] for row in rows})
            if row["namespace"] == wanted.namespace
            and about.are_in("\n".join(erasing.texts_of(row)))
        ]
        unfinished = store.journal.meta(PURGING) is not None
        found, named = (
            [to_record(SimpleNamespace(**row)) for row in each] for each in (rows, mentions)
        )
        return PurgePlan(tuple(found), tuple(named), unfinished)


def purge(store: Store, wanted: Wanted, beside: Beside) -> Certificate:
    """Erase edits for good, and finish what an interrupted purge left.

    Raises:
        UnknownEditError: there is nothing to purge.
        MemoryStoreError: it cannot be done; what was not purged is there as before.
    """
    found = _look(store, wanted)
    store.journal.check_writable()  # before anything beside it is touched
    if found is None:
        return _resume(store, beside)
    rows, texts = found
    # Without it, whoever guesses a text could tell by the hash that it was there.
    salt = secrets.token_hex(16)
    ids = sorted({row["id"] for row in rows})
    beside.erase(wanted.namespace, ids, texts, salt)
    with store.lock:
        with store.change() as head:
            # Again, now that nobody else writes: there may be more of them, or fewer.
            rows = erasing.choose_rows(store.journal, *wanted.what)
            hashes = {row["sequence"]: erasing.hash_salted(salt, row) for row in rows}
            before = _state(store, salt)
            using.drop(store.journal.connection, wanted.namespace, ids)
            written = _give_back(store, head, rows)
            changed = (
                erasing.erase(store.journal, written, rows, hashes, texts.are_in) if rows else {}
            )
            mark = {"version": head.version + 1, "namespace": wanted.namespace}
            plain = [id for id in ids if not texts.are_in(id)]  # others say what shall be gone
            store.journal.put_meta({PURGING: json.dumps(mark | {"ids": plain})})
        store.follow()
    beside.erase(wanted.namespace, ids, texts, salt)  # what was said of them meanwhile
    told = replace(
        _name_purge(store),
        records=tuple(
            Erased(row["namespace"], row["id"], row["sequence"], hashes[row["sequence"]])
            for row in rows
        ),
        salt=salt, before=before, changed=changed,
        searched=len(texts.searched), common=len(texts.own) - len(texts.searched),
        shared=texts.shared,
    )  # fmt: skip
    return _finish(store, beside, told, texts)


def _give_back(store: Store, head: Head, rows: Sequence[erasing.Row]) -> Head:
    """Let what resumes after edits that go have their time, as when they are forgotten; where the
    journal stands then, in the same version."""
    vectors = VectorTable(store.encoding.encode_checked)
    plan = store.plan(head, vectors)
    there = store.live.records
    gone = [there[row["sequence"]] for row in rows if row["sequence"] in there]
    plan.withdraw(gone, None)
    store.store(head, plan, vectors)
    return replace(head, event=head.event + len(plan.entries))


def finish(store: Store, beside: Beside) -> Certificate | None:
    """Finish an interrupted purge; None: there is none."""
    with store.lock, store.journal.read() as anything:
        if not anything or store.journal.meta(PURGING) is None:
            return None
    store.journal.check_writable()
    return _resume(store, beside)


def _resume(store: Store, beside: Beside) -> Certificate:
    """Finish what an interrupted purge left. Its texts are known no more: what was said of its
    edits meanwhile goes by their ids, and no file is searched."""
    with store.lock, store.journal.read():
        mark = parse_json(store.journal.meta(PURGING) or "{}")
        events = store.journal.history(None, mark.get("namespace"))
    purged = [e for e in events if e.kind == "purge" and e.version == mark.get("version")]
    if ids := mark.get("ids"):
        beside.erase(mark["namespace"], ids, Texts(), secrets.token_hex(16))
    records = tuple(
        Erased(r.namespace, r.id, r.sequence, e.reason.removeprefix("sha256 "))
        for e in purged
        for r in (e.record,)
    )
    return _finish(store, beside, replace(_name_purge(store), records=records), Texts())


def _look(store: Store, wanted: Wanted) -> tuple[list[erasing.Row], Texts] | None:
    """What is to be purged, with its texts; None: only an earlier purge is to be finished."""
    with store.lock, store.journal.read() as anything:
        rows: list[erasing.Row] = []
        if anything:
            rows = erasing.choose_rows(store.journal, *wanted.what)
        if not rows:
            if anything and store.journal.meta(PURGING) is not None:
                return None
            raise UnknownEditError(
                f"There is nothing to purge{wanted.of} in namespace {wanted.namespace!r}.",
                hint="It may be purged already, or be in another namespace.",
            )
        _check_all(store, wanted, rows)
        sequences = {row["sequence"] for row in rows}
        said = [text for row in rows for text in erasing.texts_of(row)]
        said += erasing.reasons_of(store.journal, sorted(sequences))
        others = (erasing.texts_of(row) for row in erasing.read_others(store.journal, sequences))
        return rows, Texts.left(said, others)


def _check_all(store: Store, wanted: Wanted, rows: Sequence[erasing.Row]) -> None:
    """Nothing is purged where an id names nothing: it may be a slip of the pen."""
    known = {row["id"] for row in rows} | {name.rpartition("~")[0] for name in map(_id, rows)}
    for id in wanted.ids:
        if id not in known and not store.journal.history(id, wanted.namespace):
            raise UnknownEditError(f"There never was an edit {id!r} in {wanted.namespace!r}.")


def _id(row: erasing.Row) -> str:
    return str(row["id"])


def _name_purge(store: Store) -> Certificate:
    with store.lock, store.journal.read():
        memory, version = store.journal.meta("memory") or "", store.journal.newest()[0]
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Certificate(uuid.uuid4().hex[:12], memory, now, version)


def _state(store: Store, salt: str) -> str:
    """Salted hash of every row of the journal, within an open read or write."""
    return hashlib.sha256(f"{salt}\0{fingerprint(store.journal)}".encode()).hexdigest()


def _finish(store: Store, beside: Beside, told: Certificate, texts: Texts) -> Certificate:
    """Do what is left to do, and say so."""
    database, problems = store.journal.database, list[str]()
    with store.lock:
        problems += database.compact(store.journal.connection, (*_TABLES, *beside.tables))
    problems += beside.compact()
    if store.path is not None:
        problems += scanning.sweep(store.path)
    followers = _wait_for_copies(store, told.memory)
    problems += [f"{f.name} has not let go of it yet" for f in followers if not f.acknowledged]
    with store.lock:
        if not problems:
            with store.change():
                store.journal.put_meta({PURGING: None})
        with store.journal.read():
            tables, after = scanning.scan_tables(store.journal, texts), _state(store, told.salt)
    # A backup that was purged on purpose is sealed anew, or verify would call it altered.
    if store.path is not None and (store.path / MANIFEST).exists():
        seal(store.path)
    files = [] if store.path is None else scanning.scan_files(store.path, texts)
    problems += [f"{each.name} still holds a text" for each in (*tables, *files) if each.found]
    return replace(
        told, after=after, tables=tuple(tables), files=tuple(files), replicas=tuple(followers),
        problems=tuple(problems),
    )  # fmt: skip


def _wait_for_copies(store: Store, memory: str) -> list[Follower]:
    """The copies that follow a shared memory, once they have let go or took too long."""
    with store.lock, store.journal.read():
        event = int(store.journal.meta(PURGED) or 0)
    end = time.monotonic() + _PATIENCE
    while True:
        told = store.journal.database.acknowledged(memory)
        if all(at >= event for _, at in told) or time.monotonic() > end:
            return [Follower(name, at >= event) for name, at in told]
        # Copies say so by a connection's name, which announces nothing.
        time.sleep(0.02)
