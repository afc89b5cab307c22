"""Protocols: which edits are in memory when which cases are asked about."""

from __future__ import annotations

from typing import Any

import pytest

from memedit import Edit
from memedit.core.errors import InvalidInputError, UnknownNameError
from memedit.data.cases import EvalCase
from memedit.evaluation.schedule import Evaluation, Operation, Reset, checkpoints_of, plan


def cases(*sizes: int) -> list[EvalCase]:
    return [
        EvalCase(str(i), tuple(Edit(f"{i}.{j} is", "x") for j in range(size)), ())
        for i, size in enumerate(sizes)
    ]


def trace(protocol: str, given: list[EvalCase], **options: Any) -> list[str]:
    """``+0.0 is`` edits, ``?0,1@2`` an evaluation (``!`` an immediate one), ``<`` a reset."""
    told = []
    for step in plan(protocol, given, **options):
        if isinstance(step, Operation):
            told.append("+" + ",".join(e.prompt.split()[0] for e in step.edits))
        elif isinstance(step, Evaluation):
            mark = "!" if step.phase == "immediate" else "?"
            told.append(f"{mark}{','.join(map(str, step.cases))}@{step.edited}")
        else:
            assert isinstance(step, Reset)
            told.append("<")
    return told


def test_single_and_instance_restore_after_each_case() -> None:
    given = cases(2, 1)
    assert trace("single", given) == ["+0.0,0.1", "?0@2", "<", "+1.0", "?1@2", "<"]
    assert trace("instance", given) == ["+0.0", "+0.1", "?0@2", "<", "+1.0", "?1@2", "<"]


def test_sequential_accumulates_with_checkpoints() -> None:
    told = trace("sequential", cases(1, 1, 1), checkpoints=(2, 99))
    assert told == ["+0.0", "!0@1", "+1.0", "!1@2", "?0,1@2", "+2.0", "!2@3", "?0,1,2@3"]


def test_batches() -> None:
    given = cases(1, 1, 1)
    assert trace("batch", given) == ["+0.0,1.0,2.0", "?0,1,2@3", "<"]
    assert trace("batch", given, batch=2) == ["+0.0,1.0", "?0,1@3", "<", "+2.0", "?2@3", "<"]
    assert trace("batch-sequential", given, batch=2, checkpoints=(1,)) == [
        "+0.0,1.0", "!0,1@2", "?0,1@2", "+2.0", "!2@3", "?0,1,2@3",
    ]  # fmt: skip


def test_checkpoints_end_with_all() -> None:
    assert checkpoints_of(50, (1, 10, 100)) == (1, 10, 50)
    assert checkpoints_of(3) == (3,)


def test_bad_protocols_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean: sequential"):
        list(plan("sequental", cases(1)))
    with pytest.raises(InvalidInputError, match="batch of 0"):
        list(plan("batch", cases(1), batch=0))
    with pytest.raises(InvalidInputError, match="from 1"):
        list(plan("sequential", cases(1), checkpoints=(0,)))
