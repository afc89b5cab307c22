"""Documents: a file's passages, each a record of its own that says where it stands.

There is no table of documents. A passage's ``source`` says of which document it is, since which
version, and where it stands among the others:

    document:leave@2#7340032

What is in force is what is live, so that going back to a version of the memory, backups, exports,
purges and databases need not know of documents. Every version of a document stores its first
passage anew, under the id that it had, with the hash of the file and the title:

    document:leave@3#1048576 sha256:9f86d081... Leave policy
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from memedit.core.errors import InvalidInputError

PREFIX = "document:"
STEP = 1 << 20
"""Between the positions of two passages: room for those of later versions."""
MOST_PASSAGES = 5_000
_NAME = re.compile(r"[\w][\w.-]{0,63}")
# Digits are bounded: a source may be a stranger's, and long numbers take long to read.
_SOURCE = re.compile(
    rf"{PREFIX}(?P<name>{_NAME.pattern})@(?P<version>\d{{1,9}})#(?P<position>\d{{1,15}})"
    r"(?: sha256:(?P<sha256>[0-9a-f]{64}) (?P<title>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands, as its source says.

    Attributes:
        document: Name of the document.
        version: The document's version that brought it (or stored it anew).
        position: Grows along the document.
        sha256, title: Of the whole document, in the first passage of each version; else "".
    """

    document: str
    version: int
    position: int
    sha256: str = ""
    title: str = ""

    @property
    def source(self) -> str:
        """What :func:`place_of` reads."""
        whole = f" sha256:{self.sha256} {self.title}" if self.sha256 else ""
        return f"{prefix_of(self.document)}{self.version}#{self.position}{whole}"


@dataclass(frozen=True, slots=True)
class Passage:
    """What an answer tells of a passage: number ``number`` of the ``count`` that the version in
    force of a document has.

    Attributes:
        text: What is shown of the document: the passage, with its neighbours where there is room;
            "" where another passage's text shows it already; None: not decided yet.
    """

    document: str
    version: int
    number: int
    count: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document as it was read: its passages in order, each a statement.

    Attributes:
        sha256: Of the file.

    Raises:
        InvalidInputError: no name, no passage, or too many.
    """

    name: str
    passages: tuple[str, ...]
    sha256: str
    title: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.passages:
            raise InvalidInputError(
                f"The document {self.name!r} holds no text.",
                hint="Is it the right file? A scanned PDF needs text recognition first.",
            )
        if len(self.passages) > MOST_PASSAGES:
            raise InvalidInputError(
                f"The document {self.name!r} has {len(self.passages):,} passages; at most "
                f"{MOST_PASSAGES:,} are allowed.",
                hint="Split it into several documents.",
            )
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise InvalidInputError(f"{self.sha256!r:.80} is no SHA-256 in hexadecimal.")


def check_name(name: object) -> str:
    """``name`` if a document can have it.

    Raises:
        InvalidInputError: saying what a name is.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name!r:.80} is no name of a document.",
            hint="1 to 64 letters, digits, '.', '_' and '-', the first a letter or a digit.",
        )
    return name


def check_source(source: str) -> str:
    """``source`` if an edit that is no passage can have it: an answer names the document it is of.

    Raises:
        InvalidInputError: it says that the edit is a passage of a document.
    """
    if source.startswith(PREFIX):
        raise InvalidInputError(
            f"A source beginning with {PREFIX!r} is kept for passages of documents.",
            hint="memedit edit document add FILE, or PUT /v1/documents/NAME, puts one in force.",
        )
    return source


def prefix_of(name: str) -> str:
    """What the sources of all passages of a document begin with, in every version."""
    return f"{PREFIX}{name}@"


def place_of(source: str) -> Place | None:
    """Where a record with this source stands in a document; None: it is of none."""
    if not source.startswith(PREFIX):
        return None
    found = _SOURCE.fullmatch(source)
    if found is None:
        return None
    return Place(
        found["name"],
        int(found["version"]),
        int(found["position"]),
        found["sha256"] or "",
        found["title"] or "",
    )


def assign_positions(anchors: Sequence[int | None]) -> list[int] | None:
    """Growing positions for passages in order, of which some have one (growing) that stays.

    None where there is no room between two of them.
    """
    found = [0 if anchor is None else anchor for anchor in anchors]
    before, start = 0, 0
    for at in [*(n for n, anchor in enumerate(anchors) if anchor is not None), len(anchors)]:
        missing = at - start
        end = found[at] if at < len(anchors) else before + STEP * (missing + 1)
        # Positions are whole numbers: as many must lie between the two.
        if end - before <= missing:
            return None
        for n in range(missing):
            found[start + n] = before + (end - before) * (n + 1) // (missing + 1)
        before, start = end, at + 1
    return found


def find_growing(numbers: Sequence[int]) -> set[int]:
    """Indexes of a longest strictly growing subsequence."""
    # Patience sorting: ends[k] is the least number that a growing sequence of k + 1 can end with.
    ends: list[int] = []
    at_end: list[int] = []
    previous: list[int] = []
    for n, number in enumerate(numbers):
        length = bisect_left(ends, number)
        previous.append(at_end[length - 1] if length else -1)
        if length == len(ends):
            ends.append(number)
            at_end.append(n)
        else:
            ends[length], at_end[length] = number, n
    found: set[int] = set()
    n = at_end[-1] if at_end else -1
    while n >= 0:
        found.add(n)
        n = previous[n]
    return found
