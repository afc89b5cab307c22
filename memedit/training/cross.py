"""Training the scope's cross-encoder on the pairs that it will be asked about."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memedit.scope.classifier import Joint, PairModel
from memedit.scope.cross import FILE, CrossEncoder, changes
from memedit.scope.features import SCALARS
from memedit.scope.reading import TextPair
from memedit.training.loop import Schedule, train
from memedit.training.pairs import Floats, Pairs

_ALIKE, _UNNAMED, _POSSIBLE = 0.5, 0.35, 0.01
"""Cosine of a pair, and of one whose edit has no subject, and probability of the pair network, from
which it is read among many edits. Among few, fainter ones are: ``_CERTAIN`` stands for them."""
_CERTAIN = 0.06
"""Share of the pairs that nothing would read that are learnt from too."""
NONE, ASKS, INFORMS = range(3)
Labelled = tuple[TextPair, int]
"""A pair and what the edit is to the request: :data:`NONE`, :data:`ASKS` or :data:`INFORMS`."""


def readable(pairs: Pairs, chances: Floats) -> np.ndarray[Any, Any]:
    """[n] bool: pairs that the cross-encoder would read among many edits."""
    names = ("mentioned", "similarity", "has_subject")
    named, alike, has_subject = (pairs.scalars[:, SCALARS.index(name)] for name in names)
    least = np.where(has_subject > 0, _ALIKE, _UNNAMED)
    found: np.ndarray[Any, Any] = (named > 0) | (alike >= least) | (chances >= _POSSIBLE)
    return found


def choose_pairs(model: PairModel, pairs: Pairs, seed: int) -> list[Labelled]:
    """The pairs that would be read, and some of the others."""
    take = readable(pairs, _own(model, pairs))
    take |= np.random.default_rng(seed).random(len(pairs)) < _CERTAIN
    return [(pairs.texts[i], int(pairs.labels[i])) for i in np.flatnonzero(take)]


def fresh(encoder: Any, seed: int, form: type[CrossEncoder] = CrossEncoder) -> CrossEncoder:
    """A cross-encoder as the encoder is, with a head that knows nothing; embeddings are frozen."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cross = form(*encoder.transformer())
    return set_learning(cross)


def set_learning(cross: CrossEncoder) -> CrossEncoder:
    """The same, its layers and head learning, its embeddings not."""
    for name, parameter in cross.named_parameters():
        parameter.requires_grad_("embeddings" not in name and "pooler" not in name)
    return cross


def train_cross(
    encoder: Any,
    labelled: Sequence[Labelled],
    schedule: Schedule,
    folder: Path,
    *,
    form: type[CrossEncoder] = CrossEncoder,
    start: CrossEncoder | None = None,
    bf16: bool = False,
    report: Callable[[int, dict[str, float]], None] = lambda step, values: None,
) -> CrossEncoder:
    """Minimise the binary cross-entropy of both logits; the result is returned and, in 8 bits as
    it will be used, in ``folder/cross.safetensors``.

    Every pair comes once before any comes twice. Interrupted, it goes on from its checkpoint.
    ``form`` is the class that is trained, ``start`` one that is trained on; None: a new one. With
    ``bf16`` passes are in bfloat16 and weights in float32: three times as fast where the processor
    has instructions for it, slower where not.
    """
    cross = set_learning(start) if start else fresh(encoder, schedule.seed, form)
    parameters = {n: p for n, p in cross.named_parameters() if p.requires_grad}
    batches = Batches(labelled, schedule)

    def loss_of(step: int) -> Tensor:
        batch = batches.of(step)
        labels = torch.tensor([label for _, label in batch])
        truth = torch.stack((labels == ASKS, labels != NONE), 1).float()
        with torch.autocast(cross.head.weight.device.type, torch.bfloat16, enabled=bf16):
            logits = cross([pair for pair, _ in batch]).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, truth.to(logits.device))

    cross.train()
    train(parameters, loss_of, schedule, folder, report=report)
    save_cross(cross, encoder, folder / FILE)
    return cross.eval()


class Batches:
    """Batches of pairs alike in length, in a random order that depends on seed and step alone."""

    def __init__(self, labelled: Sequence[Labelled], schedule: Schedule) -> None:
        self._labelled, self._schedule = labelled, schedule
        self._epoch, self._batches = -1, list[list[Labelled]]()

    def of(self, step: int) -> list[Labelled]:
        size = self._schedule.batch
        epoch, place = divmod(step, max(1, len(self._labelled) // size))
        if epoch != self._epoch:
            rng = random.Random(f"{self._schedule.seed}/{epoch}")
            order = rng.sample(self._labelled, len(self._labelled))
            self._batches = []
            # Sorted within 32 batches only: over all of them every epoch would bring the same
            # batches.
            for start in range(0, len(order), 32 * size):
                near = sorted(order[start : start + 32 * size], key=_length)
                self._batches += [near[i : i + size] for i in range(0, len(near), size)]
            # A short one at the end would weigh each of its pairs more.
            self._batches = [b for b in self._batches if len(b) == size] or self._batches
            rng.shuffle(self._batches)
            self._epoch = epoch
        return self._batches[place % len(self._batches)]


def _length(labelled: Labelled) -> int:
    return len(labelled[0][0]) + len(labelled[0][1])


def save_cross(cross: CrossEncoder, encoder: Any, file: Path) -> None:
    """Write what the training changed (:func:`memedit.scope.cross.changes`)."""
    from safetensors.torch import save_file

    save_file(changes(cross, encoder.transformer()[0]), file)


def fit_joints(model: PairModel, pairs: Pairs, cross: CrossEncoder) -> tuple[Joint, Joint]:
    """(a, b, c) of p = sigmoid(a pair logit + b cross logit + c) of asking and of bearing, on the
    pairs that are read (Platt)."""
    from sklearn.linear_model import LogisticRegression

    where = np.flatnonzero(readable(pairs, _own(model, pairs)))
    own = model.logits(pairs.scalars[where], pairs.vectors[where].astype(np.float32))
    read = cross.logits([pairs.texts[i] for i in where])
    truths = (pairs.labels[where] == ASKS, pairs.labels[where] != NONE)
    joints: list[Joint] = []
    for column, truth in zip(read.T, truths, strict=True):
        both = np.stack((own, column), axis=1).astype(np.float64)
        fit = LogisticRegression(C=1e3).fit(both, truth)
        a, b = fit.coef_[0].tolist()
        joints.append((a, b, float(fit.intercept_[0])))
    return joints[0], joints[1]


def chances(model: PairModel, pairs: Pairs, cross: CrossEncoder | None) -> Floats:
    """[n] the probabilities of asking that the scope gives these pairs."""
    found = _own(model, pairs)
    if cross is None:
        return found
    where = np.flatnonzero(readable(pairs, found))
    logits = model.logits(pairs.scalars[where], pairs.vectors[where].astype(np.float32))
    found[where] = model.join_chances(logits, cross.logits([pairs.texts[i] for i in where]))[:, 0]
    return found


def _own(model: PairModel, pairs: Pairs) -> Floats:
    return model.of(model.logits(pairs.scalars, pairs.vectors.astype(np.float32)))
