"""Cells of a run in several processes, here or on a Ray cluster.

A cell is one editor's part. It writes whole units to a file of its own and goes on where it
stopped, so a worker that dies is simply started again: no row is lost, none is there twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.errors import MissingExtraError, WorkerError
from memedit.evaluation.jobs import Job, run_one
from memedit.evaluation.runner import rows_of
from memedit.evaluation.specs import parse

if TYPE_CHECKING:
    from memedit.evaluation.compare import Heard

ATTEMPTS = 3
_LAST_WORDS = 5


def run(
    job: Job,
    folder: Path,
    *,
    workers: int = 1,
    ray: str | None = None,
    progress: Heard | None = None,
) -> None:
    """Do every cell of a run that has begun in ``folder``.

    Args:
        workers: Processes at once on this machine.
        ray: Address of a Ray cluster instead; ``"local"`` starts one here. Machines that do not
            share ``folder`` send their rows back.

    Raises:
        WorkerError: a cell failed three times; the message has its last words.
        MissingExtraError: Ray is not installed.
    """
    if ray is not None:
        _on_ray(job, folder.resolve(), ray, progress)
        return
    lock = threading.Lock()

    def heard(editor: str, done: int, total: int) -> None:
        if progress is not None:
            with lock:
                progress(editor, done, total)

    with ThreadPoolExecutor(workers) as pool:
        each = max(1, (os.cpu_count() or 1) // workers)
        running = [pool.submit(_cell, job, name, folder, each, heard) for name in job.editors]
        for future in running:
            future.result()


def _cell(job: Job, editor: str, folder: Path, threads: int, heard: Heard) -> None:
    """One editor's part in a process of its own, started again when it dies."""
    command = [sys.executable, "-m", "memedit.evaluation.worker", job.to_json(), editor]
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    words: Sequence[str] = ()
    for _ in range(ATTEMPTS):
        with subprocess.Popen(
            [*command, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        ) as process:
            words = _listen(process, editor, heard)
        if process.returncode == 0:
            return
    told = " | ".join(words) or "it was killed"
    raise WorkerError(
        f"The worker for {editor!r} failed {ATTEMPTS} times: {told}",
        hint="What it had measured is kept: the same command goes on from there.",
    )


def _listen(process: subprocess.Popen[str], editor: str, heard: Heard) -> Sequence[str]:
    """Pass on the progress that a worker tells; returns its last other words."""
    others: deque[str] = deque(maxlen=_LAST_WORDS)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[done] "):
            done, total = json.loads(line.removeprefix("[done] "))
            heard(editor, done, total)
        elif line.strip():
            others.append(line.strip())
    return others


def _on_ray(job: Job, folder: Path, address: str, progress: Heard | None) -> None:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", extra="ray") from error
    options: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False}
    if address == "local":
        options["num_cpus"] = max(2, os.cpu_count() or 1)
    ray.init(address=None if address == "local" else address, **options)
    try:
        cell: Any = ray.remote(max_retries=ATTEMPTS - 1, num_cpus=1)(measure_cell)
        waiting = {cell.remote(job.to_json(), name, str(folder)): name for name in job.editors}
        while waiting:
            (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
            name = waiting.pop(ready)
            try:
                _received(ray.get(ready), rows_of(folder, parse(name).slug))
            except ray.exceptions.RayError as error:
                last = str(error).strip().splitlines()[-1]
                raise WorkerError(f"The Ray worker for {name!r} failed: {last}") from error
            if progress is not None:
                progress(name, 1, 1)
    finally:
        ray.shutdown()


def measure_cell(job: str, editor: str, folder: str) -> bytes:
    """A Ray task: one editor's part; returns its rows."""
    run_one(Job.from_json(job), editor, Path(folder))
    return rows_of(Path(folder), parse(editor).slug).read_bytes()


def _received(rows: bytes, file: Path) -> None:
    """Rows of a machine that does not share the folder; where it is shared they are there."""
    if not file.is_file() or file.read_bytes() != rows:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(file.name + ".part")
        part.write_bytes(rows)
        part.replace(file)
