"""One generation for many requests: each row has its own temperature, seed, form, stops and end.

``generate`` runs greedily. A first logits processor reads the model's own scores and forbids what
a row's form does not allow; a last one chooses for the rows that sample, each with a generator of
its own, so a seed gives the same answer whatever else is in the batch; a stopping criterion hears
every token, passes it on, and ends rows one by one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from memedit.serving.local.shaping import Shape

_MOST = 1 << 63  # where torch's seeds end
_LEAST = -9999.0  # OpenAI's word for a log probability that is next to minus infinity
_COLDEST = 1e-5  # a temperature below it divides to infinity, and is greedy all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one request wants its answers; names and ranges are OpenAI's.

    Attributes:
        max_tokens: Longest answer, in tokens.
        stop: The answer ends before the first of these.
        seed: None: random.
        logit_bias: Token id -> added to its logit.
        n: Answers wanted.
        shape: What the answer may look like; None: anything.
        logprobs: How many alternatives are told with each token's log probability; None: neither.
        special: Special tokens show in the text.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    n: int = 1
    shape: Shape | None = None
    logprobs: int | None = None
    special: bool = False

    @property
    def steers(self) -> bool:
        """Whether the highest logit is not simply taken."""
        penalties = self.presence_penalty or self.frequency_penalty or self.logit_bias
        return self.temperature > 0 or bool(penalties)


@dataclass(frozen=True, slots=True)
class Scored:
    """A token of an answer, and what the model gave it.

    Attributes:
        token: Its id.
        logprob: Natural log of its probability, before temperature, bias, penalties and form.
        top: The likeliest tokens in its place, likeliest first, with theirs.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What an answer grew by.

    Attributes:
        finish: Why it ended; None: it goes on.
        scored: The tokens of ``text``, where their scores were asked for.
    """

    text: str = ""
    finish: str | None = None
    scored: tuple[Scored, ...] = ()


class Detokenizer:
    """Tokens to text piece by piece; what is half a character waits for its other half."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._start = self._read = 0

    def add(self, token: int) -> str:
        """The text this token completes."""
        self._tokens.append(token)
        whole = self._decode(self._tokens[self._start :])
        if whole.endswith("\ufffd"):
            return ""
        return self._take_new(whole)

    def rest(self) -> str:
        """What is left at the end: characters that stayed incomplete."""
        return self._take_new(self._decode(self._tokens[self._start :]))

    def _take_new(self, whole: str) -> str:
        known = self._decode(self._tokens[self._start : self._read])
        self._start, self._read = self._read, len(self._tokens)
        return whole[len(known) :]


class StopText:
    """Text up to the first stop string; what may be the beginning of one is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def add(self, piece: str) -> str:
        """What may now be shown."""
        if self.stopped:
            return ""
        text = self._held + piece
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` with which ``stop`` begins."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


class Generation:
    """One answer in the making.

    Args:
        index: Which of the request's answers.
        sampling: What was asked for.
        decode: Tokens to text.
        heard: Told (index, piece) as the answer grows.
        gone: Whether nobody waits for it any more.
    """

    def __init__(
        self,
        index: int,
        sampling: Sampling,
        decode: Callable[[Sequence[int]], str],
        heard: Callable[[int, Piece], None],
        gone: Callable[[], bool],
    ) -> None:
        self.index, self.sampling = index, sampling
        self.tokens: list[int] = []
        self.finish: str | None = None
        self.trim = False
        self._heard, self._gone = heard, gone
        self._detokenizer, self._stop = Detokenizer(decode), StopText(sampling.stop)
        self._generator: torch.Generator | None = None
        self._shaped = None if sampling.shape is None else sampling.shape.begin()
        self._seen: Tensor | None = None
        self._scored: list[Scored] = []

    @property
    def watched(self) -> bool:
        """Whether the model's own scores are read, or tokens forbidden."""
        return self._shaped is not None or self.sampling.logprobs is not None

    def look(self, scores: Tensor) -> Tensor:
        """The model's own logits [V] of the next token, less what the form does not allow."""
        if self.sampling.logprobs is not None:
            self._seen = scores.float().log_softmax(-1)
        return scores if self._shaped is None else self._shaped.mask(scores)

    def push(self, token: int, ends: frozenset[int]) -> bool:
        """Take one more token; whether the answer is complete."""
        if self.finish is not None:
            return True
        if self._gone():
            self.finish = "cancelled"
            return True
        if token in ends:
            # Where a form cannot go on, nothing but an end is allowed.
            return self._end("stop" if self._shaped is None else self._shaped.end())
        self.tokens.append(token)
        self._rate(token)
        self._show(self._detokenizer.add(token))
        if self._stop.stopped:
            return self._end("stop")
        if self._shaped is not None and (reason := self._shaped.take(token)):
            return self._end(reason)
        if len(self.tokens) >= self.sampling.max_tokens:
            return self._end("length")
        return False

    def close(self, reason: str) -> None:
        """The generation is over, whatever was heard of it."""
        if self.finish is None:
            self._end(reason)

    def _end(self, reason: str) -> bool:
        if not self._stop.stopped:
            self._show(self._detokenizer.rest())
            reason = "stop" if self._stop.stopped else reason
            self._show_text(self._stop.rest())
        self.finish = reason
        scored = () if self._stop.stopped else tuple(self._scored)
        self._heard(self.index, Piece("", reason, scored))
        return True

    def _rate(self, token: int) -> None:
        """Keep what the model gave a token, until its text is shown."""
        if self.sampling.logprobs is None or self._seen is None:
            return
        likely, self._seen = self._seen, None
        top = likely.topk(min(self.sampling.logprobs, len(likely)))
        ids, values = top.indices.tolist(), top.values.tolist()
        told = tuple((i, v) for i, v in zip(ids, values, strict=True) if v > -float("inf"))
        # What came without a score (by a rule of an editor's) has the least that JSON can say.
        self._scored.append(Scored(token, max(float(likely[token]), _LEAST), told))

    def _show(self, piece: str) -> None:
        self._show_text(self._stop.add(piece))

    def _show_text(self, text: str) -> None:
        if self.trim:
            text = text.lstrip()
        if text:
            self.trim = False
            scored, self._scored = tuple(self._scored), []
            self._heard(self.index, Piece(text, None, scored))

    def choose(self, scores: Tensor) -> Tensor:
        """Logits [V] as they shall be compared: only the chosen token's is finite if it samples."""
        wanted = self.sampling
        scores = self._penalise(scores.float())
        if wanted.temperature <= 0:
            return scores
        # Less the highest, so that a small temperature divides it to 0, and the others to less.
        scaled = (scores - scores.max()) / max(wanted.temperature, _COLDEST)
        # On the CPU a seed draws the same tokens on every machine.
        probabilities = _nucleus(scaled.softmax(-1).cpu(), wanted.top_p)
        token = torch.multinomial(probabilities, 1, generator=self._random())
        chosen = torch.full_like(scores, -float("inf"))
        chosen[int(token)] = 0.0
        return chosen

    def _penalise(self, scores: Tensor) -> Tensor:
        wanted = self.sampling
        if self.tokens and (wanted.presence_penalty or wanted.frequency_penalty):
            counts = torch.bincount(torch.tensor(self.tokens), minlength=len(scores))
            # A tokenizer may have more tokens than the model's head.
            counts = counts[: len(scores)].to(scores)
            scores = scores - wanted.frequency_penalty * counts
            scores = scores - wanted.presence_penalty * (counts > 0)
        if wanted.logit_bias:
            scores = scores.clone()
            for token, bias in wanted.logit_bias.items():
                if token < len(scores):
                    scores[token] += bias
        return scores

    def _random(self) -> torch.Generator:
        if self._generator is None:
            seed = self.sampling.seed
            start = int.from_bytes(os.urandom(7), "big") if seed is None else seed
            # Each of several answers its own stream, and the same whatever else is in the batch.
            self._generator = torch.Generator().manual_seed((start + self.index) % _MOST)
        return self._generator


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The most likely tokens that together reach ``top_p``, of [V] probabilities."""
    if top_p >= 1:
        return probabilities
    ordered, which = probabilities.sort(descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    beyond[0] = False  # the most likely one stays, however small top_p is
    ordered[beyond] = 0
    return torch.zeros_like(probabilities).scatter_(0, which, ordered)


class Chooser(LogitsProcessor):
    """Lets every row of a batch choose its token.

    Args:
        rows: One per tensor row.
        not_first: Tokens that may not come first: where an editor ends its form, an answer must
            have begun.
    """

    def __init__(self, rows: Sequence[Generation], not_first: Sequence[int] = ()) -> None:
        self.rows, self.not_first = rows, list(not_first)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        out = scores.clone()
        for i, row in enumerate(self.rows):
            if row.finish is not None or not row.sampling.steers:
                continue
            own = scores[i]
            if self.not_first and not row.tokens:
                own = own.clone()
                own[self.not_first] = -float("inf")
            out[i] = row.choose(own).to(out.dtype)
        return out


class Watcher(LogitsProcessor):
    """Shows the rows that want them the model's own scores, and takes away what they may not say.

    Args:
        rows: One per tensor row.

    Attributes:
        first: To the engine: before anything that holds an answer to an edit's words.
    """

    first: ClassVar[bool] = True

    def __init__(self, rows: Sequence[Generation]) -> None:
        self.rows = rows

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        out = scores
        for i, row in enumerate(self.rows):
            if row.finish is None and row.watched:
                own = scores[i]
                allowed = row.look(own)
                if allowed is not own:
                    out = out.clone() if out is scores else out
                    out[i] = allowed
        return out


class Listener(StoppingCriteria):
    """Hands every new token to its row; True [B] where a row is complete.

    Attributes:
        first: When the first tokens came (``perf_counter``); None: not yet.
    """

    def __init__(self, rows: Sequence[Generation], ends: frozenset[int]) -> None:
        self.rows, self.ends = rows, ends
        self.first: float | None = None

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        if self.first is None:
            self.first = time.perf_counter()
        tokens = input_ids[:, -1].tolist()
        done = [row.push(t, self.ends) for row, t in zip(self.rows, tokens, strict=True)]
        return torch.tensor(done, device=input_ids.device)


class Leaver(StoppingCriteria):
    """Ends rows that nobody waits for any more: True [B].

    Args:
        gone: One per tensor row: whether it is so.
    """

    def __init__(self, gone: Sequence[Callable[[], bool]]) -> None:
        self._gone = tuple(gone)

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        return torch.tensor([gone() for gone in self._gone], device=input_ids.device)
