from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memedit.memory.live import postings
from memedit.memory.live.postings import Postings

KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "extend", "discard"]), KEYS, st.integers(0, 5)))


@settings(deadline=None, max_examples=60)
@given(STEPS, st.booleans())
def test_equals_a_dictionary_of_lists(steps: list[tuple[str, int, int]], often: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "_FEW", 1 if often else 1_000)  # sorts in at once, or never
        filed, expected = Postings(), dict[int, list[int]]()
        for kind, key, value in steps:
            if kind == "discard":
                filed.discard(key, value)
                if value in expected.get(key, ()):
                    expected[key].remove(value)
                continue
            times = 1 if kind == "add" else 3
            if kind == "add":
                filed.add(key, value)
            else:
                filed.extend([(key, value)] * times)
            expected.setdefault(key, []).extend([value] * times)
        assert {key: filed.get(key) for key in expected} == expected
        assert len(filed) == sum(map(len, expected.values()))
        pairs = [(key, value) for key in sorted(expected) for value in expected[key]]
        assert list(filed.items()) == pairs
        assert filed.keys().tolist() == [key for key, _ in pairs]


def test_of_one_key_what_came_first_stays_first() -> None:
    filed = Postings()
    filed.extend([(1, 9), (1, 3)])
    filed.extend((key, key) for key in range(2, 3_000))  # sorted in
    filed.add(1, 5)
    filed.discard(1, 3)
    assert filed.get(1) == [9, 5] and filed.get(0) == []


def test_a_batch_is_sorted_in_only_where_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    filed = Postings()
    filed.extend((key, key) for key in range(40_000))
    sorts, settle = list[int](), Postings._settle

    def count(self: Postings, more: Sequence[tuple[int, int]] = ()) -> None:
        sorts.append(len(more))
        settle(self, more)

    monkeypatch.setattr(Postings, "_settle", count)
    for start in range(40_000, 52_000, 1_500):
        filed.extend((key, key) for key in range(start, start + 1_500))
    assert len(sorts) == 2 and len(filed) == 52_000
    assert all(filed.get(key) == [key] for key in range(0, 52_000, 999))
