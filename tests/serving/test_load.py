"""The load benchmark's measurements, in small, against real servers on loopback."""

from __future__ import annotations

from pathlib import Path

from benchmarks import serve_load
from memedit.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.serving.helpers import serving, tiny_edited, tiny_service
from tests.serving.test_upstream import front


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
