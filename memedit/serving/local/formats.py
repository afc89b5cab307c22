"""OpenAI's answers: whole and in chunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from memedit.serving import receipts

if TYPE_CHECKING:  # torch, which a server in front of another one begins without
    from memedit.serving.local.calling import Call, CallReader
    from memedit.serving.local.sampling import Piece, Scored

TokenOf = Callable[[int], tuple[str, list[int]]]
"""Of a token's id: its text, and its bytes."""


@dataclass(frozen=True, slots=True)
class Grown:
    """What is to be said of a choice now.

    Attributes:
        at: Which choice.
        offset: Characters of its text before this.
        before: Its calls before these.
    """

    at: int
    text: str
    finish: str | None
    scored: Sequence[Scored]
    calls: Sequence[Call]
    offset: int
    before: int


@dataclass(slots=True)
class Choice:
    """One answer as far as it has been heard.

    Attributes:
        reader: Tells tools' calls from text; None: it is all text.
        named: The caller named the tool, so that the answer is no surprise: it ends with ``stop``.
    """

    at: int = 0
    text: str = ""
    finish: str | None = None
    scored: list[Scored] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    reader: CallReader | None = None
    named: bool = False
    _told: int = 0

    def add(self, piece: Piece) -> Grown:
        """What it grew by, as it is to be said: calls when they are complete."""
        calls: list[Call] = []
        text, end = piece.text, piece.finish
        if self.reader is not None:
            text, calls = self.reader.add(text, last=end is not None)
        offset, before = len(self.text), len(self.calls)
        self.text += text
        self.calls += calls
        self.scored += piece.scored
        if end == "stop" and self.calls and not self.named:
            end = "tool_calls"
        self.finish = end or self.finish
        # Of a call that is not complete nothing is said yet, nor of its tokens.
        scored = self.scored[self._told :] if text or calls or end else []
        self._told += len(scored)
        return Grown(self.at, text, end, scored, calls, offset, before)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request took, in tokens.

    Attributes:
        prompt: As it was sent.
        completion: All that was generated.
        thought: What of that nobody sees: the base thought before it answered.
    """

    prompt: int
    completion: int
    thought: int = 0

    def plain(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "completion_tokens_details": {"reasoning_tokens": self.thought},
        }


@dataclass(frozen=True, slots=True)
class Form:
    """What stays the same in all that is said of one request.

    Attributes:
        chat: Chat or text completion.
        echo: Put before the answers of each prompt, in order of the prompts.
        tokens: Reads the tokens whose log probabilities are told; None: none are.
    """

    id: str
    created: int
    model: str
    fingerprint: str
    chat: bool
    receipts: Sequence[Mapping[str, Any]]
    echo: Sequence[str] = field(default=())
    tokens: TokenOf | None = None

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        plain = [self._choice(choice) for choice in choices]
        return self._head("") | {"choices": plain, "usage": usage.plain()} | self._receipt()

    def _choice(self, choice: Choice) -> dict[str, Any]:
        scores = self._score(choice.scored, 0)
        end = {"index": choice.at, "logprobs": scores, "finish_reason": choice.finish}
        if not self.chat:
            echo = self.echo[choice.at] if self.echo else ""
            return {"text": echo + choice.text} | end
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
        if choice.calls:
            message["content"] = choice.text or None
            message["tool_calls"] = [call.plain() for call in choice.calls]
        return {"message": message} | end

    def opening(self, at: int) -> dict[str, Any]:
        """The first chunk of a choice, with the receipt."""
        text = self.echo[at] if self.echo else ""
        delta = {"role": "assistant", "content": ""} if self.chat else text
        return self._chunk(at, delta, None) | self._receipt()

    def chunks(self, grown: Grown) -> Iterator[dict[str, Any]]:
        """What a choice grew by: its text, its calls, its end, as far as there are any."""
        said: list[tuple[Any, str | None]] = []
        if grown.text:
            said.append(({"content": grown.text} if self.chat else grown.text, None))
        for index, call in enumerate(grown.calls, grown.before):
            said.append(({"tool_calls": [{"index": index} | call.plain()]}, None))
        if grown.finish is not None:
            said.append(({} if self.chat else "", grown.finish))
        scores = self._score(grown.scored, grown.offset) if grown.scored else None
        for delta, reason in said:
            chunk = self._chunk(grown.at, delta, reason, scores)
            yield chunk | (self._receipt() if reason is not None else {})
            scores = None

    def _score(self, scored: Sequence[Scored], offset: int) -> dict[str, Any] | None:
        if self.tokens is None:
            return None
        if self.chat:
            return write_chat_logprobs(scored, self.tokens)
        return write_text_logprobs(scored, self.tokens, offset)

    def _chunk(
        self, at: int, delta: Any, reason: str | None, scores: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        said = {"delta" if self.chat else "text": delta}
        end = {"index": at, "logprobs": scores, "finish_reason": reason}
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


def write_chat_logprobs(scored: Sequence[Scored], read: TokenOf) -> dict[str, Any]:
    """``logprobs`` of a chat's choice."""

    def write_token(token: int, logprob: float) -> dict[str, Any]:
        text, raw = read(token)
        return {"token": text, "logprob": logprob, "bytes": raw}

    content = [
        write_token(each.token, each.logprob)
        | {"top_logprobs": [write_token(*other) for other in each.top]}
        for each in scored
    ]
    return {"content": content, "refusal": None}


def write_text_logprobs(scored: Sequence[Scored], read: TokenOf, offset: int) -> dict[str, Any]:
    """``logprobs`` of a text completion's choice.

    Args:
        scored: The tokens.
        read: Gives their texts.
        offset: Characters of the choice's text before them.
    """
    texts = [read(each.token)[0] for each in scored]
    offsets = list(accumulate(map(len, texts), initial=offset))[:-1]
    # Several tokens may have one text: the likeliest of them counts.
    tops = [{read(token)[0]: p for token, p in reversed(each.top)} for each in scored]
    return {
        "tokens": texts,
        "token_logprobs": [each.logprob for each in scored],
        "top_logprobs": tops,
        "text_offset": offsets,
    }


def event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    # "replace": a prompt in the receipt may hold half a character.
    return b"data: " + json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def named_event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event that carries its type as its name, too."""
    return f"event: {content['type']}\n".encode() + event(content)


DONE = b"data: [DONE]\n\n"
