"""DOCX: a Word document's paragraphs, lists and tables in order, as they stand with every change
accepted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from memedit.core.errors import MissingExtraError
from memedit.data.documents.blocks import Block, Contents, flatten, make_table, refuse_unreadable

try:
    import docx
    from docx.table import Table
    from docx.text.paragraph import Paragraph
except ImportError as error:  # told when it is needed
    _missing: ImportError | None = error
else:
    _missing = None

MOST_BYTES = 64 << 20
"""Of everything in the file, unpacked."""
_MOST_FILES = 2_000


def read_docx(content: bytes) -> Contents:
    """A Word document.

    Raises:
        InvalidInputError: it is none, or larger than it may be once unpacked.
        MissingExtraError: python-docx is not installed.
    """
    if _missing is not None:
        raise MissingExtraError("python-docx", extra="documents") from _missing
    _check_archive(content)
    try:
        document = docx.Document(io.BytesIO(content))  # its parser resolves no entities
        blocks = tuple(_blocks(document))
        title = flatten(document.core_properties.title or "")
    except Exception as error:  # the library's own, lxml's, a missing part: any
        raise refuse_unreadable("DOCX", error) from None
    return Contents(blocks, title)


def _check_archive(content: bytes) -> None:
    """Look at what an archive says of itself before anything is unpacked; ``zipfile`` unpacks no
    more of a part than that."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise refuse_unreadable("DOCX", error) from None
    size = sum(part.file_size for part in parts)
    if size > MOST_BYTES or len(parts) > _MOST_FILES:
        raise refuse_unreadable(
            "DOCX", f"it holds {size:,} bytes in {len(parts):,} files; at most {MOST_BYTES:,} in "
            f"{_MOST_FILES:,} are allowed"
        )  # fmt: skip


def _blocks(document: docx.document.Document) -> Iterator[Block]:
    for element in document.iter_inner_content():
        if isinstance(element, Table):
            found = make_table(list(_rows(element)))
            if found is not None:
                yield found
        elif text := flatten(_read_paragraph(element)):
            yield _block(element, text)


def _block(paragraph: Paragraph, text: str) -> Block:
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    kind, _, number = style.casefold().partition(" ")
    if kind == "title":
        return Block("heading", text, 1)
    if kind == "heading" and number.isdecimal():
        return Block("heading", text, int(number))
    # By its numbering, too: styles are called otherwise in every language of Word's.
    if kind == "list" or paragraph._p.xpath("./w:pPr/w:numPr"):
        depth = paragraph._p.xpath("./w:pPr/w:numPr/w:ilvl/@w:val")
        level = int(depth[0]) if depth and str(depth[0]).isdecimal() else 0
        return Block("item", f"- {text}", level)
    return Block("text", text)


def _read_paragraph(paragraph: Paragraph) -> str:
    """The text with insertions, links and fields; what is deleted or hidden is no text."""
    seen = "[not(ancestor::w:r/w:rPr/w:vanish)]"
    nodes = paragraph._p.xpath(f".//w:t{seen} | .//w:tab | .//w:br | .//w:noBreakHyphen")
    marks = {"tab": " ", "br": " ", "noBreakHyphen": "-"}
    return "".join(marks.get(node.tag.rpartition("}")[2], node.text or "") for node in nodes)


def _rows(element: Table) -> Iterator[list[str]]:
    for row in element.rows:
        cells, last = list[str](), None
        for cell in row.cells:
            if cell._tc is not last:  # a merged cell stands several times
                cells.append(" ".join(_read_paragraph(paragraph) for paragraph in cell.paragraphs))
            last = cell._tc
        yield cells
