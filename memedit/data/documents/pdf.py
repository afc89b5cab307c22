"""PDF: its text layer, put together to paragraphs again."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from memedit.core.errors import MissingExtraError
from memedit.data.documents.blocks import Block, Contents, flatten, refuse_unreadable

try:
    import pypdf
except ImportError as error:  # told when it is needed
    _missing: ImportError | None = error
else:
    _missing = None

MOST_PAGES = 500
_MOST_TEXT = 4 << 20
_ENDS = tuple(".!?:;。！？")
_ITEM = re.compile(r"(?:[-–•▪◦*●]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+(?=\S)")
_NUMBERED = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+(?=[A-ZÀ-Þ])")
_LONGEST_HEADING = 70
_PAGE = re.compile(r"(?:page\s+)?\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?", re.IGNORECASE)


def read_pdf(content: bytes) -> Contents:
    """A PDF with a text layer.

    Raises:
        InvalidInputError: it is none, it is locked, or has too many pages.
        MissingExtraError: pypdf is not installed.
    """
    if _missing is not None:
        raise MissingExtraError("pypdf", extra="documents") from _missing
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        # Many are locked by an empty password, which forbids printing or copying, not reading.
        if reader.is_encrypted and not reader.decrypt(""):
            raise refuse_unreadable("PDF", "it is locked by a password")
        if len(reader.pages) > MOST_PAGES:
            raise refuse_unreadable(
                "PDF", f"{len(reader.pages):,} pages; at most {MOST_PAGES} are read"
            )
        pages, size = list[list[str]](), 0
        for page in reader.pages:
            text = page.extract_text()
            size += len(text)
            if size > _MOST_TEXT:
                raise refuse_unreadable("PDF", f"more than {_MOST_TEXT:,} characters")
            pages.append([line.strip() for line in text.splitlines()])
        title = flatten(str(reader.metadata.title or "")) if reader.metadata is not None else ""
    except (pypdf.errors.PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError,
            RecursionError, OverflowError, ArithmeticError, OSError) as error:  # fmt: skip
        raise refuse_unreadable("PDF", error) from None
    return Contents(tuple(_blocks(_lines(pages))), title)


def _lines(pages: Sequence[Sequence[str]]) -> list[str]:
    """Every line without page numbers and what stands at the head or foot of most pages."""
    edges: dict[str, int] = {}
    for page in pages:
        full = [line for line in page if line]
        for line in {*full[:1], *full[-1:]}:
            edges[line] = edges.get(line, 0) + 1
    running = {line for line, count in edges.items() if count > 2 and count * 2 > len(pages)}
    found: list[str] = []
    for page in pages:
        found += [line for line in page if line not in running and not _PAGE.fullmatch(line)]
    return found


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    # Of a full line: the few longest stick out of the column.
    width = sorted(map(len, lines))[int(len(lines) * 0.9)] if lines else 0
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if paragraph and _ends_paragraph(paragraph[-1], line, width):
            yield _block(paragraph)
            paragraph = []
        if line:
            paragraph.append(line)


def _ends_paragraph(line: str, following: str, width: int) -> bool:
    """Whether a paragraph ends with a line."""
    short = len(line) < 0.75 * width
    return (
        not following
        or bool(_ITEM.match(following))
        or (short and line.endswith(_ENDS))
        or _heading(line) > 0
        or (_heading(following) > 0 and line.endswith(_ENDS))
    )


def _heading(line: str) -> int:
    """How deep a line is a heading; 0: it is none."""
    if len(line) > _LONGEST_HEADING or line.endswith((*_ENDS, ",")):
        return 0
    numbered = _NUMBERED.match(line)
    if numbered:
        return 1 + numbered["number"].count(".")
    letters = [c for c in line if c.isalpha()]
    return 1 if len(letters) > 3 and all(c.isupper() for c in letters) else 0


def _block(lines: Sequence[str]) -> Block:
    joined = lines[0]
    for line in lines[1:]:
        # A word that the end of a line cut goes on in small letters; "Baden-" before "Baden" does
        # not.
        whole = joined.endswith("-") and joined[-2:-1].isalpha() and line[:1].islower()
        joined = joined[:-1] + line if whole else f"{joined} {line}"
    text = flatten(joined)
    level = _heading(lines[0]) if len(lines) == 1 else 0
    if level:
        return Block("heading", text, level)
    return Block("item", text) if _ITEM.match(text) else Block("text", text)
