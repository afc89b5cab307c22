"""Training the scope's pair model: balanced binary cross-entropy, then calibration.

SERAC's L_cls (Mitchell et al. 2022): positives and negatives weigh the same in sum. The network's
probabilities are then calibrated on other subjects (Platt's scaling of the logit).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memedit.scope.calibrate import reliability
from memedit.scope.classifier import FIRES, PairModel
from memedit.training.pairs import KINDS, POSITIVE, Floats, Pairs

PROJECTED, HIDDEN = 64, 64


class _Network(nn.Module):
    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.project = nn.Linear(wide, PROJECTED)
        self.hidden = nn.Linear(narrow + PROJECTED, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, narrow: Tensor, wide: Tensor) -> Tensor:
        seen = self.drop(torch.relu(self.project(self.drop(wide))))
        inner = self.drop(torch.relu(self.hidden(torch.cat((narrow, seen), 1))))
        logits: Tensor = self.out(inner)[:, 0]
        return logits


def balanced_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """mean over positives of -log s + mean over negatives of -log(1 - s), s the sigmoid."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    positive = labels > 0.5
    parts = [each[which].mean() for which in (positive, ~positive) if which.any()]
    return torch.stack(parts).sum()


def train_pair_model(
    pairs: Pairs,
    *,
    epochs: int = 12,
    rate: float = 2e-3,
    seed: int = 0,
    manifest: dict[str, Any],
    report: Callable[[int, float, int], None] = lambda epoch, loss, epochs: None,
) -> PairModel:
    """The network trained on ``pairs``; not yet calibrated (temperature 1, shift 0)."""
    batch = min(512, max(32, len(pairs) // 100))  # a hundred steps an epoch, or more
    # A feature that is the same for all pairs must not be divided by zero.
    mean, scale = pairs.scalars.mean(0), pairs.scalars.std(0) + 1e-3
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _Network(pairs.scalars.shape[1], pairs.vectors.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
        steps = epochs * (len(pairs) // batch + 1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
        narrow = torch.from_numpy((pairs.scalars - mean) / scale)
        labels = torch.from_numpy((pairs.labels != 0).astype(np.float32))
        for epoch in range(epochs):
            total = 0.0
            for part in torch.split(torch.randperm(len(pairs)), batch):
                wide = torch.from_numpy(pairs.vectors[part.numpy()].astype(np.float32))
                loss = balanced_loss(network(narrow[part], wide), labels[part])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                total += loss.item() * len(part)
            report(epoch + 1, total / len(pairs), epochs)
    return _export(network, mean, scale, manifest)


def _export(network: _Network, mean: Floats, scale: Floats, manifest: dict[str, Any]) -> PairModel:
    def array(tensor: Tensor) -> Floats:
        found: Floats = tensor.detach().numpy().astype(np.float32)
        return found

    return PairModel(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        project=array(network.project.weight.T),
        project_bias=array(network.project.bias),
        hidden=array(network.hidden.weight.T),
        hidden_bias=array(network.hidden.bias),
        out=array(network.out.weight[0]),
        out_bias=array(network.out.bias),
        temperature=1.0,
        shift=0.0,
        manifest=manifest,
    )


def best_of_queries(
    pairs: Pairs, scores: Floats, truth: np.ndarray[Any, Any]
) -> tuple[Floats, np.ndarray[Any, Any]]:
    """([q] highest score of each query, [q] ``truth`` [n] of that candidate)."""
    order = np.lexsort((-scores, pairs.query))
    first = np.r_[True, np.diff(pairs.query[order]) > 0]
    best = order[first]
    return scores[best], truth[best]


def calibrate(model: PairModel, pairs: Pairs) -> PairModel:
    """The model with temperature and shift fitted on the best candidate of each query (Platt)."""
    from sklearn.linear_model import LogisticRegression

    logits = model.logits(pairs.scalars, pairs.vectors.astype(np.float32))
    best, right = best_of_queries(pairs, logits, pairs.labels != 0)
    # Nearly without a prior: it is two numbers that are fitted.
    fitted = LogisticRegression(C=1e3).fit(best[:, None].astype(np.float64), right)
    slope, bias = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return replace(model, temperature=1 / slope, shift=-bias / slope)


def summary(pairs: Pairs, chances: Floats) -> dict[str, float]:
    """Of the probabilities [n] of pairs of other subjects: recall and false fires by kind at the
    default threshold (:data:`~memedit.scope.classifier.FIRES`), and the calibration error."""
    best, right = best_of_queries(pairs, chances, pairs.labels == 1)
    order = np.lexsort((-chances, pairs.query))
    kinds = pairs.kinds[order[np.r_[True, np.diff(pairs.query[order]) > 0]]]
    asked = np.isin(pairs.query, pairs.query[pairs.labels == 1])
    answerable = asked[order[np.r_[True, np.diff(pairs.query[order]) > 0]]]
    found = {"ece": reliability(best.astype(np.float64), right).ece}
    for kind in KINDS:
        mine = (kinds == kind) & (answerable if kind in POSITIVE else True)
        if mine.any():
            fires = best[mine] >= FIRES
            value = (fires & right[mine]).mean() if kind in POSITIVE else fires.mean()
            found[f"{kind}_{'recall' if kind in POSITIVE else 'false_fire'}"] = float(value)
    return found
