"""A backend that is made when the first question comes: what changes edits needs no model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.responses import Response

from memedit.core.protocols import Editor, leaves_of
from memedit.core.types import Edit, Record
from memedit.memory import EditMemory
from memedit.model.correcting import Corrections, find_corrections
from memedit.model.deciding import Decider
from memedit.serving.service import Backend, Caller, Question
from memedit.serving.trials import Trials


class Deferred:
    """Stands for a backend until somebody asks something.

    Args:
        memory: The edits.
        make: Makes the backend; loads its model.
        scope: Says what a new edit corrects; None: the default one.
        editor: Gives the editor that will answer, which may need a subject, say; None: one that
            takes every edit.
    """

    trials: Trials | None = None

    def __init__(
        self,
        memory: EditMemory,
        make: Callable[[], Backend],
        scope: str | None = None,
        editor: Callable[[], Editor] | None = None,
    ) -> None:
        self._memory, self._make, self._scope = memory, make, scope
        self._make_editor = editor
        self._lock = anyio.Lock()
        self._made: Backend | None = None

    async def _backend(self) -> Backend:
        async with self._lock:
            # Within the lock: of questions that come together one loads, the others wait for it.
            if self._made is None:
                made = await run_sync(self._make)
                await made.start()
                self._made = made
            return self._made

    async def start(self) -> None:
        """Nothing to do: nobody asked yet."""

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()

    async def ready(self) -> str:
        return "" if self._made is None else await self._made.ready()

    async def chat(self, request: Request, caller: Caller, body: bytes) -> Response:
        return await (await self._backend()).chat(request, caller, body)

    async def completions(self, request: Request, caller: Caller, body: bytes) -> Response:
        return await (await self._backend()).completions(request, caller, body)

    async def responses(self, request: Request, caller: Caller, body: bytes) -> Response:
        return await (await self._backend()).responses(request, caller, body)

    async def messages(self, request: Request, caller: Caller, body: bytes) -> Response:
        return await (await self._backend()).messages(request, caller, body)

    async def count_tokens(self, request: Request, caller: Caller, body: bytes) -> Response:
        return await (await self._backend()).count_tokens(request, caller, body)

    async def models(self, request: Request, id: str | None = None) -> Response:
        return await (await self._backend()).models(request, id)

    async def other(self, request: Request, body: bytes) -> Response:
        return await (await self._backend()).other(request, body)

    async def explain(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        return await (await self._backend()).explain(questions)

    async def explain_live(self, question: Question) -> AsyncIterator[dict[str, Any]]:
        async for part in (await self._backend()).explain_live(question):
            yield part

    def check(self, edit: Edit) -> None:
        from memedit.model.fitting import check_needs  # torch, which the tools begin without

        for editor in self._editors:
            check_needs(edit, editor)

    def corrections(
        self, edit: Edit, namespace: str, moment: datetime | None, but: Record | None = None
    ) -> Corrections:
        if not len(self._memory):
            return Corrections()
        return find_corrections(self._decider, edit, namespace, moment, but=but)

    @cached_property
    def _editors(self) -> tuple[Editor, ...]:
        return () if self._make_editor is None else leaves_of(self._make_editor())

    @cached_property
    def _decider(self) -> Decider:
        return Decider(self._memory, self._scope)
