"""Anthropic's Messages (``/v1/messages``): a conversation in, one message out, whole or as events.

Text and tools of the caller's own are understood here: images, thinking and tools that Anthropic
runs are refused, and pass unchanged through a server that stands in front of another one. An answer
that ended at one of ``stop_sequences`` is not told apart from one that came to its end: both are
``end_turn``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from memedit.serving import receipts
from memedit.serving.errors import ApiError, anthropic_body
from memedit.serving.local.formats import Choice, Grown, Usage, named_event
from memedit.serving.schemas import ChatRequest, Extra, Part, Stops
from memedit.serving.tooling import ToolName, check_kind

if TYPE_CHECKING:  # torch, as in formats
    from memedit.serving.local.calling import Call

_PLAIN: dict[str, tuple[Any, ...]] = {
    "thinking": (None, {"type": "disabled"}), "top_k": (None,), "mcp_servers": (None, []),
    "container": (None,), "output_config": (None,),
}  # fmt: skip
"""Fields that would change the answer in a way this server cannot, with values that change none."""


class ToolUse(BaseModel):
    """A call that the model made."""

    model_config = ConfigDict(extra="allow")
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]

    def chat(self) -> dict[str, Any]:
        """As a chat says it."""
        arguments = json.dumps(self.input, ensure_ascii=False)
        return {"id": self.id, "function": {"name": self.name, "arguments": arguments}}


class ToolResult(BaseModel):
    """What a tool said."""

    model_config = ConfigDict(extra="allow")
    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[Part] | None = None
    is_error: bool | None = False

    def chat(self) -> dict[str, Any]:
        """As a chat says it, which has no other place for the news that it failed."""
        given = self.content or ""
        text = given if isinstance(given, str) else "".join(part.text for part in given)
        said = f"Error: {text}" if self.is_error else text
        return {"role": "tool", "tool_call_id": self.tool_use_id, "content": said}


Block = Annotated[Part | ToolUse | ToolResult, Field(discriminator="type")]


class Turn(BaseModel):
    """One turn of the conversation."""

    model_config = ConfigDict(extra="allow")
    role: Literal["user", "assistant"]
    content: str | list[Block]

    @model_validator(mode="after")
    def _whose(self) -> Turn:
        others = ToolUse if self.role == "user" else ToolResult
        if any(isinstance(block, others) for block in self.content):
            kind = "tool_use" if self.role == "user" else "tool_result"
            raise ValueError(f"the {self.role} has no {kind}")
        return self

    def chat(self) -> Iterator[dict[str, Any]]:
        """As a chat's turns: what tools said are turns of their own, before the user's words."""
        if isinstance(self.content, str):
            yield {"role": self.role, "content": self.content}
            return
        yield from (block.chat() for block in self.content if isinstance(block, ToolResult))
        calls = [block.chat() for block in self.content if isinstance(block, ToolUse)]
        texts = [block for block in self.content if isinstance(block, Part)]
        if calls:
            yield {"role": self.role, "content": texts, "tool_calls": calls}
        elif texts or not self.content:
            yield {"role": self.role, "content": texts}


class CustomTool(BaseModel):
    """A tool that the model may call, and the caller runs."""

    model_config = ConfigDict(extra="allow")
    type: Literal["custom"] | None = None
    name: ToolName
    description: str | None = None
    input_schema: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _is_theirs(cls, value: Any) -> Any:
        return check_kind(value, "custom")

    def chat(self) -> dict[str, Any]:
        """As a chat says it."""
        told = {} if self.description is None else {"description": self.description}
        function = {"name": self.name, **told, "parameters": self.input_schema}
        return {"type": "function", "function": function}


class Choosing(BaseModel):
    """Whether a tool shall be called, and which."""

    model_config = ConfigDict(extra="allow")
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = False

    def chat(self) -> Any:
        """As a chat says it."""
        if self.type == "tool":
            return {"type": "function", "function": {"name": self.name or ""}}
        return "required" if self.type == "any" else self.type


class _Conversation(BaseModel):
    model_config = ConfigDict(extra="allow")
    model: str | None = Field(None, description="As in /v1/models; the served model if left out.")
    messages: list[Turn] = Field(min_length=1, max_length=2_048)
    system: str | list[Part] | None = None
    tools: list[CustomTool] | None = Field(None, max_length=128)
    tool_choice: Choosing | None = None

    def chat(self) -> ChatRequest:
        """The same as a chat.

        Raises:
            ApiError: it wants what is not understood here.
        """
        for name, harmless in _PLAIN.items():
            if (self.model_extra or {}).get(name) not in harmless:
                raise ApiError(
                    400, f"{name} is not supported by this server, which runs the model itself.",
                    code="unsupported_parameter", param=name,
                )  # fmt: skip
        turns: list[Any] = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.messages:
            turns += turn.chat()
        choice = self.tool_choice
        return ChatRequest(
            **self._options()
            | {
                "messages": turns,
                "tools": [tool.chat() for tool in self.tools or ()],
                "tool_choice": None if choice is None else choice.chat(),
                "parallel_tool_calls": choice is None or not choice.disable_parallel_tool_use,
            }
        )

    def _options(self) -> dict[str, Any]:
        """What a chat has under the same name."""
        return {"model": self.model}


class CountRequest(_Conversation):
    """``POST /v1/messages/count_tokens``."""


class MessagesRequest(_Conversation):
    """``POST /v1/messages``."""

    max_tokens: int = Field(ge=1, le=1_000_000)
    temperature: float | None = Field(1.0, ge=0, le=2)
    top_p: float | None = Field(1.0, gt=0, le=1)
    stop_sequences: Stops | None = None
    stream: bool | None = False
    metadata: dict[str, Any] | None = None
    memedit: Extra = Extra(as_of=None, edits=True, min_version=0)

    def _options(self) -> dict[str, Any]:
        kept = ("model", "max_tokens", "temperature", "top_p", "stream", "memedit")
        common: dict[str, Any] = {name: getattr(self, name) for name in kept}
        return common | {"stop": self.stop_sequences}


@dataclass(frozen=True, slots=True)
class Said:
    """What stays the same in all that is said of one request.

    Attributes:
        prompt: Tokens of the conversation.
    """

    id: str
    model: str
    receipts: Sequence[Mapping[str, Any]]
    prompt: int

    def whole(self, choice: Choice, usage: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        content = [_write_call(call, json.loads(call.arguments)) for call in choice.calls]
        if choice.text or not content:
            content.insert(0, {"type": "text", "text": choice.text})
        reason = _reason(choice.finish, called=bool(choice.calls))
        return self._head(content, reason, usage.completion)

    def _head(self, content: list[Any], reason: str | None, tokens: int) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {"input_tokens": self.prompt, "output_tokens": tokens},
        } | receipts.field([dict(receipt) for receipt in self.receipts])

    async def events(
        self, pieces: AsyncIterator[Grown], usage: Callable[[], Usage]
    ) -> AsyncIterator[bytes]:
        """The answer as server-sent events.

        Args:
            pieces: What it grew by.
            usage: Gives the usage at the end.
        """
        yield named_event({"type": "message_start", "message": self._head([], None, 0)})
        told, reason = _Blocks(), None
        async for grown in pieces:
            for part in told.grow(grown):
                yield part
            reason = grown.finish or reason
        for part in told.close():
            yield part
        stopped = _reason(reason, called=told.called)
        ended = {"stop_reason": stopped, "stop_sequence": None}
        counted = {"output_tokens": usage().completion}
        yield named_event({"type": "message_delta", "delta": ended, "usage": counted})
        yield named_event({"type": "message_stop"})

    def failed(self, error: ApiError) -> dict[str, Any]:
        """The event with which a stream ends that cannot go on."""
        return anthropic_body(error)


@dataclass(slots=True)
class _Blocks:
    """The events of one answer's blocks: its text, and its calls.

    Attributes:
        called: There was a call.
    """

    called: bool = False
    _index: int = 0
    _says: bool = False  # a block of text is open

    def grow(self, grown: Grown) -> Iterator[bytes]:
        """What the answer grew by."""
        if grown.text:
            yield from self._say(grown.text)
        for call in grown.calls:
            yield from self._end_text()
            self.called = True
            yield self._start(_write_call(call, {}))
            # In one piece: arguments are told when they are complete.
            yield self._add({"type": "input_json_delta", "partial_json": call.arguments})
            yield self._stop()

    def close(self) -> Iterator[bytes]:
        """The end of what was said; an answer that is empty is a block of no text."""
        if not self._says and not self._index:
            yield from self._say("")
        yield from self._end_text()

    def _say(self, text: str) -> Iterator[bytes]:
        if not self._says:
            self._says = True
            yield self._start({"type": "text", "text": ""})
        if text:
            yield self._add({"type": "text_delta", "text": text})

    def _end_text(self) -> Iterator[bytes]:
        if self._says:
            self._says = False
            yield self._stop()

    def _start(self, block: Mapping[str, Any]) -> bytes:
        return named_event(
            {"type": "content_block_start", "index": self._index, "content_block": block}
        )

    def _add(self, delta: Mapping[str, Any]) -> bytes:
        return named_event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _stop(self) -> bytes:
        self._index += 1
        return named_event({"type": "content_block_stop", "index": self._index - 1})


def _write_call(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _reason(finish: str | None, *, called: bool) -> str:
    if finish == "length":
        return "max_tokens"
    return "tool_use" if called else "end_turn"
