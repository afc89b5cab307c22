"""What the editors of weights share: how their payloads are laid out, run and added up.

A payload names the modules it changes: ``<site>/u`` and ``/v`` (rank-one terms ``v u^T``),
``<site>/delta`` (a whole matrix), ``<site>/units`` and ``/values`` (columns). Matrices are [d_out,
d_in] whatever the layout of the module's own weight.

Gated by a scope, an edit's terms are a side path of the rows it concerns. Ungated, the model adds
all of them up once (:meth:`WeightEditor.changes`), and fits each edit on the model that holds the
earlier ones, as the papers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch, Call, Intervention
from memedit.core.errors import InvalidInputError
from memedit.core.types import Payload, Record
from memedit.engine.interventions import Columns, Dense, LowRank

_FORMS: dict[str, Any] = {"u": LowRank, "delta": Dense, "units": Columns}


class WeightEditor:
    """Base of the editors whose payloads are changes of weights; they add ``fit``."""

    __slots__ = ()
    name: ClassVar[str]
    ungated: ClassVar[str] = "everything"
    """The scope under which every edit is in the weights for every prompt."""

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """The call with the changes of each row's edits beside the modules they change."""
        forms = interventions(batch, self.name)
        return call(batch.intervene(*forms) if forms else batch)

    def changes(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Site -> [d_out, d_in] float32: what these edits together add to each weight."""
        return sum_changes(record.payloads.get(self.name, {}) for record in records)

    def distance(self, records: Sequence[Record]) -> dict[str, float]:
        """Site -> Frobenius norm of what these edits together add to its weight."""
        return {site: float(each.norm()) for site, each in self.changes(records).items()}


def interventions(batch: Batch, editor: str) -> list[Intervention]:
    """One per module and form that the batch's payloads name."""
    found: dict[tuple[str, str], None] = {}
    for row in batch.rows:
        for hit in row.decision.hits:
            for key in hit.record.payloads.get(editor, {}):
                site, slash, form = key.rpartition("/")
                if slash and form in _FORMS:
                    found[site, form] = None
    return [_FORMS[form](site=site, editor=editor, key=f"{site}/") for site, form in found]


def sum_changes(payloads: Iterable[Payload]) -> dict[str, Tensor]:
    """Site -> [d_out, d_in] float32 sum of all payloads' changes."""
    terms: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
    total: dict[str, Tensor] = {}
    for payload in payloads:
        for key in payload:
            site, slash, form = key.rpartition("/")
            if slash and form == "u":
                us, vs = terms.setdefault(site, ([], []))
                us.append(_rows(payload[key]))
                vs.append(_rows(payload[f"{site}/v"]))
            elif slash and form == "delta":
                delta = _float(payload[key])
                total[site] = total[site] + delta if site in total else delta
            elif slash and form == "units":
                _add_columns(total, site, payload)
    for site, (us, vs) in terms.items():
        # One product of all terms: a matrix for each edit would fill the memory.
        product = torch.cat(vs).T @ torch.cat(us)
        total[site] = total[site] + product if site in total else product
    return total


def _add_columns(total: dict[str, Tensor], site: str, payload: Payload) -> None:
    width = int(payload[f"{site}/width"])
    units, values = payload[f"{site}/units"], payload[f"{site}/values"]
    new = torch.zeros(_float(values).shape[1], width)
    # Added, not assigned: a unit may stand there twice.
    new.index_add_(1, torch.as_tensor(units).long()[:, 0], _float(values).T)
    total[site] = total[site] + new if site in total else new


def _rows(value: Any) -> Tensor:
    rows = _float(value)
    return rows if rows.dim() > 1 else rows[None]


def _float(value: Any) -> Tensor:
    return torch.as_tensor(value).float()


def low_rank(site: str, u: Tensor, v: Tensor) -> dict[str, Tensor]:
    """The payload entries of terms u [m, d_in], v [m, d_out]: D = sum of v u^T."""
    return {
        f"{site}/u": u.detach().float().cpu().contiguous(),
        f"{site}/v": v.detach().float().cpu().contiguous(),
    }


def weight_of(lm: LM, site: str) -> Tensor:
    """[d_out, d_in] a module's weight as it is in this model, whatever its layout."""
    weight: Tensor = lm.base.get_submodule(site).weight
    return weight.T if lm.sites.is_conv1d(site) else weight


def check_layers(lm: LM, layers: Sequence[int]) -> list[int]:
    """Layers as numbers from 0, ascending, each once.

    Raises:
        InvalidInputError: none, or one that the model does not have.
    """
    if not layers:
        raise InvalidInputError("No layer is named.", hint="layers=(3, 4, 5), or None.")
    for layer in layers:
        lm.sites.block(layer)
    return sorted({layer % lm.sites.layers for layer in layers})
