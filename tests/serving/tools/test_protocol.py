"""The tools through the SDK's own client, over HTTP, behind the guard of all routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from memedit.core.errors import MissingExtraError
from memedit.serving.tools import protocol
from memedit.serving.tools.catalogue import TOOLS
from tests.serving import patient
from tests.serving.helpers import (
    CAPITAL,
    QUESTION,
    Running,
    ring,
    run,
    serving,
    tiny_service,
    within,
)  # fmt: skip


@asynccontextmanager
async def agent(running: Running, key: str = "", **options: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers |= {name: str(value) for name, value in options.pop("headers", {}).items()}
    async with httpx2.AsyncClient(headers=headers, timeout=patient.SECONDS) as http:
        transport = streamable_http_client(f"{running.url}/mcp", http_client=http)
        async with Client(transport, **options) as client:
            yield client


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def done(client: Client, name: str, **given: Any) -> Any:
    result = await client.call_tool(name, given)
    assert not result.is_error, text_of(result)
    return result.structured_content


async def refused(client: Client, name: str, **given: Any) -> str:
    result = await client.call_tool(name, given)
    assert result.is_error and result.structured_content is None
    return text_of(result)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_adds_asks_corrects_and_undoes(mode: str) -> None:
    async def work(running: Running) -> None:
        async with agent(running, mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
            made = await done(client, "add_fact", **CAPITAL)
            assert made["made"] and made["status"] == "added"
            again = await done(client, "add_fact", statement="The capital of France is Lyon.")
            assert (again["status"], again["id"]) == ("duplicate", made["id"])
            told = await done(client, "explain_answer", query=QUESTION)
            assert told["answer"] == "Lyon" != told["base_answer"]
            assert told["hits"][0]["id"] == made["id"]
            fixed = await done(client, "correct_fact", id=made["id"], target_new="Nice")
            assert fixed["superseded"][0]["id"] == made["id"] != fixed["id"]
            assert fixed["record"]["prompt"] == CAPITAL["prompt"]
            (found,) = (await done(client, "search_facts", query=QUESTION))["data"]
            assert found["target_new"] == "Nice" and 0 < found["similarity"] <= 1
            assert (await done(client, "list_facts", match="lyon"))["total"] == 0
            await done(client, "forget_fact", id=fixed["id"])
            assert (await done(client, "list_facts"))["data"] == []
            await done(client, "restore_version", version=made["version"])
            (back,) = (await done(client, "list_facts"))["data"]
            assert back["id"] == made["id"]
            undone = await done(client, "undo_change")
            assert undone["made"] and [row["id"] for row in undone["forgotten"]] == [back["id"]]
            again = await done(client, "undo_change", if_version=undone["version"])
            assert [row["id"] for row in again["restored"]] == [fixed["id"]]
            events = (await done(client, "list_history"))["data"]
            assert [e["version"] for e in events] == sorted(e["version"] for e in events)[::-1]
            own = (await done(client, "list_history", id=fixed["id"]))["data"]
            assert [event["kind"] for event in own] == ["add", "forget", "restore"]
        over_rest = patient.get(f"{running.url}/v1/history").json()
        assert over_rest["data"] == events  # one memory, told alike at both doors

    with serving(tiny_service()) as running:
        run(work(running))


def test_what_is_wrong_is_said_as_over_rest() -> None:
    async def work(running: Running) -> None:
        async with agent(running) as client:
            assert "edit_not_found" in await refused(client, "forget_fact", id="nothing")
            assert "target_new" in await refused(client, "add_fact", prompt="The sky is")
            said = await refused(client, "add_fact", statement="A.", colour="red")
            assert said.startswith("colour") and "invalid_value" in said
            assert "add_fact" in await refused(client, "add_facts", statement="A.")
            assert "limit" in await refused(client, "search_facts", query="x", limit=0)
            assert "date" in await refused(client, "search_facts", query="x", as_of="soon")

    with serving(tiny_service()) as running:
        run(work(running))


def test_keys_scopes_and_namespaces_are_those_of_rest() -> None:
    keys, (reads, writes, any_), kept = ring(["read"], ["read", "edit", "ask"], ["admin"])
    other, (stranger,), (strange,) = ring(["read", "edit"], namespace="other")
    keys._keys |= {key.id: key for key in other.keys()}

    async def work(running: Running) -> None:
        bare = patient.post(f"{running.url}/mcp", json={})
        assert (bare.status_code, bare.json()["error"]["code"]) == (401, "invalid_api_key")
        async with agent(running, reads) as client:
            assert "insufficient_scope" in await refused(client, "add_fact", **CAPITAL)
            assert "'ask'" in await refused(client, "explain_answer", query=QUESTION)
            assert (await done(client, "list_facts"))["total"] == 0
        async with agent(running, writes) as client:
            await done(client, "add_fact", **CAPITAL)
        async with agent(running, stranger) as client:
            assert (await done(client, "list_facts"))["total"] == 0
            assert (await done(client, "search_facts", query=QUESTION))["data"] == []
            await done(client, "add_fact", statement="The lift is out of order.")
        elsewhere = {"X-Memedit-Namespace": "other"}
        async with agent(running, writes, headers=elsewhere) as client:
            assert "wrong_namespace" in await refused(client, "list_facts")
        audit = patient.get(f"{running.url}/v1/audit", headers={"Authorization": f"Bearer {any_}"})
        begun = [line for line in audit.json()["data"] if line["phase"] == "begin"]
        assert [line["key"] for line in begun] == [strange.id, kept[1].id]

    with serving(tiny_service(keys=keys)) as running:
        run(work(running))


def test_an_agent_is_told_of_a_first_day_and_it_begins_what_replaces() -> None:
    fee, later = "The fee is 50 euros.", "From tomorrow the fee is 60 euros."

    async def work(running: Running) -> None:
        async with agent(running) as client:
            alone = await done(client, "add_fact", statement=later)
            assert (alone["open_start"], alone["record"]["valid_from"]) == ("From tomorrow", None)
            await done(client, "forget_fact", id=alone["id"])
            old = await done(client, "add_fact", statement=fee)
            made = await done(client, "add_fact", statement=later)
            assert [row["id"] for row in made["superseded"]] == [old["id"]]
            assert made["record"]["valid_from"] and made["open_start"] == ""
            given = await done(
                client, "add_fact", statement="From May the sauna is open.", valid_from="2999-05-01"
            )
            assert given["open_start"] == ""
            held = {row["statement"]: row for row in (await done(client, "list_facts"))["data"]}
            assert held[fee]["valid_until"] == held[later]["valid_from"]

    with serving(tiny_service()) as running:
        run(work(running))


def test_a_change_that_needs_approval_is_proposed() -> None:
    keys, (agents, person), _ = ring(["read", "edit"], ["read", "edit"])

    async def work(running: Running) -> None:
        async with agent(running, agents) as client:
            undoing = await done(client, "undo_change")
            assert not undoing["made"] and undoing["proposal"]["action"] == "undo"
            proposed = await done(client, "add_fact", **CAPITAL)
            assert not proposed["made"] and proposed["proposal"]["state"] == "proposed"
            assert (await done(client, "list_facts"))["total"] == 0
            id, mine = proposed["proposal"]["id"], {"Authorization": f"Bearer {agents}"}
            own = patient.post(f"{running.url}/v1/proposals/{id}/approve", headers=mine)
            assert own.status_code == 403
            theirs = {"Authorization": f"Bearer {person}"}
            patient.post(
                f"{running.url}/v1/proposals/{id}/approve", headers=theirs
            ).raise_for_status()
            assert (await done(client, "list_facts"))["total"] == 1

    with serving(tiny_service(keys=keys, approval=True)) as running:
        run(work(running))


def test_the_guard_stands_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tiny_service(max_body=2_000)) as running:
        url, elsewhere = f"{running.url}/mcp", {"Origin": "https://evil.example"}
        assert patient.post(url, json={}, headers=elsewhere).status_code == 403
        assert patient.post(url, content=b"x" * 2_001).status_code == 413
        assert patient.get(url).status_code == 405
        assert patient.post(url, json={"jsonrpc": "2.0"}).status_code in (400, 406)


def test_a_key_may_send_more_than_the_server_lets_others() -> None:
    keys, (key,), _ = ring(["edit"], max_body=50_000)

    async def work(running: Running) -> None:
        async with agent(running, key) as client:
            made = await done(client, "add_fact", statement=f"Our motto is {'so ' * 900}on.")
            assert made["made"]

    with serving(tiny_service(keys=keys, max_body=2_000)) as running:
        run(work(running))


def test_every_tool_tells_what_it_is_for() -> None:
    for tool in map(protocol._describe, TOOLS.values()):
        assert tool.description and len(tool.description) > 60
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == (TOOLS[tool.name].scope != "edit")
        assert tool.input_schema["additionalProperties"] is False
        # The fault: an agent was told nothing of what correct_fact takes.
        fields = tool.input_schema.get("properties", {})
        assert {name for name, field in fields.items() if not field.get("description")} == set()


def test_without_the_extra_there_is_no_such_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "is_installed", lambda: False)

    async def work() -> None:
        async with within(tiny_service()) as client:
            assert (await client.post("/mcp", json={})).status_code == 404
        with pytest.raises(MissingExtraError, match=r"memedit\[mcp\]"):
            protocol.require()

    run(work())
