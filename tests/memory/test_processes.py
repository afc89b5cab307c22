"""Two processes on one directory, and two memories in one process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from memedit.memory import EditMemory
from memedit.memory.journal import sqlite
from tests.memory.helpers import CountingEncoder, capital, ids, sound

ROOT = Path(__file__).resolve().parents[2]
_WRITER = """
import sys
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.core.types import Edit
memory = EditMemory(sys.argv[1], HashingEncoder(64))
for i in range(int(sys.argv[3])):
    subject = f"{sys.argv[2]} {i}"
    memory.add(Edit(f"The capital of {subject} is", "Lyon", subject), namespace=f"n{i % 2}")
    memory.add(Edit("The king of all is", f"{subject}", "all"))
memory.close()
"""


def test_changes_are_seen_at_the_next_call(tmp_path: Path) -> None:
    one = EditMemory(tmp_path / "m", CountingEncoder())
    two = EditMemory(tmp_path / "m", CountingEncoder())
    assert len(two) == 0
    record = one.add(capital("France")).record
    assert list(two.records()) == [record] and two.version == 1
    assert two.add(capital("France")).status == "duplicate"
    newer = two.add(capital("France", "Nice"))
    assert newer.superseded == (record,)
    (hits,) = one.search(["capital of France"])
    assert [hit.record for hit in hits] == [newer.record]
    two.put_payloads({newer.record.sequence: {"ike": {"text": "x"}}})
    assert one.get(newer.id).payloads["ike"] == {"text": "x"}
    one.restore(1)
    assert ids(two) == [record.id] and sound(one) and sound(two)
    one.close()
    two.close()


def test_a_write_sees_what_was_written_while_it_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = EditMemory(tmp_path / "m", CountingEncoder())
    two = EditMemory(tmp_path / "m", CountingEncoder())
    one.add(capital("Chad"))
    encode, written = CountingEncoder.encode, list[bool]()

    def slow(self: CountingEncoder, texts: list[str]) -> object:
        if not written:
            written.append(True)
            two.add(capital("France"))
            two.forget(capital("Chad").id)
        return encode(self, texts)

    monkeypatch.setattr(CountingEncoder, "encode", slow)
    receipts = one.add_many([capital("France"), capital("Chad"), capital("France", "Nice")])
    assert [receipt.status for receipt in receipts] == ["duplicate", "added", "added"]
    assert ids(one) == ids(two) == [capital("Chad").id, capital("France", "Nice").id]
    assert sound(one) and sound(two)


@pytest.mark.slow
def test_processes_that_create_and_write_at_once(tmp_path: Path) -> None:
    path, count = tmp_path / "m", 25
    children = [
        subprocess.Popen([sys.executable, "-c", _WRITER, path, name, str(count)], cwd=ROOT)
        for name in ("Ada", "Bob", "Cid")
    ]
    assert [child.wait(300) for child in children] == [0, 0, 0]
    with EditMemory(path, CountingEncoder()) as memory:
        assert memory.namespaces() == {"default": 1, "n0": 39, "n1": 36}
        assert memory.version == 150 == len({event.version for event in memory.history()})
        assert sound(memory)


def test_a_file_that_another_process_is_just_turning_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: of three processes that created a memory at once one said that it is locked."""
    turned: list[str] = []

    class Locked:
        def execute(self, statement: str) -> Any:
            turned.append(statement)
            if len(turned) < 5:
                raise sqlite3.OperationalError("database is locked")
            return sqlite3.connect(tmp_path / "f").execute(statement)

    sqlite._use_wal(cast(sqlite3.Connection, Locked()))
    assert len(turned) == 6
    monkeypatch.setattr(sqlite, "_TURNING", -1.0)
    turned.clear()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite._use_wal(cast(sqlite3.Connection, Locked()))
