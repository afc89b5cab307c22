"""The scopes without training: what fires, in which order, and what the decision says of it."""

from __future__ import annotations

from typing import Any

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit, Hit, Record
from memedit.scope.rules import Embed, Everything, Mention, Nearest, Threshold


def hit(sequence: int, similarity: float, relation: float | None = None, **edit: Any) -> Hit:
    """A candidate with the n-th edit; its subject is named where it has a relation."""
    fields: dict[str, Any] = {"subject": f"Land {sequence}"} | edit
    record = Record(Edit(f"The capital of Land {sequence} is", "Lyon", **fields), sequence, 1)
    return Hit(record, similarity, relation=relation)


A, B, C = hit(1, 0.9), hit(2, 0.5), hit(3, 0.9)


def order(hits: tuple[Hit, ...]) -> list[int]:
    return [each.record.sequence for each in hits]


def test_everything_fires_everything_as_it_came() -> None:
    assert Everything().wants_all
    (decision,) = Everything().decide(["?"], [[B, A]])
    assert decision.hits == (B, A) and decision.score > decision.threshold
    assert not Everything().decide(["?"], [[]])[0]


def test_the_nearest_always_fires_first_and_of_two_alike_the_newer() -> None:
    (decision,) = Nearest().decide(["?"], [[B, A, C]])
    assert order(decision.hits) == [3, 1, 2] and decision.score == 0.9
    (far,) = Nearest().decide(["?"], [[hit(1, -0.9)]])
    assert far and far.hits[0].role == "asks"


@pytest.mark.parametrize(("similarity", "fired"), [(0.9, [1]), (0.91, []), (0.5, [1, 2])])
def test_the_threshold_is_reached_not_exceeded(similarity: float, fired: list[int]) -> None:
    (decision,) = Threshold(similarity=similarity).decide(["?"], [[B, A]])
    assert order(decision.hits) == fired
    assert (decision.score, decision.threshold) == (0.9, similarity)
    assert order(decision.candidates) == [1, 2]


def test_the_published_classifier_fires_above_a_half() -> None:
    """exp(-d^2) > 0.5 where the squared distance is under ln 2: from a cosine of 0.6534."""
    (decision,) = Embed().decide(["?"], [[hit(1, 0.654), hit(2, 0.653), hit(3, 1.0)]])
    assert order(decision.hits) == [3, 1] and decision.threshold == 0.5
    assert decision.score == pytest.approx(1.0)
    (two,) = Embed(scale=2.0).decide(["?"], [[hit(1, 0.75)]])
    assert two.score == pytest.approx(0.36788, abs=1e-5) and not two.hits  # exp(-2 * 0.5)
    for wrong in ({"similarity": 1.0}, {"scale": 0.0}):
        with pytest.raises(InvalidInputError):
            Embed(**wrong)


def test_each_query_has_its_own_decision() -> None:
    decisions = Threshold(similarity=0.8).decide(["a", "b", "c"], [[A], [], [B]])
    assert [bool(decision) for decision in decisions] == [True, False, False]


@pytest.mark.parametrize(
    ("candidate", "fires"),
    [
        (hit(1, 0.1, relation=0.3), True),  # named: only what is asked of it counts
        (hit(1, 0.96, relation=0.29), False),
        (hit(1, 0.96), False),  # not named: only the same words will do
        (hit(1, 0.97), True),
        (hit(1, 0.6, subject=None), True),  # has no subject that could be named
        (hit(1, 0.59, subject=None), False),
    ],
)
def test_a_mention_asks_for_the_relation_and_without_one_for_more(
    candidate: Hit, fires: bool
) -> None:
    (decision,) = Mention().decide(["?"], [[candidate]])
    assert bool(decision) is fires


def test_the_largest_margin_goes_first() -> None:
    """0.5 where 0.3 is asked for goes before 0.98 where 0.97 is."""
    (decision,) = Mention().decide(["?"], [[hit(1, 0.98), hit(2, 0.1, relation=0.5)]])
    assert order(decision.hits) == [2, 1]
    assert (decision.score, decision.threshold) == (0.5, 0.3)
