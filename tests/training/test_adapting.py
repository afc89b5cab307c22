"""Readers of pairs beside the scope: they learn, go on where they stopped, and are stored whole."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from memedit.engine.encoders import load_encoder
from memedit.scope.adapted import REPEATS, REPLACES, STAYS, Adapted, merge
from memedit.scope.classifier import load_cross
from memedit.training.adapting import train_adapted
from memedit.training.loop import Schedule
from memedit.training.requests.banks import bank
from memedit.training.succession import _bare, _mark, label_pairs


def test_what_is_learnt_is_stored_and_the_scope_stays(minilm: Any, tmp_path: Path) -> None:
    cross = load_cross("")
    assert cross is not None
    old = "The lift holds {} people."
    pairs = [((old.format(n), f"{n + 3} people may ride in the lift."), REPLACES) for n in range(8)]
    pairs += [((old.format(n), f"The stairs have {n} steps."), STAYS) for n in range(8)]
    texts = [pair for pair, _ in pairs]
    before = cross.logits(texts)
    losses: list[float] = []
    schedule = Schedule(steps=16, batch=16, rate=2e-3, warmup=1, save_every=8)
    found = train_adapted(
        cross, pairs, schedule, tmp_path, report=lambda step, v: losses.append(v["loss"])
    )
    rated = Adapted(merge(cross, found)).rate(texts)
    assert rated.argmax(1).tolist() == [label for _, label in pairs] and losses[-1] < losses[0] / 2
    assert rated.sum(1) == pytest.approx(1, abs=1e-5) and rated.shape == (16, 3)
    assert (cross.logits(texts) == before).all()
    again = train_adapted(cross, pairs, schedule, tmp_path)  # all steps are done
    assert all((again[name] == value).all() for name, value in found.items())
    # Another training begins where this one ended, if it is given what that one learnt.
    near = Schedule(steps=1, batch=16, rate=1e-9, warmup=0, save_every=1)
    begun = train_adapted(cross, pairs, near, tmp_path / "next", start=found)
    assert all(value.allclose(begun[name], atol=1e-4) for name, value in found.items())


def test_every_sentence_by_hand_is_learnt_from_under_its_label() -> None:
    groups, encoder = bank("restated")["bank"], load_encoder("hashing")
    pairs = label_pairs(0, encoder)
    group, others = groups[0], groups[1:]
    told = [(new, label) for (old, new), label in pairs if old == group["old"]]
    kinds = ((group["corrects"], REPLACES), (group["stays"], STAYS))
    for texts, truth in (*kinds, ([c for g in others for c in g["corrects"]], STAYS)):
        found = {label for new, label in told if new in texts}
        assert found == {truth}
    assert pairs == label_pairs(0, encoder) and [label for _, label in pairs].count(REPEATS) > 1_000


def test_words_of_change_come_and_go() -> None:
    assert _bare("From now on, parcels cost 5 euros now.", Always()) == "Parcels cost 5 euros."
    assert _bare("We knowingly do so.", Always()) == "We knowingly do so."
    assert _mark("The shop opens at 9.", Always()) == "From now on, the shop opens at 9."


class Always(Random):
    """Does what is done at times."""

    def random(self) -> float:
        return 0.0

    def choice(self, seq: Any) -> Any:
        return seq[0]
