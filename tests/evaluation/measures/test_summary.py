"""Aggregates against values worked out by hand, and what makes them repeatable."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from memedit.evaluation.measures.derived import harmonic
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.measures.summary import aggregate, interval


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
    rows += [row(0, "hop", "gen_starts", v) for v in (1, 0)]
    rows += [row(1, "hop", "gen_starts", v) for v in (1, 1)]
    rows += [row(i, "efficacy", "gen_starts", v) for i, v in enumerate((1, 0))]
    found = aggregate(rows, "mquake")["2"]
    names = ("multihop_any", "multihop_all", "multihop_mean", "instance_wise", "edit_wise")
    assert [found[n].mean for n in names] == [1, 0.5, pytest.approx(2 / 3), 0.5, 0.5]
    assert "multihop_any" not in aggregate(rows, "counterfact")["2"]


def test_what_holds_an_answer_need_not_be_it() -> None:
    """MeLLo's code wants equality: (1,1,1) hold it, (0,1,0) are it at first, (0,0,0) as a whole."""
    rows = [row(0, "multihop", "gen_contains", 1) for _ in range(3)]
    rows += [row(0, "multihop", "gen_em", v) for v in (0, 1, 0)]
    rows += [row(0, "multihop", "gen_exact", 0) for _ in range(3)]
    found = aggregate(rows, "mquake")["2"]
    for suffix, any_, all_, mean in (("", 1, 1, 1), ("_em", 1, 0, 1 / 3), ("_exact", 0, 0, 0)):
        names = (f"multihop_any{suffix}", f"multihop_all{suffix}", f"multihop_mean{suffix}")
        assert [found[n].mean for n in names] == [any_, all_, pytest.approx(mean)]


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


def test_mend_and_ke_compare_with_the_accuracy_before() -> None:
    """Before 3/4 and 1/4, after 1/4 and 1/4: DD = 1/2 - 1/4, deterioration = 1 - 1/2."""
    rows = []
    for index, before, after in ((0, (1, 1, 1, 0), (1, 0, 0, 0)), (1, (1, 0, 0, 0), (1, 0, 0, 0))):
        rows += [row(index, "locality:nq", "tf_all_base", v) for v in before]
        rows += [row(index, "locality:nq", "tf_all", v) for v in after]
        rows += [row(index, "paraphrase", "tf_all", index)]
    found = aggregate(rows, "zsre-alt")["2"]
    assert (found["mend_es"].mean, found["mend_dd"].mean) == (0.5, 0.25)
    assert found["ke_deterioration"].mean == 0.5
    assert found["mend_dd"].low <= 0.25 <= found["mend_dd"].high
    assert "tf_locality_accuracy_base" not in found
    nothing = [row(0, "locality", name, 0.0) for name in ("tf_all", "tf_all_base")]
    assert "ke_deterioration" not in aggregate(nothing)["2"]


def test_serac_sentiment_is_of_each_record() -> None:
    """z_sent z_topic. Record 0: sigma(0) min(1, e^1) = 1/2. Record 1: sigma(ln 3) e^(-ln 2) =
    3/4 1/2 = 3/8. Their mean is 7/16."""
    rows = []
    for index, good, bad, before in ((0, -1, -1, -2), (1, -2, -2 - math.log(3), math.log(2) - 2)):
        for name, value in (("good", good), ("bad", bad), ("good_base", before)):
            rows.append(row(index, "reply", f"reply_{name}", value))
    assert aggregate(rows)["2"]["serac_sentiment_es"].mean == pytest.approx(7 / 16)


def test_grace_arr_is_a_perplexity_and_keys_are_counted() -> None:
    """exp((ln 2 + ln 8) / 2) = 4; other locality probes have no part in it."""
    rows = [row(0, "locality:accurate", "tf_nll", math.log(2))]
    rows += [row(1, "locality:accurate", "tf_nll", math.log(8)), row(1, "locality", "tf_nll", 9.0)]
    for name in ("grace_keys", "edits_held", "weight_step:mlp"):
        rows += [row(i, "", name, i + 1, phase="edit", edited=i + 1) for i in range(3)]
    found = aggregate(rows)["2"]
    assert found["grace_arr"].mean == pytest.approx(4)
    assert [found[n].mean for n in ("grace_keys", "edits_held", "weight_step:mlp")] == [2, 2, 2]


def test_changes_of_matrices_add_up_as_one_vector() -> None:
    """Changes of 3 and 4, of norms 30 and 40: 5 of 50."""
    rows = [row(0, "efficacy", "gen_contains", 1.0, edited=1)]
    for name, change in (("a", 3.0), ("b", 4.0)):
        for part, value in (("distance", change), ("step", 2 * change), ("relative", 0.1)):
            rows.append(row(0, "", f"weight_{part}:{name}", value, phase="edit", edited=1))
    found = aggregate(rows)["1"]
    names = ("weight_distance", "weight_step", "weight_relative")
    assert [found[n].mean for n in names] == pytest.approx([5, 10, 0.1])


def test_knowedit_is_a_mean_over_sub_types() -> None:
    """Portability (1 + (0 + 1/2) / 2) / 2 = 5/8, over probes it would be 1/2; locality 1/2; edit
    success 1. Overall (1 + 5/8 + 1/2) / 3 = 17/24: there is no rephrase."""
    rows = [row(0, "efficacy", "tf_tokens", 1.0), row(0, "portability:a", "tf_tokens", 1.0)]
    rows += [row(0, "portability:b", "tf_tokens", v) for v in (0.0, 0.5)]
    rows += [row(0, f"locality:{g}", "tf_same_tokens", v) for g, v in (("a", 1.0), ("b", 0.0))]
    found = aggregate(rows, "knowedit")["2"]
    assert found["knowedit_portability"].mean == pytest.approx(5 / 8)
    assert found["knowedit_locality"].mean == 0.5
    assert found["knowedit_overall"].mean == pytest.approx(17 / 24)
    assert "knowedit_overall" not in aggregate(rows, "counterfact")["2"]


def test_ripple_is_per_criterion_of_what_was_executed() -> None:
    """Record 0 passes 1 of 2 executed of 3; record 1 has none executed, and counts only there."""
    kind = "portability:subject_aliasing"
    rows = [row(0, kind, "ripple_executed", v) for v in (1, 1, 0)]
    rows += [row(0, kind, "ripple_passed", v) for v in (1, 0)] + [
        row(1, kind, "ripple_executed", 0)
    ]
    found = aggregate(rows, "rippleedits")["2"]
    assert (found["ripple_subject_aliasing"].mean, found["ripple_subject_aliasing"].n) == (0.5, 1)
    assert found["ripple_executed_subject_aliasing"].mean == pytest.approx(1 / 3)
    assert not any(name.startswith("ripple") for name in aggregate(rows, "counterfact")["2"])


def test_hard_probes_stand_apart_from_locality() -> None:
    rows = [row(0, "hard:negated", "gen_same", 0.0), row(0, "hard:dated", "gen_same", 1.0)]
    rows += [row(0, "locality", "gen_same", 1.0)]
    found = aggregate(rows)["2"]
    assert (found["gen_locality"].mean, found["gen_locality_hard"].mean) == (1, 0.5)
    assert found["gen_locality_hard_negated"].mean == 0


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
