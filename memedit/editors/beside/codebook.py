"""What GRACE and its variant share: a key where the prompt ends, and a value found by descent.

The base is frozen; only the value is trained, by the mean negative log-likelihood of the target's
tokens after the prompt, with the value in place at the prompt's last token as it will be when the
edit answers (Hartvigsen et al. 2023, arXiv 2211.11031).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch, Call
from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit, Payload, Record
from memedit.editors._sequences import Sequenced, sequence_edit
from memedit.editors.beside.targets import Targets, check_apart, chunk_rows, sites, to_cpu
from memedit.engine.codebook import Codebook, Rule, grow_balls
from memedit.engine.passes import observe

COLD, WARM = "cold", "warm"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodebookEditor:
    """Base of the editors with a codebook; they say where it stands and how far a key reaches.

    Attributes:
        layer: Which; None for 27/32 of the depth, as EasyEdit's for Llama-2 7B.
        radius: Epsilon of a new key.
        steps: Of Adam; none is left out.
        rate: Its learning rate.
        initial: The value before the first step: ``"cold"``, uniform in [0, 1), or ``"warm"``, what
            the layer says.
        end: The end of the answer is trained, too, as in the original on T5.
        seed: Of cold values.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    ungated: ClassVar[str] = "everything"
    """The scope that leaves the decision to the codebook, as in the paper."""
    scaled: ClassVar[bool] = False
    """Whether the rate is a share of the root mean square of the layer's output."""
    layer: int | None = None
    radius: float = 1.0
    steps: int = 50
    rate: float = 1.0
    initial: str = COLD
    end: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.initial not in {COLD, WARM}:
            raise InvalidInputError(f"initial must be {COLD} or {WARM}.")
        if self.steps < 1 or self.rate <= 0 or self.radius < 0:
            raise InvalidInputError("steps and rate must be positive, radius not negative.")

    @property
    def rule(self) -> Rule:
        """How far its keys reach."""
        return Rule(self.radius)

    def site(self, lm: LM, layer: int) -> str:
        """The module at which the codebook of a layer stands."""
        return lm.sites.mlp_out(layer)

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Key, value and label of each edit; edits do not know of each other.

        Raises:
            InvalidEditError: an edit without a target, or of one token.
        """
        if not edits:
            return []
        rows = [sequence_edit(lm, edit, end=self.end) for edit in edits]
        check_apart(rows, [edit.prompt for edit in edits], self.name)
        layer = int(lm.sites.layers * 27 / 32) if self.layer is None else self.layer
        site = self.site(lm, layer)
        ids, starts = [row.ids for row in rows], [row.start for row in rows]
        keys, said = observe(lm, ids, starts, [site])[site]
        payloads: list[Payload] = []
        for part in chunk_rows(rows):
            first = torch.stack(
                [self._begin_value(e, v) for e, v in zip(edits[part], said[part], strict=True)]
            )
            values, loss = self._descend(lm, rows[part], layer, first, said[part])
            for n, i in enumerate(range(part.start, part.stop)):
                payloads.append(
                    {
                        f"{site}/key": to_cpu(keys[i]),
                        f"{site}/value": to_cpu(values[n]),
                        f"{site}/label": str(edits[i].target_new).strip(),
                        "loss": float(loss[n]),
                    }
                )
        return payloads

    def _begin_value(self, edit: Edit, said: Tensor) -> Tensor:
        """[d] the value to begin from; a cold one depends on seed and edit alone."""
        if self.initial == WARM:
            return said.clone()
        # Not the next of one stream: an edit's value must not depend on which others came before.
        text = f"{self.seed}\n{edit.prompt}\n{edit.target_new}".encode()
        number = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
        stream = torch.Generator().manual_seed(number)
        return torch.rand(said.shape, generator=stream).to(said.device)

    def _descend(
        self, lm: LM, rows: Sequence[Sequenced], layer: int, first: Tensor, said: Tensor
    ) -> tuple[Tensor, Tensor]:
        """([B, d] values, [B] mean NLL of their targets); each row on its own, side by side."""
        targets, site = Targets(lm, rows, first=layer), self.site(lm, layer)
        unit = (
            said.square().mean(1, keepdim=True).sqrt() if self.scaled else torch.ones(len(rows), 1)
        )
        first, unit = first.to(targets.device), unit.to(targets.device)
        # In units of the layer's output, so that one rate fits models of any scale.
        moved = torch.zeros_like(first, requires_grad=True)
        at = torch.arange(len(rows), device=targets.device)

        def put(x: Tensor, y: Tensor) -> Tensor:
            value = first + unit * moved
            return y.index_put((at, targets.start), value.to(y.dtype))

        optimiser = torch.optim.Adam([moved], lr=self.rate)
        for _ in range(self.steps):
            loss = targets.nll({site: put})
            (moved.grad,) = torch.autograd.grad(loss.sum(), moved)
            optimiser.step()
        with torch.no_grad():
            return (first + unit * moved).detach(), targets.nll({site: put})

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """The call with a codebook at every site that the rows' edits name."""
        books = [
            Codebook(site=site, editor=self.name, rule=self.rule, key=f"{site}/")
            for site in sites(batch, self.name, "key")
        ]
        return call(batch.intervene(*books) if books else batch)

    def keys(self, records: Sequence[Record]) -> int:
        """How many balls these edits come to: fewer than edits where some share one."""
        held: dict[str, tuple[list[Tensor], list[str]]] = {}
        for record in sorted(records, key=lambda record: record.sequence):
            payload = record.payloads.get(self.name, {})
            for name in payload:
                if name.endswith("/key"):
                    keys, labels = held.setdefault(name, ([], []))
                    keys.append(torch.as_tensor(payload[name]))
                    labels.append(str(payload[f"{name.removesuffix('key')}label"]))
        rule = self.rule
        return sum(
            grow_balls(rule.prepare(torch.stack(keys)), labels, rule).count
            for keys, labels in held.values()
        )
