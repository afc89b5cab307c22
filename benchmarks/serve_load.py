"""What edits cost a server: the same load with and without a memory, and through the upstream mode.

Everything runs on this machine's loopback, for a bounded time. Two servers of each kind answer
the same questions, all of them out of scope, in alternating rounds, so that whatever else the
machine does falls on both; the figures are ratios of medians.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import httpx
import numpy as np
import typer
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
_URL = re.compile(r"http://[\w.:]+\d")
_TOPICS = (
    "How do I bake bread", "Write a line about the sea", "What is seven times eight",
    "Name a colour", "Tell me a joke about cats", "How do magnets work", "Say hello in Spanish",
    "Why is the sky blue", "Give me advice on sleep", "What rhymes with moon",
)  # fmt: skip


def server_process(*options: str) -> tuple[subprocess.Popen[str], str]:
    """A ``memedit serve`` on a free port, and its URL."""
    command = [sys.executable, "-m", "memedit.cli", "serve", "--port", "0", "--no-auth", *options]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "300"}
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    found = next((m for line in child.stderr if (m := _URL.search(line))), None)
    if found is None:
        child.wait()
        raise typer.Exit(1)
    threading.Thread(target=_drain, args=(child.stderr,), daemon=True).start()
    return child, found.group()


def _drain(stream: IO[str]) -> None:
    with stream:
        stream.read()


@contextmanager
def server(*options: str) -> Iterator[str]:
    """A ``memedit serve`` on a free port; its URL."""
    child, url = server_process(*options)
    try:
        yield url
    finally:
        child.terminate()
        child.wait(timeout=60)


def fill(memory: Path, count: int, encoder: str | None) -> None:
    """A memory of ``count`` edits about invented places."""
    from memedit.core.types import Edit
    from memedit.engine.encoders import load_encoder
    from memedit.memory import EditMemory

    with EditMemory(memory, load_encoder(encoder)) as store:
        for start in range(len(store), count, 2_000):
            edits = [
                Edit(f"The mayor of Zorville {i} is", f"Ann {i}", f"Zorville {i}")
                for i in range(start, min(start + 2_000, count))
            ]
            store.add_many(edits)


def questions(count: int, round_: int) -> list[str]:
    return [f"{_TOPICS[i % len(_TOPICS)]}, version {round_}.{i}?" for i in range(count)]


def body(question: str, tokens: int) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": question}], "max_tokens": tokens, "temperature": 0,
    }  # fmt: skip


def load(url: str, asked: list[str], clients: int, tokens: int) -> tuple[float, list[float]]:
    """(requests a second, seconds of each) for all questions, ``clients`` at a time."""
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    with httpx.Client(base_url=url, timeout=600, limits=limits) as client:

        def one(question: str) -> float:
            started = time.perf_counter()
            answer = client.post("/v1/chat/completions", json=body(question, tokens))
            seconds = time.perf_counter() - started
            answer.raise_for_status()
            assert not json.loads(answer.headers.get("x-memedit-receipt", "{}")).get("in_scope")
            return seconds

        client.get("/healthz")  # connected before anything is timed
        started = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            seconds = list(pool.map(one, asked))
        return len(asked) / (time.perf_counter() - started), seconds


def mixed(url: str, asked: list[str], clients: int, tokens: int) -> dict[str, float]:
    """Requests a second, milliseconds (p50, p99) and errors of questions in and out of scope."""
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    with httpx.Client(base_url=url, timeout=600, limits=limits) as client:

        def one(question: str) -> tuple[float, bool, bool]:
            started = time.perf_counter()
            try:
                answer = client.post("/v1/chat/completions", json=body(question, tokens))
                receipt = json.loads(answer.headers.get("x-memedit-receipt", "{}"))
                good, inside = answer.status_code == 200, bool(receipt.get("in_scope"))
            except httpx.HTTPError:
                good = inside = False
            return time.perf_counter() - started, good, inside

        started = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            found = list(pool.map(one, asked))
        took = time.perf_counter() - started
    p50, p99 = np.percentile([1e3 * seconds for seconds, _, _ in found], [50, 99])
    return {
        "clients": clients,
        "requests_per_second": round(len(found) / took, 2),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "errors": sum(not good for _, good, _ in found),
        "in_scope": sum(inside for _, _, inside in found),
    }


def mixture(count: int, round_: int, edits: int) -> list[str]:
    """Questions of which every second one, where there are edits, concerns one of :func:`fill`."""
    asked = questions(count, round_)
    if edits:
        for at in range(0, count, 2):
            asked[at] = f"Who is the mayor of Zorville {(37 * at + round_) % edits}?"
    return asked


def resident(pid: int) -> float:
    """MiB of RAM that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def flatness(
    url: str, pid: int, seconds: float, clients: int, tokens: int, edits: int
) -> dict[str, Any]:
    """Resident memory under load, sampled all along; how much it moves in the last four fifths."""
    samples: list[tuple[float, float]] = []
    started = time.monotonic()
    errors = requests = 0
    for round_ in range(1, 1_000_000):
        if time.monotonic() - started > seconds:
            break
        found = mixed(url, mixture(4 * clients, round_, edits), clients, tokens)
        errors, requests = errors + int(found["errors"]), requests + 4 * clients
        # The time after it: one that takes longer than all shall leave a sample to look at.
        samples.append((time.monotonic() - started, resident(pid)))
    minutes = {int(at // 60): size for at, size in samples}
    late = [size for at, size in samples if at >= seconds / 5]
    middle = statistics.mean(late)
    return {
        "seconds": seconds,
        "requests": requests,
        "errors": errors,
        "mib_at_start": round(samples[0][1], 1),
        "mib_by_minute": [round(size, 1) for size in minutes.values()],
        "deviation_of_last_four_fifths": round(max(abs(s - middle) for s in late) / middle, 4),
    }


def encoder_seconds(encoder: str | None) -> float:
    """Median time of one encoder call on one short text."""
    from memedit.engine.encoders import load_encoder

    loaded = load_encoder(encoder)
    times = []
    for question in questions(30, 0):
        started = time.perf_counter()
        loaded.encode([question])
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def throughput(
    bare: str, edited: str, rounds: int, requests: int, clients: int, tokens: int
) -> dict[str, Any]:
    """Requests a second of both servers, in alternating rounds."""
    rates: dict[str, list[float]] = {"bare": [], "edited": []}
    for round_ in range(rounds + 1):
        asked = questions(requests, round_)
        order = [("bare", bare), ("edited", edited)]
        for name, url in order if round_ % 2 else reversed(order):
            rate, _ = load(url, asked, clients, tokens)
            if round_:  # the first warms up
                rates[name].append(rate)
    ratios = [e / b for b, e in zip(rates["bare"], rates["edited"], strict=True)]
    return {
        "requests_per_second": {name: statistics.median(each) for name, each in rates.items()},
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def added_latency(direct: str, through: str, requests: int, tokens: int) -> dict[str, float]:
    """Median seconds of one request at a time, direct and through the upstream mode."""
    seconds: dict[str, list[float]] = {"direct": [], "through": []}
    for at, question in enumerate(questions(requests, 99)):
        order = [("direct", direct), ("through", through)]
        for name, url in order if at % 2 else reversed(order):
            seconds[name] += load(url, [question], 1, tokens)[1]
    found = {name: statistics.median(each) for name, each in seconds.items()}
    pairs = zip(seconds["direct"], seconds["through"], strict=True)
    return found | {"added": statistics.median(t - d for d, t in pairs)}


def main(
    edits: Annotated[int, typer.Option(help="Edits in memory.")] = 10_000,
    model: Annotated[str | None, typer.Option(help="As for memedit serve.")] = None,
    encoder: Annotated[str | None, typer.Option(help="As for memedit serve.")] = None,
    scope: Annotated[str | None, typer.Option(help="As for memedit serve.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Keep the memory here.")] = None,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of each server.")] = 5,
    requests: Annotated[int, typer.Option(min=1, help="Requests a round.")] = 32,
    clients: Annotated[int, typer.Option(min=1, help="At a time.")] = 16,
    tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 32,
    latency: Annotated[int, typer.Option(min=0, help="Requests of the latency test.")] = 40,
    mix: Annotated[
        int, typer.Option(min=0, help="Requests in and out of scope at 1, 8 and 32 clients each.")
    ] = 0,
    minutes: Annotated[float, typer.Option(min=0, help="Watch resident memory so long.")] = 0,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Throughput with edits against without, and the latency that the upstream mode adds."""
    tell: Callable[[str], None] = Console(stderr=True, highlight=False).print
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        held = memory or Path(folder) / "memory"
        tell(f"Adding {edits:,} edits")
        fill(held, edits, encoder)
        own = [*(["--model", model] if model else [])]
        both = [*(["--encoder", encoder] if encoder else [])]
        which = [*(["--scope", scope] if scope else [])]
        empty = str(Path(folder) / "empty")
        bare = stack.enter_context(server("--bare", *own, *both, "--memory", empty))
        results: dict[str, Any] = {"edits": edits, "clients": clients, "tokens": tokens}
        child, edited = server_process(*own, *both, *which, "--memory", str(held))
        try:
            if rounds:
                tell("Measuring throughput")
                found = throughput(bare, edited, rounds, requests, clients, tokens)
                results["throughput"] = found
                tell(f"with edits / without: {found['ratio']:.3f}")
            if mix:
                tell("Measuring questions in and out of scope")
                results["mixed"] = [
                    {"server": name} | mixed(url, mixture(mix, at, edits), at, tokens)
                    for at in (1, 8, 32)
                    for name, url in (("bare", bare), ("edited", edited))
                ]
            if minutes:
                tell(f"Watching resident memory for {minutes:g} minutes")
                results["resident"] = flatness(
                    edited, child.pid, 60 * minutes, clients, tokens, edits
                )
        finally:
            child.terminate()
            child.wait(timeout=60)
        if latency:
            options = ["--upstream", bare, *both, *which, "--memory", str(held)]
            with server(*options) as through:
                tell("Measuring the upstream mode")
                load(through, questions(5, 98), 1, 1)
                found = added_latency(bare, through, latency, 1)
            found["encoder_call"] = encoder_seconds(encoder)
            found["beyond_encoder"] = found["added"] - found["encoder_call"]
            results["upstream_seconds"] = found
            tell(
                f"the upstream mode adds {1e3 * found['added']:.1f} ms, an encoder call takes "
                f"{1e3 * found['encoder_call']:.1f} ms"
            )
    text = json.dumps(results, indent=2)
    if out is not None:
        out.write_text(text + "\n", "utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    typer.run(main)
