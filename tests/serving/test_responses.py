"""``/v1/responses`` through the official client, local and in front of another server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from memedit.serving.replies import Reply, ResponsesRequest
from tests.serving import patient
from tests.serving.helpers import (
    CAPITAL,
    ELSEWHERE,
    QUESTION,
    Running,
    serving,
    tell,
    tiny_service,
)
from tests.serving.processes import Scripted, chunked, http
from tests.serving.upstream.test_rewriters import body_of, front

ASKED: Any = {"model": "tiny", "temperature": 0, "max_output_tokens": 16}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving(tiny_service()) as found:
        assert patient.post(f"{found.url}/v1/edits", json=CAPITAL).status_code == 201
        yield found


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="x", max_retries=0) as found:
        yield found


def test_a_response_is_the_chats_answer_with_its_receipt(client: openai.OpenAI) -> None:
    said: Any = client.responses.create(input=QUESTION, **ASKED)
    assert said.output_text == "Lyon" and said.status == "completed"
    assert said.memedit["in_scope"] and said.memedit["editor"] == "note"
    chat = client.chat.completions.create(
        model="tiny",
        temperature=0,
        max_tokens=16,
        messages=[{"role": "user", "content": ELSEWHERE}],
    )
    other: Any = client.responses.create(input=ELSEWHERE, **ASKED)
    assert other.output_text == chat.choices[0].message.content
    assert not other.memedit["in_scope"]
    assert other.usage.total_tokens == chat.usage.total_tokens  # type: ignore[union-attr]


def test_events_add_up_to_the_whole(client: openai.OpenAI) -> None:
    turns: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
        {"role": "user", "content": QUESTION},
    ]
    whole: Any = client.responses.create(input=turns, instructions="Be kind.", **ASKED)
    events = list(
        client.responses.create(input=turns, instructions="Be kind.", stream=True, **ASKED)
    )
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == f"response.{whole.status}"
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == whole.output_text == events[-1].response.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_an_answer_that_is_cut_says_so(client: openai.OpenAI) -> None:
    cut = client.responses.create(input=ELSEWHERE, **{**ASKED, "max_output_tokens": 1})
    assert cut.status in ("incomplete", "completed")
    if cut.status == "incomplete":
        assert cut.incomplete_details is not None
        assert cut.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"background": True},
        {"tools": [{"type": "function", "name": "x"}]},
        {"text": {"format": {"type": "json_schema"}}},
        {"text": {"format": {"type": "json_schema", "schema": {"type": "objekt"}}}},
        {"include": ["message.output_text.logprobs"]},
        {"include": 5},
        {"include": {"message.output_text.logprobs": 1}},
        {"text": "plain"},
        {"input": []},
        {"max_output_token": 3},
        {"text": {"formt": {"type": "json_object"}}},
    ],
)
def test_what_cannot_be_done_is_refused(running: Running, more: Any) -> None:
    answer = patient.post(f"{running.url}/v1/responses", json={"input": QUESTION, **more})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["message"]


def test_instructions_come_first() -> None:
    asked = {"input": "Hi", "instructions": "Be kind.", "max_output_tokens": 3}
    chat = ResponsesRequest.model_validate(asked).chat()
    assert [(m.role, m.text) for m in chat.messages] == [("system", "Be kind."), ("user", "Hi")]
    assert chat.max_tokens == 3


def test_in_front_of_an_upstream_only_the_last_turn_changes() -> None:
    scripted = Scripted()
    scripted.script = (http("200 OK", b'{"id": "resp_x", "object": "response"}'), True)
    try:
        with front(scripted.url, "note(wording=use)", "mention") as running:
            assert patient.post(f"{running.url}/v1/edits", json=CAPITAL).status_code == 201
            note = f"Use these facts:\n- The capital of France is Lyon.\n\n{QUESTION}"
            body: Any = {"model": "m", "input": QUESTION, "instructions": "Be kind."}
            told = patient.post(f"{running.url}/v1/responses", json=body).json()
            assert told["memedit"]["editor"] == "note-chat"
            assert json.loads(body_of(scripted)) == body | {"input": note}
            part = {"type": "input_text", "text": QUESTION}
            turns = [{"role": "user", "content": "Hello"}, {"role": "user", "content": [part]}]
            patient.post(f"{running.url}/v1/responses", json=body | {"input": turns})
            (first, last) = json.loads(body_of(scripted))["input"]
            assert first == turns[0] and last["content"] == [part | {"text": note}]
            raw = b'{"input" : "Bake bread."}'
            patient.post(f"{running.url}/v1/responses", content=raw)
            assert body_of(scripted) == raw
            start = {"type": "response.created", "response": {"id": "resp_x", "output": []}}
            event = b"event: response.created\ndata: " + json.dumps(start).encode() + b"\n\n"
            scripted.script = (
                chunked("200 OK", [event], "Content-Type: text/event-stream"), True,
            )  # fmt: skip
            streamed = patient.post(f"{running.url}/v1/responses", json=body | {"stream": True})
            opened = json.loads(streamed.text.partition("data: ")[2])
            # The fault: it stood beside the response, where a client of a local server has none.
            assert opened["response"]["memedit"]["in_scope"] and "memedit" not in opened
    finally:
        scripted.close()


def test_text_and_calls_of_one_answer() -> None:
    whole, events = tell(lambda: Reply("resp_1", 0, "tiny", [], {}))
    assert [item["type"] for item in whole["output"]] == ["message", "function_call"]
    assert events[-1]["response"]["output"] == whole["output"]
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert done == whole["output"]
    assert [e["output_index"] for e in events if e["type"].endswith("item.added")] == [0, 1]
    assert [e["sequence_number"] for e in events] == list(range(len(events)))


def test_what_is_left_of_a_call_that_was_cut_off_is_an_item_of_its_own() -> None:
    _, events = tell(lambda: Reply("resp_1", 0, "tiny", [], {}), cut=True)
    begun = [e["item"] for e in events if e["type"] == "response.output_item.added"]
    assert [item["type"] for item in begun] == ["message", "function_call", "message"]
    assert len({item["id"] for item in begun}) == 3
    output = events[-1]["response"]["output"]
    assert [item["id"] for item in output] == [item["id"] for item in begun]
    assert [item["status"] for item in output] == ["completed", "completed", "incomplete"]
    parts = [e for e in events if "item_id" in e]
    assert all(e["item_id"] == begun[e["output_index"]]["id"] for e in parts)
