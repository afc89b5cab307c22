"""What of a request reaches an upstream: only routes that are listed, under its base URL.

The operator's key goes with every request, so the caller chooses neither host nor path: the target
is taken apart, refused where two readers could take it for two things (dot segments, encoded
slashes, another authority), compared with a list, and put together again from its parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urlsplit

import httpx

from memedit.core.errors import InvalidInputError
from memedit.core.registry import unknown_name
from memedit.serving.errors import ApiError
from memedit.serving.keys import SCOPES, Key

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SAFE = "!$&'()*+,:=@~"
_ENCODED = re.compile(rb"%(?![0-9A-Fa-f]{2})|%(?:2[fFeE5]|5[cC]|3[bB]|[01][0-9A-Fa-f]|7[fF])")
"""A percent sign alone, or an encoded slash, dot, percent sign, backslash, semicolon or control."""
_RAW = re.compile(rb"[\x21-\x7e]+")
_WRONG = re.compile(rb"[\\;#?<>\"^`{|}]")
ANY = "*"


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the upstream's that is passed on.

    Attributes:
        method: The HTTP method.
        segments: Of the path after ``/v1/``; ``*`` stands for any one of them.
        scope: What a key needs for it, besides ask.
    """

    method: str
    segments: tuple[str, ...]
    scope: str

    def fits(self, method: str, segments: Sequence[str]) -> bool:
        return (
            self.method == method
            and len(segments) == len(self.segments)
            and all(
                mine in (ANY, theirs) for mine, theirs in zip(self.segments, segments, strict=True)
            )
        )


def route(text: str) -> Route:
    """The route of ``"POST /v1/rerank ask"``; without a scope it needs ``admin``.

    Raises:
        InvalidInputError: it is none.
    """
    method, path, scope = (*text.split(), "", "", "")[:3]
    scope = scope or "admin"
    if len(text.split()) > 3 or method not in _METHODS or not path.startswith("/v1/"):
        raise InvalidInputError(
            f"{text!r} is no route.", hint='Such as "POST /v1/rerank ask", "GET /v1/files/* admin".'
        )
    if scope not in SCOPES:
        raise InvalidInputError(str(unknown_name("scope", scope, SCOPES)))
    try:
        segments = segments_of(path.encode("ascii", "replace"))
    except ApiError as error:
        raise InvalidInputError(f"{text!r} is no route.", hint=error.message) from None
    return Route(method, segments, scope)


def segments_of(raw: bytes) -> tuple[str, ...]:
    """The segments after ``/v1/`` of a request's path, as it stands in the request line.

    Raises:
        ApiError: 400, it may be read in more than one way, or leads out of ``/v1/``.
    """
    whole = _RAW.fullmatch(raw) and not _WRONG.search(raw) and not _ENCODED.search(raw)
    first, *segments = raw.split(b"/")
    plain = [unquote_to_bytes(segment) for segment in segments]
    dots = any(segment.strip(b".") == b"" for segment in plain)  # also an empty one
    if not whole or first or dots or plain[:1] != [b"v1"] or len(plain) < 2:
        raise _make_odd_path()
    try:
        return tuple(segment.decode() for segment in plain[1:])
    except UnicodeDecodeError:
        raise _make_odd_path() from None


def _make_odd_path() -> ApiError:
    return ApiError(
        400, "The path cannot be passed on: no dot segments, encoded slashes or other hosts.",
        code="invalid_path",
    )  # fmt: skip


DEFAULTS = tuple(
    route(text)
    for text in (
        "POST /v1/chat/completions ask", "POST /v1/completions ask", "POST /v1/responses ask",
        "POST /v1/messages ask", "POST /v1/messages/count_tokens ask",
        "POST /v1/embeddings ask", "GET /v1/models ask", "GET /v1/models/* ask",
        "GET /v1/models/*/* ask",
    )
)  # fmt: skip
"""What a key that may ask reaches: questions, embeddings, and which models there are."""


def admit(routes: Iterable[Route], method: str, raw: bytes, key: Key | None) -> tuple[str, ...]:
    """The segments of a request that may be passed on.

    Args:
        raw: Its path as it stands in the request line.
        key: Whose request it is.

    Raises:
        ApiError: 400, an odd path; 404, not listed; 403, not for this key.
    """
    segments = segments_of(raw)
    listed = [each for each in routes if each.fits(method, segments)]
    if not listed:
        raise ApiError(
            404,
            f"{method} /v1/{'/'.join(segments)} is not passed on to the upstream: the server's "
            "setting upstream_route lists what is, besides questions.",
            code="not_found",
        )  # fmt: skip
    if key is not None and not any(key.allows(each.scope) for each in listed):
        raise ApiError(
            403, f"This key lacks the scope {listed[0].scope!r}.", code="insufficient_scope"
        )
    return segments


def base_url(url: str) -> httpx.URL:
    """The upstream's base, without ``/v1``: scheme, host, port and a path that ends in no slash.

    Raises:
        InvalidInputError: it is no such URL.
    """
    try:
        parts, base = urlsplit(url), httpx.URL(url)
        sound = base.scheme in ("http", "https") and bool(base.host) and not parts.username
        given = parts.path.rstrip("/")
        odd = any(segment.strip(".") == "" for segment in given.split("/")[1:])
        if not sound or parts.query or parts.fragment or odd or parts.port == 0:
            raise ValueError
        path = base.raw_path.decode("ascii").rstrip("/").removesuffix("/v1")
    except (ValueError, httpx.InvalidURL):
        raise InvalidInputError(
            f"{url.rpartition('@')[2]!r} is no URL of an upstream.",
            hint="Such as http://127.0.0.1:8001 or https://host/api/v1; its key: "
            "MEMEDIT_UPSTREAM_KEY.",
        ) from None
    return base.copy_with(raw_path=path.rstrip("/").encode() or b"/")


def target(base: httpx.URL, segments: Sequence[str], query: bytes = b"") -> httpx.URL:
    """The URL of a route under a base URL.

    Args:
        base: Of :func:`base_url`.
        segments: After ``/v1/``.
        query: As it stands in the request line.

    Raises:
        ApiError: 400, a query with other characters than a URL's.
    """
    if query and (not _RAW.fullmatch(query) or b"#" in query):
        raise _make_odd_path()
    prefix = base.raw_path.rstrip(b"/") + b"/v1/"
    path = prefix + "/".join(quote(segment, safe=_SAFE) for segment in segments).encode()
    made = base.copy_with(raw_path=path + (b"?" + query if query else b""))
    if (made.scheme, made.netloc) != (base.scheme, base.netloc) or not made.raw_path.startswith(
        prefix
    ):
        raise _make_odd_path()  # whatever a library makes of it: never another host
    return made
