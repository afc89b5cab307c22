"""What can go wrong with files: every error says so, and nothing is half-written."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.memory.journal.journal import FILE
from memedit.memory.journal.sqlite import BUSY_SECONDS, driver_of
from tests.memory.helpers import CountingEncoder, capital, ids, sound

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with EditMemory(tmp_path / "memory", CountingEncoder()) as memory:
        memory.add(capital("France"))
    return tmp_path / "memory"


@contextmanager
def sql(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path / FILE, isolation_level=None)) as connection:
        yield connection


def wait_until_it_waits(memory: EditMemory) -> None:
    """Until a change of this memory waits for another process's to end."""
    end = time.monotonic() + 60
    while not memory._store.turns.write_waits:
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(0.05)  # from where it says so to where it does


def test_writes_are_synchronous_and_logged_ahead(path: Path) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        driver = driver_of(memory._store.journal.connection)
        settings = [
            driver.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert settings == ["wal", 2, 1]


def test_a_file_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MemoryStoreError, match="not a directory"):
        EditMemory(tmp_path / "file", CountingEncoder())
    with pytest.raises(MemoryStoreError, match=r"directory|exists"):
        EditMemory(tmp_path / "file" / "below", CountingEncoder()).add(capital("France"))


def test_another_file_of_that_name(tmp_path: Path) -> None:
    content = b"not a database at all, but long enough to be one" * 99
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(MemoryStoreError, match="not a database"):
        EditMemory(tmp_path, CountingEncoder())
    assert (tmp_path / FILE).read_bytes() == content


def test_another_programs_database(tmp_path: Path) -> None:
    with sql(tmp_path) as connection:
        connection.execute("CREATE TABLE songs (name)")
        connection.execute("CREATE TABLE events (name)")  # one of ours by chance
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for read_only in (False, True):
        with pytest.raises(MemoryStoreError, match="another program"):
            EditMemory(tmp_path, CountingEncoder(), read_only=read_only)
    # The fault: it was given a write-ahead log before it was refused.
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_newer_format(path: Path) -> None:
    with sql(path) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE name = 'format'")
    with pytest.raises(MemoryStoreError, match=r"format 2.*--upgrade"):
        EditMemory(path, CountingEncoder())


def test_an_empty_file_left_by_a_crash_is_a_new_memory(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with EditMemory(tmp_path, CountingEncoder()) as memory:
        assert len(memory) == 0
        memory.add(capital("France"))
        assert sound(memory)


def test_disk_full_changes_nothing(path: Path) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        driver = driver_of(memory._store.journal.connection)
        (pages,) = driver.execute("PRAGMA page_count").fetchone()
        driver.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(MemoryStoreError, match=r"full.*free some space"):
            memory.add_many([capital(f"Land {i}") for i in range(500)])
        assert ids(memory) == [capital("France").id] and memory.version == 1 and sound(memory)
        driver.execute("PRAGMA max_page_count = 1000000")
        memory.add_many([capital(f"Land {i}") for i in range(500)])
        assert len(memory) == 501 and sound(memory)


def test_locked_by_another_writer(path: Path) -> None:
    with EditMemory(path, CountingEncoder()) as memory, sql(path) as other:
        driver_of(memory._store.journal.connection).execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MemoryStoreError, match=r"locked.*Another process"):
            memory.add(capital("Spain"))
        assert len(memory.search(["capital of France"])[0]) == 1  # readers do not wait
        other.execute("ROLLBACK")
        assert memory.add(capital("Spain")).version == 2 and sound(memory)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGALRM")
def test_who_waits_for_another_writer_can_be_interrupted(
    path: Path,
) -> None:
    """The fault: Ctrl-C was heard only once the other process had ended, or after 30 seconds."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    # What a callback of the collector raises (Hypothesis has one) is lost: none runs meanwhile.
    gc.disable()
    try:
        with EditMemory(path, CountingEncoder()) as memory, sql(path) as other:
            other.execute("BEGIN IMMEDIATE")
            sent = list[float]()

            def ring() -> None:
                wait_until_it_waits(memory)
                sent.append(time.monotonic())
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

            with ThreadPoolExecutor(1) as threads, pytest.raises(KeyboardInterrupt):
                threads.submit(ring)
                memory.add(capital("Spain"))
            assert time.monotonic() - sent[0] < BUSY_SECONDS / 2
            other.execute("ROLLBACK")
            assert memory.add(capital("Spain")).version == 2 and sound(memory)
    finally:
        signal.signal(signal.SIGALRM, before)
        gc.enable()


def test_who_waits_for_another_writer_can_be_hurried(path: Path) -> None:
    with EditMemory(path, CountingEncoder()) as memory, sql(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(memory.add, capital(land)) for land in ("Spain", "Peru")]
            wait_until_it_waits(memory)
            started = time.monotonic()
            memory.hurry(0.2)
            for each in waiting:  # they wait one after the other
                with pytest.raises(MemoryStoreError, match=r"locked.*Another process"):
                    each.result()
            assert time.monotonic() - started < BUSY_SECONDS / 2
        other.execute("ROLLBACK")
        assert memory.add(capital("Spain")).version == 2 and sound(memory)


def test_closing_does_not_wait_long_for_another_writer(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The fault: counts of use, on which nothing rests, were waited for 30 seconds."""
    with sql(path) as other:
        with EditMemory(path, CountingEncoder()) as memory:
            kept = memory.add(capital("Spain")).record
            memory.count_use([kept])
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
        assert time.monotonic() - started < BUSY_SECONDS / 2
        assert "1 counts of use are lost" in caplog.text
        other.execute("ROLLBACK")
    with EditMemory(path, CountingEncoder()) as memory:
        assert memory.get(kept.id) == kept and sound(memory)


def test_failure_between_the_statements_of_a_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        with monkeypatch.context() as patch:
            patch.setattr(memory._store.journal, "log", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                memory.add(capital("France", "Nice"))
        assert ids(memory) == [capital("France").id] and sound(memory)
        assert memory.add(capital("France", "Nice")).superseded


def test_a_write_is_kept_even_if_reading_it_back_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        with monkeypatch.context() as patch:
            patch.setattr(memory._store.journal, "changes", lambda *_: 1 / 0)
            receipt = memory.add(capital("Spain"))
        assert receipt.status == "added" and "reading it back failed" in caplog.text
        assert len(memory) == 2 and sound(memory)


def test_read_only_refuses_every_change(path: Path, tmp_path: Path) -> None:
    with pytest.raises(MemoryStoreError, match="No memory at"):
        EditMemory(tmp_path / "nothing", CountingEncoder(), read_only=True)
    with EditMemory(path, CountingEncoder(), read_only=True) as memory:
        (record,) = memory.records()
        for change in (
            lambda: memory.add(capital("Spain")),
            lambda: memory.forget(record.id),
            lambda: memory.put_payloads({1: {"x": {}}}),
            lambda: memory.restore(0),
        ):
            with pytest.raises(MemoryStoreError, match="read_only"):
                change()
        assert len(memory.search(["capital of France"])[0]) == 1 and sound(memory)


_AS_NOBODY = """
import os, sys
from memedit.engine.encoders import HashingEncoder
from memedit.errors import MemoryStoreError
from memedit.memory import EditMemory
from memedit.core.types import Edit
with EditMemory(None, HashingEncoder(64)) as warm:  # loads what nobody may not read
    warm.add(Edit("Rome is in", "Spain", "Rome"))
    warm.search(["Rome"])
os.setuid(65534)
path = sys.argv[1]
with EditMemory(path, HashingEncoder(64), read_only=True) as memory:
    assert memory.search(["capital of France"])[0][0].record.edit.target_new == "Lyon"
    assert memory.verify().ok
try:
    EditMemory(path, HashingEncoder(64)).add(Edit("Rome is in", "Spain", "Rome"))
except MemoryStoreError as error:
    assert "read_only" in str(error), error
else:
    raise AssertionError("wrote into a directory that cannot be written")
assert os.listdir(path) == ["journal.sqlite"]
"""


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become nobody")
def test_directory_that_really_cannot_be_written(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        target = Path(folder) / "memory"
        target.mkdir()
        shutil.copy(path / FILE, target / FILE)
        os.chmod(folder, 0o755)
        os.chmod(target, 0o555)
        os.chmod(target / FILE, 0o444)
        command = [sys.executable, "-c", _AS_NOBODY, str(target)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr  # it asserts that it could read, and not write


def test_verify_sees_what_was_tampered_with(path: Path) -> None:
    tampering = {
        "hash does not match": "UPDATE records SET target_new = 'Paris'",
        "instead of 256": "UPDATE keys SET vector = x'00'",
        "NaN": f"UPDATE keys SET vector = x'{'00' * 252}0000c07f'",
        "Could not decode": "UPDATE keys SET text = CAST(x'ff' AS TEXT)",
        "lacks keys": "UPDATE keys SET text = 'other'",
        "wrong masked prompt": "UPDATE relations SET text = 'other'",
    }
    for expected, statement in tampering.items():
        copy = path.with_name("copy")
        shutil.copytree(path, copy)
        with EditMemory(copy, CountingEncoder()) as memory:
            assert memory.verify().ok
            with sql(copy) as connection:
                connection.execute(statement)
            assert any(expected in problem for problem in memory.verify().problems), expected
        shutil.rmtree(copy)


def test_damaged_file_is_reported(path: Path) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add_many([capital(f"Land {i}") for i in range(300)])
    content = bytearray((path / FILE).read_bytes())
    for page in range(8, len(content) // 4096, 2):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    (path / FILE).write_bytes(bytes(content))
    try:
        with EditMemory(path, CountingEncoder()) as memory:
            assert not memory.verify().ok
    except MemoryStoreError as error:
        assert "malformed" in str(error) and error.hint


def test_custom_ids_and_all_fields_survive(tmp_path: Path) -> None:
    edit = Edit("Wo liegt Köln? ", "am Meer\n", "Köln", "am Rhein", ("Köln?", "日本 🎉"), "mine")
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        record = memory.add(edit, namespace="ns ü", source="quelle").record
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        assert memory.get("mine", namespace="ns ü") == record and record.edit == edit
        assert sound(memory)
