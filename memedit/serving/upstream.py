"""The backend in front of another server: out of scope a pipe, in scope a rewritten prompt."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from memedit.explanation import Explanation
from memedit.serving import receipts, rewriting, versions
from memedit.serving.config import Settings
from memedit.serving.deciding import Decider
from memedit.serving.errors import ApiError
from memedit.serving.metrics import Metrics
from memedit.serving.relay import CutError, Relay, passed, raw, read, returned_headers
from memedit.serving.schemas import Extra
from memedit.serving.service import Caller, Question
from memedit.types import Decision, Edit

_NAME = "ike-chat"
_LONGEST_EVENT = 1 << 20
_FRESH = 2.0
Decided = tuple[Decision, int]


class UpstreamBackend:
    """Answers through any OpenAI-compatible server.

    Args:
        relay: The way to it.
        decider: The edits and their scope.
        settings: Of the server.
        metrics: Told of decisions and of the upstream's answers.
        model: The upstream's model for explanations; None: the first it lists.
    """

    def __init__(
        self,
        relay: Relay,
        decider: Decider,
        settings: Settings,
        metrics: Metrics,
        model: str | None = None,
    ) -> None:
        self.relay, self.decider, self.settings = relay, decider, settings
        self.metrics, self._model = metrics, model
        self._seen = (-_FRESH, "")

    async def start(self) -> None:
        """Load the encoder before the first question needs it."""
        await run_in_threadpool(lambda: self.decider.memory.encoder)

    async def close(self) -> None:
        await self.relay.close()

    async def ready(self) -> str:
        """As the upstream was within the last seconds: whoever asks us shall not flood it."""
        if time.monotonic() > self._seen[0] + _FRESH:
            self._seen = (time.monotonic(), await self._look())
        return self._seen[1]

    async def _look(self) -> str:
        try:
            answer = await self.relay.send("GET", "/v1/models", [], b"")
            await answer.aclose()
        except ApiError as error:
            return error.message
        # Without a key of ours the upstream may refuse, and yet serve clients that bring one.
        bad = answer.status_code >= 500
        return f"The upstream answers {answer.status_code}." if bad else ""

    def check(self, edit: Edit) -> None:
        """Every edit can be put into a prompt."""

    # OpenAI's routes

    async def models(self, request: Request, id: str | None = None) -> Response:
        return passed(await self._send(request, b""), {})

    async def other(self, request: Request, body: bytes) -> Response:
        return passed(await self._send(request, body), {})

    async def chat(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = _object(body)
        query = rewriting.query_of(wanted.get("messages"))

        def rewrite(decided: Sequence[Decided]) -> dict[str, Any]:
            count = self.settings.demonstrations
            return {"messages": rewriting.edited_chat(wanted["messages"], decided[0][0], count)}

        return await self._answer(request, caller, body, wanted, [query], rewrite)

    async def completions(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = _object(body)
        prompt = wanted.get("prompt")
        given = prompt if isinstance(prompt, list) else [prompt]
        texts = [rewriting.clean(text) if isinstance(text, str) else "" for text in given]

        def rewrite(decided: Sequence[Decided]) -> dict[str, Any]:
            prompts = [
                rewriting.edited_prompt(text, decision, self.settings.demonstrations)
                if decision
                else original
                for text, original, (decision, _) in zip(texts, given, decided, strict=True)
            ]
            changed: dict[str, Any] = {
                "prompt": prompts if isinstance(prompt, list) else prompts[0]
            }
            if all(decision for decision, _ in decided):
                changed["stop"] = rewriting.ended(wanted.get("stop"))
            return changed

        return await self._answer(request, caller, body, wanted, texts, rewrite)

    async def _answer(
        self,
        request: Request,
        caller: Caller,
        body: bytes,
        wanted: dict[str, Any],
        queries: Sequence[str],
        rewrite: Callable[[Sequence[Decided]], dict[str, Any]],
    ) -> Response:
        """Pass through, or rewrite and pass on, by what the scope says of the queries."""
        extra = _extra(wanted)
        decided = await self._decided(caller, queries, extra)
        told = [receipts.receipt(d, version, _NAME) for d, version in decided]
        headers = receipts.header(told) if told else {}
        inside = any(decision for decision, _ in decided)
        if inside or receipts.FIELD in wanted:  # our field is not the upstream's business
            kept = {k: v for k, v in wanted.items() if k != receipts.FIELD}
            body = json.dumps(kept | (rewrite(decided) if inside else {})).encode()
        answer = await self._send(request, body, plain=inside)
        if not inside or answer.status_code != 200:
            return passed(answer, headers)
        if "text/event-stream" in answer.headers.get("content-type", ""):
            events = with_field(raw(answer), receipts.field(told))
            kept_headers = dict(returned_headers(answer, rewritten=True)) | headers
            return StreamingResponse(events, headers=kept_headers)
        return await _with_receipt(answer, told, headers)

    async def _decided(self, caller: Caller, queries: Sequence[str], extra: Extra) -> list[Decided]:
        if not extra.edits or self.settings.bare:
            return [(Decision(), 0) for _ in queries]
        memory, seconds = self.decider.memory, self.settings.version_wait
        await versions.reached(memory, extra.min_version, seconds)
        decided = await run_in_threadpool(
            self.decider.decide, queries, caller.namespace, extra.as_of
        )
        for decision, _ in decided:
            self.metrics.decided(caller.namespace, decision)
        return decided

    async def _send(self, request: Request, body: bytes, *, plain: bool = False) -> httpx.Response:
        """The upstream's answer to a request like this one with this body.

        ``plain``: not compressed, since it is going to be read.
        """
        given, query = request.scope.get("raw_path"), request.scope.get("query_string", b"")
        path = (given or request.url.path.encode()).decode("latin-1")
        path += f"?{query.decode('latin-1')}" if query else ""
        headers = [
            (n, v) for n, v in request.headers.items() if not plain or n != "accept-encoding"
        ]
        try:
            answer = await self.relay.send(request.method, path, headers, body)
        except ApiError as error:
            self.metrics.upstream.labels(error.code or "error").inc()
            raise
        self.metrics.upstream.labels(f"{answer.status_code // 100}xx").inc()
        return answer

    # Explaining

    async def explain(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        return [await self._explain(question) for question in questions]

    async def _explain(self, question: Question) -> dict[str, Any]:
        asked = [{"role": "user", "content": question.query}]
        decided = await run_in_threadpool(
            self.decider.decide, [question.query], question.namespace, question.as_of
        )
        decision, version = decided[0]
        self.metrics.decided(question.namespace, decision)
        base = await self._said(asked, question.max_tokens)
        answer = base
        if decision:
            edited = rewriting.edited_chat(asked, decision, self.settings.demonstrations)
            answer = await self._said(edited, question.max_tokens)
        editor = _NAME if decision else ""
        return Explanation(question.query, answer, base, decision, editor, version).to_dict()

    async def _said(self, messages: Sequence[Any], limit: int) -> str:
        """The upstream's greedy reply to a conversation."""
        body = {
            "model": await self._named(),
            "messages": messages,
            "max_tokens": limit,
            "temperature": 0,
        }
        content = await self._json("POST", "/v1/chat/completions", json.dumps(body).encode())
        try:
            return str(content["choices"][0]["message"]["content"] or "").strip()
        except (KeyError, IndexError, TypeError):
            raise _malformed() from None

    async def _named(self) -> str:
        if self._model is None:
            content = await self._json("GET", "/v1/models", b"")
            try:
                self._model = str(content["data"][0]["id"])
            except (KeyError, IndexError, TypeError):
                raise _malformed() from None
        return self._model

    async def _json(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        answer = await self.relay.send(method, path, [("content-type", "application/json")], body)
        content = await read(answer)
        if answer.status_code != 200:
            raise ApiError(
                502, f"The upstream answers {answer.status_code} to {path}.", code="upstream_error"
            )
        found = _object(content)
        if not found:
            raise _malformed()
        return found


def _object(body: bytes) -> dict[str, Any]:
    """A JSON object; empty where the bytes are none: the upstream shall say so."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _extra(wanted: dict[str, Any]) -> Extra:
    try:
        return Extra.model_validate(wanted.get(receipts.FIELD) or {})
    except ValidationError as error:
        raise ApiError(
            400, f"memedit: {error.errors()[0]['msg']}", code="invalid_value", param="memedit"
        ) from None


def _malformed() -> ApiError:
    return ApiError(502, "The upstream's answer is malformed.", code="upstream_malformed")


async def _with_receipt(
    answer: httpx.Response, told: list[dict[str, Any]], headers: dict[str, str]
) -> Response:
    """A whole answer with the receipt in it; 502 where it is no JSON object."""
    content = _object(await read(answer))
    if not content:
        raise _malformed()
    kept = dict(returned_headers(answer, rewritten=True)) | headers
    kept.pop("content-type", None)
    return JSONResponse(content | receipts.field(told), headers=kept)


async def with_field(parts: AsyncIterator[bytes], field: dict[str, Any]) -> AsyncIterator[bytes]:
    """Server-sent events with ``field`` added to the first that is a JSON object.

    Everything after it passes through as it comes.

    Raises:
        CutError: the stream broke off, or its first event never ends.
    """
    held, sent = b"", False
    async for part in parts:
        if sent:
            yield part
            continue
        *lines, held = (held + part).split(b"\n")
        for at, line in enumerate(lines):
            content = _object(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
            if content:
                rest = b"\n".join([*lines[at + 1 :], held])
                yield b"data: " + json.dumps(content | field).encode() + b"\n" + rest
                sent = True
                break
            yield line + b"\n"
        if not sent and len(held) > _LONGEST_EVENT:
            raise CutError("The upstream's first event is too long.")
    if not sent and held:
        yield held
