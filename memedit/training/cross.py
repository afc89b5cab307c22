"""Training the scope's cross-encoder on the pairs of which the pair network is in doubt."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memedit.scope.classifier import IN_DOUBT, PairModel
from memedit.scope.cross import FILE, CrossEncoder
from memedit.scope.features import TextPair
from memedit.training.loop import Schedule, train
from memedit.training.pairs import Floats, Pairs

RANK, SCALE = 16, 2.0
TARGETS = r".*\.layer\.\d+\..*(query|key|value|q_lin|k_lin|v_lin|out_lin|lin1|lin2|dense)"
"""Modules that get an adapter: attention's maps and the feed-forward layer's of BERT's kin."""
_CERTAIN = 0.06
"""Share of the pairs beyond doubt that are learnt from too."""
Labelled = tuple[TextPair, int]


def in_doubt(model: PairModel, pairs: Pairs, *, wider: float = 1.0) -> np.ndarray[Any, Any]:
    """[n] bool: pairs on whose probability the cross-encoder is asked.

    ``wider``: factor by which the band's distance from 0 and from 1 is divided.
    """
    chances = model.of(model.logits(pairs.scalars, pairs.vectors.astype(np.float32)))
    low, high = IN_DOUBT
    found: np.ndarray[Any, Any] = (chances >= low / wider) & (1 - chances >= (1 - high) / wider)
    return found


def chosen(model: PairModel, pairs: Pairs, seed: int) -> list[Labelled]:
    """The pairs in doubt, and some of the others."""
    take = in_doubt(model, pairs, wider=3.0)
    take |= np.random.default_rng(seed).random(len(pairs)) < _CERTAIN
    return [(pairs.texts[i], int(pairs.labels[i])) for i in np.flatnonzero(take)]


def adapted(encoder: Any, seed: int, form: type[CrossEncoder] = CrossEncoder) -> CrossEncoder:
    """A cross-encoder whose body has a fresh adapter (PEFT's)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=RANK, lora_alpha=int(SCALE * RANK), target_modules=TARGETS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cross = form(*encoder.transformer())
        cross.body = get_peft_model(cross.body, config)
    return cross


def train_cross(
    encoder: Any,
    labelled: Sequence[Labelled],
    schedule: Schedule,
    folder: Path,
    *,
    form: type[CrossEncoder] = CrossEncoder,
    report: Callable[[int, dict[str, float]], None] = lambda step, values: None,
) -> CrossEncoder:
    """Minimise binary cross-entropy; the result is returned and in ``folder/cross.safetensors``.

    Every pair comes once before any comes twice. Interrupted, it goes on from its checkpoint.
    ``form`` is the class that is trained.
    """
    cross = adapted(encoder, schedule.seed, form)
    parameters = {n: p for n, p in cross.named_parameters() if p.requires_grad}
    batches = _Batches(labelled, schedule)

    def loss_of(step: int) -> Tensor:
        batch = batches.of(step)
        truth = torch.tensor([float(label) for _, label in batch])
        logits = cross([pair for pair, _ in batch])
        return nn.functional.binary_cross_entropy_with_logits(logits, truth.to(logits.device))

    cross.train()
    train(parameters, loss_of, schedule, folder, report=report)
    _save(cross, folder / FILE)
    return cross.eval()


class _Batches:
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
            for start in range(0, len(order), 32 * size):
                near = sorted(order[start : start + 32 * size], key=_length)
                self._batches += [near[i : i + size] for i in range(0, len(near), size)]
            self._batches = [b for b in self._batches if len(b) == size] or self._batches
            rng.shuffle(self._batches)
            self._epoch = epoch
        return self._batches[place % len(self._batches)]


def _length(labelled: Labelled) -> int:
    return len(labelled[0][0]) + len(labelled[0][1])


def _save(cross: CrossEncoder, file: Path) -> None:
    """Adapter and head in half precision, the adapter's scale multiplied into ``b``."""
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {f"head.{n}": p for n, p in cross.head.named_parameters()}
    for name, parameter in cross.body.named_parameters():
        site, adapter, _ = name.removeprefix("base_model.model.").partition(".lora_")
        if adapter:
            half = name.rpartition(".lora_")[2][0].lower()
            tensors[f"{site}.{half}"] = parameter * (SCALE if half == "b" else 1.0)
    kept = {n: t.detach().to(torch.float16).cpu().contiguous() for n, t in tensors.items()}
    save_file(kept, file)


def fitted(model: PairModel, pairs: Pairs, cross: CrossEncoder) -> tuple[float, float, float]:
    """(a, b, c) of p = sigmoid(a pair logit + b cross logit + c), on the pairs in doubt (Platt)."""
    from sklearn.linear_model import LogisticRegression

    where = np.flatnonzero(in_doubt(model, pairs))
    own = model.logits(pairs.scalars[where], pairs.vectors[where].astype(np.float32))
    both = np.stack((own, cross.logits([pairs.texts[i] for i in where])), axis=1)
    fit = LogisticRegression(C=1e3).fit(both.astype(np.float64), pairs.labels[where])
    (a, b), c = fit.coef_[0].tolist(), float(fit.intercept_[0])
    return a, b, c


def chances(model: PairModel, pairs: Pairs, cross: CrossEncoder | None) -> Floats:
    """[n] the probabilities that the scope gives these pairs."""
    logits = model.logits(pairs.scalars, pairs.vectors.astype(np.float32))
    if cross is None:
        return model.of(logits)
    return model.of(logits, lambda where: cross.logits([pairs.texts[i] for i in where]))
