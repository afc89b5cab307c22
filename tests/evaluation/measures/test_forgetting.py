"""Forgetting curves against values worked out by hand."""

from __future__ import annotations

import pytest

from memedit.evaluation.measures.forgetting import (
    Inflection,
    curves,
    find_disabling,
    find_inflection,
    forget_lengths,
    kind_of_forgetting,
    moving_average,
    retention,
)
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.measures.summary import aggregate


def test_moving_average() -> None:
    """Windows of 10 ending at 10 and 15: means 4.5 and 9.5; a short run is one window."""
    assert moving_average(range(15)) == [(10, 4.5), (15, 9.5)]
    assert moving_average([1, 0]) == [(2, 0.5)]
    assert moving_average([]) == []


def test_retention_and_forget_lengths() -> None:
    """Cases 0, 1 and 2 were learnt, case 3 never; 1 is forgotten at 4, 0 at 8."""
    immediate = {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.0}
    later = {2: {0: 1.0, 1: 1.0}, 4: {0: 1.0, 1: 0.0, 2: 1.0, 3: 1.0},
             8: {0: 0.0, 1: 1.0, 2: 1.0, 3: 0.0}}  # fmt: skip
    assert retention(immediate, later) == [(2, 1.0), (4, pytest.approx(2 / 3)),
                                           (8, pytest.approx(2 / 3))]  # fmt: skip
    assert forget_lengths(immediate, later) == {1: 7, 2: 2}


def test_a_disabling_edit_is_five_times_the_median_before_it() -> None:
    assert find_disabling({1: 1.0, 2: 1.0, 3: 1.2, 4: 5.1, 5: 5.0}) == [4]
    assert find_disabling({1: 1.0, 2: 9.0}) == []  # one step is no median


def test_the_inflection_is_the_first_sign() -> None:
    averages = [(10, 0.9), (15, 0.5), (20, 0.44)]
    assert find_inflection(averages, {}) == Inflection(20, "score")
    assert find_inflection(averages, {1: 1.0, 2: 1.0, 3: 6.0}) == Inflection(3, "step")
    assert find_inflection(averages[:2], {}) is None
    assert find_inflection([(10, 0.0)], {}) is None


@pytest.mark.parametrize(
    "retained, found, kind",
    [
        ([1.0, 1.0], None, "none"),
        ([1.0, 0.9, 0.7], None, "gradual"),
        ([1.0, 0.4], None, "catastrophic"),
        ([1.0, 0.9], Inflection(3, "step"), "catastrophic"),
        ([], None, "none"),
    ],
)
def test_kinds_of_forgetting(retained: list[float], found: Inflection | None, kind: str) -> None:
    assert kind_of_forgetting(retained, found) == kind


def test_curves_come_from_rows() -> None:
    def row(index: int, phase: str, edited: int, measure: str, value: float) -> Row:
        kind = "" if phase == "edit" else "efficacy"
        return {"index": index, "case": str(index), "phase": phase, "edited": edited,
                "kind": kind, "measure": measure, "value": value}  # fmt: skip

    rows = [row(i, "immediate", i + 1, "gen_contains", 1.0) for i in range(4)]
    rows += [row(i, "checkpoint", 4, "gen_contains", float(i > 0)) for i in range(4)]
    for edit, distance in ((1, 1.0), (2, 2.0), (3, 3.0), (4, 12.0)):
        rows.append(row(edit - 1, "edit", edit, "weight_distance:mlp", distance))
        rows.append(row(edit - 1, "edit", edit, "weight_step:mlp", 9.0 if edit == 4 else 1.0))
    found = curves(rows)
    assert found.proficiency == ((4, 1.0),)
    assert found.retention == ((4, 0.75),)
    assert found.lengths == {1: 3}
    assert found.distances == {"mlp": ((1, 1.0), (2, 2.0), (3, 3.0), (4, 12.0))}
    assert curves([r for r in rows if "step" not in r["measure"]]).disabling == ()
    assert found.disabling == (4,) and found.inflection == Inflection(4, "step")
    assert found.forgetting == "catastrophic"
    assert aggregate(rows)["4"]["weight_distance:mlp"].mean == 12.0
