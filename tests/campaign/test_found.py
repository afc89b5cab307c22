"""What the campaign found, each in the smallest form that shows it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from sqlalchemy import text

from memedit.core.errors import InvalidInputError, MemeditError, MemoryStoreError
from memedit.core.files import write_atomically
from memedit.data.records import read_records
from memedit.data.sources import load_cases
from memedit.data.texts import sentences
from memedit.engine.encoders import HashingEncoder
from memedit.engine.hooks import watch
from memedit.evaluation import downstream
from memedit.evaluation.runs.compare import load
from memedit.evaluation.runs.specs import Spec
from memedit.memory import EditMemory
from memedit.memory.address import check_output
from memedit.memory.live import snapshots, state
from memedit.memory.moving import backup, restore
from memedit.model.editable import EditableModel
from memedit.serving import keys
from memedit.serving.address import bind
from memedit.serving.ledger.audit import Author
from memedit.serving.ledger.desk import Desk
from memedit.serving.ledger.tables import Tables
from memedit.training.inputs import sha256_of
from tests.helpers import byte_tokenizer, tiny_model
from tests.memory.helpers import CountingEncoder, capital, sound


def test_a_full_disk_fails_the_snapshot_and_not_the_edit_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: safetensors has an error of its own, which no receipt survived."""
    monkeypatch.setattr(state.LiveSet.__init__, "__kwdefaults__", {"upto": None, "flat_limit": 60})
    monkeypatch.setattr("memedit.memory.replica.SNAPSHOT_EVERY", 10)

    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError(f"I/O error: No space left on device (os error {errno.ENOSPC})")

    monkeypatch.setattr(snapshots, "save_file", full)
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        receipts = memory.add_many([capital(f"Land {i}") for i in range(100)])
        assert len(receipts) == len(memory) == 100
        with pytest.raises(MemoryStoreError, match="No space left"):
            memory.snapshot()


def test_names_that_are_none(tmp_path: Path) -> None:
    """The fault: TypeError, AttributeError, or a sound journal that was called damaged."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
        names: list[Any] = [None, 5, b"x", ["a"], {}]
        for name in names:
            with pytest.raises(InvalidInputError, match="must be a string"):
                memory.forget(name)
            with pytest.raises(InvalidInputError, match="must be a string"):
                memory.purge(name)
            with pytest.raises(InvalidInputError, match="is a name"):
                memory.set_zone(name)
            for take in (memory.document, memory.remove_document):
                with pytest.raises(InvalidInputError, match="must be a string"):
                    take(name)
            with pytest.raises(InvalidInputError, match="reason must be a string"):
                memory.forget(capital("France").id, reason=name)
        for told in ("\ud800", "a\0b"):
            asks: list[Callable[[str], object]] = [
                memory.history,
                lambda name: memory.history(namespace=name),
                lambda name: memory.purge("x", namespace=name),
                lambda name: memory.forget(capital("France").id, reason=name),
                lambda name: memory.restore(0, namespace=name),
                lambda name: memory.count_purged(0, namespace=name),
                lambda name: memory.find_unanswered(0, namespace=name),
                memory.document,
                memory.get,
            ]
            for ask in asks:
                with pytest.raises(InvalidInputError, match="is no text"):
                    ask(told)


def test_a_damaged_proposal_is_named() -> None:
    """The fault: a JSONDecodeError."""
    desk = Desk(tables := Tables(None))
    made = desk.propose(Author("k", "Kay"), "default", "create", {"statement": "x"})
    for body in ("{", "[" * 100_000):
        with tables.open() as db:
            db.execute(text("UPDATE proposals SET body = :body"), {"body": body})
        with pytest.raises(MemoryStoreError, match=f"proposal '{made.id}' is damaged"):
            desk.proposals("default", None, 9)
    with tables.open() as db:
        db.execute(text("""UPDATE proposals SET body = '{}'"""))
        db.execute(text("ALTER TABLE proposals RENAME COLUMN at TO aT"))  # one bit of the schema
    assert desk.proposals("default", None, 9)[0].at == made.at
    desk.close()


@pytest.mark.parametrize("id", [9, 1 << 40, -3])
def test_a_relation_that_is_not_there(tmp_path: Path, id: int) -> None:
    """The fault: an IndexError, another relation's vector, or memory of the id's size."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
    with closing(sqlite3.connect(tmp_path / "m" / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE relations SET id = ?", (id,))
    with pytest.raises(MemoryStoreError, match="is damaged"):
        with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
            memory.search(["What is the capital of France?"])


def test_a_text_that_has_lost_its_vector(tmp_path: Path) -> None:
    """The fault: a ValueError of numpy's, with every search that came near."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
    with closing(sqlite3.connect(tmp_path / "m" / "journal.sqlite")) as journal, journal:
        journal.execute("""UPDATE records SET queries = '["a", {"not": "b"}]'""")
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        with pytest.raises(MemoryStoreError, match="record 1 has 1 vectors of 3"):
            memory.search(["What is the capital of France?"])


WAITED: dict[str, Callable[[Path], object]] = {
    "keys": keys.read, "records": lambda path: list(read_records(path)), "hash": sha256_of,
    "texts": lambda path: sentences([path]), "cases": load_cases, "scores": downstream.read,
    "a result": check_output,
}  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="needs pipes with names")
@pytest.mark.parametrize("table", ["keys", "relations"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_vector_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, value: float
) -> None:
    """The fault: FAISS's RuntimeError, or numpy's warnings, for whoever opened a large memory."""
    monkeypatch.setattr(state.LiveSet.__init__, "__kwdefaults__", {"upto": None, "flat_limit": 60})
    with EditMemory(tmp_path, CountingEncoder()) as memory:
        memory.add_many([capital(f"Land {i}") for i in range(100)])
    shutil.rmtree(tmp_path / "index")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal, journal:
        ((id, content),) = journal.execute(f"SELECT id, vector FROM {table} ORDER BY id LIMIT 1")
        vector = np.frombuffer(content, "<f4").copy()
        vector[3] = value
        journal.execute(f"UPDATE {table} SET vector = ? WHERE id = ?", (vector.tobytes(), id))
    with EditMemory(tmp_path, CountingEncoder()) as memory:
        assert len(memory) == 100
        (hits,) = memory.search(["What is the capital of Land 7?"], k=3)
        assert any(hit.record.edit.subject == "Land 7" for hit in hits)
        memory.add(capital("Chad"))
        problems = memory.verify().problems
        assert any(problem.startswith(f"{table[:-1]} {id} has a vector") for problem in problems)


@pytest.mark.parametrize("what", WAITED)
def test_a_pipe_is_not_waited_for(tmp_path: Path, what: str) -> None:
    """The fault: keys revoke --file PIPE, train scope --texts PIPE and others never ended."""

    def ring(*_: object) -> None:
        raise AssertionError("waits")

    os.mkfifo(tmp_path / "pipe.jsonl")
    old = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    try:
        with pytest.raises(MemeditError):
            WAITED[what](tmp_path / "pipe.jsonl")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("manifest", ["", "{", "[" * 100_000, "[]", "{}", '{"identity": 5}'])
def test_what_says_that_it_is_a_run_and_is_none(tmp_path: Path, manifest: str) -> None:
    """The fault: JSONDecodeError, KeyError, RecursionError."""
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InvalidInputError, match="holds no run"):
        load(tmp_path)


@pytest.mark.parametrize("column", ["valid_from", "valid_until"])
def test_a_date_that_lost_its_zone(tmp_path: Path, column: str) -> None:
    """The fault: a TypeError with every search that came near."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
    with closing(sqlite3.connect(tmp_path / "m" / "journal.sqlite")) as journal, journal:
        journal.execute(f"UPDATE records SET {column} = '2026-01-01'")
    with pytest.raises(MemoryStoreError, match="names no time zone"):
        with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
            memory.search(["What is the capital of France?"])


def test_no_result_is_written_over_a_memory(tmp_path: Path) -> None:
    """The fault: an export named after the journal put itself in its place."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
        for name in ("journal.sqlite", "audit.jsonl", "model.json"):
            with pytest.raises(InvalidInputError, match="is a part of the memory there"):
                memory.export(tmp_path / "m" / name)
        assert memory.export(tmp_path / "m" / "facts.jsonl") == 1 and sound(memory)


def test_a_hook_that_its_thread_removes_is_called_in_another_way() -> None:
    """The fault: torch lists hooks before it asks how each wants to be called; an answer in another
    thread failed when an edit's hook was removed in between."""
    base = tiny_model()
    layer = base.model.layers[0]
    with watch(base, after={"model.layers.0": lambda x, y: y + 1}):
        (hook,) = layer._forward_hooks.values()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(hook, layer, (torch.ones(1),), torch.ones(1)).result() is None


def test_no_answers_are_one_as_they_are_to_the_base() -> None:
    """The fault: an IndexError."""
    model = EditableModel(
        tiny_model(), byte_tokenizer(), editor="ike", scope="mention", encoder=HashingEncoder(16)
    )
    model.edit("The capital of France is", "Lyon", subject="France")
    given = dict(model.tokenizer(["The capital of France is"], return_tensors="pt"))
    none, one = (
        model.generate(**given, max_new_tokens=2, num_return_sequences=number) for number in (0, 1)
    )
    assert len(none) == 1 and torch.equal(none, one)
    with model.unedited():
        assert len(model.generate(**given, max_new_tokens=2, num_return_sequences=0)) == 1


@pytest.mark.parametrize("host", ["\x11.S\x83\U0007801a\x99\U0008e8ff'", "a\ud800b"])
def test_a_host_that_no_name_can_be(host: str) -> None:
    """The fault: a TypeError, "encoding of hostname failed"."""
    with pytest.raises(InvalidInputError, match="Cannot listen on"):
        bind(host, 0)


def test_a_key_file_without_end_is_none(tmp_path: Path) -> None:
    """The fault: a RecursionError."""
    (tmp_path / "keys.json").write_text("[" * 100_000)
    with pytest.raises(MemoryStoreError, match="is not a key file"):
        keys.read(tmp_path / "keys.json")


def test_half_a_character_in_a_name_is_written(tmp_path: Path) -> None:
    """The faults: UnicodeEncodeError of a run whose editor's or file's name is no UTF-8."""
    named = {"file": "a\udcff"}
    write_atomically(tmp_path / "run.json", json.dumps(named, ensure_ascii=False))
    assert json.loads((tmp_path / "run.json").read_text("utf-8")) == named
    assert Spec("a\udcff", None).slug == "a%ED%B3%BF"


def test_what_cannot_take_the_settings_is_not_replaced(tmp_path: Path) -> None:
    """The fault: the memory was the backup's, and an error said that nothing was done."""
    for name in ("old", "new"):
        with EditMemory(tmp_path / name, CountingEncoder()) as memory:
            memory.add(capital(name))
    backup(tmp_path / "new", tmp_path / "backup")
    (tmp_path / "old" / "model.json").mkdir()
    with EditMemory(tmp_path / "old", read_only=True) as memory:
        before = memory.digest()
    with pytest.raises(InvalidInputError, match="is a folder"):
        restore(tmp_path / "backup", tmp_path / "old", replace=True)
    with EditMemory(tmp_path / "old", read_only=True) as memory:
        assert memory.digest() == before
