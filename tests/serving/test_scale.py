"""Two replicas under Ray Serve on one memory, one of them killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from memedit.core.errors import InvalidInputError
from memedit.serving.scale import application
from memedit.serving.settings import load_settings
from tests import helpers
from tests.serving.helpers import CAPITAL, QUESTION
from tests.serving.processes import ROOT, save_tiny

pytestmark = pytest.mark.slow

LONG = 180.0


def replicas(of: int) -> list[int]:
    """Process ids of the Ray replicas that descend from process ``of``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"ServeReplica:memedit" in (folder / "cmdline").read_bytes():
                group = dict(
                    pair.split(b"=", 1)
                    for pair in (folder / "environ").read_bytes().split(b"\0")
                    if b"=" in pair
                )
                if group.get(b"MEMEDIT_TEST_RUN") == str(of).encode():
                    found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def url(pg: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not all(importlib.util.find_spec(name) for name in ("ray", "aiohttp")):
        helpers.missing("ray[serve] is not installed: pip install 'memedit[ray]'")
    folder = tmp_path_factory.mktemp("ray")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "MEMEDIT_TEST_RUN": str(os.getpid()), "MEMEDIT_REPLICA_DIR": str(folder / "replica"),
        "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": "/tmp",
        "RAY_ADDRESS": "local", "COLUMNS": "300",
    }  # fmt: skip
    memory = pg.memory()  # type: ignore[attr-defined]
    command = [
        sys.executable, "-m", "memedit.cli", "serve", "--replicas", "2", "--no-auth",
        "--port", str(port), "--model", str(save_tiny(folder / "model")), "--memory", memory,
        "--encoder", "hashing:64", "--scope", "mention",
    ]  # fmt: skip
    for left in (1, 0):  # a busy machine takes longer than the 30 s that Ray gives its own
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        if _is_up(child, folder / "log") or not left:
            break
    try:
        assert child.poll() is None, (folder / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        assert child.wait(180) == 0


def _is_up(child: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether it serves; not, where Ray's own start took too long."""
    end = time.monotonic() + LONG
    while b"Serving at http" not in log.read_bytes():
        if child.poll() is not None and "timed out during startup" in log.read_text():
            return False
        assert child.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    return True


def ask(client: httpx.Client, version: int) -> dict[str, object]:
    body = {"prompt": QUESTION, "max_tokens": 2, "temperature": 0,
            "memedit": {"min_version": version}}  # fmt: skip
    answer = client.post("/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, object] = answer.json()["memedit"]
    return receipt


@pytest.mark.skipif(
    "MEMEDIT_LONG_TESTS" not in os.environ,
    reason="minutes where Ray finds the machine busy: MEMEDIT_LONG_TESTS",
)
def test_two_replicas_and_one_that_dies(url: str) -> None:
    first = replicas(os.getpid())
    assert len(first) == 2
    with httpx.Client(base_url=url, timeout=60) as client:
        version = client.post("/v1/edits", json=CAPITAL).json()["version"]
        for _ in range(12):  # whichever replica answers knows it
            receipt = ask(client, version)
            assert receipt["in_scope"] and receipt["version"] == version
        os.kill(first[0], signal.SIGKILL)
        lost = 0
        for _ in range(20):  # the other goes on; what the dead one held may be lost
            try:
                assert ask(client, version)["in_scope"]
            except (AssertionError, httpx.HTTPError):
                lost += 1
        assert lost <= 2
        made = client.post("/v1/edits", json={"statement": "Ann plays chess."})
        assert made.status_code == 201
        end = time.monotonic() + LONG
        while len(now := replicas(os.getpid())) < 2 or first[0] in now:
            assert time.monotonic() < end
            time.sleep(0.2)
        for _ in range(12):
            assert ask(client, made.json()["version"])["in_scope"]
        digests = {client.get("/v1/stats?digest=true").json()["digest"] for _ in range(8)}
        assert len(digests) == 1


def test_replicas_need_a_memory_they_can_share(tmp_path: Path) -> None:
    settings = load_settings(None, {"memory": str(tmp_path), "no_auth": True})
    with pytest.raises(InvalidInputError, match="PostgreSQL"):
        application(settings, 2)
    with pytest.raises(InvalidInputError, match="at least one"):
        application(settings, 0)
