"""MELO: low-rank blocks chosen by a vector database (Yu et al. 2023, arXiv 2312.11795).

Every edit trains a LoRA block of its own on the layers after a router. What the router's layer says
at the prompt's last token is looked up among the keys of all edits, clustered as in GRACE; the
block of the nearest key in reach acts on the whole text, and elsewhere nothing does. The choice is
made once, on the prompt. Clusters follow from the keys in order of their edits each time, so that
forgetting an edit leaves the others as if it had never been.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from memedit.core.calls import LM, Apply, Batch, Call, Row, Step
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, sequence_edit
from memedit.editors.beside.targets import After, Targets, check_apart, chunk_rows, sites, to_cpu
from memedit.engine.codebook import MARGIN, Rule
from memedit.engine.passes import observe

Leaves = dict[str, tuple[Tensor, Tensor]]
"""Site -> (A [B, r, d_in], B [B, r, d_out]) of B edits."""


@holds_settings
class Melo:
    """One routed LoRA block an edit.

    Attributes:
        router: The layer whose output is the key; None for 27/32 of the depth.
        layers: How many of the layers after it have blocks, on their last map into the neurons.
        rank, alpha: Of a block, which counts alpha / rank.
        radius: Of a new cluster, as a share of the keys' norm (published: 0.5 in GPT2-XL's units).
        steps: Of Adam; its rate halves after every 20.
        rate: Its learning rate.
        end: The end of the answer is trained, too, as in the original on T5.
        seed: Of the random half.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "melo"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    ungated: ClassVar[str] = "everything"
    """The scope that leaves the decision to the vector database, as in the paper."""
    router: int | None = None
    layers: int = 2
    rank: int = 2
    alpha: float = 16.0
    radius: float = 0.1
    steps: int = 50
    rate: float = 1e-3
    end: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.layers, self.rank, self.steps) < 1 or min(self.rate, self.alpha) <= 0:
            raise InvalidInputError("layers, rank, steps, rate and alpha must be positive.")
        if self.radius < 0:
            raise InvalidInputError("radius must not be negative.")

    @property
    def rule(self) -> Rule:
        """How keys are compared, and how far one reaches."""
        return Rule(self.radius, relative=True, normalise=True)

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Key, label and block of each edit; edits do not know of each other.

        Raises:
            InvalidEditError: an edit without a target, or of one token.
        """
        if not edits:
            return []
        rows = [sequence_edit(lm, edit, end=self.end) for edit in edits]
        check_apart(rows, [edit.prompt for edit in edits], self.name)
        router = self._router(lm)
        site = lm.sites.block(router)
        _, keys = observe(lm, [row.ids for row in rows], [row.start for row in rows], [site])[site]
        payloads: list[Payload] = []
        for part in chunk_rows(rows):
            leaves, loss = self._train(lm, edits[part], rows[part], router)
            for n, i in enumerate(range(part.start, part.stop)):
                payload: dict[str, Tensor | str | float] = {
                    f"{site}/key": to_cpu(keys[i]),
                    f"{site}/label": str(edits[i].target_new).strip(),
                    "loss": float(loss[n]),
                }
                for path, (a, b) in leaves.items():
                    payload |= {f"{path}/a": to_cpu(a[n]), f"{path}/b": to_cpu(b[n])}
                payloads.append(payload)
        return payloads

    def _router(self, lm: LM) -> int:
        last = lm.sites.layers - 1
        router = (
            min(int(lm.sites.layers * 27 / 32), last - 1) if self.router is None else self.router
        )
        lm.sites.block(router)
        if (router := router % lm.sites.layers) == last:
            raise InvalidInputError(
                f"No layer comes after the router, layer {router}.",
                hint=f"router=0 to {last - 1}.",
            )
        return router

    def _train(
        self, lm: LM, edits: Sequence[Edit], rows: Sequence[Sequenced], router: int
    ) -> tuple[Leaves, Tensor]:
        """The blocks of several edits, side by side, and the [B] mean NLL of their targets."""
        targets = Targets(lm, rows, first=router + 1, whole=True)
        leaves = self._fresh(lm, edits, router)
        flat = [tensor for pair in leaves.values() for tensor in pair]
        optimiser = torch.optim.Adam(flat, lr=self.rate)
        slower = torch.optim.lr_scheduler.StepLR(optimiser, step_size=20, gamma=0.5)
        scale = self.alpha / self.rank

        def add_change(a: Tensor, b: Tensor) -> After:
            return lambda x, y: y + ((x.float() @ a.mT) @ b * scale).to(y.dtype)

        after = {site: add_change(*pair) for site, pair in leaves.items()}
        for _ in range(self.steps):
            grads = torch.autograd.grad(targets.nll(after).sum(), flat)
            for leaf, grad in zip(flat, grads, strict=True):
                leaf.grad = grad
            optimiser.step()
            slower.step()
        with torch.no_grad():
            loss = targets.nll(after)
            # The scale is put into B: whoever runs it need not know it.
            return {path: (a, b * scale) for path, (a, b) in leaves.items()}, loss

    def _fresh(self, lm: LM, edits: Sequence[Edit], router: int) -> Leaves:
        """A as PEFT begins it, from seed and edit alone; B zero."""
        leaves: Leaves = {}
        top = min(lm.sites.layers, router + 1 + self.layers)
        device = lm.base.device
        for layer in range(router + 1, top):
            site = lm.sites.mlp_in(layer)[-1]
            weight = lm.base.get_submodule(site).weight
            d_out, d_in = weight.T.shape if lm.sites.is_conv1d(site) else weight.shape
            a = torch.stack([self._random(edit, layer, d_in) for edit in edits])
            b = torch.zeros(len(edits), self.rank, d_out)
            leaves[site] = (a.to(device).requires_grad_(), b.to(device).requires_grad_())
        return leaves

    def _random(self, edit: Edit, layer: int, width: int) -> Tensor:
        text = f"{self.seed}\n{layer}\n{edit.prompt}\n{edit.target_new}".encode()
        number = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
        # Drawn from the edit alone: its block must not depend on what is fitted beside it.
        stream = torch.Generator().manual_seed(number)
        return (torch.rand(self.rank, width, generator=stream) * 2 - 1) / math.sqrt(width)

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """The call with a router, and blocks that follow its choice."""
        routers = sites(batch, self.name, "key")
        if not routers:
            return call(batch)
        # Of this call alone: two calls at once must not read each other's.
        choice = Choice()
        forms: list[Any] = [
            Router(site=site, editor=self.name, rule=self.rule, choice=choice, key=f"{site}/")
            for site in routers
        ]
        forms += [
            Routed(site=site, editor=self.name, choice=choice, key=f"{site}/")
            for site in sites(batch, self.name, "a")
        ]
        return call(batch.intervene(*forms))


@dataclass(slots=True)
class Choice:
    """What the routers of one call found: site -> [B] sequence of an edit, or None."""

    found: dict[str, list[int | None]] = field(default_factory=dict)

    def of(self, row: int) -> int | None:
        """The edit of a row."""
        return next((each[row] for each in self.found.values() if each[row] is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Looks at the output of a layer where the prompt ends, and changes nothing.

    Payload: ``<key>key`` [d], ``<key>label`` (text).
    """

    site: str
    editor: str
    rule: Rule
    choice: Choice = field(compare=False)
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        known: dict[tuple[int, ...], list[Cluster]] = {}
        books: list[tuple[tuple[int, ...], list[Cluster]]] = []
        for row in rows:
            mine = _payloads(row, self.editor, f"{self.key}key")
            if (order := tuple(sorted(mine))) not in known:
                keys = [torch.as_tensor(mine[s][f"{self.key}key"]) for s in order]
                labels = [str(mine[s][f"{self.key}label"]) for s in order]
                prepared = self.rule.prepare(torch.stack(keys)) if keys else torch.empty(0, 0)
                known[order] = clusters(prepared, labels, self.rule)
            books.append((order, known[order]))

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            if step.last is not None:
                at = torch.arange(len(y), device=y.device)
                queries = self.rule.prepare(y[at, step.last].detach()).cpu()
                points = [look_up(q, book) for q, (_, book) in zip(queries, books, strict=True)]
                self.choice.found[self.site] = [
                    None if point is None else order[point]
                    for point, (order, _) in zip(points, books, strict=True)
                ]
            return y

        return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """``y + (x A^T) B`` with the block that the router chose for each row.

    Payload: ``<key>a`` [r, d_in], ``<key>b`` [r, d_out].
    """

    site: str
    editor: str
    choice: Choice = field(compare=False)
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        blocks: dict[int, Payload] = {}
        for row in rows:
            blocks |= _payloads(row, self.editor, f"{self.key}a")

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            # The router's layer comes first in the same pass, and has filled the choice.
            chosen = [(i, self.choice.of(i)) for i in range(len(x))]
            on = [(i, blocks[edit]) for i, edit in chosen if edit in blocks]
            if not on:
                return y
            at = torch.tensor([i for i, _ in on], device=x.device)
            a, b = (
                torch.stack([torch.as_tensor(p[f"{self.key}{n}"]) for _, p in on]).to(x.device)
                for n in "ab"
            )
            change = (x[at].float() @ a.mT) @ b
            return y.index_put((at,), y[at] + change.to(y.dtype))

        return apply


def _payloads(row: Row, editor: str, name: str) -> dict[int, Payload]:
    """Sequence -> payload of the edits that a row has in scope and that hold ``name``."""
    held = {h.record.sequence: h.record.payloads.get(editor, {}) for h in row.decision.hits}
    return {sequence: payload for sequence, payload in held.items() if name in payload}


@dataclass(slots=True)
class Cluster:
    """Keys with one label; ``points`` are (number of the edit, key)."""

    label: str
    center: Tensor
    radius: float
    points: list[tuple[int, Tensor]]


def clusters(keys: Tensor, labels: Sequence[str], rule: Rule) -> list[Cluster]:
    """The database after adding prepared keys [n, d] in order (sec. 3.3 of the paper's code).

    With d the distance to the nearest center and e the radius of a new cluster: beyond both reaches
    a new cluster; the same label joins, center and radius then cover all points; another label is a
    new cluster, and both end in the middle: points left outside are forgotten.
    """
    keys, reach = keys.double(), rule.initial(keys).tolist()
    found: list[Cluster] = []
    for n, key in enumerate(keys):
        new = Cluster(labels[n], key, reach[n], [(n, key)])
        if found:
            # Of equal gaps the older cluster is taken.
            gap, i = min((float((c.center - key).norm()), i) for i, c in enumerate(found))
            near = found[i]
            if gap <= near.radius + reach[n]:
                if near.label == new.label:
                    _join(near, new)
                    continue
                near.radius, new.radius = max(0.0, gap / 2 - MARGIN), gap / 2
                # As published: an edit outside the shrunken cluster is lost, not moved.
                near.points = [p for p in near.points if _distance_to(near, p[1]) <= near.radius]
        found.append(new)
    return found


def _distance_to(cluster: Cluster, key: Tensor) -> float:
    return float((cluster.center - key).norm())


def _join(cluster: Cluster, new: Cluster) -> None:
    cluster.points += new.points
    cluster.center = torch.stack([key for _, key in cluster.points]).mean(0)
    cluster.radius = max(new.radius, *(_distance_to(cluster, key) for _, key in cluster.points))


def look_up(query: Tensor, book: Sequence[Cluster]) -> int | None:
    """The edit whose key is nearest in the nearest cluster; None out of reach, or none is left."""
    if not book:
        return None
    query = query.double()
    near = min(book, key=lambda c: _distance_to(c, query))
    if _distance_to(near, query) > near.radius or not near.points:
        return None
    return min(near.points, key=lambda p: float((p[1] - query).norm()))[0]
