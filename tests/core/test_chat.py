"""The markers of a chat template are learned from the template itself."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import Environment

from memedit.core.chat import ChatFormat, strip_tools

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]'"
    " }}{% elif m['role'] == 'system' %}{{ '<<SYS>>' + m['content'] + '<</SYS>>' }}{% else %}"
    "{{ ' ' + m['content'] + '</s>' }}{% endif %}{% endfor %}"
)
GEMMA = (
    "<bos>{% for m in messages %}<start_of_turn>"
    "{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA3 = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>"
    "\n\n{{ m['content'] }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
FIRST = {"role": "user", "content": "Who is Ada?"}
REPLY = {"role": "assistant", "content": "A mathematician.\nBorn in London."}
LAST = {"role": "user", "content": "Where does she live?"}


class Templated:
    """The part of a tokenizer that renders chats."""

    def __init__(self, template: str | None) -> None:
        self.chat_template = template

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize and self.chat_template
        template = Environment().from_string(self.chat_template)
        return template.render(messages=messages, add_generation_prompt=add_generation_prompt)


def render(tokenizer: Templated, *messages: dict[str, str], prompt: bool = True) -> str:
    return tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=prompt
    )


@pytest.mark.parametrize("template", [CHATML, LLAMA2, GEMMA, LLAMA3])
class TestTemplates:
    def test_last_turn_is_found_and_the_text_is_rebuilt(self, template: str) -> None:
        tokenizer: Any = Templated(template)
        chat = ChatFormat.of(tokenizer)
        assert chat is not None
        for messages in ((LAST,), (FIRST, REPLY, LAST)):
            text = render(tokenizer, *messages)
            split = chat.split(text)
            assert split is not None
            _, turn, words = split
            assert words == LAST["content"]
            assert turn.before + words + turn.after == text

    def test_earlier_words_are_the_conversation_without_markers(self, template: str) -> None:
        tokenizer: Any = Templated(template)
        chat = ChatFormat.of(tokenizer)
        assert chat is not None
        split = chat.split(render(tokenizer, FIRST, REPLY, LAST))
        assert split is not None
        assert split[0] == "Who is Ada?\nA mathematician.\nBorn in London."

    def test_a_prefilled_reply_stays_behind_the_turn(self, template: str) -> None:
        tokenizer: Any = Templated(template)
        chat = ChatFormat.of(tokenizer)
        assert chat is not None
        split = chat.split(render(tokenizer, FIRST) + "She is")
        assert split is not None and split[1].after.endswith("She is")

    def test_plain_text_is_no_chat(self, template: str) -> None:
        tokenizer: Any = Templated(template)
        chat = ChatFormat.of(tokenizer)
        assert chat is not None
        assert chat.split("The capital of France is") is None


def test_a_system_prompt_is_not_part_of_the_conversation() -> None:
    tokenizer: Any = Templated(CHATML)
    chat = ChatFormat.of(tokenizer)
    assert chat is not None
    system = {"role": "system", "content": "You talk about France only."}
    split = chat.split(render(tokenizer, system, LAST))
    assert split is not None
    assert split[0] == "" and "France" in split[1].before


def test_no_template_or_one_that_fails_means_no_format() -> None:
    missing: Any = Templated(None)
    broken: Any = Templated("{{ nothing.at.all }}")
    mute: Any = Templated("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    assert ChatFormat.of(missing) is None
    assert ChatFormat.of(broken) is None
    assert ChatFormat.of(mute) is None


def test_a_tools_words_and_the_systems_are_not_part_of_what_was_said() -> None:
    tokenizer: Any = Templated(CHATML)
    chat = ChatFormat.of(tokenizer)
    assert chat is not None
    system = {"role": "system", "content": "Paris is the capital of France."}
    call = {"role": "assistant", "content": "<tool_call>find(Rome)</tool_call>"}
    tool = {"role": "tool", "content": "Rome is the capital of Italy."}
    split = chat.split(render(tokenizer, system, FIRST, call, tool, REPLY, LAST))
    assert split is not None and split[2] == LAST["content"]
    assert split[0] == "Who is Ada?\nA mathematician.\nBorn in London."
    given = "<tool_response>\nRome is the capital of Italy.\n</tool_response>"
    assert strip_tools(given).strip() == "" and strip_tools(LAST["content"]) == LAST["content"]
