"""Metrics made of other metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Derived:
    """A number made of several metrics.

    Attributes:
        parts: Names of the metrics.
        of: Their values to one; NaN where it is not defined.
        records: ``of`` each record's values, then the mean; otherwise ``of`` the means.
        some: Parts that there are not may be missing.
    """

    parts: tuple[str, ...]
    of: Callable[[Sequence[float]], float]
    records: bool = False
    some: bool = False


def harmonic(values: Sequence[float]) -> float:
    """Harmonic mean; 0 when one of the values is not positive."""
    return len(values) / sum(1 / v for v in values) if all(v > 0 for v in values) else 0.0


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def drop(values: Sequence[float]) -> float:
    """before - after, of (before, after)."""
    before, after = values
    return before - after


def deterioration(values: Sequence[float]) -> float:
    """1 - after / before, of (before, after): KE's performance deterioration."""
    before, after = values
    return 1 - after / before if before else math.nan


def perplexity(values: Sequence[float]) -> float:
    """exp of a mean -log p per token."""
    return math.exp(values[0])


def sentiment(values: Sequence[float]) -> float:
    """SERAC's sentiment ES = z_sent z_topic, of (good, bad, good before), mean log p per token.

    z_sent = sigma(good - bad) prefers the desired sentiment; z_topic = min(1, exp(good - good
    before)) is lost where the reply becomes less likely than it was.
    """
    good, bad, before = values
    return min(1.0, math.exp(good - before)) / (1 + math.exp(bad - good))


DERIVED: Mapping[str, Derived] = {
    "s": Derived(("es", "ps", "ns"), harmonic),
    "zsre_score": Derived(("zsre_efficacy", "zsre_paraphrase", "zsre_specificity"), harmonic),
    "mend_dd": Derived(("tf_locality_accuracy_base", "tf_locality_accuracy"), drop),
    "ke_deterioration": Derived(
        ("tf_locality_accuracy_base", "tf_locality_accuracy"), deterioration
    ),
    "grace_arr": Derived(("nll_accurate",), perplexity),
    "knowedit_overall": Derived(
        ("tf_efficacy_tokens", "tf_generality_tokens", "knowedit_portability", "knowedit_locality"),
        mean,
        some=True,
    ),
    "serac_sentiment_es": Derived(
        ("reply_good", "reply_bad", "reply_good_base"), sentiment, records=True
    ),
}
"""Of means over records, unless they are of each record."""
