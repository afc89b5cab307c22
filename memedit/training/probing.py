"""Fitting a base's probe: ``memedit train probe``.

Questions whose answers are known, of whether a fact is needed for a request, are put to the base as
it will be asked (:mod:`memedit.model.second_look`). Of each the output of a middle layer is read,
and a regularised logistic regression (scikit-learn) finds the direction.

What the base says of a fact is weighed together with the scope's probability. How much each counts
is fitted on folds that the direction was not fitted on; otherwise it would be believed too much.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memedit.core.errors import InvalidInputError, UntrustedFileError
from memedit.core.files import replacing
from memedit.core.untrusted import open_tensors
from memedit.engine.polls import Frame
from memedit.engine.probes import Probe, digest, file_of, read_states, save_probe
from memedit.model.second_look import BEARING, log_odds, recall_frame
from memedit.training.requests.banks import bank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memedit.engine.engine import Engine

DEPTH = 0.62
"""Where the layer lies: of the 28 layers of Qwen2.5-Coder-1.5B the 18th tells best."""
_STRENGTH = 0.01
"""Inverse of the regularisation, of features of unit variance."""
_FOLDS, _CHUNK = 5, 64
FEWEST = 500
"""Questions from which a probe reads better than the next word does."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """How well a probe reads questions of folds that it was not fitted on.

    Attributes:
        area: Under the ROC curve, of what the base and the scope say together.
        before: The same of the scope alone.
        right: Share of the answers that are right.
        n: Questions.
    """

    area: float
    before: float
    right: float
    n: int


def train_probe(
    lm: Engine,
    *,
    most: int | None = None,
    out: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Fitted:
    """Fit a base's probe and keep it for it; how well it reads.

    Interrupted, it goes on where it was.

    Args:
        lm: The base.
        most: At most so many questions; None asks them all.
        out: The file to write; by default the one that is read on this machine.
        progress: Called with (done, in all).

    Raises:
        InvalidInputError: the base takes no chats, has no room for the questions, or ``most`` is
            too few.
        UnsupportedArchitectureError: where the base keeps its layers is not known.
    """
    if most is not None and most < FEWEST:
        raise InvalidInputError(f"{most} questions are too few; at least {FEWEST} are needed.")
    looks = bank("looks")
    if most is not None:  # of all kinds
        looks = looks[:: max(1, len(looks) // most)][:most]
    asked = [question for question, _, _ in looks]
    frame, layer = recall_frame(lm), int(DEPTH * lm.sites.layers)
    if frame is None or not frame.has_room(max(asked, key=len), lm, 0):
        raise InvalidInputError(
            "This base takes no chats, thinks aloud, or has too small a window for a probe.",
            hint="The second look does without one where a base tells its worked examples apart.",
        )
    file = out or file_of(lm.fingerprint)
    states = _collect(asked, frame, layer, lm, file, progress)
    needed = np.array([bool(each) for _, each, _ in looks])
    bearing = np.array([float(each) for _, _, each in looks])
    probe, fitted = fit_probe(states, needed, bearing, layer, digest(frame))
    save_probe(probe, lm, file)
    _part_of(file).unlink(missing_ok=True)
    return fitted


def _collect(
    asked: Sequence[str],
    frame: Frame,
    layer: int,
    lm: Engine,
    file: Path,
    progress: Progress,
) -> NDArray[Any]:
    """[n, d] float32 states behind questions, those that are kept beside ``file`` first."""
    from safetensors.numpy import save_file

    part, parts = _part_of(file), list[Any]()
    key = sha256(json.dumps([list(asked), digest(frame), layer, lm.fingerprint]).encode())
    try:
        with open_tensors(part, "np") as opened:
            if opened.metadata().get("of") == key.hexdigest():
                parts.append(opened.get_tensor("states"))
    except (OSError, UntrustedFileError, AttributeError):
        pass  # none yet, or one that a crash left: begun anew
    part.parent.mkdir(parents=True, exist_ok=True)
    while (done := sum(map(len, parts))) < len(asked):
        progress(done, len(asked))
        parts.append(read_states(asked[done : done + _CHUNK], frame, layer, lm).numpy())
        with replacing(part) as new:
            save_file({"states": np.concatenate(parts)}, new, {"of": key.hexdigest()})
    progress(done, len(asked))
    found: NDArray[Any] = np.concatenate(parts)
    return found


def _part_of(file: Path) -> Path:
    """Where the states are kept until the probe is fitted."""
    return file.with_suffix(".part")


def fit_probe(
    states: NDArray[Any], needed: NDArray[Any], bearing: NDArray[Any], layer: int, frame: str
) -> tuple[Probe, Fitted]:
    """The probe of whether a fact is needed, on the scale of the second look.

    Args:
        states: [n, d] of length 1.
        needed: [n] booleans.
        bearing: [n] probabilities of the scope.
        layer: Whose output the states are.
        frame: Digest of the words around the questions.
    """
    import torch
    from sklearn.metrics import roc_auc_score

    scope = np.array([log_odds(chance) for chance in bearing])
    both = np.stack([_read_apart(states, needed), scope], 1)
    weights, bias = _regress(both, needed, 1.0)
    total = both @ weights + bias
    right = float(((total > 0) == needed).mean())
    area, before = (float(roc_auc_score(needed, each)) for each in (total, scope))
    # The scope's log odds count BEARING there: the direction is put on that scale.
    scale = BEARING / max(float(weights[1]), 0.1)
    direction, own = _regress(states, needed, _STRENGTH)
    weight = torch.tensor(direction * weights[0] * scale, dtype=torch.float32)
    probe = Probe(layer, weight, float((own * weights[0] + bias) * scale), frame)
    return probe, Fitted(area, before, right, len(needed))


def _read_apart(states: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """[n] log odds of each, fitted on the others; neighbours, which ask of the same facts, are
    left out together."""
    found = np.zeros(len(labels))
    for part in np.array_split(np.arange(len(labels)), _FOLDS):
        rest = np.setdiff1d(np.arange(len(labels)), part)
        direction, bias = _regress(states[rest], labels[rest], _STRENGTH)
        found[part] = states[part] @ direction + bias
    return found


def _regress(
    features: NDArray[Any], labels: NDArray[Any], strength: float
) -> tuple[NDArray[Any], float]:
    """Weights and bias of a logistic regression, of the features as they are."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(0), features.std(0) + 1e-6
    fitted = LogisticRegression(C=strength, max_iter=1_000).fit((features - mean) / spread, labels)
    weights = fitted.coef_[0] / spread
    return weights, float(fitted.intercept_[0] - weights @ mean)
