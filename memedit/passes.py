"""Passes through a part of the model, for editors that ask it the same thing many times.

The blocks below the edited layer see the same tokens in every step of an optimisation: a
:class:`Pass` runs them once, keeps what enters the first block that matters, and then runs only
what is above. The head is applied at the positions that are asked about, no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from memedit.errors import UnsupportedArchitectureError
from memedit.protocols import LM
from memedit.tokens import right_pad

Before = Callable[[Any, Any], "Tensor | None"]
After = Callable[[Tensor, Tensor], "Tensor | None"]
_CHUNK = 2_048
"""Padded tokens in one pass that only reads."""


class Enough(Exception):
    """Everything wanted has been seen: the rest of the forward pass is not needed."""


class Pass:
    """Right-padded sequences, the blocks below ``first`` run once.

    Args:
        lm: The model.
        rows: Token ids [T] of each sequence.
        first: The first block that :meth:`run` runs; the number of layers for none.

    Attributes:
        entering: [B, T, d] what enters block ``first``.
        mask: [B, T] bool, True at real tokens.
    """

    def __init__(self, lm: LM, rows: Sequence[Tensor], *, first: int) -> None:
        self.lm, self.first = lm, first
        ids, mask = right_pad(rows, lm.codec.pad)
        device = lm.base.device
        self.mask = mask.bool().to(device)
        self._calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._blocks = [lm.sites.block(i) for i in range(first, lm.sites.layers)]
        self.entering = self._capture(ids.to(device), mask.to(device))

    def _capture(self, ids: Tensor, mask: Tensor) -> Tensor:
        found: list[Tensor] = []

        def see(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            hidden, rest, named = _split(args, kwargs)
            if not found:
                found.append(hidden.detach())
            self._calls.append((rest, named))
            if len(self._calls) >= len(self._blocks):
                raise Enough

        sites = self._blocks or [self.lm.sites.final_norm]
        try:
            with torch.no_grad(), self.lm.watch(before=dict.fromkeys(sites, see)):
                self.lm.base(input_ids=ids, attention_mask=mask, use_cache=False)
        except Enough:
            pass
        return found[0]

    def __len__(self) -> int:
        return len(self.mask)

    def run(
        self,
        rows: Tensor | None = None,
        *,
        entering: Tensor | None = None,
        before: Mapping[str, Before] | None = None,
        after: Mapping[str, After] | None = None,
        last: int | None = None,
    ) -> Tensor:
        """[B', T, d] what leaves block ``last`` (default: the last of all).

        Args:
            rows: [B'] which sequences; None for all.
            entering: [B', T, d] instead of what the model itself passes to block ``first``.
            before, after: As for :meth:`memedit.engine.Engine.watch`.
            last: The last block to run.
        """
        hidden = entering if entering is not None else self.entering
        if entering is None and rows is not None:
            hidden = hidden[rows]
        count = None if last is None else last - self.first + 1
        with self.lm.watch(before=before, after=after):
            calls = zip(self._blocks, self._calls, strict=True)
            for path, (rest, named) in list(calls)[:count]:
                chosen = _chosen((rest, named), rows, len(self))
                out = self.lm.base.get_submodule(path)(hidden, *chosen[0], **chosen[1])
                hidden = out[0] if isinstance(out, tuple) else out
        return hidden


def _split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Any, dict[str, Any]]:
    """(hidden states, the other positional arguments, the other named ones) of a block's call."""
    if args:
        return args[0], args[1:], dict(kwargs)
    named = dict(kwargs)
    return named.pop(next(iter(named))), (), named


def _chosen(value: Any, rows: Tensor | None, count: int) -> Any:
    """``value`` with every tensor that has one entry per sequence cut down to ``rows``."""
    if rows is None or count == 1:
        return value
    if isinstance(value, Tensor):
        return value[rows] if value.dim() > 1 and len(value) == count else value
    if isinstance(value, tuple):
        return tuple(_chosen(each, rows, count) for each in value)
    if isinstance(value, dict):
        return {name: _chosen(each, rows, count) for name, each in value.items()}
    return value


def log_probs(lm: LM, states: Tensor) -> Tensor:
    """[N, V] float32 log-probabilities of the next token, from what leaves the last block [N, d].

    Raises:
        UnsupportedArchitectureError: the model does more after its last block than a norm, a head
            and a soft cap.
    """
    _check_tail(lm)
    return _tail(lm, states).log_softmax(-1)


def _tail(lm: LM, states: Tensor) -> Tensor:
    normed = lm.base.get_submodule(lm.sites.final_norm)(states)
    logits: Tensor = lm.base.get_output_embeddings()(normed).float()
    cap = getattr(lm.base.config.get_text_config(), "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def _check_tail(lm: LM) -> None:
    """See once that norm and head give the model's own logits."""
    if ("tail", lm.fingerprint) in lm.kept:
        return
    rows = [torch.arange(3) + 4]
    with torch.no_grad():
        one = Pass(lm, rows, first=lm.sites.layers)
        ours = _tail(lm, one.entering[0])
        theirs = lm.base(input_ids=rows[0][None].to(lm.base.device), use_cache=False).logits[0]
    scale = theirs.float().abs().max().clamp(min=1e-6)
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
    while_left = list(order)
    while while_left:
        width = len(rows[while_left[-1]])
        chunk = [while_left.pop() for _ in range(min(len(while_left), max(1, _CHUNK // width)))]
        for site, pair in _observe(
            lm, [rows[i] for i in chunk], [columns[i] for i in chunk], sites
        ).items():
            parts[site].append(pair)
    back = torch.tensor(order[::-1]).argsort()
    return {
        site: (torch.cat([x for x, _ in pairs])[back], torch.cat([y for _, y in pairs])[back])
        for site, pairs in parts.items()
    }


def _observe(
    lm: LM, rows: Sequence[Tensor], columns: Sequence[int], sites: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    ids, mask = (t.to(lm.base.device) for t in right_pad(rows, lm.codec.pad))
    at = torch.arange(len(rows), device=ids.device)
    column = torch.tensor(columns, device=ids.device)
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def reader(site: str) -> After:
        def read(x: Tensor, y: Tensor) -> None:
            seen[site] = (x[at, column].detach().float(), y[at, column].detach().float())
            if len(seen) == len(sites):
                raise Enough

        return read

    try:
        with torch.no_grad(), lm.watch(after={site: reader(site) for site in sites}):
            lm.base(input_ids=ids, attention_mask=mask, use_cache=False)
    except Enough:
        pass
    return seen
