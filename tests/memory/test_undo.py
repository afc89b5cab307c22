"""The last change taken back, and the one before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.memory.journal import reading
from tests.memory.helpers import CountingEncoder, capital, sound

ENCODER = CountingEncoder()


@pytest.fixture
def memory() -> Iterator[EditMemory]:
    with EditMemory(None, ENCODER) as opened:
        yield opened


def towns(memory: EditMemory, namespace: str | None = None) -> list[str | None]:
    return [record.edit.target_new for record in memory.records(namespace)]


@pytest.mark.parametrize("where", ["ram", "folder", "postgres"])
def test_one_change_after_the_other_is_taken_back(
    where: str, request: pytest.FixtureRequest
) -> None:
    places = {"folder": "tmp_path", "postgres": "pg_memory"}
    place = request.getfixturevalue(places[where]) if where in places else None
    with EditMemory(place, ENCODER) as memory:
        seen = [towns(memory)]
        memory.add(capital("France"))
        seen.append(towns(memory))
        memory.add_many([capital("France", "Nice"), capital("Spain", "Cadiz")])
        seen.append(towns(memory))
        memory.forget(capital("Spain", "Cadiz").id)
        seen.append(towns(memory))
        memory.report(capital("France", "Nice").id, "Where is it governed?", concerns=True)
        for before in reversed(seen):
            undone = memory.undo()
            assert towns(memory) == before and undone.version == memory.version
        assert [event.kind for event in undone.events] == ["forget"] and undone.change == 1
        with pytest.raises(InvalidInputError, match="no change to take back"):
            memory.undo()
        # And each can be brought again, which is a change as any other.
        memory.restore(2)
        assert towns(memory) == seen[2] and memory.undo().change == memory.version - 1
        assert towns(memory) == [] and sound(memory)


def test_changes_after_one_that_was_taken_back_go_first(memory: EditMemory) -> None:
    memory.add(capital("France"))
    memory.add(capital("Spain", "Cadiz"))
    memory.undo()
    memory.add(capital("Peru", "Cusco"))
    memory.undo()
    assert towns(memory) == ["Lyon"]
    memory.undo()
    assert towns(memory) == []


def test_a_return_that_somebody_asked_for_is_a_change(memory: EditMemory) -> None:
    for n in range(4):
        memory.add(capital("France", f"Town {n}"))
    memory.restore(1)
    assert towns(memory) == ["Town 0"]
    memory.undo()
    assert towns(memory) == ["Town 3"]
    memory.undo()
    assert towns(memory) == ["Town 2"]


def test_one_namespace_goes_back_alone(memory: EditMemory) -> None:
    for n in range(2):
        memory.add(capital("France", f"Town {n}"), namespace="acme")
        memory.add(capital("France", f"City {n}"))
    memory.undo(namespace="acme")
    memory.undo(namespace="acme")
    assert towns(memory) == ["City 1"]
    with pytest.raises(InvalidInputError):
        memory.undo(namespace="acme")
    memory.add(capital("Spain", "Cadiz"), namespace="acme")
    memory.undo()
    assert towns(memory) == ["City 1"]


def test_where_there_is_no_memory_none_is_made(tmp_path: Path) -> None:
    with EditMemory(tmp_path, ENCODER) as memory, pytest.raises(InvalidInputError):
        memory.undo()
    assert not [*tmp_path.glob("*.sqlite*")]


def test_a_purge_is_not_taken_back(memory: EditMemory) -> None:
    memory.add(capital("France"))
    memory.add(Edit("The patient is", "Mia"))
    memory.purge(Edit("The patient is", "Mia").id)
    with pytest.raises(InvalidInputError, match="a purge"):
        memory.undo()
    assert towns(memory) == ["Lyon"]


def test_what_was_written_meanwhile_is_seen(tmp_path: Path) -> None:
    """By another process, here another memory on the same directory."""
    with EditMemory(tmp_path, ENCODER) as one, EditMemory(tmp_path, ENCODER) as other:
        one.add(capital("France"))
        other.add(capital("Spain", "Cadiz"))
        one.undo()
        assert towns(one) == towns(other) == ["Lyon"]


def test_no_more_is_read_than_what_changes() -> None:
    """Of a large memory its whole history would take longer than others wait for their turn."""
    with EditMemory(None, ENCODER) as memory:
        memory.add_many([capital(f"Country {n}") for n in range(300)])
        memory.add(capital("France"))
        read, journal = list[int](), memory._store.journal
        records = type(journal).records

        def count(self: Any, sequences: Sequence[int], lazy: Any = None) -> Any:
            read.append(len(sequences))
            return records(self, sequences, lazy)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(journal), "records", count)
            patch.setattr(reading, "to_record", None)  # nothing is read whole
            assert [event.kind for event in memory.undo().events] == ["forget"]
        assert sum(read) < 10
