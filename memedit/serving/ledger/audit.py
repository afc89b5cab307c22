"""The audit log: who changed what. Append-only JSON lines, each on disk before the change begins.

A change has two lines: ``begin``, written and synced before, so that no change is without an
author whatever happens, and its outcome after. Every line carries the hash of the one before:
a line that is altered or taken out shows (:func:`verify`). Facts are named by id, not by text.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, text

from memedit.core.errors import MemoryStoreError
from memedit.serving.ledger.tables import Tables

_TABLE = ("CREATE TABLE IF NOT EXISTS audit (line TEXT NOT NULL)",)
_NEWEST = "SELECT line FROM audit ORDER BY number DESC LIMIT :limit"


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a key, by id and name."""

    key: str
    name: str


class AuditLog:
    """Lines in ``path``; None keeps them in RAM. Several processes may share one file.

    Args:
        path: A file.
        tables: Keeps the lines instead, where several servers share one memory.
    """

    def __init__(self, path: Path | None, tables: Tables | None = None) -> None:
        self.path, self._tables, self._ready = path, tables, False
        self._lock = threading.Lock()
        self._kept: deque[str] = deque(maxlen=10_000)

    @contextmanager
    def change(
        self,
        author: Author,
        action: str,
        namespace: str,
        *,
        approved_by: str | None = None,
        **about: Any,
    ) -> Iterator[dict[str, Any]]:
        """Around a change; what the block puts into the yielded dict is logged with the outcome.

        Raises:
            MemoryStoreError: the log cannot be written; the change is then not made.
        """
        id = uuid.uuid4().hex[:12]
        who = {"key": author.key, "name": author.name, "namespace": namespace}
        if approved_by is not None:
            who["approved_by"] = approved_by
        self._write({"change": id, "phase": "begin", "action": action, **who, **about})
        outcome: dict[str, Any] = {}
        try:
            yield outcome
        except BaseException as error:
            failed = {"phase": "failed", "error": type(error).__name__}
            self._write({"change": id, "action": action, **failed, **who})
            raise
        self._write({"change": id, "phase": "done", "action": action, **who, **outcome})

    def _write(self, content: dict[str, Any]) -> None:
        if self._tables is not None:
            self._insert(self._tables, content)
            return
        with self._lock:
            if self.path is None:
                self._kept.append(_line(content, self._kept[-1] if self._kept else ""))
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(f"{self.path}.lock"):
                    _append(self.path, content)
            except OSError as error:
                raise MemoryStoreError(
                    f"The audit log {str(self.path)!r} cannot be written: {error}.",
                    hint="No change is made without it.",
                ) from error

    @contextmanager
    def _open(self, tables: Tables) -> Iterator[Connection]:
        with tables.open() as db:
            if not self._ready:
                tables.create(db, _TABLE)
                self._ready = True
            yield db

    def _insert(self, tables: Tables, content: dict[str, Any]) -> None:
        """One line after the last, whichever server wrote that."""
        with self._open(tables) as db:
            tables.lock(db)
            last = db.execute(text(_NEWEST), {"limit": 1}).scalar_one_or_none()
            line = _line(content, last or "")
            db.execute(text("INSERT INTO audit (line) VALUES (:line)"), {"line": line})

    def tail(self, limit: int) -> list[dict[str, Any]]:
        """The newest entries, newest first."""
        if self._tables is not None:
            with self._open(self._tables) as db:
                lines = list(db.execute(text(_NEWEST), {"limit": limit}).scalars())[::-1]
        elif self.path is None:
            lines = list(self._kept)[-limit:]
        elif self.path.exists():
            with self.path.open(encoding="utf-8") as file:
                lines = list(deque(file, maxlen=limit))
        else:
            lines = []
        return [json.loads(line) for line in reversed(lines)]


def _append(path: Path, content: dict[str, Any]) -> None:
    """One line after the last whole one; a line torn by a crash is cut off first."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        before = _last_line(file)
        file.seek(0, os.SEEK_END)
        file.write(_line(content, before).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_line(file: Any) -> str:
    size = file.seek(0, os.SEEK_END)
    reach = 4_096
    while size:
        file.seek(max(0, size - reach))
        tail: bytes = file.read()
        end = tail.rfind(b"\n")
        start = tail.rfind(b"\n", 0, max(end, 0))
        if end >= 0 and (start >= 0 or reach >= size):
            if end + 1 < len(tail):
                file.truncate(size - (len(tail) - end - 1))
            return tail[start + 1 : end].decode()
        if reach >= size:
            file.truncate(0)
            return ""
        reach *= 4
    return ""


def _line(content: dict[str, Any], before: str) -> str:
    at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    chained = {"at": at, **content, "after": _hash(before)}
    return json.dumps(chained, ensure_ascii=True, default=str)


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:32]


def verify(path: Path) -> list[str]:
    """What is wrong with an audit log: lines that do not follow from the line before."""
    return verify_lines(path.read_text("utf-8").splitlines())


def verify_lines(lines: Iterable[str]) -> list[str]:
    """:func:`verify` of lines from anywhere, oldest first."""
    problems, before = [], ""
    for number, line in enumerate(lines, start=1):
        try:
            after = json.loads(line)["after"]
        except (ValueError, KeyError, TypeError):
            problems.append(f"line {number} is no entry")
        else:
            if after != _hash(before):
                problems.append(f"line {number} does not follow line {number - 1}")
        before = line
    return problems
