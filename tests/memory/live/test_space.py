"""What a namespace's records are found by."""

from __future__ import annotations

import pytest

from memedit.memory import EditMemory
from memedit.memory.live import space
from tests.memory.helpers import CountingEncoder, capital, ids, sound


def test_a_hash_that_several_share_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "code_of", lambda text: 7)
    memory = EditMemory(None, CountingEncoder())
    made = [memory.add(capital(country)) for country in ("France", "Spain", "Chad")]
    assert [receipt.status for receipt in made] == ["added"] * 3
    assert not any(receipt.superseded for receipt in made)
    assert memory.add(capital("Spain")).status == "duplicate"
    newer = memory.add(capital("France", "Nice"))
    assert [record.edit for record in newer.superseded] == [capital("France")]
    memory.forget(capital("Spain").id)
    assert ids(memory) == [capital("Chad").id, capital("France", "Nice").id] and sound(memory)
