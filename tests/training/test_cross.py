"""Training the cross-encoder: both heads learn, and the saved one is the trained one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit.engine.encoders import load_encoder
from memedit.scope.cross import CrossEncoder
from memedit.training.cross import ASKS, INFORMS, NONE, chances, choose_pairs, readable, train_cross
from memedit.training.loop import Schedule
from memedit.training.pairs import build
from memedit.training.scope import train_pair_model
from tests.training.test_scope import world


def test_the_saved_cross_encoder_is_the_trained_one(minilm: Any, tmp_path: Path) -> None:
    born = [f"P{i} was born in Oslo" for i in range(12)]
    asked = [((f"Where was P{i} born?", fact), ASKS) for i, fact in enumerate(born)]
    informed = [((f"Is P{i} from Oslo?", fact), INFORMS) for i, fact in enumerate(born)]
    other = [((f"What does P{i} play?", fact), NONE) for i, fact in enumerate(born)]
    before = minilm.encode(["Where was Ada born?"])
    schedule = Schedule(steps=24, batch=12, rate=5e-4, warmup=1, save_every=12)
    losses: list[float] = []
    every = asked + informed + other
    trained = train_cross(
        minilm, every, schedule, tmp_path, report=lambda step, v: losses.append(v["loss"])
    )
    loaded = CrossEncoder.load(tmp_path, minilm)
    texts = [pair for pair, _ in every]
    found = loaded.logits(texts)
    assert found == pytest.approx(trained.logits(texts), abs=0.05)
    assert found[:12, 0].min() > found[12:, 0].max() and losses[-1] < losses[0]
    assert found[:24, 1].min() > found[24:, 1].max()
    assert np.array_equal(minilm.encode(["Where was Ada born?"]), before)  # a copy was trained
    assert sum(f.stat().st_size for f in tmp_path.glob("cross*")) < 12_000_000


def test_it_learns_what_would_be_read() -> None:
    pairs = build(world()[:60], ["A sentence of ordinary text."], load_encoder("hashing"), seed=1)
    model = train_pair_model(pairs, epochs=1, manifest={})
    read = readable(pairs, chances(model, pairs, None))
    assert 0 < read.sum()
    learnt = choose_pairs(model, pairs, seed=0)
    assert len(learnt) >= read.sum()
    labels = dict(zip(pairs.texts, pairs.labels.tolist(), strict=True))
    assert all(labels[texts] == label for texts, label in learnt)
