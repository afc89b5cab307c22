"""What reads bytes that may be a stranger's, each with some that are good: fuzzed by
``tests/campaign/test_parsers.py`` and, guided by coverage, by ``tests/campaign/atheris_run.py``.

Must not import pytest: Atheris runs it where that is not installed.
"""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memedit.core.errors import InvalidInputError
from memedit.core.moments import read_moment
from memedit.core.registry import parse_call
from memedit.core.types import Edit
from memedit.core.untrusted import load_tensors, open_tensors, parse_json
from memedit.data.documents.pdf import read_pdf
from memedit.data.documents.reading import parse_document
from memedit.data.documents.word import read_docx
from memedit.data.records import read_records
from memedit.engine.encoders import HashingEncoder
from memedit.evaluation import checks
from memedit.memory import EditMemory, files
from memedit.memory.journal import payloads
from memedit.memory.live.index import VectorIndex
from memedit.model.settings import build_editor, build_scope, read_settings
from memedit.serving import keys
from tests.data.documents.files import pdf

Parse = Callable[[bytes, Path], object]
"""Reads bytes; may use a file of that path. Raises MemeditError where they are no good."""


@dataclass(frozen=True)
class Target:
    """A parser, and bytes that it takes."""

    parse: Parse
    seeds: Sequence[bytes]


def _written(content: bytes, file: Path) -> Path:
    file.write_bytes(content)
    return file


def _tensors(content: bytes, file: Path) -> None:
    load_tensors(_written(content, file))


def _index(content: bytes, file: Path) -> None:
    """A snapshot's arrays; what does not fit is rebuilt (ValueError, as live.snapshots says)."""
    try:
        with open_tensors(_written(content, file), "np") as opened:
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}
        index = VectorIndex.from_arrays(arrays, trained_on=0)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as error:
        raise InvalidInputError(f"{error}") from error
    index.search(np.zeros((1, 4), np.float32), 3)


def _payload(content: bytes, file: Path) -> None:
    tensors, _, values = content.partition(b"|")
    payloads.load(tensors, values.decode("utf-8", "replace"))


def _journal(content: bytes, file: Path) -> None:
    """One value of a record, a key, an event or a relation is these bytes."""
    table, column, where = _PLACES[content[0] % len(_PLACES)] if content else _PLACES[0]
    value: Any = content[2:]
    if len(content) > 1 and content[1] % 2:
        value = content[2:].decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()
    folder = file.with_suffix(".memory")
    _copied(folder)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute("PRAGMA synchronous=OFF")
        journal.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
    with EditMemory(folder, HashingEncoder(16), read_only=True) as memory:
        list(memory.records())
        memory.search(["What is the capital of Land 3?"])
        memory.history()
        memory.documents()


_PLACES = tuple(
    (table, column, f"{key} = 3")
    for table, key, columns in (
        ("records", "sequence", "id prompt target_new subject target_true queries source "
         "valid_from valid_until namespace version digest"),
        ("events", "id", "at kind version reason"),
        ("keys", "id", "text vector"),
        ("relations", "id", "text vector"),
    )
    for column in columns.split()
)  # fmt: skip
_made: dict[str, bytes] = {}


def _copied(folder: Path) -> None:
    """A small memory, made once and copied."""
    if not _made:
        with EditMemory(folder, HashingEncoder(16)) as memory:
            memory.add_many(
                [Edit(f"The capital of Land {i} is", f"Town {i}", f"Land {i}") for i in range(6)]
            )
            memory.add(Edit("The sea is", "blue", queries=("How is the sea?",), multiple=True))
        _made["journal"] = (folder / "journal.sqlite").read_bytes()
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    (folder / "journal.sqlite").write_bytes(_made["journal"])


def _lines(suffix: str) -> Parse:
    def parse(content: bytes, file: Path) -> None:
        for line in files.read(_written(content, file.with_suffix(suffix))):
            assert line.request is not None or line.reason

    return parse


def _document(kind: str) -> Parse:
    def parse(content: bytes, file: Path) -> None:
        if kind == "pdf":  # as the process of its own reads it
            read_pdf(content)
        elif kind == "docx":
            read_docx(content)
        else:
            parse_document(content, kind, "leave", "Leave")

    return parse


def _records(content: bytes, file: Path) -> None:
    list(read_records(_written(content, file.with_suffix(".jsonl"))))


def _checks(content: bytes, file: Path) -> None:
    checks.read(_written(content, file.with_suffix(".jsonl")))


def _settings(content: bytes, file: Path) -> None:
    folder = file.with_suffix(".settings")
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_bytes(content)
    saved = read_settings(folder)
    build_editor(None, saved.get("editor"))
    build_scope(None, saved.get("scope"), "mention")


def _keys(content: bytes, file: Path) -> None:
    keys.KeyRing(_written(content, file)).find("mk_00000000_nothing")


def _call(content: bytes, file: Path) -> None:
    parse_call(content.decode("utf-8", "replace"))


def _moment(content: bytes, file: Path) -> None:
    read_moment(content.decode("utf-8", "replace"), "it")


def _json(content: bytes, file: Path) -> None:
    parse_json(content)


def _safetensors(**tensors: Any) -> bytes:
    from safetensors.numpy import save

    return bytes(save(tensors))


def _docx() -> bytes:
    import docx

    made = docx.Document()
    made.add_heading("Leave", 1)
    made.add_paragraph("Staff have 28 days.")
    made.add_table(2, 2).cell(0, 0).text = "A"
    out = io.BytesIO()
    made.save(out)
    plain = io.BytesIO()  # stored, not packed: a change of a byte is one of the text
    with zipfile.ZipFile(out) as packed, zipfile.ZipFile(plain, "w") as stored:
        for part in packed.infolist():
            stored.writestr(part.filename, packed.read(part))
    return plain.getvalue()


_MARKDOWN = b"# A\n\nb\n\n- c\n  - d\n\n|x|y|\n|-|-|\n|1|2|\n\n```\ne\n```\n"
_HTML = b"<h1>A</h1><p>b<ul><li>c</ul><table><tr><td>1</table><!doctype x><pre>y</pre>"
_VALUES = [b"\5\1[]", b"\0\1x", b"\15\0" + bytes(64), b"\7\0012026-01-01T00:00:00+00:00"]
"""Which place of the journal, whether as text, and what is put there."""
_ROW = {"prompt": "The sea is", "target_new": "blue", "subject": "sea", "queries": ["How?"],
        "valid_from": "2026-01-01", "multiple": True, "namespace": "a", "id": "x"}  # fmt: skip
_REWRITE = {"requested_rewrite": {"prompt": "{} is", "subject": "The sea",
                                  "target_new": {"str": "blue"}}}  # fmt: skip
_CHECKED = {"prompt": "The sea is", "target_new": "blue",
            "checks": [{"ask": "How is it?", "says": ["blue"], "as_of": "2026-01-01"}]}  # fmt: skip


def _bytes(*values: Any) -> bytes:
    return "\n".join(v if isinstance(v, str) else json.dumps(v) for v in values).encode()


def _index_seed() -> bytes:
    index = VectorIndex(4)
    vectors = np.eye(4, dtype=np.float32)
    index.add(np.arange(1, 5), vectors)
    return _safetensors(**index.arrays())


def targets() -> Mapping[str, Target]:
    """By name."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    key, _ = keys.make_key("a", ("read",))
    kept = {"format": 1, "keys": [asdict(key)]}
    return {
        "tensors": Target(_tensors, [_safetensors(a=array, b=np.zeros(2, np.int64))]),
        "index": Target(_index, [_index_seed()]),
        "payload": Target(_payload, [_safetensors(v=array) + b'|{"t": "x", "n": 1.5}']),
        "journal": Target(_journal, _VALUES),
        "JSON lines": Target(_lines(".jsonl"), [_bytes(_ROW, {"statement": "A."}, _REWRITE)]),
        "JSON": Target(_lines(".json"), [_bytes([_ROW, _REWRITE])]),
        "CSV": Target(_lines(".csv"), [b'prompt,target_new,queries\nThe sea is,"b,l",a|b\n']),
        "TSV": Target(_lines(".tsv"), [_bytes("prompt\ttarget_new", "The sea is\tblue")]),
        "Markdown": Target(_document("markdown"), [_MARKDOWN]),
        "text": Target(_document("text"), [b"A\n\nb c.\n"]),
        "HTML": Target(_document("html"), [_HTML]),
        "PDF": Target(_document("pdf"), [pdf("Staff have 28 days.", "Ask the desk.")]),
        "DOCX": Target(_document("docx"), [_docx()]),
        "records": Target(_records, [_bytes(_ROW, _REWRITE)]),
        "checks": Target(_checks, [_bytes(_CHECKED)]),
        "settings": Target(_settings, [_bytes({
            "editor": {"name": "ike", "settings": {"demonstrations": 2}},
            "scope": {"name": "threshold", "settings": {"similarity": 0.7}}})]),
        "keys": Target(_keys, [_bytes(kept)]),
        "a name with settings": Target(_call, [b'ike(demonstrations=2, label="x")', b"a+b@c"]),
        "date": Target(_moment, [b"2026-01-31", b"2026-01-31T10:00:00+02:00"]),
        "any JSON": Target(_json, [_bytes({"a": [1, 2.5, None, "x"]})]),
    }  # fmt: skip
