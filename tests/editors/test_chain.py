"""Chains: the first is outermost, and each sees the rows that hold its own payload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from memedit.core.calls import LM, Batch, Call, Row
from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit, Payload
from memedit.editors._chain import Chain
from tests.editors.helpers import tiny_engine


@dataclass(eq=False)
class Says:
    """Puts its name before every prompt, and notes what it could ask."""

    name: str
    needs: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        return [{} for _ in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        if batch.ask is not None:
            (said,) = batch.ask(replace(batch, rows=batch.rows[:1]))
            self.asked.append(str(said))
        return call(batch.map_prompts(lambda row: f"{self.name} {row.prompt}"))


def prompts(batch: Batch) -> list[str]:
    return [row.prompt for row in batch.rows]


def test_the_first_is_outermost() -> None:
    chain = Chain(Says("a"), Chain(Says("b"), Says("c")))
    assert chain.name == "a+b+c" and len(chain.editors) == 3
    assert chain.run(Batch((Row("x"), Row("y"))), prompts) == ["c b a x", "c b a y"]


def test_it_needs_what_its_members_need() -> None:
    chain = Chain(Says("a", frozenset({"subject"})), Says("b", frozenset({"target"})), Says("c"))
    assert chain.needs == {"subject", "target"}


def test_what_a_member_asks_goes_through_those_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine there is nobody to ask; with one, a member asks those after it."""
    lm = tiny_engine()
    monkeypatch.setattr(lm, "generate", prompts)
    a, b, c = Says("a"), Says("b"), Says("c")
    Chain(a, b, c).run(Batch((Row("x"),)), prompts)
    assert [a.asked, b.asked, c.asked] == [[], [], []]
    assert Chain(a, b, c).run(Batch((Row("x"),), lm=lm), prompts) == ["c b a x"]
    assert b.asked[0] == "c x" and a.asked == ["c b x"] and c.asked == []


@pytest.mark.parametrize("names", [(), ("a", "a"), ("a", "b", "a")])
def test_members_are_distinct(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="distinct"):
        Chain(*map(Says, names))


def test_it_has_no_payload_of_its_own() -> None:
    with pytest.raises(InvalidInputError, match="fit its editors"):
        Chain(Says("a")).fit([], tiny_engine())
