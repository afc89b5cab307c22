"""kill -9 on the server: every edit a client was told of is there afterwards."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.serving.ledger.audit import AuditLog
from memedit.serving.ledger.tables import tables_of
from tests.serving import processes

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("MEMEDIT_SERVE_KILLS", "2"))
CLIENTS = 3


def _write(
    url: str, name: str, known: dict[str, bool], stop: threading.Event, refused: list[str]
) -> None:
    """Add and take back edits until the server is gone; ``known``: id -> whether it is there."""
    with httpx.Client(base_url=url, timeout=180) as client:
        for i in range(100_000):
            if stop.is_set():
                return
            try:
                fact = {"statement": f"The mayor of {name} {i} is Ann."}
                made = client.post("/v1/edits", json=fact)
                if made.status_code != 201:
                    refused.append(made.text)
                    return
                id = made.json()["id"]
                known[id] = True
                if i % 3 == 2:
                    del known[id]  # from here to the answer, either may be true
                    if client.delete(f"/v1/edits/{id}").status_code == 200:
                        known[id] = False
            except httpx.HTTPError as error:
                if not stop.is_set():
                    refused.append(repr(error))
                return


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_no_acknowledged_edit_is_lost(tmp_path: Path) -> None:
    memory, rng = tmp_path / "memory", random.Random(3)
    known: dict[str, bool] = {}
    # An upstream that is not there: edits need none, and the server starts sooner.
    options = ["--upstream", "http://127.0.0.1:9", "--no-auth", "--encoder", "hashing:64",
               "--memory", str(memory)]  # fmt: skip
    for number in range(ROUNDS):
        process, stop = processes.start(*options), threading.Event()
        refused: list[str] = []
        writers = [
            threading.Thread(
                target=_write, args=(process.url, f"R{number} C{c}", known, stop, refused)
            )
            for c in range(CLIENTS)
        ]
        before = len(known)
        for writer in writers:
            writer.start()
        while len(known) < before + 4:
            assert any(writer.is_alive() for writer in writers), refused
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        stop.set()
        process.popen.send_signal(signal.SIGKILL)
        process.popen.wait()
        for writer in writers:
            writer.join()
        assert refused == []
        with EditMemory(memory, HashingEncoder(64)) as store:
            live = {record.id for record in store.records()}
            assert store.verify().ok
            assert AuditLog.of(store, tables_of(store)).verify().problems == ()
        assert {id for id, there in known.items() if there} <= live
        assert not {id for id, there in known.items() if not there} & live
    assert len(known) >= 4 * ROUNDS
