"""Memories that every earlier version wrote open unchanged, take edits, and go back.

``formats/*.sql`` are memories as ``sqlite3`` dumps, written by the code of the time:

- ``first``: edits, a statement, dates, a replaced and a forgotten one (commit a3a80c0);
- ``reports``: with texts that shall not find an edit (65a60f7);
- ``values``: with several values side by side (5a65e38);
- ``documents``: with two versions of a document (2d0cb7f).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.journal.schema import FORMAT
from tests.memory.helpers import sound

FOLDER = Path(__file__).parent / "formats"
NAMES = ("first", "reports", "values", "documents")


def opened(name: str, folder: Path) -> EditMemory:
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "journal.sqlite") as database:
        database.executescript((FOLDER / f"{name}.sql").read_text("utf-8"))
    database.close()
    return EditMemory(folder, HashingEncoder(8))


@pytest.mark.parametrize("name", NAMES)
def test_an_older_memory_opens_takes_an_edit_and_goes_back(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path / "m") as memory:
        assert FORMAT == 1  # a new format needs its own file here, and a way back in the docs
        version, digest = memory.version, memory.digest()
        said = {record.edit.statement: record for record in memory.records()}
        assert {"The capital of Peru is Cusco", "The tariff is 30 euros"} <= said.keys()
        assert "The capital of Peru is Lima" not in said
        assert "Our refund window is 60 days." not in said
        tariff = said["The tariff is 30 euros"]
        assert tariff.valid_from is not None and tariff.valid_until is not None
        kinds = [event.kind for event in memory.history()]
        assert {"add", "supersede", "forget"} <= set(kinds)
        assert sound(memory)
        again = memory.add(Edit("The capital of Peru is", "Arequipa", "Peru"))
        assert [r.edit.target_new for r in again.superseded] == ["Cusco"]
        memory.restore(version)
        assert memory.digest() == digest and sound(memory)


def test_what_each_version_brought_is_read(tmp_path: Path) -> None:
    with opened("reports", tmp_path / "a") as memory:
        excluded = [r.edit.excluded for r in memory.records() if r.edit.excluded]
        assert excluded == [("How is tea grown?",)]
    with opened("values", tmp_path / "b") as memory:
        several = [r.edit.target_new for r in memory.records() if r.edit.multiple]
        assert several == ["travel", "chess"]
    with opened("documents", tmp_path / "c") as memory:
        document = memory.document("leave")
        assert document.version == 2 and document.upcoming == ()
        assert [r.edit.prompt for r in document.passages] == ["Leave: 30 days.", "Sick: call."]


@pytest.mark.parametrize("name", NAMES)
def test_the_way_back_is_an_export_without_what_is_new(name: str, tmp_path: Path) -> None:
    """As docs/facts.md says: what an older version does not know of are keys that can be cut."""
    with opened(name, tmp_path / "m") as memory:
        memory.add(Edit("Tea is", "hot", because_of=(next(memory.records()).id,)))
        memory.export(tmp_path / "out.jsonl")
        count = len(memory)
    with EditMemory(tmp_path / "new", HashingEncoder(8)) as new:
        report = new.import_file(tmp_path / "out.jsonl")
        assert (report.added, report.refused_total) == (count, 0)
        assert [r.edit for r in new.records() if r.edit.because_of]
