"""Records as bytes are the records, whatever is put in and taken out."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.live import packed
from memedit.memory.live.packed import PackedRecords

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
KINDS = (
    Edit("The capital of France is", "Lyon", "France", "Paris"),
    Edit("Straße 9 “quoted” \\ \n 日本", "Ω", queries=("Where?", "Who?"), excluded=("Not this?",)),
    Edit("Ada speaks", "Greek", "Ada", multiple=True, because_of=("a", "b"), id="mine"),
    Edit.from_statement("Our refund window is 60 days."),
)


def record(sequence: int) -> Record:
    edit, day = KINDS[sequence % 4], timedelta(days=sequence)
    since, until = ((None, None), (NOON, None), (None, NOON + day), (NOON, NOON + day))[
        sequence // 4 % 4
    ]
    return Record(edit, sequence, 3, "space", f"source {sequence}", since, until)


@pytest.mark.parametrize("kept", [0, 5, 1_000])
def test_equals_a_dictionary(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_KEPT", kept)
    monkeypatch.setattr(packed, "_LITTLE", 500)  # closed up again and again
    rng = np.random.default_rng(0)
    held, expected = PackedRecords(), dict[int, Record]()
    for start in range(1, 200, 20):
        fresh = [record(sequence) for sequence in range(start, start + 20)]
        held.add_many(fresh)
        expected |= {each.sequence: each for each in fresh}
        for sequence in rng.permutation(sorted(expected))[:12].tolist():
            assert held.pop(sequence) == expected.pop(sequence)
            assert sequence not in held and held.pop(sequence) is None
        assert dict(held) == expected and len(held) == len(expected)
        assert list(held.iterate(held.sequences())) == list(expected.values())
    for sequence, each in expected.items():
        assert held.statement(sequence) == each.edit.statement
        for moment in (NOON - timedelta(days=1), NOON, NOON + timedelta(days=sequence)):
            assert held.holds_at(sequence, moment) == each.holds_at(moment)
    with pytest.raises(KeyError):
        held[1_000_000]


def test_what_is_taken_out_is_not_kept() -> None:
    held = PackedRecords()
    held.add_many([record(1), Record(Edit("A secret is", "Zanzibar"), 2, 1)])
    held.pop(2)
    assert "Zanzibar" not in repr(vars(held)) and list(held) == [1]


def test_what_was_read_while_it_was_taken_out_is_not_there() -> None:
    held = PackedRecords()
    held.add_many([record(1), record(2)])
    late = held[2]
    held.pop(2)
    held._objects[2] = late  # by the thread that read it meanwhile
    assert 2 not in held and 1 in held


def test_no_text_stays_for_ever(tmp_path: Path) -> None:
    """The interpreter's own table of texts lets go of none from Python 3.12 on."""
    with EditMemory(tmp_path / "memory", HashingEncoder(16)) as memory:
        memory.add(Edit("The town of Oz is", "Zanzi 77 bar", "Oz"), namespace="Qu 77 x")
    with EditMemory(tmp_path / "memory", HashingEncoder(16)) as memory:
        assert memory.search(["The town of Oz is"], namespace="Qu 77 x")[0]
    for parts in (("Zanzi", "77", "bar"), ("Qu", "77", "x")):
        fresh = " ".join(parts)  # constants of this file are in that table themselves
        assert sys.intern(fresh) is fresh


def test_what_no_memory_packed_is_told() -> None:
    held = PackedRecords()
    held.add_many([record(1), record(2)])
    renumbered = PackedRecords.from_arrays(held.arrays() | {"places": np.array([1, 3])})
    assert renumbered[1] == record(1)
    with pytest.raises(MemoryStoreError, match="no record 3: it says it is 2"):
        renumbered[3]
    with pytest.raises(ValueError, match="twice"):
        PackedRecords.from_arrays(held.arrays() | {"places": np.array([1, 1])})
    for content in (b"[1]", b"777", b"{}}", b"[[[" * 50_000):
        packed = len(content).to_bytes(4, "little") + content
        arrays = {"places": np.array([1]), "places.at": np.array([0]), "dated": np.array([], int)}
        odd = PackedRecords.from_arrays(arrays | {"records": np.frombuffer(packed, np.uint8)})
        for read in (odd.__getitem__, odd.statement):
            with pytest.raises(MemoryStoreError, match="holds no record 1"):
                read(1)
