"""From rows to named metrics: every metric is a mean over records of a mean within the record.

All values are fractions in [0, 1] (``em, pm, nm`` in [-1, 1]), not percentages, unless the name
says another unit: ``seconds_*``, ``kl_*`` (nats), ``gen_fluency`` (bits).

| name | what | paper |
|---|---|---|
| ``gen_efficacy``, ``gen_generality`` | the free answer to edit prompts, paraphrases holds the target | Mirage, arXiv 2502.11177 |
| ``..._em``, ``..._exact``, ``..._f1`` | the first sentence is it; the whole answer is, with natural stop; SQuAD's word F1 | |
| ``gen_efficacy_unknown`` | ``gen_efficacy`` of the edits that the unedited model does not already answer | QAEdit |
| ``gen_locality`` | free answer identical to the unedited model's | |
| ``gen_locality_accuracy`` | free answer holds the true object | |
| ``gen_form`` | the answer has the form its probe asks for (a list of n, JSON, a program, a mail, a language ...) | |
| ``gen_portability`` | the free answer to what follows from the edit is right | RippleEdits, KnowEdit |
| ``gen_locality_hard``, ``kl_locality_hard`` | the same for reversed, negated, hypothetical and dated forms of the edit's question (``--hard``) | |
| ``kl_locality`` | KL(unedited, edited) of the next token; SERAC's DD for sentiment | |
| ``tf_efficacy``, ``tf_generality``, ``tf_portability`` | argmax right at all positions | |
| ``..._tokens`` | fraction of positions | EasyEdit, KnowEdit |
| ``tf_locality``, ``tf_locality_tokens`` | argmax unchanged at all, at which fraction of positions | SERAC, EasyEdit |
| ``tf_locality_accuracy``, ``..._tokens`` | argmax is the true object | |
| ``es, ps, ns, s`` | P(new) > P(true) on edit prompts, paraphrases; reversed on neighbours; harmonic mean | ROME, arXiv 2202.05262 |
| ``em, pm, nm`` | the differences of probability | |
| ``scope_recall``, ``scope_right``, ``scope_false_fires(_hard)`` | in scope fires; with the right edit; fires on locality probes | |
| ``retrieval_recall`` | the right edit is among the candidates that the scope weighs | |
| ``multihop_any``, ``multihop_all``, ``multihop_mean`` | of a case's questions, free answers that hold the target or an alias | MQuAKE, arXiv 2305.14795 |
| ``multihop_..._em``, ``multihop_..._exact`` | ... whose first sentence is one (MeLLo's code wants this equality of its final answer), of which the whole is one | MeLLo |
| ``edit_wise``, ``instance_wise`` | edits recalled (the answer starts with the object or an alias); every hop of the chain recalled | MQuAKE |
| ``zsre_efficacy``, ``zsre_paraphrase``, ``zsre_specificity``, ``zsre_score`` | tokens right under teacher forcing; harmonic mean | ROME |
| ``mend_es``, ``mend_dd`` | argmax right on rephrases; drop of accuracy out of scope | MEND, arXiv 2110.11309 |
| ``ke_deterioration`` | 1 - accuracy out of scope after / before. KE's success, retain and equivalence accuracy are ``tf_efficacy``, ``tf_locality``, ``tf_generality`` | KE, arXiv 2104.08164 |
| ``serac_es``, ``serac_dd`` | argmax right in scope; 1 - argmax unchanged out of scope (the paper: ``--protocol batch --batch-edits 10``) | SERAC, arXiv 2206.06520 |
| ``serac_sentiment_es`` | z_sent z_topic of ``reply`` probes | SERAC |
| ``grace_es``, ``grace_err``, ``grace_trr`` | F1 (of words as multisets) just after the edit; of all past edits; of other questions against their gold answers | GRACE, arXiv 2211.11031 |
| ``grace_arr`` | perplexity of the targets of ``locality:accurate`` probes: sentences the model already got right | GRACE |
| ``grace_keys``, ``edits_held`` | #E: keys of an editor that tells; edits in memory | GRACE |
| ``knowedit_portability``, ``knowedit_locality`` | tokens right, tokens unchanged: mean over sub-types of each record; edit success is ``tf_efficacy_tokens`` | KnowEdit, arXiv 2401.01286 |
| ``knowedit_overall`` | plain mean of edit success, generality, portability and locality, as far as there are | EasyEdit |
| ``ripple``, ``ripple_<criterion>`` | tests passed of those executed, of edits that succeeded; ``ripple_executed`` the share whose conditions the unedited model meets, ``ripple_executed_edited`` of edits that succeeded alone, as the authors count; ``ripple_compat...`` counts the prompt as said | RippleEdits, arXiv 2307.12976 |
| ``gen_fluency``, ``gen_entropy_fixed`` | n-gram entropy of sampled texts, which end where the model ends them (bits; papers print it times 100); of ten fixed prompts, the alarm for a collapse | |
| ``gen_fluency_full`` | ... that go on to 100 tokens whatever the model says, as the code of ROME and MEMIT samples them | ROME |
| ``gen_consistency``, ``essence`` | cosine of TF-IDF with reference texts; perplexity of texts about the subject | ROME |
| ``immediate_*`` | the same just after each edit | |
| ``retention`` | of the edits that held just after they were made, those that hold now | arXiv 2401.07453 |
| ``weight_distance:<matrix>``, ``weight_relative:``, ``weight_step:`` | Frobenius norm of W_t - W_0, the same over that of W_0, and of what the last edit added, of editors that tell; without a matrix, of all matrices together | arXiv 2401.07453 |
| ``seconds_per_edit``, ``seconds_per_query`` | cost | |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memedit.data.cases import (
    EFFICACY,
    GENERATION,
    HARD,
    HOP,
    LOCALITY,
    MULTIHOP,
    NEIGHBOURHOOD,
    PARAPHRASE,
    PORTABILITY,
    REPLY,
)
from memedit.evaluation.schedule import CHECKPOINT, IMMEDIATE

LOCAL = (NEIGHBOURHOOD, LOCALITY)
IN_SCOPE = (EFFICACY, PARAPHRASE)
GROUPS = (PORTABILITY, LOCALITY)
EDIT = "edit"
"""Phase of the rows that tell what editing cost."""

DISTANCE, RELATIVE, STEP = "weight_distance:", "weight_relative:", "weight_step:"
"""Measures of a matrix, named after the colon: how far it is from its original, in absolute terms
and in terms of its original norm; and how long the last step was."""
OVERALL = {part: part.removesuffix(":") for part in (DISTANCE, RELATIVE, STEP)}
"""The same of all matrices together."""
KEYS, HELD = "grace_keys", "edits_held"
STATES = (DISTANCE, RELATIVE, STEP, KEYS, HELD)
"""Measures (or their beginnings) of which the last value counts, not a mean."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric comes from rows.

    Attributes:
        measure: The rows' measure.
        kinds: Of which kinds of probes; empty for rows without a probe.
        within: How a record's values become one: ``mean``, ``min``, ``max``, or ``kinds``: the mean
            of each kind's mean.
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
        found[f"gen_{name}_em"] = Metric("gen_em", kinds)
        found[f"gen_{name}_exact"] = Metric("gen_exact", kinds)
        found[f"gen_{name}_f1"] = Metric("gen_f1", kinds)
        found[f"tf_{name}"] = Metric("tf_all", kinds)
        found[f"tf_{name}_tokens"] = Metric("tf_tokens", kinds)
    return found


def _multihop() -> dict[str, Metric]:
    ways = (("any", "max"), ("all", "min"), ("mean", "mean"))
    measures = (("", "gen_contains"), ("_em", "gen_em"), ("_exact", "gen_exact"))
    return {
        f"multihop_{way}{suffix}": Metric(measure, (MULTIHOP,), within)
        for suffix, measure in measures
        for way, within in ways
    }


METRICS: Mapping[str, Metric] = _accuracies() | _multihop() | {
    "gen_efficacy_unknown": Metric("gen_contains_new", (EFFICACY,)),
    "gen_locality": Metric("gen_same", LOCAL),
    "gen_locality_hard": Metric("gen_same", (HARD,)),
    "gen_form": Metric("gen_form", (*IN_SCOPE, PORTABILITY)),
    "kl_locality": Metric("kl", LOCAL),
    "kl_locality_hard": Metric("kl", (HARD,)),
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
    "scope_false_fires_hard": Metric("scope_fired", (HARD,)),
    "edit_wise": Metric("gen_starts", (EFFICACY,)),
    "instance_wise": Metric("gen_starts", (HOP,), "min"),
    "zsre_efficacy": Metric("tf_tokens", (EFFICACY,)),
    "zsre_paraphrase": Metric("tf_tokens", (PARAPHRASE,)),
    "zsre_specificity": Metric("tf_tokens", LOCAL),
    "mend_es": Metric("tf_all", (PARAPHRASE,)),
    "serac_es": Metric("tf_all", IN_SCOPE),
    "serac_dd": Metric("tf_same", LOCAL, complement=True),
    "grace_es": Metric("gen_f1", (EFFICACY,), phase=IMMEDIATE),
    "grace_err": Metric("gen_f1", (EFFICACY,)),
    "grace_trr": Metric("gen_f1", LOCAL),
    "knowedit_portability": Metric("tf_tokens", (PORTABILITY,), "kinds"),
    "knowedit_locality": Metric("tf_same_tokens", (LOCALITY,), "kinds"),
    "ripple": Metric("ripple_passed", GROUPS),
    "ripple_executed": Metric("ripple_executed", GROUPS),
    "ripple_executed_edited": Metric("ripple_executed_edited", GROUPS),
    "ripple_compat": Metric("ripple_passed_compat", GROUPS),
    "ripple_compat_executed": Metric("ripple_executed_compat", GROUPS),
    "immediate_gen_efficacy": Metric("gen_contains", (EFFICACY,), phase=IMMEDIATE),
    "immediate_tf_efficacy": Metric("tf_all", (EFFICACY,), phase=IMMEDIATE),
    "immediate_es": Metric("prob_prefers", (EFFICACY,), phase=IMMEDIATE),
    "gen_fluency": Metric("gen_fluency", (GENERATION,)),
    "gen_fluency_full": Metric("gen_fluency_full", (GENERATION,)),
    "gen_entropy_fixed": Metric("gen_entropy_fixed"),
    "gen_consistency": Metric("gen_consistency"),
    "essence": Metric("essence"),
    "seconds_per_edit": Metric("seconds_per_edit", phase=EDIT),
    "seconds_per_query": Metric("seconds_per_query"),
}  # fmt: skip

PARTS: Mapping[str, Metric] = {
    "tf_locality_accuracy_base": Metric("tf_all_base", LOCAL),
    "nll_accurate": Metric("tf_nll", (f"{LOCALITY}:accurate",)),
    "reply_good": Metric("reply_good", (REPLY,)),
    "reply_bad": Metric("reply_bad", (REPLY,)),
    "reply_good_base": Metric("reply_good_base", (REPLY,)),
}
"""What only serves :data:`memedit.evaluation.measures.derived.DERIVED`; not shown."""

TIMINGS = ("seconds_per_edit", "seconds_per_query")
"""Metrics that no two runs have in common."""

_LESS = ("kl_", "seconds_", "serac_dd", "mend_dd", "ke_", "scope_false", "essence", "grace_arr",
         "weight_")  # fmt: skip


def is_better_low(name: str) -> bool:
    """Whether the bad end of a metric is the high one."""
    return name.startswith(_LESS)


_ONLY = {
    ("zsre", "mend_"): ("zsre",),
    ("multihop", "edit_wise", "instance_wise"): ("mquake",),
    ("knowedit",): ("knowedit", "rippleedits"),
    ("ripple",): ("knowedit", "rippleedits"),
}
"""Beginnings of names that make sense for some data sets only."""


def applies(name: str, dataset: str) -> bool:
    """Whether a metric is shown for this data set."""
    for prefixes, formats in _ONLY.items():
        if name.startswith(prefixes):
            return dataset.startswith(formats)
    return True


def split_by_group(name: str, groups: set[str]) -> dict[str, Metric]:
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
           "tf_locality_tokens", "gen_locality_accuracy", "gen_locality_hard",
           "scope_false_fires_hard", "ripple", "ripple_executed")  # fmt: skip
