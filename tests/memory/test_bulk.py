"""What many edits at once must not take: bulk is to run nearly as fast as the encoder."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sqlalchemy import event

from memedit.core.types import Payload
from memedit.memory import EditMemory
from memedit.memory.journal.rows import from_bytes, to_bytes
from tests.memory.helpers import CountingEncoder, capital, sound


def test_a_batch_is_added_without_looking_for_garbage() -> None:
    """The fault: a third of the time went into looking through every object of the process."""
    looks = list[str]()
    edits = [capital(f"Land {n}") for n in range(2_000)]
    with EditMemory(None, CountingEncoder(8)) as memory:
        memory.add(capital("France"))

        def hear(phase: str, _: object) -> None:
            looks.append(phase)

        gc.callbacks.append(hear)
        try:
            memory.add_many(edits)
        finally:
            gc.callbacks.remove(hear)
        assert gc.isenabled() and len(memory) == 2_001
    assert looks.count("start") < 25


def statements(memory: EditMemory, count: int, start: int) -> int:
    """How many the database is sent while so many edits with payloads are added."""
    sent = list[str]()
    engine = memory._store.journal.connection.engine

    def hear(connection: object, cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        edits = [capital(f"Land {n}") for n in range(start, start + count)]
        payloads: list[Payload] = [{"n": n, "key": torch.ones(2)} for n in range(count)]
        receipts = memory.add_many(edits, payloads=[{"grace": each} for each in payloads])
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    for n in (0, count - 1):
        held = memory.get(receipts[n].id).payloads["grace"]
        assert held["n"] == n and np.asarray(held["key"]).tolist() == [1, 1]
    return len(sent)


def test_payloads_of_many_edits_take_no_statement_each(tmp_path: Path) -> None:
    """The fault: each took two, and half of the time of ``edit_many``."""
    with EditMemory(tmp_path, CountingEncoder(8)) as memory:
        memory.add(capital("France"))
        few, many = statements(memory, 4, 0), statements(memory, 60, 100)
        assert few == many and sound(memory)
        assert statements(memory, 200, 1_000) < many + 5


def test_vectors_that_make_up_for_each_others_length_are_damaged() -> None:
    """The fault: a masked prompt's that was cut off was filled up with the next one's."""
    whole = [to_bytes(np.ones(2, np.float32)), to_bytes(np.zeros(2, np.float32))]
    assert from_bytes(whole, 2).tolist() == [[1, 1], [0, 0]]
    with pytest.raises(ValueError, match="not of 2 numbers"):
        from_bytes([whole[0][:-4], whole[1] + bytes(4)], 2)


@pytest.mark.parametrize("wanted", [[2], [2, 3, 4], [2, 4], [3, 6, 5], [5, 2], [3, 3, 5], [9]])
def test_just_the_records_that_are_asked_for_are_read(wanted: Sequence[int]) -> None:
    with EditMemory(None, CountingEncoder(8)) as memory:
        memory.add_many([capital(f"Land {n}") for n in range(7)])
        with memory._store.journal.read():
            found = memory._store.journal.records(wanted)
        assert sorted(r.sequence for r, _ in found) == sorted({*wanted} - {9})
