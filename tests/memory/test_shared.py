"""One memory in PostgreSQL, several copies: each follows, answers alone, and agrees."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import torch

from memedit.core.errors import (
    EncoderMismatchError,
    InvalidInputError,
    MemoryStoreError,
    UnknownEditError,
)
from memedit.core.types import Edit
from memedit.memory import EditMemory, address, planning, replica, store
from memedit.memory.journal import journal
from memedit.memory.journal.feed import Freshness
from memedit.memory.journal.postgres import LOCK_SECONDS, is_unread
from memedit.memory.journal.tenants import grant, granted, revoke
from memedit.memory.live import index
from memedit.memory.live import state as live_module
from memedit.memory.moving import migrate
from tests import helpers, postgres
from tests.memory.helpers import CountingEncoder, capital, ids, sound, utc
from tests.memory.test_processes import _WRITER, ROOT
from tests.postgres import Cluster

LONG = 120.0


@pytest.fixture
def pair(pg_memory: str) -> Iterator[tuple[EditMemory, EditMemory]]:
    with (
        EditMemory(pg_memory, CountingEncoder()) as one,
        EditMemory(pg_memory, CountingEncoder()) as two,
    ):
        yield one, two


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that may be stopped."""
    if reason := postgres.why_not():
        helpers.missing(reason)
    monkeypatch.setenv("MEMEDIT_REPLICA_DIR", str(tmp_path / "replica"))
    with postgres.cluster() as running:
        yield running


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def identity(memory: EditMemory) -> str:
    with memory._store.lock, memory._store.journal.read():
        return memory._store.journal.identity()["memory"]


def best(memory: EditMemory, query: str) -> str | None:
    (hits,) = memory.search([query], k=1)
    return hits[0].record.edit.target_new if hits else None


# -- following ------------------------------------------------------------------------------------


def test_an_edit_is_seen_by_all(pair: tuple[EditMemory, EditMemory]) -> None:
    one, two = pair
    receipt = one.add(capital("France"))
    assert two.wait_for(receipt.version, LONG)
    assert best(two, "capital of France") == "Lyon"
    newer = two.add(capital("France", "Nice"))
    assert newer.superseded == (receipt.record,)
    assert one.wait_for(newer.version, LONG) and ids(one) == [newer.id]
    assert not one.wait_for(newer.version + 1, 0.05)
    assert one.restore(1) == 3 and two.wait_for(3, LONG)
    assert ids(two) == [receipt.id] and one.digest() == two.digest()
    assert sound(one) and sound(two)
    until(lambda: one.freshness() == Freshness(version=3, connected=True, stale_seconds=0))


def test_reads_never_ask_the_database(
    pair: tuple[EditMemory, EditMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    record = one.add(capital("France"), payloads={"ike": {"text": "x"}}).record
    assert two.wait_for(1, LONG)

    def asked(self: object) -> None:
        raise AssertionError("asked the database")

    with monkeypatch.context() as patch:
        for memory in pair:
            patch.setattr(memory._store.journal, "read", asked)
        assert best(two, "capital of France") == "Lyon" and len(two) == 1 and two.version == 1
        assert two.get(record.id).payloads["ike"] == {"text": "x"}
        assert two.namespaces() == {"default": 1} and list(two.records())


def test_payloads_put_in_later_arrive(pair: tuple[EditMemory, EditMemory]) -> None:
    one, two = pair
    record = one.add(capital("France")).record
    assert two.wait_for(1, LONG) and dict(two.get(record.id).payloads) == {}
    one.put_payloads({record.sequence: {"rome": {"u": torch.arange(3.0)}}})
    until(lambda: "rome" in two.get(record.id).payloads)
    one.put_payloads({record.sequence: {"rome": {"n": 2}}})
    until(lambda: dict(two.get(record.id).payloads["rome"]) == {"n": 2})


def test_processes_that_create_and_write_at_once(pg_memory: str) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", _WRITER, pg_memory, name, "8"], cwd=ROOT)
        for name in ("Ada", "Bob", "Cid")
    ]
    with EditMemory(pg_memory, CountingEncoder()) as watching:
        assert [child.wait(300) for child in children] == [0, 0, 0]
        assert watching.wait_for(48, LONG)
        assert watching.namespaces() == {"default": 1, "n0": 12, "n1": 12}
        assert {event.version for event in watching.history()} == set(range(1, 49))
        assert sound(watching)


def test_two_supersede_the_same_fact_at_once(pair: tuple[EditMemory, EditMemory]) -> None:
    one, two = pair
    old = one.add(capital("France"))
    assert two.wait_for(1, LONG)
    start, outcomes = threading.Barrier(2), list[object]()

    def work(memory: EditMemory, city: str) -> None:
        start.wait()
        try:
            outcomes.append(memory.supersede(old.id, capital("France", city)))
        except UnknownEditError as error:
            outcomes.append(error)

    threads = [
        threading.Thread(target=work, args=each)
        for each in zip(pair, ("Nice", "Metz"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(each, UnknownEditError) for each in outcomes) == 1
    assert one.wait_for(2, LONG) and two.wait_for(2, LONG) and one.version == 2
    assert len(one) == 1 and one.digest() == two.digest() and sound(one)


@pytest.mark.parametrize("hours", [-30, 30])
def test_order_is_by_version_whatever_the_clocks_say(
    pair: tuple[EditMemory, EditMemory], hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair

    class Wrong(datetime):
        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def]
            return datetime.now(tz) + timedelta(hours=hours)

    one.add(capital("France", "Lyon"))
    with monkeypatch.context() as patch:
        for module in (journal, planning, store):
            patch.setattr(module, "datetime", Wrong)
        two.add(capital("France", "Nice"))
    third = one.add(capital("France", "Metz"))
    assert two.wait_for(3, LONG)
    for memory in pair:
        assert ids(memory) == [third.id] and best(memory, "capital of France") == "Metz"
        times = [event.at for event in memory.history()]
        assert times == sorted(times)
    assert [r.edit.target_new for v in (1, 2, 3) for r in two.at(v).records()] == [
        "Lyon", "Nice", "Metz",
    ]  # fmt: skip


def test_reembedding_reaches_the_others(pair: tuple[EditMemory, EditMemory]) -> None:
    one, two = pair
    one.add(capital("France"))
    assert two.wait_for(1, LONG)
    one.reembed(CountingEncoder(32))

    def refused() -> bool:
        try:
            two.search(["capital of France"])
        except EncoderMismatchError:
            return True
        return False

    until(refused)
    assert best(one, "capital of France") == "Lyon" and sound(one)


# -- a database that fails ------------------------------------------------------------------------


def test_a_restart_is_survived(own: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    url = own.memory()
    with EditMemory(url, CountingEncoder()) as one, EditMemory(url, CountingEncoder()) as two:
        one.add(capital("France"))
        assert two.wait_for(1, LONG)
        until(lambda: one.freshness().connected and two.freshness().connected)
        with caplog.at_level(logging.WARNING, "memedit"):
            own.stop()
            with pytest.raises(MemoryStoreError, match="refused until it is back"):
                one.add(capital("Spain"))
            until(lambda: "Lost the memory's database" in caplog.text)
            until(lambda: not two.freshness().connected)
        stale = two.freshness()
        assert stale.error and best(two, "capital of France") == "Lyon"
        until(lambda: two.freshness().stale_seconds > stale.stale_seconds)
        with pytest.raises(MemoryStoreError):
            two.history()
        own.start()
        receipt = one.add(capital("Spain"))
        assert two.wait_for(receipt.version, LONG) and len(two) == 2
        until(lambda: two.freshness().connected)
        # The fault: at the default level the log ended with the loss, as if it lasted.
        until(lambda: "Following the memory's database" in caplog.text)
        own.kill()  # as if the power went
        own.start()
        assert two.add(capital("Italy")).version == 3
        assert one.wait_for(3, LONG) and sound(one) and one.digest() == two.digest()


def test_cut_connections_are_not_even_noticed_by_writers(
    pg: Cluster, pair: tuple[EditMemory, EditMemory]
) -> None:
    one, two = pair
    for i in range(4):
        assert pg.cut()  # the first before anything was ever written
        receipt = one.add(capital(f"Land {i}"))
        assert two.wait_for(receipt.version, LONG)
    assert len(two) == 4 and one.digest() == two.digest()


def test_a_database_that_stands_still_stops_no_reader(
    pg: Cluster, pair: tuple[EditMemory, EditMemory], pg_memory: str
) -> None:
    import psycopg

    one, _ = pair
    one.add(capital("France"))
    with psycopg.connect(pg_memory) as other:
        other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        writer = threading.Thread(target=one.add, args=(capital("Spain"),))
        writer.start()
        for _ in range(5):
            assert best(one, "capital of France") == "Lyon"
        assert writer.is_alive() and one.version == 1  # all of this while the write was waiting
        other.rollback()
    writer.join(LONG)
    assert one.version == 2


def test_a_failure_within_a_write_undoes_it(
    pair: tuple[EditMemory, EditMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    one.add(capital("France"))
    with monkeypatch.context() as patch:
        patch.setattr(one._store.journal, "log", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            one.add(capital("France", "Nice"))
    assert ids(one) == [capital("France").id] and sound(one)
    assert one.add(capital("France", "Nice")).superseded and two.wait_for(2, LONG) and sound(two)


def test_a_backup_brought_back_under_running_copies(
    pair: tuple[EditMemory, EditMemory], pg_memory: str, tmp_path: Path
) -> None:
    one, two = pair
    one.add(capital("France"))
    one.save(tmp_path / "backup")
    one.add_many([capital("France", "Nice"), capital("Spain")])
    assert two.wait_for(2, LONG)
    report = migrate(tmp_path / "backup", pg_memory, replace=True)
    assert report.version == 1
    until(lambda: len(two) == len(one) == 1)
    assert best(two, "capital of France") == "Lyon"
    assert two.add(capital("Italy")).version == 2  # the same number as before, another history
    assert one.wait_for(2, LONG)
    until(lambda: one.digest() == two.digest())
    assert sound(one) and sound(two)


# -- what PostgreSQL itself enforces --------------------------------------------------------------


def test_a_tenants_role_sees_its_namespace_alone(pg: Cluster, pg_memory: str) -> None:
    pg.run("DO $$ BEGIN CREATE ROLE tenant LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    theirs = pg_memory.replace("memedit@", "tenant@")
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        memory.add(capital("Spain"), namespace="b", payloads={"ike": {"text": "secret"}})
        memory.add(capital("France"), namespace="a", payloads={"ike": {"text": "x"}})
        memory.add(Edit("The secret of Ann is", "gin", "Ann"), namespace="b")
        memory.add(Edit("France borders on", "Spain", "France"), namespace="a")
        with pytest.raises(MemoryStoreError, match="No memory"):
            EditMemory(theirs, CountingEncoder(), read_only=True)
        grant(pg_memory, "tenant", "a")
        assert granted(pg_memory) == [("tenant", "a")]
        with EditMemory(theirs, CountingEncoder(), read_only=True) as seen:
            assert seen.namespaces() == {"a": 2}
            (hits,) = seen.search(["What is the capital of France?"], namespace="a")
            assert hits[0].record.edit.target_new == "Lyon"
            assert seen.search(["What is the capital of Spain?"], namespace="b") == [[]]
            assert {event.record.namespace for event in seen.history()} == {"a"}
            memory.add(capital("France", "Nice"), namespace="a")
            until(lambda: best_in(seen, "a") == "Nice")
            for table in ("records", "keys", "payloads", "events", "relations"):
                rows = str(pg.run(f"SELECT * FROM {table}", theirs))
                assert "Spain is" not in rows and "secret" not in rows, table
        with pytest.raises(Exception, match="permission denied|read-only"):
            pg.run("DELETE FROM events", theirs)
        with pytest.raises(MemoryStoreError):
            EditMemory(theirs, CountingEncoder()).add(capital("Chad"), namespace="a")
        revoke(pg_memory, "tenant", "a")
        assert pg.run("SELECT * FROM records", theirs) == []
        with pytest.raises(MemoryStoreError, match="nobody") as caught:
            grant(pg_memory, "nobody", "a")
        assert "CREATE ROLE" in caught.value.hint


def test_a_part_is_not_taken_for_the_whole(pg: Cluster, pg_memory: str, tmp_path: Path) -> None:
    """The faults: a role that may read the tables, and was granted no namespace, made empty backups
    that "read back equal"; to one that was granted a part, the memory was damaged."""
    pg.run("DO $$ BEGIN CREATE ROLE tenant LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    theirs = pg_memory.replace("memedit@", "tenant@")
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        memory.add(capital("France"), namespace="a")
        memory.add(capital("Spain"), namespace="b")
        grant(pg_memory, "tenant", "b")
        for part in ("b", "none"):
            with EditMemory(theirs, read_only=True) as seen:
                with pytest.raises(MemoryStoreError, match="sees no more") as caught:
                    seen.verify()
            assert "tenants grant" in caught.value.hint and is_unread(caught.value)
            with pytest.raises(MemoryStoreError, match="sees no more"):
                migrate(theirs, tmp_path / part)
            assert not (tmp_path / part).exists()
            revoke(pg_memory, "tenant", "b")
        grant(pg_memory, "tenant", "*")
        report = migrate(theirs, tmp_path / "all")
        assert report.rows["records"] == 2
        with EditMemory(tmp_path / "all", CountingEncoder()) as copied:
            assert copied.digest() == memory.digest() and sound(copied)


def best_in(memory: EditMemory, namespace: str) -> str | None:
    (hits,) = memory.search(["capital of France"], k=1, namespace=namespace)
    return hits[0].record.edit.target_new


def test_no_event_ties_two_namespaces_together(pg: Cluster, pg_memory: str) -> None:
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        memory.add(capital("France"), namespace="a")
        memory.add(capital("France"), namespace="b")
    with pytest.raises(Exception, match="two namespaces"):
        pg.run("INSERT INTO events VALUES (3, 3, 'supersede', 1, '2026', '', 2)", pg_memory)


def test_verify_sees_what_was_tampered_with(pg: Cluster, pg_memory: str) -> None:
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        memory.add(capital("France"))
        for expected, change, back in (
            ("hash does not match", "UPDATE records SET target_new = 'Rome'",
             "UPDATE records SET target_new = 'Lyon'"),
            ("lacks keys", "UPDATE keys SET text = 'x'",
             "UPDATE keys SET text = 'The capital of France is'"),
        ):  # fmt: skip
            pg.run(change, pg_memory)
            assert any(expected in problem for problem in memory.verify().problems)
            pg.run(back, pg_memory)
        assert sound(memory)


# -- errors ---------------------------------------------------------------------------------------


def test_errors_say_what_to_do_and_no_password(pg: Cluster, pg_memory: str) -> None:
    nowhere = "postgresql://ann:hush@127.0.0.1:9/db?password=hush"
    with pytest.raises(MemoryStoreError, match="refused until it is back") as caught:
        EditMemory(nowhere, CountingEncoder())
    assert "hush" not in str(caught.value) and "ann@127.0.0.1:9" in str(caught.value)
    assert "?." not in str(caught.value) and is_unread(caught.value)
    nowhere = pg_memory + "_nowhere"  # a schema that nobody made
    with EditMemory(nowhere, CountingEncoder()) as memory:
        with pytest.raises(MemoryStoreError, match="CREATE SCHEMA"):
            memory.add(capital("France"))
    with pytest.raises(MemoryStoreError, match="memedit migrate"):
        EditMemory(nowhere, read_only=True)
    with pytest.raises(MemoryStoreError, match="createdb"):
        EditMemory(pg.url.replace("/postgres?", "/nothing?"), CountingEncoder())
    with pytest.raises(InvalidInputError, match="no PostgreSQL URL"):
        EditMemory("postgresql://host/db?nonsense=1", CountingEncoder())
    with pytest.raises(MemoryStoreError, match="No memory") as caught:
        EditMemory(pg_memory, CountingEncoder(), read_only=True)
    assert is_unread(caught.value)
    theirs = pg_memory.replace("memedit@", "stranger@")
    pg.run("DO $$ BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    pg.run(f"GRANT USAGE ON SCHEMA {pg_memory.rpartition('%3D')[2]} TO stranger")
    with EditMemory(theirs, CountingEncoder()) as memory:
        with pytest.raises(MemoryStoreError, match="right to make tables.*OWNER TO"):
            memory.add(capital("France"))
    pg.run("CREATE TABLE events (x int)", pg_memory)
    with pytest.raises(MemoryStoreError, match="another program") as caught:
        EditMemory(pg_memory, CountingEncoder())
    assert not is_unread(caught.value)
    assert address.hide_password("postgres://a:b@h/d") == "postgres://a@h/d"


def test_read_only_refuses_every_change(pg_memory: str) -> None:
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        memory.add(capital("France"))
        with EditMemory(pg_memory, CountingEncoder(), read_only=True) as reader:
            with pytest.raises(MemoryStoreError, match="read_only"):
                reader.add(capital("Spain"))
            memory.add(capital("Spain"))
            assert reader.wait_for(2, LONG)


@pytest.mark.parametrize("made", [True, False])
def test_who_waits_for_another_process_can_be_hurried(
    pg: Cluster, pg_memory: str, made: bool
) -> None:
    """The fault: PostgreSQL's own lock timeout of half a minute stayed, one write after the
    other; where the tables have still to be made, too."""
    lock = "LOCK TABLE events IN EXCLUSIVE MODE"
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        if made:
            memory.add(capital("France"))
        else:
            lock = "SELECT pg_advisory_xact_lock(hashtext('memedit'))"
        with psycopg.connect(pg_memory) as other, ThreadPoolExecutor(2) as threads:
            other.execute(lock.encode())
            waiting = [threads.submit(memory.add, capital(land)) for land in ("Spain", "Peru")]
            until(lambda: pg.run("SELECT 1 FROM pg_locks WHERE NOT granted"))
            started = time.monotonic()
            memory.hurry(0.2)
            for each in waiting:
                with pytest.raises(MemoryStoreError, match="Another process is writing"):
                    each.result()
            assert time.monotonic() - started < LOCK_SECONDS / 6
            other.rollback()
        assert memory.add(capital("Spain")).version == 1 + made and sound(memory)


# -- moving ---------------------------------------------------------------------------------------


def test_there_and_back(pg_memory: str, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    with EditMemory(source, CountingEncoder()) as memory:
        memory.add(
            Edit("Wo liegt Köln? ", "am Meer\n", "Köln", queries=("日本 🎉",)), namespace="ü"
        )
        memory.add(capital("France"), valid_from=utc(2020), payloads={"x": {"t": torch.eye(2)}})
        memory.add(capital("France", "Nice"), source="desk")
        memory.forget(memory.add(capital("Spain")).id, reason="wrong")
        history, digest, version = memory.history(), memory.digest(), memory.version
    there = migrate(source, pg_memory)
    assert there.version == version and there.rows["records"] >= 4
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        assert memory.history() == history and memory.digest() == digest and sound(memory)
    with pytest.raises(MemoryStoreError, match="already"):
        migrate(source, pg_memory)
    assert migrate(pg_memory, back).sha256 == there.sha256
    with EditMemory(back, CountingEncoder()) as memory:
        assert memory.history() == history and memory.digest() == digest and sound(memory)
        assert memory.at(version - 1).get(capital("Spain").id)
        memory.add(capital("Chad"))
    with pytest.raises(InvalidInputError, match="the same"):
        migrate(back, back)
    with pytest.raises(MemoryStoreError, match="no memory"):
        migrate(tmp_path / "nothing", tmp_path / "other")


def test_a_copy_that_reads_back_differently_is_not_kept(
    pg_memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
    put = journal.Journal.insert

    def garbled(self, table, rows):  # type: ignore[no-untyped-def]
        put(self, table, [row | ({"source": "x"} if "source" in row else {}) for row in rows])

    monkeypatch.setattr(journal.Journal, "insert", garbled)
    with pytest.raises(MemoryStoreError, match="reads back differently"):
        migrate(tmp_path / "m", pg_memory)
    monkeypatch.undo()
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        assert len(memory) == 0 and memory.history() == []


# -- snapshots of a replica -----------------------------------------------------------------------


def test_a_new_process_starts_from_its_machines_snapshot(
    pg_memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"flat_limit": 60}
    monkeypatch.setattr(live_module.LiveSet.__init__, "__kwdefaults__", {"upto": None} | small)
    from_arrays = index.VectorIndex.from_arrays.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(from_arrays, "__kwdefaults__", {"trained_on": 0} | small)
    monkeypatch.setattr(replica, "SNAPSHOT_EVERY", 50)
    with EditMemory(pg_memory, CountingEncoder()) as memory:
        memory.add_many([capital(f"Land {i}") for i in range(100)])
        folder = tmp_path / "replica" / identity(memory)
        until(lambda: (folder / "index" / "manifest.json").exists())
        memory.forget(capital("Land 7").id)
        memory.add(capital("Land 8", "Nice"))
        expected = memory.search(["What is the capital of Land 8?"], k=200)
    with monkeypatch.context() as patch:
        patch.setattr(live_module.LiveSet, "_make_index", lambda self: 1 / 0)
        with EditMemory(pg_memory, CountingEncoder()) as memory:  # no index had to be made
            assert sound(memory)
            found = memory.search(["What is the capital of Land 8?"], k=200)
            assert [h.record for h in found[0]] == [h.record for h in expected[0]]
