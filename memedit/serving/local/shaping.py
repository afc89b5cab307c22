"""What an answer may look like: JSON of a schema, a tool's call. Other tokens are forbidden.

llguidance (https://github.com/guidance-ai/llguidance) says which tokens can come next.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor

from memedit.serving.errors import ApiError

log = logging.getLogger(__name__)
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Where blanks are free, a small model may never come to an end of them."""


def write_json_rule(schema: Mapping[str, Any] | bool) -> str:
    """A schema as an expression of a grammar."""
    plain: Any = schema if isinstance(schema, bool) else {**schema, "x-guidance": _COMPACT}
    if isinstance(plain, bool):
        plain = {"x-guidance": _COMPACT} if schema else {"not": {}}
    return "%json " + json.dumps(plain)


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer may look like; every answer begins one.

    Attributes:
        begun: A matcher at the beginning.
    """

    begun: LLMatcher

    def begin(self) -> Shaped:
        return Shaped(self.begun.deep_copy())


class Shaped:
    """How far one answer is in its shape."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def mask(self, scores: Tensor) -> Tensor:
        """Logits [V], minus infinity where the token cannot come next."""
        allowed = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        # A head may be padded beyond the vocabulary, and a tokenizer may have more tokens.
        table = torch.zeros(len(scores), dtype=torch.bool)
        size = min(len(scores), len(allowed))
        table[:size] = allowed[:size] > 0
        return scores.masked_fill(~table.to(scores.device), -float("inf"))

    def take(self, token: int) -> str | None:
        """One more token of the answer; why it ends here, or None."""
        if self._matcher.consume_token(token) and not self._matcher.is_stopped():
            return None
        if self._matcher.is_error():
            # What is there is no whole answer: as if there had been no room for the rest.
            log.warning("A response format cannot go on: %s", self._matcher.get_error()[:200])
            return "length"
        return "stop"


class Shaper:
    """Makes shapes for one model. Thread-safe.

    Args:
        read: Gives the model's vocabulary; called once, when a form is first asked for.
    """

    def __init__(self, read: Callable[[], LLTokenizer]) -> None:
        self._lock = threading.Lock()
        self._read = read
        self._vocabulary: LLTokenizer | None = None
        self._compile = lru_cache(maxsize=64)(self._compile_grammar)

    def compile(self, grammar: str, param: str) -> Shape:
        """A shape from a grammar in llguidance's dialect of Lark.

        Args:
            grammar: With a rule ``start``.
            param: The request's field it comes from, for the error.

        Raises:
            ApiError: it cannot be kept to: the schema asks for what is not supported, say.
        """
        found = self._compile(grammar)
        if isinstance(found, str):
            raise ApiError(
                400, f"{param} cannot be kept to: {found}", param=param,
                code="invalid_value",
            )  # fmt: skip
        return Shape(found)

    def accepts(self, grammar: str) -> bool:
        """Whether :meth:`compile` takes it."""
        return not isinstance(self._compile(grammar), str)

    def is_special(self, text: str) -> bool:
        """Whether a text is one token that stands for no letters."""
        tokens = self._find_vocabulary()
        ids = tokens.tokenize_str(text, parse_special=True)
        return len(ids) == 1 and tokens.is_special_token(ids[0])

    def _compile_grammar(self, grammar: str) -> LLMatcher | str:
        try:
            read = self._find_vocabulary()
        except ValueError as error:
            return f"this model's tokenizer does not say which tokens there are ({error})"
        failed, said = LLMatcher.validate_grammar_with_warnings(grammar, read)
        if failed:
            return said[0].splitlines()[0].split("compile JSON schema: ")[-1][:300]
        return LLMatcher(read, grammar, log_level=0)

    def _find_vocabulary(self) -> LLTokenizer:
        with self._lock:
            if self._vocabulary is None:
                self._vocabulary = self._read()
            return self._vocabulary
