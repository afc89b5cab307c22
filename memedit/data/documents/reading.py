"""A file to a document: told by its suffix, read within limits, and never run or fetched from.

PDF and DOCX are read by a process of their own, which may use so much time and memory and no more:
their formats are large, and their readers have been made to loop before.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from memedit.core.documents import NewDocument, check_name
from memedit.core.errors import InvalidInputError, MissingExtraError
from memedit.core.untrusted import PLACE, read_bytes
from memedit.data.documents import cutting
from memedit.data.documents.blocks import Block, Contents, contents_of, flatten, refuse_unreadable
from memedit.data.documents.html import read_html
from memedit.data.documents.markdown import read_markdown, read_text

MOST_BYTES = 16 << 20
"""Of a file."""
MOST_TEXT = 4 << 20
"""Characters of a text."""
SECONDS = 60.0
"""In which a PDF or DOCX must be read."""
KINDS = {
    ".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text", ".html": "html",
    ".htm": "html", ".xhtml": "html", ".pdf": "pdf", ".docx": "docx",
}  # fmt: skip
"""Format by suffix."""
TYPES = {
    "text/markdown": "markdown", "text/x-markdown": "markdown", "text/plain": "text",
    "text/html": "html", "application/xhtml+xml": "html", "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}  # fmt: skip
"""Format by media type."""
_TEXTS: Mapping[str, Callable[[str], Contents]] = {
    "markdown": read_markdown, "text": read_text, "html": read_html,
}  # fmt: skip
_LOOK = 8_192
"""Bytes at the beginning of a file; one of zero among them stands in no text."""
_LONGEST_TITLE = 120


def is_document(path: Path) -> bool:
    """Whether a file is a document, by its suffix; a ``.txt`` of JSON lines is a file of edits."""
    kind = KINDS.get(path.suffix.casefold())
    if kind != "text" or not path.is_file():
        return kind is not None
    with path.open("rb") as file:
        return not file.read(4_096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def read_document(path: Path, name: str | None = None) -> NewDocument:
    """A document from a file.

    Args:
        path: Markdown, text, HTML, PDF or DOCX, by its suffix.
        name: What it shall be called; None: as its file.

    Raises:
        InvalidInputError: there is no such file, it is of another format or damaged, or it holds
            nothing, or more than it may.
        MissingExtraError: what reads it is not installed.
        UntrustedFileError: it is too large, or no regular file.
    """
    kind = KINDS.get(path.suffix.casefold())
    if kind is None:
        raise InvalidInputError(
            f"{path.name!r} is no document.", hint=f"One of {', '.join(KINDS)} is."
        )
    if not path.is_file():
        raise InvalidInputError(f"No file {str(path)!r}.", hint="Check the path.")
    content = read_bytes(path, MOST_BYTES)
    return parse_document(content, kind, name or name_of(path.stem), path.stem)


def name_of(stem: str) -> str:
    """A name for a document of a file of this name.

    Raises:
        InvalidInputError: nothing of it can be one.
    """
    return check_name(re.sub(r"[^\w.-]+", "-", stem).strip("-._").casefold()[:64])


def parse_document(content: bytes, kind: str, name: str, called: str = "") -> NewDocument:
    """A document from its bytes.

    Args:
        kind: One of the values of :data:`KINDS`.
        called: A title, where it says none itself.

    Raises:
        InvalidInputError, MissingExtraError: as :func:`read_document`.
    """
    check_name(name)
    if len(content) > MOST_BYTES:
        raise InvalidInputError(f"The document is larger than {MOST_BYTES:,} bytes.")
    contents = _texts(content, kind) if kind in _TEXTS else read_apart(content, kind)
    first = contents.blocks[0] if contents.blocks else Block("text", "")
    own = first.text if first.kind == "heading" else ""
    title = flatten(own or contents.title or called or name)[:_LONGEST_TITLE]
    passages = tuple(cutting.cut_passages(contents, title))
    return NewDocument(name, passages, hashlib.sha256(content).hexdigest(), title)


def _texts(content: bytes, kind: str) -> Contents:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"The document is not UTF-8: {error.reason} at byte {error.start}.",
            hint="It is no text." if b"\x00" in content[:_LOOK] else "Save it as UTF-8.",
        ) from None
    if len(text) > MOST_TEXT:
        raise InvalidInputError(f"The document has more than {MOST_TEXT:,} characters.")
    # No edit may hold NUL; and lines end in one way from here on.
    plain = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    try:
        return _TEXTS[kind](plain)
    except RecursionError as error:
        raise refuse_unreadable(kind, error) from None


def read_apart(content: bytes, kind: str) -> Contents:
    """What a process of its own reads.

    Raises:
        InvalidInputError, MissingExtraError: what it says; it took too long or too much memory.
    """
    command = [sys.executable, "-m", "memedit.data.documents.worker", kind]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=SECONDS, cwd=PLACE
        )
    except subprocess.TimeoutExpired:
        raise refuse_unreadable(kind.upper(), f"it takes more than {SECONDS:.0f} seconds") from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        # The last line of a traceback names what went wrong.
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise refuse_unreadable(kind.upper(), last[0] if last else "its reader died") from None
    if "package" in told:
        raise MissingExtraError(told["package"], extra="documents")
    if "error" in told:
        raise InvalidInputError(told["error"], hint=told["hint"])
    return contents_of(told)
