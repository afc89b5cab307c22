"""OpenAI's Responses (``/v1/responses``): a conversation in, text and calls out.

What is stored on OpenAI's side (earlier responses, conversations, background work) does not exist
here and is refused, and so are tools that OpenAI runs; everything else is a chat in other words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from memedit.serving import receipts
from memedit.serving.errors import ApiError
from memedit.serving.local.formats import Choice, Grown, Usage, named_event
from memedit.serving.schemas import ChatRequest, _Common
from memedit.serving.tooling import Called, Function, check_kind

if TYPE_CHECKING:  # torch, as in formats
    from memedit.serving.local.calling import Call

_STORED = ("previous_response_id", "conversation", "prompt")


class InputPart(BaseModel):
    """A part of a message; only text is understood."""

    model_config = ConfigDict(extra="allow")
    type: Literal["input_text", "output_text", "text"]
    text: str


class InputMessage(BaseModel):
    """One turn of the input."""

    model_config = ConfigDict(extra="allow")
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[InputPart]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)

    def add_to(self, turns: list[dict[str, Any]]) -> None:
        """Put it behind a chat's turns."""
        turns.append({"role": self.role, "content": self.text})


class FunctionCall(Called):
    """A call that the model made, in the input of a later request."""

    type: Literal["function_call"]
    call_id: str

    def add_to(self, turns: list[dict[str, Any]]) -> None:
        """Put it behind a chat's turns: into the assistant's, if that is the last."""
        if not turns or turns[-1]["role"] != "assistant":
            turns.append({"role": "assistant", "content": None})
        function = {"name": self.name, "arguments": self.arguments}
        turns[-1].setdefault("tool_calls", []).append({"id": self.call_id, "function": function})


class FunctionOutput(BaseModel):
    """What a tool said."""

    model_config = ConfigDict(extra="allow")
    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputPart]

    def add_to(self, turns: list[dict[str, Any]]) -> None:
        """Put it behind a chat's turns."""
        said = self.output
        text = said if isinstance(said, str) else "".join(part.text for part in said)
        turns.append({"role": "tool", "tool_call_id": self.call_id, "content": text})


def _kind_of(item: Any) -> Any:
    given = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
    return str(given or "message")[:64]  # which needs not say so


InputItem = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionOutput, Tag("function_call_output")],
    Discriminator(_kind_of),
]


class FunctionTool(Function):
    """A tool that the model may call."""

    type: Literal["function"]

    @model_validator(mode="before")
    @classmethod
    def _is_theirs(cls, value: Any) -> Any:
        return check_kind(value, "function")

    def chat(self) -> dict[str, Any]:
        """As a chat says it."""
        return {
            "type": self.type,
            "function": self.model_dump(exclude={"type"}, exclude_unset=True),
        }


class NamedTool(BaseModel):
    """The tool that the model must call."""

    model_config = ConfigDict(extra="allow")
    type: Literal["function"]
    name: str


class TextFormat(BaseModel):
    """What the answer looks like; a chat's ``response_format`` in other words."""

    model_config = ConfigDict(extra="allow")
    type: Literal["text", "json_object", "json_schema"]
    name: str = ""
    schema_: dict[str, Any] | None = Field(None, alias="schema")

    def chat(self) -> dict[str, Any]:
        """As a chat says it."""
        if self.schema_ is None:
            return {"type": self.type}
        return {"type": self.type, "json_schema": {"name": self.name, "schema": self.schema_}}


class TextOptions(BaseModel):
    """How the answer is given."""

    model_config = ConfigDict(extra="allow")
    format: TextFormat | None = None


class ResponsesRequest(_Common):
    """``POST /v1/responses``."""

    input: str | list[InputItem] = Field(min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1, le=1_000_000)
    text: TextOptions | None = None
    include: list[str] | None = None
    tools: list[FunctionTool] | None = Field(None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = True

    def chat(self) -> ChatRequest:
        """The same as a chat.

        Raises:
            ApiError: it builds on something stored, or wants log probabilities.
        """
        more = self.model_extra or {}
        bad = [name for name in (*_STORED, "background") if more.get(name)]
        if bad:
            raise ApiError(
                400, f"{bad[0]} is not supported by this server: it stores no responses.",
                code="unsupported_parameter", param=bad[0],
            )  # fmt: skip
        if more.get("top_logprobs") or "message.output_text.logprobs" in (self.include or ()):
            raise ApiError(
                400, "top_logprobs is not supported by this server on /v1/responses: leave it out, "
                "or use /v1/chat/completions.", code="unsupported_parameter", param="top_logprobs",
            )  # fmt: skip
        own = {"input", "instructions", "max_output_tokens", "n", "text", "include", "top_logprobs"}
        common = self.model_dump(exclude=own | {"tools", "tool_choice"})
        form = None if self.text is None else self.text.format
        choice: Any = self.tool_choice
        if isinstance(choice, NamedTool):
            choice = {"type": "function", "function": {"name": choice.name}}
        return ChatRequest(
            **common
            | {
                "messages": self._turns(),
                "max_tokens": self.max_output_tokens,
                "response_format": None if form is None else form.chat(),
                "tools": [tool.chat() for tool in self.tools or ()],
                "tool_choice": choice,
            }
        )

    def _turns(self) -> list[dict[str, Any]]:
        """The input as a chat's turns."""
        turns: list[dict[str, Any]] = []
        if self.instructions:
            turns.append({"role": "system", "content": self.instructions})
        if isinstance(self.input, str):
            turns.append({"role": "user", "content": self.input})
        else:
            for item in self.input:
                item.add_to(turns)
        return turns

    def offered(self) -> dict[str, Any]:
        """What every answer repeats of the tools."""
        offered = self.model_dump(include={"tools", "tool_choice"}, exclude_unset=True)
        return {
            "tools": offered.get("tools") or [],
            "tool_choice": offered.get("tool_choice") or "auto",
            "parallel_tool_calls": self.parallel_tool_calls is not False,
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """What stays the same in all that is said of one request.

    Attributes:
        offered: What is repeated of the request's tools.
    """

    id: str
    created: int
    model: str
    receipts: Sequence[Mapping[str, Any]]
    offered: Mapping[str, Any]

    def whole(self, choice: Choice, usage: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        output = [_write_call(call) for call in choice.calls]
        if choice.text or not output:
            output.insert(0, self.message(choice.text, _status(choice.finish)))
        return self.end(output, usage, choice.finish)

    def end(self, output: Sequence[Any], usage: Usage, reason: str | None) -> dict[str, Any]:
        """The answer, of what it put out."""
        cut = reason == "length"
        return {
            **self.head(_status(reason)),
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": list(output),
            "usage": {
                "input_tokens": usage.prompt,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage.completion,
                "output_tokens_details": {"reasoning_tokens": usage.thought},
                "total_tokens": usage.prompt + usage.completion,
            },
        }

    def head(self, status: str) -> dict[str, Any]:
        """The answer before anything was said."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "model": self.model,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": [],
            **self.offered,
        } | receipts.field([dict(receipt) for receipt in self.receipts])

    def message(self, text: str, status: str, at: int = 0) -> dict[str, Any]:
        """The item of the output that holds the text; ``at`` is its place among the items."""
        content = [_part(text)] if status != "in_progress" else []
        # Text may come behind a call, too (one that was cut off): every item has an id of its own.
        return {
            "id": f"msg_{self.id.removeprefix('resp_')}" + (f"_{at}" if at else ""),
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    async def events(self, pieces: AsyncIterator[Grown], usage: Any) -> AsyncIterator[bytes]:
        """The answer as server-sent events.

        Args:
            pieces: What it grew by.
            usage: Gives the usage at the end.
        """
        told = _Events(self)
        yield told.write("response.created", response=self.head("in_progress"))
        yield told.write("response.in_progress", response=self.head("in_progress"))
        reason = None
        async for grown in pieces:
            for part in told.grow(grown):
                yield part
            reason = grown.finish or reason
        for part in told.close(reason):
            yield part
        whole = self.end(told.output, usage(), reason)  # now: it counts what was said
        yield told.write(f"response.{whole['status']}", response=whole)

    def failed(self, error: ApiError) -> dict[str, Any]:
        """The event with which a stream ends that cannot go on."""
        return {"type": "error"} | error.body()


@dataclass(slots=True)
class _Events:
    """The events of one answer. OpenAI's clients build it from them, and count on their order.

    Attributes:
        output: The items that are complete.
    """

    reply: Reply
    output: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0
    _text: str | None = None  # of the message that is being said

    def write(self, kind: str, **content: Any) -> bytes:
        """One event with its number."""
        self._number += 1
        return named_event({"type": kind, "sequence_number": self._number - 1} | content)

    def grow(self, grown: Grown) -> Iterator[bytes]:
        """What the answer grew by."""
        if grown.text:
            yield from self._say(grown.text)
        for call in grown.calls:
            if self._text is not None:
                yield from self._end_message("completed")
            yield from self._call(call)

    def close(self, reason: str | None) -> Iterator[bytes]:
        """The end of what was said; an answer that is empty is a message of no text."""
        if self._text is None and not self.output:
            yield from self._say("")
        if self._text is not None:
            yield from self._end_message(_status(reason))

    def _at(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": len(self.output)}

    def _say(self, text: str) -> Iterator[bytes]:
        item = self.reply.message("", "in_progress", len(self.output))
        at = {**self._at(item), "content_index": 0}
        if self._text is None:
            self._text, index = "", len(self.output)
            yield self.write("response.output_item.added", output_index=index, item=item)
            yield self.write("response.content_part.added", **at, part=_part(""))
        if text:
            self._text += text
            yield self.write("response.output_text.delta", **at, delta=text, logprobs=[])

    def _end_message(self, status: str) -> Iterator[bytes]:
        text, self._text = self._text or "", None
        item = self.reply.message(text, status, len(self.output))
        at = {**self._at(item), "content_index": 0}
        yield self.write("response.output_text.done", **at, text=text, logprobs=[])
        yield self.write("response.content_part.done", **at, part=_part(text))
        yield self._end_item(item)

    def _call(self, call: Call) -> Iterator[bytes]:
        """A call comes in one piece: its arguments are told when they are complete."""
        item = _write_call(call)
        begun = item | {"arguments": "", "status": "in_progress"}
        yield self.write("response.output_item.added", output_index=len(self.output), item=begun)
        kind, at = "response.function_call_arguments", self._at(item)
        yield self.write(f"{kind}.delta", **at, delta=call.arguments)
        yield self.write(f"{kind}.done", **at, name=call.name, arguments=call.arguments)
        yield self._end_item(item)

    def _end_item(self, item: dict[str, Any]) -> bytes:
        self.output.append(item)
        index = len(self.output) - 1
        return self.write("response.output_item.done", output_index=index, item=item)


def _status(reason: str | None) -> str:
    return "incomplete" if reason == "length" else "completed"


def _write_call(call: Call) -> dict[str, Any]:
    return {
        "id": f"fc_{call.id.removeprefix('call_')}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def turns_of(wanted: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The input of a request as messages of a chat; None: it has none."""
    given = wanted.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        return None
    return [dict(turn) if isinstance(turn, dict) else turn for turn in given]
