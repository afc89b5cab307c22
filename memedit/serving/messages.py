"""Anthropic's Messages (``/v1/messages``): a conversation in, one message out, whole or as events.

Text alone is understood here: tools, images and thinking are refused, and pass unchanged through a
server that stands in front of another one. An answer that ended at one of ``stop_sequences`` is not
told apart from one that came to its end: both are ``end_turn``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from memedit.serving import receipts
from memedit.serving.errors import ApiError, anthropic_body
from memedit.serving.local.formats import Usage, named_event
from memedit.serving.schemas import ChatRequest, Extra, Message, Part, Stops

_PLAIN: dict[str, tuple[Any, ...]] = {
    "thinking": (None, {"type": "disabled"}), "tools": (None, []), "top_k": (None,),
    "mcp_servers": (None, []), "container": (None,), "output_config": (None,),
}  # fmt: skip
"""Fields that would change the answer in a way this server cannot, with values that change none."""


class Turn(BaseModel):
    """One turn of the conversation."""

    model_config = ConfigDict(extra="allow")
    role: Literal["user", "assistant"]
    content: str | list[Part]


class _Conversation(BaseModel):
    model_config = ConfigDict(extra="allow")
    model: str | None = Field(None, description="As in /v1/models; the served model if left out.")
    messages: list[Turn] = Field(min_length=1, max_length=2_048)
    system: str | list[Part] | None = None

    def turns(self) -> list[Message]:
        """All of it, as of a chat."""
        first = [] if not self.system else [Message(role="system", content=self.system)]
        return first + [Message(role=turn.role, content=turn.content) for turn in self.messages]


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
        kept = ("model", "max_tokens", "temperature", "top_p", "stream", "memedit")
        common: dict[str, Any] = {name: getattr(self, name) for name in kept}
        return ChatRequest(**common | {"messages": self.turns(), "stop": self.stop_sequences})


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

    def whole(self, text: str, usage: Usage, reason: str | None) -> dict[str, Any]:
        """The answer in one piece."""
        content = [{"type": "text", "text": text}]
        return self._head(content, _reason(reason), usage.completion)

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
        self, pieces: AsyncIterator[tuple[str, str | None]], usage: Callable[[], Usage]
    ) -> AsyncIterator[bytes]:
        """The answer as server-sent events.

        Args:
            pieces: (text, finish reason or None) as the answer grows.
            usage: Gives the usage at the end.
        """
        yield named_event({"type": "message_start", "message": self._head([], None, 0)})
        block = {"type": "text", "text": ""}
        yield named_event({"type": "content_block_start", "index": 0, "content_block": block})
        reason = None
        async for text, end in pieces:
            if text:
                delta = {"type": "text_delta", "text": text}
                yield named_event({"type": "content_block_delta", "index": 0, "delta": delta})
            reason = end or reason
        yield named_event({"type": "content_block_stop", "index": 0})
        ended = {"stop_reason": _reason(reason), "stop_sequence": None}
        told = {"output_tokens": usage().completion}
        yield named_event({"type": "message_delta", "delta": ended, "usage": told})
        yield named_event({"type": "message_stop"})

    def failed(self, error: ApiError) -> dict[str, Any]:
        """The event with which a stream ends that cannot go on."""
        return anthropic_body(error)


def _reason(finish: str | None) -> str:
    return "max_tokens" if finish == "length" else "end_turn"
