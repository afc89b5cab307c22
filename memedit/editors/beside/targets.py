"""What the editors share that put something beside a layer: GRACE, T-Patcher, CaliNET, WISE, MELO.

Their payloads name the module they stand at: ``<site>/key``, ``<site>/k``, ... as those of the
editors of weights do. They are trained on prompts with targets, the base frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch
from memedit.core.errors import InvalidEditError, UnsupportedArchitectureError
from memedit.core.progress import report
from memedit.editors._sequences import Sequenced, places_of
from memedit.engine.passes import Pass, log_probs

After = Callable[[Tensor, Tensor], "Tensor | None"]
_TOKENS = 1_024
"""Padded tokens of the rows that are trained side by side."""


def sites(batch: Batch, editor: str, leaf: str) -> list[str]:
    """The modules that the batch's payloads have ``<site>/<leaf>`` for, in order of appearance."""
    found = {
        key[: -len(leaf) - 1]: None
        for row in batch.rows
        for hit in row.decision.hits
        for key in hit.record.payloads.get(editor, {})
        if key.endswith(f"/{leaf}")
    }
    return list(found)


def chunk_rows(rows: Sequence[Sequenced], tokens: int = _TOKENS) -> Iterator[slice]:
    """Slices of rows, each of at most so many padded tokens (or of one row).

    Asked for the next, it reports the rows before it as done.
    """
    start, width = 0, 0
    for i, row in enumerate(rows):
        wider = max(width, len(row.ids))
        if i > start and wider * (i + 1 - start) > tokens:
            yield slice(start, i)
            report(i)
            start, wider = i, len(row.ids)
        width = wider
    if rows:
        yield slice(start, len(rows))
        report(len(rows))


def feed_forward(lm: LM, layer: int) -> str:
    """The feed-forward module of a layer.

    Raises:
        UnsupportedArchitectureError: its architecture has none (OPT).
    """
    site = lm.sites.mlp(layer)
    if site is None:
        raise UnsupportedArchitectureError(
            "This model's layers have no feed-forward module to stand beside.",
            hint="Use grace, rome or ike.",
        )
    return site


def check_apart(rows: Sequence[Sequenced], prompts: Sequence[str], method: str) -> None:
    """See that no prompt's last token is its first.

    Raises:
        InvalidEditError: one is; there, many models keep the same state whatever the token says.
    """
    for row, prompt in zip(rows, prompts, strict=True):
        if row.start == 0:
            raise InvalidEditError(
                f"{method} cannot key {prompt!r}: its last token is also its first.",
                hint="Write the prompt out.",
            )


class Targets:
    """Prompts with targets, run up to a layer, of which only the rest is run again.

    Args:
        lm: The model.
        rows: Prompts with targets.
        first: The first block that is run again.
        whole: What is put in acts at all positions; else only from where the target begins.

    Attributes:
        row, column, token: [N] of each target token: its row, the column from which it is
            predicted (in what runs again), and what it is.
        start: [B] the column of each prompt's last token.
    """

    def __init__(
        self, lm: LM, rows: Sequence[Sequenced], *, first: int, whole: bool = False
    ) -> None:
        starts = None if whole else [row.start for row in rows]
        self.lm = lm
        self.passing = Pass(lm, [row.ids for row in rows], first=first, starts=starts)
        device = self.passing.entering.device
        self.row, place, self.token = places_of(rows).to(device)
        self.column = place - self.passing.offset[self.row]
        self.start = torch.tensor([r.start for r in rows], device=device) - self.passing.offset

    def __len__(self) -> int:
        return len(self.passing)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.row.device
        return device

    def logs(self, after: dict[str, After], rows: Tensor | None = None) -> Tensor:
        """[N', V] log-probabilities at the target tokens of these rows [B'] (ascending), or all.

        ``after`` acts on tensors of the chosen rows.
        """
        hidden = self.passing.run(rows, after=after)
        if rows is None:
            return log_probs(self.lm, hidden[self.row, self.column])
        mine = self.of(rows)
        # The place of each token's row among the rows that were run.
        row = torch.searchsorted(rows, self.row[mine])
        return log_probs(self.lm, hidden[row, self.column[mine]])

    def of(self, rows: Tensor) -> Tensor:
        """[N] which target tokens are of these rows."""
        return torch.isin(self.row, rows)

    def mean(self, values: Tensor, rows: Tensor | None = None) -> Tensor:
        """[B'] the mean of each row's values [N']."""
        owner, count = self.row, len(self)
        if rows is not None:
            owner, count = torch.searchsorted(rows, owner[self.of(rows)]), len(rows)
        total = torch.zeros(count, device=values.device).index_add(0, owner, values)
        return total / torch.bincount(owner, minlength=count)

    def nll(self, after: dict[str, After]) -> Tensor:
        """[B] mean over each row's target tokens of -log p."""
        return self.mean(-self.logs(after).gather(-1, self.token[:, None])[:, 0])


def to_cpu(value: Tensor) -> Tensor:
    """A tensor as payloads hold it."""
    return value.detach().float().cpu().contiguous().clone()
