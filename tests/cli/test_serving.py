"""``memedit serve`` and ``memedit keys`` on the command line."""

from __future__ import annotations

import http.client
import importlib.util
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.cli.serving import _announce, _loading
from memedit.core.errors import InvalidInputError
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.journal.journal import FILE
from memedit.serving import keys
from memedit.serving.settings import Settings
from tests.serving import patient, processes
from tests.serving.helpers import CAPITAL


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_approval_without_a_second_key_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases: list[tuple[dict[str, Any], str | None, bool]] = [
        ({"no_auth": True}, None, True),
        ({}, "mk_this_run", True),
        ({"api_key_file": tmp_path / "keys.json"}, None, False),
    ]
    with EditMemory(tmp_path / "memory", HashingEncoder(64)) as memory:
        for given, secret, warned in cases:
            _announce("http://x", secret, Settings(approval=True, **given), memory)
            assert ("a second key" in capsys.readouterr().err) == warned


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    file = str(tmp_path / "keys.json")
    made = invoke("keys", "add", "Ann", "--scope", "read, edit", "--rate", "9", "--file", file)
    assert made.exit_code == 0
    secret = made.stdout.strip()
    [key] = keys.read(Path(file))
    assert keys.KeyRing(Path(file)).find(secret) == key
    assert (key.scopes, key.requests_per_minute) == (("read", "edit"), 9)
    listed = invoke("keys", "list", "--file", file)
    assert key.id in listed.stdout and secret.rpartition("_")[2] not in listed.stdout
    assert invoke("keys", "revoke", key.id, "--file", file).exit_code == 0
    assert json.loads(invoke("keys", "list", "--json", "--file", file).stdout)[0]["revoked"]
    assert keys.KeyRing(Path(file)).find(secret) is None
    wrong = invoke("keys", "add", "Bo", "--scope", "everything", "--file", file)
    assert wrong.exit_code == 2 and "Available: admin, ask, edit, read" in wrong.output


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "fastapi" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    result = invoke("serve")
    assert result.exit_code == 2
    assert "fastapi is not installed" in result.output
    assert "pip install 'memedit[serve]'" in result.output


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--no-auth", "--api-key-file", "keys.json"], "contradict"),
        (["--upstream", "http://x", "--model", "y"], "Leave out --model"),
        (["--upstream", "ftp://x", "--no-auth"], "is no URL"),
        (["--api-key-file", "none.json"], "holds no key in force"),
        (["--upstream", "http://x", "--no-auth", "--host", "256.0.0.1"], "Cannot listen"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: list[str], text: str) -> None:
    memory = ["--memory", str(tmp_path / "memory"), "--encoder", "hashing", "--port", "0"]
    result = invoke("serve", *memory, *options)
    assert result.exit_code == 2 and text in result.output, result.output


def test_a_key_that_can_be_left_nowhere_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The fault: "Permission denied: .../serve-key", and what it is was left to be guessed."""
    (tmp_path / "serve-key").mkdir()
    (tmp_path / "serve-key" / "x").touch()
    with EditMemory(tmp_path, HashingEncoder()) as memory:
        with pytest.raises(InvalidInputError, match=r"key of this run .*serve-key.*--api-key-file"):
            _announce("http://x", "secret", Settings(), memory)


def test_what_is_loaded_is_told_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    for given in ("text", "json"):
        with _loading(Settings(log_format=given))("scope"):
            told = capsys.readouterr().err
            assert told == ("Loading scope\n" if given == "text" else "")


@pytest.mark.slow
def test_a_key_made_for_the_run_is_kept_out_of_the_log(tmp_path: Path) -> None:
    """Where standard error is no terminal, the key goes to a file that only its owner reads."""
    memory = tmp_path / "memory"
    options = ["--upstream", "http://127.0.0.1:9", "--encoder", "hashing", "--memory", str(memory)]
    file = memory / "serve-key"
    memory.mkdir()
    file.write_text("")
    file.chmod(0o666)
    theirs = file.open()  # whoever made the directory may read what they left in it
    with theirs, processes.started(*options) as process:
        # The fault: nothing was printed for as long as it took.
        told = [line.strip() for line in process.lines[:3]]
        parts = ("libraries", f"encoder and memory {memory}", "scope")
        assert told == [f"Loading {part}" for part in parts]
        secret = file.read_text().strip()
        assert file.stat().st_mode & 0o777 == 0o600
        assert patient.get(f"{process.url}/v1/edits").status_code == 401
        auth = {"Authorization": f"Bearer {secret}"}
        made = patient.post(f"{process.url}/v1/edits", json=CAPITAL, headers=auth)
        assert made.status_code == 201
        assert patient.get(f"{process.url}/healthz").json() == {"status": "ok"}
        asked = {"messages": [{"role": "user", "content": "x"}]}
        url = f"{process.url}/v1/chat/completions"
        assert patient.post(url, json=asked, headers=auth).status_code == 502
        assert theirs.read() == ""
        status, seconds = _stop_while_another_writes(process, memory, auth)
    assert secret not in process.printed()
    # The fault: the change under way, and the counts of use after it, waited 30 seconds each.
    assert status == 503 and seconds < 25
    with EditMemory(memory, HashingEncoder()) as store:
        assert [r.edit.subject for r in store.records()] == [CAPITAL["subject"]]


def _stop_while_another_writes(
    process: processes.Process, memory: Path, auth: dict[str, str]
) -> tuple[int, float]:
    """What a change is told that waits meanwhile; how many seconds stopping took."""
    body = json.dumps({"prompt": "The capital of Peru is", "target_new": "Cusco"})
    address = process.url.removeprefix("http://")
    wire = http.client.HTTPConnection(address, timeout=patient.SECONDS)
    with closing(sqlite3.connect(memory / FILE)) as other, closing(wire):
        other.execute("BEGIN IMMEDIATE")
        wire.request("POST", "/v1/edits", body, {"Content-Type": "application/json", **auth})
        patient.get(f"{process.url}/healthz")  # came later: by now the change is under way
        started = time.monotonic()
        process.popen.terminate()
        process.popen.wait(100)
        return wire.getresponse().status, time.monotonic() - started
