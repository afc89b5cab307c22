"""The audit log: who changed what. Append-only JSON lines, each on disk before the change begins.

A change has two lines: ``begin``, written and synced before, so that no change is without an
author whatever happens, and its outcome after. What was altered or taken out shows
(:mod:`memedit.serving.ledger.chain`), and so does what a crash tore: it is kept, the next entry
says so, and the log goes on. Facts are named by id, not by text.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from memedit.memory import EditMemory
from memedit.serving.ledger.chain import BROKEN, TORN, Chain, Change, count_unsigned, parse_line
from memedit.serving.ledger.lines import End, InFile, InRam, InTable, Lines
from memedit.serving.ledger.tables import Tables

FILE = "audit.jsonl"
KEY = "MEMEDIT_AUDIT_KEY"
"""The environment's name for what signs the log."""
_EXCERPT = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a key, by id and name."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What :meth:`AuditLog.verify` found.

    Attributes:
        lines: How many there are.
        signed: Whether a key was given, and every line from some line on is signed with it.
        problems: What is wrong, in words.
        unsigned: How many lines come before the first that is signed: older than the key, or made
            by somebody without it.
    """

    lines: int
    signed: bool
    problems: tuple[str, ...]
    unsigned: int = 0


class AuditLog:
    """Entries, each after the one before. Several processes may share one log.

    Args:
        lines: Where they are.
        key: Signs every entry, and what the journal keeps of the newest.
    """

    def __init__(self, lines: Lines, key: bytes | None = None) -> None:
        self._lines, self._chain = lines, Chain(key)
        self._lock = threading.Lock()

    @classmethod
    def of(cls, memory: EditMemory, tables: Tables, key: bytes | None = None) -> AuditLog:
        """The log of a memory: beside its journal, or in tables of its database."""
        if memory.shared:
            return cls(InTable(tables), key)
        return cls(InRam() if memory.path is None else InFile(memory.path / FILE, memory), key)

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
        # Whatever ends it, an interrupt too: what began has an end in the log.
        except BaseException as error:
            failed = {"phase": "failed", "error": type(error).__name__}
            self._write({"change": id, "action": action, **failed, **who})
            raise
        self._write({"change": id, "phase": "done", "action": action, **who, **outcome})

    def _write(self, content: dict[str, Any]) -> None:
        # The lock is for our own threads; the end keeps other processes out.
        with self._lock, self._lines.end() as end:
            count, before, first = self._find_end(end)
            made: list[bytes] = []
            for each in [*first, content]:
                before = self._chain.entry(each, before, count + len(made) + 1)
                made.append(before)
            end.add(made, self._chain.head(count + len(made), before))

    def _find_end(self, end: End) -> tuple[int, bytes, list[dict[str, Any]]]:
        """(lines there are, the newest, what must be said before the log goes on)."""
        said: list[dict[str, Any]] = []
        if self._chain.continues(end.head, end.newest) and end.head is not None:
            count = end.head.count
        else:
            lines = end.all()
            count, broken = len(lines), self._chain.broken(lines, end.head)
            if broken is not None:
                log.error("The audit log was altered: %s", broken)
                said.append(broken)
        if not end.torn:
            return count, end.newest, said
        log.warning("A line of the audit log is torn after %d bytes; it is kept.", len(end.torn))
        return count + 1, end.torn, [{"phase": TORN, "bytes": len(end.torn)}, *said]

    def rewrite(self, change: Change) -> None:
        """Change entries that are there already, for erasure: every line from the first that
        changes on follows anew. What was wrong with the log before is said in a new entry.

        Raises:
            MemoryStoreError: it is signed, and there is no key to sign it again.
        """
        known: list[bytes] = []
        made: list[bytes] = []
        done = False
        while not done:
            with self._lock, self._lines.end() as end:
                lines = [*end.all(), *([end.torn] if end.torn else [])]
                if lines != known:
                    known, made = lines, self._rewrite(lines, change, end)
                if made == lines:
                    return
                done = end.replace(made, self._chain.head(len(made), made[-1]))

    def _rewrite(self, lines: Sequence[bytes], change: Change, end: End) -> list[bytes]:
        made = self._chain.rewritten(lines, change)
        if made != lines and any(self._chain.problems(lines, b"", end.head)):
            told = {"phase": BROKEN, "expected": len(lines), "found": len(lines)}
            made.append(self._chain.entry(told, made[-1], len(made) + 1))
        return made

    def tail(self, limit: int) -> list[dict[str, Any]]:
        """The newest entries, newest first; what is no entry as ``{"phase": "torn", "text": ...}``,
        by its beginning."""
        return [
            parse_line(line) or _describe_torn(line) for line in reversed(self._lines.newest(limit))
        ]

    def verify(self) -> AuditReport:
        """Compare every line with the one before, and the newest with what the journal knows."""
        whole = self._lines.whole()
        problems = self._chain.problems(whole.lines, whole.torn, whole.head)
        signed = self._chain.key is not None and bool(whole.head and whole.head.seal)
        unsigned = count_unsigned(whole.lines)
        if self._chain.key is not None and whole.lines and unsigned == len(whole.lines):
            problems.append("no line is signed: they are older than the key, or not the server's")
        return AuditReport(len(whole.lines), signed, tuple(problems), unsigned)


def _describe_torn(line: bytes) -> dict[str, Any]:
    return {"phase": TORN, "text": line[:_EXCERPT].decode("utf-8", "backslashreplace")}
