"""Three servers on one memory in PostgreSQL, while servers and database die."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import replicas
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.serving.ledger.tables import tables_of
from tests import helpers, postgres
from tests.postgres import Cluster
from tests.serving import processes
from tests.serving.helpers import CAPITAL, QUESTION, ring, run, tiny_edited, tiny_service, within

pytestmark = pytest.mark.slow

LONG = 180.0
# An upstream that is not there: edits need none, and the servers start sooner.
OPTIONS = ("--upstream", "http://127.0.0.1:9", "--no-auth", "--encoder", "hashing:64", "--memory")


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    if reason := postgres.why_not():
        helpers.missing(reason)
    with postgres.cluster("fsync=off") as running:
        yield running


class Fleet:
    """Three servers and a client of each."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self._folder = url, folder
        with ThreadPoolExecutor(3) as pool:
            self.servers = list(pool.map(self._start, range(3)))
        self.clients = [self._client(server) for server in self.servers]

    def _start(self, at: int, port: int = 0) -> processes.Process:
        folder = str(self._folder / "replica")
        return processes.start(
            *OPTIONS, self.url, port=port, MEMEDIT_REPLICA_DIR=folder, MEMEDIT_VERSION_WAIT="120",
        )  # fmt: skip

    def _client(self, server: processes.Process) -> httpx.Client:
        return httpx.Client(base_url=server.url, timeout=LONG)

    def kill(self, at: int) -> None:
        self.servers[at].popen.send_signal(signal.SIGKILL)
        self.servers[at].popen.wait()

    def start(self, at: int) -> None:
        self.clients[at].close()
        self.servers[at] = self._start(at)
        self.clients[at] = self._client(self.servers[at])

    def add(self, at: int, **fact: str) -> dict[str, Any]:
        answer = self.clients[at].post("/v1/edits", json=fact)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def seen(self, version: int) -> list[list[str]]:
        """The targets in force at each server, once it has reached that version."""
        headers = {"X-Memedit-Min-Version": str(version)}
        answers = [c.get("/v1/edits", headers=headers).json() for c in self.clients]
        return [[e["target_new"] for e in answer["data"]] for answer in answers]

    def digests(self) -> set[str]:
        return {c.get("/v1/stats?digest=true").json()["digest"] for c in self.clients}

    def close(self) -> None:
        for server, client in zip(self.servers, self.clients, strict=True):
            client.close()
            server.popen.terminate()
        for server in self.servers:
            server.popen.wait(timeout=LONG)


@pytest.fixture(scope="module")
def fleet(database: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(database.memory(), tmp_path_factory.mktemp("fleet"))
    try:
        yield fleet
    finally:
        fleet.close()


def test_an_edit_through_one_is_seen_by_all(fleet: Fleet) -> None:
    made = fleet.add(0, **CAPITAL)
    assert fleet.seen(made["version"]) == [["Lyon"]] * 3
    changed = fleet.clients[2].patch(f"/v1/edits/{made['id']}", json={"target_new": "Nice"}).json()
    assert fleet.seen(changed["version"]) == [["Nice"]] * 3 and len(fleet.digests()) == 1


def test_two_servers_change_one_fact_at_once(fleet: Fleet) -> None:
    made = fleet.add(1, prompt="The capital of Peru is", target_new="Lima", subject="Peru")
    fleet.seen(made["version"])
    start = threading.Barrier(2)

    def change(at: int) -> httpx.Response:
        start.wait()
        return fleet.clients[at].patch(
            f"/v1/edits/{made['id']}", json={"target_new": f"Cusco {at}"}
        )

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(change, range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    targets = fleet.seen(won["version"])
    assert all(t == targets[0] and won["record"]["target_new"] in t for t in targets)
    assert len(fleet.digests()) == 1


def test_a_killed_server_catches_up(fleet: Fleet) -> None:
    fleet.kill(1)
    made = fleet.add(0, prompt="The capital of Chad is", target_new="Sarh", subject="Chad")
    fleet.start(1)
    assert fleet.seen(made["version"])[1][0] == "Sarh" and len(fleet.digests()) == 1


def test_the_audit_log_is_one(fleet: Fleet) -> None:
    made = fleet.add(0, prompt="The capital of Laos is", target_new="Pakse", subject="Laos")
    fleet.seen(made["version"])
    changed = fleet.clients[1].patch(f"/v1/edits/{made['id']}", json={"target_new": "Kaysone"})
    fleet.seen(changed.json()["version"])
    lines = [c.get("/v1/audit?limit=1000").json()["data"] for c in fleet.clients]
    assert lines[0] == lines[1] == lines[2] and len(lines[0]) >= 4
    assert {"begin", "done"} <= {line["phase"] for line in lines[0]} <= {"begin", "done", "failed"}


def test_the_database_goes_away_under_load(fleet: Fleet, database: Cluster) -> None:
    stop, wrong, answered = threading.Event(), list[str](), [0]
    total = fleet.clients[0].get("/v1/edits").json()["total"]

    def read(at: int) -> None:
        with httpx.Client(base_url=fleet.servers[at].url, timeout=LONG) as client:
            while not stop.is_set():
                answer = client.get("/v1/edits")
                if answer.status_code != 200 or answer.json()["total"] < total:
                    wrong.append(answer.text)
                answered[0] += 1
                time.sleep(0.01)

    readers = [threading.Thread(target=read, args=(at,)) for at in range(3)]
    for reader in readers:
        reader.start()
    try:
        database.cut()
        made = fleet.add(0, prompt="The capital of Mali is", target_new="Kayes", subject="Mali")
        fleet.seen(made["version"])
        database.stop()
        refused = fleet.clients[2].post("/v1/edits", json={"statement": "Mali has a new flag."})
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["error"]["code"] == "memory_unavailable"
        assert "refused until it is back" in refused.json()["error"]["message"]
        metrics = [""] * 3

        def noticed() -> bool:
            metrics[:] = [c.get("/metrics").text for c in fleet.clients]
            return all("memedit_memory_connected 0.0" in text for text in metrics)

        until(noticed)
        stale = [_value(text, "memedit_memory_stale_seconds") for text in metrics]
        assert all(seconds > 0 for seconds in stale)
        before = answered[0]
        until(lambda: answered[0] > before + 30)  # all that time the copies answer
        database.start()
        until(lambda: fleet.clients[2].post("/v1/edits", json={
            "statement": "Mali has a new flag."}).status_code in (200, 201))  # fmt: skip
        until(lambda: all("connected 1.0" in c.get("/metrics").text for c in fleet.clients))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    until(lambda: len(fleet.digests()) == 1)


def _value(metrics: str, name: str) -> float:
    return next(float(li.split()[1]) for li in metrics.splitlines() if li.startswith(name + " "))


def test_a_version_that_is_not_there_yet(pg_memory: str) -> None:
    with EditMemory(pg_memory, HashingEncoder(64)) as memory:
        service = tiny_service(model=tiny_edited(memory), version_wait=0.05)

        async def ask() -> None:
            async with within(service) as client:
                made = (await client.post("/v1/edits", json=CAPITAL)).json()
                assert made["version"] == 1
                for version, status in (("1", 200), ("2", 503), ("x", 400), ("-1", 400)):
                    answer = await client.get(
                        "/v1/edits", headers={"X-Memedit-Min-Version": version}
                    )
                    assert answer.status_code == status, version
                for wanted, status in ((1, 200), (2, 503)):
                    body = {
                        "prompt": QUESTION,
                        "max_tokens": 2,
                        "memedit": {"min_version": wanted},
                    }
                    answer = await client.post("/v1/completions", json=body)
                    assert answer.status_code == status
                    if status == 503:
                        assert answer.json()["error"]["code"] == "version_not_reached"
                        assert answer.headers["retry-after"] == "1"

        run(ask())


def test_questions_are_answered_from_the_copy(database: Cluster) -> None:
    """A real model generates, in and out of scope, while there is no database."""
    with EditMemory(database.memory(), HashingEncoder(64)) as memory:
        service = tiny_service(model=tiny_edited(memory), max_stale=1_000)

        async def ask() -> None:
            async with within(service) as client:
                assert (await client.post("/v1/edits", json=CAPITAL)).status_code == 201
                body = {"prompt": QUESTION, "max_tokens": 3, "temperature": 0}
                before = (await client.post("/v1/completions", json=body)).json()
                assert before["memedit"]["in_scope"]
                database.stop()
                try:
                    after = (await client.post("/v1/completions", json=body)).json()
                    assert after["choices"] == before["choices"]
                    assert after["memedit"] == before["memedit"]
                    explained = await client.post("/v1/explain", json={"query": QUESTION})
                    assert explained.status_code == 200
                    until(lambda: not memory.freshness().connected)
                    ready = await client.get("/readyz")
                    assert ready.status_code == 200
                    assert not ready.json()["memory"]["writable"]
                    assert ready.json()["memory"]["stale_seconds"] > 0
                    object.__setattr__(service.settings, "max_stale", 1e-9)
                    old = await client.get("/readyz")
                    assert old.status_code == 503 and "seconds old" in old.json()["reason"]
                finally:
                    database.start()

        run(ask())


def test_a_proposal_is_approved_at_another_server(pg_memory: str) -> None:
    keys, (ann, bob), _ = ring(["read", "edit", "admin"], ["read", "edit", "admin"])
    with (
        EditMemory(pg_memory, HashingEncoder(64)) as here,
        EditMemory(pg_memory, HashingEncoder(64)) as there,
    ):
        one = tiny_service(model=tiny_edited(here), keys=keys, approval=True)
        two = tiny_service(model=tiny_edited(there), keys=keys, approval=True)

        async def decide() -> None:
            async with within(one, ann) as first, within(two, bob) as second:
                made = await first.post("/v1/edits", json=CAPITAL)
                assert made.status_code == 202
                id = made.json()["proposal"]["id"]
                listed = (await second.get("/v1/proposals")).json()["data"]
                assert [proposal["id"] for proposal in listed] == [id]
                approved = await second.post(f"/v1/proposals/{id}/approve")
                assert approved.status_code == 200, approved.text
                version = {"X-Memedit-Min-Version": "1"}
                assert (await first.get("/v1/edits", headers=version)).json()["total"] == 1
                said = {"kind": "wrong_answer", "query": QUESTION}
                assert (await first.post("/v1/reports", json=said)).status_code == 201
                assert (await second.get("/v1/reports")).json()["data"][0]["query"] == QUESTION

        run(decide())
        assert (two.audit.verify().lines, two.audit.verify().problems) == (4, ())
        with closing(tables_of(two.memory)) as tables, tables.open() as db:
            db.exec_driver_sql("DELETE FROM audit WHERE number = 2")
        assert one.audit.verify().problems == (
            "line 2 does not follow line 1", "1 of 4 lines are gone from the end",
        )  # fmt: skip
        for service in (one, two):
            service.desk.close()  # verifying opened the tables again


@pytest.mark.skipif("MEMEDIT_LONG_TESTS" not in os.environ, reason="a minute: MEMEDIT_LONG_TESTS")
def test_the_benchmark_of_replicas(database: Cluster) -> None:
    found = replicas.visible(database.memory(), edits=4, pause=0.0)
    assert found["edits"] == 4
    times = found["commit_to_visible_elsewhere_ms"]
    assert 0 < times["p50"] <= times["p99"] < 60_000
    kept = replicas.survival(database.memory(), edits=12, kills=1, servers=2)
    assert (kept["kills"], kept["lost"], kept["doubled"]) == (1, 0, 0)
    assert kept["identical"] and kept["sound"]
