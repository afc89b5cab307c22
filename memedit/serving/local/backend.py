"""The backend that holds the model itself."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from torch import Tensor

from memedit.core.types import Decision, Edit, Record
from memedit.model.correcting import Corrections, find_corrections
from memedit.model.editable import EditableModel
from memedit.model.explanation import Explanation
from memedit.serving import receipts
from memedit.serving.errors import api_error
from memedit.serving.local.asking import Asking, run_unless_gone
from memedit.serving.local.batching import Batcher, Job, View
from memedit.serving.local.fields import read_request
from memedit.serving.local.formats import DONE, Choice, Form, Grown, Usage, event, named_event
from memedit.serving.local.parsing import UNEDITED, Parsed, RequestReader
from memedit.serving.local.rendering import Renderer
from memedit.serving.local.sampling import Sampling
from memedit.serving.lost import explain_lost
from memedit.serving.messages import CountRequest, MessagesRequest, Said
from memedit.serving.metrics import Metrics
from memedit.serving.replies import Reply, ResponsesRequest
from memedit.serving.schemas import ChatRequest, CompletionRequest, Message
from memedit.serving.service import Caller, Question
from memedit.serving.settings import Settings
from memedit.serving.trials import Trials

_ReplyAs = Callable[[str, list[dict[str, Any]], int], Reply | Said]
"""Of the model's name, the receipts, and the prompt's tokens."""


class LocalBackend:
    """Answers with a model in this process.

    Args:
        model: Nobody else may generate with it.
        settings: Of the server.
        metrics: Told of decisions, tokens and batches.
    """

    def __init__(self, model: EditableModel, settings: Settings, metrics: Metrics) -> None:
        self.model, self.settings, self.metrics = model, settings, metrics
        size = model.base.get_input_embeddings().weight.shape[0]
        self.renderer = Renderer(model.tokenizer, size)
        self.reader = RequestReader(model, settings, self.renderer)
        self._created = int(time.time())
        self._fingerprint = f"memedit-{model.engine.fingerprint[:12]}"
        self.batcher = Batcher(
            model,
            max_batch=settings.max_batch,
            max_tokens=settings.max_batch_tokens,
            wait=settings.batch_wait,
            max_queue=settings.max_queue,
            ran=metrics.batch.observe,
            spent=metrics.spent,
        )
        metrics.queue.set_function(lambda: len(self.batcher))
        self.trials = Trials(model, self.batcher.spare, model.is_chat)

    async def start(self) -> None:
        """Nothing to do: the model is loaded."""

    async def close(self) -> None:
        await self.trials.close()
        await run_in_threadpool(self.batcher.close)

    async def ready(self) -> str:
        return "" if self.batcher.alive else "The model's thread has ended."

    def check(self, edit: Edit) -> None:
        self.model.check_edit(edit)

    def corrections(
        self, edit: Edit, namespace: str, moment: datetime | None, but: Record | None = None
    ) -> Corrections:
        return find_corrections(self.model.decider, edit, namespace, moment, but=but)

    # OpenAI's routes

    async def models(self, request: Request, id: str | None = None) -> Response:
        names = [self.settings.model_name, self.settings.model_name + UNEDITED]
        data = [
            {"id": name, "object": "model", "created": self._created, "owned_by": "memedit"}
            for name in names
        ]
        if id is None:
            return JSONResponse({"object": "list", "data": data})
        if id not in names:
            raise self.reader.no_model(id)
        return JSONResponse(data[names.index(id)])

    async def other(self, request: Request, body: bytes) -> Response:
        raise explain_lost(request)

    async def chat(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = read_request(ChatRequest, body)
        return await self._answer(request, await self._read_chat(request, caller, wanted))

    async def _read_chat(self, request: Request, caller: Caller, wanted: ChatRequest) -> Parsed:
        view, name = self.reader.check(wanted, caller)
        # The guard has waited for the header's version; a body may name one, too.
        await request.state.wait_until(wanted.memedit.min_version)
        return await run_in_threadpool(self.reader.chat, wanted, view, name, caller)

    async def responses(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = read_request(ResponsesRequest, body)
        id, now, offered = f"resp_{secrets.token_hex(12)}", int(time.time()), wanted.offered()
        return await self._message(
            request, caller, wanted.chat(),
            lambda name, told, prompt: Reply(id, now, name, told, offered),
        )  # fmt: skip

    async def messages(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = read_request(MessagesRequest, body).chat()
        id = f"msg_{secrets.token_hex(12)}"
        return await self._message(
            request, caller, wanted, lambda name, told, prompt: Said(id, name, told, prompt)
        )

    async def count_tokens(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = read_request(CountRequest, body).chat()
        ids, _ = await run_in_threadpool(self.reader.render, wanted)
        return JSONResponse({"input_tokens": len(ids)})

    async def _message(
        self, request: Request, caller: Caller, wanted: ChatRequest, reply_as: _ReplyAs
    ) -> Response:
        """Answer a chat in a form that is one message, whole or as events."""
        parsed = await self._read_chat(request, caller, wanted)
        asking = self._asking(parsed)
        decided = await run_unless_gone(request, asking, asking.decided())
        told = [self._make_receipt(parsed, *each) for each in decided]
        reply = reply_as(parsed.model, told, len(parsed.prompts[0]))
        headers = receipts.header(told)
        if not parsed.stream:
            made = await run_unless_gone(request, asking, asking.choices(parsed.begin_choice))
            return JSONResponse(reply.whole(made[0], self._usage(asking)), headers=headers)
        headers["Cache-Control"] = "no-cache"
        events = self._reply_events(asking, reply, parsed.begin_choice(0))
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _reply_events(
        self, asking: Asking, reply: Reply | Said, choice: Choice
    ) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[Grown]:
            async for _, _, piece in asking.pieces():
                yield choice.add(piece)

        try:
            async for part in reply.events(pieces(), lambda: self._usage(asking)):
                yield part
        except Exception as error:
            # The status is out: an error can only be the last event.
            yield named_event(reply.failed(api_error(error)))
        finally:
            asking.cancel()

    async def completions(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = read_request(CompletionRequest, body)
        view, name = self.reader.check(wanted, caller)
        await request.state.wait_until(wanted.memedit.min_version)
        parsed = await run_in_threadpool(self.reader.completion, wanted, view, name)
        return await self._answer(request, parsed)

    # Answering

    def _asking(self, parsed: Parsed) -> Asking:
        asking = Asking(self.batcher, self.settings.timeout)
        for ids in parsed.prompts:
            asking.add(ids, parsed.view, parsed.sampling, chat=parsed.chat)
        return asking

    async def _answer(self, request: Request, parsed: Parsed) -> Response:
        asking = self._asking(parsed)
        decided = await run_unless_gone(request, asking, asking.decided())
        told = [self._make_receipt(parsed, *each) for each in decided]
        prefix = "chatcmpl" if parsed.chat else "cmpl"
        form = Form(
            id=f"{prefix}-{secrets.token_hex(12)}",
            created=int(time.time()),
            model=parsed.model,
            fingerprint=self._fingerprint,
            chat=parsed.chat,
            receipts=told,
            echo=[text for text in parsed.echo for _ in range(parsed.sampling.n)],
            tokens=None if parsed.sampling.logprobs is None else self.renderer.token,
        )
        headers = receipts.header(told)
        if parsed.stream:
            events = self._events(asking, parsed, form)
            headers["Cache-Control"] = "no-cache"
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        choices = await run_unless_gone(request, asking, asking.choices(parsed.begin_choice))
        return JSONResponse(form.whole(choices, self._usage(asking)), headers=headers)

    def _make_receipt(self, parsed: Parsed, decision: Decision, version: int) -> dict[str, Any]:
        self.metrics.decided(parsed.view.namespace, decision)
        formed = parsed.sampling.shape is not None
        editor = self.model.answering(decision, chat=parsed.chat, formed=formed)
        return receipts.receipt(decision, version, editor)

    def _usage(self, asking: Asking) -> Usage:
        prompt = sum(len(job.ids) for job in asking.jobs)
        thought = sum(job.thought for job in asking.jobs)
        usage = Usage(prompt, sum(job.tokens for job in asking.jobs) + thought, thought)
        self.metrics.tokens.labels("prompt").inc(usage.prompt)
        self.metrics.tokens.labels("completion").inc(usage.completion)
        return usage

    async def _events(self, asking: Asking, parsed: Parsed, form: Form) -> AsyncIterator[bytes]:
        n = parsed.sampling.n
        choices = [parsed.begin_choice(at) for at in range(n * len(asking.jobs))]
        try:
            for at in range(len(choices)):
                yield event(form.opening(at))
            async for job, index, piece in asking.pieces():
                for chunk in form.chunks(choices[job * n + index].add(piece)):
                    yield event(chunk)
            usage = self._usage(asking)
            if parsed.wants_usage:
                yield event(form.usage(usage))
            yield DONE
        except Exception as error:
            # As above: the status is out.
            yield event(api_error(error).body())
        finally:
            asking.cancel()

    # Explaining

    async def explain(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        asking = Asking(self.batcher, self.settings.timeout)
        for question in questions:
            await self._ask_both(asking, question)
        try:
            decided, choices = await asking.decided(), await asking.choices()
        finally:
            asking.cancel()
        self._usage(asking)
        return [
            self._explain(question, decided[2 * i], choices[2 * i : 2 * i + 2], asking.jobs[2 * i])
            for i, question in enumerate(questions)
        ]

    async def explain_live(self, question: Question) -> AsyncIterator[dict[str, Any]]:
        asking = Asking(self.batcher, self.settings.timeout)
        await self._ask_both(asking, question)
        said = [Choice(), Choice()]
        try:
            decided = await asking.decided()
            async for at, _, piece in asking.pieces():
                said[at].add(piece)
                yield {"of": ("answer", "base_answer")[at], "text": piece.text}
        finally:
            asking.cancel()
        self._usage(asking)
        yield self._explain(question, decided[0], said, asking.jobs[0])

    async def _ask_both(self, asking: Asking, question: Question) -> None:
        """With the edits and without, in one batch: the answer, and what the base would say."""
        chat, ids = await run_in_threadpool(self._encode_question, question)
        sampling = Sampling(max_tokens=self.reader.room(len(ids), None), temperature=0)
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, question.max_tokens))
        view = View(question.namespace, question.as_of, not self.settings.bare)
        for edited in (view, replace(view, edited=False)):
            asking.add(ids, edited, sampling, chat=chat)

    def _encode_question(self, question: Question) -> tuple[bool, Tensor]:
        chat = self.model.is_chat(question.query) if question.chat is None else question.chat
        if chat:
            return True, self.renderer.render([Message(role="user", content=question.query)])
        return False, self.renderer.ids(question.query)

    def _explain(
        self,
        question: Question,
        decided: tuple[Decision, int],
        choices: Sequence[Choice],
        job: Job,
    ) -> dict[str, Any]:
        decision, version = decided
        self.metrics.decided(question.namespace, decision)
        answer, base = (choice.text.strip() for choice in choices)
        editor = self.model.answering(decision, chat=job.chat)
        return Explanation(question.query, answer, base, decision, editor, version).to_dict()
