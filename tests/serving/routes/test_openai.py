"""OpenAI's routes through OpenAI's own client, against a real server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
import torch

from memedit.serving.receipts import HEADER
from tests.serving import patient
from tests.serving.helpers import CAPITAL, ELSEWHERE, QUESTION, Running, serving, tiny_service

GREEDY: Any = {"model": "tiny", "temperature": 0, "max_tokens": 12}
ASKED: Any = [{"role": "user", "content": QUESTION}]
OTHER: Any = [{"role": "user", "content": ELSEWHERE}]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(tiny_service(max_tokens=40)) as running:
        assert patient.post(f"{running.url}/v1/edits", json=CAPITAL).status_code == 201
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as made:
        yield made


def base_answer(server: Running, text: str, *, chat: bool, tokens: int = 12) -> str:
    """What the bare model's own generate says, greedily."""
    model: Any = server.service.backend.model  # type: ignore[attr-defined]
    tokenizer = model.tokenizer
    if chat:
        turn = [{"role": "user", "content": text}]
        text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        out = model.base.generate(**inputs, max_new_tokens=tokens, do_sample=False)
    new = out[0, inputs["input_ids"].shape[1] :]
    return str(tokenizer.decode(new, skip_special_tokens=True))


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny", "tiny:unedited"]
    assert client.models.retrieve("tiny").owned_by == "memedit"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("huge")
    told: Any = caught.value.body
    assert told["help"] == "docs/reference/errors.md#model_not_found"


def test_out_of_scope_the_base_answers(server: Running, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(messages=OTHER, **GREEDY)
    assert answer.choices[0].message.content == base_answer(server, ELSEWHERE, chat=True)
    assert answer.choices[0].finish_reason == "length"
    assert answer.memedit["in_scope"] is False
    plain = client.completions.create(prompt=ELSEWHERE, **GREEDY)
    assert plain.choices[0].text == base_answer(server, ELSEWHERE, chat=False)


def test_in_scope_the_edit_answers_and_says_so(server: Running, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(messages=ASKED, **GREEDY)
    answer = raw.parse()
    model: Any = server.service.backend.model  # type: ignore[attr-defined]
    assert (answer.choices[0].message.content or "").strip() == _asked_directly(model)
    receipt = answer.memedit
    record = next(model.memory.records())
    assert receipt["in_scope"] and receipt["edits"][0]["id"] == record.id
    assert receipt["score"] > receipt["threshold"] and receipt["version"] == 1
    assert json.loads(raw.headers[HEADER]) == receipt


def _asked_directly(model: Any) -> str:
    """The library's own answer, beside the server's thread: generation is read-only."""
    return str(model.ask(QUESTION, chat=True, max_new_tokens=12).text)


def test_the_unedited_model_has_a_name(server: Running, client: openai.OpenAI) -> None:
    wanted = base_answer(server, QUESTION, chat=True)
    by_name = client.chat.completions.create(messages=ASKED, **GREEDY | {"model": "tiny:unedited"})
    assert by_name.choices[0].message.content == wanted
    by_field = client.chat.completions.create(
        messages=ASKED, extra_body={"memedit": {"edits": False}}, **GREEDY
    )
    assert by_field.choices[0].message.content == wanted


@pytest.mark.parametrize("messages", [ASKED, OTHER], ids=["in scope", "out of scope"])
def test_streamed_and_whole_answers_agree(client: openai.OpenAI, messages: Any) -> None:
    whole = client.chat.completions.create(messages=messages, n=2, **GREEDY)
    chunks = list(
        client.chat.completions.create(
            messages=messages, n=2, stream=True, stream_options={"include_usage": True}, **GREEDY
        )
    )
    said = ["", ""]
    ends: dict[int, str | None] = {}
    for chunk in chunks[:-1]:
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason or ends.get(choice.index)
    assert said == [choice.message.content for choice in whole.choices]
    assert ends == {choice.index: choice.finish_reason for choice in whole.choices}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[0].memedit == whole.memedit
    assert chunks[-1].usage == whole.usage and chunks[-1].choices == []
    assert len({chunk.id for chunk in chunks}) == 1


def test_completions_stream_too(client: openai.OpenAI) -> None:
    whole = client.completions.create(prompt=ELSEWHERE, **GREEDY)
    parts = client.completions.create(prompt=ELSEWHERE, stream=True, **GREEDY)
    assert "".join(part.choices[0].text for part in parts) == whole.choices[0].text


def test_many_prompts_echo_and_usage(server: Running, client: openai.OpenAI) -> None:
    prompts = ["Hello", "The capital of France is", ELSEWHERE]
    answer = client.completions.create(prompt=prompts, n=2, echo=True, **GREEDY)
    assert [choice.index for choice in answer.choices] == list(range(6))
    for i, choice in enumerate(answer.choices):
        assert choice.text.startswith(prompts[i // 2])
    assert answer.choices[0].text == "Hello" + base_answer(server, "Hello", chat=False)
    receipts = answer.memedit["prompts"]
    assert [receipt["in_scope"] for receipt in receipts] == [False, True, False]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == sum(map(len, prompts))  # one token a byte


def test_a_prompt_of_token_ids(server: Running, client: openai.OpenAI) -> None:
    ids = list(ELSEWHERE.encode())  # not the tokenizer's ids of those bytes, but valid ones
    answer = client.completions.create(prompt=ids, **GREEDY)
    assert answer.usage is not None and answer.usage.prompt_tokens == len(ids)
    with pytest.raises(openai.BadRequestError, match="Token ids go up to 299"):
        client.completions.create(prompt=[5, 300], **GREEDY)


def test_stop(client: openai.OpenAI) -> None:
    whole = client.completions.create(prompt=ELSEWHERE, **GREEDY | {"max_tokens": 40})
    text = whole.choices[0].text
    for stop in (text[4:7], [text[5:6], text[20:23]]):
        cut = client.completions.create(prompt=ELSEWHERE, stop=stop, **GREEDY | {"max_tokens": 40})
        at = min(text.find(s) for s in ([stop] if isinstance(stop, str) else stop))
        assert cut.choices[0].text == text[:at]
        assert cut.choices[0].finish_reason == "stop"
        parts = client.completions.create(
            prompt=ELSEWHERE, stop=stop, stream=True, **GREEDY | {"max_tokens": 40}
        )
        assert "".join(part.choices[0].text for part in parts) == text[:at]


def test_a_seed_repeats_and_answers_differ(client: openai.OpenAI) -> None:
    def ask(seed: int) -> list[str | None]:
        answer = client.chat.completions.create(
            model="tiny", messages=OTHER, temperature=1.3, top_p=0.95, seed=seed, n=3, max_tokens=12
        )
        return [choice.message.content for choice in answer.choices]

    assert ask(7) == ask(7) != ask(8)
    assert len(set(ask(7))) == 3


def test_bias_and_penalties(client: openai.OpenAI) -> None:
    forced = client.completions.create(prompt="Hi", logit_bias={"41": 100}, **GREEDY)
    assert len(set(forced.choices[0].text)) == 1
    free = client.completions.create(
        prompt="Hi", logit_bias={"41": 100, "42": 99}, frequency_penalty=2, **GREEDY
    )
    assert len(set(free.choices[0].text)) == 2


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "does not exist"),
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"n": 0}, openai.BadRequestError, "n:"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, openai.BadRequestError, "role"),
        ({"stop": ["a"] * 5}, openai.BadRequestError, "stop"),
        ({"modalities": ["audio"]}, openai.BadRequestError, "modalities is not supported"),
        ({"logit_bias": {"9999": 1}}, openai.BadRequestError, "logit_bias"),
        ({"max_tokens": 1_020}, openai.BadRequestError, "context has 1,024 tokens"),
        ({"extra_body": {"memedit": {"no": 1}}}, openai.BadRequestError, "memedit"),
        ({"extra_body": {"memedit": {"as_of": "2026-01-01T00:00:00"}}}, openai.BadRequestError,
         "time zone"),
    ],
)  # fmt: skip
def test_errors_in_openai_form(
    client: openai.OpenAI, change: Any, error: type[openai.APIStatusError], text: str
) -> None:
    for stream in (False, True):
        with pytest.raises(error, match=text) as caught:
            client.chat.completions.create(
                **{"messages": OTHER, "stream": stream, **GREEDY, **change}
            )
        body: Any = caught.value.body
        assert set(body) == {"message", "type", "param", "code", "help"} and body["message"]


def test_a_date_and_unknown_fields(server: Running, client: openai.OpenAI) -> None:
    dated = {"statement": "The ferry to Elba leaves at nine.", "valid_from": "2031-01-01T00:00:00Z"}
    assert patient.post(f"{server.url}/v1/edits", json=dated).status_code == 201
    asked: Any = [{"role": "user", "content": "The ferry to Elba leaves at nine."}]
    found = [
        client.chat.completions.create(
            messages=asked, extra_body={"memedit": {"as_of": moment}, "store": False}, **GREEDY
        ).memedit["in_scope"]
        for moment in ("2030-12-31T00:00:00Z", "2031-06-01T00:00:00Z")
    ]
    assert found == [False, True]


@pytest.mark.parametrize(
    ("more", "near"),
    [
        ({"max_token": 3}, "max_tokens"),
        ({"maxTokens": 3}, "max_tokens"),
        ({"stream_options": {"include_usge": True}, "stream": True}, "include_usage"),
        ({"logprob": 2}, "logprobs"),
        ({"min_p": 0.1, "memedt": {}}, "memedit"),
    ],
)
def test_a_misspelt_field_is_told(client: openai.OpenAI, more: dict[str, Any], near: str) -> None:
    """The fault: it was ignored, and a long answer came where a short one was asked for."""
    calls: list[Any] = [
        lambda: client.chat.completions.create(messages=OTHER, extra_body=more, **GREEDY),
        lambda: client.completions.create(prompt=ELSEWHERE, extra_body=more, **GREEDY),
    ]
    for call in calls:
        with pytest.raises(openai.BadRequestError, match=f"Did you mean {near}?") as caught:
            call()
        assert caught.value.code == "unknown_parameter"
        assert str(caught.value.param).rpartition(".")[2] in str(more)


def test_fields_of_other_servers_are_let_through(client: openai.OpenAI) -> None:
    """Clients send them to whatever they talk to."""
    theirs = {
        "top_k": 5, "min_p": 0.1, "min_tokens": 2, "repetition_penalty": 1.1, "models": ["x"],
        "chat_template_kwargs": {"enable_thinking": False}, "guided_json": None, "metadata": {},
        "reasoning_effort": "low", "stop_token_ids": [1], "prompt_logprobs": 1, "speed": "fast",
        "skip_special_tokens": True, "best_of": 1, "x" * 500: 1,
    }  # fmt: skip
    answer = client.chat.completions.create(messages=OTHER, extra_body=theirs, **GREEDY)
    assert answer.choices[0].finish_reason == "length"


def test_not_json(server: Running) -> None:
    answer = patient.post(f"{server.url}/v1/chat/completions", content=b"{")
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert patient.put(f"{server.url}/v1/edits").status_code == 405


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("POST /chat/completions", 404, "Did you mean POST /v1/chat/completions? Check"),
        ("POST /v1/v1/messages", 404, "Did you mean POST /v1/messages? Check"),
        ("GET /edits/1", 404, "Did you mean DELETE or GET or PATCH /v1/edits/1? Check"),
        ("POST /v1/chat/completion", 404, "Did you mean /v1/chat/completions?"),
        ("GET /v1/chat/completions", 405, "here it is POST."),
        ("PUT /healthz", 405, "here it is GET."),
        ("POST /v1/embeddings", 404, "GET /openapi.json lists what there is."),
        ("GET /v1/nothing", 404, "GET /openapi.json lists what there is."),
    ],
)
def test_who_misses_a_route_is_told_how_near(
    server: Running, asked: str, status: int, said: str
) -> None:
    """The fault: "Not Found", and no word of the base URL."""
    method, _, path = asked.partition(" ")
    answer = httpx.request(method, server.url + path, timeout=patient.SECONDS)
    error = answer.json()["error"]
    assert answer.status_code == status and said in error["message"], error
    assert error["code"] == ("not_found" if status == 404 else "method_not_allowed")
    assert ("allow" in answer.headers) == (status == 405)


def test_a_misspelt_option_of_ours_is_told(client: openai.OpenAI) -> None:
    more: dict[str, Any] = {"memedit": {"edit": False}}
    with pytest.raises(openai.BadRequestError, match=r"Did you mean edits\?") as caught:
        client.chat.completions.create(messages=OTHER, extra_body=more, **GREEDY)
    assert caught.value.param == "memedit.edit"
    more = {"memedit": {"version": 1}}
    with pytest.raises(openai.BadRequestError, match="There are: as_of, edits, min_version|Did"):
        client.chat.completions.create(messages=OTHER, extra_body=more, **GREEDY)
