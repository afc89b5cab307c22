"""Aggregates against values worked out by hand, and what makes them repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from memedit.evaluation.rows import Row
from memedit.evaluation.summary import aggregate, harmonic, interval


def row(index: int, kind: str, measure: str, value: float, **more: Any) -> Row:
    given = {"index": index, "case": str(index), "kind": kind, "measure": measure, "value": value}
    return {"phase": "checkpoint", "edited": 2} | given | more


def counterfact() -> Iterator[Row]:
    """Two records. ES 1/2; PS (1/2 + 1)/2 = 3/4; NS (1/4 + 3/4)/2 = 1/2."""
    for index, es, ps, ns in ((0, [1], [0, 1], [1, 0, 0, 0]), (1, [0], [1, 1], [1, 1, 1, 0])):
        for kind, values in (("efficacy", es), ("paraphrase", ps), ("neighbourhood", ns)):
            for value in values:
                yield row(index, kind, "prob_prefers", value)


def test_means_are_over_records_of_means_within() -> None:
    found = aggregate(counterfact())["2"]
    assert (found["es"].mean, found["ps"].mean, found["ns"].mean) == (0.5, 0.75, 0.5)
    assert found["es"].n == 2


def test_s_is_the_harmonic_mean_of_the_averages() -> None:
    """3 / (2 + 4/3 + 2) = 9/16; of each record it would be (0 and ...) another number."""
    assert aggregate(counterfact())["2"]["s"].mean == pytest.approx(9 / 16)
    assert harmonic([0.5, 0.75, 0.5]) == pytest.approx(9 / 16)
    assert harmonic([0.0, 1.0]) == 0


def test_records_weigh_the_same_however_many_probes_they_have() -> None:
    rows = [row(0, "locality:a", "gen_same", 1.0)]
    rows += [row(1, "locality:a", "gen_same", 0.0) for _ in range(9)]
    found = aggregate(rows)["2"]
    assert found["gen_locality"].mean == 0.5
    assert found["gen_locality_a"].mean == 0.5


def test_mquake_any_all_and_instances() -> None:
    """Questions right: (1,0,0) and (1,1,1): any 1, all 1/2, mean 2/3; hops (1,0), (1,1): 1/2."""
    rows = [row(0, "multihop", "gen_contains", v) for v in (1, 0, 0)]
    rows += [row(1, "multihop", "gen_contains", v) for v in (1, 1, 1)]
    rows += [row(0, "hop", "gen_contains", v) for v in (1, 0)]
    rows += [row(1, "hop", "gen_contains", v) for v in (1, 1)]
    rows += [row(i, "efficacy", "gen_contains", v) for i, v in enumerate((1, 0))]
    found = aggregate(rows, "mquake")["2"]
    names = ("multihop_any", "multihop_all", "multihop_mean", "instance_wise", "edit_wise")
    assert [found[n].mean for n in names] == [1, 0.5, pytest.approx(2 / 3), 0.5, 0.5]
    assert "multihop_any" not in aggregate(rows, "counterfact")["2"]


def test_zsre_and_serac_and_grace() -> None:
    """zsRE: tokens 1, 1/2, 1/2: 3/(1 + 2 + 2) = 3/5. SERAC: ES over both kinds; DD = 1 - 3/4."""
    rows = [row(0, "efficacy", "tf_tokens", 1.0), row(0, "paraphrase", "tf_tokens", 0.5)]
    rows += [row(0, "locality:nq", "tf_tokens", 0.5)]
    rows += [row(0, "efficacy", "tf_all", 1.0), row(0, "paraphrase", "tf_all", 0.0)]
    rows += [row(0, "locality:nq", "tf_same", v) for v in (1, 1, 1, 0)]
    rows += [row(0, "efficacy", "gen_f1", 0.25), row(0, "locality:nq", "gen_f1", 0.75)]
    rows += [row(0, "efficacy", "gen_f1", 1.0, phase="immediate", edited=1)]
    found = aggregate(rows, "zsre-alt")["2"]
    assert found["zsre_score"].mean == pytest.approx(0.6)
    assert (found["serac_es"].mean, found["serac_dd"].mean) == (0.5, 0.25)
    grace = [found[name].mean for name in ("grace_es", "grace_err", "grace_trr")]
    assert grace == [1.0, 0.25, 0.75]


def test_retention_is_of_what_was_learnt() -> None:
    """Three held at once; one of them is lost at the checkpoint, and another's gain is no gain."""
    now, first = (1, 0, 1, 1), (1, 1, 1, 0)
    rows = [row(i, "efficacy", "gen_contains", v, edited=4) for i, v in enumerate(now)]
    rows += [
        row(i, "efficacy", "gen_contains", v, phase="immediate", edited=i + 1)
        for i, v in enumerate(first)
    ]
    found = aggregate(rows)["4"]
    assert found["retention"].mean == pytest.approx(2 / 3)
    assert found["retention"].n == 3
    assert found["immediate_gen_efficacy"].mean == 0.75


def test_checkpoints_stand_apart_and_costs_add_up_to_them() -> None:
    rows = [row(0, "efficacy", "gen_contains", v, edited=e) for e, v in ((1, 1), (10, 0))]
    rows += [row(i, "", "seconds_per_edit", i + 1, phase="edit", edited=i + 1) for i in range(10)]
    found = aggregate(rows)
    assert list(found) == ["1", "10"]
    assert (found["1"]["gen_efficacy"].mean, found["10"]["gen_efficacy"].mean) == (1, 0)
    costs = found["1"]["seconds_per_edit"].mean, found["10"]["seconds_per_edit"].mean
    assert costs == (1, 5.5)


def test_the_bad_end_is_the_low_one_or_the_high_one() -> None:
    rows = [row(i, "efficacy", "gen_contains", i / 100) for i in range(101)]
    rows += [row(i, "locality", "kl", i / 100) for i in range(101)]
    found = aggregate(rows)["2"]
    good, bad = found["gen_efficacy"], found["kl_locality"]
    assert good.worst == 0 and good.p5 == pytest.approx(0.05)
    assert bad.worst == 1 and bad.p5 == pytest.approx(0.95)


def test_the_interval_is_the_bootstrap_percentile_and_repeats() -> None:
    """Of a coin: the binomial's 95% interval, .5 -+ 1.96 sqrt(.25/400) = .451 to .549."""
    coin = np.array([0.0, 1.0] * 200)
    low, high = interval(coin, "x")
    assert (low, high) == interval(coin, "x")
    assert low == pytest.approx(0.451, abs=0.005) and high == pytest.approx(0.549, abs=0.005)
    assert interval(np.array([0.25])) == (0.25, 0.25)
    assert interval(np.ones(10)) == (1.0, 1.0)


def test_the_order_of_rows_is_irrelevant() -> None:
    rows = list(counterfact())
    assert aggregate(rows) == aggregate(rows[::-1])
