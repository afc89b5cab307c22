"""Texts that grow in rounds: the model writes a part, somebody adds to it, the model goes on.

The keys and values of all that was read are kept, so that a round costs what is new. Rows grow at
their own pace: what one row has not written stays a masked hole among its columns, and positions
count real tokens only, so a row is the same alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from memedit.engine.prefixes import Prefixes
from memedit.engine.tokens import Codec, pad_left

_TAIL = 24
"""Last tokens that are searched for a stop."""


class Transcript:
    """Rows that begin alike; see :meth:`memedit.engine.engine.Engine.transcript`.

    Args:
        base: The model that goes on with them.
        codec: Of its tokenizer.
        prefixes: Of the model.
        prefix: How every row begins.
        rows: Their number.
        ends: The tokens at which a text ends, and the padding behind them.
        reuse: Keep keys and values; else every round reads all again. None: where the model allows.
    """

    def __init__(
        self,
        base: Any,
        codec: Codec,
        prefixes: Prefixes,
        prefix: str,
        rows: int,
        *,
        ends: frozenset[int],
        reuse: bool | None = None,
    ) -> None:
        self._base, self._codec, self._prefixes, self._ends = base, codec, prefixes, ends
        # Holes among the columns would use up a sliding window.
        self._reuse = not prefixes.sliding if reuse is None else reuse
        begin = codec.ids(prefix, special=True).tolist()
        self._pending: list[list[int]] = [[] if self._reuse else list(begin) for _ in range(rows)]
        self._live = list(range(rows))
        self._cache: Any = None
        self._mask = torch.zeros((rows, 0), dtype=torch.long)
        if self._reuse:
            length, self._cache = prefixes.take(prefix, rows, growing=True)
            self._mask = torch.ones((rows, length), dtype=torch.long)

    def say(self, row: int, text: str) -> None:
        """Add to a row; the model reads it when it goes on."""
        self._pending[row] += self._codec.ids(text).tolist()

    def go_on(self, rows: Sequence[int], *, stop: Sequence[str], tokens: int) -> list[str]:
        """What the model adds to each of ``rows``, greedily: one batched call.

        A row ends at the first of the texts in ``stop``, which is part of it, at the end of the
        text, or after ``tokens`` tokens. Rows left out are done for good.

        Raises:
            ContextOverflowError: a row exceeds the model's window.
        """
        if not rows:
            return []
        self._keep(rows)
        base, pad = self._base, self._codec.pad
        ids, mask = pad_left([torch.tensor(self._pending[i], dtype=torch.long) for i in rows], pad)
        full = torch.cat([self._mask, mask], dim=1)
        # The holes count: they are columns of the cache.
        self._prefixes.check_window(full.shape[1] + tokens)
        options: dict[str, Any] = {"past_key_values": self._cache} if self._reuse else {}
        out = base.generate(
            input_ids=ids.to(base.device),
            attention_mask=full.to(base.device),
            max_new_tokens=tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # a transcript repeats its form in every round
            pad_token_id=pad,
            stopping_criteria=StoppingCriteriaList([_StopText(self._codec, ids.shape[1], stop)]),
            **options,
        )
        new = out[:, ids.shape[1] :].cpu()
        kept = [self._cut_written(line, stop) for line in new.tolist()]
        self._remember(full, new, kept)
        return [self._codec.text(torch.tensor(line, dtype=torch.long)) for line in kept]

    def _keep(self, rows: Sequence[int]) -> None:
        if list(rows) == self._live:
            return
        chosen = torch.tensor([self._live.index(i) for i in rows])
        self._mask = self._mask[chosen]
        if self._cache is not None:
            self._cache.batch_select_indices(chosen.to(self._base.device))
        self._live = list(rows)

    def _remember(self, full: Tensor, new: Tensor, kept: Sequence[Sequence[int]]) -> None:
        """What was read and written; the last token of a call is written, but not read yet."""
        if not self._reuse:
            for i, line in zip(self._live, kept, strict=True):
                self._pending[i] += line
            return
        read = new.shape[1] - 1
        seen = torch.zeros((len(kept), read), dtype=torch.long)
        for n, (i, line) in enumerate(zip(self._live, kept, strict=True)):
            seen[n, : min(len(line), read)] = 1
            self._pending[i] = list(line[read:])
        self._mask = torch.cat([full, seen], dim=1)

    def _cut_written(self, line: Sequence[int], stop: Sequence[str]) -> list[int]:
        """A row's tokens up to its first stop, without what ends the text and the padding."""
        cut = next((n for n, token in enumerate(line) if token in self._ends), len(line))
        # Token by token, as the criterion saw them: the first stop counts.
        for n in range(1, cut + 1):
            tail = self._codec.text(torch.tensor(line[max(0, n - _TAIL) : n]))
            if any(text in tail for text in stop):
                return list(line[:n])
        return list(line[:cut])


class _StopText(StoppingCriteria):
    """A row is done when the last tokens it was given hold one of the texts."""

    def __init__(self, codec: Codec, width: int, stop: Sequence[str]) -> None:
        self._codec, self._width, self._stop = codec, width, tuple(stop)

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Tensor:
        # Nothing of the prompt: its worked examples hold the same stops.
        new = input_ids[:, max(self._width, input_ids.shape[1] - _TAIL) :].cpu()
        done = [any(s in self._codec.text(row) for s in self._stop) for row in new]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)
