"""Keys: what is kept, what is compared, and what each may do."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.serving import keys
from memedit.serving.guard import RateLimiter
from memedit.serving.keys import KeyRing, make_key
from memedit.serving.service import NAMESPACE_HEADER
from tests.helpers import as_nobody
from tests.serving.helpers import CAPITAL, ELSEWHERE, ring, run, stop_rates, tiny_service, within


def test_the_file_holds_no_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key, secret = make_key("Ann", ("read", "edit"), namespace="acme")
    keys.add(file, key)
    kept = file.read_text()
    assert secret not in kept and secret.rpartition("_")[2] not in kept and key.id in kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys.read(file) == [key]
    assert secret not in repr(key)


def test_a_running_ring_notices_new_and_revoked_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    held = KeyRing(file)
    first, secret = make_key("Ann")
    assert held.find(secret) is None
    keys.add(file, first)
    assert held.find(secret) == first
    second, other = make_key("Bo")
    keys.add(file, second)
    keys.revoke(file, first.id)
    assert held.find(secret) is None and held.find(other) == second


@pytest.mark.parametrize("wrong", [
    "", "mk", "mk__", "mk_{id}_", "mk_{id}_0", "xx_{id}_{secret}", "mk_00000000_{secret}",
    "{secret}", "mk_{id}_{secret}0", "ü_ü",
])  # fmt: skip
def test_near_misses(wrong: str) -> None:
    key, shown = make_key("Ann")
    secret = shown.rpartition("_")[2]
    held = KeyRing(keys=[key])
    assert held.find(wrong.format(id=key.id, secret=secret)) is None
    assert held.find(shown) == key


def test_bad_files_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    for text in ("{", "[]", '{"format": 9, "keys": []}', '{"format": 1, "keys": [{"id": 1}]}'):
        file.write_text(text)
        with pytest.raises(MemoryStoreError, match="not a key file"):
            KeyRing(file)
    with pytest.raises(InvalidInputError, match="Did you mean: read"):
        make_key("Ann", ("reed",))
    with pytest.raises(InvalidInputError, match="needs a scope"):
        make_key("Ann", ())
    with pytest.raises(InvalidInputError, match="Unknown key"):
        keys.revoke(tmp_path / "none.json", "abc")


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs what Linux tells of a process")
def test_what_a_process_has_open_is_no_key_file() -> None:
    """The fault: keys add --file /proc/self/mem never ended, waiting for a lock beside it."""
    key, _ = make_key("Ann", ("read",))
    with pytest.raises(InvalidInputError, match="is no file"):
        keys.add(Path("/proc/self/mem"), key)


def test_a_lock_that_is_held_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_PATIENCE", 0.1)
    key, _ = make_key("Ann", ("read",))
    with FileLock(tmp_path / "keys.json.lock"), pytest.raises(MemoryStoreError, match="held"):
        keys.add(tmp_path / "keys.json", key)
    keys.add(tmp_path / "keys.json", key)


def test_a_key_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The fault: "[Errno 28] No space left on device.", of no file."""
    (tmp_path / "file").touch()
    with pytest.raises(MemoryStoreError, match=r"file/keys\.json' cannot be written: .*No key was"):
        keys.add(tmp_path / "file" / "keys.json", make_key("Ann")[0])


@pytest.mark.skipif(os.name != "posix", reason="needs users")
def test_keys_of_another_user_are_not_called_none(tmp_path: Path) -> None:
    """As root makes them for a server that is not root. The fault: "is not a key file"."""
    file = tmp_path / "keys.json"
    keys.add(file, make_key("Ann")[0])
    file.chmod(0)
    with as_nobody(), pytest.raises(MemoryStoreError, match=r"cannot be read: Perm.*chown"):
        keys.read(file)
    file.chmod(0o600)
    assert len(keys.read(file)) == 1


def test_the_rate_is_a_bucket_that_fills() -> None:
    limiter = RateLimiter()
    assert [limiter.wait("a", 3, now=0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait("a", 3, now=0) == pytest.approx(20)
    assert limiter.wait("b", 3, now=0) == 0 and limiter.wait("a", None, now=0) == 0
    assert limiter.wait("a", 3, now=20.01) == 0
    assert limiter.wait("a", 3, now=20.01) > 19
    assert [limiter.wait("a", 3, now=1_000) for _ in range(4)][3] > 0


ROUTES = [
    ("read", "GET", "/v1/edits", None), ("read", "GET", "/v1/export", None),
    ("read", "GET", "/v1/history", None), ("read", "GET", "/v1/stats", None),
    ("read", "GET", "/v1/proposals", None), ("read", "GET", "/v1/reports", None),
    ("ask", "GET", "/v1/models", None),
    ("ask", "POST", "/v1/completions", {"prompt": ELSEWHERE, "max_tokens": 1}),
    ("ask", "POST", "/v1/chat/completions",
     {"messages": [{"role": "user", "content": ELSEWHERE}], "max_tokens": 1}),
    ("ask", "POST", "/v1/explain", {"query": ELSEWHERE, "max_tokens": 1}),
    ("ask", "POST", "/v1/compare", {"queries": [ELSEWHERE], "max_tokens": 1}),
    ("ask", "POST", "/v1/reports", {"kind": "wrong_answer", "query": "x"}),
    ("edit", "POST", "/v1/edits", CAPITAL), ("edit", "PATCH", "/v1/edits/x", {}),
    ("edit", "DELETE", "/v1/edits/x", None), ("edit", "POST", "/v1/restore", {"version": 0}),
    ("edit", "POST", "/v1/undo", None), ("edit", "POST", "/v1/undo", {"if_version": 9}),
    ("edit", "POST", "/v1/import", {}), ("edit", "POST", "/v1/proposals/x/approve", None),
    ("admin", "GET", "/v1/audit", None), ("admin", "GET", "/metrics", None),
]  # fmt: skip


def test_every_route_needs_its_scope() -> None:
    scopes = ("read", "ask", "edit", "admin")
    held, secrets, _ = ring(*[(scope,) for scope in scopes])

    async def work() -> None:
        async with within(tiny_service(keys=held)) as client:
            for needed, method, path, body in ROUTES:
                assert (await client.request(method, path, json=body)).status_code == 401
                for scope, secret in zip(scopes, secrets, strict=True):
                    headers = {"Authorization": f"Bearer {secret}"}
                    answer = await client.request(method, path, json=body, headers=headers)
                    allowed = scope in (needed, "admin")
                    assert (answer.status_code != 403) == allowed, (scope, method, path)
                    if not allowed:
                        assert answer.json()["error"]["code"] == "insufficient_scope"
            for path in ("/", "/healthz", "/readyz", "/openapi.json"):
                assert (await client.get(path)).status_code == 200

    run(work())


def test_rate_and_size_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_rates(monkeypatch)
    held, (secret,), _ = ring(("read", "edit"), requests_per_minute=5, max_body=300)

    async def work() -> None:
        async with within(tiny_service(keys=held), secret) as client:
            large = {"statement": "word " * 100}
            assert (await client.post("/v1/edits", json=large)).status_code == 413

            async def drip() -> Any:
                for _ in range(100):
                    yield b" " * 10

            assert (await client.post("/v1/edits", content=drip())).status_code == 413
            statuses = [(await client.get("/v1/edits")).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429]
            refused = await client.get("/v1/edits")
            assert refused.json()["error"]["type"] == "rate_limit_error"
            assert 1 <= int(refused.headers["Retry-After"]) <= 13
            assert (await client.get("/healthz")).status_code == 200

    run(work())


def test_namespaces_of_keys() -> None:
    held, secrets, _ = ring(("read", "edit"), ("read", "edit"))
    anywhere, (third,), _ = ring(("read", "edit"), namespace="*")
    both = KeyRing(keys=[*held.keys(), *anywhere.keys()])

    async def work() -> None:
        async with within(tiny_service(keys=both)) as client:

            def auth(secret: str, **more: str) -> dict[str, str]:
                return {"Authorization": f"Bearer {secret}"} | more

            named = {NAMESPACE_HEADER: "acme"}
            wrong = await client.get("/v1/edits", headers=auth(secrets[0], **named))
            assert wrong.status_code == 403
            made = await client.post("/v1/edits", json=CAPITAL, headers=auth(third, **named))
            assert made.json()["record"]["namespace"] == "acme"
            for headers, total in ((auth(secrets[0]), 0), (auth(third), 0),
                                   (auth(third, **named), 1)):  # fmt: skip
                assert (await client.get("/v1/edits", headers=headers)).json()["total"] == total
            for bad in ("*", " ", "x" * 300):
                answer = await client.get(
                    "/v1/edits", headers=auth(third, **{NAMESPACE_HEADER: bad})
                )
                assert answer.status_code == 400

    run(work())


def test_other_sites_cannot_use_a_visitors_browser() -> None:
    async def work() -> None:
        async with within(tiny_service(hosts=("test", "localhost"))) as client:
            evil = {"Origin": "http://evil.example"}
            body = json.dumps(CAPITAL)
            for headers in (evil, evil | {"Content-Type": "text/plain"}, {"Origin": "null"}):
                answer = await client.post("/v1/edits", content=body, headers=headers)
                assert answer.status_code == 403
                assert "access-control-allow-origin" not in answer.headers
            preflight = await client.options(
                "/v1/edits", headers=evil | {"Access-Control-Request-Method": "POST"}
            )
            assert "access-control-allow-origin" not in preflight.headers
            own = await client.post("/v1/edits", json=CAPITAL, headers={"Origin": "http://test"})
            assert own.status_code == 201
            rebound = await client.get("/v1/edits", headers={"Host": "evil.example"})
            assert rebound.status_code == 400
        async with within(tiny_service(cors_origin=("https://app.example",))) as client:
            asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
            answer = await client.options("/v1/edits", headers=asked)
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            for name in ("x-api-key", "anthropic-version", "mcp-protocol-version"):
                wanted = asked | {"Access-Control-Request-Headers": name}
                answer = await client.options("/v1/messages", headers=wanted)
                assert answer.status_code == 200
                assert name in answer.headers["access-control-allow-headers"]
            made = await client.post(
                "/v1/edits", json=CAPITAL, headers={"Origin": "https://app.example"}
            )
            assert made.status_code == 201

    run(work())


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    held, (secret,), _ = ring(("read", "ask", "edit", "admin"))

    async def work() -> list[httpx.Response]:
        async with within(tiny_service(keys=held), secret) as client:
            answers = [await client.request(m, p, json=b) for _, m, p, b in ROUTES]
            wrong = {"Authorization": f"Bearer {secret}x"}
            return [*answers, await client.get("/v1/edits", headers=wrong)]

    with caplog.at_level("DEBUG"):
        answers = run(work())
    seen = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    assert secret not in seen and secret.rpartition("_")[2] not in seen
