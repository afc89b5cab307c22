"""Imports that can be interrupted: how far a file is, kept in the journal with what it added."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import tzinfo
from itertools import islice
from pathlib import Path

from memedit.core.errors import InvalidInputError
from memedit.core.files import sha256
from memedit.core.moments import UTC
from memedit.core.types import check_named
from memedit.memory import files
from memedit.memory.reports import ImportReport, Receipt
from memedit.memory.requests import Request
from memedit.memory.standing import FURTHER

CHUNK = 1_024
_LISTED = 1_000  # refused lines in a report, which is stored with every chunk


class Import:
    """One file on its way into a memory.

    ``name`` is the meta name under which :attr:`state` is to be stored in the transaction that adds
    a chunk; it depends on the file's content, not on its path.

    Raises:
        InvalidInputError: there is no such file; a namespace or source that is no text.
    """

    def __init__(
        self,
        path: Path,
        namespace: str | None,
        source: str,
        *,
        pin: bool = False,
        zone: tzinfo = UTC,
    ) -> None:
        if not path.is_file():
            raise InvalidInputError(f"No file {str(path)!r}.", hint="Check the path.")
        check_named("source", source)
        if namespace is not None:
            check_named("namespace", namespace)
        # Said only where it is set: imports that an older version began are still found.
        key = json.dumps([sha256(path), namespace, source] + ["pin"] * pin)
        self.name = f"import:{hashlib.sha256(key.encode()).hexdigest()}"
        self.report = ImportReport()
        self.done, self._zone = 0, zone
        self._first = 0  # the version that its first chunk made; 0: none yet
        self._lines = files.read(path, namespace=namespace, source=source, pin=pin, zone=zone)

    def resume(self, state: str | None, undone: Callable[[int], bool]) -> None:
        """Go on after the chunk that stored ``state``; from the start where the memory went back
        to an older state since: what is there still is a duplicate, and costs nothing.

        Args:
            undone: Whether it did, after a version.
        """
        if state is None:
            return
        content = json.loads(state)
        if undone(content.get("version", 0)):
            return
        self.done, self._first = content["done"], content.get("first", 0)
        report = content["report"] | {"resumed_at": self.done}
        report["refused"] = [tuple(item) for item in report["refused"]]
        self.report = ImportReport(**report, change=self._first)
        # Read again, not jumped over: a line of CSV may end within quotes, on a later one.
        for _ in islice(self._lines, self.done):
            pass

    def chunks(self, size: int | None = None) -> Iterator[list[Request]]:
        """The requests of each further chunk; refused lines are in the report already."""
        while lines := list(islice(self._lines, size or CHUNK)):
            self.done += len(lines)
            refused = [(line.number, line.text, line.reason) for line in lines if not line.request]
            room = _LISTED - len(self.report.refused)
            self.report = replace(
                self.report,
                refused=self.report.refused + refused[: max(0, room)],
                refused_total=self.report.refused_total + len(refused),
            )
            yield [line.request for line in lines if line.request]

    @property
    def further(self) -> str:
        """The reason of what the next chunk adds: it goes on with those before it, with which it is
        taken back; "": it is the first."""
        return FURTHER.format(self._first) if self._first else ""

    def state(self, receipts: Sequence[Receipt], version: int) -> dict[str, str | None]:
        """Count the chunk's receipts; the meta entry to store with them at this version."""
        new = [receipt for receipt in receipts if receipt.status == "added"]
        added = len(new)
        dated = [replace(receipt, zone=self._zone) for receipt in new]
        self.report = replace(
            self.report,
            added=self.report.added + added,
            duplicate=self.report.duplicate + len(receipts) - added,
            superseded=self.report.superseded + sum(len(r.superseded) for r in receipts),
            suspicious=self.report.suspicious + sum(bool(r.suspicious) for r in new),
            open_end=self.report.open_end + sum(bool(r.open_end) for r in new),
            open_start=self.report.open_start + sum(bool(r.open_start) for r in dated),
        )
        self._first = self._first or (version if added else 0)
        self.report = replace(self.report, change=self._first)
        told = asdict(self.report)
        # Of this run; an older version would not know them.
        for name in ("compared", "open_end", "open_start", "change"):
            del told[name]
        content = {"done": self.done, "version": version, "report": told, "first": self._first}
        return {self.name: json.dumps(content, ensure_ascii=False)}
