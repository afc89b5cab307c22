"""AlphaEdit: changes stay in the null space, and the keys of earlier edits are kept in mind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from memedit.core.errors import InvalidInputError, StatisticsError
from memedit.core.types import Record
from memedit.editors._sequences import sample_contexts, sequence_fact
from memedit.editors.alphaedit import Alphaedit
from memedit.editors.weights.base import sum_changes
from memedit.editors.weights.spreading import keys_of
from memedit.editors.weights.statistics import moment_of
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, tiny_engine, with_statistics

QUICK: dict[str, Any] = {"steps": 4, "prefixes": 5, "layers": (0, 1)}


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return with_statistics(tiny_engine(request.param))


def test_it_keeps_the_keys_of_earlier_edits(lm: Engine) -> None:
    alpha = Alphaedit(**QUICK, energy=0.3, weight=1e-3)
    (first,) = alpha.fit(FACTS[:1], lm)
    record = Record(FACTS[0], 1, 1, payloads={"alphaedit": first})
    site = lm.sites.mlp_out(1)
    key = torch.as_tensor(first[f"{site}/keys"])
    assert torch.allclose(key.double(), keys_of_layer_one(lm), atol=1e-5)
    knowing = lm.shadow(sum_changes([first]), [record])
    ignorant = lm.shadow(sum_changes([first]))
    moved = [
        float((sum_changes(alpha.fit(FACTS[1:2], model))[site] @ key).norm())
        for model in (knowing, ignorant)
    ]
    assert moved[0] < 0.5 * moved[1]
    assert 0 < int(first["null"]) < len(key) and 0 < float(first["energy"]) <= 0.3


def keys_of_layer_one(lm: Engine) -> torch.Tensor:
    """The first fact's key at layer 1, with its own change of layer 0 made."""
    alpha = Alphaedit(**QUICK, energy=0.3, weight=1e-3)
    (payload,) = alpha.fit(FACTS[:1], lm)
    below = {s: d for s, d in sum_changes([payload]).items() if s == lm.sites.mlp_out(0)}
    return keys_of(
        lm.shadow(below), [sequence_fact(lm, FACTS[0], sample_contexts(lm, 5, 0), 0.5)], 1
    )[:, 0]


def test_it_changes_nothing_in_the_kept_directions(lm: Engine) -> None:
    alpha = Alphaedit(**QUICK, energy=0.2)
    for site, change in sum_changes(alpha.fit(FACTS, lm)).items():
        layer = int(lm.sites.mlp_out(1) == site)
        null = moment_of(lm, layer, "auto").null_space(0.02, energy=0.2)
        kept = change.double() - change.double() @ null @ null.T
        assert float(kept.norm()) < 1e-5 * float(change.norm())


def test_no_free_direction_is_an_error(lm: Engine) -> None:
    with pytest.raises(StatisticsError, match="No direction of layer"):
        Alphaedit(**QUICK, threshold=1e-12).fit(FACTS[:1], lm)


@pytest.mark.parametrize(
    "wrong", [{"energy": 0.0}, {"energy": 1.5}, {"weight": 0.0}, {"threshold": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        Alphaedit(**wrong)  # type: ignore[arg-type]
