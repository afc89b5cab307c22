"""Of two sentences that answer one question, the newer is seen; both stay in the memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memedit.core.documents import Passage
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.model import newest
from memedit.model.newest import keep_newest


def hit(text: str, sequence: int, **rest: Any) -> Hit:
    return Hit(Record(Edit(text, None, **rest), sequence, sequence), 0.9, role="asks")


def seen(*hits: Hit) -> list[int]:
    found = keep_newest(Decision(hits), lambda: None)  # type: ignore[arg-type,return-value]
    return [each.record.sequence for each in found.hits]


@pytest.fixture(autouse=True)
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relation's probability of several values: high where it speaks of interests."""
    monkeypatch.setattr(
        newest, "chance_of", lambda before, *_: 0.9 if "interest" in before else 0.3
    )


def test_the_newer_is_seen_alone() -> None:
    old, new = hit("Ann is a citizen of Peru.", 1), hit("Ann is a citizen of Chile.", 2)
    assert seen(old, new) == seen(new, old) == [2]
    other = hit("Bo is a citizen of Chile.", 3)
    assert seen(old, new, other) == [2, 3]
    assert seen(hit("The fee is 3 euros.", 4), hit("The fee is 5 euros.", 5)) == [5]


def test_who_gives_a_list_anew_is_seen_alone() -> None:
    """The fault: of two lists that differ in a name within, both were seen."""
    old = "The Kelp service keeps its logs in Loki and Parquet."
    new = "The Kelp service keeps its logs in Elastic and Parquet."
    assert seen(hit(old, 1), hit(new, 2)) == [2]
    long = "Kelp runs in Oslo, Linz{} Graz.", "Kelp runs in Oslo, Wels{} Graz."
    for joined in (" and", ", and", " &", " or"):
        assert seen(*(hit(each.format(joined), n) for n, each in enumerate(long, 1))) == [2]
    assert seen(
        hit("Kelp runs in Linz and pays in Euros.", 1),
        hit("Kelp runs in Wels and pays in Euros.", 2),
    ) == [1, 2]  # no list goes on
    assert seen(
        hit("Ann is interested in Chess and Golf.", 1), hit("Ann is interested in Go and Golf.", 2)
    ) == [1, 2]


def test_several_values_passages_and_edits_stay() -> None:
    both = hit("Ann is interested in Chess.", 1), hit("Ann is interested in Golf.", 2)
    assert seen(*both) == [1, 2]
    one, two = hit("Ann is a citizen of Peru.", 1), hit("Ann is a citizen of Chile.", 2)
    assert seen(replace(one, passage=Passage("p", 1, 1, 1)), two) == [1, 2]
    assert seen(hit("Ann is a citizen of Peru.", 1, multiple=True), two) == [1, 2]
    assert seen(one, hit("Ann was born in 1980 and lives in Lima.", 2)) == [1, 2]
