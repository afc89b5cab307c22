"""Editing protocols: in which order edits are made, taken back and evaluated.

Modes of arXiv 2401.04700: *single* restores after every case, *sequential* lets edits accumulate;
*instance* makes one fact per operation, *batch* several.

| protocol | operation | before the next one | evaluated |
|---|---|---|---|
| ``single`` | one case | restored | after each case |
| ``instance`` | one fact of one case | restored after the case | after each case |
| ``sequential`` | one fact | accumulates | each case at once, all so far at checkpoints |
| ``batch`` | ``batch`` cases | restored | the batch |
| ``batch-sequential`` | ``batch`` cases | accumulates | the batch at once, all at checkpoints |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from memedit.core.errors import InvalidInputError
from memedit.core.registry import unknown_name
from memedit.core.types import Edit
from memedit.data.cases import EvalCase

T = TypeVar("T")

PROTOCOLS = ("batch", "batch-sequential", "instance", "sequential", "single")
IMMEDIATE, CHECKPOINT = "immediate", "checkpoint"


@dataclass(frozen=True, slots=True)
class Operation:
    """Edits made in one call. ``cases`` are the positions of the cases they complete."""

    edits: tuple[Edit, ...]
    cases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Cases asked about in the present state of the memory.

    ``phase`` is ``"immediate"`` (just after their edit) or ``"checkpoint"``; ``edited`` the number
    of cases edited so far, or for protocols that restore, the number of cases of the run.
    """

    phase: str
    edited: int
    cases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reset:
    """Every edit is taken back."""


Action = Operation | Evaluation | Reset


def accumulates(protocol: str) -> bool:
    """Whether the edits of all cases end up in memory together.

    Raises:
        UnknownNameError: no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise unknown_name("protocol", protocol, PROTOCOLS)
    return protocol in {"sequential", "batch-sequential"}


def checkpoints_of(n: int, wanted: Sequence[int] = ()) -> tuple[int, ...]:
    """The checkpoints up to ``n``, and ``n`` itself.

    Raises:
        InvalidInputError: a checkpoint below 1.
    """
    if any(point < 1 for point in wanted):
        raise InvalidInputError("Checkpoints are numbers of edited cases, from 1.")
    return tuple(sorted({point for point in wanted if point < n} | {n}))


def plan(
    protocol: str,
    cases: Sequence[EvalCase],
    *,
    batch: int | None = None,
    checkpoints: Sequence[int] = (),
) -> Iterator[Action]:
    """The steps of a protocol, in order.

    Args:
        protocol: One of :data:`PROTOCOLS`.
        cases: What is edited and asked.
        batch: Cases per operation of the batch protocols; all by default.
        checkpoints: Numbers of edited cases at which all cases so far are evaluated.

    Raises:
        UnknownNameError: no such protocol.
        InvalidInputError: a batch or checkpoint below 1.
    """
    if batch is not None and batch < 1:
        raise InvalidInputError(f"A batch of {batch} cases is none.")
    everything = tuple(range(len(cases)))
    size = (batch or len(cases)) if protocol.startswith("batch") else 1
    groups = [tuple(chunk) for chunk in chunks(everything, size)]
    if accumulates(protocol):
        points = checkpoints_of(len(cases), checkpoints)
        yield from _plan_accumulating(protocol, cases, groups, points)
    else:
        yield from _plan_restoring(protocol, cases, groups)


def _operations(
    protocol: str, cases: Sequence[EvalCase], group: tuple[int, ...]
) -> Iterator[Operation]:
    if protocol in {"sequential", "instance"}:
        edits = [edit for i in group for edit in cases[i].edits]
        for number, edit in enumerate(edits, start=1):
            # Only its last fact completes a case.
            yield Operation((edit,), group if number == len(edits) else ())
    else:
        yield Operation(tuple(e for i in group for e in cases[i].edits), group)


def _plan_restoring(
    protocol: str, cases: Sequence[EvalCase], groups: Sequence[tuple[int, ...]]
) -> Iterator[Action]:
    for group in groups:
        yield from _operations(protocol, cases, group)
        yield Evaluation(CHECKPOINT, len(cases), group)
        yield Reset()


def _plan_accumulating(
    protocol: str,
    cases: Sequence[EvalCase],
    groups: Sequence[tuple[int, ...]],
    points: Sequence[int],
) -> Iterator[Action]:
    left = list(points)
    for group in groups:
        yield from _operations(protocol, cases, group)
        done = group[-1] + 1
        yield Evaluation(IMMEDIATE, done, group)
        if left and done >= left[0]:  # a batch may step over several
            yield Evaluation(CHECKPOINT, done, tuple(range(done)))
            left = [point for point in left if point > done]


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``items`` in runs of ``size``; the last may be shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
