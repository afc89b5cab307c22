"""Cells in other processes: the same rows as in one, also when a worker is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import WorkerError
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.jobs import run_job
from memedit.evaluation.runs.part import Job, Part
from memedit.evaluation.runs.specs import parse
from tests.evaluation.helpers import record, write
from tests.helpers import byte_tokenizer, missing, tiny_model

EDITORS = ("ike@mention", "none")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    folder = tmp_path / "model"
    tiny_model("llama", max_position_embeddings=4096).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    data = write(tmp_path / "cases.jsonl", [record(i) for i in range(6)])
    settings = {"protocol": "sequential", "checkpoints": (2, 4), "tokens": 3, "group": 2}
    return Job(
        editors=EDITORS, data=str(data), model=str(folder), encoder="hashing", settings=settings
    )


def aggregates(folder: Path) -> bytes:
    return (folder / "aggregates.json").read_bytes()


def test_a_job_survives_json(job: Job) -> None:
    again = Job.from_json(job.to_json())
    assert again.make_settings() == job.make_settings() and again.editors == job.editors


def children(pid: int) -> set[int]:
    """Every living descendant of a process."""
    parents = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            after = stat.read_text().rpartition(")")[2].split()
            parents.append((int(stat.parent.name), int(after[1])))
    found: set[int] = set()
    todo = {pid}
    while todo:
        todo = {child for child, parent in parents if parent in todo} - found
        found |= todo
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds worker processes in /proc")
def test_a_killed_local_worker_is_started_again(job: Job, tmp_path: Path) -> None:
    # So that it takes longer than finding the worker does: else it has ended, and all begins anew.
    job = replace(job, settings={**job.settings, "tokens": 16})
    run_job(job, tmp_path / "one")
    killed: list[int] = []
    lock = threading.Lock()

    def kill_once(editor: str, done: int, total: int) -> None:
        with lock:
            if editor == EDITORS[0] and 0 < done < total and not killed:
                mine = [
                    p for p in children(os.getpid()) if "evaluation.runs.worker" in command_of(p)
                ]
                for pid in (p for p in mine if f" {EDITORS[0]} " in command_of(p)):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    for turn in range(20):  # until one is killed: on a busy machine it may have ended before
        folder = tmp_path / f"two-{turn}"
        run_job(job, folder, workers=2, progress=kill_once)
        assert aggregates(tmp_path / "one") == aggregates(folder)
        if killed:
            break
    assert killed


@pytest.mark.slow
def test_a_worker_that_keeps_failing_is_reported(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data vanish between the run's beginning and its workers' reading them."""
    from memedit.evaluation.runs import team

    monkeypatch.setattr(team, "ATTEMPTS", 2)  # each loads torch
    gone = Job(**{**{f: getattr(job, f) for f in job.__slots__}, "data": str(tmp_path / "gone")})
    with pytest.raises(WorkerError, match="no file"):
        team.run([Part(gone, "none", tmp_path / "run", "none")], workers=2)


def test_a_worker_runs_nothing_that_lies_where_it_was_started_and_reads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memedit.evaluation.runs import team

    (tmp_path / "json.py").write_text("raise SystemExit('run by a stranger')")
    (tmp_path / "cases.jsonl").write_text('{"none": "of the forms"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(team, "ATTEMPTS", 1)
    job = Job(editors=("none",), data="cases.jsonl")
    with pytest.raises(WorkerError, match="records of this form: none"):
        team.run([Part(job, "none", Path("run"), "none")])


def test_when_one_cell_fails_the_others_are_ended(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what Ctrl-C does: no worker goes on, and none is started again."""
    from memedit.evaluation.runs import team

    def command(part: Part) -> list[str]:
        told = "print('[done] [1, 9]', flush=True)" if part.editor == "none" else ""
        return [sys.executable, "-c", f"import time\n{told}\ntime.sleep(300)"]

    def interrupt(*heard: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(team, "command_of", command)
    parts = [Part(job, name, tmp_path / "run", name) for name in ("ike", "none", "serac")]
    before, start = children(os.getpid()), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        team.run(parts, workers=2, progress=interrupt)
    assert time.monotonic() - start < 60
    assert not {p for p in children(os.getpid()) - before if "time.sleep" in command_of(p)}


def test_ctrl_c_while_cells_are_handed_out_ends_those_that_began(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: it was waited for them, hours on end."""
    from memedit.evaluation.runs import team

    begun = threading.Event()

    def command(part: Part) -> list[str]:
        begun.set()
        return [sys.executable, "-S", "-c", "import time\ntime.sleep(300)"]

    class Pool(ThreadPoolExecutor):
        def submit(self, *given: Any) -> Any:  # type: ignore[override]
            if begun.is_set():
                raise KeyboardInterrupt
            handed = super().submit(*given)
            assert begun.wait(60)
            return handed

    monkeypatch.setattr(team, "command_of", command)
    monkeypatch.setattr(team, "ThreadPoolExecutor", Pool)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        team.run([Part(job, name, tmp_path, name) for name in EDITORS], workers=2)
    assert time.monotonic() - start < 60


def test_what_a_worker_said_as_it_died_may_be_cut_off(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: UnicodeDecodeError of half a character."""
    from memedit.evaluation.runs import team

    said = "import os\nos.write(1, 'x é'.encode()[:-1])\nos._exit(1)"
    monkeypatch.setattr(team, "command_of", lambda part: [sys.executable, "-S", "-c", said])
    with pytest.raises(WorkerError, match="failed 3 times: x"):
        team.run([Part(job, "none", tmp_path, "none")], workers=2)


_RAY = """
import sys
from pathlib import Path
from memedit.evaluation.runs.jobs import Job, Part, run_job
run_job(Job.from_json(sys.argv[1]), Path(sys.argv[2]), ray="local")
"""


@pytest.mark.slow
@pytest.mark.skipif("MEMEDIT_LONG_TESTS" not in os.environ, reason="a minute: MEMEDIT_LONG_TESTS")
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds worker processes in /proc")
def test_a_ray_cluster_loses_and_doubles_nothing_when_a_worker_is_killed(
    job: Job, tmp_path: Path
) -> None:
    if importlib.util.find_spec("ray") is None:
        missing("ray is not installed: pip install 'memedit[ray]'")
    run_job(job, tmp_path / "one")
    folder = tmp_path / "two"
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": str(root), "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", _RAY, job.to_json(), str(folder)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as driver:  # fmt: skip
        killed = _kill_one_ray_worker(driver, rows_of(folder, parse(EDITORS[0]).slug))
        told, _ = driver.communicate(timeout=400)
    assert driver.returncode == 0, told
    assert killed
    assert aggregates(tmp_path / "one") == aggregates(folder)


def _kill_one_ray_worker(driver: subprocess.Popen[Any], rows: Path) -> bool:
    """Kill the process that writes ``rows`` once it has begun to; whether that was possible."""
    until = time.monotonic() + 300
    while driver.poll() is None and time.monotonic() < until:
        if rows.exists() and b'"unit"' in rows.read_bytes():
            for pid in children(driver.pid):
                if "ray::measure_cell" in command_of(pid):
                    os.kill(pid, signal.SIGKILL)
                    return True
        time.sleep(0.02)
    return False


def test_a_job_names_its_cases(job: Job) -> None:
    assert len(job.cases().cases) == 6
    assert json.loads(job.to_json())["editors"] == list(EDITORS)
