"""Aggregates: pure functions of rows, with bootstrap intervals over records."""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from memedit.evaluation.measures.derived import DERIVED, Derived
from memedit.evaluation.measures.metrics import (
    DISTANCE,
    EDIT,
    GROUPED,
    METRICS,
    OVERALL,
    PARTS,
    RELATIVE,
    STATES,
    STEP,
    Metric,
    applies,
    is_better_low,
    split_by_group,
)
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.schedule import CHECKPOINT, IMMEDIATE

RESAMPLES = 2_000
Vector: TypeAlias = "npt.NDArray[np.float64]"
Table: TypeAlias = "dict[str, dict[str, Interval]]"
"""{checkpoint: {metric: interval}}"""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` records with its 95% bootstrap interval, and the bad end.

    ``p5`` is the 5th percentile of the records and ``worst`` the worst of them, in the direction
    that is bad for the metric; None for a harmonic mean, which no record has.
    """

    mean: float
    low: float
    high: float
    n: int
    p5: float | None = None
    worst: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def aggregate(rows: Iterable[Row], dataset: str = "") -> Table:
    """Every metric the rows allow, at every checkpoint they reach.

    Args:
        rows: ``{"phase", "edited", "index", "case", "kind", "measure", "value"}`` each.
        dataset: Name of the data set; leaves out what is defined for others.
    """
    held = _Rows(rows)
    table: Table = {}
    for point in held.points:
        found = {n: held.records(metric, point) for n, metric in held.metrics(dataset).items()}
        values = {name: _interval(name, v) for name, v in found.items() if v and name not in PARTS}
        values |= _derive(found, dataset)
        values |= held.states(point)
        if kept := held.retention(point):
            values["retention"] = _interval("retention", kept)
        table[str(point)] = dict(sorted(values.items()))
    return table


class _Rows:
    """Rows by phase and measure."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by: dict[tuple[str, str], list[Row]] = defaultdict(list)
        self.kinds: set[str] = set()
        for row in rows:
            self._by[row["phase"], row["measure"]].append(row)
            self.kinds.add(row.get("kind", ""))
        done = (row for (phase, _), each in self._by.items() for row in each if phase == CHECKPOINT)
        self.points = sorted({row["edited"] for row in done})

    def metrics(self, dataset: str) -> dict[str, Metric]:
        """The metrics of a data set, with those of each group of probes."""
        groups = {
            name: m for base in GROUPED for name, m in split_by_group(base, self.kinds).items()
        }
        known = {**METRICS, **groups, **PARTS}
        return {n: m for n, m in known.items() if applies(n, dataset)}

    def records(self, metric: Metric, point: int) -> dict[int, float]:
        """One value per record, by its position in the data."""
        values: dict[int, list[tuple[str, float]]] = defaultdict(list)
        for row in self._by[metric.phase, metric.measure]:
            kind = row.get("kind", "")
            wanted = not metric.kinds or kind in metric.kinds or kind.partition(":")[0] in (
                metric.kinds
            )  # fmt: skip
            if wanted and self._is_at(row, metric.phase, point):
                values[row["index"]].append((kind, row["value"]))
        found = {index: _reduce_within(metric.within, values[index]) for index in sorted(values)}
        return {i: 1 - v for i, v in found.items()} if metric.complement else found

    def retention(self, point: int) -> dict[int, float]:
        """Of the records whose edit held at once, whether it holds at ``point``."""
        metric = METRICS["gen_efficacy"]
        first = self.records(METRICS["immediate_gen_efficacy"], point)
        now = self.records(metric, point)
        return {i: float(now[i] == 1) for i, value in first.items() if value == 1 and i in now}

    def states(self, point: int) -> dict[str, Interval]:
        """What the editing has come to after ``point`` cases: one number each."""
        last: dict[str, Row] = {}
        for (phase, measure), rows in self._by.items():
            if phase == EDIT and measure.startswith(STATES):
                before = [row for row in rows if row["edited"] <= point]
                if before:
                    last[measure] = max(before, key=lambda row: row["edited"])
        values = {measure: float(row["value"]) for measure, row in last.items()}
        return {m: Interval(v, v, v, 1) for m, v in (values | _overall(values)).items()}

    @staticmethod
    def _is_at(row: Row, phase: str, point: int) -> bool:
        earlier = phase in {EDIT, IMMEDIATE}
        return bool(row["edited"] <= point if earlier else row["edited"] == point)


def _overall(values: Mapping[str, float]) -> dict[str, float]:
    """What single matrices were changed by, as of one long vector."""
    found = {
        OVERALL[part]: math.hypot(*each)
        for part in (DISTANCE, STEP)
        if (each := [v for name, v in values.items() if name.startswith(part)])
    }
    shares = {n.removeprefix(RELATIVE): v for n, v in values.items() if n.startswith(RELATIVE)}
    norms = [values[DISTANCE + name] / share for name, share in shares.items() if share]
    if norms:
        found[OVERALL[RELATIVE]] = found[OVERALL[DISTANCE]] / math.hypot(*norms)
    return found


def _reduce_within(how: str, each: Sequence[tuple[str, float]]) -> float:
    """One value of a record's several, each (kind, value)."""
    values = [value for _, value in each]
    if how == "kinds":
        kinds = sorted({kind for kind, _ in each})
        values = [
            _reduce_within("mean", [pair for pair in each if pair[0] == kind]) for kind in kinds
        ]
    if how in {"mean", "kinds"}:
        return sum(values) / len(values)
    return min(values) if how == "min" else max(values)


def _interval(name: str, records: Mapping[int, float]) -> Interval:
    values = np.array(list(records.values()), dtype=np.float64)
    low, high = interval(values, name)
    sign = -1.0 if is_better_low(name) else 1.0
    return Interval(
        mean=float(values.mean()),
        low=low,
        high=high,
        n=len(values),
        # Turned round where less is better: the bad end is the low one for both.
        p5=sign * float(np.percentile(sign * values, 5)),
        worst=sign * float((sign * values).min()),
    )


def interval(values: Vector, name: str = "") -> tuple[float, float]:
    """95% percentile bootstrap of the mean of ``values`` [n], the same at every call."""
    # Nothing to draw from: every resample has the same mean.
    if len(values) < 2 or bool((values == values[0]).all()):
        mean = float(values.mean())
        return mean, mean
    means = np.concatenate([values[draw].mean(axis=1) for draw in _draws(len(values), name)])
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def bootstrap(values: Vector, name: str = "") -> Iterator[Vector]:
    """RESAMPLES resamples of the rows of ``values`` [n, ...], the same at every call."""
    for block in _draws(len(values), name):
        yield from (values[draw] for draw in block)


def _draws(n: int, name: str) -> Iterable[npt.NDArray[np.int64]]:
    """Resampled positions [b, n] in blocks of bounded size; RESAMPLES rows in all."""
    # Seeded by what is resampled: the same interval in every run, whatever else is measured.
    random = np.random.default_rng([zlib.crc32(name.encode()), n])
    # Blocks of 16 MB at most: all draws over a large data set would take gigabytes.
    block = max(1, min(RESAMPLES, 2_000_000 // n))
    for start in range(0, RESAMPLES, block):
        yield random.integers(0, n, size=(min(block, RESAMPLES - start), n))


def _means(values: Vector) -> Vector:
    """Means over the last axis without the NaN; 0 where there is nothing else."""
    there = ~np.isnan(values)
    total: Vector = np.where(there, values, 0.0).sum(axis=-1)
    means: Vector = total / np.maximum(there.sum(axis=-1), 1)
    return means


def _derive(found: Mapping[str, Mapping[int, float]], dataset: str) -> dict[str, Interval]:
    """The metrics made of others, as far as their parts are there."""
    result: dict[str, Interval] = {}
    for name, how in DERIVED.items():
        columns = [found[part] for part in how.parts if found.get(part)]
        enough = columns if how.some else len(columns) == len(how.parts)
        if enough and applies(name, dataset):
            made = (
                _derive_of_records(name, how, columns)
                if how.records
                else _derive_of_means(name, how, columns)
            )
            if made is not None:
                result[name] = made
    return result


def _derive_of_records(
    name: str, how: Derived, columns: Sequence[Mapping[int, float]]
) -> Interval | None:
    shared = sorted(set(columns[0]).intersection(*columns[1:]))
    values = {i: how.of([column[i] for column in columns]) for i in shared}
    return _interval(name, values) if values else None


def _derive_of_means(
    name: str, how: Derived, columns: Sequence[Mapping[int, float]]
) -> Interval | None:
    """Of the averages; records are resampled for all parts together."""
    everyone = sorted(set().union(*columns))
    # NaN where a record lacks a part: one draw of records then serves all parts.
    values = np.array([[c.get(i, np.nan) for i in everyone] for c in columns])
    mean = how.of([float(_means(column)) for column in values])
    if np.isnan(mean):
        return None
    low, high = _bootstrap_derived(values, name, how, mean)
    return Interval(mean, low, high, len(everyone))


def _bootstrap_derived(values: Vector, name: str, how: Derived, mean: float) -> tuple[float, float]:
    """95% bootstrap of ``how`` of the row means of ``values`` [parts, n]."""
    if values.shape[1] < 2:
        return mean, mean
    means = [[_means(column[draw]) for column in values] for draw in _draws(values.shape[1], name)]
    each = np.concatenate([np.stack(block, axis=1) for block in means])
    low, high = np.nanpercentile([how.of(list(row)) for row in each.tolist()], [2.5, 97.5])
    return float(low), float(high)
