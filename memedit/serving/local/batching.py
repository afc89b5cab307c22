"""Dynamic batching: one thread owns the model and answers what has come in meanwhile, together.

A batch holds requests with different edits, different options, or none. The scope is asked first,
tenant by tenant; then all rows out of scope are generated at once, and the rows in scope of each
view (tenant, date) at once. One request that fails does not take its neighbours with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from torch import Tensor

from memedit.core.calls import Batch, Completion, Row
from memedit.core.errors import ContextOverflowError
from memedit.core.moments import Moment
from memedit.core.phases import Told, hearing_phases, tell
from memedit.core.types import Decision
from memedit.model.editable import EditableModel
from memedit.serving.errors import ApiError
from memedit.serving.local.sampling import (
    Chooser,
    Generation,
    Listener,
    Piece,
    Sampling,
    Watcher,
)
from memedit.serving.local.thinking import Aside, Translating

log = logging.getLogger(__name__)
T = TypeVar("T")
_LEAST = 32  # tokens of an edited answer, where the window has no room for all that were asked for


@dataclass(frozen=True, slots=True)
class View:
    """Whose edits count, and as of when; ``edited=False``: nobody's."""

    namespace: str
    as_of: Moment | None = None
    edited: bool = True


@dataclass(slots=True, eq=False)
class Job:
    """One prompt to answer.

    Attributes:
        ids: [T] token ids.
        chat: Whether the prompt is a rendered chat, whose reply begins with a word.
        decided: Told (decision, memory version) before generation begins.
        heard: Told (answer's index, piece) as answers grow.
        failed: Told the error, instead.
        cancelled: Set by whoever no longer waits.
        tokens: Generated so far by complete answers.
        thoughts: What the base thought about the prompt before it was answered, for an editor or
            to put it into English, by what it was asked -> tokens of it.
    """

    ids: Tensor
    view: View
    sampling: Sampling
    chat: bool
    decided: Callable[[Decision, int], None]
    heard: Callable[[int, Piece], None]
    failed: Callable[[Exception], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    tokens: int = 0
    thoughts: dict[str, int] = field(default_factory=dict)

    @property
    def thought(self) -> int:
        """Tokens of all its thoughts."""
        return sum(self.thoughts.values())

    def generation(self, index: int, decode: Callable[[Sequence[int]], str]) -> Generation:
        def hear(at: int, piece: Piece) -> None:
            if piece.finish is not None:
                self.tokens += len(made.tokens)
            self.heard(at, piece)

        made = Generation(index, self.sampling, decode, hear, self.cancelled.is_set)
        return made


@dataclass(slots=True, eq=False)
class _Row:
    job: Job
    row: Row
    generation: Generation
    edited: bool


class Batcher:
    """The queue and the thread that works it off.

    Args:
        model: Nobody else may generate with it.
        max_batch, max_tokens: Sequences and padded prompt tokens of one batch.
        wait: Seconds the first job of a batch waits for others.
        max_queue: Sequences that may wait.
        ran: Told the size of each batch.
        spent: Told the seconds of each phase.
    """

    def __init__(
        self,
        model: EditableModel,
        *,
        max_batch: int,
        max_tokens: int,
        wait: float,
        max_queue: int,
        ran: Callable[[int], Any] = lambda size: None,
        spent: Told | None = None,
    ) -> None:
        self.model = model
        self._max_batch, self._max_tokens = max_batch, max_tokens
        self._wait, self._max_queue, self._ran = wait, max_queue, ran
        self._spent = spent
        self._jobs: deque[Job] = deque()
        self._spare: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="memedit-model", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Sequences that wait."""
        return sum(job.sampling.n for job in list(self._jobs))

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closed

    def submit(self, *jobs: Job) -> None:
        """Queue jobs, all or none.

        Raises:
            ApiError: 503, the queue is full or closed.
        """
        with self._ready:
            wanted = sum(job.sampling.n for job in jobs)
            if self._closed:
                raise _make_shutting_down()
            # Where nobody waits, what is larger than the queue is taken: it never would be else.
            if self._jobs and len(self) + wanted > self._max_queue:
                raise ApiError(
                    503, "Too many requests wait already; try again shortly.", code="overloaded",
                    headers={"Retry-After": "1"},
                )  # fmt: skip
            self._jobs.extend(jobs)
            self._ready.notify()

    async def spare(self, work: Callable[[], T]) -> T:
        """The result of ``work``, done in this thread while nobody waits for an answer.

        Raises:
            ApiError: 503, the batcher is closed. And what ``work`` raises.
        """
        future: Future[T] = Future()
        with self._ready:
            if self._closed:
                raise _make_shutting_down()
            self._spare.append((work, future))
            self._ready.notify()
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish the batch that runs, fail what waits, and end the thread."""
        with self._ready:
            self._closed = True
            waiting, self._jobs = list(self._jobs), deque()
            spare, self._spare = list(self._spare), deque()
            self._ready.notify()
        for _, future in spare:
            future.cancel()
        for job in waiting:
            job.failed(_make_shutting_down())
        # Not for ever: a batch that hangs must not keep the server from ending.
        self._thread.join(timeout=30)

    # -- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        while jobs := self._take_next():
            try:
                with hearing_phases(self._spent):
                    self._answer(jobs)
            except Exception as error:  # the thread must outlive whatever a request does
                log.exception("A batch failed.")
                for job in jobs:
                    job.failed(error)

    def _take_next(self) -> list[Job]:
        """The next batch, none of it cancelled; empty: the end."""
        while True:
            with self._ready:
                while not self._jobs and not self._spare and not self._closed:
                    self._ready.wait()
                if self._closed:
                    return []
                spare = None if self._jobs else self._spare.popleft()
            if spare is not None:
                _do(*spare)
                continue
            with self._ready:
                # Others that come in a few milliseconds cost the batch next to nothing.
                deadline = time.monotonic() + self._wait
                while len(self) < self._max_batch and not self._closed:
                    if not self._ready.wait(max(0.0, deadline - time.monotonic())):
                        break
                chosen = self._take()
            if live := [job for job in chosen if not job.cancelled.is_set()]:
                return live

    def _take(self) -> list[Job]:
        chosen: list[Job] = []
        rows = longest = 0
        while self._jobs:
            job = self._jobs[0]
            rows, longest = rows + job.sampling.n, max(longest, len(job.ids))
            # Padded: a batch costs its longest prompt times its rows.
            if chosen and (rows > self._max_batch or rows * longest > self._max_tokens):
                break
            chosen.append(self._jobs.popleft())
        return chosen

    def _answer(self, jobs: Sequence[Job]) -> None:
        rows = [row for view in _views(jobs) for row in self._decide(view, jobs)]
        self._ran(len(rows))
        # What no edit concerns is the same for every tenant: one call for all of them.
        outside = [row for row in rows if not row.edited]
        if outside:
            self._generate(None, outside)
        for view in _views(jobs):
            if inside := [r for r in rows if r.edited and r.job.view == view]:
                self._generate(view, inside)

    def _decide(self, view: View, jobs: Sequence[Job]) -> list[_Row]:
        """The rows of one view's jobs, each job told of its decision."""
        mine = [job for job in jobs if job.view == view]
        try:
            with self._use_view(view):
                version = self.model.memory.version if view.edited else 0
                aside = Translating(self.model, mine)
                decided = self.model.rows_of([job.ids for job in mine], aside)
                edited = [self.model.concerns(row) for row in decided]
        except Exception as error:
            for job in mine:
                job.failed(error)
            return []
        rows = list[_Row]()
        for job, row, concerned in zip(mine, decided, edited, strict=True):
            job.decided(row.decision, version)
            try:
                rows += self._begin(job, row, concerned)
            except Exception as error:
                job.failed(error)
        return rows

    def _begin(self, job: Job, row: Row, edited: bool) -> list[_Row]:
        """The rows of one job: one for each answer that is wanted."""
        wanted, rows = job.sampling, list[_Row]()

        def decode(ids: Sequence[int]) -> str:
            return self.model.engine.codec.text(_tensor(ids), special=wanted.special)

        for index in range(wanted.n):
            generation = job.generation(index, decode)
            generation.trim = job.chat and self.model.reads(row.decision)
            # Its identity tells several answers to one prompt apart: see _Call.
            own = replace(row, ids=job.ids.clone(), formed=wanted.shape is not None)
            rows.append(_Row(job, own, generation, edited))
        return rows

    def _use_view(self, view: View) -> AbstractContextManager[Any]:
        stack = ExitStack()
        stack.enter_context(self.model.using(namespace=view.namespace, as_of=view.as_of))
        if not view.edited:
            stack.enter_context(self.model.unedited())
        return stack

    def _generate(self, view: View | None, rows: Sequence[_Row], most: int | None = None) -> None:
        """Answer rows together; one by one where that fails."""
        limit = max(row.job.sampling.max_tokens for row in rows) if most is None else most
        # Greedy: rows that sample choose by a processor of their own, each with its seed.
        options = {"max_new_tokens": limit, "do_sample": False}
        try:
            with self._use_view(view) if view is not None else ExitStack():
                call = _Call(self.model, rows)
                aside = Aside(self.model, {id(row.row.ids): row.job for row in rows})
                answers = self.model.answer_rows([row.row for row in rows], call, options, aside)
            for row, answer in zip(rows, answers, strict=True):
                _settle(row, answer, self.model.engine.eos())
        except Exception as error:
            waiting = [row for row in rows if row.generation.finish is None]
            if len(rows) > 1:
                for row in waiting:
                    if row.generation.tokens:  # already heard: cannot begin again
                        row.job.failed(error)
                    else:
                        self._generate(view, [row])
            elif isinstance(error, ContextOverflowError) and most is None and limit > _LEAST:
                self._generate(view, rows, _LEAST)
            else:
                rows[0].job.failed(error)


class _Call:
    """Stands in for the engine's ``generate``: the same, with every token heard."""

    def __init__(self, model: EditableModel, rows: Sequence[_Row]) -> None:
        self._engine, self._ends = model.engine, model.engine.eos()
        self._generations = {id(row.row.ids): row.generation for row in rows}
        self._answers: dict[int, Completion] = {}

    def __call__(self, batch: Batch) -> list[Completion]:
        """An editor may call again with rows that are done (after an overflow of others)."""
        new = [i for i, row in enumerate(batch.rows) if id(row.ids) not in self._answers]
        if new:
            fresh = batch.only(new)
            for row, answer in zip(fresh.rows, self._hear(fresh), strict=True):
                self._answers[id(row.ids)] = answer
        return [self._answers[id(row.ids)] for row in batch.rows]

    def _hear(self, batch: Batch) -> list[Completion]:
        mine = [self._generations[id(row.ids)] for row in batch.rows]
        stops = self._engine.codec.stops(batch.stop)
        options = dict(batch.options)
        choosing: list[Any] = [Watcher(mine)] if any(each.watched for each in mine) else []
        if any(generation.sampling.steers for generation in mine):
            # Sampling may draw the stop of an editor's form first, which greedy decoding does not.
            not_first = [*stops, *self._ends] if stops else []
            choosing.append(Chooser(mine, not_first))
        if choosing:
            options["logits_processor"] = choosing
        listener = Listener(mine, self._ends | frozenset(stops))
        options["stopping_criteria"] = [listener]
        begun = time.perf_counter()
        answers = self._engine.generate(replace(batch, options=options))
        ended = time.perf_counter()
        first = ended if listener.first is None else listener.first
        tell("prefill", first - begun)
        tell("decode", ended - first)
        return answers


def _do(work: Callable[[], Any], future: Future[Any]) -> None:
    """Settle a future, unless nobody waits for it any more."""
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)


def _make_shutting_down() -> ApiError:
    return ApiError(503, "The server is shutting down.", code="shutting_down")


def _settle(row: _Row, answer: Completion, ends: frozenset[int]) -> None:
    """Complete what was not heard token by token: an answer by another model."""
    generation = row.generation
    if row.row.formed and generation.finish is None and not generation.tokens:
        raise ApiError(
            400, "The editor answers with another model, which cannot be kept to a form: leave "
            "out response_format and tools, or serve with --editor auto.",
            code="unsupported_parameter",
        )  # fmt: skip
    if generation.finish is None and not generation.tokens and answer.ids is not None:
        for token in answer.ids[0].tolist():
            if generation.push(token, ends):
                break
    generation.close("length" if len(generation.tokens) >= row.job.sampling.max_tokens else "stop")


def _views(jobs: Sequence[Job]) -> list[View]:
    return list(dict.fromkeys(job.view for job in jobs))


def _tensor(ids: Sequence[int]) -> Tensor:
    import torch

    return torch.tensor(ids, dtype=torch.long)
