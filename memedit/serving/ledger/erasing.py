"""Erasure in a server's books: proposals, reports and the audit log lose what was purged.

Nothing that was decided or done is lost: rows and lines stay, with who and when, and a mark for the
text. The audit log's lines are written anew from the first that changed, each after the one before,
so that the chain holds.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, inspect, text

from memedit.memory import EditMemory
from memedit.memory.erasing.texts import Texts
from memedit.memory.journal.rows import ERASED
from memedit.serving.ledger.audit import FILE as AUDIT
from memedit.serving.ledger.audit import KEY, AuditLog
from memedit.serving.ledger.tables import FILE as DESK
from memedit.serving.ledger.tables import Tables, tables_of

_TABLES = ("proposals", "reports", "audit", "audit_head")
_WHO_AND_WHEN = frozenset({
    "at", "number", "change", "phase", "action", "key", "name", "approved_by", "namespace", "after",
    "seal", "proposal", "proposed", "purge",
})  # fmt: skip
"""What an entry of the audit log says whatever is purged: else an edit that says a key's name, once
purged, would take that key's name from all it did."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What is looked for in one purge.

    Attributes:
        namespace, ids: Of the purged edits.
        texts: What they said.
        salt: Of the hashes that stand for texts in the audit log.
    """

    namespace: str
    ids: frozenset[str]
    texts: Texts
    salt: str

    def concerns(self, value: Any) -> bool:
        """Whether plain data names a purged edit, or says what one said."""
        if isinstance(value, dict):
            named = any(value.get(name) in self.ids for name in ("id", "edit"))
            return named or any(map(self.concerns, value.values()))
        if isinstance(value, list):
            return any(map(self.concerns, value))
        return isinstance(value, str) and self.texts.are_in(value)

    def redact(self, entry: dict[str, Any]) -> dict[str, Any]:
        """An entry of the audit log, salted hashes in place of what was purged."""
        mine = entry.get("namespace") == self.namespace and entry.get("id") in self.ids
        found = dict(entry)
        for name, value in entry.items():
            if name in _WHO_AND_WHEN or not isinstance(value, str):
                continue
            if (mine and name == "query") or self.texts.are_in(value):
                found[name] = self._hash(value)
        return found

    def _hash(self, value: str) -> str:
        # By an earlier purge: hashed once more, it would stand for another text.
        if value.startswith("[purged "):
            return value
        salted = f"{self.salt}\0{value}".encode()
        return f"[purged {hashlib.sha256(salted).hexdigest()}]"


class Books:
    """What a server keeps beside a memory, whether or not one runs."""

    def __init__(self, memory: EditMemory) -> None:
        self._memory = memory

    @property
    def tables(self) -> Sequence[str]:
        """Those in the memory's own database."""
        return _TABLES if self._memory.shared else ()

    @contextmanager
    def _open(self) -> Iterator[Tables]:
        tables = tables_of(self._memory)
        try:
            yield tables
        finally:
            tables.close()

    def _exists(self, name: str) -> bool:
        folder = self._memory.path
        return self._memory.shared or (folder is not None and (folder / name).exists())

    def erase(self, namespace: str, ids: Sequence[str], texts: Texts, salt: str) -> None:
        """Lose what concerns these ids or says one of these texts."""
        gone = Gone(namespace, frozenset(ids), texts, salt)
        with self._open() as tables:
            if self._exists(DESK):
                with tables.open() as db:
                    _erase_reports(db, gone)
                    _erase_proposals(db, gone)
            if self._exists(AUDIT) and (not tables.shared or _has_audit(tables)):
                key = os.environ.get(KEY)
                log = AuditLog.of(self._memory, tables, key.encode() if key else None)
                log.rewrite(gone.redact)

    def compact(self) -> list[str]:
        """Leave nothing of it in a file of its own."""
        if self._memory.shared or not self._exists(DESK):
            return []  # with the other tables of the database
        with self._open() as tables:
            return tables.compact()


def _has_audit(tables: Tables) -> bool:
    with tables.open() as db:
        return inspect(db).has_table("audit")


def _erase_reports(db: Connection, gone: Gone) -> None:
    if not inspect(db).has_table("reports"):
        return
    query = "SELECT id, edit, query, comment FROM reports WHERE namespace = :namespace"
    rows = db.execute(text(query), {"namespace": gone.namespace}).all()
    found = [
        {"id": row.id, "mark": ERASED}
        for row in rows
        if row.edit in gone.ids or gone.concerns([row.query, row.comment])
    ]
    if found:
        db.execute(text("UPDATE reports SET query = :mark, comment = NULL WHERE id = :id"), found)


def _erase_proposals(db: Connection, gone: Gone) -> None:
    """One that is still to be decided is rejected: what it asked for is known no more."""
    if not inspect(db).has_table("proposals"):
        return
    query = "SELECT id, body, outcome FROM proposals WHERE namespace = :namespace"
    rows = db.execute(text(query), {"namespace": gone.namespace}).all()
    found = [
        {"id": row.id, "body": json.dumps({"text": ERASED})}
        for row in rows
        if gone.concerns([json.loads(cell) for cell in (row.body, row.outcome) if cell])
    ]
    if found:
        db.execute(
            text(
                "UPDATE proposals SET body = :body, outcome = NULL, state = "
                "CASE WHEN state = 'proposed' THEN 'rejected' ELSE state END WHERE id = :id"
            ),
            found,
        )
