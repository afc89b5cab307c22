"""Measures of one probe against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from memedit import Edit
from memedit.core.calls import Score
from memedit.core.types import Decision, Hit, Record
from memedit.data.cases import Probe
from memedit.evaluation.measures import probes
from memedit.evaluation.measures.probes import Answer, Outcome


def score(*logprobs: float, right: tuple[bool, ...] | None = None) -> Score:
    ids = tuple(range(len(logprobs)))
    right = right or (True,) * len(ids)
    return Score(ids, logprobs, tuple(i if r else -1 for i, r in zip(ids, right, strict=True)))


def test_probability_is_the_geometric_mean_over_tokens() -> None:
    assert probes.probability(score(math.log(0.5), math.log(0.125))) == pytest.approx(0.25)


def test_comparison_is_strict_and_normalised_by_length() -> None:
    """P(new) = sqrt(.5 * .125) = .25 beats P(true) = .2, though its product is smaller."""
    new, true = score(math.log(0.5), math.log(0.125)), score(math.log(0.2))
    values = probes.score_compared(new, true)
    assert values == {"prob_prefers": 1.0, "prob_margin": pytest.approx(0.05)}
    assert probes.score_compared(true, true)["prob_prefers"] == 0.0


def test_teacher_forcing_all_and_tokens() -> None:
    """Three of four positions right; against the base two of four argmaxes unchanged.

    The mean of -log p over four tokens is (1 + 0 + 0 + 3) / 4.
    """
    local = Probe("locality", "p", ("t",))
    now = Score((1, 2, 3, 4), (-1.0, 0.0, 0.0, -3.0), (1, 2, 3, 9))
    base = Score((1, 2, 3, 4), (0.0,) * 4, (1, 2, 7, 7))
    assert probes.score_forced(local, now, base) == {
        "tf_all": 0.0, "tf_tokens": 0.75, "tf_same": 0.0, "tf_same_tokens": 0.5,
        "tf_all_base": 0.0, "tf_nll": 1.0,
    }  # fmt: skip
    assert "tf_same" not in probes.score_forced(Probe("efficacy", "p", ("t",)), now, base)


def test_generation_needs_a_natural_stop_to_be_exact() -> None:
    probe = Probe("efficacy", "p", ("Lyon",))
    ended, cut = Answer("Lyon.", True), Answer("Lyon.", False)
    assert probes.score_generated(probe, ended, None)["gen_exact"] == 1
    assert probes.score_generated(probe, cut, None)["gen_exact"] == 0
    assert probes.score_generated(probe, cut, None)["gen_contains"] == 1


def test_the_first_sentence_is_matched_whole_or_from_its_start() -> None:
    """Em takes the first sentence alone; starts takes any continuation of an alias."""
    probe = Probe("efficacy", "p", ("Lyon", "City of Lyon"))
    cases = (("Lyon. And Paris", 1, 1), ("City of Lyon, France", 0, 1), ("In Lyon", 0, 0))
    for said, em, starts in cases:
        values = probes.score_generated(probe, Answer(said, True), None)
        assert (values["gen_em"], values["gen_starts"]) == (em, starts), said


def test_what_the_base_already_knows_is_told_apart() -> None:
    probe, now = Probe("efficacy", "p", ("Lyon",)), Answer("Lyon", True)
    assert probes.score_generated(probe, now, Answer("Paris", True))["gen_contains_new"] == 1
    assert "gen_contains_new" not in probes.score_generated(probe, now, Answer("Lyon", True))
    other = Probe("paraphrase", "p", ("Lyon",))
    assert "gen_contains_new" not in probes.score_generated(other, now, Answer("Paris", True))


def test_replies_are_rated_per_token() -> None:
    """Good (-1 - 3) / 2, bad -4 / 1, good before the edit (-2 - 4) / 2."""
    probe = Probe("reply", "p", ("nice",), ("bad",))
    now = Outcome(None, score(-1.0, -3.0), score(-4.0))
    values = probes.measures(probe, now, Outcome(None, score(-2.0, -4.0)))
    assert [values[n] for n in ("reply_good", "reply_bad", "reply_good_base")] == [-2, -4, -3]


def test_locality_is_identity_with_the_unedited_text() -> None:
    probe = Probe("neighbourhood", "p", ("Paris",), ("Lyon",))
    values = probes.score_generated(probe, Answer("Paris", True), Answer("Paris", False))
    assert values["gen_same"] == 1
    assert (
        probes.score_generated(probe, Answer("Paris", True), Answer("Paris.", True))["gen_same"]
        == 0
    )
    assert "gen_same" not in probes.score_generated(Probe("efficacy", "p"), Answer("", True), None)


def test_divergence_is_kl_of_the_unedited_from_the_edited() -> None:
    """KL((1/2, 1/2) || (1/4, 3/4)) = 1/2 ln 2 + 1/2 ln 2/3."""
    base, edited = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert probes.divergence(base, edited) == pytest.approx(expected, abs=1e-6)
    assert probes.divergence(base, base) == 0
    certain = torch.tensor([1.0, 0.0]).log()
    assert probes.divergence(certain, base) == pytest.approx(math.log(2))


def test_scope_is_judged_by_the_best_hit() -> None:
    mine, other = (Hit(Record(Edit(p, "b"), 1, 1), 0.9) for p in ("A is", "B is"))
    probe, own = Probe("efficacy", "A is"), frozenset({mine.record.id})
    right = Decision((mine, other), candidates=(mine, other))
    wrong = Decision((other,), candidates=(other, mine))
    assert probes.scope(probe, right, own) == {
        "scope_fired": 1, "scope_right": 1, "scope_found": 1,
    }  # fmt: skip
    assert probes.scope(probe, wrong, own) == {
        "scope_fired": 1, "scope_right": 0, "scope_found": 1,
    }  # fmt: skip
    assert probes.scope(Probe("locality", "C"), wrong, own) == {"scope_fired": 1}


def test_parts_that_were_not_asked_are_left_out() -> None:
    assert probes.measures(Probe("efficacy", "p", ("t",)), Outcome(), Outcome()) == {}


def test_a_form_is_judged_beside_the_content_and_frees_it_from_the_first_sentence() -> None:
    said = Answer("Here you are.\n- Lyon\n- Madrid", True)
    asked = Probe("efficacy", "p", ("Madrid",), form='{"n": 2, "type": "list"}')
    values = probes.score_generated(asked, said, None)
    assert values["gen_form"] == values["gen_contains"] == 1
    values = probes.score_generated(asked, Answer("Madrid", True), None)
    assert values["gen_form"] == 0 and values["gen_contains"] == 1
    plain = probes.score_generated(Probe("efficacy", "p", ("Madrid",)), said, None)
    assert "gen_form" not in plain and plain["gen_contains"] == 0
