"""When facts hold: days, periods, zones."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.moments import Moment
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.memory.helpers import capital, utc


@pytest.fixture
def memory() -> EditMemory:
    return EditMemory(None, HashingEncoder(64))


def test_dates_are_whole_days_both_ends_included(memory: EditMemory) -> None:
    def doctor(name: str) -> Edit:
        return Edit("The duty doctor is", name, "duty doctor")

    memory.add(doctor("Amara"), valid_from="2026-01-15", valid_until=date(2026, 1, 15))
    receipt = memory.add(doctor("Boone"), valid_from="2026-01-16")
    assert receipt.superseded == receipt.conflicts == ()  # a succession

    def on_duty(moment: Moment) -> list[str | None]:
        (hits,) = memory.search(["The duty doctor is"], as_of=moment)
        return [hit.record.edit.target_new for hit in hits]

    assert on_duty("2026-01-15") == on_duty(utc(2026, 1, 15, 23)) == ["Amara"]
    assert on_duty(date(2026, 1, 16)) == on_duty(utc(2027)) == ["Boone"]
    assert on_duty("2026-01-14") == []
    with pytest.raises(InvalidEditError, match="not before"):
        memory.add(doctor("Cole"), valid_from="2026-01-16", valid_until="2026-01-15")


def test_the_same_in_two_periods_is_two_facts(memory: EditMemory) -> None:
    fact = Edit("Alex is assigned to", "Payments", "Alex")
    memory.add(fact, valid_from="2024-01-01", valid_until="2024-06-30")
    later = memory.add(fact, valid_from="2025-09-01")
    assert later.superseded == later.conflicts == () and len(memory) == 2
    when = ("2024-03-01", "2024-06-30", "2024-07-01", "2025-01-15", "2025-09-01")
    found = [memory.search(["Alex is assigned to"], as_of=day)[0] for day in when]
    assert [len(hits) for hits in found] == [1, 1, 0, 0, 1]


def test_a_memory_may_name_the_zone_of_its_days(tmp_path: Path) -> None:
    with EditMemory(tmp_path / "m", HashingEncoder(64)) as memory:
        before = memory.add(capital("Peru"), valid_until="2030-07-31").record
        assert before.valid_until == utc(2030, 8)
        memory.set_zone("Europe/Berlin")
        with pytest.raises(InvalidInputError, match="no time zone"):
            memory.set_zone("Mars/Olympus")
    with EditMemory(tmp_path / "m", HashingEncoder(64)) as memory:
        assert str(memory.zone) == "Europe/Berlin"
        assert memory.get(before.id) == before  # what is stored stays as it is
        record = memory.add(capital("Chile"), valid_until="2030-07-31").record
        assert record.valid_until == utc(2030, 7, 31, 22)
        exact = memory.add(capital("Cuba"), valid_until=utc(2030, 7, 31)).record
        assert exact.valid_until == utc(2030, 7, 31)
        file = tmp_path / "in.jsonl"
        rows = [  # fmt: skip
            {"prompt": "Tea is", "target_new": "hot", "valid_until": "2030-07-31"},
            {"prompt": "Ice is", "target_new": "hot", "valid_until": "2030-07-31T12:00"},
        ]
        file.write_text("\n".join(map(json.dumps, rows)))
        memory.import_file(file)
        ends = {r.edit.prompt: r.valid_until for r in memory.records()}
        assert ends["Tea is"] == utc(2030, 7, 31, 22) and ends["Ice is"] == utc(2030, 7, 31, 10)
        memory.export(tmp_path / "out.jsonl")
        again = EditMemory(None, HashingEncoder(64))
        again.import_file(tmp_path / "out.jsonl")
        assert {r.edit.prompt: r.valid_until for r in again.records()} == ends
        assert len(memory.search(["Chile"], as_of="2030-07-31")[0]) > 0
