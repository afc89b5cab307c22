"""How far a fit has come: told where the work is done, heard where it was asked for.

An editor's ``fit`` calls :func:`report` with the number of its edits that are done; whoever asked
for the fit hears of it through :func:`hearing`. Nothing is told between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_heard: ContextVar[Callable[[int], None]] = ContextVar("heard", default=lambda done: None)


def report(done: int) -> None:
    """Tell that so many edits are done. Costs nothing where nobody listens."""
    _heard.get()(done)


def count_done(items: Sequence[T]) -> Iterator[T]:
    """The items, one by one; asked for the next, it reports those before it as done."""
    for number, item in enumerate(items, 1):
        yield item
        report(number)


@contextmanager
def hearing(heard: Callable[[int], None] | None) -> Iterator[None]:
    """``heard`` is called with what is reported in the block, where it is more than before."""
    most = 0

    def report_progress(done: int) -> None:
        nonlocal most
        if heard is not None and done > most:
            most = done
            heard(done)

    token = _heard.set(report_progress)
    try:
        yield
    finally:
        _heard.reset(token)
