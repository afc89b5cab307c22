"""What every request passes before a route sees it: key, rate, size, origin. Pure ASGI."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import MutableMapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memedit.core.errors import MemeditError
from memedit.serving import logs, versions
from memedit.serving.errors import ApiError, answer_of
from memedit.serving.keys import Key
from memedit.serving.service import ANYONE, Service

OPEN = frozenset({"/", "/page.js", "/page.css", "/healthz", "/readyz", "/openapi.json"})
"""What anyone may read: the page (without data), liveness, and the description of the routes."""
IMPORT, DOCUMENTS = "/v1/import", "/v1/documents/"
REQUEST_ID = "X-Request-Id"
"""Taken from whoever stands in front, if it is one; else made here."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_METHOD = "method_not_allowed"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


_KEPT = 10_000
"""Keys whose rate is remembered."""


class RateLimiter:
    """A token bucket per key: a minute's requests may come at once, then at the steady rate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, per_minute: int | None, now: float | None = None) -> float:
        """Seconds until the request may come; 0: it may now, and is counted."""
        if per_minute is None:
            return 0.0
        moment = time.monotonic() if now is None else now
        with self._lock:
            tokens, since = self._buckets.pop(key, (float(per_minute), moment))
            tokens = min(float(per_minute), tokens + (moment - since) * per_minute / 60)
            wait = 0.0 if tokens >= 1 else (1 - tokens) * 60 / per_minute
            # What is refused costs nothing: who keeps trying gets through when it is time.
            self._buckets[key] = (tokens - (0 if wait else 1), moment)
            while len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        return wait

    def admit(self, key: Key, usual: int | None) -> None:
        """Count a request of a key.

        Args:
            usual: Requests a minute of keys that have no rate of their own; None: any number.

        Raises:
            ApiError: 429, it comes too early.
        """
        rate = key.requests_per_minute or usual
        if wait := self.wait(key.id, rate):
            raise ApiError(
                429, f"This key may send {rate} requests a minute; wait {wait:.1f} seconds.",
                code="rate_limit_exceeded", headers={"Retry-After": str(int(wait) + 1)},
            )  # fmt: skip


class Guard:
    """Admits requests, and counts them."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service
        self._limiter = RateLimiter()
        settings = service.settings
        self._waiting = versions.Waiting(
            service.memory,
            settings.version_wait,
            most=settings.max_waiting,
            most_of_a_key=settings.max_waiting_of_key,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, id = time.perf_counter(), _id(scope)
        # What a failure before the first byte of an answer is counted as.
        status = [500]
        token = logs.request_id.set(id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = id
                # Edits hold users' texts: no browser shall guess that one is a page.
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self._admit(scope, receive, answer)
        finally:
            # The pattern: a series of numbers for each path, with its ids, would never end.
            route = getattr(scope.get("route"), "path", "other")
            metrics, seconds = self.service.metrics, time.perf_counter() - started
            metrics.requests.labels(route, _method(scope), str(status[0])).inc()
            metrics.seconds.labels(route).observe(seconds)
            key = getattr(scope.get("state", {}).get("key"), "id", "")
            logs.log_answer(route, _method(scope), status[0], seconds, key)
            logs.request_id.reset(token)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            if scope["method"] == "OPTIONS":  # a preflight of a listed origin does not come here
                raise ApiError(405, "OPTIONS is no method of this server.", code=_NO_METHOD)
            # In this order: for whoever has no key not one byte of a body is read.
            key = self._key(scope, headers)
            self._check_origin(scope, headers)
            scope.setdefault("state", {})["key"] = key
            body = await self._body(scope, receive, key, headers)
            if not _open(scope):
                # Routes that find a version in the body wait in the same way.
                scope["state"]["wait_until"] = wait_until = partial(
                    self._waiting.wait_until, key.id
                )
                await wait_until(versions.read_version(headers))
        except (ApiError, MemeditError) as error:
            await answer_of(error, scope["path"])(scope, receive, send)
            return
        started = [False]

        async def note_start(message: Message) -> None:
            started[0] = True
            await send(message)

        try:
            await self.app(scope, _replay(body, receive), note_start)
        except Exception as error:
            # The status has gone out; an error can be told no more.
            if started[0]:
                raise  # closes the connection: the client must not take a part for the whole
            await answer_of(error, scope["path"])(scope, receive, send)

    def _key(self, scope: Scope, headers: Headers) -> Key:
        ring = self.service.keys
        if ring is None or _open(scope):
            return ANYONE
        # A proxy in front might have looked at the other one.
        if len(headers.getlist("authorization")) > 1:
            raise ApiError(400, "Two Authorization headers: send one.", code="invalid_value")
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if "authorization" not in headers:  # as Anthropic's clients send it
            kind, shown = "bearer", headers.get("x-api-key", "")
        key = ring.find(shown.strip()) if kind.casefold() == "bearer" else None
        if key is None:
            raise ApiError(
                401, "No valid API key: send Authorization: Bearer mk_...",
                code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        self._limiter.admit(key, self.service.settings.rate)
        return key

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """A page of another site may not change anything, nor ask, in a visitor's name."""
        origin = headers.get("origin")
        if origin is None or scope["method"] in _SAFE:
            return
        try:
            # A page that we served ourselves.
            same = urlsplit(origin).netloc == headers.get("host")
        except ValueError:
            same = False
        if not same and origin not in self.service.settings.cors_origin:
            raise ApiError(403, "Requests from this origin are refused.", code="wrong_origin")

    async def _body(self, scope: Scope, receive: Receive, key: Key, headers: Headers) -> bytes:
        """The whole body, within the key's limit."""
        settings = self.service.settings
        limit = key.max_body or settings.max_body
        if scope["path"] == IMPORT or scope["path"].startswith(DOCUMENTS):
            limit = key.max_body or settings.max_import
        # What is said to be too long is not read; what is read is counted, as that may be a lie.
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            raise _make_too_large(limit)
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
            if size > limit:
                raise _make_too_large(limit)
        return b"".join(parts)


def _open(scope: Scope) -> bool:
    """Whether anyone may ask this, with or without a key: such requests never wait."""
    return scope["path"] in OPEN


def _id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    # Anything else could break up a line of the log.
    return given if _ID.fullmatch(given) else uuid.uuid4().hex[:16]


def _make_too_large(limit: int) -> ApiError:
    return ApiError(413, f"The request has more than {limit:,} bytes.", code="request_too_large")


def _method(scope: MutableMapping[str, Any]) -> str:
    # Any word may be sent as a method; each would begin a series of its own.
    known = _SAFE | {"POST", "PATCH", "PUT", "DELETE"}
    return scope["method"] if scope["method"] in known else "other"


def _replay(body: bytes, receive: Receive) -> Receive:
    """``receive`` that gives the body at once, then what comes: the disconnect."""
    given = [False]

    async def receive_again() -> Message:
        if given[0]:
            return await receive()
        given[0] = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
