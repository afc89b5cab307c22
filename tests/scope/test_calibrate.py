"""Thresholds with a guarantee, against simulation and hand-worked values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit import EditMemory
from memedit.core.errors import InvalidInputError, UnknownNameError
from memedit.core.types import Decision
from memedit.data.facts import read_facts
from memedit.data.split import part_of
from memedit.scope import ClassifierScope, load_scope
from memedit.scope.calibrate import find_threshold, reliability
from tests.helpers import shared_data


def test_texts_that_ask_for_an_edit_are_warned_of() -> None:
    """The fault: 300 questions of an edit raised the threshold to 1, without a word."""
    asked = [Decision(score=score) for score in np.linspace(0.9, 0.999, 300)]
    with pytest.warns(UserWarning, match=r"148 of 300 texts seem to ask .* now, and hardly"):
        strict = ClassifierScope().calibrate(asked, 0.01, 0.95)
    assert strict.threshold > 0.99
    ordinary = [Decision(score=score) for score in np.linspace(0, 0.6, 300)]
    assert ClassifierScope().calibrate(ordinary, 0.01, 0.95).threshold < 0.61


def test_a_folder_that_was_trained_into_is_told_how_it_is_named(tmp_path: Path) -> None:
    """The guides said ``--scope FOLDER``, and the error only listed the scopes there are."""
    with pytest.raises(UnknownNameError, match=r"classifier\(model=.*\)") as told:
        load_scope(str(tmp_path))
    named = str(told.value).partition('"')[2].partition('"')[0]
    assert load_scope(named) == ClassifierScope(model=str(tmp_path))
    guides = Path(__file__).resolve().parents[2] / "docs" / "guides"
    for page in ("calibrate.md", "tune.md"):
        named = (guides / page).read_text("utf-8").partition('--scope "')[2].partition('"')[0]
        assert load_scope(named) == ClassifierScope(model="my-scope")


def test_the_bound_holds_on_fresh_draws_as_often_as_it_says() -> None:
    """Scores uniform on [0, 1]: the true false-fire rate of a threshold t is 1 - t."""
    rng = np.random.default_rng(0)
    rates = [1 - find_threshold(rng.random(2_000), 0.01, 0.9) for _ in range(600)]
    broken = np.mean([rate > 0.01 for rate in rates])
    assert broken <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 600)
    assert broken > 0.02  # nor is it needlessly careful
    assert np.median(rates) > 0.004


def test_the_bound_holds_when_many_negatives_share_a_score() -> None:
    scores = np.zeros(5_000)
    scores[:5] = 0.7
    threshold = find_threshold(scores, 0.01, 0.95)
    assert 0 < threshold < 0.7  # five of 5,000 may fire, none of the zeros


def test_too_few_negatives_are_refused_with_the_number_it_takes() -> None:
    with pytest.raises(InvalidInputError, match="2,995 negatives"):
        find_threshold(np.zeros(2_994), 0.001, 0.95)
    find_threshold(np.zeros(2_995), 0.001, 0.95)


@pytest.mark.parametrize(("rate", "confidence"), [(0.0, 0.9), (1.0, 0.9), (0.1, 1.0), (0.1, 0.0)])
def test_rates_outside_the_unit_interval_are_refused(rate: float, confidence: float) -> None:
    with pytest.raises(InvalidInputError):
        find_threshold(np.zeros(100), rate, confidence)


def test_reliability_of_a_hand_worked_case() -> None:
    chances = np.array([0.05, 0.05, 0.95, 0.95])
    found = reliability(chances, np.array([False, True, True, True]), bins=10)
    assert found.counts.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert found.observed[[0, 9]].tolist() == [0.5, 1.0]
    assert found.ece == pytest.approx((0.45 * 2 + 0.05 * 2) / 4)


def test_the_bound_holds_on_fresh_neighbours(minilm: Any) -> None:
    """Real negatives: neighbourhood prompts of CounterFact, split again and again."""
    facts = read_facts([shared_data("counterfact_full.jsonl.gz")])
    held_out = [fact for fact in facts if part_of(fact.subject) != "train"]
    asked = sorted({text for fact in held_out for text in fact.neighbours[:2]})[:330]
    memory = EditMemory(None, minilm)
    memory.add_many([fact.edit for fact in facts[:300]])
    scope = ClassifierScope(threshold=0.001)
    decisions = scope.decide(asked, memory.search(asked))
    scores = np.array([decision.score for decision in decisions])
    scores += np.random.default_rng(1).random(len(scores)) * 1e-9  # many are 0: split the ties
    rng, broken, splits = np.random.default_rng(0), 0, 300
    for _ in range(splits):
        order = rng.permutation(len(scores))
        here, fresh = scores[order[:150]], scores[order[150:]]
        broken += bool((fresh >= find_threshold(here, 0.03, 0.95)).mean() > 0.03)
    assert broken / splits <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / splits)
    assert broken > 0  # nor is it needlessly careful
    few = ClassifierScope(threshold=0.001).calibrate(decisions[:150], 0.03, 0.95)
    fired = [bool(d) for d in few.decide(asked[150:], memory.search(asked[150:]))]
    assert np.mean(fired) <= 0.04  # one draw, of which one in twenty may break the bound
