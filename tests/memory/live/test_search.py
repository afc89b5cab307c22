"""Both doors against brute force: what is nearest and holds, and what is named."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memedit import Edit, EditMemory, Hit
from memedit.core.types import key_texts
from memedit.engine.encoders import HashingEncoder
from memedit.memory.live.search import SUBJECT_CAP
from tests.memory.helpers import utc

ENCODER = HashingEncoder(48)
WORDS = "river tower bridge garden palace market harbour station museum library".split()


@pytest.fixture(scope="module")
def statements() -> EditMemory:
    """Forty sentences without subjects, a third of them in force from 2020 to 2025 only."""
    memory = EditMemory(None, ENCODER)
    for third in range(3):
        edits = [
            Edit.from_statement(f"the {WORDS[i % 10]} {i} by the {WORDS[(3 * i + third) % 10]}")
            for i in range(third, 40, 3)
        ]
        dates = (utc(2020), utc(2025)) if third == 0 else (None, None)
        memory.add_many(edits, valid_from=dates[0], valid_until=dates[1])
    return memory


def cosines(memory: EditMemory, query: str, moment: datetime) -> dict[str, float]:
    """By id the cosine of the query and the nearest key of every record that holds."""
    (asked,) = ENCODER.encode([query])
    return {
        record.id: float((ENCODER.encode(key_texts(record.edit)) @ asked).max())
        for record in memory.records()
        if record.holds_at(moment)
    }


@settings(max_examples=60, deadline=None)
@given(
    query=st.lists(st.sampled_from([*WORDS, "the", "by", "7"]), min_size=1, max_size=6),
    k=st.integers(1, 50),
    year=st.sampled_from([2019, 2022, 2026]),
)
def test_the_nearest_that_hold_are_found(
    statements: EditMemory, query: list[str], k: int, year: int
) -> None:
    asked, moment = " ".join(query), utc(year)
    (hits,) = statements.search([asked], k=k, as_of=moment)
    expected = cosines(statements, asked, moment)
    found = {hit.record.id: hit.similarity for hit in hits}
    assert found == pytest.approx({id: expected[id] for id in found}, abs=1e-5)
    best = sorted(expected.values(), reverse=True)[:k]  # equals may change places
    assert sorted(found.values(), reverse=True) == pytest.approx(best, abs=1e-5)
    order = [(-hit.similarity, -hit.record.sequence) for hit in hits]
    assert order == sorted(order)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5))
def test_queries_together_find_what_each_finds_alone(
    statements: EditMemory, queries: list[str]
) -> None:
    def told(hits: list[Hit]) -> list[tuple[str, float]]:
        return [(hit.record.id, round(hit.similarity, 5)) for hit in hits]

    together = statements.search(queries, k=5)
    assert [told(hits) for hits in together] == [
        told(statements.search([q], k=5)[0]) for q in queries
    ]


CITIES = ("Lyon", "Nancy", "New Lyon", "Nice")


@pytest.fixture(scope="module")
def cities() -> EditMemory:
    memory = EditMemory(None, ENCODER)
    memory.add_many(
        [Edit(f"The {word} of {city} is", "x", city) for city in CITIES for word in WORDS]
    )
    return memory


@settings(max_examples=40, deadline=None)
@given(
    named=st.lists(st.sampled_from(CITIES), unique=True, max_size=3),
    filler=st.lists(st.sampled_from(["where", "zzz", "qqq"]), min_size=1, max_size=3),
)
def test_whatever_is_named_is_found_whole_names_first(
    cities: EditMemory, named: list[str], filler: list[str]
) -> None:
    (hits,) = cities.search([" ".join([*filler, *[f"{city} ," for city in named]])], k=1)
    about = {hit.record.edit.subject for hit in hits if hit.mention is not None}
    assert about == set(named)  # "New Lyon" names no Lyon
    for city in named:
        mine = [hit for hit in hits if hit.record.edit.subject == city]
        assert len(mine) == len(WORDS) and {hit.mention for hit in mine} == {city}


def test_the_relation_is_compared_without_the_subject(cities: EditMemory) -> None:
    (hits,) = cities.search(["The river of Nice is"], k=1)
    relations = {h.record.edit.prompt: h.relation for h in hits if h.mention == "Nice"}
    assert relations.pop("The river of Nice is") == pytest.approx(1.0)
    assert relations and all(r is not None and r < 0.95 for r in relations.values())


def test_the_subject_door_has_an_end() -> None:
    memory = EditMemory(None, ENCODER)
    memory.add_many([Edit(f"Fact {i} of Rome is", "x", "Rome") for i in range(SUBJECT_CAP + 20)])
    (hits,) = memory.search(["zzz Rome"], k=1)
    assert SUBJECT_CAP <= len(hits) <= SUBJECT_CAP + 1
    newest = {record.id for record in list(memory.records())[-SUBJECT_CAP + 1 :]}
    assert newest <= {hit.record.id for hit in hits}


def test_evidence_is_what_was_compared(cities: EditMemory) -> None:
    for hit in cities.search(["the garden of Nancy"], k=3)[0]:
        assert hit.vectors is not None
        assert hit.similarity == pytest.approx(float(hit.vectors.view @ hit.vectors.key), abs=1e-5)
        assert np.linalg.norm(hit.vectors.view) == pytest.approx(1.0, abs=1e-5)
