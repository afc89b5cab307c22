"""Row files: whole units or nothing, whatever a crash leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from memedit.evaluation.measures.rows import Row, RowFile, read

ROWS: list[Row] = [{"value": 1.5, "text": 'é "quoted"\n'}, {"value": 2}]


def test_units_are_read_back(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "cells" / "x.jsonl")
    file.append("a", ROWS)
    file.append("b", [])
    assert list(read(file.path)) == ROWS
    assert RowFile(file.path).units == {"a", "b"}


@pytest.mark.parametrize("cut", range(1, 100, 7))
def test_a_torn_unit_is_cut_off(cut: int, tmp_path: Path) -> None:
    file = RowFile(tmp_path / "x.jsonl")
    file.append("a", ROWS[:1])
    whole = file.path.stat().st_size
    file.append("b", ROWS)
    data = file.path.read_bytes()
    torn = max(whole, len(data) - cut)
    file.path.write_bytes(data[:torn])
    assert list(read(file.path)) == ROWS[:1]
    assert RowFile(file.path).units == {"a"}
    assert file.path.stat().st_size == whole


def test_rows_of_a_unit_that_is_under_way_do_not_count(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "x.jsonl")
    file.append("a", ROWS[:1])
    with file.path.open("a") as out:
        out.write('{"value": 7}\n')
    assert list(read(file.path)) == ROWS[:1]
