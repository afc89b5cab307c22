"""Fitting a base's probes: ``memedit train probes``.

Two banks of questions whose answers are known are put to the base as it will be asked
(:mod:`memedit.model.second_look`, :mod:`memedit.editors.prompting.judging`): whether a fact is
needed for a request, and what is to be answered with yes or no. Of each the output of a middle
layer is read, and a regularised logistic regression (scikit-learn) finds the direction.

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
from memedit.editors.prompting import judging
from memedit.editors.prompting.notes import write_question
from memedit.engine.polls import Frame
from memedit.engine.probes import (
    NEEDED,
    YES_OR_NO,
    Probe,
    digest,
    file_of,
    read_states,
    save_probes,
)
from memedit.model import second_look
from memedit.model.second_look import BEARING, log_odds
from memedit.training.requests.banks import bank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memedit.engine.engine import Engine

DEPTH = 0.62
"""Where the layer lies: of the 28 layers of Qwen2.5-Coder-1.5B the 18th tells best."""
_STRENGTH = {NEEDED: 0.003, YES_OR_NO: 0.001}
"""Inverse of the regularisation, of features of unit variance."""
_FOLDS, _CHUNK = 5, 64
_FEWEST = 50
"""Questions from which a direction can be fitted."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """How well a probe reads questions of folds that it was not fitted on.

    Attributes:
        area: Under the ROC curve, of what the base and the scope say together.
        before: The same of the scope alone; None where it has no part.
        right: Share of the answers that are right.
        n: Questions.
    """

    area: float
    before: float | None
    right: float
    n: int


def train_probes(
    lm: Engine,
    *,
    most: int | None = None,
    out: Path | None = None,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Fitted]:
    """Fit a base's probes and keep them for it; how well they read.

    Interrupted, it goes on where it was.

    Args:
        lm: The base.
        most: At most so many questions of each bank; None asks them all.
        out: The file to write; by default the one that is read on this machine.
        progress: Called with (what, done, in all).

    Raises:
        InvalidInputError: the base takes no chats, has no room for the questions, or ``most`` is
            too few.
        UnsupportedArchitectureError: where the base keeps its layers is not known.
    """
    if most is not None and most < _FEWEST:
        raise InvalidInputError(f"{most} questions are too few; at least {_FEWEST} are needed.")
    looked, judged = bank("looks")[:most], bank("yes_no")[:most]
    questions = {
        NEEDED: [asked for asked, _, _ in looked],
        YES_OR_NO: [write_question(*asked) for *asked, _ in judged],
    }
    frames = {NEEDED: second_look.recall_frame(lm), YES_OR_NO: judging.recall_frame(lm)}
    layer = int(DEPTH * lm.sites.layers)
    file = out or file_of(lm.fingerprint)
    probes, fitted = dict[str, Probe](), dict[str, Fitted]()
    for name, frame in frames.items():
        if frame is None or not all(frame.has_room(each, lm, 0) for each in questions[name]):
            raise InvalidInputError(
                "This base takes no chats, thinks aloud, or has too small a window for probes.",
                hint="The second look of the scope works without them where the base tells its "
                "worked examples apart.",
            )
        states = _collect(name, questions[name], frame, layer, lm, file, progress)
        if name == NEEDED:
            needed = np.array([bool(each) for _, each, _ in looked])
            bearing = np.array([float(each) for _, _, each in looked])
            direction, bias, fitted[name] = fit_needed(states, needed, bearing)
        else:
            yes = np.array([bool(each) for *_, each in judged])
            direction, bias, fitted[name] = fit_yes_or_no(states, yes)
        probes[name] = _make_probe(layer, direction, bias, frame)
    save_probes(probes, lm, file)
    for name in frames:
        _part_of(file, name).unlink(missing_ok=True)
    return fitted


def _make_probe(layer: int, direction: NDArray[Any], bias: float, frame: Frame) -> Probe:
    import torch

    return Probe(layer, torch.tensor(direction, dtype=torch.float32), bias, digest(frame))


def _collect(
    name: str,
    asked: Sequence[str],
    frame: Frame,
    layer: int,
    lm: Engine,
    file: Path,
    progress: Progress,
) -> NDArray[Any]:
    """[n, d] float32 states behind questions, those that are kept beside ``file`` first."""
    from safetensors.numpy import save_file

    part, parts = _part_of(file, name), list[Any]()
    key = sha256(json.dumps([list(asked), digest(frame), layer, lm.fingerprint]).encode())
    try:
        with open_tensors(part, "np") as opened:
            if opened.metadata().get("of") == key.hexdigest():
                parts.append(opened.get_tensor("states"))
    except (OSError, UntrustedFileError, AttributeError):
        pass  # none yet, or one that a crash left: begun anew
    part.parent.mkdir(parents=True, exist_ok=True)
    while (done := sum(map(len, parts))) < len(asked):
        progress(f"Reading states: {name}", done, len(asked))
        parts.append(read_states(asked[done : done + _CHUNK], frame, layer, lm).numpy())
        with replacing(part) as new:
            save_file({"states": np.concatenate(parts)}, new, {"of": key.hexdigest()})
    progress(f"Reading states: {name}", done, len(asked))
    found: NDArray[Any] = np.concatenate(parts)
    return found


def _part_of(file: Path, name: str) -> Path:
    """Where the states are kept until the probe is fitted."""
    return file.with_name(f"{file.stem}.{name.replace(' ', '-')}.part")


def fit_needed(
    states: NDArray[Any], needed: NDArray[Any], bearing: NDArray[Any]
) -> tuple[NDArray[Any], float, Fitted]:
    """The direction and bias by which a fact is needed, on the scale of the second look.

    Args:
        states: [n, d] of length 1.
        needed: [n] booleans.
        bearing: [n] probabilities of the scope.
    """
    from sklearn.metrics import roc_auc_score

    scope = np.array([log_odds(chance) for chance in bearing])
    apart = _read_apart(states, needed, _STRENGTH[NEEDED])
    both = np.stack([apart, scope], 1)
    weights, bias = _regress(both, needed, 1.0)
    together = both @ weights + bias
    fitted = Fitted(
        float(roc_auc_score(needed, together)), float(roc_auc_score(needed, scope)),
        float(((together > 0) == needed).mean()), len(needed),
    )  # fmt: skip
    # The scope's log odds count BEARING there; the direction is put on that scale.
    scale = BEARING / max(float(weights[1]), 0.1)
    direction, own = _regress(states, needed, _STRENGTH[NEEDED])
    return (
        direction * weights[0] * scale,
        float((own * weights[0] + bias) * scale),
        fitted,
    )


def fit_yes_or_no(states: NDArray[Any], yes: NDArray[Any]) -> tuple[NDArray[Any], float, Fitted]:
    """The direction and bias of yes, as log odds.

    Args:
        states: [n, d] of length 1.
        yes: [n] booleans.
    """
    from sklearn.metrics import roc_auc_score

    apart = _read_apart(states, yes, _STRENGTH[YES_OR_NO])
    weights, bias = _regress(apart[:, None], yes, 1.0)
    area, right = roc_auc_score(yes, apart), ((apart * weights[0] + bias > 0) == yes).mean()
    direction, own = _regress(states, yes, _STRENGTH[YES_OR_NO])
    fitted = Fitted(float(area), None, float(right), len(yes))
    return direction * weights[0], float(own * weights[0] + bias), fitted


def _read_apart(states: NDArray[Any], labels: NDArray[Any], strength: float) -> NDArray[Any]:
    """[n] log odds of each, fitted on the others; neighbours, which ask of the same facts, are
    left out together."""
    found = np.zeros(len(labels))
    for part in np.array_split(np.arange(len(labels)), _FOLDS):
        rest = np.setdiff1d(np.arange(len(labels)), part)
        direction, bias = _regress(states[rest], labels[rest], strength)
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
