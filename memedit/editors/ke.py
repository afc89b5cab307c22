"""KE: KnowledgeEditor (De Cao et al. 2021, arXiv 2104.08164).

A network reads the edit as text, "{old answer} >> {new answer} || {prompt}", and emits for every
weight matrix a gate on the edit's gradient and a rank-one offset:
D = s(eta) (gradient * softmax(a_row) a_col^T + softmax(b_row) b_col^T). It is trained once for the
base, under a bound on how far other answers may move.

The gradient is a sum of rank-one terms, and the gate multiplies rows and columns: D is a sum of
rank-one terms too, one per token and one more, and is kept as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from memedit.core.calls import LM, Row
from memedit.core.options import holds_settings
from memedit.core.progress import count_done
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, require_targets, sequence_edit
from memedit.editors.weights.base import low_rank
from memedit.editors.weights.gradients import Factors, factors
from memedit.editors.weights.hypernetworks import (
    HypernetworkEditor,
    ends,
    load_trained,
    pass_over_rows,
    shapes_of,
)
from memedit.engine.passes import Pass, log_probs

_MOST = 32
"""Tokens of the conditioning text, its last ones."""


class Head(nn.Module):
    """The gates and offsets of one matrix [m, n], from the condition c."""

    def __init__(self, condition: int, rows: int, columns: int, hidden: int = 112) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.inner = weight_norm(nn.Linear(condition, hidden))
        self.outer = weight_norm(nn.Linear(hidden, 2 * (rows + columns) + 1))

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(a_row [m], a_col [n], b_row [m], b_col [n], eta []); the rows after softmax."""
        m, n = self.rows, self.columns
        parts = self.outer(torch.tanh(self.inner(c))).split([m, n, m, n, 1])
        return parts[0].softmax(-1), parts[1], parts[2].softmax(-1), parts[3], parts[4][0]


class Network(nn.Module):
    """Reads the edit and conditions a head per matrix.

    Args:
        shapes: Site -> (d_in, d_out), in order.
        embedding: Size of the base's token embeddings, which are shared and not trained.
        hidden: Of the LSTM, per direction.
        condition: Size of c (the paper: 1,024, with 128 hidden units in the heads).
        most: s_max, the largest factor of an update.
    """

    def __init__(
        self,
        shapes: dict[str, tuple[int, int]],
        *,
        embedding: int,
        hidden: int = 128,
        condition: int = 512,
        most: float = 1.0,
    ) -> None:
        super().__init__()
        self.sites, self.most = tuple(shapes), most
        self.lstm = nn.LSTM(embedding, hidden, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(2 * hidden, condition)
        self.heads = nn.ModuleList(Head(condition, out, inn) for inn, out in shapes.values())

    def condition(self, embedded: Tensor) -> Tensor:
        """c of a text's embeddings [T, embedding]."""
        _, (state, _) = self.lstm(embedded[None])
        return torch.tanh(self.linear(state[:, 0].reshape(-1)))

    def terms(self, site: str, c: Tensor, found: Factors) -> tuple[Tensor, Tensor]:
        """(U [T + 1, d_in], V [T + 1, d_out]) with D = V^T U, the change *added* to the weight."""
        a_row, a_col, b_row, b_col, eta = self.heads[self.sites.index(site)](c)
        factor = self.most * torch.sigmoid(eta)
        u = torch.cat([found.inputs * a_col, b_col[None]])
        v = torch.cat([found.gradients * a_row, b_row[None]]) * factor
        return u, v


def find_old_answer(passing: Pass, row: Sequenced) -> str:
    """The token that the model itself puts after the prompt."""
    with torch.no_grad():
        token = log_probs(passing.lm, passing.run()[0, row.start][None])[0].argmax()
    return passing.lm.codec.text(token.cpu()[None])


def read_text(passing: Pass, edit: Edit, row: Sequenced) -> Tensor:
    """[T, d] the base's embeddings of the text that describes an edit, from a pass over its row."""
    lm = passing.lm
    text = f"{find_old_answer(passing, row).strip()} >> {edit.target_new} || {edit.prompt}"
    # The end: the prompt says most, and stands last.
    ids = lm.codec.prompt(Row(text), prefixed=False)[-_MOST:]
    table = lm.base.get_input_embeddings().weight
    read: Tensor = table[ids.to(table.device)].detach().float().cpu()
    return read


@holds_settings
class Ke(HypernetworkEditor):
    """Gated gradients from a trained network; edits do not know of each other."""

    name: ClassVar[str] = "ke"

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One update per edit.

        Raises:
            InvalidEditError: an edit without a target.
            InvalidInputError: no network was trained for this model.
        """
        if not edits:
            return []
        require_targets(edits)
        network = self._network(lm)
        return [self._fit_edit(lm, network, edit) for edit in count_done(edits)]

    def _fit_edit(self, lm: LM, network: Network, edit: Edit) -> Payload:
        row = sequence_edit(lm, edit, end=ends(self.name, self.hypernetwork, lm))
        passing = pass_over_rows(lm, [row], network.sites)
        found, _ = factors(passing, [row], network.sites, answers=False)
        payload: dict[str, Tensor | str | float] = {}
        with torch.no_grad():
            c = network.condition(read_text(passing, edit, row))
            for site in network.sites:
                payload |= low_rank(site, *network.terms(site, c, found[site]))
        return payload

    def _network(self, lm: LM) -> Network:
        return load_trained(
            self.name, self.hypernetwork, lm, lambda known: fresh(lm, known["sites"])
        )


def fresh(lm: LM, sites: Sequence[str]) -> Network:
    """An untrained network for these modules of this model."""
    embedding = lm.base.get_input_embeddings().weight.shape[1]
    return Network(shapes_of(lm, sites), embedding=embedding)
