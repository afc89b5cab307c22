"""A request may wait for a version; while it does, it keeps nobody else from being answered."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from memedit.core.types import Edit
from memedit.memory.journal.sqlite import driver_of
from memedit.serving.errors import ApiError
from memedit.serving.keys import make_key
from memedit.serving.routes.changes import WRITERS
from memedit.serving.versions import MIN_VERSION_HEADER, Waiting
from tests.serving.helpers import CAPITAL, QUESTION, ring, run, tiny_edited, tiny_service, within

FAR = {MIN_VERSION_HEADER: "999999"}
HEALTH = ("/healthz", "/readyz", "/", "/page.js", "/page.css", "/openapi.json")


def test_health_never_waits_and_strangers_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault: 120 anonymous requests to /healthz took every thread for seconds."""
    held, (secret,), _ = ring(("read",))
    asked: list[int] = []

    async def noted(self: Waiting, key: str, version: int) -> None:
        asked.append(version)

    monkeypatch.setattr(Waiting, "wait_until", noted)

    async def work() -> None:
        async with within(tiny_service(keys=held, version_wait=600), secret) as client:
            for path in HEALTH:
                assert (await client.get(path, headers=FAR)).status_code == 200
                assert (await client.get(path, headers={MIN_VERSION_HEADER: "x"})).is_success
            refused = await client.get("/v1/edits", headers=FAR | {"Authorization": "Bearer no"})
            assert refused.status_code == 401
            await client.options("/v1/edits", headers=FAR)
            assert asked == []
            assert (await client.get("/v1/edits", headers=FAR)).status_code == 200
            assert asked == [999_999]

    run(work())


async def counted(arrived: list[int], wanted: int) -> None:
    """Until so many wait."""
    while len(arrived) < wanted:
        await asyncio.sleep(0.01)


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What versions requests waited for, since they began to."""
    noted, wait = list[int](), Waiting._wait

    async def waits(self: Waiting, version: int) -> None:
        noted.append(version)
        await wait(self, version)

    monkeypatch.setattr(Waiting, "_wait", waits)
    return noted


def test_who_waits_holds_no_thread_and_keeps_nobody_waiting(arrived: list[int]) -> None:
    held, secrets, _ = ring(("read", "edit"), ("read",))

    async def work() -> None:
        async with within(tiny_service(keys=held, version_wait=600)) as client:
            mine, theirs = ({"Authorization": f"Bearer {secret}"} for secret in secrets)
            wanting = theirs | {MIN_VERSION_HEADER: "1"}
            waits = [
                asyncio.create_task(client.get("/v1/edits", headers=wanting)) for _ in range(100)
            ]
            await counted(arrived, 100)
            assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens <= 1
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.get("/v1/edits", headers=mine)).json()["data"] == []
            assert not any(task.done() for task in waits)
            assert (await client.post("/v1/edits", json=CAPITAL, headers=mine)).status_code == 201
            answers = await asyncio.gather(*waits)
            assert {answer.status_code for answer in answers} == {200}
            assert all(len(answer.json()["data"]) == 1 for answer in answers)

    run(work())


def test_how_many_may_wait_is_bounded_for_a_key_and_in_all(arrived: list[int]) -> None:
    held, secrets, _ = ring(("read",), ("read",), ("read",), ("edit",))
    next_ = {MIN_VERSION_HEADER: "1"}

    async def work() -> None:
        limits: Any = {"max_waiting": 5, "max_waiting_of_key": 3, "version_wait": 600}
        async with within(tiny_service(keys=held, **limits)) as client:

            async def ask(secret: str) -> Any:
                headers = next_ | {"Authorization": f"Bearer {secret}"}
                return await client.get("/v1/edits", headers=headers)

            first = [asyncio.create_task(ask(secrets[0])) for _ in range(4)]
            done, waiting = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            await counted(arrived, 3)
            more = [asyncio.create_task(ask(secret)) for secret in (*secrets[1:3], secrets[2])]
            late, others = await asyncio.wait(more, return_when=asyncio.FIRST_COMPLETED)
            await counted(arrived, 5)
            for refused in (done, late):
                [answer] = [task.result() for task in refused]
                assert answer.json()["error"]["code"] == "too_many_waiting"
            edits = {"Authorization": f"Bearer {secrets[3]}"}
            assert (await client.post("/v1/edits", json=CAPITAL, headers=edits)).is_success
            answers = await asyncio.gather(*waiting, *others)
            assert [answer.status_code for answer in answers] == [200] * 5

    run(work())


def test_who_gives_up_waits_no_longer() -> None:
    held, (secret,), _ = ring(("read",))

    async def work() -> None:
        limits: Any = {"max_waiting_of_key": 1, "version_wait": 0.05}
        async with within(tiny_service(keys=held, **limits), secret) as client:
            for _ in range(2):
                told = await client.get("/v1/edits", headers=FAR)
                assert told.json()["error"]["code"] == "version_not_reached"
                assert told.headers["Retry-After"] == "1"

    run(work())


def test_reads_are_answered_while_more_writes_wait_than_there_are_threads(tmp_path: Path) -> None:
    """The fault: a search took 29.6 s behind one write that waited for another process; and forty
    such writes took every thread."""
    service = tiny_service(tmp_path / "m")
    id = service.memory.add(Edit("The capital of France is", "Lyon", "France")).id
    patient = driver_of(service.memory._store.journal.connection)
    patient.execute("PRAGMA busy_timeout = 600000")  # the reads below may be slow on a busy machine
    other = sqlite3.connect(tmp_path / "m" / "journal.sqlite", isolation_level=None)

    async def work() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 4
        async with within(service) as client:
            other.execute("BEGIN IMMEDIATE")
            edits = [{"statement": f"Room {i} is closed today."} for i in range(6)]
            waiting = [asyncio.create_task(client.post("/v1/edits", json=e)) for e in edits]
            gone = asyncio.create_task(client.delete(f"/v1/edits/{id}"))
            while not service.memory._store.turns.write_waits:
                await asyncio.sleep(0.01)
            for path in (
                "/v1/edits", f"/v1/edits/{id}", f"/v1/edits/{id}/history", "/v1/history",
                "/v1/stats", "/v1/export", "/readyz", "/metrics", "/v1/audit",
            ):  # fmt: skip
                assert (await client.get(path)).status_code == 200, path
            asked = await client.post("/v1/explain", json={"query": QUESTION, "max_tokens": 2})
            assert [hit["id"] for hit in asked.json()["hits"]] == [id]
            assert not any(task.done() for task in (*waiting, gone))
            other.execute("ROLLBACK")
            answers = await asyncio.gather(*waiting, gone)
            assert [a.status_code for a in answers] == [201] * 6 + [200]

    run(work())
    other.close()


def test_how_many_changes_may_wait_is_bounded(tmp_path: Path) -> None:
    """The fault: behind a foreign write lock changes queued without end, each with its body."""
    service = tiny_service(tmp_path / "m", max_writing=2)
    service.memory.add(Edit("The capital of France is", "Lyon", "France"))
    patient = driver_of(service.memory._store.journal.connection)
    patient.execute("PRAGMA busy_timeout = 600000")
    other = sqlite3.connect(tmp_path / "m" / "journal.sqlite", isolation_level=None)

    async def work() -> None:
        async with within(service) as client:
            other.execute("BEGIN IMMEDIATE")
            edits = [{"statement": f"Room {i} is closed today."} for i in range(WRITERS + 5)]
            tasks = [asyncio.create_task(client.post("/v1/edits", json=e)) for e in edits]
            while sum(task.done() for task in tasks) < 3:  # the others may wait for ever
                await asyncio.sleep(0.01)
            refused = [task.result() for task in tasks if task.done()]
            assert [answer.status_code for answer in refused] == [503] * 3
            assert {a.json()["error"]["code"] for a in refused} == {"too_many_waiting"}
            assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
            other.execute("ROLLBACK")
            codes = [answer.status_code for answer in await asyncio.gather(*tasks)]
            assert sorted(codes) == [201] * (WRITERS + 2) + [503] * 3
            assert (await client.post("/v1/edits", json=CAPITAL)).status_code == 200

    run(work())
    other.close()


def test_a_version_in_the_body_waits_in_the_same_way(arrived: list[int]) -> None:
    held, (secret,), _ = ring(("ask", "edit"))

    async def work() -> None:
        limits: Any = {"max_waiting_of_key": 1, "version_wait": 600}
        async with within(tiny_service(keys=held, **limits), secret) as client:
            body = {
                "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 1,
                "memedit": {"min_version": 1},
            }  # fmt: skip
            asked = [
                asyncio.create_task(client.post("/v1/chat/completions", json=body))
                for _ in range(2)
            ]
            done, (waiting,) = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            await counted(arrived, 1)
            assert done.pop().result().json()["error"]["code"] == "too_many_waiting"
            assert (await client.post("/v1/edits", json=CAPITAL)).is_success
            assert (await waiting).status_code == 200

    run(work())


def test_a_memory_that_fails_meanwhile_is_told_to_those_who_wait() -> None:
    memory = tiny_edited().memory

    async def work() -> None:
        waiting = Waiting(memory, 600, most=9, most_of_a_key=9)
        task = asyncio.create_task(waiting.wait_until("a", 5))
        await asyncio.sleep(0.05)
        memory.close()
        with pytest.raises(Exception, match="closed"):
            await task
        assert len(waiting) == 0
        key, _ = make_key("x")
        with pytest.raises(Exception, match="closed"):
            await waiting.wait_until(key.id, 5)
        with pytest.raises(ApiError, match="Too many"):
            await Waiting(memory, 1, most=0, most_of_a_key=1).wait_until("a", 1)

    run(work())
