"""Receipts of use: counted in RAM, kept in batches, gone with what is purged."""

from __future__ import annotations

from pathlib import Path

from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.memory.helpers import capital, sound


def open_at(place: Path | None) -> EditMemory:
    return EditMemory(place, HashingEncoder(16))


def counts(memory: EditMemory, namespace: str | None = None) -> dict[str | None, int]:
    return {use.record.edit.subject: use.count for use in memory.uses(namespace)}


def test_fires_add_up_over_processes_and_namespaces(tmp_path: Path) -> None:
    with open_at(tmp_path) as one, open_at(tmp_path) as two:
        france, spain = (one.add(capital(name)).record for name in ("France", "Spain"))
        other = one.add(capital("France"), namespace="other").record
        version = one.version
        one.count_use([france, france, other])
        two.count_use([france])
        assert counts(one, "default") == {"France": 2, "Spain": 0}  # what two counted is in its RAM
        for memory in (one, two):
            memory._uses.write()
        assert counts(two, "default") == {"France": 3, "Spain": 0} and one.version == version
        assert counts(one, "other") == {"France": 1}
        two.count_use([spain])
        assert one.uses()[0].record == france and one.uses()[0].last is not None
    with open_at(tmp_path) as memory:  # closing wrote the last one
        assert counts(memory, "default") == {"France": 3, "Spain": 1} and sound(memory)
        memory.purge(france.id)
        memory.add(capital("France"))
        assert counts(memory, "default") == {"France": 0, "Spain": 1} and sound(memory)
    with EditMemory(tmp_path, read_only=True) as memory:
        memory.count_use([spain])  # counted here, kept nowhere
    assert counts(open_at(tmp_path), "default") == {"France": 0, "Spain": 1}
