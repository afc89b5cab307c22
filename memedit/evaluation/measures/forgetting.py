"""Forgetting curves of sequential editing (Gupta et al. 2024, arXiv 2401.07453), from rows alone.

*Gradual* forgetting is a slow decline of what earlier edits taught; *catastrophic* forgetting an
abrupt one, set off at an *inflection point* by a *disabling edit*. The operational definition: the
inflection point is the first edit after which the moving average of the just-made edits' score is
below half its initial level, or whose step in weight space exceeds five times the running median.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memedit.evaluation.measures.metrics import DISTANCE, EDIT, STEP
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.schedule import CHECKPOINT, IMMEDIATE

WINDOW, STRIDE = 10, 5
_STEEP = 5.0
_ABRUPT = 0.5


@dataclass(frozen=True, slots=True)
class Inflection:
    """The edit (counted from 1) at which editing broke down, and what told: score or step."""

    edit: int
    sign: str


@dataclass(frozen=True, slots=True)
class Curves:
    """Everything about one sequential run.

    Attributes:
        proficiency: (edit, moving average of the score of the edits just made).
        retention: (edits made, fraction of learnt facts still held), per checkpoint.
        lengths: Edit -> how many edits later it was first found forgotten.
        distances: Matrix -> [(edits made, norm of its change)].
        inflection: Where editing broke down; None where it did not.
        disabling: Edits whose step in weight space stands out.
        forgetting: ``"none"``, ``"gradual"`` or ``"catastrophic"``.
    """

    proficiency: tuple[tuple[int, float], ...]
    retention: tuple[tuple[int, float], ...]
    lengths: Mapping[int, int]
    distances: Mapping[str, tuple[tuple[int, float], ...]]
    inflection: Inflection | None
    disabling: tuple[int, ...]
    forgetting: str


def curves(rows: Iterable[Row], measure: str = "gen_contains") -> Curves:
    """The curves of one editor's rows.

    Args:
        rows: Of a protocol that accumulates edits, with immediate scores.
        measure: What counts as holding a fact: ``gen_contains``, ``tf_all``, ``prob_prefers``.
    """
    kept = list(rows)
    immediate, later = _scores(kept, measure)
    far = _group_by_matrix(kept, DISTANCE)
    steps = _steps(_group_by_matrix(kept, STEP))
    averages = moving_average([immediate[i] for i in sorted(immediate)])
    found = find_inflection(averages, steps)
    held = retention(immediate, later)
    return Curves(
        tuple(averages),
        tuple(held),
        forget_lengths(immediate, later),
        {name: tuple(line) for name, line in far.items()},
        found,
        tuple(find_disabling(steps)),
        kind_of_forgetting([fraction for _, fraction in held], found),
    )


def _scores(
    rows: Sequence[Row], measure: str
) -> tuple[dict[int, float], dict[int, dict[int, float]]]:
    """({case: score just after its edit}, {checkpoint: {case: score}}) of efficacy probes."""
    immediate: dict[int, list[float]] = defaultdict(list)
    later: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["measure"] == measure and row.get("kind") == "efficacy":
            if row["phase"] == IMMEDIATE:
                immediate[row["index"]].append(row["value"])
            elif row["phase"] == CHECKPOINT:
                later[row["edited"]][row["index"]].append(row["value"])
    return _means(immediate), {point: _means(each) for point, each in sorted(later.items())}


def _means(values: Mapping[int, Sequence[float]]) -> dict[int, float]:
    return {i: sum(each) / len(each) for i, each in sorted(values.items())}


def _group_by_matrix(rows: Sequence[Row], measure: str) -> dict[str, list[tuple[int, float]]]:
    """Matrix -> [(edits made, value)] of the rows whose measure begins so."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows:
        if row["phase"] == EDIT and row["measure"].startswith(measure):
            found[row["measure"].removeprefix(measure)][row["edited"]] = row["value"]
    return {name: sorted(each.items()) for name, each in sorted(found.items())}


def _steps(steps: Mapping[str, Sequence[tuple[int, float]]]) -> dict[int, float]:
    """Edit -> the norm of the longest of its steps in the matrices."""
    longest: dict[int, float] = defaultdict(float)
    for line in steps.values():
        for edit, norm in line:
            longest[edit] = max(longest[edit], norm)
    return dict(sorted(longest.items()))


def moving_average(
    values: Sequence[float], window: int = WINDOW, stride: int = STRIDE
) -> list[tuple[int, float]]:
    """(number of its last value, mean) of every ``stride``-th window; one of all where too few."""
    if len(values) < window:
        return [(len(values), sum(values) / len(values))] if values else []
    ends = range(window, len(values) + 1, stride)
    return [(end, sum(values[end - window : end]) / window) for end in ends]


def retention(
    immediate: Mapping[int, float], later: Mapping[int, Mapping[int, float]]
) -> list[tuple[int, float]]:
    """(edits made, fraction of the facts learnt by then that still hold) per checkpoint."""
    curve = []
    for point, scores in later.items():
        learnt = [i for i, score in immediate.items() if score == 1 and i in scores]
        if learnt:
            curve.append((point, sum(scores[i] == 1 for i in learnt) / len(learnt)))
    return curve


def forget_lengths(
    immediate: Mapping[int, float], later: Mapping[int, Mapping[int, float]]
) -> dict[int, int]:
    """Edit (from 1) -> first checkpoint at which this learnt fact fails, less the edit."""
    lengths: dict[int, int] = {}
    for i in (i for i, score in immediate.items() if score == 1):
        for point, scores in later.items():
            if i in scores and scores[i] < 1:
                lengths[i + 1] = point - (i + 1)
                break
    return lengths


def find_disabling(steps: Mapping[int, float]) -> list[int]:
    """Edits whose step exceeds five times the median of the steps before it.

    :func:`memedit.evaluation.asking.writing.measure_alone` tells whether such an edit alone
    destroys the model.
    """
    found: list[int] = []
    before: list[float] = []
    for edit, step in steps.items():
        # Of one step there is no usual length yet.
        if len(before) >= 2 and step > _STEEP * statistics.median(before) > 0:
            found.append(edit)
        before.append(step)
    return found


def find_inflection(
    averages: Sequence[tuple[int, float]], steps: Mapping[int, float]
) -> Inflection | None:
    """The earlier of: the average falls below half its first value; a step stands out."""
    signs = [Inflection(edit, "step") for edit in find_disabling(steps)[:1]]
    if averages and averages[0][1] > 0:
        low = [edit for edit, value in averages if value < averages[0][1] / 2]
        signs += [Inflection(edit, "score") for edit in low[:1]]
    return min(signs, key=lambda sign: sign.edit, default=None)


def kind_of_forgetting(retained: Sequence[float], found: Inflection | None) -> str:
    """``catastrophic`` with an inflection or a fall of half between two checkpoints."""
    falls = [a - b for a, b in zip((1.0, *retained), retained, strict=False)]
    if found is not None or any(fall > _ABRUPT for fall in falls):
        return "catastrophic"
    return "gradual" if retained and min(retained) < 1 else "none"
