"""Slots with several values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memedit.core.errors import InvalidEditError
from memedit.core.types import Decision, Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.model.values import add_all_values, tell_together
from tests.memory.helpers import sound

ASKED = "Kirk is interested in"


def interest(value: str, *, multiple: bool = True) -> Edit:
    return Edit(ASKED, value, "Kirk", multiple=multiple)


@pytest.fixture
def decider() -> Decider:
    return Decider(EditMemory(None, HashingEncoder(256)), "mention")


def asked(decider: Decider) -> list[str]:
    (decision,) = decider.decide([ASKED], "default")
    return sorted(hit.record.edit.target_new or "" for hit in decision.hits)


def test_values_stand_side_by_side_and_one_is_forgotten(decider: Decider) -> None:
    memory = decider.memory
    first = memory.add(interest("travel"))
    second = memory.add(interest("street food"))
    assert second.superseded == second.conflicts == () and first.id != second.id
    assert memory.add(interest("street food")).status == "duplicate"
    memory.add(Edit("Spock is interested in", "logic", "Spock", multiple=True))
    assert asked(decider) == ["street food", "travel"]
    memory.forget(first.id)
    assert asked(decider) == ["street food"] and sound(memory)
    memory.restore(memory.version - 1)
    assert asked(decider) == ["street food", "travel"]


def test_all_values_are_told_as_one_fact(decider: Decider) -> None:
    for value in ("travel", "street food", "chess"):
        decider.memory.add(interest(value))
    (decision,) = decider.decide([ASKED], "default")
    told = tell_together(decision)
    assert told.hits[0].record.edit.statement == f"{ASKED} travel, street food and chess"
    assert {hit.record.id for hit in told.hits} == {hit.record.id for hit in decision.hits}
    again = tell_together(decider.decide([ASKED], "default")[0])
    assert again.hits[0].record.sequence == told.hits[0].record.sequence < 0


def test_a_value_that_is_told_is_not_told_beside_too(decider: Decider) -> None:
    for value in ("travel", "chess"):
        decider.memory.add(interest(value))
    first, second = decider.decide([ASKED], "default")[0].hits
    given = Decision((first,), companions=(second,))
    told = add_all_values(given, decider.memory, None)
    assert len(told.hits) == 2 and told.companions == ()


def test_one_value_is_never_lost_to_the_other_kind(decider: Decider) -> None:
    memory = decider.memory
    memory.add(interest("travel", multiple=False))
    assert memory.add(interest("chess")).superseded == ()
    plain = memory.add(interest("golf", multiple=False))
    assert [r.edit.target_new for r in plain.superseded] == ["travel"]  # one value replaces one
    assert [r.edit.target_new for r in plain.conflicts] == ["chess"]  # and says of the others
    assert len(memory) == 2


def test_every_door_keeps_it(tmp_path: Path) -> None:
    with EditMemory(tmp_path / "m", HashingEncoder(64)) as memory:
        memory.add(Edit(ASKED, "travel", "Kirk", queries=("q",), excluded=("x",), multiple=True))
        memory.add(Edit("Tea is", "hot", queries=("q",), excluded=("multiple",)))
        kept = [record.edit for record in memory.records()]
        memory.export(tmp_path / "out.jsonl")
    with EditMemory(tmp_path / "m", HashingEncoder(64)) as memory:
        assert [record.edit for record in memory.records()] == kept and sound(memory)
    again = EditMemory(None, HashingEncoder(64))
    again.import_file(tmp_path / "out.jsonl")
    assert [record.edit for record in again.records()] == kept
    table = tmp_path / "in.csv"
    table.write_text(
        "prompt,target_new,multiple\nA is,b,yes\nA is,c,true\nC is,d,no\nC is,e,\nD,f,x\n"
    )
    report = again.import_file(table)
    assert (report.added, report.superseded, report.refused_total) == (4, 1, 1)
    assert "true or false" in report.refused[0][2]
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row.get("multiple") for row in told] == [True, None]
    with pytest.raises(InvalidEditError, match="true or false"):
        Edit("A is", "b", multiple="yes")  # type: ignore[arg-type]
