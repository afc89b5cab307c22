"""Log probabilities, JSON and tools through OpenAI's own client, in and out of scope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import openai
import pydantic
import pytest
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from memedit.editors.note import Note
from memedit.engine.encoders import HashingEncoder
from memedit.model.editable import EditableModel
from memedit.serving.local.calling import HERMES, LLAMA, Call, CallReader, Style, find_style
from memedit.serving.tooling import Function
from tests import helpers
from tests.serving import patient
from tests.serving.helpers import (
    CAPITAL,
    ELSEWHERE,
    QUESTION,
    Running,
    serving,
    tiny_edited,
    tiny_service,
)

# As Qwen's: tools in the system's turn, a call between tags, what a tool said as the user's turn.
TOOLS_TEMPLATE = (
    "{% if tools %}<|im_start|>system\n# Tools\n{% for tool in tools %}{{ tool | tojson }}\n"
    "{% endfor %}<|im_end|>\n{% endif %}{% for m in messages %}"
    "{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content }}\n</tool_response>"
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for call in m.tool_calls %}"
    '\n<tool_call>\n{"name": "{{ call.function.name }}", "arguments": '
    "{{ call.function.arguments | tojson }}}\n</tool_call>{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_TEMPLATE = TOOLS_TEMPLATE.replace('\n<tool_call>\n{"name"', '{"name"').replace(
    '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>',
    '"parameters": {{ call.function.arguments | tojson }}}',
)
GREEDY: Any = {"model": "tiny", "temperature": 0, "max_tokens": 24}
ASKED: Any = [{"role": "user", "content": QUESTION}]
OTHER: Any = [{"role": "user", "content": ELSEWHERE}]
BYTES = bytes_to_unicode()  # type: ignore[no-untyped-call]
BOTH = pytest.mark.parametrize("messages", [ASKED, OTHER], ids=["in scope", "out of scope"])
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"$ref": "#/$defs/city"}},
            "required": ["city"],
            "additionalProperties": False,
            "$defs": {"city": {"enum": ["Lyon", "Paris"]}},
        },
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "clock"}}


class Answer(pydantic.BaseModel):
    """An answer of few tokens."""

    city: Literal["Lyon", "Paris"]
    sure: bool


def with_template(template: str) -> EditableModel:
    tokenizer = helpers.byte_tokenizer()
    tokenizer.chat_template = template
    return EditableModel(
        helpers.tiny_model("llama"), tokenizer, scope="mention", encoder=HashingEncoder(64)
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(tiny_service(model=with_template(TOOLS_TEMPLATE), max_tokens=200)) as running:
        assert patient.post(f"{running.url}/v1/edits", json=CAPITAL).status_code == 201
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as made:
        yield made


@BOTH
def test_logprobs_change_no_answer_and_stream_alike(client: openai.OpenAI, messages: Any) -> None:
    plain = client.chat.completions.create(messages=messages, **GREEDY)
    asked: Any = {"messages": messages, "logprobs": True, "top_logprobs": 3, **GREEDY}
    whole = client.chat.completions.create(**asked)
    assert whole.choices[0].message.content == plain.choices[0].message.content
    scores = whole.choices[0].logprobs
    assert scores is not None and scores.content is not None and whole.usage is not None
    assert len(scores.content) == whole.usage.completion_tokens
    said = bytes(byte for token in scores.content for byte in token.bytes or ())
    assert (
        said.decode("utf-8", "replace").strip() == (plain.choices[0].message.content or "").strip()
    )
    for token in scores.content:
        tops = [top.logprob for top in token.top_logprobs]
        assert len(tops) == 3 and tops == sorted(tops, reverse=True)
        assert 0 >= tops[0] >= token.logprob
    streamed = [
        token
        for chunk in client.chat.completions.create(stream=True, **asked)
        if (told := chunk.choices[0].logprobs)
        for token in told.content or ()
    ]
    assert [t.logprob for t in streamed] == [t.logprob for t in scores.content]


def test_logprobs_are_the_models_own(server: Running, client: openai.OpenAI) -> None:
    options: Any = {**GREEDY, "temperature": 2, "seed": 3, "max_tokens": 6}
    answer = client.chat.completions.create(
        messages=OTHER, logprobs=True, top_logprobs=2, logit_bias={"65": 3}, **options
    )
    told: Any = answer.choices[0].logprobs
    model: Any = server.service.backend.model  # type: ignore[attr-defined]
    text = model.tokenizer.apply_chat_template(OTHER, tokenize=False, add_generation_prompt=True)
    ids = model.tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    new = torch.tensor([[_id_of(token.bytes, model.tokenizer) for token in told.content]])
    with torch.no_grad():
        logits = model.base(torch.cat([ids, new], 1)).logits[0, ids.shape[1] - 1 : -1]
    likely = logits.log_softmax(-1)
    own = likely.gather(-1, new[0][:, None])[:, 0]
    assert torch.allclose(torch.tensor([token.logprob for token in told.content]), own, atol=1e-4)
    tops = torch.tensor([[top.logprob for top in token.top_logprobs] for token in told.content])
    assert torch.allclose(tops, likely.topk(2).values, atol=1e-4)


def _id_of(raw: list[int], tokenizer: Any) -> int:
    spelt = BYTES[raw[0]] if len(raw) == 1 else bytes(raw).decode()
    return int(tokenizer.convert_tokens_to_ids(spelt))


def test_logprobs_of_a_completion(client: openai.OpenAI) -> None:
    answer = client.completions.create(prompt=ELSEWHERE, logprobs=2, **GREEDY)
    told: Any = answer.choices[0].logprobs
    assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == 24
    assert told.text_offset == [sum(map(len, told.tokens[:n])) for n in range(24)]
    for token, logprob, top in zip(
        told.tokens, told.token_logprobs, told.top_logprobs, strict=True
    ):
        assert logprob == pytest.approx(top[token])  # greedy: the likeliest of them
    with pytest.raises(openai.BadRequestError, match="leave out echo"):
        client.completions.create(prompt=ELSEWHERE, logprobs=0, echo=True, **GREEDY)


@BOTH
def test_json_of_a_schema(client: openai.OpenAI, messages: Any) -> None:
    asked: Any = {**GREEDY, "max_tokens": 100, "temperature": 1.5, "seed": 1, "n": 2}
    parsed = client.chat.completions.parse(messages=messages, response_format=Answer, **asked)
    assert all(isinstance(choice.message.parsed, Answer) for choice in parsed.choices)
    assert {choice.finish_reason for choice in parsed.choices} == {"stop"}
    assert parsed.memedit["in_scope"] is (messages is ASKED)  # type: ignore[attr-defined]
    with client.chat.completions.stream(
        messages=messages, response_format=Answer, **asked
    ) as stream:
        last = stream.get_final_completion()
    texts = [choice.message.content for choice in parsed.choices]
    assert [choice.message.content for choice in last.choices] == texts


def test_json_of_a_response_and_of_no_schema(client: openai.OpenAI) -> None:
    response = client.responses.parse(
        model="tiny", input=QUESTION, text_format=Answer, max_output_tokens=100
    )
    assert isinstance(response.output_parsed, Answer)
    free = client.chat.completions.create(
        messages=OTHER, response_format={"type": "json_object"}, **GREEDY
    )
    content = free.choices[0].message.content or ""
    assert content.startswith("{") and free.choices[0].finish_reason in ("stop", "length")
    bad: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objekt"}}}
    with pytest.raises(openai.BadRequestError, match="Invalid type: objekt"):
        client.chat.completions.create(messages=OTHER, response_format=bad, **GREEDY)


@BOTH
def test_a_tool_that_must_be_called(client: openai.OpenAI, messages: Any) -> None:
    asked: Any = {**GREEDY, "messages": messages, "max_tokens": 200, "tools": [WEATHER, CLOCK]}
    asked["tool_choice"] = {"type": "function", "function": {"name": "weather"}}
    asked["parallel_tool_calls"] = False
    whole = client.chat.completions.create(**asked)
    [call] = whole.choices[0].message.tool_calls or []
    assert call.type == "function" and call.function.name == "weather"
    assert json.loads(call.function.arguments)["city"] in ("Lyon", "Paris")
    assert whole.choices[0].message.content is None and whole.choices[0].finish_reason == "stop"
    chunks = [c.choices[0] for c in client.chat.completions.create(stream=True, **asked)]
    (told,) = [c.delta.tool_calls[0] for c in chunks if c.delta.tool_calls]
    assert told.index == 0 and told.function is not None
    assert told.function.arguments == call.function.arguments
    assert not any(c.delta.content for c in chunks) and chunks[-1].finish_reason == "stop"
    again = [
        *messages,
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    after = client.chat.completions.create(messages=again, **GREEDY)
    assert after.memedit["in_scope"] is (messages is ASKED)


@BOTH
def test_tools_of_a_response(client: openai.OpenAI, messages: Any) -> None:
    clock, weather = ({"type": "function", **tool["function"]} for tool in (CLOCK, WEATHER))
    asked: Any = {"model": "tiny", "temperature": 0, "max_output_tokens": 200, "input": messages}
    asked |= {"tools": [clock, weather], "tool_choice": {"type": "function", "name": "weather"}}
    whole = client.responses.create(**asked, parallel_tool_calls=False)
    [call] = whole.output
    assert call.type == "function_call" and call.name == "weather" and whole.status == "completed"
    assert json.loads(call.arguments)["city"] in ("Lyon", "Paris")
    with client.responses.stream(**asked, parallel_tool_calls=False) as stream:
        kinds = [event.type for event in stream]
        [told] = stream.get_final_response().output
    assert told.type == "function_call" and told.arguments == call.arguments
    assert "response.function_call_arguments.done" in kinds
    assert not any("output_text" in kind for kind in kinds)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    asked |= {"input": [*messages, call.model_dump(), result], "max_output_tokens": 9}
    asked["tool_choice"] = "none"
    after = client.responses.create(**asked)
    assert after.output_text and after.memedit["in_scope"] is (messages is ASKED)
    assert after.usage and after.usage.input_tokens == _chat_after(client, messages, call.arguments)


def _chat_after(client: openai.OpenAI, messages: Any, arguments: str) -> int:
    """Tokens of a chat in which the weather was asked for, and told."""
    function = {"name": "weather", "arguments": arguments}
    calls = [{"id": "1", "type": "function", "function": function}]
    said: Any = {"role": "assistant", "content": None, "tool_calls": calls}
    told: Any = {"role": "tool", "tool_call_id": "1", "content": "21 degrees"}
    chat = client.chat.completions.create(messages=[*messages, said, told], **GREEDY)
    assert chat.usage is not None
    tokens: int = chat.usage.prompt_tokens
    return tokens


@BOTH
def test_tools_of_a_message(server: Running, client: openai.OpenAI, messages: Any) -> None:
    function = WEATHER["function"]
    weather = {"name": "weather", "input_schema": function["parameters"]}
    asked: Any = {"model": "tiny", "max_tokens": 200, "tools": [weather], "messages": messages}
    asked["tool_choice"] = {"type": "any", "disable_parallel_tool_use": True}
    with anthropic.Anthropic(base_url=server.url, api_key="unused", max_retries=0) as made:
        whole = made.messages.create(**asked)
        [call] = whole.content
        assert call.type == "tool_use" and call.name == "weather"
        assert whole.stop_reason == "tool_use" and call.input["city"] in ("Lyon", "Paris")
        with made.messages.stream(**asked) as stream:
            last = stream.get_final_message()
        assert [block.type for block in last.content] == ["tool_use"]
        assert last.stop_reason == "tool_use" and set(last.content[0].input) == {"city"}  # type: ignore[union-attr]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
        turns = [{"role": "assistant", "content": whole.content}]
        again = messages + turns + [{"role": "user", "content": [result]}]
        asked |= {"messages": again, "tool_choice": {"type": "none"}, "max_tokens": 9}
        after = made.messages.create(**asked)
        assert after.memedit["in_scope"] is (messages is ASKED)
        counted = made.messages.count_tokens(model="tiny", messages=again)
        assert counted.input_tokens == after.usage.input_tokens
        assert counted.input_tokens == _chat_after(client, messages, json.dumps(call.input))
        more = made.messages.count_tokens(model="tiny", messages=again, tools=[weather])  # type: ignore[list-item]
        assert more.input_tokens > counted.input_tokens


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("responses", {"input": [{"type": "reasoning"}]}, "input.0: Input tag 'reasoning'"),
        ("responses", {"input": [{"type": ["message"]}]}, "input.0"),
        ("responses", {"input": 5}, "input.str"),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "'image'"),
        ("responses", {"input": QUESTION, "tools": [{"type": "web_search"}]}, "only 'function'"),
        ("responses", {"input": QUESTION, "tool_choice": "required"}, "tool_choice needs tools"),
        (
            "responses",
            {"input": [{"type": "function_call", "call_id": "1", "name": "x", "arguments": "[]"}]},
            "JSON object",
        ),
        ("messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "only 'custom'"),
        ("messages", {"tool_choice": {"type": "any"}}, "tool_choice needs tools"),
        (
            "messages",
            {"messages": [{"role": "user", "content": [
                {"type": "tool_use", "id": "1", "name": "x", "input": {}}
            ]}]},
            "the user has no tool_use",
        ),
    ],
)  # fmt: skip
def test_what_no_tool_is_is_refused(server: Running, path: str, body: Any, said: str) -> None:
    whole = {"max_tokens": 9, "messages": OTHER} | body if path == "messages" else body
    answer = patient.post(f"{server.url}/v1/{path}", json=whole)
    assert answer.status_code == 400 and said in answer.json()["error"]["message"], answer.text


MANY: Any = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(1_000)}}
BIG: Any = {"type": "json_schema", "name": "big", "schema": MANY}
BIG_TOOL: Any = {"type": "function", "name": "big", "parameters": MANY, "strict": True}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("chat/completions", {"messages": OTHER, "response_format": {
            "type": "json_schema", "json_schema": {"name": "big", "schema": MANY}
        }}, "response_format"),
        ("chat/completions", {"messages": OTHER, "tools": [
            {"type": "function", "function": BIG_TOOL}
        ]}, "tools"),
        ("responses", {"input": ELSEWHERE, "text": {"format": BIG}}, "response_format"),
        ("responses", {"input": ELSEWHERE, "tools": [BIG_TOOL]}, "tools"),
    ],
)  # fmt: skip
def test_a_schema_that_is_too_large_is_named(
    server: Running, path: str, body: Any, param: str
) -> None:
    answer = patient.post(f"{server.url}/v1/{path}", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, "invalid_value")
    assert "2,007 keys" in error["message"]


def test_a_thought_counts_as_generated() -> None:
    thinking = tiny_edited(editor=Note(reasons=True))
    thinking.edit(CAPITAL["prompt"], CAPITAL["target_new"], subject=CAPITAL["subject"])
    asked = "Is the capital of France far?"
    with serving(tiny_service(model=thinking)) as running:

        def ask(path: str, **body: Any) -> Any:
            answer = patient.post(f"{running.url}/v1/{path}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()["usage"]

        messages = [{"role": "user", "content": asked}]
        chat = ask("chat/completions", messages=messages, max_tokens=3, temperature=0)
        thought = chat["completion_tokens_details"]["reasoning_tokens"]
        assert thought > 1 and 0 < chat["completion_tokens"] - thought <= 3
        assert chat["total_tokens"] == chat["prompt_tokens"] + chat["completion_tokens"]
        said = ask("responses", input=asked, max_output_tokens=3, temperature=0)
        assert said["output_tokens_details"]["reasoning_tokens"] == thought
        message = ask("messages", messages=messages, max_tokens=3, temperature=0)
        assert message["output_tokens"] == said["output_tokens"] == chat["completion_tokens"]
        plain = ask("chat/completions", messages=OTHER, max_tokens=3, temperature=0)
        assert plain["completion_tokens_details"]["reasoning_tokens"] == 0


def test_tools_that_may_be_called(client: openai.OpenAI) -> None:
    asked: Any = {**GREEDY, "messages": OTHER, "tools": [WEATHER, CLOCK]}
    free = client.chat.completions.create(**asked)
    assert free.choices[0].message.content and not free.choices[0].message.tool_calls
    required = client.chat.completions.create(
        **asked | {"tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 200}
    )
    assert required.choices[0].finish_reason == "tool_calls"
    none = client.chat.completions.create(**asked | {"tool_choice": "none"})
    plain = client.chat.completions.create(messages=OTHER, **GREEDY)
    assert none.choices[0].message.content == plain.choices[0].message.content
    for wrong, said in (
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "no tool here"),
        ({"tools": [WEATHER, WEATHER]}, "same name"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": None, "tool_choice": "required"}, "tool_choice needs tools"),
        ({"top_logprobs": 2}, "needs logprobs"),
    ):
        with pytest.raises(openai.BadRequestError, match=said):
            client.chat.completions.create(**asked | wrong)


def test_a_template_without_tools_says_so() -> None:
    with serving(tiny_service()) as running:
        body = {"messages": OTHER, "tools": [CLOCK]}
        answer = patient.post(f"{running.url}/v1/chat/completions", json=body)
        assert answer.status_code == 400 and answer.json()["error"]["param"] == "tools"
        told = {"messages": [*OTHER, {"role": "tool", "tool_call_id": "1", "content": "5"}]}
        answer = patient.post(f"{running.url}/v1/chat/completions", json=told)
        assert answer.json()["error"]["code"] == "unsupported_parameter"


def test_the_style_is_read_from_the_template() -> None:
    for template, style in (
        (TOOLS_TEMPLATE, HERMES),
        (LLAMA_TEMPLATE, LLAMA),
        (helpers.CHATML, None),
        (TOOLS_TEMPLATE.replace("<tool_call>", "<call>"), None),
    ):
        tokenizer = helpers.byte_tokenizer()

        def render(turns: Any, tools: Any, template: str = template, of: Any = tokenizer) -> str:
            return str(
                of.apply_chat_template(turns, tools=tools, chat_template=template, tokenize=False)
            )

        assert find_style(render) == style


CALL = '{"name": "weather", "arguments": {"city": "Lyon"}}'
NOBODYS = '{"name": "Ann", "parameters": {}, "arguments": {}}'


@pytest.mark.parametrize("size", [1, 3, 1_000])
@pytest.mark.parametrize(
    ("style", "said", "text", "calls"),
    [
        (HERMES, f"Let me see.\n<tool_call>\n{CALL}\n</tool_call>", "Let me see.", 1),
        (HERMES, f"<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>\n", "", 2),
        (HERMES, "a < b and <tool_ is no tag", "a < b and <tool_ is no tag", 0),
        (HERMES, f"<tool_call>\n{CALL[:20]}", f"<tool_call>\n{CALL[:20]}", 0),
        (HERMES, "<tool_call>no</tool_call> so", "<tool_call>no</tool_call> so", 0),
        (LLAMA, CALL.replace("arguments", "parameters"), "", 1),
        (LLAMA, "Set {a} and {b}", "Set {a} and {b}", 0),
        (LLAMA, '{"city": 1}', '{"city": 1}', 0),
        (LLAMA, NOBODYS, NOBODYS, 0),
        (HERMES, f"<tool_call>{NOBODYS}</tool_call>", f"<tool_call>{NOBODYS}</tool_call>", 0),
    ],
)
def test_calls_are_told_from_text(
    style: Style, said: str, text: str, calls: int, size: int
) -> None:
    reader, shown = CallReader(style, ["weather"]), ""
    found: list[Call] = []
    for at in range(0, len(said), size):
        piece, made = reader.add(said[at : at + size])
        shown, found = shown + piece, found + made
    piece, made = reader.add("", last=True)
    assert shown + piece == text
    assert [call.arguments for call in found + made] == ['{"city": "Lyon"}'] * calls


def test_a_call_that_no_answer_could_carry_harms_none() -> None:
    half = CALL.replace("Lyon", "\\ud800")
    _, [call] = CallReader(HERMES, ["weather"]).add(f"<tool_call>{half}</tool_call>")
    assert call.arguments == '{"city": "?"}'
    deep = CALL.replace('"Lyon"', "[" * 100_000 + "]" * 100_000)
    shown, calls = CallReader(HERMES, ["weather"]).add(f"<tool_call>{deep}</tool_call>")
    assert not calls and shown == f"<tool_call>{deep}</tool_call>"


def test_a_tools_arguments_are_an_object() -> None:
    assert Function(name="x", parameters={"type": "string"}).schema_ == {"type": "object"}
    assert Function(name="x").schema_ == {"additionalProperties": False, "type": "object"}
