"""Lines of an audit log that lean on each other, and the head that says which is the newest.

Every line carries its number and the hash of the line before; the head, kept elsewhere, the hash
and the number of the newest. What is altered or taken out in the middle contradicts the next line,
at the end the head. With a key, lines and head are signed (HMAC-SHA256): who does not hold it can
make neither.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from memedit.core.errors import MemoryStoreError

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""What shall become of an entry; the one that is given may be changed."""
TORN, BROKEN = "torn", "broken"
"""Phases of the log's own entries: what precedes was interrupted; was altered from without."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line: how many there are with it, its hash, and both signed if there is a key."""

    count: int
    hash: str
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """Makes lines and heads, and finds where they contradict each other.

    Args:
        key: Signs what is made, and is asked of what is read; None: nothing is signed.
    """

    key: bytes | None = None

    def entry(self, content: dict[str, Any], before: bytes, number: int) -> bytes:
        """A line, without its end, after the line ``before``."""
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = {"at": at, "number": number, **content, "after": hash_of(before)}
        if self.key is not None:
            line["seal"] = self._seal(_dump(line))
        return _dump(line)

    def rewritten(self, lines: Sequence[bytes], change: Change) -> list[bytes]:
        """Lines with their entries changed; those after the first changed one follow it anew.

        Raises:
            MemoryStoreError: they are signed, and there is no key.
        """
        made: list[bytes] = []
        moved = False
        for line in lines:
            entry = parse_line(line)
            torn = {"text": line.decode("utf-8", "replace")}  # by a crash: it is no entry
            new = change(dict(entry or torn))
            if new == (entry or torn) and not (moved and entry):
                made.append(line)
                continue
            # Every later line holds the hash of the one before: all of them change with it.
            made.append(self._link(new, made[-1] if made else b"") if entry else b"[purged]")
            moved = True
        return made

    def _link(self, entry: dict[str, Any], before: bytes) -> bytes:
        signed = entry.pop("seal", None) is not None
        if signed and self.key is None:
            raise MemoryStoreError(
                "The audit log is signed, and what was purged must be taken out of it.",
                hint="Give the key: MEMEDIT_AUDIT_KEY.",
            )
        entry["after"] = hash_of(before)
        if self.key is not None and signed:
            entry["seal"] = self._seal(_dump(entry))
        return _dump(entry)

    def head(self, count: int, newest: bytes) -> Head:
        """The head of ``count`` lines."""
        hash = hash_of(newest)
        return Head(
            count, hash, "" if self.key is None else self._seal(_describe_head(count, hash))
        )

    def continues(self, head: Head | None, newest: bytes) -> bool:
        """Whether the log ends in the line that was written last."""
        if head is None or head.hash != hash_of(newest):
            return False
        return self._is_vouched_for(head, newest)

    def broken(self, lines: Sequence[bytes], head: Head | None) -> dict[str, Any] | None:
        """What a log must say first that does not end in its head; None: there is no fault.

        Lines that follow from the head's are a server's that was killed before it moved the head.
        """
        if not self._check_end(lines, head):
            return None
        known = 0 if head is None else head.count
        return {"phase": BROKEN, "expected": known, "found": len(lines)}

    def problems(self, lines: Sequence[bytes], torn: bytes, head: Head | None) -> list[str]:
        """All that is wrong: within the lines, and between them and the head."""
        found = [*self._check_within(lines)]
        if torn:
            found.append(
                f"the last line is torn after {len(torn):,} bytes: whoever wrote it was "
                "interrupted; the log's next entry will say so"
            )
        return found + self._check_end(lines, head)

    def _check_within(self, lines: Sequence[bytes]) -> Iterator[str]:
        before, signed = b"", False
        for number, line in enumerate(lines, start=1):
            entry = parse_line(line)
            if entry is None:
                following = parse_line(lines[number]) if number < len(lines) else None
                if following is None or following.get("phase") != TORN:
                    yield f"line {number} is no entry"
            else:
                if entry.get("after") != hash_of(before):
                    yield f"line {number} does not follow line {number - 1}"
                elif self.key is not None and (signed or "seal" in entry):
                    signed = True
                    if not self._is_signed(line):
                        yield f"line {number} is not signed with this key"
                if entry.get("phase") == BROKEN:
                    yield (
                        f"line {number} says that the log was altered: "
                        f"{entry.get('expected')} lines expected, {entry.get('found')} found"
                    )
            before = line

    def _check_end(self, lines: Sequence[bytes], head: Head | None) -> list[str]:
        """What the head says against the end of the log."""
        newest = parse_line(lines[-1]) if lines else None
        if head is None:
            if newest is None or "number" not in newest:
                return []  # none, or of a memedit that kept no heads
            return [f"the journal knows nothing of these {len(lines):,} lines"]
        if not self._is_vouched_for(head, lines[-1] if lines else b""):
            return ["what the journal says of the newest line is not signed with this key"]
        if head.count < 1:
            return ["what the journal says of the newest line is damaged"]
        missing = head.count - len(lines)
        if missing > 0:
            what = "all" if not lines else f"{missing:,} of"
            return [f"{what} {head.count:,} lines are gone from the end"]
        if hash_of(lines[head.count - 1]) != head.hash:
            return [f"line {head.count} is not the one that was written"]
        before = lines[head.count - 1]
        for number, line in enumerate(lines[head.count :], start=head.count + 1):
            entry = parse_line(line) or {}
            if entry.get("after") != hash_of(before) or not (
                self.key is None or self._is_signed(line)
            ):
                return [f"line {number} was added from without"]
            before = line
        return []

    def _is_vouched_for(self, head: Head, newest: bytes) -> bool:
        """Whether the head is one of ours; one without a seal may be older than the key."""
        if self.key is None or (not head.seal and "seal" not in (parse_line(newest) or {})):
            return True
        return hmac.compare_digest(head.seal, self._seal(_describe_head(head.count, head.hash)))

    def _is_signed(self, line: bytes) -> bool:
        entry = parse_line(line) or {}
        seal = entry.pop("seal", "")
        return isinstance(seal, str) and hmac.compare_digest(seal, self._seal(_dump(entry)))

    def _seal(self, content: bytes) -> str:
        return hmac.new(self.key or b"", content, "sha256").hexdigest()[:32]


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The entry in a line; None: it holds none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def count_unsigned(lines: Sequence[bytes]) -> int:
    """How many lines come before the first that is signed, with whatever key."""
    seals = (number for number, line in enumerate(lines) if "seal" in (parse_line(line) or {}))
    return next(seals, len(lines))


def hash_of(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]  # 128 bits


def _dump(entry: dict[str, Any]) -> bytes:
    # ASCII: the same bytes in a file and in a database, whatever encoding that has.
    return json.dumps(entry, ensure_ascii=True, default=str).encode()


def _describe_head(count: int, hash: str) -> bytes:
    return f"head {count} {hash}".encode()
