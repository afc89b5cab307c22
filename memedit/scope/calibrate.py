"""Thresholds with a guarantee, and how well probabilities are calibrated."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memedit.core.errors import InvalidInputError

Doubles = npt.NDArray[np.float64]
SURE = 0.95
"""A probability that a question of an edit reaches, and hardly ever another text."""


def find_threshold(scores: Doubles, max_false_fire: float, confidence: float) -> float:
    """The lowest threshold t with P(score >= t) <= ``max_false_fire``, at this confidence.

    Distribution-free (split conformal, training-conditional: Vovk 2012, arXiv 1209.2673): of n
    negatives drawn like those to come, taking t just above the (k + 1)-th highest score leaves a
    false-fire rate above ``max_false_fire`` with probability at most
    P(Binomial(n, max_false_fire) <= k); k is the largest number for which that is at most
    1 - ``confidence``.

    Args:
        scores: [n] scores of queries that concern no edit.
        max_false_fire: In (0, 1).
        confidence: In (0, 1).

    Raises:
        InvalidInputError: n is too small: not even k = 0 gives the bound.
    """
    if not (0 < max_false_fire < 1 and 0 < confidence < 1):
        raise InvalidInputError("max_false_fire and confidence must lie between 0 and 1.")
    from scipy.stats import binom

    n = len(scores)
    least = math.ceil(math.log(1 - confidence) / math.log1p(-max_false_fire))
    if n < least:
        raise InvalidInputError(
            f"A false-fire rate of {max_false_fire:g} with {confidence:.0%} confidence takes at "
            f"least {least:,} negatives, not {n:,}.",
            hint="Give more queries that concern no edit, or accept a higher rate.",
        )
    allowed = 0
    while binom.cdf(allowed + 1, n, max_false_fire) <= 1 - confidence:
        allowed += 1
    highest = np.sort(scores)[::-1]
    # Just above it: a score that equals the threshold fires.
    return float(np.nextafter(highest[allowed], np.inf))


def warn_of_edited(scores: Doubles, threshold: float) -> None:
    """Warn where a threshold was found that hardly an edit passes: its texts concern edits."""
    if threshold > SURE:
        warnings.warn(
            f"{int((scores > SURE).sum()):,} of {len(scores):,} texts seem to ask for an edit: the "
            f"threshold is {min(1.0, threshold):.3f} now, and hardly an edit fires. Leave out what "
            "concerns edits (model.decide(texts) tells which), and calibrate a new model: a "
            "threshold is only raised.",
            stacklevel=5,  # whoever called EditableModel.calibrate_scope
        )


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: per bin of predicted probability, what was predicted and what was so.

    Attributes:
        predicted, observed: [bins] means; nan in an empty bin.
        counts: [bins].
        ece: Expected calibration error: |predicted - observed| weighted by the counts.
    """

    predicted: Doubles
    observed: Doubles
    counts: npt.NDArray[np.int64]
    ece: float


def reliability(chances: Doubles, truth: npt.NDArray[np.bool_], bins: int = 15) -> Reliability:
    """Compare probabilities [n] with what was so [n], in ``bins`` bins of equal width."""
    if len(chances) != len(truth) or not len(chances):
        raise InvalidInputError("As many probabilities as outcomes are needed, at least one.")
    which = np.minimum((chances * bins).astype(int), bins - 1)  # 1.0: in the last
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(which, weights=chances, minlength=bins) / counts
        observed = np.bincount(which, weights=truth.astype(float), minlength=bins) / counts
    gaps = np.nan_to_num(np.abs(predicted - observed))
    return Reliability(predicted, observed, counts, float((gaps * counts).sum() / counts.sum()))
