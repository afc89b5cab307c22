"""What waits for a person: proposed changes, and reports of wrong answers. Kept in SQLite."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from memedit.errors import MemoryStoreError
from memedit.serving.audit import Author

_SCHEMA = """
CREATE TABLE IF NOT EXISTS proposals (
  id TEXT PRIMARY KEY, namespace TEXT NOT NULL, action TEXT NOT NULL, body TEXT NOT NULL,
  author TEXT NOT NULL, name TEXT NOT NULL, at TEXT NOT NULL,
  state TEXT NOT NULL, decided_by TEXT, decided_at TEXT, outcome TEXT
);
CREATE TABLE IF NOT EXISTS reports (
  id TEXT PRIMARY KEY, namespace TEXT NOT NULL, kind TEXT NOT NULL, query TEXT NOT NULL,
  edit TEXT, comment TEXT, author TEXT NOT NULL, at TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that is not made yet.

    Attributes:
        action: create, change, forget, import or restore.
        body: What the change was asked for with.
        state: proposed, deciding, approved, rejected or failed.
        outcome: What the approved change answered, or why it failed.
    """

    id: str
    namespace: str
    action: str
    body: dict[str, Any]
    author: str
    name: str
    at: str
    state: str
    decided_by: str | None
    decided_at: str | None
    outcome: dict[str, Any] | None

    def plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Desk:
    """Proposals and reports in the database ``path``; None keeps them in RAM."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, check_same_thread=False, isolation_level=None,
            timeout=30,
        )  # fmt: skip
        self._db.row_factory = sqlite3.Row
        with self._locked() as db:
            db.executescript(f"PRAGMA synchronous=FULL; {_SCHEMA}")
            # A server died while it decided: open again. A change made twice changes nothing.
            db.execute("UPDATE proposals SET state = 'proposed' WHERE state = 'deciding'")

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise MemoryStoreError(f"The desk cannot be used: {error}.") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def propose(
        self, author: Author, namespace: str, action: str, body: dict[str, Any]
    ) -> Proposal:
        """Keep a change for somebody else to approve."""
        id = uuid.uuid4().hex[:12]
        row = (id, namespace, action, json.dumps(body), author.key, author.name, _now(), "proposed")
        with self._locked() as db:
            db.execute(
                "INSERT INTO proposals (id, namespace, action, body, author, name, at, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        found = self.proposal(id, namespace)
        assert found is not None
        return found

    def proposal(self, id: str, namespace: str) -> Proposal | None:
        """The proposal of that id in this namespace."""
        with self._locked() as db:
            row = db.execute(
                "SELECT * FROM proposals WHERE id = ? AND namespace = ?", (id, namespace)
            ).fetchone()
        return None if row is None else _proposal(row)

    def proposals(self, namespace: str, state: str | None, limit: int) -> list[Proposal]:
        """Proposals of a namespace, newest first."""
        with self._locked() as db:
            rows = db.execute(
                "SELECT * FROM proposals WHERE namespace = ? AND (? IS NULL OR state = ?) "
                "ORDER BY rowid DESC LIMIT ?",
                (namespace, state, state, limit),
            ).fetchall()
        return [_proposal(row) for row in rows]

    def take(self, id: str, namespace: str, by: Author) -> bool:
        """Begin to decide a proposal; False where somebody else did."""
        with self._locked() as db:
            done = db.execute(
                "UPDATE proposals SET state = 'deciding', decided_by = ?, decided_at = ? "
                "WHERE id = ? AND namespace = ? AND state = 'proposed'",
                (by.key, _now(), id, namespace),
            )
            return done.rowcount == 1

    def decide(self, id: str, state: str, outcome: dict[str, Any] | None) -> None:
        """The end of what :meth:`take` began."""
        with self._locked() as db:
            db.execute(
                "UPDATE proposals SET state = ?, outcome = ? WHERE id = ?",
                (state, None if outcome is None else json.dumps(outcome), id),
            )

    def report(
        self, author: Author, namespace: str, kind: str, query: str, edit: str | None,
        comment: str | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Keep what somebody said of an answer."""
        row = (uuid.uuid4().hex[:12], namespace, kind, query, edit, comment, author.key, _now())
        with self._locked() as db:
            db.execute("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        names = ("id", "namespace", "kind", "query", "edit", "comment", "author", "at")
        return dict(zip(names, row, strict=True))

    def reports(self, namespace: str, limit: int) -> list[dict[str, Any]]:
        """Reports of a namespace, newest first."""
        with self._locked() as db:
            rows = db.execute(
                "SELECT * FROM reports WHERE namespace = ? ORDER BY rowid DESC LIMIT ?",
                (namespace, limit),
            ).fetchall()
        return [dict(row) for row in rows]


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _proposal(row: sqlite3.Row) -> Proposal:
    values = dict(row)
    for name in ("body", "outcome"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Proposal(**values)
