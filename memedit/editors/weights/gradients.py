"""The factors of an edit's gradient: what a linear module reads, and what its output should do.

For a module with input x_t and output gradient d_t at every token, the gradient of the loss with
respect to its weight is the sum of ``d_t x_t^T``. UltraEdit, MEND and KE work on these factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from memedit.editors._sequences import Sequenced, places_of
from memedit.engine.passes import Pass, log_probs


@dataclass(frozen=True, slots=True)
class Factors:
    """One module's factors at n tokens.

    Attributes:
        inputs: [n, d_in].
        gradients: [n, d_out] of the loss, a mean over the targets' tokens.
        row: [n] which sequence each token is of.
    """

    inputs: Tensor
    gradients: Tensor
    row: Tensor


def factors(
    passing: Pass, rows: Sequence[Sequenced], sites: Sequence[str], *, answers: bool
) -> tuple[dict[str, Factors], Tensor]:
    """(the factors of every module, [n] NLL of every target token).

    Args:
        passing: Over the rows, from the lowest block that holds one of the modules.
        rows: Prompts with targets; the loss is the mean NLL of all their targets' tokens.
        sites: Paths of linear modules.
        answers: Only at the positions from which a target's token is predicted; else at all.
    """
    device = passing.entering.device
    which, column, token = places_of(rows).to(device)
    inputs: dict[str, Tensor] = {}
    nudges: dict[str, Tensor] = {}

    def make_nudge(site: str) -> Callable[[Tensor, Tensor], Tensor]:
        def change(x: Tensor, y: Tensor) -> Tensor:
            inputs[site] = x.detach()
            # The gradient of a zero that is added is that of the output, and no weight needs one.
            nudges[site] = torch.zeros_like(y, dtype=torch.float32, requires_grad=True)
            return y + nudges[site].to(y.dtype)

        return change

    with torch.enable_grad():
        hidden = passing.run(after={site: make_nudge(site) for site in sites})
        logs = log_probs(passing.lm, hidden[which, column])
        nll = -logs.gather(-1, token[:, None])[:, 0]
        gradients = torch.autograd.grad(nll.mean(), [nudges[site] for site in sites])
    at = (which, column)
    if not answers:
        lengths = torch.tensor([len(row.ids) for row in rows], device=device)
        real = torch.arange(hidden.shape[1], device=device)[None] < lengths[:, None]
        at = tuple(real.nonzero().T)
    found = {
        site: Factors(inputs[site][at].float().cpu(), gradient[at].float().cpu(), at[0].cpu())
        for site, gradient in zip(sites, gradients, strict=True)
    }
    return found, nll.detach().cpu()
