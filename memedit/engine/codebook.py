"""A codebook beside a layer: a stored value stands in for the layer's output, if a key is near.

GRACE's (Hartvigsen et al. 2023, arXiv 2211.11031). Every edit brings a key, a value and a label.
What is not stored is which balls there are: they follow from the keys in order of their edits
(:func:`grow_balls`) each time, so that forgetting an edit leaves the others exactly as if it had
never been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from memedit.core.calls import Apply, Row, Step
from memedit.core.types import Payload
from memedit.engine.interventions import pack

MARGIN = 1e-5
"""By which the older of two conflicting balls ends before the middle."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How far a key reaches.

    Attributes:
        radius: Of a new key (epsilon).
        relative: It is a share of the key's norm.
        normalise: Keys and queries are divided by their root mean square first.
        disjoint: No two balls of different labels overlap, and no ball grows. Else the published
            rules: only the nearest key is looked at, and a key with its label widens.
    """

    radius: float
    relative: bool = False
    normalise: bool = False
    disjoint: bool = False

    def prepare(self, keys: Tensor) -> Tensor:
        """Keys or queries [..., d] as they are compared; float32."""
        keys = keys.float()
        if not self.normalise:
            return keys
        return keys / keys.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-12)

    def initial(self, keys: Tensor) -> Tensor:
        """[n] float64 radius of each prepared key [n, d] where it has no neighbour."""
        norms = keys.double().norm(dim=-1) if self.relative else torch.ones(len(keys)).double()
        return self.radius * norms


@dataclass(frozen=True, slots=True)
class Balls:
    """What the keys of n edits come to.

    Attributes:
        radius: [n] float64; -1 for an edit that has no ball of its own.
        owner: [n] the edit whose ball holds each edit's key: itself, or an older one of its label.
    """

    radius: Tensor
    owner: Tensor

    @property
    def count(self) -> int:
        """The number of balls: the size of the codebook as published."""
        return int((self.radius >= 0).sum())


def grow_balls(keys: Tensor, labels: Sequence[str], rule: Rule) -> Balls:
    """The codebook after adding prepared keys [n, d] in order: the add, split and expand rules.

    With d the distance to the nearest key i, e_i its radius and e the new key's:

    - d > e_i + e: a new ball of radius e;
    - another label: both end in the middle, e_i = d/2 - 1e-5 and e = d/2;
    - the same label: no new ball, and e_i = max(e_i, d) (alg. 1 of the paper).
    """
    # By matrix products the gap of equal keys would not be 0.
    gaps = torch.cdist(keys.double(), keys.double(), compute_mode="donot_use_mm_for_euclid_dist")
    reach = rule.initial(keys)
    add = _part_others if rule.disjoint else _apply_published
    radius = torch.full((len(keys),), -1.0, dtype=torch.float64)
    owner = torch.arange(len(keys))
    for new in range(len(keys)):
        add(new, gaps[new, :new], labels, reach, radius, owner)
    return Balls(radius, owner)


def _apply_published(
    new: int, gaps: Tensor, labels: Sequence[str], reach: Tensor, radius: Tensor, owner: Tensor
) -> None:
    radius[new] = reach[new]
    there = (radius[:new] >= 0).nonzero()[:, 0]
    if not len(there):
        return
    i = int(there[gaps[there].argmin()])
    gap = gaps[i]
    # As published only the nearest ball is looked at: others may still overlap.
    if gap > radius[i] + reach[new]:
        return
    if labels[i] == labels[new]:
        radius[i], radius[new], owner[new] = torch.maximum(radius[i], gap), -1.0, i
    else:
        radius[i], radius[new] = (gap / 2 - MARGIN).clamp(min=0), gap / 2


def _part_others(
    new: int, gaps: Tensor, labels: Sequence[str], reach: Tensor, radius: Tensor, owner: Tensor
) -> None:
    other = torch.tensor([label != labels[new] for label in labels[:new]], dtype=torch.bool)
    close = other & (gaps < radius[:new] + reach[new])
    half = gaps[close] / 2
    radius[:new][close] = torch.minimum(radius[:new][close], (half - MARGIN).clamp(min=0))
    radius[new] = min([float(reach[new]), *half.tolist()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Codebook:
    """The output at the last prompt token replaced by a stored value, if a key is near.

    A row's codebook holds the edits that it has in scope. In a ball, the edit whose key is nearest
    gives the value (published: the ball's only value, trained further by every edit it takes in;
    here an edit's payload does not depend on other edits). Elsewhere not one bit changes; while
    decoding nothing is looked up: what was put in acts through keys and values of later layers.

    Payload: ``<key>key`` [d_in], ``<key>value`` [d_out], ``<key>label`` (text).
    """

    site: str
    editor: str
    rule: Rule
    key: str = ""

    def bind(self, rows: Sequence[Row]) -> Apply:
        names = (f"{self.key}key", f"{self.key}value")
        (keys, values), gate = pack(rows, self.editor, names)
        if not gate.any():
            return lambda x, y, step: y
        keys = self.rule.prepare(keys)
        near = _find_radii(keys, _read_labels(rows, self.editor, names, self.key), gate, self.rule)

        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            # Decoding: the values put in act through the keys and values of later layers.
            if step.last is None:
                return y
            at = torch.arange(len(x), device=x.device)
            query = self.rule.prepare(x[at, step.last])
            hit, which = find_nearest(query, keys.to(x.device), near.to(x.device))
            changed = y.clone()
            changed[at[hit], step.last[hit]] = values.to(x.device)[which[hit]].to(y.dtype)
            return changed if bool(hit.any()) else y

        return apply


def find_nearest(query: Tensor, keys: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """([B] whether a row is in one of its balls, [B] the nearest of the edits in that ball).

    Args:
        query: [B, d] prepared.
        keys: [n, d] prepared.
        near: [B, n, 2] float64: for each row, the radius of each edit's ball (-1: none, also where
            the edit is not in scope), and the number of the edit whose ball it is in.
    """
    # Not by matrix products, whose rounding is larger than the margin between two balls.
    gaps = torch.cdist(query, keys, compute_mode="donot_use_mm_for_euclid_dist").double()
    radius, owner = near[..., 0], near[..., 1]
    to_ball = gaps.masked_fill(radius < 0, float("inf"))
    least, ball = to_ball.min(1)
    hit = least <= radius.gather(1, ball[:, None])[:, 0]
    member = gaps.masked_fill(owner != ball[:, None], float("inf"))
    return hit, member.argmin(1)


def _find_radii(keys: Tensor, labels: Sequence[str], gate: Tensor, rule: Rule) -> Tensor:
    """[B, n, 2] radius and owner in each row's own codebook; -1 for edits it has not in scope."""
    found: dict[bytes, Tensor] = {}
    rows = []
    for mine in gate:
        # Rows with the same edits in scope share their codebook: it is built once.
        name = mine.numpy().tobytes()
        if name not in found:
            at = mine.nonzero()[:, 0]
            made = grow_balls(keys[at], [labels[i] for i in at.tolist()], rule)
            both = torch.full((len(keys), 2), -1.0, dtype=torch.float64)
            both[at, 0], both[at, 1] = made.radius, at[made.owner].double()
            found[name] = both
        rows.append(found[name])
    return torch.stack(rows)


def _read_labels(rows: Sequence[Row], editor: str, names: Sequence[str], key: str) -> list[str]:
    """The label of each edit that :func:`pack` finds, in its order."""
    found: dict[int, str] = {}
    for row in rows:
        for hit in row.decision.hits:
            payload: Payload = hit.record.payloads.get(editor, {})
            if all(name in payload for name in names):
                found[hit.record.sequence] = str(payload.get(f"{key}label", ""))
    return [found[sequence] for sequence in sorted(found)]
