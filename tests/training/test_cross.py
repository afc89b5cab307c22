"""The cross-encoder: what it reads, when it is asked, and that the saved one is the trained one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit.core.types import Edit, Hit, Record
from memedit.encoders import load_encoder
from memedit.scope.classifier import IN_DOUBT, PairModel
from memedit.scope.cross import CrossEncoder
from memedit.scope.features import pair_texts
from memedit.training.cross import chances, chosen, in_doubt, train_cross
from memedit.training.loop import Schedule
from memedit.training.pairs import build
from memedit.training.scope import train_pair_model
from tests.training.test_scope import world


def test_it_reads_the_clause_what_precedes_it_and_the_fact() -> None:
    record = Record(Edit("Ada was born in", "Oslo", "Ada"), 1, 1)
    query = "x" * 300 + " It is false that Ada was born in"
    hit = Hit(record, 0.9, "that Ada was born in", "Ada", clause="Ada was born in")
    asked, fact = pair_texts(hit, query)
    assert fact == "Ada was born in Oslo"
    assert asked.endswith("x It is false that Ada was born in")
    assert len(asked) == 100 + len("Ada was born in")


def test_only_candidates_in_doubt_are_asked() -> None:
    zero = np.zeros((1, 1), np.float32)
    model = PairModel(
        zero, zero, zero, zero, zero, zero, zero, zero, temperature=2.0, shift=1.0, manifest={}
    )
    logits = np.array([-15.0, 1.0, 5.0, 15.0], np.float32)  # p = .0003, .5, .88, .999
    asked: list[list[int]] = []

    def cross(where: list[int]) -> Any:
        asked.append(where)
        return np.array([3.0, -3.0], np.float32)

    plain = model.of(logits, cross)
    assert not asked  # not joined: no cross-encoder belongs to it
    joined = replace(model, join=(0.5, 2.0, -1.0)).of(logits, cross)
    assert asked == [[1, 2]]
    expected = [1 / (1 + np.exp(-(0.5 * 1 + 6 - 1))), 1 / (1 + np.exp(-(0.5 * 5 - 6 - 1)))]
    assert joined[1:3] == pytest.approx(expected, abs=1e-6)
    assert joined[[0, 3]] == pytest.approx(plain[[0, 3]])


def test_the_saved_cross_encoder_is_the_trained_one(minilm: Any, tmp_path: Path) -> None:
    same = [((f"Where was P{i} born?", f"P{i} was born in Oslo"), 1) for i in range(12)]
    other = [((f"What does P{i} play?", f"P{i} was born in Oslo"), 0) for i in range(12)]
    before = minilm.encode(["Where was Ada born?"])
    schedule = Schedule(steps=12, batch=8, rate=2e-3, warmup=1, save_every=6)
    losses: list[float] = []
    trained = train_cross(
        minilm, same + other, schedule, tmp_path, report=lambda step, v: losses.append(v["loss"])
    )
    loaded = CrossEncoder.load(tmp_path, minilm)
    texts = [pair for pair, _ in same + other]
    found = loaded.logits(texts)
    assert found == pytest.approx(trained.logits(texts), abs=0.02)
    assert found[:12].min() > found[12:].max() and losses[-1] < losses[0]
    assert np.array_equal(minilm.encode(["Where was Ada born?"]), before)  # a copy was trained
    assert sum(f.stat().st_size for f in tmp_path.glob("cross*")) < 2_000_000


def test_it_learns_what_the_pair_network_leaves_in_doubt() -> None:
    pairs = build(world()[:60], ["A sentence of ordinary text."], load_encoder("hashing"), seed=1)
    model = train_pair_model(pairs, epochs=1, manifest={})
    doubtful = in_doubt(model, pairs)
    probabilities = chances(model, pairs, None)
    inside = (probabilities >= IN_DOUBT[0]) & (probabilities <= IN_DOUBT[1])
    assert np.array_equal(doubtful, inside) and 0 < doubtful.sum()
    learnt = chosen(model, pairs, seed=0)
    assert len(learnt) >= doubtful.sum()
    labels = dict(zip(pairs.texts, pairs.labels.tolist(), strict=True))
    assert all(labels[texts] == label for texts, label in learnt)
