"""OpenAI's Responses (``/v1/responses``): a conversation in, one message out, whole or as events.

What is stored on OpenAI's side (earlier responses, conversations, background work) does not exist
here and is refused; everything else is a chat in other words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from memedit.serving import receipts
from memedit.serving.errors import ApiError
from memedit.serving.local.formats import Usage, named_event
from memedit.serving.schemas import ChatRequest, Message, _Common

_ELSEWHERE: dict[str, tuple[Any, ...]] = {
    "tools": (None, []), "tool_choice": (None, "none", "auto"), "top_logprobs": (None, 0),
    "parallel_tool_calls": (None, True, False),
}  # fmt: skip
"""Fields that only a chat here can have, with values that change nothing."""
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

    input: str | list[InputMessage] = Field(min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1, le=1_000_000)
    text: TextOptions | None = None
    include: list[str] | None = None

    def chat(self) -> ChatRequest:
        """The same as a chat.

        Raises:
            ApiError: it builds on something stored, or on tools.
        """
        more = self.model_extra or {}
        bad = [name for name in _STORED if more.get(name)] + ["background"] * bool(
            more.get("background")
        )
        if bad:
            raise ApiError(
                400, f"{bad[0]} is not supported by this server: it stores no responses.",
                code="unsupported_parameter", param=bad[0],
            )  # fmt: skip
        if "message.output_text.logprobs" in (self.include or ()):
            more = {**more, "top_logprobs": 1}
        for name, harmless in _ELSEWHERE.items():
            if more.get(name) not in harmless:
                raise ApiError(
                    400, f"{name} is not supported by this server on /v1/responses: leave it out, "
                    "or use /v1/chat/completions.", code="unsupported_parameter", param=name,
                )  # fmt: skip
        turns = [Message(role="system", content=self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            turns.append(Message(role="user", content=self.input))
        else:
            turns += [Message(role=turn.role, content=turn.text) for turn in self.input]
        own = {"input", "instructions", "max_output_tokens", "n", "text", "include", *_ELSEWHERE}
        common = self.model_dump(exclude=own)
        form = None if self.text is None else self.text.format
        shape = None if form is None else form.chat()
        own_names = {"max_tokens": self.max_output_tokens, "response_format": shape}
        return ChatRequest(**common | {"messages": turns, **own_names})


@dataclass(frozen=True, slots=True)
class Reply:
    """What stays the same in all that is said of one request."""

    id: str
    created: int
    model: str
    receipts: Sequence[Mapping[str, Any]]

    def whole(self, text: str, usage: Usage, reason: str | None) -> dict[str, Any]:
        """The answer in one piece."""
        cut = reason == "length"
        return {
            **self._head("incomplete" if cut else "completed"),
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [self._message(text, "incomplete" if cut else "completed")],
            "usage": {
                "input_tokens": usage.prompt,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage.completion,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.prompt + usage.completion,
            },
        }

    def _head(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "model": self.model,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": [],
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
        } | receipts.field([dict(receipt) for receipt in self.receipts])

    def _message(self, text: str, status: str) -> dict[str, Any]:
        content = [_part(text)] if status != "in_progress" else []
        return {
            "id": f"msg_{self.id.removeprefix('resp_')}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    async def events(
        self, pieces: AsyncIterator[tuple[str, str | None]], usage: Any
    ) -> AsyncIterator[bytes]:
        """The answer as server-sent events.

        Args:
            pieces: (text, finish reason or None) as the answer grows.
            usage: Gives the usage at the end.
        """
        number = 0

        def write_event(kind: str, **content: Any) -> bytes:
            nonlocal number
            number += 1
            return named_event({"type": kind, "sequence_number": number - 1} | content)

        start = self._head("in_progress")
        # OpenAI's clients build the answer from these events, and count on their order.
        yield write_event("response.created", response=start)
        yield write_event("response.in_progress", response=start)
        item = self._message("", "in_progress")
        at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        yield write_event("response.output_item.added", output_index=0, item=item)
        yield write_event("response.content_part.added", **at, part=_part(""))
        said, reason = "", None
        async for text, end in pieces:
            if text:
                said += text
                yield write_event("response.output_text.delta", **at, delta=text, logprobs=[])
            reason = end or reason
        yield write_event("response.output_text.done", **at, text=said, logprobs=[])
        yield write_event("response.content_part.done", **at, part=_part(said))
        whole = self.whole(said, usage(), reason)  # now: it counts what was said
        yield write_event("response.output_item.done", output_index=0, item=whole["output"][0])
        yield write_event(f"response.{whole['status']}", response=whole)

    def failed(self, error: ApiError) -> dict[str, Any]:
        """The event with which a stream ends that cannot go on."""
        return {"type": "error"} | error.body()


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
