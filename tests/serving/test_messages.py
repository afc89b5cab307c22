"""``/v1/messages`` through the official client, local and in front of another server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest

from memedit.serving.errors import ApiError
from memedit.serving.local.asking import Asking
from memedit.serving.local.sampling import Piece
from memedit.serving.messages import Said
from memedit.serving.upstream.placing import query_of
from memedit.serving.upstream.relay import Relay
from tests.serving import patient
from tests.serving.helpers import (
    CAPITAL,
    ELSEWHERE,
    QUESTION,
    Running,
    ring,
    serving,
    tell,
    tiny_service,
)
from tests.serving.processes import Scripted, chunked, http
from tests.serving.upstream.test_rewriters import body_of, front

ASKED: Any = {"model": "tiny", "max_tokens": 16, "extra_body": {"temperature": 0}}
PLAIN = {"model": "tiny", "max_tokens": 16, "temperature": 0}


def turn(text: Any, role: str = "user") -> Any:
    return {"role": role, "content": text}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Running, str]]:
    keys, (key,), _ = ring(["ask", "edit"])
    with serving(tiny_service(keys=keys)) as found:
        headers = {"Authorization": f"Bearer {key}"}
        assert patient.post(f"{found.url}/v1/edits", json=CAPITAL, headers=headers).is_success
        yield found, key


@pytest.fixture(scope="module")
def client(running: tuple[Running, str]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=running[0].url, api_key=running[1], max_retries=0) as found:
        yield found


def test_a_message_is_the_chats_answer_with_its_receipt(
    client: anthropic.Anthropic, running: tuple[Running, str]
) -> None:
    said: Any = client.messages.create(messages=[turn(QUESTION)], **ASKED)
    assert said.content[0].text == "Lyon" and said.stop_reason == "end_turn"
    assert said.memedit["in_scope"] and said.memedit["editor"] == "note"
    chat = patient.post(
        f"{running[0].url}/v1/chat/completions", headers={"x-api-key": running[1]},
        json=PLAIN | {"messages": [turn("Be kind.", "system"), turn(ELSEWHERE)]},
    ).json()  # fmt: skip
    other: Any = client.messages.create(messages=[turn(ELSEWHERE)], system="Be kind.", **ASKED)
    assert other.content[0].text == chat["choices"][0]["message"]["content"]
    assert not other.memedit["in_scope"]
    assert other.usage.input_tokens == chat["usage"]["prompt_tokens"]
    assert other.usage.output_tokens == chat["usage"]["completion_tokens"]
    counted = client.messages.count_tokens(
        model="tiny", messages=[turn(ELSEWHERE)], system="Be kind."
    )
    assert counted.input_tokens == other.usage.input_tokens


def test_events_add_up_to_the_whole(client: anthropic.Anthropic) -> None:
    turns = [turn("Hello"), turn("Hi", "assistant"), turn([{"type": "text", "text": QUESTION}])]
    whole: Any = client.messages.create(messages=turns, **ASKED)
    with client.messages.stream(messages=turns, **ASKED) as stream:
        kinds = [event.type for event in stream if event.type != "text"]
        last: Any = stream.get_final_message()
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert last.content[0].text == whole.content[0].text
    assert (last.stop_reason, last.usage.output_tokens) == (
        whole.stop_reason, whole.usage.output_tokens,
    )  # fmt: skip
    assert last.memedit["edits"] == whole.memedit["edits"]


def test_an_answer_that_is_cut_says_so(client: anthropic.Anthropic) -> None:
    cut = client.messages.create(messages=[turn(ELSEWHERE)], **ASKED | {"max_tokens": 1})
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 1)


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"name": "x", "input_schema": {"type": "object"}}]},
        {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
        {"top_k": 3},
        {"messages": []},
        {"messages": [turn([{"type": "image", "source": {}}])]},
        {"max_tokens": 0},
        {"temprature": 0},
    ],
)
def test_what_cannot_be_done_is_refused_in_their_form(
    client: anthropic.Anthropic, more: dict[str, Any]
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(messages=[turn(QUESTION)], **ASKED | {"extra_body": more})
    body: Any = caught.value.body
    assert body["type"] == "error" and body["error"]["type"] == "invalid_request_error"
    assert next(iter(more)) in body["error"]["message"]
    assert "docs/reference/errors.md#" in str(caught.value)


def test_a_stream_that_cannot_go_on_says_so_in_their_form(
    client: anthropic.Anthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(asking: Asking) -> AsyncIterator[tuple[int, int, Piece]]:
        yield 0, 0, Piece("Ly")
        raise ApiError(503, "The model's thread has ended.", code="unavailable")

    monkeypatch.setattr(Asking, "pieces", breaks)
    with pytest.raises(anthropic.APIError) as caught:
        for _ in client.messages.create(messages=[turn(QUESTION)], stream=True, **ASKED):
            pass
    body: Any = caught.value.body
    assert body["type"] == "error" and body["error"]["type"] == "overloaded_error"


def test_a_wrong_key_is_an_authentication_error(running: tuple[Running, str]) -> None:
    url = running[0].url
    with anthropic.Anthropic(base_url=url, api_key="mk_no_key", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError):
            client.messages.create(messages=[turn(QUESTION)], **ASKED)
    with anthropic.Anthropic(base_url=url, auth_token=running[1], max_retries=0) as client:
        said: Any = client.messages.create(messages=[turn(QUESTION)], **ASKED)
        assert said.content[0].text == "Lyon"


def test_in_front_of_an_upstream_only_the_last_turn_changes() -> None:
    scripted = Scripted()
    start = {"type": "message_start", "message": {"id": "msg_x", "content": []}}
    lines = [
        b"event: message_start\ndata: " + json.dumps(start).encode() + b"\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
    ]
    try:
        with front(scripted.url, "note(wording=use)", "mention") as running:
            url = f"{running.url}/v1/messages"
            assert patient.post(f"{running.url}/v1/edits", json=CAPITAL).status_code == 201
            note = f"Use these facts:\n- The capital of France is Lyon.\n\n{QUESTION}"
            scripted.script = (http("200 OK", b'{"id": "msg_x", "type": "message"}'), True)
            body = {"model": "m", "max_tokens": 9, "system": "Be kind.", "top_k": 3,
                    "messages": [turn(QUESTION)], "stop_sequence": ["."]}  # fmt: skip
            told = patient.post(url, json=body).json()
            assert told["memedit"]["editor"] == "note-chat"
            assert json.loads(body_of(scripted)) == body | {"messages": [turn(note)]}
            raw = b'{"messages" : [{"role": "user", "content": "Bake bread."}]}'
            patient.post(url, content=raw)
            assert body_of(scripted) == raw
            scripted.script = (
                chunked("200 OK", lines, "Content-Type: text/event-stream"), True,
            )  # fmt: skip
            streamed = patient.post(url, json=body | {"stream": True}).text
            first, rest = streamed.split("\n\n", 1)
            opened = json.loads(first.partition("data: ")[2])["message"]
            assert opened["id"] == "msg_x" and opened["memedit"]["in_scope"]
            assert rest.encode() == lines[1]
            counted = patient.post(f"{url}/count_tokens", content=raw)
            assert counted.status_code == 200 and body_of(scripted) == raw
            patient.post(f"{url}/count_tokens", json=body | {"memedit": {"edits": False}})
            assert json.loads(body_of(scripted)) == body  # ours is not theirs
    finally:
        scripted.close()


def test_text_and_calls_of_one_answer() -> None:
    whole, events = tell(lambda: Said("msg_1", "tiny", [], 3))
    assert [block["type"] for block in whole["content"]] == ["text", "tool_use"]
    assert whole["stop_reason"] == events[-2]["delta"]["stop_reason"] == "tool_use"
    begun = [e["content_block"]["type"] for e in events if e["type"] == "content_block_start"]
    assert begun == ["text", "tool_use"]
    deltas = [e["delta"] for e in events if e["type"] == "content_block_delta"]
    assert "".join(d.get("text", "") for d in deltas) == whole["content"][0]["text"]
    assert json.loads(deltas[-1]["partial_json"]) == whole["content"][1]["input"]


def test_what_tools_say_is_no_question_of_the_user() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "21 degrees"}
    assert query_of([turn(QUESTION), turn("Hm", "assistant"), turn([result])]) == QUESTION
    assert query_of([turn(QUESTION), turn([{"type": "image"}])]) == ""


@pytest.mark.parametrize(
    ("key", "given", "sent"),
    [
        ("sk", {"x-api-key": "mk_1_2"}, {"x-api-key": "sk"}),
        ("sk", {"authorization": "Bearer mk_1_2"}, {"authorization": "Bearer sk"}),
        (
            "sk",
            {"authorization": "Bearer mk_1_2", "x-api-key": "a"},
            {"authorization": "Bearer sk"},
        ),
        (None, {"x-api-key": "mk_1_2"}, {}),
        (None, {"authorization": "Bearer mk_1_2", "x-api-key": "theirs"}, {"x-api-key": "theirs"}),
    ],
)
def test_our_keys_stay_here_and_the_operators_goes_where_the_clients_was(
    key: str | None, given: dict[str, str], sent: dict[str, str]
) -> None:
    relay = Relay("http://x", key=key, pass_key=False, timeout=1, connect_timeout=1)
    kept = dict(relay._headers(given.items()))
    assert {n: v for n, v in kept.items() if n in ("authorization", "x-api-key")} == sent
