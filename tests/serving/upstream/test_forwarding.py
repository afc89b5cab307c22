"""What reaches an upstream with the operator's key: listed routes under its base URL, no others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memedit.core.errors import InvalidInputError
from memedit.serving.errors import ApiError
from memedit.serving.keys import make_key
from memedit.serving.upstream.forwarding import (
    DEFAULTS,
    admit,
    base_url,
    route,
    segments_of,
    target,
)
from memedit.serving.upstream.relay import choose_returned_headers
from tests.serving import patient
from tests.serving.helpers import ring, serving
from tests.serving.processes import Scripted, http
from tests.serving.upstream.test_upstream import front

ASK, _ = make_key("asks", ("ask",))
ADMIN, _ = make_key("may all", ("admin",))
OPERATOR = "the-operators-key"
EXTRA = ("POST /v1/rerank ask", "DELETE /v1/files/* admin", "GET /v1/files")

ODD = [
    "/v1/../admin/x", "/v1/./models", "/v1/%2e%2e/admin", "/v1/%2E%2e/admin", "/v1/..%2fadmin",
    "/v1/..%2f..%2fadmin", "/v1/..%5cadmin", "/v1/..\\admin", "/v1//models",
    "//evil.test/v1/models",
    "/v1/models/", "/v1", "/", "%2Fv1%2F.evil.test/steal", "http://evil.test/v1/models",
    "evil.test/v1/models", "@evil.test/v1/models", ":80@evil.test/v1", "/v1/models%00",
    "/v1/a%0d%0ab",
    "/v1/a b", "/v1/models#x", "/v1/models/%252e%252e", "/v1/..;/admin", "/v1/x;y", "/v1%2fmodels",
    "/V1/models", "/admin", "/v1/models/%", "/v1/models/%zz", "/v1/\xff", "/v1/models/%ff",
    "/v1/models/%2e%2e/%2e%2e", "/v1/.../x", "/v1/models/..", "/v1/models?x=/../", "\t/v1/models",
    "/v1/models\\..\\..", "/v1/%5C..", "",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD)
def test_odd_paths_are_400(path: str) -> None:
    with pytest.raises(ApiError) as raised:
        admit(DEFAULTS, "GET", path.encode("latin-1"), ASK)
    assert raised.value.status == 400 and raised.value.code == "invalid_path"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/chat/completions", 200), ("POST", "/v1/completions", 200),
        ("POST", "/v1/responses", 200), ("POST", "/v1/embeddings", 200),
        ("GET", "/v1/models", 200), ("GET", "/v1/models/llama3:8b", 200),
        ("GET", "/v1/models/org/model-1.5", 200), ("GET", "/v1/models/a%20b", 200),
        ("DELETE", "/v1/models/x", 404), ("DELETE", "/v1/files/file-1", 404),
        ("GET", "/v1/files", 404), ("POST", "/v1/files", 404), ("GET", "/v1/fine_tuning/jobs", 404),
        ("POST", "/v1/fine_tuning/jobs", 404), ("POST", "/v1/batches", 404),
        ("GET", "/v1/responses/resp_1", 404), ("DELETE", "/v1/responses/resp_1", 404),
        ("POST", "/v1/chat/completions/x", 404), ("PUT", "/v1/embeddings", 404),
        ("GET", "/v1/organization/admin_api_keys", 404), ("POST", "/v1/models/a/b/c", 404),
        ("POST", "/v1/images/generations", 404), ("HEAD", "/v1/models", 404),
    ],
)  # fmt: skip
def test_the_list(method: str, path: str, status: int) -> None:
    for key in (ASK, ADMIN):
        try:
            admit(DEFAULTS, method, path.encode(), key)
        except ApiError as error:
            assert error.status == status
        else:
            assert status == 200


def test_more_by_configuration_and_by_scope() -> None:
    routes = [*DEFAULTS, *map(route, EXTRA)]
    assert admit(routes, "POST", b"/v1/rerank", ASK) == ("rerank",)
    assert admit(routes, "DELETE", b"/v1/files/file-1", ADMIN) == ("files", "file-1")
    for method, path in (("DELETE", b"/v1/files/file-1"), ("GET", b"/v1/files")):
        with pytest.raises(ApiError) as raised:
            admit(routes, method, path, ASK)
        assert (raised.value.status, raised.value.code) == (403, "insufficient_scope")
    with pytest.raises(ApiError) as raised:
        admit(routes, "DELETE", b"/v1/files/file-1/content", ADMIN)
    assert raised.value.status == 404


@pytest.mark.parametrize(
    "text",
    ["", "POST", "/v1/x", "POST /x", "post /v1/x", "POST /v1/../x ask", "POST /v1/x nobody",
     "POST /v1/x ask more", "TRACE /v1/x", "POST http://h/v1/x", "POST /v1/x/ ask"],
)  # fmt: skip
def test_routes_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInputError):
        route(text)


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("http://h:8001", "http://h:8001/v1/models"),
        ("http://h/v1", "http://h/v1/models"),
        ("https://h/api/v1/", "https://h/api/v1/models"),
        ("https://h/api", "https://h/api/v1/models"),
        ("http://[::1]:9/v1", "http://[::1]:9/v1/models"),
    ],
)
def test_the_base(url: str, made: str) -> None:
    assert str(target(base_url(url), ("models",))) == made
    assert str(target(base_url(url), ("models",), b"a=%2F..")) == f"{made}?a=%2F.."


@pytest.mark.parametrize(
    "url",
    ["", "h:8001", "ftp://h", "http://", "http:///v1", "http://u:p@h", "http://h/a/../b",
     "http://h?x=1", "http://h#x", "file:///etc/passwd", "http://h:99999", "http://h//v1"],
)  # fmt: skip
def test_bases_that_are_none(url: str) -> None:
    with pytest.raises(InvalidInputError, match="is no URL of an upstream"):
        base_url(url)


PIECES = ["v1", "..", ".", "%2e", "%2f", "%5c", "%00", "\\", "/", "@evil.test", "evil.test", ":80",
          "models", "#", "?", ";", "%", "%25", "http:", "//", "é", " ", "\t", "*"]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=20),
    st.binary(max_size=20),
)
def test_whatever_is_asked_for_host_and_base_stay(path: str, query: bytes) -> None:
    base = base_url("https://upstream.test:8443/base/v1")
    try:
        made = target(base, segments_of(path.encode("utf-8", "replace")), query)
    except ApiError as error:
        assert error.status == 400
        return
    read = urlsplit(str(made))
    assert (read.scheme, read.netloc) == ("https", "upstream.test:8443")
    assert read.path.startswith("/base/v1/") and not {"..", "."} & set(read.path.split("/"))


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[str, Scripted, str]]:
    """A server with the operator's key in front of a scripted upstream, and a key that may ask."""
    held, (secret,), _ = ring(("ask",))
    scripted = Scripted()
    scripted.script = (http("200 OK", b"{}"), True)
    made = front(f"{scripted.url}/base/v1", keys=held, upstream_key=OPERATOR)
    with serving(made) as running:
        yield running.url, scripted, secret
    scripted.close()


def _sent(url: str, line: str, secret: str, *headers: str) -> int:
    """The status of a request whose line goes out as it is; no client tidies it up."""
    parts = urlsplit(url)
    text = "\r\n".join(
        [f"{line} HTTP/1.1", f"Host: {parts.netloc}", f"Authorization: Bearer {secret}", *headers,
         "Content-Length: 0", "Connection: close", "", ""]
    )  # fmt: skip
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as wire:
        wire.sendall(text.encode("latin-1"))
        return int((wire.makefile("rb").readline().split() or [b"0", b"0"])[1])


ON_THE_WIRE = [
    "GET /v1/../admin/x", "DELETE /v1/../api/delete", "GET /v1/..%2f..%2fadmin",
    "GET /v1/%2e%2e/%2e%2e/admin", "GET %2Fv1%2F.evil.test/steal", "POST //evil.test/v1/embeddings",
    "GET /v1/models/..%5c..%5cadmin", "GET /v1/models%2f..%2f..%2fadmin",
    "POST /v1/chat%2fcompletions",
    "DELETE /v1/files/file-1", "POST /v1/fine_tuning/jobs", "GET /v1/organization/admin_api_keys",
    "GET /v1/files",
]  # fmt: skip


@pytest.mark.parametrize("line", ON_THE_WIRE)
def test_nothing_odd_reaches_the_upstream(behind: tuple[str, Scripted, str], line: str) -> None:
    url, scripted, secret = behind
    before = len(scripted.requests)
    assert _sent(url, line, secret) in (400, 404)
    assert len(scripted.requests) == before


def test_an_absolute_target_changes_no_host(behind: tuple[str, Scripted, str]) -> None:
    """HTTP parsers leave its authority out, or hand it on whole: neither is another host."""
    url, scripted, secret = behind
    before = len(scripted.requests)
    status = _sent(url, "POST http://evil.test/v1/embeddings", secret)
    assert status == 400 or (status == 200 and len(scripted.requests) == before + 1)
    assert all(b"evil.test" not in request for request in scripted.requests)


def test_what_is_passed_on_carries_the_operators_key_and_no_other_path(
    behind: tuple[str, Scripted, str],
) -> None:
    url, scripted, secret = behind
    odd = ["X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin",
           "X-Forwarded-Host: evil.test",
           "OpenAI-Organization: org-other", "OpenAI-Project: other", "Api-Key: mine"]  # fmt: skip
    assert _sent(url, "POST /v1/embeddings?a=%2e%2e", secret, *odd) == 200
    line, *headers = scripted.requests[-1].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert line == b"POST /base/v1/embeddings?a=%2e%2e HTTP/1.1"
    names = {header.partition(b":")[0].lower() for header in headers}
    assert not names & {each.partition(":")[0].lower().encode() for each in odd}
    assert f"authorization: Bearer {OPERATOR}".encode() in headers


def test_headers_that_are_not_ascii_pass_as_they_came(behind: tuple[str, Scripted, str]) -> None:
    url, scripted, secret = behind
    assert _sent(url, "POST /v1/embeddings", secret, "X-Title: Café") == 200
    assert "x-title: Café".encode("latin-1") in scripted.requests[-1]
    title = "北京".encode()
    back = choose_returned_headers(httpx.Response(200, headers=[(b"X-Title", title)]))
    assert ("x-title", title.decode("latin-1")) in back


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
def test_redirects_are_neither_followed_nor_handed_on(status: str) -> None:
    elsewhere, scripted = Scripted(), Scripted()
    elsewhere.script = (http("200 OK", b"{}"), True)
    scripted.script = (http(status, b"", f"Location: {elsewhere.url}/v1/models"), True)
    try:
        with serving(front(scripted.url, upstream_key=OPERATOR)) as running:
            answer: Any = patient.get(f"{running.url}/v1/models")
            assert answer.status_code == 502 and "location" not in answer.headers
            assert answer.json()["error"]["code"] == "upstream_redirects"
            asked = patient.post(f"{running.url}/v1/explain", json={"query": "x?"})
            assert asked.status_code == 502
    finally:
        scripted.close()
        elsewhere.close()
    assert not elsewhere.requests
