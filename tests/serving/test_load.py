"""The load benchmark's measurements, in small, against real servers on loopback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import serve_load
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.serving.helpers import serving, tiny_edited, tiny_service
from tests.serving.upstream.test_upstream import front

pytestmark = pytest.mark.slow


def test_ratios_and_latency(tmp_path: Path) -> None:
    serve_load.fill(tmp_path / "memory", 30, "hashing:64")
    with EditMemory(tmp_path / "memory", HashingEncoder(64)) as memory:
        assert len(memory) == 30
        edited = tiny_edited(memory)
        with serving(tiny_service(bare=True)) as bare, serving(tiny_service(model=edited)) as full:
            found = serve_load.throughput(bare.url, full.url, 2, 4, clients=2, tokens=2)
            assert len(found["ratios"]) == 2 and found["ratio"] > 0
            with serving(front(bare.url)) as through:
                seconds = serve_load.added_latency(bare.url, through.url, 4, tokens=1)
        assert set(seconds) == {"direct", "through", "added"} and seconds["through"] > 0
    assert serve_load.encoder_seconds("hashing") > 0


def test_questions_in_and_out_of_scope_and_resident_memory(tmp_path: Path) -> None:
    serve_load.fill(tmp_path / "memory", 30, "hashing:64")
    asked = serve_load.mixture(8, 1, 30)
    assert sum("Zorville" in question for question in asked) == 4
    assert not any("Zorville" in question for question in serve_load.mixture(8, 1, 0))
    with EditMemory(tmp_path / "memory", HashingEncoder(64)) as memory:
        with serving(tiny_service(model=tiny_edited(memory))) as full:
            found = serve_load.mixed(full.url, asked, clients=2, tokens=2)
            assert (found["errors"], found["in_scope"], found["clients"]) == (0, 4, 2)
            assert found["p99_ms"] >= found["p50_ms"] > 0
            flat = serve_load.flatness(full.url, os.getpid(), 1.0, 2, 2, 30)
            assert flat["errors"] == 0 and flat["requests"] >= 8 and flat["mib_at_start"] > 50
        assert serve_load.mixed("http://127.0.0.1:9", ["x"], 1, 1)["errors"] == 1
