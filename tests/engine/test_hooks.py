"""Hooks live as long as their block, wherever it is broken off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
import torch

from memedit.engine.hooks import watch
from tests.helpers import tiny_model

SITES = ("model.layers.0", "model.layers.1")


@contextmanager
def interrupted_at(line: int) -> Iterator[list[int]]:
    """Ctrl-C before the so-manieth line of Python that runs in the block; told is how many ran."""
    ran = [0]

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        ran[0] += event == "line"
        if ran[0] == line:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield ran
    finally:
        sys.settrace(before)


def hooks_of(base: Any) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in base.modules())


def enter(base: Any, line: int) -> bool:
    """Whether the block was entered and left before that line."""
    try:
        with interrupted_at(line) as ran:
            with watch(base, {SITES[0]: lambda *_: None}, {SITES[1]: lambda *_: None}):
                pass
        return ran[0] < line
    except KeyboardInterrupt:
        return False


# What is raised in a destructor, which finds nothing left to do, Python can only print.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_leaves_no_hook() -> None:
    """The fault: between torch's taking a hook and our keeping its handle, and while they were
    taken out, Ctrl-C left one for good, and later answers were changed by it."""
    base, line = tiny_model(), 1
    while not enter(base, line):
        assert hooks_of(base) == 0, f"at line {line}"
        line += 1
    assert line > 20 and hooks_of(base) == 0


def test_what_is_taken_out_is_in_none_of_torchs_books() -> None:
    base = tiny_model()
    layer = base.get_submodule(SITES[0])
    with watch(base, {SITES[0]: lambda *_: None}, {SITES[0]: lambda *_: None}):
        assert hooks_of(base) == 2
        base(input_ids=torch.tensor([[4, 5]]))
    assert hooks_of(base) == 0
    assert not layer._forward_hooks_with_kwargs and not layer._forward_pre_hooks_with_kwargs
