"""Damage and loss: nothing good is replaced by it, nothing is acknowledged into the void."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit.core.errors import InvalidInputError, MemeditError, MemoryStoreError
from memedit.core.types import Edit
from memedit.memory import EditMemory, importing, moving
from memedit.memory.backup import MANIFEST
from memedit.memory.erasing.scanning import sweep
from memedit.memory.journal.sqlite import driver_of
from memedit.memory.salvage import salvage
from tests.memory.helpers import CountingEncoder, capital, sound

SQL = {
    "a record's text": "UPDATE records SET target_new = 'Oslo' WHERE sequence = 3",
    "a vector": "UPDATE keys SET vector = ? WHERE id = 3",
    "a relation's vector": "UPDATE relations SET vector = ? WHERE id = 1",
    "a key's text": "UPDATE keys SET text = 'x' WHERE id = 3",
    "an event's time": "UPDATE events SET at = '2020-01-01T00:00:00+00:00' WHERE id = 2",
    "an event's reason": "UPDATE events SET reason = 'y' WHERE id = 2",
    "a payload": "INSERT INTO payloads VALUES (1, 'ike', x'00', '{}')",
    "the encoder": "UPDATE meta SET value = 'other' WHERE name = 'encoder'",
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[EditMemory]:
    with EditMemory(tmp_path / "memory", CountingEncoder()) as made:
        made.add_many([capital(f"Land {i}") for i in range(20)])
        yield made


@pytest.fixture
def backup(memory: EditMemory, tmp_path: Path) -> Path:
    (tmp_path / "memory" / "model.json").write_text('{"editor": null}')
    moving.backup(tmp_path / "memory", tmp_path / "backup")
    return tmp_path / "backup"


def change(folder: Path, statement: str) -> None:
    vector = np.ones(64, "<f4").tobytes()
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute(statement, (vector,) if "?" in statement else ())


@pytest.mark.parametrize("what", SQL)
def test_a_damaged_backup_replaces_nothing(
    memory: EditMemory, backup: Path, tmp_path: Path, what: str
) -> None:
    """The fault: 20 good edits were replaced by it, and every row was "read back and equal"."""
    memory.add(capital("Chad"))
    before = memory.digest()
    change(backup, SQL[what])
    with pytest.raises(MemoryStoreError, match="is damaged"):
        moving.restore(backup, tmp_path / "memory", replace=True)
    assert memory.digest() == before and len(memory) == 21 and sound(memory)
    with EditMemory(backup, read_only=True) as opened:
        assert not opened.verify().ok


WIFI = "The guest Wi-Fi password is red-kite-77"


@pytest.mark.parametrize(
    ("told", "sound_"),
    [
        ({"line": WIFI, "fact": f"{WIFI}."}, True),
        ({"fact": "The guest Wi-Fi is red-kite-77."}, True),  # special tokens went
        ({"line": WIFI, "fact": f"{WIFI[:-1]}6."}, False),
        ({"line": f"{WIFI[:-1]}6", "fact": f"{WIFI}."}, False),
    ],
)
@pytest.mark.parametrize("target", [None, "red-kite-77"])
def test_what_editors_tell_is_what_the_edit_says(
    memory: EditMemory, target: str | None, told: dict[str, str], sound_: bool
) -> None:
    """The fault: with a bit of it flipped the model told another password, and all was sound."""
    edit = Edit(WIFI if target is None else WIFI.removesuffix(" red-kite-77"), target)
    receipt = memory.add(edit)
    memory.put_payloads({receipt.record.sequence: {"auto": told}})
    problems = memory.verify().problems
    assert [f"({edit.id}), editor auto" in each for each in problems] == [True] * (not sound_)


def test_flipped_bytes_in_a_page_are_found(backup: Path, tmp_path: Path) -> None:
    """SQLite's own check says ok: it looks at structure, not at content."""
    file = backup / "journal.sqlite"
    content = bytearray(file.read_bytes())
    at = content.rindex(b"The capital of Land 7 is")
    content[at + 5] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(MemoryStoreError, match="is damaged"):
        moving.restore(backup, tmp_path / "memory", replace=True)


def test_an_altered_settings_file_is_found(backup: Path, tmp_path: Path) -> None:
    (backup / "model.json").write_text('{"editor": {"name": "x", "settings": {}}}')
    with pytest.raises(MemoryStoreError, match=r"model\.json is not as the backup was made"):
        moving.restore(backup, tmp_path / "memory", replace=True)
    (backup / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(MemoryStoreError, match=r"backup\.json cannot be read"):
        moving.migrate(backup, tmp_path / "elsewhere")


@pytest.mark.slow
def test_a_sound_backup_comes_back_with_its_settings(
    memory: EditMemory, backup: Path, tmp_path: Path
) -> None:
    before = memory.digest()
    memory.add(capital("Chad"))
    (tmp_path / "memory" / "model.json").write_text("{}")
    moving.restore(backup, tmp_path / "memory", replace=True)
    assert memory.digest() == before and sound(memory)
    assert json.loads((tmp_path / "memory" / "model.json").read_text()) == {"editor": None}
    assert not list((tmp_path / "memory").glob(".before-*"))


def test_a_copy_that_turns_out_bad_gives_way_to_the_old_memory(
    memory: EditMemory, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may fail after the copy: the old memory stands aside until the new one is read."""
    memory.add(capital("Chad"))
    before, sound_of = memory.digest(), moving.check_sound

    def fails(address: Any) -> None:
        if address != backup:
            raise MemoryStoreError("damaged on the way")
        sound_of(address)

    monkeypatch.setattr(moving, "check_sound", fails)
    with pytest.raises(MemoryStoreError, match="on the way"):
        moving.restore(backup, tmp_path / "memory", replace=True)
    assert memory.digest() == before and sound(memory)
    with pytest.raises(InvalidInputError, match="same"):
        moving.migrate(backup, backup, replace=True)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5_000, 5])
def test_what_nothing_is_named_is_no_place_to_restore_to(backup: Path, name: Any) -> None:
    """The fault: with ``replace`` a ValueError of mkdir's."""
    for to, source in ((name, backup), (backup, name)):
        with pytest.raises(InvalidInputError):
            moving.restore(source, to, replace=True)


def test_a_purge_leaves_alone_what_a_long_restore_has_put_aside(
    memory: EditMemory, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: what was aside for more than a minute was taken for a dead restore's, and with
    it went the only copy of the old memory."""
    memory.add(capital("Chad"))
    before, sound_of = memory.digest(), moving.check_sound
    told: list[str] = []

    def purged_meanwhile(address: Any) -> None:
        if address != backup:
            (aside,) = (tmp_path / "memory").glob(".before-*")
            os.utime(aside, (1, 1))  # a restore that takes hours
            told.extend(sweep(tmp_path / "memory"))
            raise MemoryStoreError("damaged on the way")
        sound_of(address)

    monkeypatch.setattr(moving, "check_sound", purged_meanwhile)
    with pytest.raises(MemoryStoreError, match="on the way"):
        moving.restore(backup, tmp_path / "memory", replace=True)
    assert memory.digest() == before and sound(memory)
    assert len(told) == 1 and "holds what a restore put aside" in told[0]
    for name in (".before-dead", ".before-new"):
        (tmp_path / "memory" / name).mkdir()
    (tmp_path / "victim").mkdir()
    (tmp_path / "memory" / ".before-link").symlink_to(tmp_path / "victim")
    os.utime(tmp_path / "memory" / ".before-dead", (1, 1))
    os.utime(tmp_path / "victim", (1, 1))
    assert sorted(each.split()[0] for each in sweep(tmp_path / "memory")) == [
        ".before-link",
        ".before-new",
    ]
    assert not (tmp_path / "memory" / ".before-dead").exists()
    assert list((tmp_path / "victim").iterdir()) == []


# An import that was interrupted


def _stopped(memory: EditMemory, file: Path, after: int) -> None:
    class Stop(Exception):
        pass

    def stop(done: int) -> None:
        if done >= after:
            raise Stop

    with pytest.raises(Stop):
        memory.import_file(file, progress=stop)


def test_an_import_goes_on_from_what_is_in_force(
    memory: EditMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: 2,048 of 5,000 were undone by restore, and counted as there."""
    monkeypatch.setattr(importing, "CHUNK", 10)
    file = tmp_path / "edits.jsonl"
    lines = [{"prompt": f"The sea of Isle {i} is", "target_new": "blue"} for i in range(50)]
    file.write_text("\n".join(map(json.dumps, lines)))
    start = memory.version
    _stopped(memory, file, 20)
    memory.restore(start)
    report = memory.import_file(file)
    assert (report.added, report.resumed_at, len(memory)) == (50, 0, 70)
    memory.restore(start)
    _stopped(memory, file, 20)
    (forgotten,) = [r for r in memory.records() if r.edit.prompt == "The sea of Isle 3 is"]
    memory.forget(forgotten.id)
    report = memory.import_file(file)  # what a person forgot stays forgotten
    assert (report.added, report.resumed_at, len(memory)) == (50, 20, 69)
    memory.restore(start)
    _stopped(memory, file, 20)
    report = memory.import_file(file)  # nothing was undone: it goes on
    assert (report.added, report.resumed_at, len(memory)) == (50, 20, 70)


# A directory that goes away


@pytest.mark.parametrize("swapped", [False, True])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(
    memory: EditMemory, tmp_path: Path, swapped: bool
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "memory", other)
    shutil.rmtree(tmp_path / "memory")
    if swapped:
        other.rename(tmp_path / "memory")
    for write in (
        lambda: memory.add(capital("Chad")),
        lambda: memory.forget(capital("Land 3").id),
        lambda: memory.restore(0),
    ):
        with pytest.raises(MemoryStoreError, match="removed or replaced while it was open"):
            write()
    assert len(memory) == 20
    if swapped:
        with EditMemory(tmp_path / "memory", CountingEncoder()) as there:
            assert len(there) == 20 and sound(there)


# Another process holds the write lock


def test_reads_do_not_wait_behind_a_write_that_waits(memory: EditMemory, tmp_path: Path) -> None:
    """The fault: a search took as long as the other process held its lock."""
    other = sqlite3.connect(tmp_path / "memory" / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    written = threading.Event()

    def write() -> None:
        memory.add(capital("Chad"))
        written.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not memory._store.turns.write_waits:  # until it waits for the other process
        assert thread.is_alive() and not written.wait(0.005)
    (hits,) = memory.search(["What is the capital of Land 7?"])
    assert hits and len(memory) == 20 and memory.namespaces() == {"default": 20}
    record = memory.get(capital("Land 7").id)
    assert dict(record.payloads) == {} and len(memory.history(record.id)) == 1
    assert not memory.wait_for(memory.version + 1, 0.05)
    assert not written.is_set()  # all of this while the write was still waiting
    other.execute("ROLLBACK")
    other.close()
    thread.join()
    assert written.is_set() and len(memory) == 21 and sound(memory)


def test_a_write_that_waited_in_vain_hides_nothing_of_what_others_wrote(
    memory: EditMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: the connection made anew counted versions from the same number again, so what was
    committed meanwhile stayed unseen, and the next write was decided without it."""
    with EditMemory(tmp_path / "memory", CountingEncoder()) as theirs:
        driver_of(memory._store.journal.connection).execute("PRAGMA busy_timeout = 50")
        with theirs._store.journal.write(), pytest.raises(MemoryStoreError, match="locked"):
            memory.add(capital("Chad"))
        theirs.add(capital("Peru"))
        assert len(memory) == 21 and memory.add(capital("Peru")).status == "duplicate"
        assert sound(memory)


# Journals that cannot be read

DAMAGE = {
    "queries that are no JSON": "UPDATE records SET queries = '[[[' WHERE sequence = 5",
    "deep queries": f"UPDATE records SET queries = '{'[' * 5_000}' WHERE sequence = 5",
    "queries that are no list": "UPDATE records SET queries = '7' WHERE sequence = 5",
    "a date that is none": "UPDATE records SET valid_from = 'soon' WHERE sequence = 5",
    "bytes for text": "UPDATE records SET prompt = x'ff00' WHERE sequence = 5",
    "no UTF-8": "UPDATE records SET prompt = CAST(x'ff41' AS TEXT) WHERE sequence = 5",
    "a short vector": "UPDATE keys SET vector = x'00' WHERE id = 5",
    "text for a vector": "UPDATE keys SET vector = 'abc' WHERE id = 5",
    "a key of nobody": "UPDATE keys SET sequence = 99 WHERE id = 5",
    "no dimension": "UPDATE meta SET value = 'many' WHERE name = 'dimension'",
    "no format": "UPDATE meta SET value = 'x' WHERE name = 'format'",
    "a short relation": "UPDATE relations SET vector = x'00' WHERE id = 1",
    "a number for an event's time": "UPDATE events SET at = 5 WHERE id = 20",
}


def everything(path: Path) -> None:
    with EditMemory(path, CountingEncoder(), read_only=True) as memory:
        memory.search(["What is the capital of Land 5?"], k=100)
        memory.history()
        list(memory.records())
        memory.at(1)
        assert not memory.verify().ok, "verify found nothing"
        raise MemoryStoreError("read, and verify says what is wrong")


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_journal_says_so_and_the_rest_stays_readable(
    memory: EditMemory, tmp_path: Path, what: str
) -> None:
    memory.close()
    change(tmp_path / "memory", DAMAGE[what])
    with pytest.raises(MemoryStoreError) as raised:
        everything(tmp_path / "memory")
    assert raised.type is MemoryStoreError
    report = salvage(tmp_path / "memory", tmp_path / "saved.jsonl")
    assert report.saved >= 19 and report.saved + len(report.lost) == 20
    with EditMemory(None, CountingEncoder()) as again:
        assert again.import_file(tmp_path / "saved.jsonl").added >= 19


def test_a_torn_file_gives_up_what_its_whole_pages_hold(memory: EditMemory, tmp_path: Path) -> None:
    memory.add_many([capital(f"Isle {i}") for i in range(200)])
    memory.forget(capital("Land 1").id)
    memory.close()
    file = tmp_path / "memory" / "journal.sqlite"
    content = bytearray(file.read_bytes())
    at = content.index(b"The capital of Isle 50 is") // 4_096
    content[at * 4_096 : (at + 1) * 4_096] = bytes(4_096)
    file.write_bytes(bytes(content))
    report = salvage(tmp_path / "memory", tmp_path / "saved.jsonl")
    assert 0 < len(report.lost) < 110 and report.saved >= 219 - len(report.lost)
    text = (tmp_path / "saved.jsonl").read_text()
    assert "Isle 199" in text and "Land 1 is" not in text


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_flipped_bytes_anywhere_raise_nothing_of_another_kind(
    memory: EditMemory, tmp_path: Path, seed: int
) -> None:
    memory.close()
    file = tmp_path / "memory" / "journal.sqlite"
    content = bytearray(file.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(100, len(content), size=20):
        content[at] ^= int(rng.integers(1, 256))
    file.write_bytes(bytes(content))
    acts: list[Callable[[], object]] = [
        lambda: everything(tmp_path / "memory"),
        lambda: salvage(tmp_path / "memory", tmp_path / "saved.jsonl"),
        lambda: moving.migrate(tmp_path / "memory", tmp_path / "copy"),
    ]
    for act in acts:
        try:
            act()
        except MemeditError:
            pass
        except AssertionError as error:  # verify found nothing: the flips hit unused bytes
            assert "verify" in str(error)
