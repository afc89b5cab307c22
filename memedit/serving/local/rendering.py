"""From a request's words to the model's tokens, and back."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from llguidance import LLTokenizer
from llguidance.hf import from_tokenizer
from torch import Tensor
from transformers.convert_slow_tokenizer import bytes_to_unicode

from memedit.core.chat import has_template
from memedit.core.controls import Controls
from memedit.serving.errors import ApiError
from memedit.serving.local.calling import Style, find_style
from memedit.serving.schemas import Message

_BYTE_OF = {char: byte for byte, char in bytes_to_unicode().items()}  # type: ignore[no-untyped-call]


class Renderer:
    """The text side of one model. Thread-safe.

    Args:
        tokenizer: Copied: a fast tokenizer is not thread-safe.
        size: Token ids go up to here.
    """

    def __init__(self, tokenizer: Any, size: int) -> None:
        self._tokenizer, self._size = copy.deepcopy(tokenizer), size
        self._lock = threading.Lock()
        self._special = frozenset(self._tokenizer.get_added_vocab())
        self._has_bytes = _spells_bytes(self._tokenizer)
        self._controls = Controls.of(self._tokenizer)
        self.token = lru_cache(maxsize=8_192)(self._read_token)

    @cached_property
    def style(self) -> Style | None:
        """How the model calls tools; None: its chat template has no place for them."""
        if not has_template(self._tokenizer):
            return None
        with self._lock:
            return find_style(self._apply)

    def render(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> Tensor:
        """[T] ids of a conversation in the model's template, up to where the reply begins.

        Raises:
            ApiError: the model has no template, or the template refuses the conversation.
        """
        if not has_template(self._tokenizer):
            raise ApiError(
                400,
                "This model has no chat template; use /v1/completions.",
                code="no_chat_template",
            )
        turns = [_plain_turn(message) for message in messages]
        if any(turn["role"] == "tool" or "tool_calls" in turn for turn in turns):
            if self.style is None:
                raise ApiError(
                    400, "This model's chat template has no place for tools and what they said.",
                    param="messages", code="unsupported_parameter",
                )  # fmt: skip
        with self._lock:
            try:
                # What others wrote must not end a turn, or begin one.
                guarded = [self._controls.guard(turn) for turn in turns]
                text = self._apply(guarded, self._controls.break_data(tools))
            except Exception as error:  # templates raise their own errors
                raise ApiError(
                    400, f"The model's chat template refuses these messages: {error}",
                    param="messages", code="invalid_value",
                ) from None  # fmt: skip
            return self._encode(text, special=False)

    def _apply(
        self, turns: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                list(turns), tools=list(tools) or None, tokenize=False, add_generation_prompt=True
            )
        )

    def ids(self, prompt: str | Sequence[int]) -> Tensor:
        """[T] ids of a text, or of ids, which must be the model's.

        Raises:
            ApiError: they are not, or there are none.
        """
        if isinstance(prompt, str):
            with self._lock:
                ids = self._encode(prompt, special=True)
        else:
            if any(token >= self._size for token in prompt):
                raise ApiError(
                    400, f"Token ids go up to {self._size - 1:,}.", param="prompt",
                    code="invalid_value",
                )  # fmt: skip
            ids = torch.tensor(prompt, dtype=torch.long)
        if not len(ids):
            raise ApiError(400, "The prompt is empty.", param="prompt", code="invalid_value")
        return ids

    def _encode(self, text: str, *, special: bool) -> Tensor:
        # JSON may carry half a surrogate pair, which no tokenizer takes.
        text = text.encode("utf-8", "replace").decode()
        ids = self._tokenizer(text, add_special_tokens=special).input_ids
        return torch.tensor(ids, dtype=torch.long)

    def text(self, ids: Tensor) -> str:
        """Ids [T] back to text, without special tokens."""
        with self._lock:
            text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def read_tokens(self, ends: Sequence[int]) -> LLTokenizer:
        """The vocabulary as a grammar wants it; takes seconds where it is large.

        Args:
            ends: Tokens that end an answer.

        Raises:
            ValueError: the tokenizer is none of the ``tokenizers`` library.
        """
        with self._lock:
            return from_tokenizer(self._tokenizer, eos_token=list(ends))

    def _read_token(self, token: int) -> tuple[str, list[int]]:
        """A token's text and its bytes, which may be half a character's."""
        # Without the lock, which others hold for long: this is asked on the event loop, and looking
        # one token up changes nothing.
        piece = str(self._tokenizer.convert_ids_to_tokens(token) or "")
        if piece in self._special:
            raw = piece.encode()
        elif piece.startswith("<0x") and len(piece) == 6:
            raw = bytes([int(piece[3:5], 16)])
        elif self._has_bytes and all(char in _BYTE_OF for char in piece):
            raw = bytes(_BYTE_OF[char] for char in piece)
        else:
            raw = piece.replace("\u2581", " ").encode()
        return raw.decode("utf-8", "replace"), list(raw)


def _spells_bytes(tokenizer: Any) -> bool:
    """Whether the vocabulary spells bytes by letters, as GPT-2's."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    return core is not None and "ByteLevel" in json.dumps(json.loads(core.to_str())["decoder"])


def _plain_turn(message: Message) -> dict[str, Any]:
    """A turn as chat templates want it: a call's arguments are data, not text."""
    role = "system" if message.role == "developer" else message.role
    turn: dict[str, Any] = {"role": role, "content": message.text}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.data},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        turn["name"] = message.name
    return turn
