"""What is measured of one probe: the values of the rows.

Names tell the family. ``gen_``: free generation. ``tf_``: teacher forcing on the first target.
``prob_``: comparison of length-normalised probabilities, P(y|x) = exp(mean log p(y_i|x, y_<i)).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memedit.core.calls import Score
from memedit.core.types import Decision
from memedit.data.cases import EFFICACY, HOP, REPLY, Probe, kind_of
from memedit.evaluation.measures import text
from memedit.evaluation.measures.forms import has_form
from memedit.evaluation.measures.saying import says

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model made of one probe; parts that were not asked for are None.

    Attributes:
        answer: Its free answer.
        target: The first target under teacher forcing.
        reject: The first answer to reject, likewise.
    """

    answer: Answer | None = None
    target: Score | None = None
    reject: Score | None = None


def probability(score: Score) -> float:
    """P(y|x), the geometric mean over the target's tokens."""
    return math.exp(_mean(score))


def _mean(score: Score) -> float:
    """Mean over the target's tokens of log p(y_i|x, y_<i)."""
    return score.logprob / len(score.logprobs)


def measures(probe: Probe, edited: Outcome, base: Outcome) -> dict[str, float]:
    """Every measure of a probe that its outcome and its kind allow; truth is 1.0."""
    values: dict[str, float] = {}
    if edited.answer is not None:
        values |= score_generated(probe, edited.answer, base.answer)
    if edited.target is not None:
        values |= score_forced(probe, edited.target, base.target)
        if edited.reject is not None:
            values |= score_compared(edited.target, edited.reject)
            if kind_of(probe.kind) == REPLY and base.target is not None:
                values |= score_replied(edited.target, edited.reject, base.target)
    return values


def score_generated(probe: Probe, answer: Answer, base: Answer | None) -> dict[str, float]:
    """``gen_contains``, ``gen_em``, ``gen_exact``, ``gen_f1``; ``gen_same`` for locality.

    Em: the first sentence is a target. Exact: the whole answer is, and ended by itself. Same: the
    text is that of the unedited model. ``gen_form``, where a form is asked for. Of facts also
    ``gen_starts``; of edits that the unedited model does not answer yet, ``gen_contains_new``.
    """
    values: dict[str, float] = {}
    kind = kind_of(probe.kind)
    if probe.targets:
        whole = answer.finished and text.exact(answer.text, probe.targets)
        said = says if probe.form else text.contains
        values["gen_contains"] = float(said(answer.text, probe.targets))
        values["gen_em"] = float(text.exact(text.cut_first_sentence(answer.text), probe.targets))
        values["gen_exact"] = float(whole)
        values["gen_f1"] = text.f1(answer.text, probe.targets)
        if kind in {EFFICACY, HOP}:
            values["gen_starts"] = float(text.starts(answer.text, probe.targets))
        if kind == EFFICACY and base and not text.contains(base.text, probe.targets):
            values["gen_contains_new"] = values["gen_contains"]
    if probe.form:
        values["gen_form"] = float(has_form(json.loads(probe.form), answer.text))
    if probe.local and base is not None:
        values["gen_same"] = float(answer.text == base.text)
    return values


def score_forced(probe: Probe, score: Score, base: Score | None) -> dict[str, float]:
    """``tf_all`` (argmax right at every position) and ``tf_tokens`` (fraction of positions).

    For a probe of locality also ``tf_same`` and ``tf_same_tokens``: argmax as in the unedited
    model at the positions of the target (SERAC's retain; EasyEdit's locality), ``tf_all_base`` of
    the unedited model, and ``tf_nll``, the mean of -log p over the target's tokens.
    """
    values = {"tf_all": float(all(score.right)), "tf_tokens": sum(score.right) / len(score.right)}
    if probe.local and base is not None:
        same = [a == b for a, b in zip(score.greedy, base.greedy, strict=True)]
        values["tf_same"] = float(all(same))
        values["tf_same_tokens"] = sum(same) / len(same)
        values["tf_all_base"] = float(all(base.right))
        values["tf_nll"] = -_mean(score)
    return values


def score_compared(target: Score, reject: Score) -> dict[str, float]:
    """``prob_prefers`` = 1[P(target) > P(reject)], strictly; ``prob_margin`` their difference."""
    wanted, unwanted = probability(target), probability(reject)
    return {"prob_prefers": float(wanted > unwanted), "prob_margin": wanted - unwanted}


def score_replied(good: Score, bad: Score, before: Score) -> dict[str, float]:
    """Mean log-probabilities per token of a reply of the desired sentiment, of one of the opposite,
    and of the first in the unedited model: what SERAC's sentiment score is made of."""
    return {"reply_good": _mean(good), "reply_bad": _mean(bad), "reply_good_base": _mean(before)}


def scope(probe: Probe, decision: Decision, edits: frozenset[str]) -> dict[str, float]:
    """``scope_fired``; unless the probe is one of locality also ``scope_right``, the best hit is
    one of the case's own edits, and ``scope_found``, one of them was among the candidates."""
    values = {"scope_fired": float(bool(decision.hits))}
    if not probe.local:
        best = decision.hits[0].record.id if decision.hits else None
        found = {hit.record.id for hit in decision.candidates}
        values["scope_right"] = float(best in edits)
        values["scope_found"] = float(bool(found & edits))
    return values


def divergence(base: Tensor, edited: Tensor) -> float:
    """KL(base || edited) in nats of two next-token distributions, given as log-probs [V]."""
    import torch

    terms = base.double().exp() * (base.double() - edited.double())
    # A token that both rule out gives 0 * nan: it adds nothing. Rounding may leave a sum below
    # zero.
    return max(0.0, float(torch.nan_to_num(terms, nan=0.0).sum()))


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated text, and whether it ended by itself rather than at the token limit."""

    text: str
    finished: bool
