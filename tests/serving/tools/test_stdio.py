"""``memedit mcp`` as an agent starts it: a process of its own, asked over its standard streams."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.serving import keys
from memedit.serving.settings import Settings
from memedit.serving.tools import stdio
from tests.serving.helpers import CAPITAL, QUESTION, run, stop_rates
from tests.serving.processes import ROOT, save_tiny
from tests.serving.tools.test_protocol import done, refused


def started(*options: str, **variables: str) -> StdioServerParameters:
    words = ["-m", "memedit.cli", "mcp", "--encoder", "hashing", "--scope", "mention", *options]
    env = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | variables
    return StdioServerParameters(command=sys.executable, args=words, env=env)


@pytest.mark.slow
def test_an_agent_works_on_the_callers_memory(tmp_path: Path) -> None:
    memory, model = tmp_path / "memory", save_tiny(tmp_path / "tiny")

    async def work() -> Any:
        server = started("--memory", str(memory), "--model", str(model), "--namespace", "acme")
        async with Client(server) as client:
            made = await done(client, "add_fact", **CAPITAL)
            told = await done(client, "explain_answer", query=QUESTION)
            assert told["answer"] == "Lyon" != told["base_answer"]
            assert "edit_not_found" in await refused(client, "forget_fact", id="nothing")
        return made

    made = run(work())
    with EditMemory(memory, HashingEncoder()) as store:
        (record,) = store.records("acme")
        assert record.id == made["id"] and not list(store.records("default"))
    (begun, _) = map(json.loads, (memory / "audit.jsonl").read_text("utf-8").splitlines())
    assert (begun["key"], begun["name"], begun["namespace"]) == ("mcp", getpass.getuser(), "acme")


def test_with_a_key_file_the_agent_has_what_its_key_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    key, secret = keys.make_key("Ann", ["read"])
    keys.add(file, key)

    monkeypatch.setenv("MEMEDIT_API_KEY", secret)
    settings = Settings(
        memory=str(tmp_path / "memory"), api_key_file=file, encoder="hashing", scope="mention"
    )

    async def work() -> None:
        who = stdio.Who(settings, "default", ("read",))
        async with stdio.server_for(settings, who) as server, Client(server) as client:
            assert (await done(client, "list_facts"))["total"] == 0
            assert "insufficient_scope" in await refused(client, "add_fact", **CAPITAL)
            keys.revoke(file, key.id)
            assert "invalid_api_key" in await refused(client, "list_facts")

    run(work())


def test_a_key_brings_its_namespace_and_is_bound_by_what_the_agent_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    key, secret = keys.make_key("Ann", ["admin"], namespace="acme")
    keys.add(file, key)
    monkeypatch.setenv("MEMEDIT_API_KEY", secret)
    settings = Settings(
        memory=str(tmp_path / "memory"), api_key_file=file, encoder="hashing", scope="mention"
    )

    async def work() -> None:
        who = stdio.Who(settings, None, ("read", "edit"))
        async with stdio.server_for(settings, who) as server, Client(server) as client:
            made = await done(client, "add_fact", **CAPITAL)
            assert made["record"]["namespace"] == "acme"
            assert "insufficient_scope" in await refused(client, "explain_answer", query=QUESTION)
        who = stdio.Who(settings, "other", ("read",))
        async with stdio.server_for(settings, who) as server, Client(server) as client:
            assert "wrong_namespace" in await refused(client, "list_facts")

    run(work())


def test_rates_and_what_the_editor_needs_hold_over_stdio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_rates(monkeypatch)
    file = tmp_path / "keys.json"
    key, secret = keys.make_key("Ann", ["edit"], requests_per_minute=2)
    keys.add(file, key)
    monkeypatch.setenv("MEMEDIT_API_KEY", secret)
    settings = Settings(
        memory=str(tmp_path / "memory"), api_key_file=file, encoder="hashing", scope="mention",
        editor="rome",
    )  # fmt: skip

    async def work() -> None:
        who = stdio.Who(settings, None, ("edit",))
        async with stdio.server_for(settings, who) as server, Client(server) as client:
            said = await refused(client, "add_fact", statement="Our refund window is 60 days.")
            assert "'rome' needs a subject" in said and "invalid_edit" in said
            await done(client, "add_fact", **CAPITAL)
            assert "rate_limit_exceeded" in await refused(client, "add_fact", **CAPITAL)

    run(work())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--may", "read,write"], "Unknown scope 'write'"),
        (["--may", ","], "A key needs a scope"),
        (["--api-key-file", "keys.json"], "MEMEDIT_API_KEY holds no key in force"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_served(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEMEDIT_API_KEY", raising=False)
    keys.add(Path("keys.json"), keys.make_key("Ann")[0])
    result = CliRunner().invoke(app, ["mcp", *options])
    assert result.exit_code == 2 and said in " ".join(result.output.split())
    assert not os.path.exists("memory")
