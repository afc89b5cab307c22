"""Forms: what a matcher that fails makes of an answer, and what no form is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from llguidance import LLParserLimits, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from memedit.serving.errors import ApiError
from memedit.serving.local.calling import HERMES, LLAMA, Style, Tools
from memedit.serving.local.compiled import Compilations, Compiled
from memedit.serving.local.sampling import Generation, Sampling
from memedit.serving.local.shaping import Shape, Shaper, write_json_rule
from memedit.serving.local.sizing import judge_apart, name_largest
from memedit.serving.tooling import Tool
from tests import helpers
from tests.serving.local.test_turns import crowding

TOKENIZER = helpers.byte_tokenizer()
BYTES = bytes_to_unicode()  # type: ignore[no-untyped-call]
END = int(TOKENIZER.eos_token_id)


def read() -> LLTokenizer:
    return from_tokenizer(TOKENIZER, eos_token=[END])


def id_of(letter: str) -> int:
    return int(TOKENIZER.convert_tokens_to_ids(letter))


def begin(shape: Shape, most: int = 9) -> Generation:
    def decode(tokens: Sequence[int]) -> str:
        return str(TOKENIZER.decode(tokens))

    sampling = Sampling(max_tokens=most, shape=shape)
    return Generation(0, sampling, decode, lambda *_: None, lambda: False)


def test_an_answer_whose_form_fails_is_not_whole() -> None:
    shape = Shaper(read).compile('start: "y" "es"?', "response_format")
    whole = begin(shape)
    assert not whole.push(id_of("y"), frozenset({END})) and whole.push(END, frozenset({END}))
    assert whole.finish == "stop"
    broken = shape.made.begun.deep_copy()
    assert not broken.consume_token(id_of("n"))
    cut = begin(Shape(Compiled(broken), shape.kept))
    allowed = cut.look(torch.zeros(len(TOKENIZER))).isfinite()
    assert allowed.nonzero().flatten().tolist() == [END]  # so that the answer does end
    assert cut.push(END, frozenset({END})) and cut.finish == "length"


def test_what_cannot_be_kept_to_is_refused() -> None:
    shaper = Shaper(read)
    for grammar, said in (("start: nothing", "nothing"), ("#" * 1_000_001, "longer than")):
        assert said in shaper.judge([grammar])[0]
        with pytest.raises(ApiError, match=said) as refused:
            shaper.compile(grammar, "tools")
        assert (refused.value.status, refused.value.param) == (400, "tools")


def test_many_tools_drive_no_grammar_out() -> None:
    shaper = Shaper(read)
    kept = shaper.compile('start: "yes"', "tools")
    assert not any(shaper.judge([f'start: "{i}"' for i in range(70)]))
    assert shaper.compile('start: "yes"', "tools").made is kept.made


def test_a_vocabulary_that_cannot_be_read_is_told_and_read_once() -> None:
    tries = []

    def fail() -> LLTokenizer:
        tries.append(1)
        raise ValueError("only fast ones")

    shaper = Shaper(fail)
    for ask in (
        lambda: shaper.is_special("<x>"),
        lambda: shaper.judge(['start: "x"']),
        lambda: shaper.compile('start: "x"', "tools"),
    ):
        with pytest.raises(ApiError, match="only fast ones") as refused:
            ask()
        assert (refused.value.status, refused.value.code) == (400, "unsupported_parameter")
    assert len(tries) == 1


CLOCK = Tool.model_validate({"type": "function", "function": {"name": "clock"}})


@pytest.mark.parametrize(
    ("style", "special", "said"),
    [
        (HERMES, True, "So <tool_call"),  # the tag itself is one token; spelt it is forbidden
        (HERMES, False, "So <tool_call>"),  # spelt, it begins a call of the schema
        (LLAMA, False, " \n"),
    ],
)
def test_no_call_escapes_its_schema(style: Style, special: bool, said: str) -> None:
    tokenizer = helpers.byte_tokenizer()
    if special:
        tokenizer.add_special_tokens({"additional_special_tokens": [style.opens, style.closes]})
    vocabulary = from_tokenizer(tokenizer, eos_token=[END])
    matcher = Tools(style, [CLOCK]).shape(Shaper(lambda: vocabulary), None).made.begun.deep_copy()
    assert all(matcher.consume_token(id_of(BYTES[byte])) for byte in said.encode())
    wrong = {True: ">", False: "{"}[special]
    assert not matcher.deep_copy().consume_token(id_of(BYTES[ord(wrong)]))
    assert matcher.consume_token(id_of("x" if special or style is LLAMA else BYTES[ord("\n")]))
    if special:
        tag = int(tokenizer.convert_tokens_to_ids(style.opens))
        called = '\n{"name": "clock", "arguments": {'
        assert matcher.consume_token(tag)
        assert all(matcher.consume_token(id_of(BYTES[byte])) for byte in called.encode())
        assert not matcher.deep_copy().consume_token(id_of('"'))  # a clock takes no arguments
        assert matcher.consume_token(id_of("}"))


def field_of(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


CHAIN = {f"d{i}": {"properties": {"n": {"$ref": f"#/$defs/d{i + 1}"}}} for i in range(3_000)}
MANY = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(1_000)}}
WIDE = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(400)}}
TOO_LARGE = [
    (MANY, "2,007 keys"),
    (field_of({"type": "integer", "multipleOf": 30_000_001}), "multipleOf 30,000,001"),
    # Compiled in the server, it would end it.
    ({"$ref": "#/$defs/d0", "$defs": CHAIN | {"d3000": {"type": "string"}}}, "12,009 keys"),
    (field_of({"type": "string", "pattern": "^((a{100}){100}){100}$"}), "pattern ^((a{100}"),
]  # fmt: skip
FINE = field_of({"type": "string", "pattern": "^[a-z]{2,8}$", "maxLength": 20_000})


@pytest.mark.slow
def test_what_is_too_large_is_refused_and_named_and_harms_nothing_else() -> None:
    """Several together, as the tools of a request: each is judged."""
    shaper = Shaper(read)
    # The fine one first: the time that a request has in all may be over before the last one.
    schemas = [FINE, *(schema for schema, _ in TOO_LARGE)]
    first, *grammars = [f"start: {write_json_rule(schema)}" for schema in schemas]
    fine, *told = shaper.judge([first, *grammars])
    assert fine == ""
    for why, (_, named) in zip(told, TOO_LARGE, strict=True):
        assert named in why
    for grammar, (_, named) in zip(grammars, TOO_LARGE, strict=True):  # known: it takes no time
        with pytest.raises(ApiError) as refused:
            shaper.compile(grammar, "response_format")
        assert (refused.value.status, refused.value.param) == (400, "response_format")
        assert named in refused.value.message
    shaper.compile(first, "response_format")


def test_a_tool_is_named_where_it_must_be_strict() -> None:
    shaper, clock = Shaper(read), {"name": "clock", "parameters": MANY}
    loose, strict = (
        Tool.model_validate({"type": "function", "function": clock | more})
        for more in ({}, {"strict": True})
    )
    assert Tools(HERMES, [loose]).shape(shaper, None)  # any object
    with pytest.raises(ApiError, match="tools cannot be kept to: clock: .*2,007 keys"):
        Tools(HERMES, [strict]).shape(shaper, None)
    with pytest.raises(ApiError, match="response_format cannot be kept to: ") as refused:
        Tools(HERMES, [CLOCK]).shape(shaper, MANY)
    assert refused.value.param == "response_format"


def test_no_more_than_a_few_wait_for_their_schemas() -> None:
    shaper = Shaper(read)
    grammar = f"start: {write_json_rule(FINE)}"
    with crowding(shaper._turns, [(f"key {number}", "") for number in range(8)]):
        with pytest.raises(ApiError, match="Too many schemas") as refused:
            shaper.compile(grammar, "response_format", asker=("mine", ""))
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        assert shaper.compile('start: "small"', "response_format")
    assert shaper.compile(grammar, "response_format")


def test_what_an_answer_has_grown_too_large_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a matcher share its states: one that has failed is not kept for the next."""
    monkeypatch.setattr("memedit.serving.local.shaping.LIMITS", LLParserLimits(max_lexer_states=99))
    shaper, grammar = Shaper(read), "start: /a{1,200}/"
    for _ in range(2):
        answer = begin(shaper.compile(grammar, "response_format"), 200)
        answer.look(torch.zeros(len(TOKENIZER)))
        taken = 0
        while not answer.push(id_of("a"), frozenset({END})):
            answer.look(torch.zeros(len(TOKENIZER)))
            taken += 1
        assert answer.finish == "length" and taken > 50


def test_what_is_kept_of_grammars_has_an_end_in_bytes() -> None:
    shaper = Shaper(read)
    large = f"start: {write_json_rule(WIDE)}"
    shape = shaper.compile(large, "response_format")
    assert shape.made.size > 2 << 20  # as the process apart has found
    before = shape.made.size
    assert shape.begin().take(id_of("{")) is None and shape.made.size > before
    kept = Compilations()
    first, *others = [Compiled(shape.made.begun, 100 << 20) for _ in range(6)]
    for number, each in enumerate([first, *others]):
        kept.keep(str(number), each)
    assert len(kept) == 5 and kept.find("0") is None  # 600 MB are more than 512
    while others[0].size <= 128 << 20:
        kept.grow(others[0])  # as its answers do
    assert kept.find("1") is None and kept.find("2") is others[1]
    kept.keep("9", Compiled(shape.made.begun, 1 << 40))
    assert kept.find("9") is None and kept.find("2")


def test_the_largest_parts_of_a_schema_are_named() -> None:
    schema = {
        "allOf": [{"multipleOf": 991}, {"multipleOf": 997, "maxItems": 1e9, "maxLength": 5}],
        "enum": list(range(200)), "pattern": "a|" * 50,
    }  # fmt: skip
    *named, characters = name_largest(write_json_rule(schema)).split("; ")
    assert named[:2] == ["maxItems 1,000,000,000", "multipleOf 997"]
    assert named[2] == f"pattern {'a|' * 30}..." and named[3].endswith(" entries")
    assert characters.endswith(" characters")


def test_no_module_of_the_working_directory_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger runs')")
    monkeypatch.chdir(tmp_path)
    assert not judge_apart([f"start: {write_json_rule(FINE)}"])[0].why
