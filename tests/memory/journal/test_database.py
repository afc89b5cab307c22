"""SQLite and PostgreSQL keep the same contract, each in its own way."""

from __future__ import annotations

import inspect
import os
import select
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memedit.core.errors import MemoryStoreError
from memedit.memory.journal.database import Database
from memedit.memory.journal.journal import FILE, Journal
from memedit.memory.journal.postgres import Postgres
from memedit.memory.journal.sqlite import SQLite

CONTRACT = [name for name in vars(Database) if not name.startswith("_")]


@pytest.mark.parametrize("kind", [SQLite, Postgres])
@pytest.mark.parametrize("name", [n for n in CONTRACT if inspect.isfunction(vars(Database)[n])])
def test_methods_take_what_the_contract_says(kind: type[Database], name: str) -> None:
    expected = inspect.signature(getattr(Database, name)).parameters
    found = inspect.signature(getattr(kind, name)).parameters
    assert [(p.name, p.kind) for p in found.values()] == [
        (p.name, p.kind) for p in expected.values()
    ]


def put(journal: Journal, value: str) -> None:
    with journal.write():
        journal.put_meta({"test": value})


def test_a_file_counts_others_commits_and_announces_none(tmp_path: Path) -> None:
    with Journal(tmp_path) as one, Journal(tmp_path) as other:
        put(one, "1")
        with one.read():
            pass
        seen = one.changed()
        assert one.changed() == seen
        put(one, "2")
        assert one.changed() == seen  # one's own
        put(other, "3")
        assert one.changed() != seen
        with pytest.raises(MemoryStoreError, match="announces"):
            one.database.listen("x")
        assert one.copy_file(tmp_path / "copy")
    with Journal(tmp_path / "copy", read_only=True) as copy, copy.read():
        assert copy.meta("test") == "3"


def test_a_database_announces_commits_and_is_no_file(pg_memory: str, tmp_path: Path) -> None:
    with Journal(pg_memory) as one, Journal(pg_memory) as other:
        put(one, "1")
        with one.read():
            memory = one.identity()["memory"]
        assert one.changed()[1] is None and not one.copy_file(tmp_path)
        with closing(one.database.listen(memory)) as heard:
            assert not select.select([heard], [], [], 0)[0]
            put(other, "2")
            assert select.select([heard], [], [], 60)[0] == [heard]
            heard.drain()
            assert not select.select([heard], [], [], 0)[0]


@pytest.mark.parametrize("where", ["file", "RAM", "PostgreSQL"])
def test_what_there_is_none_of(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if where == "PostgreSQL":
        address: str | Path | None = request.getfixturevalue("pg_memory")
    else:
        address = None if where == "RAM" else tmp_path / "memory"
    with Journal(address) as journal:
        with journal.read() as anything:
            assert not anything
        put(journal, "1")
        with journal.read() as anything:
            assert anything and journal.meta("test") == "1" and journal.integrity() == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which files are open")
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("damaged", [False, True])
def test_what_is_refused_is_closed(tmp_path: Path, read_only: bool, damaged: bool) -> None:
    file = tmp_path / FILE
    if damaged:
        file.write_bytes(b"x" * 5_000)
    else:
        with closing(sqlite3.connect(file)) as others:
            others.execute("CREATE TABLE t (x)")
    with pytest.raises(MemoryStoreError) as refused:  # which holds on to what it passed through
        Journal(tmp_path, read_only=read_only)
    opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert refused.value and opened and not any(str(tmp_path) in name for name in opened)


def test_read_only_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(MemoryStoreError, match="No memory"):
        Journal(tmp_path / "memory", read_only=True)
    assert not (tmp_path / "memory").exists()
