"""Fitting a base's probe: what is found, how it is weighed, and that a long fit can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit import EditableModel
from memedit.engine.probes import digest, file_of, read_states, recall_probe
from memedit.errors import InvalidInputError
from memedit.model.second_look import BEARING, log_odds, recall_frame
from memedit.training import probing
from memedit.training.requests.banks import bank
from tests.helpers import byte_tokenizer, tiny_model

LOOKS = [[f"Fact: {n}\nRequest: {n % 3}", n % 3 == 0, 0.2 + n % 7 / 10] for n in range(80)]


def test_the_scope_counts_in_the_sum_as_it_does_there() -> None:
    """The sum of the second look's odds and BEARING times the scope's has its middle at 0."""
    draw = np.random.default_rng(0)
    states = draw.normal(size=(2_000, 24))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    direction = draw.normal(size=24)
    bearing = draw.uniform(0.01, 0.99, size=2_000)
    seen = states @ direction + draw.normal(scale=0.2, size=2_000) > 0
    needed = seen & (draw.uniform(size=2_000) < bearing)
    probe, fitted = probing.fit_probe(states, needed, bearing, 3, "frame")
    weight = probe.weight.numpy()
    assert (probe.layer, probe.frame, fitted.n) == (3, "frame", 2_000)
    assert weight @ direction / np.linalg.norm(weight) / np.linalg.norm(direction) > 0.9
    scope = np.array([log_odds(chance) for chance in bearing])
    total = states @ weight + probe.bias + BEARING * scope
    assert ((total > 0) == needed).mean() == pytest.approx(fitted.right, abs=0.03)
    assert fitted.right > 0.8 and fitted.area > fitted.before + 0.1
    assert np.mean(needed[np.abs(total) < 0.3]) == pytest.approx(0.5, abs=0.12)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EditableModel:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    monkeypatch.setattr(probing, "bank", {"looks": LOOKS}.__getitem__)
    monkeypatch.setattr(probing, "FEWEST", 50)
    base = tiny_model(max_position_embeddings=16_384)
    return EditableModel(base, byte_tokenizer(), encoder="hashing", editor="note")


def test_what_was_read_before_an_interruption_is_not_read_again(
    model: EditableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def count(asked: Any, *rest: Any) -> Any:
        read.append(len(asked))
        if len(read) == 2:
            raise KeyboardInterrupt
        return read_states(asked, *rest)

    monkeypatch.setattr(probing, "read_states", count)
    with pytest.raises(KeyboardInterrupt):
        probing.train_probe(model.engine)
    heard: list[tuple[int, int]] = []
    fitted = probing.train_probe(model.engine, progress=lambda *told: heard.append(told))
    assert read == [64, 16, 16] and heard == [(64, 80), (80, 80)] and fitted.n == 80
    file = file_of(model.engine.fingerprint)
    assert list(file.parent.iterdir()) == [file]


def test_the_base_is_read_by_it_from_then_on(model: EditableModel) -> None:
    frame = recall_frame(model.engine)
    assert frame is not None and recall_probe(frame, model.engine) is None
    probing.train_probe(model.engine)
    probe = recall_probe(frame, model.engine)
    assert probe is not None and probe.frame == digest(frame) and probe.layer == 1


def test_some_are_taken_from_all_over_the_bank(model: EditableModel) -> None:
    assert probing.train_probe(model.engine, most=50).n == 50
    with pytest.raises(InvalidInputError, match="at least 50"):
        probing.train_probe(model.engine, most=20)


def test_a_base_that_cannot_be_asked_is_refused(model: EditableModel) -> None:
    small = EditableModel(tiny_model(), byte_tokenizer(), encoder="hashing", editor="note")
    with pytest.raises(InvalidInputError, match="too small a window"):
        probing.train_probe(small.engine)


def test_the_bank_is_of_the_form_that_is_read() -> None:
    looks = bank("looks")
    assert len(looks) > 1_000
    for asked, needed, bearing in looks:
        assert asked.startswith("Fact: ") and "\nRequest" in asked
        assert needed in (0, 1) and 0 <= bearing <= 1
    assert 0.25 < np.mean([needed for _, needed, _ in looks]) < 0.65
