"""HTTP to the upstream: requests sent as they are, answers handed on byte for byte.

What a good proxy does with trouble: an upstream that cannot be reached is tried once more (nothing
was sent), then 502; silence beyond the limit is 504; the upstream's own 4xx, 429 and 5xx pass
through with their headers; and an answer that breaks off breaks off for the client too, so that it
cannot take a part for the whole.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import httpx
from starlette.responses import StreamingResponse

from memedit.serving.errors import ApiError, CutError
from memedit.serving.keys import KEY_MARK
from memedit.serving.upstream.forwarding import base_url, target

log = logging.getLogger(__name__)
_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "trailers", "transfer-encoding", "upgrade", "proxy-connection",
})  # fmt: skip
_NOT_FORWARDED = _HOP | {
    "host", "content-length", "cookie", "expect", "x-memedit-namespace",
    "x-memedit-min-version", "origin", "referer",
    # What some servers take for another method, path or host than those of the request line.
    "x-http-method", "x-http-method-override", "x-method-override", "x-original-url",
    "x-rewrite-url", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-path",
    "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-server",
    "x-forwarded-uri", "x-host", "x-real-ip",
}  # fmt: skip
_WITH_OUR_KEY = frozenset({"authorization", "api-key", "x-api-key", "openai-organization",
                           "openai-project"})  # fmt: skip
"""Whose the request is: with a key of ours the client does not choose."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_RETURNED = _HOP | {"set-cookie", "server", "date", "x-request-id", "x-memedit-receipt"}


class Relay:
    """A pool of connections to one upstream.

    Args:
        url: Its base URL, with or without ``/v1``. Nothing is sent to any other.
        key: Sent to it as bearer token instead of the client's; None: the client's is passed on
            where ``pass_key`` says so.
        timeout, connect_timeout: Seconds of silence, and to connect.
    """

    def __init__(
        self, url: str, *, key: str | None, pass_key: bool, timeout: float, connect_timeout: float
    ) -> None:
        self.base = base_url(url)
        self._key, self._pass_key = key, pass_key
        self._trouble, self._refused = "", False
        limits = httpx.Limits(
            # Given up before most servers close theirs (5 s and more): what is sent on a dying
            # connection may have been read, and is not sent again.
            max_connections=512,
            max_keepalive_connections=128,
            keepalive_expiry=4.0,
        )
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout, connect=connect_timeout),
            limits=limits,
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(
        self,
        method: str,
        segments: Sequence[str],
        headers: Iterable[tuple[str, str]],
        body: bytes,
        query: bytes = b"",
    ) -> httpx.Response:
        """The upstream's answer, its body unread. A redirect is not followed, nor handed on.

        Args:
            segments: Of the path, after ``/v1/``.
            query: As it stands in the request line.

        Raises:
            ApiError: 502 or 504; 400, an odd query.
        """
        request = httpx.Request(
            method,
            target(self.base, segments, query),
            # As they came: a header's bytes need not be ASCII.
            headers=[(n.encode("latin-1"), v.encode("latin-1")) for n, v in self._headers(headers)],
            content=body or None,
            extensions={"timeout": self._client.timeout.as_dict()},
        )
        answer = await self._send(request)
        self._tell("")
        self._notice_refusal(answer.status_code)
        if answer.status_code in _REDIRECTS:
            await answer.aclose()
            raise ApiError(
                502, f"The upstream redirects ({answer.status_code}): give its own URL.",
                code="upstream_redirects",
            )  # fmt: skip
        return answer

    async def _send(self, request: httpx.Request) -> httpx.Response:
        for again in (True, False):
            try:
                return await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if again:
                    continue
                slow = isinstance(error, httpx.ConnectTimeout)
                raise self._lose(504 if slow else 502, "cannot be reached", error) from error
            except httpx.TimeoutException as error:
                raise self._lose(504, "did not answer in time", error) from error
            except httpx.HTTPError as error:
                raise self._lose(502, "broke off before it answered", error) from error
        raise AssertionError("unreachable")

    def _lose(self, status: int, what: str, error: httpx.HTTPError) -> ApiError:
        """What the client is told; the log has the upstream's address, and what the system said."""
        self._tell(f"{what}: {_reason_of(error)}.")
        return _make_unreachable(status, f"{what}; the server's log says more")

    def _notice_refusal(self, status: int) -> None:
        """Log once that the upstream wants a key: its 401 passes, and looks as if it were ours."""
        if status != 401 or self._refused or (self._key is None and self._pass_key):
            return  # where clients bring their own, each sees the answer to it
        self._refused = True
        what = "another" if self._key is not None else "a"
        log.warning(
            "The upstream %s answers 401: it wants %s key in MEMEDIT_UPSTREAM_KEY.", self.base, what
        )

    def _tell(self, trouble: str) -> None:
        """Log what is wrong with the upstream when it begins and when it is over, not at each
        request."""
        if trouble and trouble != self._trouble:
            log.warning("The upstream %s %s", self.base, trouble)
        elif self._trouble and not trouble:
            log.warning("The upstream %s answers again.", self.base)
        self._trouble = trouble

    def _headers(self, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        given = [(n.lower(), v) for n, v in given]
        # A client may name further headers that are meant for the next hop only.
        named = {v.strip().lower() for n, v in given if n == "connection" for v in v.split(",")}
        dropped = _NOT_FORWARDED | named
        if self._key is not None or not self._pass_key:
            dropped |= _WITH_OUR_KEY if self._key is not None else {"authorization"}
        kept = [(n, v) for n, v in given if n not in dropped and not _is_ours(n, v)]
        if not any(name == "accept-encoding" for name, _ in kept):
            # Else httpx would ask for compression, and its client did not.
            kept.append(("accept-encoding", "identity"))
        if self._key is not None:
            kept.append(self._as_presented({name for name, _ in given}))
        return kept

    def _as_presented(self, names: set[str]) -> tuple[str, str]:
        """The operator's key in the header that the client's was in: Anthropic's clients and
        servers have one of their own."""
        if "x-api-key" in names and "authorization" not in names:
            return "x-api-key", str(self._key)
        return "authorization", f"Bearer {self._key}"


def _is_ours(name: str, value: str) -> bool:
    """Whether a header holds a key of this server's."""
    return name == "x-api-key" and value.startswith(KEY_MARK)


def _reason_of(error: BaseException) -> str:
    """What the system said, below what the layers between make of it."""
    said = str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and str(cause):
            said = str(cause)
        # A host of several addresses has one for each.
        several = getattr(cause, "exceptions", None)
        cause = several[0] if several else cause.__cause__ or cause.__context__
    return said or type(error).__name__


def _make_unreachable(status: int, what: str) -> ApiError:
    code = "upstream_timeout" if status == 504 else "upstream_unavailable"
    return ApiError(status, f"The upstream {what}.", code=code)


def choose_returned_headers(
    answer: httpx.Response, *, rewritten: bool = False
) -> list[tuple[str, str]]:
    """The upstream's headers as the client gets them."""
    dropped = _NOT_RETURNED | ({"content-length", "content-encoding"} if rewritten else frozenset())
    given = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in answer.headers.raw]
    return [(n, v) for n, v in given if n not in dropped]


async def read_raw(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body's bytes as they come.

    Raises:
        CutError: they stopped coming.
    """
    try:
        async for part in answer.aiter_raw():
            yield part
    except httpx.HTTPError as error:
        raise CutError(f"The upstream's answer broke off: {type(error).__name__}.") from error
    finally:
        await answer.aclose()


def pass_answer(answer: httpx.Response, extra: Mapping[str, str]) -> StreamingResponse:
    """The upstream's answer, status, headers and bytes, with headers of ours added."""
    response = StreamingResponse(read_raw(answer), status_code=answer.status_code)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in [*choose_returned_headers(answer), *extra.items()]
    ]
    return response


async def read(answer: httpx.Response, limit: int = 64 << 20) -> bytes:
    """The whole decoded body.

    Raises:
        ApiError: 502, it broke off, cannot be decoded, or is too long; 504, it stopped coming.
    """
    parts, size = [], 0
    try:
        async for part in answer.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise _make_unreachable(502, "answered too much")
    except httpx.TimeoutException as error:
        raise _make_unreachable(504, "stopped in the middle of its answer") from error
    except httpx.HTTPError as error:
        raise _make_unreachable(502, "broke off in the middle of its answer") from error
    finally:
        await answer.aclose()
    return b"".join(parts)
