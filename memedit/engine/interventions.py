"""The forms an activation edit can take: ``y' = f(x, y)`` at one module, gated row by row.

A weight edit is one of them: ``(W + D) x = W x + D x``. Each form collects the payloads its editor
stored with the edits that are in scope, stacks them once per call, and computes all rows together;
a row without a payload keeps its output bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from memedit.core.calls import Apply, Row, Step


def _identity(x: Tensor, y: Tensor, step: Step) -> Tensor:
    return y


def pack(rows: Sequence[Row], editor: str, names: Sequence[str]) -> tuple[list[Tensor], Tensor]:
    """The payload tensors of all edits that any row has in scope, and who has which.

    Args:
        rows: One per tensor row.
        editor: Whose payloads.
        names: Keys of the payload; each holds [d] (one term) or [m, d] (m terms), or a number.

    Returns:
        (one tensor [n, d] per name, gate [B, n] bool). Edits are ordered by sequence; n is the
        number of terms and may be 0.
    """
    found = {
        hit.record.sequence: hit.record.payloads[editor]
        for row in rows
        for hit in row.decision.hits
        if all(name in hit.record.payloads.get(editor, {}) for name in names)
    }
    # In one order whatever the hits' is: floats that are added in another differ in their last
    # bits.
    order = sorted(found)
    stacks: list[list[Tensor]] = [[] for _ in names]
    owner: list[int] = []
    for sequence in order:
        terms = [_terms(torch.as_tensor(found[sequence][name])) for name in names]
        for stack, term in zip(stacks, terms, strict=True):
            stack.append(term)
        owner += [sequence] * terms[0].shape[0]
    mine = [{hit.record.sequence for hit in row.decision.hits} for row in rows]
    gate = torch.tensor([[o in m for o in owner] for m in mine], dtype=torch.bool)
    return [torch.cat(stack) if stack else torch.empty(0) for stack in stacks], gate


def _terms(value: Tensor) -> Tensor:
    return value if value.dim() > 1 else value.reshape(1, -1)


def _blend(y: Tensor, change: Tensor, rows: Tensor) -> Tensor:
    """``y + change`` on the rows [B] that are touched; the others keep their bits."""
    # Adding zero is not enough: -0.0 + 0.0 is 0.0, and nan * 0 is nan.
    return torch.where(rows[:, None, None], y + change.to(y.dtype), y)


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """``y + (x U^T * gate) V``: one rank-one term ``v u^T`` per edit (ROME, MEMIT, MEND).

    Payload: ``<key>u`` [d_in] or [m, d_in], ``<key>v`` [d_out] or [m, d_out].
    """

    site: str
    editor: str
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        (u, v), gate = pack(rows, self.editor, (f"{self.key}u", f"{self.key}v"))
        touched = gate.any(1)
        if not touched.any():
            return _identity

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            on = gate.to(x.device)
            terms = (x.to(u.dtype) @ u.to(x.device).T) * on[:, None]
            return _blend(y, terms @ v.to(x.device), touched.to(x.device))

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class LoRA:
    """``y + s (x A^T) B^T`` on every row: an adapter for calls all of whose rows want it (Hu et al.
    2021, arXiv 2106.09685).

    Attributes:
        site: The linear module beside which it stands.
        a: [r, d_in]. b: [d_out, r]. scale: s = alpha / r.
    """

    site: str
    a: Tensor
    b: Tensor
    scale: float

    def bind(self, rows: Sequence[Row]) -> Apply:
        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            a, b = self.a.to(x.device, x.dtype), self.b.to(x.device, x.dtype)
            return y + (x @ a.T) @ b.T * self.scale

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """``y + x D^T`` with one dense delta per edit (FT, KE).

    Payload: ``<key>delta`` D [d_out, d_in].
    """

    site: str
    editor: str
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        name = f"{self.key}delta"
        found = {
            hit.record.sequence: torch.as_tensor(hit.record.payloads[self.editor][name])
            for row in rows
            for hit in row.decision.hits
            if name in hit.record.payloads.get(self.editor, {})
        }
        mine = [{hit.record.sequence for hit in row.decision.hits} & found.keys() for row in rows]
        touched = torch.tensor([bool(m) for m in mine])
        if not touched.any():
            return _identity

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            change = torch.zeros_like(y, dtype=torch.float32)
            for sequence in sorted(found):
                on = torch.tensor([sequence in m for m in mine], device=x.device)
                delta = found[sequence].to(x.device)
                change = change + (x.to(delta.dtype) @ delta.T) * on[:, None, None]
            return _blend(y, change, touched.to(x.device))

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """``y + x[..., i] * d_i`` for chosen input units i (KN).

    Payload: ``<key>units`` [m, 1] (integers), ``<key>values`` [m, d_out]: row j is added to column
    ``units[j]`` of W.
    """

    site: str
    editor: str
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        names = (f"{self.key}units", f"{self.key}values")
        (units, values), gate = pack(rows, self.editor, names)
        touched = gate.any(1)
        if not touched.any():
            return _identity

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            picked = x[..., units[:, 0].long().to(x.device)] * gate.to(x.device)[:, None]
            return _blend(y, picked.to(values.dtype) @ values.to(x.device), touched.to(x.device))

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Neurons:
    """``y + relu(x K^T + b) V``: extra neurons beside a feed-forward layer (T-Patcher).

    Payload: ``<key>k`` [m, d_in], ``<key>b`` [m, 1], ``<key>v`` [m, d_out]. ReLU is exactly zero
    when a neuron does not fire, so such rows keep their bits.
    """

    site: str
    editor: str
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        (k, b, v), gate = pack(rows, self.editor, [f"{self.key}{n}" for n in "kbv"])
        if not gate.any():
            return _identity

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            bias = b[:, 0].to(x.device)
            # Gated after the activation: a gate inside would leave relu(b) of neurons out of scope.
            fired = torch.relu(x.to(k.dtype) @ k.to(x.device).T + bias) * gate.to(x.device)[:, None]
            change = (fired @ v.to(x.device)).to(y.dtype)
            return torch.where((fired > 0).any(-1, keepdim=True), y + change, y)

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFFN:
    """``y + relu(x W1^T) W2^T``: a trained side network, its slots dealt out to edits (CaliNET).

    Payload: ``<key>w1`` [m, d_in], ``<key>w2`` [m, d_out] (columns of W2): the edit's slots. A row
    with all edits in scope has the whole network.
    """

    site: str
    editor: str
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        (w1, w2), gate = pack(rows, self.editor, (f"{self.key}w1", f"{self.key}w2"))
        touched = gate.any(1)
        if not touched.any():
            return _identity

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            hidden = torch.relu(x.to(w1.dtype) @ w1.to(x.device).T) * gate.to(x.device)[:, None]
            return _blend(y, hidden @ w2.to(x.device), touched.to(x.device))

        return apply
