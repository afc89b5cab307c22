"""What waits for a person: proposed changes, and reports of wrong answers. Kept in SQL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, text

from memedit.core.errors import MemoryStoreError
from memedit.serving.ledger.audit import Author
from memedit.serving.ledger.tables import Tables

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS proposals (
      id TEXT PRIMARY KEY, namespace TEXT NOT NULL, action TEXT NOT NULL, body TEXT NOT NULL,
      author TEXT NOT NULL, name TEXT NOT NULL, at TEXT NOT NULL,
      state TEXT NOT NULL, decided_by TEXT, decided_at TEXT, outcome TEXT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS reports (
      id TEXT PRIMARY KEY, namespace TEXT NOT NULL, kind TEXT NOT NULL, query TEXT NOT NULL,
      edit TEXT, comment TEXT, author TEXT NOT NULL, at TEXT NOT NULL
    )
    """,
)
_ABANDONED = timedelta(minutes=10)
_PROPOSAL = "id, namespace, action, body, author, name, at, state, decided_by, decided_at, outcome"
_REPORT = ("id", "namespace", "kind", "query", "edit", "comment", "author", "at")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that is not made yet.

    Attributes:
        action: create, alter, report, forget, import, restore or purge.
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
    """Proposals and reports, in a file of their own or beside a shared memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._ready = False

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        """A transaction, the tables being there."""
        with self._tables.open() as db:
            if not self._ready:
                self._tables.create(db, _TABLES)
                # Whoever decided died meanwhile: open again. Made twice, a change changes nothing.
                before = (datetime.now(timezone.utc) - _ABANDONED).isoformat(timespec="seconds")
                db.execute(
                    text(
                        "UPDATE proposals SET state = 'proposed' "
                        "WHERE state = 'deciding' AND (:alone = 1 OR decided_at < :before)"
                    ),
                    {"alone": int(not self._tables.shared), "before": before},
                )
                self._ready = True
            yield db

    def hurry(self, seconds: float) -> None:
        """Wait for other processes no longer than so many seconds from now."""
        self._tables.hurry(seconds)

    def close(self) -> None:
        self._tables.close()

    def propose(
        self, author: Author, namespace: str, action: str, body: dict[str, Any]
    ) -> Proposal:
        """Keep a change for somebody else to approve."""
        row = {
            "id": uuid.uuid4().hex[:12], "namespace": namespace, "action": action,
            "body": json.dumps(body), "author": author.key, "name": author.name,
            "at": _read_clock(),
        }  # fmt: skip
        with self._open() as db:
            db.execute(
                text(
                    "INSERT INTO proposals (id, namespace, action, body, author, name, at, state) "
                    "VALUES (:id, :namespace, :action, :body, :author, :name, :at, 'proposed')"
                ),
                row,
            )
        found = self.proposal(row["id"], namespace)
        assert found is not None
        return found

    def proposal(self, id: str, namespace: str) -> Proposal | None:
        """The proposal of that id in this namespace."""
        query = f"SELECT {_PROPOSAL} FROM proposals WHERE id = :id AND namespace = :namespace"
        with self._open() as db:
            row = db.execute(text(query), {"id": id, "namespace": namespace}).one_or_none()
        return None if row is None else _proposal(row)

    def proposals(self, namespace: str, state: str | None, limit: int) -> list[Proposal]:
        """Proposals of a namespace, newest first."""
        query = (
            f"SELECT {_PROPOSAL} FROM proposals WHERE namespace = :namespace "
            "AND (:state = '' OR state = :state) "
            f"ORDER BY {self._tables.order} DESC LIMIT :limit"
        )
        given = {"namespace": namespace, "state": state or "", "limit": limit}
        with self._open() as db:
            rows = db.execute(text(query), given).all()
        return [_proposal(row) for row in rows]

    def take(self, id: str, namespace: str, by: Author) -> bool:
        """Begin to decide a proposal; False where somebody else did."""
        with self._open() as db:
            # One statement: of two who approve at the same time, one finds it taken.
            done = db.execute(
                text(
                    "UPDATE proposals SET state = 'deciding', decided_by = :by, decided_at = :at "
                    "WHERE id = :id AND namespace = :namespace AND state = 'proposed'"
                ),
                {"by": by.key, "at": _read_clock(), "id": id, "namespace": namespace},
            )
            return bool(done.rowcount == 1)

    def decide(self, id: str, state: str, outcome: dict[str, Any] | None) -> None:
        """The end of what :meth:`take` began."""
        kept = None if outcome is None else json.dumps(outcome)
        with self._open() as db:
            db.execute(
                text("UPDATE proposals SET state = :state, outcome = :outcome WHERE id = :id"),
                {"state": state, "outcome": kept, "id": id},
            )

    def blank(self, id: str) -> None:
        """Forget what a purge was asked for with; made again, it finishes what was begun."""
        with self._open() as db:
            told = {"body": json.dumps({"finish": True}), "id": id}
            db.execute(text("UPDATE proposals SET body = :body WHERE id = :id"), told)

    def report(
        self, author: Author, namespace: str, kind: str, query: str, edit: str | None,
        comment: str | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Keep what somebody said of an answer."""
        values = (
            uuid.uuid4().hex[:12],
            namespace,
            kind,
            query,
            edit,
            comment,
            author.key,
            _read_clock(),
        )
        row = dict(zip(_REPORT, values, strict=True))
        named = ", ".join(f":{name}" for name in _REPORT)
        with self._open() as db:
            db.execute(text(f"INSERT INTO reports ({', '.join(_REPORT)}) VALUES ({named})"), row)
        return row

    def reports(self, namespace: str, limit: int) -> list[dict[str, Any]]:
        """Reports of a namespace, newest first."""
        query = (
            f"SELECT {', '.join(_REPORT)} FROM reports WHERE namespace = :namespace "
            f"ORDER BY {self._tables.order} DESC LIMIT :limit"
        )
        with self._open() as db:
            rows = db.execute(text(query), {"namespace": namespace, "limit": limit}).all()
        return [dict(row._mapping) for row in rows]


def _read_clock() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _proposal(row: Sequence[Any]) -> Proposal:
    values: dict[str, Any] = dict(zip(_PROPOSAL.split(", "), row, strict=True))
    for name in ("body", "outcome"):
        try:
            values[name] = None if values[name] is None else json.loads(values[name])
        except (ValueError, TypeError, RecursionError) as error:
            raise MemoryStoreError(
                f"The {name} of proposal {values['id']!r} is damaged: {error}.",
                hint="Reject it by deleting its row of the table proposals.",
            ) from None
    return Proposal(**values)
