"""Passes through a part of the model, for editors that ask it the same thing many times.

In every step of an optimisation the blocks below the edited layer see the same, and so do the
positions before the edited one: a :class:`Pass` runs both once, keeps what enters the first block
that matters and the keys and values of what is before, and then runs only the rest. The head is
applied at the positions that are asked about, no others.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import Cache, DynamicCache

from memedit.core.calls import LM
from memedit.core.errors import UnsupportedArchitectureError
from memedit.engine.kv import fork
from memedit.engine.tokens import pad_right

Before = Callable[[Any, Any], "Tensor | None"]
After = Callable[[Tensor, Tensor], "Tensor | None"]
_CHUNK = 2_048
"""Padded tokens in one pass that only reads."""


class Enough(Exception):
    """Everything wanted has been seen: the rest of the forward pass is not needed."""


class Pass:
    """Right-padded sequences, of which only what depends on the change is run again.

    Args:
        lm: The model.
        rows: Token ids [T] of each sequence.
        first: The first block that :meth:`run` runs; the number of layers for none.
        starts: Position in each sequence before which nothing changes: the keys and values of
            what is before are computed once. Left unused where a row starts at 0 or where the
            model's attention has a window.
        entering: [T, d] of each sequence, where it is known what enters block ``first``: the blocks
            below are not run. Not with ``starts``, and not while other threads use the model.

    Attributes:
        offset: [B] where the columns of :meth:`run` begin in each sequence.
        entering: [B, T, d] what enters block ``first``, from ``offset`` on.
        streams: The same for every block from ``first`` on.
    """

    def __init__(
        self,
        lm: LM,
        rows: Sequence[Tensor],
        *,
        first: int,
        starts: Sequence[int] | None = None,
        entering: Sequence[Tensor] | None = None,
    ) -> None:
        self.lm, self.first = lm, first
        self._blocks = [lm.sites.block(i) for i in range(first, lm.sites.layers)]
        self._calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._cache: DynamicCache | None = None
        offset = [0] * len(rows)
        # Twice the longest: beginnings and tails are padded apart, so a row may span both paddings.
        if starts is not None and min(starts) > 0 and not _has_window(lm, 2 * max(map(len, rows))):
            offset = list(starts)
        self.offset = torch.tensor(offset, device=lm.base.device)
        ids, mask = self._pad([row[o:] for row, o in zip(rows, offset, strict=True)])
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        if any(offset):
            inputs |= self._run_heads([row[:o] for row, o in zip(rows, offset, strict=True)], mask)
        known = None if entering is None else pad_sequence(list(entering), batch_first=True)
        self.streams = self._capture(inputs, known)
        self.entering = self.streams[0]

    def _pad(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        ids, mask = pad_right(rows, self.lm.codec.pad)
        return ids.to(self.lm.base.device), mask.to(self.lm.base.device)

    def _run_heads(self, rows: Sequence[Tensor], mask: Tensor) -> dict[str, Any]:
        """The beginnings run once; the inputs that let the tails go on from them."""
        ids, real = self._pad(rows)
        self._cache = DynamicCache(config=self.lm.base.config.get_text_config())

        def stop(args: Any, kwargs: Any) -> None:
            raise Enough

        with suppress(Enough), torch.no_grad():
            # Keys and values are all that is wanted: the head over the vocabulary need not run.
            with self.lm.watch(before={self.lm.sites.final_norm: stop}):
                self.lm.base(
                    input_ids=ids, attention_mask=real, use_cache=True, past_key_values=self._cache
                )
        full = torch.cat([real, mask], dim=1)
        inputs = {
            "attention_mask": full,
            "past_key_values": fork(self._cache, growing=False),
            "use_cache": True,
        }
        # Padding stands between a beginning and its tail; positions count real tokens only.
        if "position_ids" in inspect.signature(self.lm.base.forward).parameters:
            inputs["position_ids"] = (full.cumsum(-1) - 1).clamp(min=0)[:, real.shape[1] :]
        return inputs

    def _capture(self, inputs: Mapping[str, Any], known: Tensor | None) -> list[Tensor]:
        found: list[Tensor] = []

        def see(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
            hidden, rest, named = _split(args, kwargs)
            # The blocks below were passed over: what came up is not what they would give.
            if known is not None and not found:
                hidden = known
            found.append(hidden.detach())
            self._calls.append((rest, named))
            if len(self._calls) >= len(self._blocks):
                raise Enough
            return hidden

        sites = self._blocks or [self.lm.sites.final_norm]
        below = [self.lm.sites.block(i) for i in range(self.first if known is not None else 0)]
        with suppress(Enough), torch.no_grad(), self.lm.passed_over(below):
            with self.lm.watch(before=dict.fromkeys(sites, see)):
                self.lm.base(**inputs)
        return found

    def __len__(self) -> int:
        return len(self.offset)

    def run(
        self,
        rows: Tensor | None = None,
        *,
        entering: Tensor | None = None,
        before: Mapping[str, Before] | None = None,
        after: Mapping[str, After] | None = None,
        begin: int | None = None,
        last: int | None = None,
    ) -> Tensor:
        """[B', T, d] what leaves block ``last`` (default: the last of all).

        Args:
            rows: [B'] which sequences, one perhaps several times; None for all.
            entering: [B', T, d] instead of what the model itself passes to the first block run.
            before, after: As for :meth:`memedit.engine.engine.Engine.watch`.
            begin: The first block to run, from ``first`` on.
            last: The last block to run.
        """
        low = 0 if begin is None else begin - self.first
        high = None if last is None else last - self.first + 1
        hidden = entering if entering is not None else self.streams[low]
        if entering is None and rows is not None:
            hidden = hidden[rows]
        cache = self._copy_of_cache(rows)
        with self.lm.watch(before=before, after=after):
            # A block is called as the model called it, whatever masks, positions and rotary tables
            # its architecture hands down.
            calls = zip(self._blocks, self._calls, strict=False)  # the norm, where no block
            for path, call in list(calls)[low:high]:
                rest, named = _choose_rows(call, rows, len(self), cache)
                out = self.lm.base.get_submodule(path)(hidden, *rest, **named)
                hidden = out[0] if isinstance(out, tuple) else out
        return hidden

    def _copy_of_cache(self, rows: Tensor | None) -> DynamicCache | None:
        """The keys and values of the beginnings of these rows, to be gone on from."""
        if self._cache is None:
            return None
        cache = fork(self._cache, growing=False)
        if rows is not None and rows.tolist() != list(range(len(self))):
            cache.batch_select_indices(rows)
        return cache


class Seen:
    """What enters a block, kept for texts that come again: only the rest of the model is run.

    Not while other threads use the model.

    Args:
        lm: The model.
        first: The block.
        most: Texts kept.
    """

    def __init__(self, lm: LM, first: int, most: int = 8_192) -> None:
        self.lm, self.first, self.most = lm, first, most
        self._held: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()

    def __call__(self, rows: Sequence[Tensor]) -> Pass:
        """A pass over rows of token ids [T]."""
        keys = [tuple(row.tolist()) for row in rows]
        new = {k: row for k, row in zip(keys, rows, strict=True) if k not in self._held}
        if new:
            made = Pass(self.lm, list(new.values()), first=self.first)
            for i, (key, row) in enumerate(new.items()):
                self._held[key] = made.entering[i, : len(row)].clone()
        for key in keys:
            self._held.move_to_end(key)
        # Before any is let go of: one call may bring more texts than are kept.
        states = [self._held[key] for key in keys]
        while len(self._held) > self.most:
            self._held.popitem(last=False)
        return Pass(self.lm, rows, first=self.first, entering=states)


def _has_window(lm: LM, columns: int) -> bool:
    """Whether some layer sees fewer columns, so that padding would push tokens out of sight."""
    config = lm.base.config.get_text_config()
    window = getattr(config, "sliding_window", None) or 0
    return 0 < window <= columns and bool(getattr(config, "use_sliding_window", True))


def _split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Any, dict[str, Any]]:
    """(hidden states, the other positional arguments, the other named ones) of a block's call."""
    if args:
        return args[0], args[1:], dict(kwargs)
    named = dict(kwargs)
    return named.pop(next(iter(named))), (), named


def _choose_rows(value: Any, rows: Tensor | None, count: int, cache: DynamicCache | None) -> Any:
    """The rest of a block's call: every tensor with one entry per sequence cut down to ``rows``,
    and ``cache`` in place of the one that was there."""
    if isinstance(value, Cache):
        return cache
    if isinstance(value, Tensor):
        # Masks and rotary tables that all sequences share have no entry for each.
        whole = rows is None or count == 1 or value.dim() < 2 or len(value) != count
        return value if whole else value[rows]
    if isinstance(value, tuple):
        return tuple(_choose_rows(each, rows, count, cache) for each in value)
    if isinstance(value, dict):
        return {name: _choose_rows(each, rows, count, cache) for name, each in value.items()}
    return value


def log_probs(lm: LM, states: Tensor) -> Tensor:
    """[N, V] float32 log-probabilities of the next token, from what leaves the last block [N, d].

    Raises:
        UnsupportedArchitectureError: the model does more after its last block than a norm, a head
            and a soft cap.
    """
    _check_tail(lm)
    return _apply_head(lm, states).log_softmax(-1)


def _apply_head(lm: LM, states: Tensor) -> Tensor:
    normed = lm.base.get_submodule(lm.sites.final_norm)(states)
    logits: Tensor = lm.base.get_output_embeddings()(normed).float()
    cap = getattr(lm.base.config.get_text_config(), "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def _check_tail(lm: LM) -> None:
    """See once that norm and head give the model's own logits."""
    if ("tail", lm.fingerprint) in lm.kept:
        return
    # Any tokens will do, but the first ids, which are often special ones.
    rows = [torch.arange(3) + 4]
    with torch.no_grad():
        one = Pass(lm, rows, first=lm.sites.layers)
        ours = _apply_head(lm, one.entering[0])
        theirs = lm.base(input_ids=rows[0][None].to(lm.base.device), use_cache=False).logits[0]
    scale = theirs.float().abs().max().clamp(min=1e-6)
    # Wide enough for the rounding of a head in half precision; another step changes far more.
    if (ours - theirs.float()).abs().max() > 0.02 * scale:
        raise UnsupportedArchitectureError(
            "The logits of this model are not those of its final norm and head.",
            hint="Its architecture has a step after the last block that memedit does not know; "
            "use ike, serac or grace.",
        )
    lm.kept["tail", lm.fingerprint] = True


def observe(
    lm: LM, rows: Sequence[Tensor], columns: Sequence[int], sites: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    """(input [B, d_in], output [B, d_out]) of modules, each sequence at one column; no gradient.

    The pass ends at the last of the modules.

    Args:
        lm: The model.
        rows: Token ids [T] of each sequence.
        columns: The position read in each.
        sites: Paths of modules, in the order in which the model runs them.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {site: [] for site in sites}
    left = list(order)
    while left:
        # The longest first, and of like length together: the first of a chunk says how many fit.
        chunk = [left.pop() for _ in range(min(len(left), max(1, _CHUNK // len(rows[left[-1]]))))]
        seen = _observe(lm, [rows[i] for i in chunk], [columns[i] for i in chunk], sites)
        for site, pair in seen.items():
            parts[site].append(pair)
    back = torch.tensor(order[::-1]).argsort()
    return {
        site: (torch.cat([x for x, _ in pairs])[back], torch.cat([y for _, y in pairs])[back])
        for site, pairs in parts.items()
    }


def _observe(
    lm: LM, rows: Sequence[Tensor], columns: Sequence[int], sites: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    ids, mask = (t.to(lm.base.device) for t in pad_right(rows, lm.codec.pad))
    at = torch.arange(len(rows), device=ids.device)
    column = torch.tensor(columns, device=ids.device)
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def reader(site: str) -> After:
        def read(x: Tensor, y: Tensor) -> None:
            seen[site] = (x[at, column].detach().float(), y[at, column].detach().float())
            if len(seen) == len(sites):
                raise Enough

        return read

    with suppress(Enough), torch.no_grad():
        with lm.watch(after={site: reader(site) for site in sites}):
            lm.base(input_ids=ids, attention_mask=mask, use_cache=False)
    return seen
