"""Trains the default of ``multiple``: which relations have several values at once.

    python -m memedit.training.several [--out memedit/model/several.json]

From our own templates (``several.json`` beside this module), grouped by what is told; groups are
held out whole. A fold's decision is asked only about groups that it has not seen.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from memedit.core.protocols import Encoder
from memedit.core.text import MASK
from memedit.core.types import Vectors
from memedit.engine.encoders import load_encoder
from memedit.model.several import read_features

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
_FOLDS = 10
_WRONG = 0.02
"""Share of relations with one value that may be taken for one with several, and the reverse."""


def templates() -> tuple[list[str], np.ndarray[Any, Any], list[str]]:
    """(masked prompts, whether each has several values, its group)."""
    told = json.loads(files("memedit.training").joinpath("several.json").read_text("utf-8"))
    rows = [
        (form.replace("{}", MASK), kind == "many", f"{kind}:{group}")
        for kind, groups in told.items()
        for group, forms in groups.items()
        for form in forms
    ]
    texts, many, groups = zip(*rows, strict=True)
    return list(texts), np.array(many), list(groups)


def predict_held_out(
    vectors: Vectors, many: npt.NDArray[np.bool_], groups: list[str], strength: float
) -> npt.NDArray[np.float64]:
    """[n] probability of several values, each by a decision that has not seen its group."""
    made = LogisticRegression(C=strength, max_iter=2_000)
    folds = GroupKFold(_FOLDS)
    chances: npt.NDArray[np.float64] = cross_val_predict(
        made, vectors, many, groups=groups, cv=folds, method="predict_proba"
    )
    return chances[:, 1]


def fit(encoder: Encoder) -> dict[str, Any]:
    """What :func:`memedit.model.several.load_trained` reads, with what it was seen to do."""
    texts, many, groups = templates()
    vectors = read_features(texts, encoder)
    rated = {}
    for strength in _STRENGTHS:
        # Within bounds: one sure error would make the loss of all infinite.
        chance = np.clip(predict_held_out(vectors, many, groups, strength), 1e-6, 1 - 1e-6)
        loss = -np.mean(np.where(many, np.log(chance), np.log(1 - chance)))
        rated[strength] = (float(loss), chance)
    strength = min(rated, key=lambda each: rated[each][0])
    chance = rated[strength][1]
    above = float(np.quantile(chance[~many], 1 - _WRONG))
    below = float(np.quantile(chance[many], _WRONG))
    final = LogisticRegression(C=strength, max_iter=2_000).fit(vectors, many)
    return {
        "encoder": encoder.id,
        "weights": [round(float(w), 5) for w in final.coef_[0]],
        "bias": round(float(final.intercept_[0]), 5),
        "many": round(max(0.5, above), 4),
        "one": round(min(0.5, below), 4),
        "held_out": {
            "templates": len(texts),
            "groups": len(set(groups)),
            "loss": round(rated[strength][0], 4),
            "strength": strength,
            "right": round(float(np.mean((chance >= 0.5) == many)), 4),
            "many_found": round(float(np.mean(chance[many] > above)), 4),
            "one_found": round(float(np.mean(chance[~many] < below)), 4),
        },
    }


def main(
    out: Annotated[Path, typer.Option(help="Where it goes.")] = Path("memedit/model/several.json"),
) -> None:
    """Train the default of ``multiple``."""
    made = fit(load_encoder())
    out.write_text(json.dumps(made) + "\n", "utf-8")
    typer.echo(json.dumps(made["held_out"], indent=1))


if __name__ == "__main__":
    typer.run(main)
