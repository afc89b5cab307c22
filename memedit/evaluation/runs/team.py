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
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.core.errors import MissingExtraError, WorkerError
from memedit.core.files import replacing
from memedit.core.untrusted import PLACE
from memedit.evaluation.runs.part import Job, Part

if TYPE_CHECKING:
    from memedit.evaluation.runs.compare import Heard

ATTEMPTS = 3
_LAST_WORDS = 5  # lines


def run(
    parts: Sequence[Part],
    *,
    workers: int = 1,
    ray: str | None = None,
    progress: Heard | None = None,
) -> None:
    """Do every cell of runs that have begun.

    Args:
        parts: The cells.
        workers: Processes at once on this machine.
        ray: Address of a Ray cluster instead; ``"local"`` starts one here. Machines that do not
            share the runs' folders send their rows back.

    Raises:
        WorkerError: a cell failed three times; the message has its last words.
        MissingExtraError: Ray is not installed.
    """
    if ray is not None:
        _run_on_ray(parts, ray, progress)
        return
    team = _Team(progress, max(1, (os.cpu_count() or 1) // workers))
    with ThreadPoolExecutor(workers) as pool:
        try:
            running = [pool.submit(team.cell, part) for part in parts]
            for future in as_completed(running):
                future.result()
        except BaseException:  # Ctrl-C too: nothing goes on unattended
            team.stop()
            pool.shutdown(cancel_futures=True)
            raise


@dataclass(slots=True)
class _Team:
    """The worker processes of a run: they are started again when they die, and end together."""

    progress: Heard | None
    threads: int
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, init=False)
    _alive: set[subprocess.Popen[str]] = field(default_factory=set, init=False)
    _stopped: bool = field(default=False, init=False)

    def cell(self, part: Part) -> None:
        """A cell in a process of its own, started again when it dies."""
        last: Sequence[str] = ()
        for _ in range(ATTEMPTS):
            process = self._start(part)
            if process is None:
                return
            with process:
                try:
                    last = _listen(process, part.label, self._report)
                except BaseException:
                    process.terminate()
                    raise
            with self._lock:
                self._alive.discard(process)
            if process.returncode == 0:
                return
        told = " | ".join(last) or "it was killed"
        raise WorkerError(
            f"The worker for {part.label!r} failed {ATTEMPTS} times: {told}",
            hint="What it had measured is kept: the same command goes on from there.",
        )

    def stop(self) -> None:
        """End every process, and start none again."""
        with self._lock:
            self._stopped = True
            for process in self._alive:
                process.terminate()

    def _start(self, part: Part) -> subprocess.Popen[str] | None:
        """None when the team was stopped."""
        # Whoever set it knows better.
        environment = {"OMP_NUM_THREADS": str(self.threads), **os.environ, **_find_from_here()}
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                command_of(part),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # its last words, whichever way they come
                text=True,
                errors="replace",  # of words that were cut off as it died
                env=environment,
                cwd=PLACE,
            )
            self._alive.add(process)
        return process

    def _report(self, label: str, done: int, total: int) -> None:
        if self.progress is not None:
            # Callers' displays are not made for several threads.
            with self._telling:
                self.progress(label, done, total)


def command_of(part: Part) -> list[str]:
    """How a worker is started: it begins in our place, and goes on in the caller's folder."""
    words = [os.getcwd(), part.job.to_json(), part.editor, str(part.folder)]
    return [sys.executable, "-m", "memedit.evaluation.runs.worker", *words]


def _find_from_here() -> dict[str, str]:
    """The caller's further places of modules, which a worker that begins elsewhere finds, too."""
    places = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, places))}


def _listen(process: subprocess.Popen[str], label: str, heard: Heard) -> Sequence[str]:
    """Pass on the progress that a worker tells; returns its last other words."""
    others: deque[str] = deque(maxlen=_LAST_WORDS)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[done] "):
            done, total = json.loads(line.removeprefix("[done] "))
            heard(label, done, total)
        elif line.strip():
            others.append(line.strip())
    return others


def _run_on_ray(parts: Sequence[Part], address: str, progress: Heard | None) -> None:
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
        waiting = {
            cell.remote(part.job.to_json(), part.editor, str(part.folder.resolve())): part
            for part in parts
        }
        while waiting:
            (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
            part = waiting.pop(ready)
            try:
                _write_received(ray.get(ready), part.rows)
            except ray.exceptions.RayError as error:
                last = str(error).strip().splitlines()[-1]
                raise WorkerError(f"The worker for {part.label!r} failed: {last}") from error
            if progress is not None:
                progress(part.label, 1, 1)
    finally:
        ray.shutdown()


def measure_cell(job: str, editor: str, folder: str) -> bytes:
    """A Ray task: one cell; returns its rows."""
    part = Part(Job.from_json(job), editor, Path(folder), editor)
    part.run()
    return part.rows.read_bytes()


def _write_received(rows: bytes, file: Path) -> None:
    """Rows of a machine that does not share the folder; where it is shared they are there."""
    if not file.is_file() or file.read_bytes() != rows:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as new:
            new.write_bytes(rows)
