"""Keys and values of texts that stand before many prompts: computed once, copied into each call.

The layout of a call is ``[prefix][padding][row]`` with a full-length attention mask, so positions
count real tokens only and a padded row equals the same row alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from transformers import DynamicCache

from memedit.core.errors import ContextOverflowError
from memedit.engine.kv import fork
from memedit.engine.tokens import Codec

_KEPT = 4
"""Prefixes whose keys and values stay; the least recently used goes first."""


class Prefixes:
    """The prefixes of one base model, and how much text it accepts. Thread-safe.

    Args:
        base: A Hugging Face causal language model.
        codec: Of its tokenizer.
    """

    def __init__(self, base: Any, codec: Codec) -> None:
        self._base, self._codec = base, codec
        self._kept: OrderedDict[tuple[object, ...], tuple[int, DynamicCache]] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def window(self) -> int | None:
        """Longest sequence the base accepts, in tokens; None if its config does not say."""
        config = self._base.config
        for name in ("max_position_embeddings", "n_positions", "n_ctx"):
            if isinstance(size := getattr(config, name, None), int):
                return size
        return None

    @cached_property
    def sliding(self) -> bool:
        """Whether some layer sees a window of columns: padding after a prefix would use it up."""
        config = self._base.config.get_text_config()
        return bool(getattr(config, "sliding_window", None)) and bool(
            getattr(config, "use_sliding_window", True)
        )

    def check_window(self, length: int) -> None:
        """See that so many tokens fit.

        Raises:
            ContextOverflowError: they do not.
        """
        if self.window is not None and length > self.window:
            raise ContextOverflowError(
                f"The prompt with its edit needs {length:,} tokens, not {self.window:,}.",
                hint="Shorten the prompt, or use an editor with fewer demonstrations.",
            )

    def take(self, prefix: str, copies: int, *, growing: bool = False) -> tuple[int, DynamicCache]:
        """(length, keys and values) of a prefix for ``copies`` rows; computed on first use.

        Args:
            prefix: The text, template tokens included.
            copies: Rows of the call.
            growing: The call adds to them.

        Raises:
            ContextOverflowError: the prefix alone exceeds the model's window.
        """
        key = (prefix, *self._state())
        with self._lock:
            # Inside the lock: of requests that come together one computes, and the others wait for
            # it.
            if key not in self._kept:
                self._kept[key] = self._compute(prefix)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            length, cache = self._kept[key]
        fresh = fork(cache, growing=growing)
        if copies > 1:
            fresh.batch_repeat_interleave(copies)
        return length, fresh

    def clear(self) -> None:
        """Let go of them all: they may hold what must be kept no longer."""
        with self._lock:
            self._kept.clear()

    def _compute(self, prefix: str) -> tuple[int, DynamicCache]:
        bos = self._codec.tokenizer.bos_token
        own = bool(bos) and prefix.startswith(bos)  # a chat template writes it out
        ids = self._codec.ids(prefix, special=not own)[None].to(self._base.device)
        self.check_window(ids.shape[1])
        cache = DynamicCache(config=self._base.config.get_text_config())
        with torch.no_grad():
            self._base(input_ids=ids, past_key_values=cache, use_cache=True)
        return ids.shape[1], cache

    def _state(self) -> Iterator[object]:
        """What the prefix's keys depend on besides its text: weights, device, dtype, adapters."""
        for parameter in self._base.parameters():
            # A version counts in-place writes: weights trained or merged since give other keys.
            yield parameter.data_ptr(), parameter._version, parameter.dtype
        if hasattr(self._base, "peft_config"):
            for module in self._base.modules():
                if hasattr(module, "_disable_adapters"):
                    yield module._disable_adapters, tuple(module.active_adapters)
