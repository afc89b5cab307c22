"""From rows to named metrics: every metric is a mean over records of a mean within the record.

All values are fractions in [0, 1] (``em, pm, nm`` in [-1, 1]), not percentages, unless the name
says another unit: ``seconds_*``, ``kl_*`` (nats), ``gen_fluency`` (bits).

| name | what | paper |
|---|---|---|
| ``gen_efficacy``, ``gen_generality`` | the free answer to edit prompts, paraphrases holds the target | Mirage, arXiv 2502.11177 |
| ``..._exact``, ``..._f1`` | the whole answer is it, with natural stop; SQuAD's word F1 | |
| ``gen_locality`` | free answer identical to the unedited model's | |
| ``gen_locality_accuracy`` | free answer holds the true object | |
| ``gen_portability`` | the free answer to what follows from the edit is right | RippleEdits, KnowEdit |
| ``kl_locality`` | KL(unedited, edited) of the next token | |
| ``tf_efficacy``, ``tf_generality``, ``tf_portability`` | argmax right at all positions | |
| ``..._tokens`` | fraction of positions | EasyEdit, KnowEdit |
| ``tf_locality``, ``tf_locality_tokens`` | argmax unchanged at all, at which fraction of positions | SERAC, EasyEdit |
| ``tf_locality_accuracy``, ``..._tokens`` | argmax is the true object | |
| ``es, ps, ns, s`` | P(new) > P(true) on edit prompts, paraphrases; reversed on neighbours; harmonic mean | ROME, arXiv 2202.05262 |
| ``em, pm, nm`` | the differences of probability | |
| ``scope_recall``, ``scope_right``, ``scope_false_fires`` | in scope fires; with the right edit; fires on locality probes | |
| ``retrieval_recall`` | the right edit is among the candidates that the scope weighs | |
| ``multihop_any``, ``multihop_all``, ``multihop_mean`` | of a case's questions, free answers | MQuAKE, arXiv 2305.14795 |
| ``edit_wise``, ``instance_wise`` | edits recalled; every hop of the chain recalled | MQuAKE |
| ``zsre_efficacy``, ``zsre_paraphrase``, ``zsre_specificity``, ``zsre_score`` | tokens right under teacher forcing; harmonic mean | ROME |
| ``serac_es``, ``serac_dd`` | argmax right in scope; 1 - argmax unchanged out of scope | SERAC, arXiv 2206.06520 |
| ``grace_es``, ``grace_err``, ``grace_trr`` | F1 just after the edit; of all past edits; of other questions against their gold answers | GRACE, arXiv 2211.11031 |
| ``immediate_*`` | the same just after each edit | |
| ``retention`` | of the edits that held just after they were made, those that hold now | arXiv 2401.07453 |
| ``weight_distance:<matrix>`` | Frobenius norm of W_t - W_0, of editors that tell | arXiv 2401.07453 |
| ``seconds_per_edit``, ``seconds_per_query`` | cost | |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memedit.evaluation.cases import (
    EFFICACY,
    GENERATION,
    HOP,
    LOCALITY,
    MULTIHOP,
    NEIGHBOURHOOD,
    PARAPHRASE,
    PORTABILITY,
)
from memedit.evaluation.protocols import CHECKPOINT, IMMEDIATE

LOCAL = (NEIGHBOURHOOD, LOCALITY)
IN_SCOPE = (EFFICACY, PARAPHRASE)
EDIT = "edit"
"""Phase of the rows that tell what editing cost."""


DISTANCE = "weight_distance:"
"""Measure of the distance of a matrix, named after the colon, from its original."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric comes from rows.

    Attributes:
        measure: The rows' measure.
        kinds: Of which kinds of probes; empty for rows without a probe.
        within: How a record's values become one: ``mean``, ``min`` or ``max``.
        phase: Which rows.
        complement: One minus the value.
    """

    measure: str
    kinds: tuple[str, ...] = ()
    within: str = "mean"
    phase: str = CHECKPOINT
    complement: bool = False


def _accuracies() -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    named = (("efficacy", (EFFICACY,)), ("generality", (PARAPHRASE,)),
             ("portability", (PORTABILITY,)), ("locality_accuracy", LOCAL))  # fmt: skip
    for name, kinds in named:
        found[f"gen_{name}"] = Metric("gen_contains", kinds)
        found[f"gen_{name}_exact"] = Metric("gen_exact", kinds)
        found[f"gen_{name}_f1"] = Metric("gen_f1", kinds)
        found[f"tf_{name}"] = Metric("tf_all", kinds)
        found[f"tf_{name}_tokens"] = Metric("tf_tokens", kinds)
    return found


METRICS: Mapping[str, Metric] = _accuracies() | {
    "gen_locality": Metric("gen_same", LOCAL),
    "kl_locality": Metric("kl", LOCAL),
    "tf_locality": Metric("tf_same", LOCAL),
    "tf_locality_tokens": Metric("tf_same_tokens", LOCAL),
    "es": Metric("prob_prefers", (EFFICACY,)),
    "ps": Metric("prob_prefers", (PARAPHRASE,)),
    "ns": Metric("prob_prefers", (NEIGHBOURHOOD,)),
    "em": Metric("prob_margin", (EFFICACY,)),
    "pm": Metric("prob_margin", (PARAPHRASE,)),
    "nm": Metric("prob_margin", (NEIGHBOURHOOD,)),
    "scope_recall": Metric("scope_fired", IN_SCOPE),
    "scope_right": Metric("scope_right", IN_SCOPE),
    "retrieval_recall": Metric("scope_found", IN_SCOPE),
    "scope_false_fires": Metric("scope_fired", LOCAL),
    "multihop_any": Metric("gen_contains", (MULTIHOP,), "max"),
    "multihop_all": Metric("gen_contains", (MULTIHOP,), "min"),
    "multihop_mean": Metric("gen_contains", (MULTIHOP,)),
    "edit_wise": Metric("gen_contains", (EFFICACY,)),
    "instance_wise": Metric("gen_contains", (HOP,), "min"),
    "zsre_efficacy": Metric("tf_tokens", (EFFICACY,)),
    "zsre_paraphrase": Metric("tf_tokens", (PARAPHRASE,)),
    "zsre_specificity": Metric("tf_tokens", LOCAL),
    "serac_es": Metric("tf_all", IN_SCOPE),
    "serac_dd": Metric("tf_same", LOCAL, complement=True),
    "grace_es": Metric("gen_f1", (EFFICACY,), phase=IMMEDIATE),
    "grace_err": Metric("gen_f1", (EFFICACY,)),
    "grace_trr": Metric("gen_f1", LOCAL),
    "immediate_gen_efficacy": Metric("gen_contains", (EFFICACY,), phase=IMMEDIATE),
    "immediate_tf_efficacy": Metric("tf_all", (EFFICACY,), phase=IMMEDIATE),
    "immediate_es": Metric("prob_prefers", (EFFICACY,), phase=IMMEDIATE),
    "gen_fluency": Metric("gen_fluency", (GENERATION,)),
    "gen_consistency": Metric("gen_consistency"),
    "seconds_per_edit": Metric("seconds_per_edit", phase=EDIT),
    "seconds_per_query": Metric("seconds_per_query"),
}  # fmt: skip

HARMONIC: Mapping[str, tuple[str, ...]] = {
    "s": ("es", "ps", "ns"),
    "zsre_score": ("zsre_efficacy", "zsre_paraphrase", "zsre_specificity"),
}
"""Harmonic means of the averages over records, not of each record."""

TIMINGS = ("seconds_per_edit", "seconds_per_query")
"""Metrics that no two runs have in common."""

_ONLY = {
    "zsre": ("zsre",),
    "mquake": ("multihop", "edit_wise", "instance_wise"),
}
"""Names that make sense for one data set only."""


def applies(name: str, dataset: str) -> bool:
    """Whether a metric is shown for this data set."""
    for format_, prefixes in _ONLY.items():
        if name.startswith(prefixes):
            return format_ in dataset
    return True


def grouped(name: str, groups: set[str]) -> dict[str, Metric]:
    """The metric for each group of its kind: ``gen_portability`` -> ``gen_portability_alias``."""
    metric = METRICS[name]
    return {
        f"{name}_{group.partition(':')[2]}": Metric(
            metric.measure, (group,), metric.within, metric.phase
        )
        for group in sorted(groups)
        if group.partition(":")[0] in metric.kinds and ":" in group
    }


GROUPED = ("gen_portability", "tf_portability", "tf_portability_tokens", "gen_locality",
           "tf_locality_tokens", "gen_locality_accuracy")  # fmt: skip
