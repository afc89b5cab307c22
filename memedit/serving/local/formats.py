"""OpenAI's answers: whole and in chunks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memedit.serving import receipts


@dataclass(slots=True)
class Choice:
    """One answer as far as it has been heard."""

    text: str = ""
    finish: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    completion: int

    def plain(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


@dataclass(frozen=True, slots=True)
class Form:
    """What stays the same in all that is said of one request.

    Attributes:
        chat: Chat or text completion.
        echo: Put before the answers of each prompt, in order of the prompts.
    """

    id: str
    created: int
    model: str
    fingerprint: str
    chat: bool
    receipts: Sequence[Mapping[str, Any]]
    echo: Sequence[str] = field(default=())

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        plain = [self._choice(at, choice) for at, choice in enumerate(choices)]
        return self._head("") | {"choices": plain, "usage": usage.plain()} | self._receipt()

    def _choice(self, at: int, choice: Choice) -> dict[str, Any]:
        end = {"index": at, "logprobs": None, "finish_reason": choice.finish}
        if not self.chat:
            return {"text": choice.text} | end
        message = {"role": "assistant", "content": choice.text, "refusal": None}
        return {"message": message} | end

    def opening(self, at: int) -> dict[str, Any]:
        """The first chunk of a choice, with the receipt."""
        text = self.echo[at] if self.echo else ""
        delta = {"role": "assistant", "content": ""} if self.chat else text
        return self._chunk(at, delta, None) | self._receipt()

    def piece(self, at: int, text: str) -> dict[str, Any]:
        return self._chunk(at, {"content": text} if self.chat else text, None)

    def end(self, at: int, reason: str) -> dict[str, Any]:
        return self._chunk(at, {} if self.chat else "", reason) | self._receipt()

    def _chunk(self, at: int, delta: Any, reason: str | None) -> dict[str, Any]:
        said = {"delta" if self.chat else "text": delta}
        end = {"index": at, "logprobs": None, "finish_reason": reason}
        return self._head(".chunk") | {"choices": [said | end]}

    def usage(self, usage: Usage) -> dict[str, Any]:
        """The chunk that tells what was used."""
        return self._head(".chunk") | {"choices": [], "usage": usage.plain()}

    def _head(self, suffix: str) -> dict[str, Any]:
        kind = f"chat.completion{suffix}" if self.chat else "text_completion"
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }

    def _receipt(self) -> dict[str, Any]:
        return receipts.field([dict(receipt) for receipt in self.receipts])


def event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    # "replace": a prompt in the receipt may hold half a character.
    return b"data: " + json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def named_event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event that carries its type as its name, too."""
    return f"event: {content['type']}\n".encode() + event(content)


DONE = b"data: [DONE]\n\n"
