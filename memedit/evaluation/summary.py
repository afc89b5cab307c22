"""Aggregates: pure functions of rows, with bootstrap intervals over records."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from memedit.evaluation.metrics import (
    DISTANCE,
    EDIT,
    GROUPED,
    HARMONIC,
    METRICS,
    Metric,
    applies,
    grouped,
)
from memedit.evaluation.protocols import CHECKPOINT, IMMEDIATE
from memedit.evaluation.rows import Row

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
        values = {name: _interval(name, v) for name, v in found.items() if v}
        values |= _harmonics(found)
        values |= held.distances(point)
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
        groups = {name: m for base in GROUPED for name, m in grouped(base, self.kinds).items()}
        return {n: m for n, m in METRICS.items() if applies(n, dataset)} | groups

    def records(self, metric: Metric, point: int) -> dict[int, float]:
        """One value per record, by its position in the data."""
        values: dict[int, list[float]] = defaultdict(list)
        for row in self._by[metric.phase, metric.measure]:
            kind = row.get("kind", "")
            wanted = not metric.kinds or kind in metric.kinds or kind.partition(":")[0] in (
                metric.kinds
            )  # fmt: skip
            if wanted and self._at(row, metric.phase, point):
                values[row["index"]].append(row["value"])
        found = {index: _within(metric.within, values[index]) for index in sorted(values)}
        return {i: 1 - v for i, v in found.items()} if metric.complement else found

    def retention(self, point: int) -> dict[int, float]:
        """Of the records whose edit held at once, whether it holds at ``point``."""
        metric = METRICS["gen_efficacy"]
        first = self.records(METRICS["immediate_gen_efficacy"], point)
        now = self.records(metric, point)
        return {i: float(now[i] == 1) for i, value in first.items() if value == 1 and i in now}

    def distances(self, point: int) -> dict[str, Interval]:
        """How far each matrix is from its original after ``point`` cases: one number each."""
        last: dict[str, Row] = {}
        for (phase, measure), rows in self._by.items():
            if phase == EDIT and measure.startswith(DISTANCE):
                before = [row for row in rows if row["edited"] <= point]
                if before:
                    last[measure] = max(before, key=lambda row: row["edited"])
        return {m: Interval(v, v, v, 1) for m, row in last.items() for v in [row["value"]]}

    @staticmethod
    def _at(row: Row, phase: str, point: int) -> bool:
        earlier = phase in {EDIT, IMMEDIATE}
        return bool(row["edited"] <= point if earlier else row["edited"] == point)


def _within(how: str, values: Sequence[float]) -> float:
    """One value of a record's several."""
    if how == "mean":
        return sum(values) / len(values)
    return min(values) if how == "min" else max(values)


def _interval(name: str, records: Mapping[int, float]) -> Interval:
    values = np.array(list(records.values()), dtype=np.float64)
    low, high = interval(values, name)
    worst_is_high = name.startswith(("kl_", "seconds_", "serac_dd", "scope_false"))
    sign = -1.0 if worst_is_high else 1.0
    return Interval(
        mean=float(values.mean()),
        low=low,
        high=high,
        n=len(values),
        p5=sign * float(np.percentile(sign * values, 5)),
        worst=sign * float((sign * values).min()),
    )


def interval(values: Vector, name: str = "") -> tuple[float, float]:
    """95% percentile bootstrap of the mean of ``values`` [n], the same at every call."""
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
    random = np.random.default_rng([zlib.crc32(name.encode()), n])
    block = max(1, min(RESAMPLES, 2_000_000 // n))
    for start in range(0, RESAMPLES, block):
        yield random.integers(0, n, size=(min(block, RESAMPLES - start), n))


def harmonic(values: Sequence[float]) -> float:
    """Harmonic mean; 0 when one of the values is not positive."""
    return len(values) / sum(1 / v for v in values) if all(v > 0 for v in values) else 0.0


def _means(values: Vector) -> Vector:
    """Means over the last axis without the NaN; 0 where there is nothing else."""
    there = ~np.isnan(values)
    total: Vector = np.where(there, values, 0.0).sum(axis=-1)
    means: Vector = total / np.maximum(there.sum(axis=-1), 1)
    return means


def _harmonics(found: Mapping[str, Mapping[int, float]]) -> dict[str, Interval]:
    """Harmonic means of averages; records are resampled for all parts together."""
    result: dict[str, Interval] = {}
    for name, parts in HARMONIC.items():
        if all(found.get(part) for part in parts):
            columns = [found[part] for part in parts]
            everyone = sorted(set().union(*columns))
            values = np.array([[c.get(i, np.nan) for i in everyone] for c in columns])
            mean = harmonic([float(_means(column)) for column in values])
            low, high = _harmonic_interval(values, name, mean)
            result[name] = Interval(mean, low, high, len(everyone))
    return result


def _harmonic_interval(values: Vector, name: str, mean: float) -> tuple[float, float]:
    """95% bootstrap of the harmonic mean of the row means of ``values`` [parts, n]."""
    if values.shape[1] < 2:
        return mean, mean
    means = [[_means(column[draw]) for column in values] for draw in _draws(values.shape[1], name)]
    each = np.concatenate([np.stack(block, axis=1) for block in means])
    low, high = np.percentile([harmonic(list(row)) for row in each.tolist()], [2.5, 97.5])
    return float(low), float(high)
