"""From the event loop to the model's thread and back: one HTTP request's jobs and their events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from torch import Tensor

from memedit.core.types import Decision
from memedit.serving.errors import ApiError
from memedit.serving.local.batching import Batcher, Job, View
from memedit.serving.local.formats import Choice
from memedit.serving.local.sampling import Piece, Sampling

T = TypeVar("T")


class Asking:
    """The jobs of one request. Made and used on the event loop.

    Args:
        batcher: Where they run.
        timeout: Seconds for all of it.
    """

    def __init__(self, batcher: Batcher, timeout: float) -> None:
        self._batcher = batcher
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeout
        self._events: asyncio.Queue[tuple[int, str, Any]] = asyncio.Queue()
        self._early: deque[tuple[int, int, Piece]] = deque()
        self.jobs: list[Job] = []

    def add(self, ids: Tensor, view: View, sampling: Sampling, *, chat: bool) -> None:
        """One more prompt."""
        at = len(self.jobs)
        self.jobs.append(
            Job(
                ids, view, sampling, chat,
                decided=lambda decision, version: self._tell(at, "decided", (decision, version)),
                heard=lambda index, piece: self._tell(at, "heard", (index, piece)),
                failed=partial(self._tell, at, "failed"),
            )
        )  # fmt: skip

    def _tell(self, at: int, kind: str, what: Any) -> None:
        """Called by the model's thread."""
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, (at, kind, what))
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.cancel()

    def cancel(self) -> None:
        """Nobody waits for the answers any more."""
        for job in self.jobs:
            job.cancelled.set()

    async def decided(self) -> list[tuple[Decision, int]]:
        """Submit the jobs; what the scope says of each, with the memory's version.

        Raises:
            ApiError: the queue is full, or time is up.
        """
        self._batcher.submit(*self.jobs)
        found: dict[int, tuple[Decision, int]] = {}
        while len(found) < len(self.jobs):
            at, kind, what = await self._event()
            if kind == "decided":
                found[at] = what
            else:
                # A short answer may be complete before the next prompt is decided.
                self._early.append((at, *what))
        return [found[at] for at in range(len(self.jobs))]

    async def pieces(self) -> AsyncIterator[tuple[int, int, Piece]]:
        """(job, answer's index, what it grew by) until every answer is complete."""
        missing = sum(job.sampling.n for job in self.jobs)
        while missing:
            if self._early:
                piece = self._early.popleft()
            else:
                at, _, what = await self._event()
                piece = (at, *what)
            missing -= piece[2].finish is not None
            yield piece

    async def _event(self) -> tuple[int, str, Any]:
        left = self._deadline - self._loop.time()
        try:
            # Even when time is up, what lies ready is taken.
            at, kind, what = await asyncio.wait_for(self._events.get(), max(left, 0.001))
        except asyncio.TimeoutError:
            raise ApiError(504, "The model took too long.", code="timeout") from None
        if kind == "failed":
            raise what
        return at, kind, what

    async def choices(self, begin: Callable[[int], Choice] = Choice) -> list[Choice]:
        """All answers: those of the first prompt, then of the second.

        Args:
            begin: Makes one, of its place.
        """
        first = [0]
        for job in self.jobs:
            first.append(first[-1] + job.sampling.n)
        found = [begin(at) for at in range(first[-1])]
        async for at, index, piece in self.pieces():
            found[first[at] + index].add(piece)
        return found


async def run_unless_gone(request: Request, asking: Asking, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; cancelled when the client goes away before."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_wait_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "The client went away.", code="client_closed_request")
        return task.result()
    finally:
        if not task.done() or task.cancelled() or task.exception() is not None:
            asking.cancel()
        task.cancel()
        gone.cancel()


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
