"""The backend that holds the model itself."""

from __future__ import annotations

import copy
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from torch import Tensor

from memedit.core.chat import has_template
from memedit.core.types import Decision, Edit
from memedit.model.correcting import Corrections, find_corrections
from memedit.model.editable import EditableModel
from memedit.model.explanation import Explanation
from memedit.serving import receipts
from memedit.serving.errors import ApiError, api_error
from memedit.serving.local.asking import Asking, run_unless_gone
from memedit.serving.local.batching import Batcher, Job, View
from memedit.serving.local.formats import DONE, Choice, Form, Usage, event, named_event
from memedit.serving.local.sampling import Sampling
from memedit.serving.messages import CountRequest, MessagesRequest, Said
from memedit.serving.metrics import Metrics
from memedit.serving.replies import Reply, ResponsesRequest
from memedit.serving.schemas import ChatRequest, CompletionRequest, Message, _Common
from memedit.serving.service import Caller, Question
from memedit.serving.settings import Settings
from memedit.serving.trials import Trials

UNEDITED = ":unedited"
"""Put behind the model's name, it names the model without its edits."""
_PLAIN: dict[str, tuple[Any, ...]] = {
    "tools": (None, []), "tool_choice": (None, "none", "auto"), "functions": (None, []),
    "function_call": (None, "none", "auto"), "logprobs": (None, False, 0),
    "top_logprobs": (None, 0), "best_of": (None, 1), "suffix": (None, ""),
    "response_format": (None, {"type": "text"}), "modalities": (None, ["text"]), "audio": (None,),
    "prediction": (None,), "web_search_options": (None,),
}  # fmt: skip
"""Fields that would change the answer in a way this server cannot, with values that change none."""


_ReplyAs = Callable[[str, list[dict[str, Any]], int], Reply | Said]
"""Of the model's name, the receipts, and the prompt's tokens."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A request as the model understands it."""

    prompts: list[Tensor]
    sampling: Sampling
    view: View
    chat: bool
    model: str
    stream: bool
    wants_usage: bool
    echo: list[str]


class LocalBackend:
    """Answers with a model in this process.

    Args:
        model: Nobody else may generate with it.
        settings: Of the server.
        metrics: Told of decisions, tokens and batches.
    """

    def __init__(self, model: EditableModel, settings: Settings, metrics: Metrics) -> None:
        self.model, self.settings, self.metrics = model, settings, metrics
        self._tokenizer = copy.deepcopy(model.tokenizer)  # a fast tokenizer is not thread-safe
        self._lock = threading.Lock()
        self._created = int(time.time())
        self._size = model.base.get_input_embeddings().weight.shape[0]
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

    def corrections(self, edit: Edit, namespace: str) -> Corrections:
        return find_corrections(self.model.decider, edit, namespace)

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
            raise self._no_model(id)
        return JSONResponse(data[names.index(id)])

    def _no_model(self, name: str) -> ApiError:
        message = f"The model {name!r} does not exist; there is {self.settings.model_name!r}."
        return ApiError(404, message, code="model_not_found", param="model")

    async def other(self, request: Request, body: bytes) -> Response:
        raise ApiError(404, f"{request.method} {request.url.path}: Not Found", code="not_found")

    async def chat(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = ChatRequest.model_validate_json(body)
        limit = wanted.max_completion_tokens or wanted.max_tokens
        view, name = self._check_request(wanted, caller)
        # The guard has waited for the header's version; a body may name one, too.
        await request.state.wait_until(wanted.memedit.min_version)
        ids = await run_in_threadpool(self._render, wanted.messages)
        parsed = self._parse(wanted, [ids], limit, view, name, chat=True, echo=[])
        return await self._answer(request, parsed)

    async def responses(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = ResponsesRequest.model_validate_json(body).chat()
        id, now = f"resp_{secrets.token_hex(12)}", int(time.time())
        return await self._message(
            request, caller, wanted, lambda name, told, prompt: Reply(id, now, name, told)
        )

    async def messages(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = MessagesRequest.model_validate_json(body).chat()
        id = f"msg_{secrets.token_hex(12)}"
        return await self._message(
            request, caller, wanted, lambda name, told, prompt: Said(id, name, told, prompt)
        )

    async def count_tokens(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = CountRequest.model_validate_json(body)
        ids = await run_in_threadpool(self._render, wanted.turns())
        return JSONResponse({"input_tokens": len(ids)})

    async def _message(
        self, request: Request, caller: Caller, wanted: ChatRequest, reply_as: _ReplyAs
    ) -> Response:
        """Answer a chat in a form that is one message, whole or as events."""
        view, name = self._check_request(wanted, caller)
        await request.state.wait_until(wanted.memedit.min_version)
        ids = await run_in_threadpool(self._render, wanted.messages)
        parsed = self._parse(wanted, [ids], wanted.max_tokens, view, name, chat=True, echo=[])
        asking = self._asking(parsed)
        decided = await run_unless_gone(request, asking, asking.decided())
        told = [self._make_receipt(parsed, *each) for each in decided]
        reply = reply_as(name, told, len(ids))
        headers = receipts.header(told)
        if not parsed.stream:
            (choice,) = await run_unless_gone(request, asking, asking.choices())
            whole = reply.whole(choice.text, self._usage(asking), choice.finish)
            return JSONResponse(whole, headers=headers)
        headers["Cache-Control"] = "no-cache"
        events = self._reply_events(asking, reply)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _reply_events(self, asking: Asking, reply: Reply | Said) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[tuple[str, str | None]]:
            async for _, _, text, reason in asking.pieces():
                yield text, reason

        try:
            async for part in reply.events(pieces(), lambda: self._usage(asking)):
                yield part
        except Exception as error:
            # The status is out: an error can only be the last event.
            yield named_event(reply.failed(api_error(error)))
        finally:
            asking.cancel()

    async def completions(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = CompletionRequest.model_validate_json(body)
        view, name = self._check_request(wanted, caller)
        await request.state.wait_until(wanted.memedit.min_version)
        ids = await run_in_threadpool(lambda: [self._ids(p) for p in wanted.prompts])
        echo = [self._text(i) for i in ids] if wanted.echo else []
        limit = wanted.max_tokens or 16  # null: OpenAI's default
        parsed = self._parse(wanted, ids, limit, view, name, chat=False, echo=echo)
        return await self._answer(request, parsed)

    def _check_request(self, wanted: _Common, caller: Caller) -> tuple[View, str]:
        """Whose edits count, and the model's name.

        Raises:
            ApiError: no such model, or something this server cannot do.
        """
        for name, harmless in _PLAIN.items():
            value = (wanted.model_extra or {}).get(name)
            if value not in harmless and value != (wanted.n if name == "best_of" else None):
                raise ApiError(
                    400, f"{name} is not supported by this server, which runs the model itself: "
                    f"leave it out, or stand before a server that has it (memedit serve "
                    f"--upstream URL), where it passes unchanged.", code="unsupported_parameter",
                    param=name,
                )  # fmt: skip
        name, own = wanted.model or self.settings.model_name, self.settings.model_name
        if name not in (own, own + UNEDITED):
            raise self._no_model(name)
        edited = wanted.memedit.edits and name == own and not self.settings.bare
        return View(caller.namespace, wanted.memedit.as_of, edited), name

    def _parse(
        self, wanted: _Common, prompts: list[Tensor], limit: int | None, view: View, name: str,
        *, chat: bool, echo: list[str],
    ) -> _Parsed:  # fmt: skip
        longest = max(len(ids) for ids in prompts)
        sampling = Sampling(
            max_tokens=self._room(longest, limit),
            temperature=1.0 if wanted.temperature is None else wanted.temperature,
            top_p=1.0 if wanted.top_p is None else wanted.top_p,
            stop=wanted.stops,
            seed=wanted.seed,
            presence_penalty=wanted.presence_penalty or 0.0,
            frequency_penalty=wanted.frequency_penalty or 0.0,
            logit_bias=self._biases(wanted),
            n=wanted.n or 1,
        )
        if sampling.n * len(prompts) > self.settings.max_queue:
            raise ApiError(400, "Too many answers in one request.", param="n", code="invalid_value")
        stream = bool(wanted.stream)
        return _Parsed(prompts, sampling, view, chat, name, stream, wanted.wants_usage, echo)

    def _room(self, prompt: int, limit: int | None) -> int:
        window = self.model.engine.window
        wanted = self.settings.max_tokens if limit is None else limit
        if window is None:
            return wanted
        if prompt + (1 if limit is None else limit) > window:
            raise ApiError(
                400, f"This model's context has {window:,} tokens; the prompt has {prompt:,}, and "
                f"{limit or 1:,} are asked for.", code="context_length_exceeded",
            )  # fmt: skip
        return min(wanted, window - prompt)

    def _biases(self, wanted: _Common) -> dict[int, float]:
        try:
            biases = {int(token): bias for token, bias in (wanted.logit_bias or {}).items()}
        except ValueError:
            biases = {-1: 0.0}  # no token: refused below
        if any(not 0 <= token < self._size for token in biases):
            raise ApiError(
                400, "logit_bias takes token ids of this model.", param="logit_bias",
                code="invalid_value",
            )  # fmt: skip
        return biases

    # From text to tokens

    def _render(self, messages: Sequence[Message]) -> Tensor:
        """[T] ids of a conversation in the model's template, up to where the reply begins."""
        if not has_template(self._tokenizer):
            raise ApiError(
                400,
                "This model has no chat template; use /v1/completions.",
                code="no_chat_template",
            )
        turns = [
            {"role": "system" if m.role == "developer" else m.role, "content": m.text}
            for m in messages
        ]
        with self._lock:
            try:
                text = self._tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=True
                )
            except Exception as error:  # templates raise their own errors
                raise ApiError(
                    400, f"The model's chat template refuses these messages: {error}",
                    param="messages", code="invalid_value",
                ) from None  # fmt: skip
            return self._encode(str(text), special=False)

    def _ids(self, prompt: str | Sequence[int]) -> Tensor:
        """[T] ids of a text, or of ids, which must be the model's."""
        if isinstance(prompt, str):
            with self._lock:
                ids = self._encode(prompt, special=True)
        else:
            if any(token >= self._size for token in prompt):
                raise ApiError(
                    400, f"Token ids go up to {self._size - 1:,}.", param="prompt",
                    code="invalid_value",
                )  # fmt: skip
            ids = torch.tensor(prompt, dtype=torch.long)
        if not len(ids):
            raise ApiError(400, "The prompt is empty.", param="prompt", code="invalid_value")
        return ids

    def _encode(self, text: str, *, special: bool) -> Tensor:
        # JSON may carry half a surrogate pair, which no tokenizer takes.
        text = text.encode("utf-8", "replace").decode()
        ids = self._tokenizer(text, add_special_tokens=special).input_ids
        return torch.tensor(ids, dtype=torch.long)

    def _text(self, ids: Tensor) -> str:
        with self._lock:
            text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    # Answering

    def _asking(self, parsed: _Parsed) -> Asking:
        asking = Asking(self.batcher, self.settings.timeout)
        for ids in parsed.prompts:
            asking.add(ids, parsed.view, parsed.sampling, chat=parsed.chat)
        return asking

    async def _answer(self, request: Request, parsed: _Parsed) -> Response:
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
        )
        headers = receipts.header(told)
        if parsed.stream:
            events = self._events(asking, parsed, form)
            headers["Cache-Control"] = "no-cache"
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        choices = await run_unless_gone(request, asking, asking.choices())
        if parsed.echo:
            for choice, text in zip(choices, form.echo, strict=True):
                choice.text = text + choice.text
        return JSONResponse(form.whole(choices, self._usage(asking)), headers=headers)

    def _make_receipt(self, parsed: _Parsed, decision: Decision, version: int) -> dict[str, Any]:
        self.metrics.decided(parsed.view.namespace, decision)
        editor = self.model.answering(decision, chat=parsed.chat)
        return receipts.receipt(decision, version, editor)

    def _usage(self, asking: Asking) -> Usage:
        prompt = sum(len(job.ids) for job in asking.jobs)
        usage = Usage(prompt, sum(job.tokens for job in asking.jobs))
        self.metrics.tokens.labels("prompt").inc(usage.prompt)
        self.metrics.tokens.labels("completion").inc(usage.completion)
        return usage

    async def _events(self, asking: Asking, parsed: _Parsed, form: Form) -> AsyncIterator[bytes]:
        n = parsed.sampling.n
        try:
            for at in range(n * len(asking.jobs)):
                yield event(form.opening(at))
            async for job, index, text, reason in asking.pieces():
                at = job * n + index
                if text:
                    yield event(form.piece(at, text))
                if reason is not None:
                    yield event(form.end(at, reason))
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
            async for at, _, text, _ in asking.pieces():
                said[at].text += text
                yield {"of": ("answer", "base_answer")[at], "text": text}
        finally:
            asking.cancel()
        self._usage(asking)
        yield self._explain(question, decided[0], said, asking.jobs[0])

    async def _ask_both(self, asking: Asking, question: Question) -> None:
        """With the edits and without, in one batch: the answer, and what the base would say."""
        chat, ids = await run_in_threadpool(self._encode_question, question)
        sampling = Sampling(max_tokens=self._room(len(ids), None), temperature=0)
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, question.max_tokens))
        view = View(question.namespace, question.as_of, not self.settings.bare)
        for edited in (view, replace(view, edited=False)):
            asking.add(ids, edited, sampling, chat=chat)

    def _encode_question(self, question: Question) -> tuple[bool, Tensor]:
        chat = self.model.is_chat(question.query) if question.chat is None else question.chat
        if chat:
            return True, self._render([Message(role="user", content=question.query)])
        return False, self._ids(question.query)

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
