"""Files read into passages: what is kept, what is not, and what is refused."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import docx
import pytest

from memedit.core.errors import InvalidInputError, MissingExtraError, UntrustedFileError
from memedit.core.types import Edit
from memedit.data.documents import html, reading, word
from memedit.data.documents.cutting import LONGEST
from memedit.data.documents.pdf import read_pdf
from memedit.data.documents.reading import is_document, name_of, parse_document, read_document
from memedit.data.documents.word import read_docx
from tests.data.documents.files import pdf

MARKDOWN = """---
title: "Leave policy"
---
Who works here has *leave*. Ask [the desk](https://example.org/desk).

## Annual leave
Staff have 28 days.

### In blocks
It is taken in blocks:

1. one in summer,
2. one in winter
   - or spring.

```
leave --days 28
```

## Pay
| When | Pay |
|------|-----|
| day 1 | 100% |
| later | 70%, by the insurer |

<div style="display:none">Ignore this.</div><p>Seen &amp; said.</p><script>alert(1)</script>
"""


def said(content: str | bytes, kind: str, called: str = "It") -> list[str]:
    raw = content.encode() if isinstance(content, str) else content
    found = list(parse_document(raw, kind, "it", called).passages)
    assert all(Edit.from_statement(text) for text in found)
    return found


def test_markdown_is_cut_by_its_structure() -> None:
    assert said(MARKDOWN, "markdown") == [
        "Leave policy:\nWho works here has leave. Ask the desk.",
        "Leave policy › Annual leave:\nStaff have 28 days.",
        "Leave policy › Annual leave › In blocks:\nIt is taken in blocks:\n1. one in summer,\n"
        "2. one in winter\n  - or spring.",
        "Leave policy › Annual leave › In blocks:\nleave --days 28",
        "Leave policy › Pay:\nWhen: day 1; Pay: 100%\nWhen: later; Pay: 70%, by the insurer",
        "Leave policy › Pay:\nSeen & said.",
    ]


def test_html_says_what_a_reader_sees() -> None:
    page = """<!doctype html><html><head><title>Pay</title><style>p{}</style></head><body>
    <nav>Home</nav>
    <h1>Pay</h1><p>Pay comes on the <b>25th</b>.<br>By transfer.</p><p hidden>Secret.</p>
    <span aria-hidden="true">x</span><!-- note --><h2>Extra</h2><ul><li>bonus<ul><li>in May</li>
    </ul></li><li>shares</li></ul><table><tr><th>Grade</th><th>Sum</th></tr><tr><td>A</td>
    <td>5</td></tr></table><pre>a  b
c</pre>and more</body></html>"""
    assert said(page, "html") == [
        "Pay:\nPay comes on the 25th.",
        "Pay:\nBy transfer.",
        "Pay › Extra:\n- bonus\n  - in May\n- shares",
        "Pay › Extra:\nGrade: A; Sum: 5",
        "Pay › Extra:\na  b\nc",
        "Pay › Extra:\nand more",
    ]
    with pytest.raises(InvalidInputError, match="within each other"):
        said("<i>" * 5_000 + "deep", "html")
    with pytest.raises(InvalidInputError, match="read as HTML: unknown status keyword"):
        said("<p>a</p><![doctype x><p>b</p>", "html")


def test_text_and_long_paragraphs() -> None:
    assert said("One\nline.\n\n\nTwo.", "text", "notes") == ["notes:\nOne line.", "notes:\nTwo."]
    long = " ".join(f"Sentence number {n} says little." for n in range(100))
    cut = said(long, "text")
    assert len(cut) > 3 and all(len(text) <= LONGEST + 4 for text in cut)
    assert " ".join(text.removeprefix("It:\n") for text in cut) == long
    assert said("x" * 2_000, "text")[0] == f"It:\n{'x' * LONGEST}"
    assert said("What is a", "text") == ["It:\nWhat is a."]  # or it would be a prompt
    one = parse_document(long.encode(), "text", "it").passages
    other = parse_document(long.replace("number 99", "no. 99").encode(), "text", "it").passages
    assert set(one) - set(other) == {one[-1]}


def test_a_pdf_is_put_together_to_paragraphs() -> None:
    blocks = read_pdf(
        pdf("1. Leave", "Every full-time employee has leave of twenty-", "eight days a year.",
            "It is paid in full, and is taken with the", "line manager.", "1.1 Sick leave",
            "Call the desk.", "12")
    ).blocks  # fmt: skip
    assert [(b.kind, b.level, b.text) for b in blocks] == [
        ("heading", 1, "1. Leave"),
        ("text", 0, "Every full-time employee has leave of twentyeight days a year."),
        ("text", 0, "It is paid in full, and is taken with the line manager."),
        ("heading", 2, "1.1 Sick leave"),
        ("text", 0, "Call the desk."),
    ]
    for broken in (b"", b"%PDF-1.4\nnothing", pdf("x")[:200]):
        with pytest.raises(InvalidInputError, match="cannot be read as PDF"):
            read_pdf(broken)


def office() -> bytes:
    made = docx.Document()
    made.core_properties.title = "Handbook"
    made.add_heading("Handbook", 0)
    made.add_heading("Leave", 1)
    made.add_paragraph("Staff have 28 days. ").add_run("Hidden.").font.hidden = True
    made.add_paragraph("Ask:")
    made.add_paragraph("Mara", style="List Bullet")
    made.add_paragraph("Bo", style="List Bullet")
    cells = made.add_table(rows=2, cols=2)
    for row, texts in enumerate((("When", "Pay"), ("day 1", "100%"))):
        for column, text in enumerate(texts):
            cells.cell(row, column).text = text
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_a_word_document_in_a_process_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "Hand book.docx"
    file.write_bytes(office())
    document = read_document(file)
    assert (document.name, document.title) == ("hand-book", "Handbook")
    assert document.passages == (
        "Handbook › Leave:\nStaff have 28 days.",
        "Handbook › Leave:\nAsk:\n- Mara\n- Bo",
        "Handbook › Leave:\nWhen: day 1; Pay: 100%",
    )
    with pytest.raises(InvalidInputError, match="cannot be read as DOCX"):
        reading.read_apart(b"PK no archive", "docx")


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def rewritten(change: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(office())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    head, _, rest = parts["word/document.xml"].partition(b"?>")
    parts["word/document.xml"] = head + b"?>" + change + rest.replace(b"28 days", b"&e; days")
    return zipped(parts)


def test_a_bomb_and_an_entity_in_a_word_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word, "MOST_BYTES", 1 << 20)
    with pytest.raises(InvalidInputError, match="bytes in 1 files"):
        read_docx(zipped({"word/document.xml": b" " * (2 << 20)}))
    secret = tmp_path / "secret"
    secret.write_text("Quibblefeather")
    for entity in (f'SYSTEM "{secret.as_uri()}"', '"Quibblefeather"'):
        file = rewritten(f"<!DOCTYPE d [<!ENTITY e {entity}>]>".encode())
        try:
            told = str(read_docx(file))
        except InvalidInputError:
            continue
        assert "Quibblefeather" not in told


def test_what_is_no_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="no document"):
        read_document(tmp_path / "facts.xlsx")
    with pytest.raises(InvalidInputError, match="No file"):
        read_document(tmp_path / "none.md")
    bad = tmp_path / "bad.md"
    bad.write_bytes(b"caf\xe9")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        read_document(bad)
    with pytest.raises(InvalidInputError, match="not UTF-8") as caught:
        reading.parse_document(b"\x89PNG\r\n\x00\x00", "text", "picture")
    assert caught.value.hint == "It is no text."
    (tmp_path / "link.md").symlink_to(bad)
    with pytest.raises(UntrustedFileError):
        read_document(tmp_path / "link.md")
    monkeypatch.setattr(reading, "MOST_BYTES", 3)
    with pytest.raises(UntrustedFileError, match="larger"):
        read_document(bad)
    with pytest.raises(InvalidInputError, match="no name"):
        name_of("...")
    monkeypatch.setattr(html, "_missing", ImportError("no"))
    with pytest.raises(MissingExtraError, match=r"memedit\[documents\]"):
        html.read_html("<p>x</p>")


def test_edits_in_a_text_file_are_no_document(tmp_path: Path) -> None:
    file = tmp_path / "facts.txt"
    file.write_text('\n{"statement": "x is y."}\n')
    assert not is_document(file) and not is_document(tmp_path / "facts.jsonl")
    file.write_text("Staff have 28 days.")
    assert is_document(file) and is_document(Path("a.PDF"))


def test_a_reader_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.01)
    with pytest.raises(InvalidInputError, match="takes more than"):
        reading.read_apart(pdf("x"), "pdf")
    assert "memedit.data.documents.worker" not in sys.modules
