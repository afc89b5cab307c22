"""WISE: side memories beside one feed-forward layer, routed by what they change (Wang et al. 2024,
arXiv 2405.14768).

A side memory is a second matrix W' for the layer's ``mlp_out``, of which a random fifth of the
entries is trained. A prompt goes through it where it changes the layer's activations by more than
the least that any of its edits does; the largest change decides between several (WISE-Retrieve),
of which full ones can be merged (``merged=2``, as published; replay, which the published settings
leave out, is not built).
The decision is made on the prompt, once. Each edit's payload holds what it added to the memory: as
later edits are trained on it, one cannot be taken away from under them (``scope="everything"``, the
paper's form). Behind a scope every edit is a memory of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from memedit.core.calls import LM, Apply, Batch, Call, Row, Step
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.progress import count_done
from memedit.core.types import Edit, Payload
from memedit.editors._sequences import Sequenced, sample_contexts, sequence_edit, sequence_prompt
from memedit.editors.beside.merging import ties
from memedit.editors.beside.negatives import STRANGERS, draw_prompts, sample_texts
from memedit.editors.beside.targets import Targets, sites, to_cpu
from memedit.editors.weights.base import weight_of
from memedit.engine.passes import Pass

ADAM, SGD = "adam", "sgd"
_PRIME = 2_654_435_761
_WORDS = 12
Books = Sequence[tuple[Tensor, float]]
"""Side memories [d_out, d_in], each with the change from which a prompt is routed to it."""


@holds_settings
class Wise:
    """Side memories, chosen by the change they make.

    Attributes:
        layer: Which; None for 27/32 of the depth.
        share: Of the matrix's entries that a memory may change (rho).
        outside, inside, gap: alpha, beta and gamma: the change of activations is to stay under
            alpha on other prompts, exceed beta on edits, and differ by gamma; all as shares of the
            layer's usual output (published: 5, 20 and 10 in Llama-2's units, where that output is
            of norm 1 to 10: at least 0.5, 2 and 1).
        routed: A prompt is routed to a memory from this share of its edits' least change.
        capacity: Edits in one memory.
        merged: So many full memories are merged into one (:mod:`memedit.editors.beside.merging`;
            published 2, with 500 edits each); 0: they stand beside each other.
        density: Share of its entries that a memory keeps when it is merged.
        prefixes: Contexts sampled from the model that an edit is trained in.
        others: Prompts an edit shall leave alone: its own words about others, and texts.
        prompts: File of prompts, one a line, of which those are drawn instead, by the edit's id
            (published: one question of Natural Questions for every edit).
        steps: At most.
        optimizer: ``"adam"``, or ``"sgd"``: plain gradient descent, as published (rate 1.0 for
            Llama-2), which from the second edit on does not fit the default model at any rate from
            0.02 to 1 of the largest entry.
        rate: Of the optimizer.
        bound: Largest change of an entry.
        stop: The mean loss at which it ends.
        end: The end of the answer is trained, too.
        seed: Of masks and contexts.

    Raises:
        InvalidInputError: a setting out of range.
    """

    name: ClassVar[str] = "wise"
    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    ungated: ClassVar[str] = "everything"
    """The scope that leaves the decision to the change of activations, as in the paper."""
    joint: ClassVar[bool] = True
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"prompts": ("",)}
    layer: int | None = None
    share: float = 0.2
    outside: float = 0.05
    inside: float = 0.2
    gap: float = 0.1
    routed: float = 0.88
    capacity: int = 500
    merged: int = 0
    density: float = 0.53
    prefixes: int = 4
    others: int = 4
    prompts: str = ""
    steps: int = 70
    optimizer: str = ADAM
    rate: float = 0.01
    bound: float = 1.0
    stop: float = 5e-2
    end: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.rate <= 0 or self.bound <= 0:
            raise InvalidInputError("share must be in (0, 1], rate and bound positive.")
        if min(self.capacity, self.steps, self.others) < 1 or self.prefixes < 0:
            raise InvalidInputError("capacity, steps and others must be positive.")
        if self.optimizer not in {ADAM, SGD}:
            raise InvalidInputError(f"optimizer must be {ADAM} or {SGD}.")
        if self.merged < 0 or self.merged == 1 or not 0 < self.density <= 1:
            raise InvalidInputError("merged must be 0 or at least 2, density in (0, 1].")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """What each edit adds to a side memory, and the change by which it is recognised.

        Edits are trained one after another, from the memory that ``lm.records`` leave.

        Raises:
            InvalidEditError: an edit without a target.
        """
        rows = [sequence_edit(lm, edit, end=self.end) for edit in edits]
        layer = int(lm.sites.layers * 27 / 32) if self.layer is None else self.layer
        site = lm.sites.mlp_out(layer)
        # Earlier edits are part of the memory that the new one is trained on.
        held = memories((r.payloads.get(self.name, {}) for r in lm.records), site)
        payloads: list[Payload] = []
        for edit, row in count_done(list(zip(edits, rows, strict=True))):
            name, memory = self._open(held, edit, weight_of(lm, site), lm.base.device)
            training = _Training(self, lm, edit, row, layer, site, memory)
            before = memory.delta.clone()
            loss = training.run()
            memory.reach.append(training.reach())
            held[name] = memory
            mask = mask_of(memory.delta.shape, self.share, memory.mask).to(before.device)
            payloads.append(
                {
                    f"{site}/side": to_cpu((memory.delta - before)[mask]),
                    f"{site}/memory": name,
                    f"{site}/mask": memory.mask,
                    f"{site}/rows": memory.delta.shape[0],
                    f"{site}/columns": memory.delta.shape[1],
                    f"{site}/share": self.share,
                    f"{site}/reach": memory.reach[-1],
                    "loss": loss,
                }
            )
        return payloads

    def _open(
        self, held: dict[str, Memory], edit: Edit, weight: Tensor, device: torch.device
    ) -> tuple[str, Memory]:
        """The memory that is not full, or a new one."""
        for name, memory in held.items():
            if len(memory.reach) < self.capacity:
                return name, Memory(memory.delta.to(device), memory.reach, memory.mask)
        fresh = torch.zeros(weight.shape, device=device)
        return edit.id, Memory(fresh, [], self.seed + len(held))

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """The call with the side memories of each row's edits."""
        forms = [
            SideMemory(
                site=site, editor=self.name, routed=self.routed,
                merging=Merging(self.capacity, self.merged, self.density),
            )
            for site in sites(batch, self.name, "side")
        ]  # fmt: skip
        return call(batch.intervene(*forms) if forms else batch)


@dataclass(slots=True)
class Memory:
    """A side memory.

    Attributes:
        delta: [d_out, d_in] W' - W.
        reach: The change of activations that each of its edits makes.
        mask: Number of the mask of its entries.
    """

    delta: Tensor
    reach: list[float]
    mask: int


def mask_of(shape: Sequence[int], share: float, number: int) -> Tensor:
    """[d_out, d_in] bool, True at about ``share`` of the entries; the same on every machine."""
    entry = torch.arange(shape[0] * shape[1], dtype=torch.int64)
    # A hash of the entry's number, not torch's generator, which differs between versions and
    # devices: a mask must be the same wherever the payload is read.
    mixed = ((entry + 1) * _PRIME + (number + 1) * 40_503 * 65_537) % 2**32
    mixed = ((mixed ^ (mixed >> 15)) * 2_246_822_519) % 2**32
    return ((mixed ^ (mixed >> 13)) < share * 2**32).reshape(*shape)


def memories(payloads: Iterable[Payload], site: str) -> dict[str, Memory]:
    """Name -> side memory: the sums of what their edits added."""
    parts: dict[str, list[Payload]] = defaultdict(list)
    for payload in payloads:
        if f"{site}/side" in payload:
            parts[str(payload[f"{site}/memory"])].append(payload)
    found: dict[str, Memory] = {}
    for name, mine in parts.items():
        number, share = int(mine[0][f"{site}/mask"]), float(mine[0][f"{site}/share"])
        values = torch.stack([torch.as_tensor(p[f"{site}/side"]) for p in mine]).sum(0)
        delta = torch.zeros(int(mine[0][f"{site}/rows"]), int(mine[0][f"{site}/columns"]))
        delta[mask_of(delta.shape, share, number)] = values
        found[name] = Memory(delta, [float(p[f"{site}/reach"]) for p in mine], number)
    return found


@dataclass(frozen=True, slots=True)
class Merging:
    """How many full memories, of ``capacity`` edits, become one; 0: none do."""

    capacity: int
    number: int = 0
    density: float = 1.0

    def merge(self, held: Sequence[Memory]) -> list[Memory]:
        """The memories, in order, those that are full merged group by group."""
        full = sum(len(memory.reach) >= self.capacity for memory in held)
        groups = full // self.number if self.number else 0
        made: list[Memory] = []
        for group in range(groups):
            mine = held[group * self.number : (group + 1) * self.number]
            delta = ties([memory.delta for memory in mine], self.density)
            # The least change of any of its edits still says from when on it answers.
            reach = [least for memory in mine for least in memory.reach]
            made.append(Memory(delta, reach, mine[0].mask))
        return made + list(held[groups * self.number :])


def change(y: Tensor, added: Tensor, prompt: Tensor) -> Tensor:
    """[B] mean over the prompts' tokens of |SiLU(W'k) - SiLU(Wk)|.

    Args:
        y: [B, T, d] W k. added: [B, T, d] (W' - W) k.
        prompt: [B, T] True at the prompts' tokens.
    """
    size = (F.silu(y + added) - F.silu(y)).float().norm(dim=-1)
    mean: Tensor = (size * prompt).sum(1) / prompt.sum(1).clamp(min=1)
    return mean


class _Training:
    """One edit put into a memory by gradient descent on its unmasked entries."""

    def __init__(
        self, how: Wise, lm: LM, edit: Edit, row: Sequenced, layer: int, site: str, memory: Memory
    ) -> None:
        self.how, self.site, self.memory = how, site, memory
        rows = [row]
        for template in sample_contexts(lm, how.prefixes, how.seed)[1:] if how.prefixes else ():
            asked = (edit.prompt, edit.target_new, None, template)
            rows.append(sequence_prompt(lm, *asked, end=how.end))
        device = lm.base.device
        self.mask = mask_of(memory.delta.shape, how.share, memory.mask).to(device)
        self.targets = Targets(lm, rows, first=layer, whole=True)
        self.rows_of_others = self._collect_others(lm, edit)
        self.others = Pass(lm, self.rows_of_others, first=layer)
        self.layer = layer
        self.scale = self._measure_usual()

    def _collect_others(self, lm: LM, edit: Edit) -> list[Tensor]:
        """Token ids of prompts that the edit shall leave alone; half of them texts."""
        if self.how.prompts:
            drawn = draw_prompts(self.how.prompts, f"{self.how.seed}/{edit.id}", self.how.others)
            return [lm.codec.ids(text, special=True) for text in drawn]
        template = edit.template
        names = [n for n in STRANGERS if template is not None and n != edit.subject]
        strange = [str(template).replace("{}", n) for n in names[: self.how.others // 2]]
        texts = sample_texts(lm, 32 * _WORDS, self.how.seed)[: self.how.others - len(strange)]
        return [lm.codec.ids(text, special=True) for text in strange] + [
            text[:_WORDS] for text in texts
        ]

    def _measure_usual(self) -> float:
        """Median norm of the layer's output at these prompts."""
        seen: list[Tensor] = []
        with torch.no_grad():
            for passing in (self.targets.passing, self.others):
                passing.run(after={self.site: lambda x, y: seen.append(y)}, last=self.layer)
        return float(
            # Without the first token, an attention sink many times as large as the others.
            torch.cat([y[:, 1:].reshape(-1, y.shape[-1]) for y in seen]).norm(dim=1).median()
        )

    def run(self) -> float:
        """Train; returns the last loss."""
        how, delta = self.how, self.memory.delta.clone().requires_grad_()
        kind = torch.optim.SGD if how.optimizer == SGD else torch.optim.Adam
        optimizer = kind([delta], lr=how.rate)
        loss = torch.tensor(float("inf"))
        for _ in range(how.steps):
            loss = self._loss(delta)
            if float(loss.detach()) < how.stop:
                break
            (gradient,) = torch.autograd.grad(loss, delta)
            # No masked entry moves then: Adam's moments, too, stay zero there.
            delta.grad = gradient * self.mask
            optimizer.step()
            with torch.no_grad():
                delta.clamp_(-how.bound, how.bound)
        self.memory.delta = delta.detach()
        return float(loss.detach())

    def _loss(self, delta: Tensor) -> Tensor:
        """Cross entropy of the target, and the margins of the change (eq. 5 of the paper)."""
        how, unit = self.how, self.scale
        mine: list[Tensor] = []

        def add_change(x: Tensor, y: Tensor) -> Tensor:
            added = (x.float() @ delta.T).to(y.dtype)
            at = torch.arange(y.shape[1], device=y.device)[None] <= self.targets.start[:, None]
            mine.append(change(y, added, at))
            return y + added

        nll = self.targets.nll({self.site: add_change}).mean()
        theirs = self._measure_elsewhere(delta)
        margins = (
            theirs[:, None] - mine[0][None] + how.gap * unit,
            theirs - how.outside * unit,
            how.inside * unit - mine[0],
        )
        # ``nll * 0`` begins the sum on the right device with a gradient.
        return nll + sum((_mean_positive(m) for m in margins), nll * 0)

    def _measure_elsewhere(self, delta: Tensor) -> Tensor:
        """[others] the change on prompts that the edit shall leave alone."""
        found: list[Tensor] = []
        lengths = torch.tensor([len(row) for row in self.rows_of_others], device=delta.device)

        def look(x: Tensor, y: Tensor) -> None:
            at = torch.arange(y.shape[1], device=y.device)[None] < lengths[:, None]
            found.append(change(y.detach(), x.detach().float() @ delta.T, at))

        self.others.run(after={self.site: look}, last=self.layer)
        return found[0]

    def reach(self) -> float:
        """The change of activations on the edit's plain prompt."""
        found: list[float] = []

        def look(x: Tensor, y: Tensor) -> None:
            at = torch.arange(y.shape[1], device=y.device)[None] <= self.targets.start[:, None]
            found.append(float(change(y, x.float() @ self.memory.delta.T, at)[0]))

        with torch.no_grad():
            self.targets.passing.run(after={self.site: look}, last=self.layer)
        return found[0]


def _mean_positive(values: Tensor) -> Tensor:
    """Mean of the entries above zero; zero if there is none."""
    above = values[values > 0]
    return above.mean() if len(above) else values.sum() * 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SideMemory:
    """``y + (W' - W) x`` on the rows whose prompt a side memory changes enough.

    Payload: as :meth:`Wise.fit` says; ``<site>/side`` are the entries that its mask names.
    """

    site: str
    editor: str
    routed: float
    merging: Merging = Merging(1)

    def bind(self, rows: Sequence[Row]) -> Apply:
        known: dict[tuple[int, ...], Books] = {}
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, row in enumerate(rows):
            held = {
                hit.record.sequence: hit.record.payloads.get(self.editor, {})
                for hit in row.decision.hits
                if f"{self.site}/side" in hit.record.payloads.get(self.editor, {})
            }
            order = tuple(sorted(held))
            groups[order].append(i)
            if order not in known:
                made = memories((held[sequence] for sequence in order), self.site).values()
                books = self.merging.merge(list(made))
                known[order] = [(m.delta, self.routed * min(m.reach)) for m in books]
        chosen: list[Tensor | None] = [None] * len(rows)

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            # The pass over the prompt decides; tokens that follow keep to it.
            if step.last is not None:
                for order, at in groups.items():
                    for i, delta in zip(at, _route(known[order], at, x, y, step), strict=True):
                        chosen[i] = delta
            changed = y
            # Rows that share a memory are computed together.
            for delta in {id(d): d for d in chosen if d is not None}.values():
                here = [i for i, mine in enumerate(chosen) if mine is delta]
                where = torch.tensor(here, device=y.device)
                added = (x[where].float() @ delta.to(x.device).T).to(y.dtype)
                changed = changed.index_put((where,), y[where] + added)
            return changed

        return apply


def _route(
    books: Books, rows: Sequence[int], x: Tensor, y: Tensor, step: Step
) -> list[Tensor | None]:
    """For each of these rows, the memory that changes its prompt most, of those that reach it."""
    assert step.last is not None
    at = torch.tensor(rows, device=y.device)
    column = torch.arange(y.shape[1], device=y.device)
    prompt = step.mask[at] & (column[None] <= step.last[at][:, None])
    best = [0.0] * len(rows)
    chosen: list[Tensor | None] = [None] * len(rows)
    for delta, least in books:
        added = x[at].detach().float() @ delta.to(x.device).T
        for n, size in enumerate(change(y[at].detach(), added, prompt).tolist()):
            if size >= least and size > best[n]:
                best[n], chosen[n] = size, delta
    return chosen
