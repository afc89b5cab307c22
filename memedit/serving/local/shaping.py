"""What an answer may look like: JSON of a schema, a tool's call. Other tokens are forbidden.

llguidance (https://github.com/guidance-ai/llguidance) says which tokens can come next.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor

from memedit.serving.errors import ApiError
from memedit.serving.local.compiled import SMALLEST, Compilations, Compiled
from memedit.serving.local.sizing import Verdict, is_small, judge_apart
from memedit.serving.local.sizing_worker import LIMITS, error_of
from memedit.serving.local.turns import Asker, CrowdedError, Turns

log = logging.getLogger(__name__)
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Where blanks are free, a small model may never come to an end of them."""
_LONGEST = 1_000_000
"""Characters of a grammar."""
_TOO_LONG = f"it is longer than {_LONGEST:,} characters"
_KEPT = 1_024
"""Grammars that were judged, of which the verdict is kept."""
_WAITING = 8
"""Requests whose grammars are compiled, or wait to be: each holds one of the server's threads."""


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
        made: Its grammar.
        kept: Where that is kept; told what answers make of it.
    """

    made: Compiled
    kept: Compilations

    def begin(self) -> Shaped:
        return Shaped(self)


class Shaped:
    """How far one answer is in its shape."""

    def __init__(self, shape: Shape) -> None:
        self._shape, self._matcher = shape, shape.made.begun.deep_copy()

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
        self._shape.kept.grow(self._shape.made)
        if self._matcher.consume_token(token) and not self._matcher.is_stopped():
            return None
        return self.end()

    def end(self) -> str:
        """Why an answer that ends here does: a matcher that cannot go on has it end, too."""
        if self._matcher.is_error():
            # What is there is no whole answer: as if there had been no room for the rest.
            log.warning("A response format cannot go on: %s", self._matcher.get_error()[:200])
            # Where it has grown too large, so it has for every other answer.
            self._shape.kept.give_up(self._shape.made)
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
        self._kept = Compilations()
        self._judged: dict[bytes, Verdict] = {}
        self._turns = Turns(_WAITING)

    def compile(
        self, grammar: str, param: str, *, parts: Sequence[str] = (), asker: Asker = ()
    ) -> Shape:
        """A shape from a grammar in llguidance's dialect of Lark.

        Args:
            grammar: With a rule ``start``.
            param: The request's field it comes from, for the error.
            parts: Grammars it is put together from, which :meth:`judge` found small enough.
            asker: Whose it is.

        Raises:
            ApiError: it cannot be kept to: the schema asks for what is not supported, or is too
                large; too many others wait for theirs.
        """
        if len(grammar) > _LONGEST:
            raise refuse(param, _TOO_LONG)
        if (kept := self._kept.find(grammar)) is not None:
            return Shape(kept, self._kept)
        if not parts and not is_small(grammar) and (why := self.judge([grammar], asker)[0]):
            raise refuse(param, why)
        found = self._compile_grammar(grammar)
        if isinstance(found, str):
            raise refuse(param, found)
        made = Compiled(found, self._measure(parts or [grammar]))
        self._kept.keep(grammar, made)
        return Shape(made, self._kept)

    def judge(self, grammars: Sequence[str], asker: Asker = ()) -> list[str]:
        """Why :meth:`compile` does not take each of them; "" where it does.

        Raises:
            ApiError: the model's tokens are not known; too many others wait for theirs.
        """
        self._find_vocabulary()
        # Of its own: the many tools of one request must not drive whole grammars out.
        keys = {grammar: _key(grammar) for grammar in grammars}
        found = {g: told for g in keys if (told := self._judged.get(keys[g])) is not None}
        new = [grammar for grammar in keys if grammar not in found]
        found |= {g: self._judge_small(g) for g in new if len(g) > _LONGEST or is_small(g)}
        if large := [grammar for grammar in new if grammar not in found]:
            with self._taking_turns(asker):
                found |= zip(large, judge_apart(large), strict=True)
        self._judged |= {keys[grammar]: found[grammar] for grammar in new}
        for key in list(self._judged)[:-_KEPT]:
            self._judged.pop(key, None)
        return [found[grammar].why for grammar in grammars]

    def _judge_small(self, grammar: str) -> Verdict:
        if len(grammar) > _LONGEST:
            return Verdict(_TOO_LONG)
        made = self._compile_grammar(grammar)
        return Verdict(made if isinstance(made, str) else "")

    def _measure(self, parts: Sequence[str]) -> int:
        """Bytes of a grammar of these parts, as far as they were measured."""
        told = [self._judged.get(_key(part)) for part in parts]
        return SMALLEST + sum(each.size for each in told if each is not None)

    @contextmanager
    def _taking_turns(self, asker: Asker) -> Iterator[None]:
        """One request's grammars after the other's, so that a processor is left for the rest."""
        try:
            with self._turns.take(asker):
                yield
        except CrowdedError:
            raise ApiError(
                503, "Too many schemas wait to be compiled already; try again shortly.",
                code="overloaded", headers={"Retry-After": "1"},
            ) from None  # fmt: skip

    def is_special(self, text: str) -> bool:
        """Whether a text is one token that stands for no letters.

        Raises:
            ApiError: the model's tokens are not known.
        """
        tokens = self._find_vocabulary()
        ids = tokens.tokenize_str(text, parse_special=True)
        return len(ids) == 1 and tokens.is_special_token(ids[0])

    def _compile_grammar(self, grammar: str) -> LLMatcher | str:
        """A matcher, or why there is none."""
        made = LLMatcher(self._find_vocabulary(), grammar, log_level=0, limits=LIMITS)
        return error_of(made) or made

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


def _key(grammar: str) -> bytes:
    return sha256(grammar.encode()).digest()


def refuse(param: str, why: str) -> ApiError:
    """The error that a field of a request cannot be kept to."""
    return ApiError(400, f"{param} cannot be kept to: {why}", param=param, code="invalid_value")
