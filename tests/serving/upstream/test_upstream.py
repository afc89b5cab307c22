"""In front of another server: a real one in a process of its own, and one that misbehaves."""

from __future__ import annotations

import errno
import gzip
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import openai
import pytest

from memedit.editors.prompting.notes import WORDINGS
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.serving.app import assemble
from memedit.serving.metrics import Metrics
from memedit.serving.receipts import HEADER
from memedit.serving.service import Service
from memedit.serving.settings import Settings
from memedit.serving.upstream.backend import UpstreamBackend
from memedit.serving.upstream.relay import Relay
from tests.serving import patient, processes
from tests.serving.helpers import CAPITAL, ELSEWHERE, QUESTION, Running, ring, serving
from tests.serving.processes import Scripted, Tap, chunked, http

pytestmark = pytest.mark.slow

PASSED = int(os.environ.get("MEMEDIT_PASSED_REQUESTS", "60"))
ASKED: Any = [{"role": "user", "content": QUESTION}]
OTHER: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": ELSEWHERE}]
NOTE = f"{WORDINGS['current']}\n- The capital of France is Lyon.\n\n"
GREEDY: Any = {"model": "tiny", "temperature": 0, "max_tokens": 6}


def front(
    url: str, *, keys: Any = None, upstream_key: str | None = None, **changes: Any
) -> Service:
    """A server's parts in front of ``url``."""
    given: dict[str, Any] = {"name": "front", **changes}
    settings = Settings(**given)
    memory, metrics = EditMemory(None, HashingEncoder(64)), Metrics()
    relay = Relay(
        url, key=upstream_key, pass_key=keys is None, timeout=settings.timeout,
        connect_timeout=settings.connect_timeout,
    )  # fmt: skip
    backend = UpstreamBackend(relay, Decider(memory, "mention"), settings, metrics)
    return assemble(backend, memory, settings, metrics, keys=keys)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own server with the bare tiny model, in another process."""
    folder = tmp_path_factory.mktemp("bare")
    model = processes.save_tiny(folder / "model")
    options = ["--model", str(model), "--name", "tiny", "--bare", "--no-auth",
               "--encoder", "hashing", "--memory", str(folder / "memory")]  # fmt: skip
    with processes.started(*options) as process:
        yield process.url


@pytest.fixture(scope="module")
def tapped(bare: str) -> Iterator[tuple[Running, Tap]]:
    tap = Tap(bare)
    with serving(front(f"{tap.url}/v1")) as running:
        assert patient.post(f"{running.url}/v1/edits", json=CAPITAL).status_code == 201
        yield running, tap
    tap.close()


def bodies(count: int) -> list[tuple[str, bytes]]:
    """Requests out of scope: odd spacing, streams, errors, what is not even JSON."""
    made: list[tuple[str, bytes]] = []
    for i in range(count):
        stream = b'"stream": true, ' if i % 3 == 0 else b""
        kind = i % 5
        if kind == 0:
            text = b'{%s"messages" :[{"role":"user","content":"Bake %d \\u00e9"}],"max_tokens":3}'
            made.append(("/v1/chat/completions", text % (stream, i)))
        elif kind == 1:
            text = b' {"max_tokens":2,%s"prompt":["Stir %d","Knead"],\n"temperature":0.0 }'
            made.append(("/v1/completions", text % (stream, i)))
        elif kind == 2:
            text = b'{"messages":[{"role":"user","content":"Dance %d"}],"temperature":9}'
            made.append(("/v1/chat/completions", text % i))
        elif kind == 3:
            made.append(("/v1/chat/completions", b"{not json %d" % i))
        else:
            made.append((f"/v1/embeddings?i={i}", b'{"input": "x %d"}' % i))
    return made


def test_out_of_scope_every_byte_passes(tapped: tuple[Running, Tap]) -> None:
    """What the client sent is what the upstream got, and back, as seen on the wire."""
    running, tap = tapped
    local, clients = threading.local(), []

    def ask(request: tuple[str, bytes]) -> tuple[bytes, bytes]:
        if not hasattr(local, "client"):
            local.client = httpx.Client(base_url=running.url, timeout=120)
            clients.append(local.client)
        path, body = request
        with local.client.stream("POST", path, content=body) as answer:
            back = b"".join(answer.iter_raw())
            if "embeddings" not in path:
                assert json.loads(answer.headers[HEADER].partition("\n")[0])
        return body, back

    with ThreadPoolExecutor(4) as pool:
        ours = list(pool.map(ask, bodies(PASSED)))
    for client in clients:
        client.close()
    theirs = [exchange for wire in tap.wires for exchange in wire.exchanges()]
    assert len(dict(ours)) == PASSED
    assert {b: a for b, a in theirs if b in dict(ours)} == dict(ours)
    assert any(back.endswith(b"data: [DONE]\n\n") for _, back in ours)


def test_through_the_official_client(tapped: tuple[Running, Tap], bare: str) -> None:
    running, _ = tapped
    with (
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="x", max_retries=0) as client,
        openai.OpenAI(base_url=f"{bare}/v1", api_key="x", max_retries=0) as direct,
    ):
        _check_answers(client, direct)


def _check_answers(client: openai.OpenAI, direct: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["tiny", "tiny:unedited"]
    assert client.models.retrieve("tiny").id == "tiny"
    same = client.chat.completions.create(messages=OTHER, **GREEDY).choices[0].message.content
    assert (
        same == direct.chat.completions.create(messages=OTHER, **GREEDY).choices[0].message.content
    )
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(messages=OTHER, **GREEDY | {"model": "no"})
    raw = client.chat.completions.with_raw_response.create(messages=ASKED, **GREEDY)
    answer = raw.parse()
    assert answer.memedit["in_scope"] and answer.memedit["editor"] == "note-chat"
    assert json.loads(raw.headers[HEADER]) == answer.memedit
    chunks = list(client.chat.completions.create(messages=ASKED, stream=True, **GREEDY))
    said = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert said == answer.choices[0].message.content
    assert chunks[0].memedit == answer.memedit


def test_responses_through_the_official_client(tapped: tuple[Running, Tap], bare: str) -> None:
    asked: Any = {"model": "tiny", "temperature": 0, "max_output_tokens": 12}
    with (
        openai.OpenAI(base_url=f"{tapped[0].url}/v1", api_key="x", max_retries=0) as client,
        openai.OpenAI(base_url=f"{bare}/v1", api_key="x", max_retries=0) as direct,
    ):
        told: Any = client.responses.create(input=QUESTION, **asked)
        assert told.memedit["in_scope"] and told.memedit["editor"] == "note-chat"
        other = direct.responses.create(input=ELSEWHERE, **asked)
        for text, whole in ((QUESTION, told), (ELSEWHERE, other)):
            assert client.responses.create(input=text, **asked).output_text == whole.output_text
            *_, last = client.responses.create(input=text, stream=True, **asked)
            assert last.response.output_text == whole.output_text


def test_messages_through_the_official_client(tapped: tuple[Running, Tap], bare: str) -> None:
    asked: Any = {"model": "tiny", "max_tokens": 12, "extra_body": {"temperature": 0}}
    with (
        anthropic.Anthropic(base_url=tapped[0].url, api_key="x", max_retries=0) as client,
        anthropic.Anthropic(base_url=bare, api_key="x", max_retries=0) as direct,
    ):
        told: Any = client.messages.create(messages=ASKED, **asked)
        said: Any
        assert told.memedit["in_scope"] and told.memedit["editor"] == "note-chat"
        other: Any = direct.messages.create(messages=OTHER[1:], **asked)
        for messages, whole in ((ASKED, told), (OTHER[1:], other)):
            said = client.messages.create(messages=messages, **asked)
            with client.messages.stream(messages=messages, **asked) as stream:
                streamed: Any = stream.get_final_message()
            texts = [each.content[0].text for each in (said, streamed, whole)]
            assert len(set(texts)) == 1


def test_in_scope_the_upstream_reads_the_fact(tapped: tuple[Running, Tap], bare: str) -> None:
    running, tap = tapped
    messages = [OTHER[0], *ASKED]
    sent = {"messages": messages, **GREEDY, "seed": 4, "memedit": {}}
    answer = patient.post(f"{running.url}/v1/chat/completions", json=sent).json()
    got = json.loads(next(b for b, a in _all(tap) if answer["id"].encode() in a))
    assert "memedit" not in got and got["seed"] == 4 and got["messages"][0] == messages[0]
    assert got["messages"] == [messages[0], {"role": "user", "content": NOTE + QUESTION}]
    body = {"prompt": ["The capital of France is", ELSEWHERE], **GREEDY}
    answer = patient.post(f"{running.url}/v1/completions", json=body).json()
    got = json.loads(next(b for b, a in _all(tap) if answer["id"].encode() in a))
    assert got["prompt"][1] == ELSEWHERE and "stop" not in got
    assert got["prompt"][0] == "The capital of France is Lyon.\nThe capital of France is"
    assert [r["in_scope"] for r in answer["memedit"]["prompts"]] == [True, False]
    unedited = sent | {"memedit": {"edits": False}}
    plain = patient.post(f"{running.url}/v1/chat/completions", json=unedited)
    assert json.loads(plain.headers[HEADER])["in_scope"] is False
    for ours, said in (({"edit": False}, "memedit.edit: There is no such field"), (1, "memedit: ")):
        wrong = httpx.post(f"{running.url}/v1/chat/completions", json=sent | {"memedit": ours})
        assert wrong.status_code == 400 and wrong.json()["error"]["message"].startswith(said)
    assert "Did you mean edits?" in httpx.post(
        f"{running.url}/v1/completions", json={"prompt": "x", "memedit": {"edit": 0}}
    ).text  # fmt: skip


def _all(tap: Tap) -> list[tuple[bytes, bytes]]:
    return [exchange for wire in tap.wires for exchange in wire.exchanges()]


def test_explain_asks_the_upstream_twice(tapped: tuple[Running, Tap]) -> None:
    running, _ = tapped
    body = {"query": QUESTION, "max_tokens": 6}
    why = patient.post(f"{running.url}/v1/explain", json=body).json()
    assert why["in_scope"] and why["answer"] != why["base_answer"]
    assert patient.get(f"{running.url}/readyz").json()["status"] == "ready"


# An upstream that misbehaves


@contextmanager
def troubled(**changes: Any) -> Iterator[tuple[httpx.Client, Scripted]]:
    scripted = Scripted()
    try:
        with serving(front(scripted.url, **changes)) as running:
            with httpx.Client(base_url=running.url, timeout=120) as client:
                assert client.post("/v1/edits", json=CAPITAL).status_code == 201
                yield client, scripted
    finally:
        scripted.close()


@pytest.fixture(scope="module")
def trouble() -> Iterator[tuple[httpx.Client, Scripted]]:
    with troubled() as both:
        yield both


@pytest.fixture(scope="module")
def silence() -> Iterator[tuple[httpx.Client, Scripted]]:
    """A server whose patience has an end soon: for upstreams that say nothing more."""
    with troubled(timeout=3.0) as both:  # so long a busy machine may take for the first word
        yield both


CHAT = "/v1/chat/completions"
SCOPED = pytest.mark.parametrize("messages", [ASKED, OTHER], ids=["in scope", "out of scope"])


@SCOPED
@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Oops", "503 Busy", "401 No"])
def test_its_errors_are_handed_on(
    trouble: tuple[httpx.Client, Scripted], messages: Any, status: str
) -> None:
    client, scripted = trouble
    body = b'<html>\xff"quota" </html>'
    scripted.script = (http(status, body, "Retry-After: 7", "X-RateLimit-Remaining: 0"), True)
    answer = client.post(CHAT, json={"messages": messages})
    assert answer.status_code == int(status[:3]) and answer.content == body
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-ratelimit-remaining"] == "0"


@SCOPED
def test_silence_is_a_timeout(silence: tuple[httpx.Client, Scripted], messages: Any) -> None:
    client, scripted = silence
    scripted.script = (b"", False)
    answer = client.post(CHAT, json={"messages": messages})
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream_timeout"


@SCOPED
@pytest.mark.parametrize("bytes_", [b"", b"not http at all\r\n\r\n"])
def test_no_answer_at_all(
    trouble: tuple[httpx.Client, Scripted], messages: Any, bytes_: bytes
) -> None:
    client, scripted = trouble
    scripted.script = (bytes_, True)
    asked = len(scripted.requests)
    answer = client.post(CHAT, json={"messages": messages})
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_unavailable"
    assert len(scripted.requests) == asked + 1  # it may have acted on it: not sent twice


def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    """The fault: nothing anywhere said which address was tried, and why it failed."""
    with troubled() as (client, scripted):
        scripted.close()
        for _ in range(2):
            answer = client.post(CHAT, json={"messages": OTHER})
            assert answer.status_code == 502 and "server's log" in answer.text
            assert scripted.url not in answer.text  # that is the operator's
        ready = client.get("/readyz")
        assert ready.status_code == 503 and "cannot be reached" in ready.json()["reason"]
        (told,) = [r.getMessage() for r in caplog.records if "cannot be reached" in r.getMessage()]
        assert scripted.url in told and f"[Errno {errno.ECONNREFUSED}]" in told


@pytest.mark.parametrize("key", [None, "sk-theirs"])
def test_a_key_that_the_upstream_wants_is_asked_for_in_the_log(
    caplog: pytest.LogCaptureFixture, key: str | None
) -> None:
    """The fault: the client got a 401 that looked like memedit's own, and no log said whose it
    was."""
    scripted = Scripted()
    scripted.script = (http("401 Unauthorized", b'{"error": "Unauthorized"}'), True)
    held, (own,), _ = ring(("ask",))
    try:
        with serving(front(scripted.url, keys=held, upstream_key=key)) as running:
            head = {"Authorization": f"Bearer {own}"}
            for _ in range(2):
                answer = patient.post(
                    f"{running.url}{CHAT}", json={"messages": OTHER}, headers=head
                )
                assert answer.status_code == 401
    finally:
        scripted.close()
    (told,) = [r.getMessage() for r in caplog.records if "401" in r.getMessage()]
    assert "MEMEDIT_UPSTREAM_KEY" in told and ("another" in told) == (key is not None)


def test_an_upstream_that_is_back_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with troubled() as (client, scripted):
        scripted.script = (b"", True)
        assert client.post(CHAT, json={"messages": OTHER}).status_code == 502
        scripted.script = (http("200 OK", b"{}"), True)
        for _ in range(2):
            assert client.post(CHAT, json={"messages": OTHER}).status_code == 200
    assert sum("answers again" in record.getMessage() for record in caplog.records) == 1


EVENTS = [b'data: {"id":"1","choices":[{"delta":{"content":"Ly"}}]}\n', b"\n", b'data: {"id"',
          b':"1","choices":[{"delta":{"content":"on"}}]}\n\n']  # fmt: skip
SSE = "Content-Type: text/event-stream"


@SCOPED
@pytest.mark.parametrize("stalls", [False, True])
def test_a_cut_stream_is_cut_for_the_client(
    request: pytest.FixtureRequest, messages: Any, stalls: bool
) -> None:
    client, scripted = request.getfixturevalue("silence" if stalls else "trouble")
    scripted.script = (chunked("200 OK", EVENTS, SSE, whole=False), not stalls)
    got = b""
    with pytest.raises(httpx.RemoteProtocolError):
        with client.stream("POST", CHAT, json={"messages": messages, "stream": True}) as answer:
            for part in answer.iter_raw():
                got += part
    if messages is OTHER:
        assert got == b"".join(EVENTS)
    else:
        first, rest = got.split(b"\n", 1)
        assert json.loads(first.removeprefix(b"data: "))["memedit"]["in_scope"]
        assert rest == b"".join(EVENTS).split(b"\n", 1)[1]


def test_a_cut_body(trouble: tuple[httpx.Client, Scripted]) -> None:
    client, scripted = trouble
    scripted.script = (http("200 OK", b'{"choices": [', length=500), True)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(CHAT, json={"messages": OTHER})
    answer = client.post(CHAT, json={"messages": ASKED})
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream_unavailable"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"a":', b"\xff\xfe", b"null"])
def test_malformed_answers(trouble: tuple[httpx.Client, Scripted], body: bytes) -> None:
    client, scripted = trouble
    scripted.script = (http("200 OK", body, "Content-Type: application/json"), True)
    passed = client.post(CHAT, json={"messages": OTHER})
    assert (passed.status_code, passed.content) == (200, body)  # not ours to judge
    refused = client.post(CHAT, json={"messages": ASKED})
    assert refused.status_code == 502
    assert refused.json()["error"]["code"] == "upstream_malformed"
    assert client.post("/v1/explain", json={"query": QUESTION}).status_code == 502


def test_compressed_answers(trouble: tuple[httpx.Client, Scripted]) -> None:
    client, scripted = trouble
    packed = gzip.compress(b'{"id": "x", "choices": []}')
    scripted.script = (http("200 OK", packed, "Content-Encoding: gzip"), True)
    with client.stream("POST", CHAT, json={"messages": OTHER}) as passed:
        assert b"".join(passed.iter_raw()) == packed
    assert b"accept-encoding: identity" not in scripted.requests[-1].lower()
    edited = client.post(CHAT, json={"messages": ASKED}).json()
    assert edited["id"] == "x" and edited["memedit"]["in_scope"]


def test_a_stream_without_a_proper_event(trouble: tuple[httpx.Client, Scripted]) -> None:
    client, scripted = trouble
    parts = [b": ping\n\n", b"data: [DO", b"NE]\n\n"]
    scripted.script = (chunked("200 OK", parts, SSE), True)
    got = client.post(CHAT, json={"messages": ASKED, "stream": True})
    assert got.content == b"".join(parts)


def test_whose_key_the_upstream_sees() -> None:
    held, (secret,), _ = ring(("ask", "edit"))
    answer = http("200 OK", b"{}")
    for upstream_key, keys, sent, seen in (
        ("theirs", held, secret, b"Bearer theirs"), (None, held, secret, None),
        (None, None, "clients", b"Bearer clients"), ("theirs", None, "clients", b"Bearer theirs"),
    ):  # fmt: skip
        scripted = Scripted()
        scripted.script = (answer, True)
        with serving(front(scripted.url, keys=keys, upstream_key=upstream_key)) as running:
            headers = {"Authorization": f"Bearer {sent}", "Cookie": "a=b", "X-Own": "kept"}
            patient.post(f"{running.url}{CHAT}", json={"messages": OTHER}, headers=headers)
        lines = scripted.requests[-1].partition(b"\r\n\r\n")[0].split(b"\r\n")
        found = [line.partition(b": ")[2] for line in lines if line.lower().startswith(b"authoriz")]
        assert found == ([] if seen is None else [seen])
        assert not any(line.lower().startswith(b"cookie") for line in lines)
        assert any(line.lower() == b"x-own: kept" for line in lines)
        scripted.close()


def test_questions_in_other_languages_are_put_into_english_by_the_upstream() -> None:
    """With ``translate``: one short question of ours, then the request with its note."""
    german = [{"role": "user", "content": "Was ist die Hauptstadt von Frankreich?"}]
    said = json.dumps({"choices": [{"message": {"content": "What is the capital of France?"}}]})
    for translate, requests in (("on", 2), ("auto", 1)):
        with troubled(translate=translate) as (client, scripted):
            scripted.script = (
                http("200 OK", said.encode(), "Content-Type: application/json"),
                True,
            )
            answer = client.post(CHAT, json={"messages": german})
            assert json.loads(answer.headers[HEADER])["in_scope"] is (translate == "on")
            bodies = [each.partition(b"\r\n\r\n")[2] for each in scripted.requests]
            assert len(bodies) == requests
            asked = json.loads(bodies[-1])["messages"][-1]["content"]
            assert asked.endswith(german[0]["content"])
            assert ("capital of France is Lyon" in asked) is (translate == "on")
            empty = {"X-Memedit-Namespace": "empty"}  # nothing to find, so nothing to translate
            client.post(CHAT, json={"messages": german}, headers=empty)
            assert len(scripted.requests) == requests + 1


@pytest.mark.parametrize("messages", [
    None, [], "x", [1], [{"role": "user"}], [{"role": "user", "content": None}],
    [{"role": "user", "content": [{"type": "image_url"}]}],
    [{"role": "user", "content": "\ud800 bread"}], [{"role": "assistant", "content": "x"}],
    [{"role": [], "content": "x"}, {"role": "user", "content": "Bake bread."}],
    [{"role": "user", "content": [{"type": {}, "text": "x"}]}],
])  # fmt: skip
def test_odd_conversations_are_the_upstreams_business(
    trouble: tuple[httpx.Client, Scripted], messages: Any
) -> None:
    client, scripted = trouble
    scripted.script = (http("200 OK", b"{}"), True)
    body = json.dumps({"messages": messages}).encode()
    assert client.post(CHAT, content=body).content == b"{}"
    assert scripted.requests[-1].endswith(b"\r\n\r\n" + body)


def test_what_is_no_message_stays_beside_the_note(trouble: tuple[httpx.Client, Scripted]) -> None:
    client, scripted = trouble
    scripted.script = (http("200 OK", b'{"id": "x"}'), True)
    odd: list[Any] = ["x", 1, {"role": {}, "content": "x"}]
    answer = client.post(CHAT, json={"messages": [*odd, *ASKED]})
    assert answer.status_code == 200
    sent = json.loads(scripted.requests[-1].partition(b"\r\n\r\n")[2])["messages"]
    assert sent == [*odd, {"role": "user", "content": NOTE + QUESTION}]


def test_parts_of_a_message(trouble: tuple[httpx.Client, Scripted]) -> None:
    client, scripted = trouble
    scripted.script = (http("200 OK", b'{"id": "x"}'), True)
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": QUESTION}]
    client.post(CHAT, json={"messages": [{"role": "user", "content": parts}]})
    sent = json.loads(scripted.requests[-1].partition(b"\r\n\r\n")[2])["messages"][-1]["content"]
    assert sent[0] == parts[0] and sent[1]["text"] == NOTE + QUESTION
