"""Three processes, one memory in PostgreSQL: how soon an edit is seen, and what survives.

``python -m benchmarks.replicas`` starts a cluster of its own; ``--memory URL`` takes another. Times
are of the monotonic clock, which all processes of one machine share.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import httpx
import numpy as np
import typer
from rich.console import Console

from benchmarks.serve_load import ROOT, server_process

REPLICAS = 3
_WORKER = """
import sys, threading, time
from contextlib import contextmanager
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.core.types import Edit

memory = EditMemory(sys.argv[1], HashingEncoder(64))
journal, seen = memory._store.journal, memory._store.live.version
committed, talking = [0.0], threading.Lock()
write = journal.write

@contextmanager
def timed():
    with write():
        yield
    committed[0] = time.monotonic()

journal.write = timed

def say(*words):  # two threads talk: a whole line at once
    with talking:
        sys.stdout.write(" ".join(map(str, words)) + "\\n")
        sys.stdout.flush()

def watch():
    version = seen
    while True:
        if memory.wait_for(version + 1, 60):
            at, now = time.monotonic(), memory.freshness().version
            for each in range(version + 1, now + 1):
                say("seen", each, at)
            version = now

threading.Thread(target=watch, daemon=True).start()
say("ready")
for line in sys.stdin:
    name = line.strip()
    began = time.monotonic()
    receipt = memory.add(Edit(f"The mayor of {name} is", "Ann", name))
    say("committed", receipt.version, committed[0], began)
"""


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """A memory's URL: the given one, or a schema of a cluster that is gone afterwards."""
    if url is not None:
        yield url
        return
    from tests.postgres import cluster

    with cluster() as running:
        yield running.memory()


class _Worker:
    """A process with a copy of the memory."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, url], cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.seen: dict[int, float] = {}
        self.committed: dict[int, tuple[float, float]] = {}
        self.changed = threading.Condition()
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, told: IO[str]) -> None:
        with told:
            for line in told:
                kind, version, *times = line.split()
                with self.changed:
                    if kind == "seen":
                        self.seen[int(version)] = float(times[0])
                    else:
                        self.committed[int(version)] = (float(times[0]), float(times[1]))
                    self.changed.notify_all()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.kill()
        self.process.stdin.close()
        self.process.wait()

    def add(self, name: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(name + "\n")

    def until(self, count: int, what: dict[int, Any]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(what) >= count, 60)


def visible(url: str, edits: int, pause: float) -> dict[str, Any]:
    """Seconds from the commit at one process until the edit can be searched in all others."""
    with ThreadPoolExecutor(REPLICAS) as pool:
        workers = list(pool.map(_Worker, [url] * REPLICAS))
    rng = random.Random(1)
    try:
        for number in range(edits):
            chosen = rng.choice(workers)
            chosen.add(f"Zorville {number}")
            for worker in workers:
                worker.until(number + 1, worker.seen)
            time.sleep(rng.uniform(0, 2 * pause))
    finally:
        for worker in workers:
            worker.close()
    committed = {v: times for worker in workers for v, times in worker.committed.items()}
    others, everywhere, adding = [], [], []
    for version, (at, began) in committed.items():
        seconds = [w.seen[version] - at for w in workers if version not in w.committed]
        others += seconds
        everywhere.append(max(w.seen[version] - at for w in workers))
        adding.append(at - began)
    return {
        "edits": len(committed),
        "commit_to_visible_elsewhere_ms": _percentiles(others),
        "commit_to_visible_everywhere_ms": _percentiles(everywhere),
        "add_to_commit_ms": _percentiles(adding),
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(1e3 * np.array(seconds), [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}


class _Fleet:
    """Servers that are killed and started again."""

    def __init__(self, url: str, size: int) -> None:
        self.options = ("--upstream", "http://127.0.0.1:9", "--encoder", "hashing:64",
                        "--memory", url)  # fmt: skip
        with ThreadPoolExecutor(size) as pool:
            self.servers = list(pool.map(lambda _: server_process(*self.options), range(size)))

    def kill(self, at: int) -> None:
        child, _ = self.servers[at]
        child.kill()
        child.wait()
        self.servers[at] = server_process(*self.options)

    def close(self) -> None:
        for child, _ in self.servers:
            child.terminate()
        for child, _ in self.servers:
            child.wait(timeout=60)


class _Clients:
    """Threads that add edits through random servers, each until it is acknowledged."""

    def __init__(self, fleet: _Fleet, edits: int, threads: int) -> None:
        self._fleet, self._lock = fleet, threading.Lock()
        self._left = [f"Plinx {number}" for number in range(edits)]
        self.told: dict[str, str] = {}
        self.retries = 0
        self.threads = [threading.Thread(target=self._work, args=(n,)) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def _work(self, seed: int) -> None:
        rng = random.Random(seed)
        while True:
            with self._lock:
                if not self._left:
                    return
                name = self._left.pop()
            while not self._added(name, rng.choice(self._fleet.servers)[1]):
                self.retries += 1
                time.sleep(0.01)

    def _added(self, name: str, address: str) -> bool:
        fact = {"prompt": f"The mayor of {name} is", "target_new": "Ann", "subject": name}
        try:
            answer = httpx.post(f"{address}/v1/edits", json=fact, timeout=30)
        except httpx.HTTPError:
            return False
        if answer.status_code in (200, 201):
            self.told[name] = answer.json()["id"]
        return name in self.told


def survival(
    url: str, edits: int, kills: int, writers: int = 3, servers: int = REPLICAS
) -> dict[str, Any]:
    """Edits through random servers, of which random ones are killed: none lost, none doubled."""
    fleet, killed, rng = _Fleet(url, servers), 0, random.Random(2)
    digests: set[str] = set()
    try:
        clients = _Clients(fleet, edits, writers)
        while clients.busy:
            if killed < kills and len(clients.told) >= (killed + 1) * edits // (kills + 1):
                fleet.kill(rng.randrange(servers))
                killed += 1
            time.sleep(0.01)
        quiet = time.monotonic()
        while len(digests) != 1 and time.monotonic() < quiet + 30:
            digests = {_digest(address) for _, address in fleet.servers}
        agreed = time.monotonic() - quiet
    finally:
        fleet.close()
    return {
        "edits": edits,
        "kills": killed,
        "retries": clients.retries,
        "identical": len(digests) == 1,
        "seconds_until_identical": round(agreed, 3),
        **_kept(url, set(clients.told.values())),
    }


def _kept(url: str, told: set[str]) -> dict[str, Any]:
    from memedit.engine.encoders import HashingEncoder
    from memedit.memory import EditMemory

    with EditMemory(url, HashingEncoder(64)) as memory:
        live = [record.id for record in memory.records() if "Plinx" in record.edit.prompt]
        added = [e.record.id for e in memory.history() if "Plinx" in e.record.edit.prompt]
        return {
            "lost": len(told - set(live)),
            "doubled": len(added) - len(set(added)),
            "sound": memory.verify().ok,
        }


def _digest(address: str) -> str:
    answer = httpx.get(f"{address}/v1/stats", params={"digest": True}, timeout=30)
    return str(answer.json()["digest"])


def starting(url: str, source: Path, folder: Path) -> dict[str, float]:
    """Seconds until a process has a copy of the memory in ``source``: without and with a snapshot.

    In processes of their own, import not counted.
    """
    from memedit.memory.moving import migrate

    started = time.perf_counter()
    migrate(source, url)
    found = {"migrate": time.perf_counter() - started}
    code = (
        "import sys, time\nfrom memedit.memory import EditMemory\n"
        "started = time.perf_counter()\nmemory = EditMemory(sys.argv[1])\n"
        "print(time.perf_counter() - started, len(memory), flush=True)\n"
        "time.sleep(float(sys.argv[2]))\nmemory.close()\n"
    )
    environment = os.environ | {"MEMEDIT_REPLICA_DIR": str(folder)}
    for name in ("without_snapshot", "with_snapshot"):
        said = subprocess.run(
            [sys.executable, "-c", code, url, "1"], cwd=ROOT, env=environment, check=True,
            capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        found[name], found["edits"] = float(said[0]), float(said[1])
    return {name: round(value, 2) for name, value in found.items()}


def main(
    memory: Annotated[str | None, typer.Option(help="postgresql://… of an empty memory.")] = None,
    edits: Annotated[int, typer.Option(min=1, help="To time.")] = 300,
    pause: Annotated[float, typer.Option(min=0, help="Mean seconds between them.")] = 0.02,
    survive: Annotated[int, typer.Option(min=0, help="Edits under kills.")] = 1_000,
    kills: Annotated[int, typer.Option(min=0, help="Servers killed meanwhile.")] = 10,
    start: Annotated[Path | None, typer.Option(help="Time copies of this memory, too.")] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Commit to visible over three processes; edits through servers that are killed."""
    if memory is not None and start is not None and (edits > 1 or survive):
        raise typer.BadParameter(
            "Another memory is copied into an empty one: give --start with --edits 1 --survive 0, "
            "or leave out --memory."
        )
    tell = Console(stderr=True, highlight=False).print
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEMEDIT_REPLICA_DIR"] = str(Path(folder) / "replica")
        if edits > 1:
            with database(memory) as url:
                tell(f"Timing {edits:,} edits")
                results["visible"] = visible(url, edits, pause)
        if survive:
            with database(memory) as url:
                tell(f"Adding {survive:,} edits while servers are killed")
                results["survival"] = survival(url, survive, kills)
        if start is not None:
            with database(memory) as url:
                tell(f"Starting from a copy of {start}")
                results["start_seconds"] = starting(url, start, Path(folder) / "started")
    text = json.dumps(results, indent=2)
    if out is not None:
        out.write_text(text + "\n", "utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    typer.run(main)
