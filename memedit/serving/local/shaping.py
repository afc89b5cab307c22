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
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from torch import Tensor

from memedit.serving.errors import ApiError

log = logging.getLogger(__name__)
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Where blanks are free, a small model may never come to an end of them."""
_LONGEST = 1_000_000
"""Characters of a grammar."""
_LIMITS = LLParserLimits(max_lexer_states=100_000)
"""Every answer has a matcher of its own, and a state takes 1 to 2 kB; llguidance's own limit is
250,000. A string of a bounded length needs about three for each of its characters."""


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
        return self.end()

    def end(self) -> str:
        """Why an answer that ends here does: a matcher that cannot go on has it end, too."""
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
        self._unread = ""
        self._compile = lru_cache(maxsize=64)(self._compile_grammar)
        # Of its own: the many tools of one request must not drive whole grammars out.
        self._accepts = lru_cache(maxsize=1_024)(self._accepts_grammar)

    def compile(self, grammar: str, param: str) -> Shape:
        """A shape from a grammar in llguidance's dialect of Lark.

        Args:
            grammar: With a rule ``start``.
            param: The request's field it comes from, for the error.

        Raises:
            ApiError: it cannot be kept to: the schema asks for what is not supported, say.
        """
        if len(grammar) > _LONGEST:
            found: LLMatcher | str = f"it is longer than {_LONGEST:,} characters"
        else:
            found = self._compile(grammar)
        if isinstance(found, str):
            raise ApiError(
                400, f"{param} cannot be kept to: {found}", param=param,
                code="invalid_value",
            )  # fmt: skip
        return Shape(found)

    def accepts(self, grammar: str) -> bool:
        """Whether :meth:`compile` takes it.

        Raises:
            ApiError: the model's tokens are not known.
        """
        return len(grammar) <= _LONGEST and self._accepts(grammar)

    def is_special(self, text: str) -> bool:
        """Whether a text is one token that stands for no letters.

        Raises:
            ApiError: the model's tokens are not known.
        """
        tokens = self._find_vocabulary()
        ids = tokens.tokenize_str(text, parse_special=True)
        return len(ids) == 1 and tokens.is_special_token(ids[0])

    def _accepts_grammar(self, grammar: str) -> bool:
        return not isinstance(self._compile_grammar(grammar), str)

    def _compile_grammar(self, grammar: str) -> LLMatcher | str:
        """A matcher, or why there is none."""
        made = LLMatcher(self._find_vocabulary(), grammar, log_level=0, limits=_LIMITS)
        if not made.is_error():
            return made
        return made.get_error().splitlines()[0].split("compile JSON schema: ")[-1][:300]

    def _find_vocabulary(self) -> LLTokenizer:
        with self._lock:
            if self._vocabulary is None and not self._unread:
                try:
                    self._vocabulary = self._read()
                except ValueError as error:
                    self._unread = str(error) or "unknown"
            if self._vocabulary is None:
                raise ApiError(
                    400, "response_format and tools cannot be kept to: this model's tokenizer does "
                    f"not say which tokens there are ({self._unread}).",
                    code="unsupported_parameter",
                )  # fmt: skip
            return self._vocabulary
