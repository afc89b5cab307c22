"""Odd input at the HTTP doors: 400 with the reason, never 500; and who may read what."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.serving.keys import make_key
from memedit.serving.reading import narrow_explanation
from memedit.serving.service import NAMESPACE_HEADER, Caller
from tests.memory.helpers import CountingEncoder
from tests.serving.helpers import CAPITAL, QUESTION, ring, run, serving, tiny_service, within

IDS = ["..", ".", "a/b", "a\\b", "x" * 257, "x" * 9_000, "a\nb", "a\x00b", "a\x7fb", " a", "a ",
       "\ud800", "\u202ea"]  # fmt: skip
GOOD = ["a", "a.b", "..a", "Ä-7 b", "名", "x" * 256, "a%2fb", "?", "#", "%"]


@pytest.mark.parametrize("id", IDS, ids=lambda id: ascii(id[:9]))
def test_ids_that_no_door_could_name_again_come_in_by_none(id: str) -> None:
    with EditMemory(None, CountingEncoder()) as memory:
        with pytest.raises(InvalidEditError, match=r"is no id\. An id is 1 to 256 printable"):
            memory.add(Edit("The capital of France is", "Lyon", id=id))
        assert len(memory) == 0

    async def work() -> None:
        async with within(tiny_service()) as client:
            lines = [CAPITAL | {"id": id}, CAPITAL]
            body = "\n".join(map(json.dumps, lines)).encode()
            report: Any = (await client.post("/v1/import", content=body)).json()
            assert report["added"] == 1 and report["refused"] == 1
            assert (
                report["refused_lines"][0]["line"] == 1
                and "no id" in report["refused_lines"][0]["reason"]
            )

    run(work())


@pytest.mark.parametrize("id", GOOD, ids=repr)
def test_every_id_that_came_in_goes_out_over_rest(id: str) -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            body = json.dumps(CAPITAL | {"id": id}).encode()
            assert (await client.post("/v1/import", content=body)).json()["added"] == 1
            assert (await client.get(f"/v1/edits/{quote(id, safe='')}")).json()["id"] == id
            assert (await client.delete(f"/v1/edits/{quote(id, safe='')}")).status_code == 200

    run(work())


def test_a_body_that_is_not_said_to_be_json_is_told_what_to_say() -> None:
    """As ``curl -d`` sends it."""

    async def work() -> None:
        async with within(tiny_service()) as client:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            for method, path in (("POST", "/v1/edits"), ("PATCH", "/v1/edits/x")):
                answer = await client.request(method, path, content="{}", headers=form)
                assert answer.status_code == 400 and "application/json" in answer.text

    run(work())


DATES: list[dict[str, str]] = [
    {"valid_from": "0001-01-01T00:00:00+14:00"},
    {"valid_until": "9999-12-31T23:59:59-14:00"},
    {"valid_from": "0001-01-01T00:00:00+14:00", "valid_until": "9999-12-31T23:59:59-14:00"},
]


@pytest.mark.parametrize("dates", DATES)
def test_dates_at_the_ends_of_time(dates: dict[str, str]) -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            answer = await client.post("/v1/edits", json=CAPITAL | dates)
            assert answer.status_code == 400 and "outside the years" in answer.text
            body = json.dumps(CAPITAL | dates).encode()
            report: Any = (await client.post("/v1/import", content=body)).json()
            assert (
                report["added"] == 0 and "outside the years" in report["refused_lines"][0]["reason"]
            )

    run(work())


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "[" * 200_000 + "]" * 200_000])
@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_deep_json_is_a_bad_file(text: str, format: str) -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            answer = await client.post(f"/v1/import?format={format}", content=text.encode())
            assert answer.status_code == (400 if format == "json" else 200)
            assert "JSON" in answer.text

    run(work())


def test_a_key_that_may_only_ask_reads_no_edits() -> None:
    """The fault: candidates' facts for any question, by /v1/explain and /v1/compare."""
    held, (asks, reads), _ = ring(("ask",), ("read", "ask"))
    secret = "The code of the vault is"

    async def work() -> None:
        service = tiny_service(keys=held)
        service.memory.add(Edit(secret, "0451"))
        service.memory.add(Edit("The capital of France is", "Lyon", "France"))
        async with within(service) as client:
            for key, sees in ((asks, False), (reads, True)):
                headers = {"Authorization": f"Bearer {key}"}
                for path, body in (
                    ("/v1/explain", {"query": QUESTION, "max_tokens": 2}),
                    ("/v1/compare", {"queries": [QUESTION, "Bake bread."], "max_tokens": 2}),
                ):
                    answer = await client.post(path, json=body, headers=headers)
                    assert answer.status_code == 200
                    assert ("0451" in answer.text) is sees
                    data = answer.json()
                    first = data["data"][0] if "data" in data else data
                    assert [hit["fact"] for hit in first["hits"]] == [
                        "The capital of France is Lyon"
                    ]
                    assert bool(first["candidates"]) is sees

    run(work())


def test_a_key_that_may_only_ask_reads_no_edit_that_a_document_contradicts() -> None:
    """The fault: the answer follows the document, and the explanation told the edit's fact."""
    hit = {"id": "x", "fact": "The code of the vault is 0451", "mention": "vault", "score": 0.9}
    explained = {"hits": [], "informs": [hit], "disagrees": [hit], "candidates": [hit]}
    (asks, _), (reads, _) = (make_key(scope, [scope, "ask"]) for scope in ("ask", "read"))
    told = narrow_explanation(Caller(asks, "default"), explained)
    assert told["disagrees"] == [{"id": "x", "score": 0.9}] and told["candidates"] == []
    assert told["informs"] == [{"id": "x", "score": 0.9, "fact": hit["fact"]}]
    assert narrow_explanation(Caller(reads, "default"), explained) == explained


def test_a_namespace_in_utf_8_is_the_one_that_was_meant() -> None:
    async def work() -> None:
        service = tiny_service()
        async with within(service) as client:
            headers = {NAMESPACE_HEADER.encode(): "Zürich".encode()}
            made = await client.post("/v1/edits", json=CAPITAL, headers=headers)
            assert made.status_code == 201
            latin = {NAMESPACE_HEADER.encode(): "Zürich".encode("latin-1")}
            assert (await client.get("/v1/edits", headers=latin)).json()["total"] == 1
            odd = {NAMESPACE_HEADER.encode(): b"a\xc2\x85b"}
            assert (await client.get("/v1/edits", headers=odd)).status_code == 400
        assert service.memory.namespaces() == {"Zürich": 1}

    run(work())


def test_options_without_cors_tell_nothing_and_read_nothing() -> None:
    """The fault: whoever has no key could have a body read, and learn which routes there are."""
    held, _, _ = ring(("read",))
    told: set[tuple[int, str, str | None]] = set()

    async def work() -> None:
        async with within(tiny_service(keys=held)) as client:
            for path in ("/v1/edits", "/v1/nothing", "/", "/metrics", "/v1/../x"):
                answer = await client.options(
                    path, headers={"Origin": "https://evil.example", "X-Memedit-Namespace": "a",
                                   "Access-Control-Request-Method": "POST"},
                )  # fmt: skip
                told.add((answer.status_code, answer.json()["error"]["code"],
                          answer.headers.get("allow")))  # fmt: skip
                assert not [h for h in answer.headers if h.startswith("access-control")]
            large = await client.request("OPTIONS", "/v1/edits", content=b"x" * (2 << 20))
            assert large.status_code == 405

    run(work())
    assert told == {(405, "method_not_allowed", None)}


def test_of_two_credentials_none_counts() -> None:
    held, (one, two), _ = ring(("read",), ("admin",))
    with serving(tiny_service(keys=held)) as running:
        url = httpx.URL(running.url)
        for first, second in ((one, two), (two, one), (two, two)):
            lines = [
                "GET /v1/edits HTTP/1.1", f"Host: {url.netloc.decode()}",
                f"Authorization: Bearer {first}", f"Authorization: Bearer {second}",
                "Connection: close", "", "",
            ]  # fmt: skip
            with socket.create_connection((url.host, url.port or 80), timeout=120) as wire:
                wire.sendall("\r\n".join(lines).encode())
                assert b" 400 " in wire.makefile("rb").readline()
