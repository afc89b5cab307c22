"""Fitting a base's probes: what is found, how it is weighed, and that a long fit can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit import EditableModel
from memedit.engine.probes import NEEDED, YES_OR_NO, digest, file_of, recall_probe
from memedit.errors import InvalidInputError
from memedit.model.second_look import BEARING, log_odds, recall_frame
from memedit.training import probing
from memedit.training.requests.banks import bank
from tests.helpers import byte_tokenizer, tiny_model

LOOKS = [[f"Fact: {n}\nRequest: {n % 3}", n % 3 == 0, 0.2 + n % 7 / 10] for n in range(80)]
YES_NO = [[[f"It is {n}."], f"Is it {n + n % 2}?", "", n % 2 == 0] for n in range(80)]


def make_states(n: int, d: int = 24) -> tuple[Any, Any, Any]:
    """Unit states, what they say with some noise, and the direction in which they say it."""
    draw = np.random.default_rng(0)
    states = draw.normal(size=(n, d))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    direction = draw.normal(size=d)
    said = states @ direction + draw.normal(scale=0.2, size=n) > 0
    return states, said, direction


def test_the_direction_is_found() -> None:
    states, yes, direction = make_states(1_000)
    found, bias, fitted = probing.fit_yes_or_no(states, yes)
    assert found @ direction / np.linalg.norm(found) / np.linalg.norm(direction) > 0.9
    assert fitted.area > 0.9 and fitted.right > 0.8 and fitted.n == 1_000
    assert ((states @ found + bias > 0) == yes).mean() > 0.8


def test_the_scope_counts_in_the_sum_as_it_does_there() -> None:
    """The sum of the second look's odds and BEARING times the scope's has its middle at 0."""
    states, by_state, _ = make_states(2_000)
    draw = np.random.default_rng(1)
    bearing = draw.uniform(0.01, 0.99, size=2_000)
    needed = by_state & (draw.uniform(size=2_000) < bearing)
    found, bias, fitted = probing.fit_needed(states, needed, bearing)
    scope = np.array([log_odds(chance) for chance in bearing])
    total = states @ found + bias + BEARING * scope
    assert ((total > 0) == needed).mean() > 0.8
    assert fitted.before is not None and fitted.area > fitted.before + 0.1
    assert np.mean(needed[np.abs(total) < 0.3]) == pytest.approx(0.5, abs=0.12)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EditableModel:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    monkeypatch.setattr(probing, "bank", {"looks": LOOKS, "yes_no": YES_NO}.__getitem__)
    base = tiny_model(max_position_embeddings=16_384)
    return EditableModel(base, byte_tokenizer(), encoder="hashing", editor="note")


def test_what_was_read_before_an_interruption_is_not_read_again(
    model: EditableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    states = probing.read_states

    def count(asked: Any, *rest: Any) -> Any:
        read.append(len(asked))
        if len(read) == 2:
            raise KeyboardInterrupt
        return states(asked, *rest)

    monkeypatch.setattr(probing, "read_states", count)
    with pytest.raises(KeyboardInterrupt):
        probing.train_probes(model.engine)
    heard: list[tuple[str, int, int]] = []
    fitted = probing.train_probes(model.engine, progress=lambda *told: heard.append(told))
    assert read == [64, 16, 16, 64, 16]
    assert heard[0] == (f"Reading states: {NEEDED}", 64, 80)
    assert heard[-1] == (f"Reading states: {YES_OR_NO}", 80, 80)
    assert {name: each.n for name, each in fitted.items()} == {NEEDED: 80, YES_OR_NO: 80}
    file = file_of(model.engine.fingerprint)
    assert list(file.parent.iterdir()) == [file]


def test_the_base_is_read_by_them_from_then_on(model: EditableModel) -> None:
    frame = recall_frame(model.engine)
    assert frame is not None and recall_probe(NEEDED, frame, model.engine) is None
    probing.train_probes(model.engine)
    probe = recall_probe(NEEDED, frame, model.engine)
    assert probe is not None and probe.frame == digest(frame) and probe.layer == 1


def test_too_few_are_refused(model: EditableModel) -> None:
    with pytest.raises(InvalidInputError, match="at least 50"):
        probing.train_probes(model.engine, most=20)
    small = EditableModel(tiny_model(), byte_tokenizer(), encoder="hashing", editor="note")
    with pytest.raises(InvalidInputError, match="too small a window"):
        probing.train_probes(small.engine)


def test_the_banks_are_of_the_form_that_is_read() -> None:
    looks, yes_no = bank("looks"), bank("yes_no")
    assert len(looks) > 1_000 and len(yes_no) > 800
    for asked, needed, bearing in looks:
        assert asked.startswith("Fact: ") and "\nRequest" in asked
        assert needed in (0, 1) and 0 <= bearing <= 1
    for facts, question, earlier, yes in yes_no:
        assert all(facts) and question.strip() and isinstance(earlier, str) and yes in (0, 1)
    for labels in ([needed for _, needed, _ in looks], [yes for *_, yes in yes_no]):
        assert 0.25 < np.mean(labels) < 0.65
