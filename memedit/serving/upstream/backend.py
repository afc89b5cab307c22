"""The backend in front of another server: out of scope a pipe, in scope a rewritten prompt."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

import httpx
from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from memedit.core.languages import is_foreign
from memedit.core.moments import Moment
from memedit.core.phases import hearing_phases
from memedit.core.types import Decision, Edit, Record
from memedit.editors import DEFAULT
from memedit.model.correcting import Corrections, find_corrections
from memedit.model.deciding import Decider
from memedit.model.explanation import Explanation
from memedit.model.translating import MOST_NEW, decide_translated, parts_to_read, request_of
from memedit.serving import receipts, replies
from memedit.serving.errors import ApiError, CutError, invalid, problems_of
from memedit.serving.metrics import Metrics
from memedit.serving.schemas import Extra
from memedit.serving.service import Caller, Question
from memedit.serving.settings import Settings
from memedit.serving.upstream import placing
from memedit.serving.upstream.asking import Upstream, json_object, refuse_malformed
from memedit.serving.upstream.forwarding import DEFAULTS, admit, route
from memedit.serving.upstream.placing import Reading
from memedit.serving.upstream.relay import (
    Relay,
    choose_returned_headers,
    pass_answer,
    read,
    read_raw,
)
from memedit.serving.upstream.rewriters import AskUpstream, Rewriter, load_rewriter

_LONGEST_EVENT = 1 << 20  # bytes that are held back of an event that does not end
_FRESH = 2.0  # seconds


class UpstreamBackend:
    """Answers through any OpenAI-compatible server.

    Args:
        relay: The way to it.
        decider: The edits and their scope.
        settings: Of the server.
        metrics: Told of decisions and of the upstream's answers.
        model: The upstream's model for explanations; None: the first it lists.
        rewriter: What is done to a request in scope; None: that of the default editor.
    """

    def __init__(
        self,
        relay: Relay,
        decider: Decider,
        settings: Settings,
        metrics: Metrics,
        model: str | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self.relay, self.decider, self.settings = relay, decider, settings
        self.metrics, self._model = metrics, model
        self.rewriter = rewriter or load_rewriter(DEFAULT)
        self._routes = (*DEFAULTS, *map(route, settings.upstream_route))
        self.trials = None
        self._seen = (-_FRESH, "")

    async def start(self) -> None:
        """Load the encoder, and what tells languages apart, before the first question needs it."""
        await run_in_threadpool(lambda: self.decider.memory.encoder)
        if self.settings.translate == "on":
            await run_in_threadpool(is_foreign, "Which language is this?")

    async def close(self) -> None:
        await self.relay.close()

    async def ready(self) -> str:
        """As the upstream was within the last seconds: whoever asks us shall not flood it."""
        if time.monotonic() > self._seen[0] + _FRESH:
            self._seen = (time.monotonic(), await self._look())
        return self._seen[1]

    async def _look(self) -> str:
        try:
            answer = await self.relay.send("GET", ("models",), [], b"")
            await answer.aclose()
        except ApiError as error:
            return error.message
        # Without a key of ours the upstream may refuse, and yet serve clients that bring one.
        bad = answer.status_code >= 500
        return f"The upstream answers {answer.status_code}." if bad else ""

    def check(self, edit: Edit) -> None:
        """Every edit can be put into a prompt."""

    def corrections(
        self, edit: Edit, namespace: str, moment: datetime | None, but: Record | None = None
    ) -> Corrections:
        return find_corrections(self.decider, edit, namespace, moment, but=but)

    # OpenAI's routes

    async def models(self, request: Request, id: str | None = None) -> Response:
        return pass_answer(await self._send(request, b""), {})

    async def other(self, request: Request, body: bytes) -> Response:
        """A route that :class:`~memedit.serving.settings.Settings` lists."""
        return pass_answer(await self._send(request, body), {})

    async def chat(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = json_object(body)
        query = placing.query_of(wanted.get("messages"))

        def rewrite(readings: Sequence[Reading]) -> dict[str, Any]:
            form = self.rewriter.form
            messages = placing.place_in_chat(wanted["messages"], readings[0], form)
            return {"messages": messages} | _model_of(form)

        return await self._answer(request, caller, body, wanted, [query], rewrite)

    async def messages(self, request: Request, caller: Caller, body: bytes) -> Response:
        return await self.chat(request, caller, body)  # the same where facts are placed

    async def count_tokens(self, request: Request, caller: Caller, body: bytes) -> Response:
        kept = json_object(body)
        if receipts.FIELD in kept:  # our field is not the upstream's business
            body = json.dumps({k: v for k, v in kept.items() if k != receipts.FIELD}).encode()
        return await self.other(request, body)

    async def responses(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = json_object(body)
        turns = replies.turns_of(wanted)

        def rewrite(readings: Sequence[Reading]) -> dict[str, Any]:
            edited = placing.place_in_chat(turns or [], readings[0], self.rewriter.form)
            alone = isinstance(wanted["input"], str) and len(edited) == 1
            told = edited[0]["content"] if alone else edited
            return {"input": told} | _model_of(self.rewriter.form)

        return await self._answer(request, caller, body, wanted, [placing.query_of(turns)], rewrite)

    async def completions(self, request: Request, caller: Caller, body: bytes) -> Response:
        wanted = json_object(body)
        prompt = wanted.get("prompt")
        given = prompt if isinstance(prompt, list) else [prompt]
        texts = [placing.clean(text) if isinstance(text, str) else "" for text in given]

        def rewrite(readings: Sequence[Reading]) -> dict[str, Any]:
            prompts = [
                placing.place_in_prompt(text, reading, self.rewriter.form)
                if reading.facts
                else original
                for text, original, reading in zip(texts, given, readings, strict=True)
            ]
            changed: dict[str, Any] = {
                "prompt": prompts if isinstance(prompt, list) else prompts[0]
            }
            if all(reading.facts for reading in readings) and not self.rewriter.form.note:
                changed["stop"] = placing.end_at_line(wanted.get("stop"))
            return changed | _model_of(self.rewriter.form)

        return await self._answer(request, caller, body, wanted, texts, rewrite)

    async def _answer(
        self,
        request: Request,
        caller: Caller,
        body: bytes,
        wanted: dict[str, Any],
        queries: Sequence[str],
        rewrite: Callable[[Sequence[Reading]], dict[str, Any]],
    ) -> Response:
        """Pass through, or rewrite and pass on, by what the scope says of the queries."""
        extra = _extra(wanted)
        ask = Upstream(self.relay, wanted.get("model"), "prompt" not in wanted, request.headers)
        readings = await self._read(request, caller, queries, extra, ask)
        name = self.rewriter.name
        told = [receipts.receipt(r.decision, r.version, name if r.facts else "") for r in readings]
        headers = receipts.header(told) if told else {}
        inside = any(reading.facts for reading in readings)
        # Otherwise the body is handed on byte for byte, not as we would write it.
        if inside or receipts.FIELD in wanted:  # our field is not the upstream's business
            kept = {k: v for k, v in wanted.items() if k != receipts.FIELD}
            body = json.dumps(kept | (rewrite(readings) if inside else {})).encode()
        answer = await self._send(request, body, plain=inside)
        # An error of the upstream's goes back as it is: no edit had a part in it.
        if not inside or answer.status_code != 200:
            return pass_answer(answer, headers)
        if "text/event-stream" in answer.headers.get("content-type", ""):
            events = add_field(read_raw(answer), receipts.field(told))
            kept_headers = dict(choose_returned_headers(answer, rewritten=True)) | headers
            return StreamingResponse(events, headers=kept_headers)
        return await _add_receipt(answer, told, headers)

    async def _read(
        self,
        request: Request,
        caller: Caller,
        queries: Sequence[str],
        extra: Extra,
        ask: AskUpstream,
    ) -> list[Reading]:
        if not extra.edits or self.settings.bare:
            return [Reading(Decision(), 0) for _ in queries]
        await request.state.wait_until(extra.min_version)
        return await self._read_all(queries, caller.namespace, extra.as_of, ask)

    async def _read_all(
        self, queries: Sequence[str], namespace: str, as_of: Moment | None, ask: AskUpstream
    ) -> list[Reading]:
        async def decide(query: str) -> Decision:
            return (await run_in_threadpool(self.decider.decide, [query], namespace, as_of))[0]

        def decide_all(texts: Sequence[str]) -> list[Decision]:
            return self.decider.decide(texts, namespace, as_of)

        held = self.decider.memory.count(namespace)  # without edits there is nothing to find
        known = await self._translate(queries, ask) if held else {}
        version = self.decider.memory.version
        with hearing_phases(self.metrics.spent):
            found = await run_in_threadpool(decide_translated, queries, known, decide_all)
            decided = [(decision, version) for decision in found]
            readings = [
                await self.rewriter.read(query, Reading(decision, version), ask, decide)
                for query, (decision, version) in zip(queries, decided, strict=True)
            ]
        for reading in readings:
            self.metrics.decided(namespace, reading.decision)
            self.decider.memory.count_use(hit.record for hit in reading.decision.bearing)
        return readings

    async def _translate(self, queries: Sequence[str], ask: AskUpstream) -> dict[str, str]:
        """What is to be read of queries in other languages, by its English; nothing of those that
        the upstream does not translate."""
        known: dict[str, str] = {}
        if self.settings.translate != "on" or not isinstance(ask, Upstream) or not ask.chats:
            return known
        found = await run_in_threadpool(lambda: [*map(parts_to_read, queries)])
        for part in {part for parts in found for part in parts}:
            try:
                known[part] = await ask.chat(request_of(part), MOST_NEW)
            except ApiError:  # the request itself shall meet the upstream's trouble, and report it
                break
        return known

    async def _send(self, request: Request, body: bytes, *, plain: bool = False) -> httpx.Response:
        """The upstream's answer to a request like this one with this body.

        ``plain``: not compressed, since it is going to be read.
        """
        raw, query = request.scope.get("raw_path"), request.scope.get("query_string", b"")
        given = request.url.path.encode() if raw is None else raw
        segments = admit(self._routes, request.method, given, request.state.key)
        headers = [
            (n, v) for n, v in request.headers.items() if not plain or n != "accept-encoding"
        ]
        try:
            answer = await self.relay.send(request.method, segments, headers, body, query)
        except ApiError as error:
            self.metrics.upstream.labels(error.code or "error").inc()
            raise
        self.metrics.upstream.labels(f"{answer.status_code // 100}xx").inc()
        return answer

    # Explaining

    async def explain(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        return [await self._explain(question) for question in questions]

    async def explain_live(self, question: Question) -> AsyncIterator[dict[str, Any]]:
        yield await self._explain(question)  # an upstream is asked for whole answers

    async def _explain(self, question: Question) -> dict[str, Any]:
        asked = [{"role": "user", "content": question.query}]
        ask = Upstream(self.relay, await self._name_model())
        readings = await self._read_all([question.query], question.namespace, question.as_of, ask)
        reading = readings[0]
        base = await ask.chat(asked, question.max_tokens)
        answer, editor = base, ""
        if reading.facts:
            form, editor = self.rewriter.form, self.rewriter.name
            if form.model:
                ask = Upstream(self.relay, form.model)
            edited = placing.place_in_chat(asked, reading, form)
            answer = await ask.chat(edited, question.max_tokens)
        return Explanation(
            question.query, answer, base, reading.decision, editor, reading.version
        ).to_dict()

    async def _name_model(self) -> str:
        if self._model is None:
            self._model = await Upstream(self.relay).find_first_model()
        return self._model


def _model_of(form: placing.Form) -> dict[str, str]:
    return {"model": form.model} if form.model else {}


def _extra(wanted: dict[str, Any]) -> Extra:
    try:
        return Extra.model_validate(wanted.get(receipts.FIELD) or {})
    except ValidationError as error:
        told = invalid(problems_of(error), Extra)
        name = receipts.FIELD
        if told.param:
            raise ApiError(
                400, f"{name}.{told.message}", code=told.code, param=f"{name}.{told.param}"
            ) from None
        raise ApiError(400, f"{name}: {told.message}", code=told.code, param=name) from None


async def _add_receipt(
    answer: httpx.Response, told: list[dict[str, Any]], headers: dict[str, str]
) -> Response:
    """A whole answer with the receipt in it; 502 where it is no JSON object."""
    content = json_object(await read(answer))
    if not content:
        raise refuse_malformed()
    kept = dict(choose_returned_headers(answer, rewritten=True)) | headers
    kept.pop("content-type", None)  # JSONResponse has its own
    return JSONResponse(content | receipts.field(told), headers=kept)


async def add_field(parts: AsyncIterator[bytes], field: dict[str, Any]) -> AsyncIterator[bytes]:
    """Server-sent events with ``field`` added to the first that is a JSON object.

    Everything after it passes through as it comes.

    Raises:
        CutError: the stream broke off, or its first event never ends.
    """
    held, sent = b"", False
    # A chunk may end anywhere, in the middle of a line, too.
    async for part in parts:
        if sent:
            yield part
            continue
        *lines, held = (held + part).split(b"\n")
        for at, line in enumerate(lines):
            content = json_object(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
            if content:
                rest = b"\n".join([*lines[at + 1 :], held])
                yield b"data: " + json.dumps(_mark_event(content, field)).encode() + b"\n" + rest
                sent = True
                break
            yield line + b"\n"
        if not sent and len(held) > _LONGEST_EVENT:
            raise CutError("The upstream's first event is too long.")
    if not sent and held:
        yield held


def _mark_event(content: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    """An event with the field: in the message or response that it opens, where it opens one."""
    opened = {"message_start": "message", "response.created": "response"}
    name = opened.get(str(content.get("type")), "")
    if isinstance(begun := content.get(name), dict):
        return content | {name: begun | field}
    return content | field
