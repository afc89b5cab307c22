"""Row files: whole units or nothing, whatever a crash leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memedit.core.errors import InvalidInputError
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


def test_a_unit_that_was_damaged_is_measured_anew_and_the_others_are_kept(tmp_path: Path) -> None:
    """The fault: one digit was another figure, one bracket all that came after it."""
    file = RowFile(tmp_path / "x.jsonl")
    for name in ("a", "b", "c"):
        file.append(name, ROWS)
    content = file.path.read_bytes()
    at = content.index(b"1.5", content.index(b'"unit": "a"'))
    for wrong in (b"1.7", b"1}5", b"\xff.5"):
        file.path.write_bytes(content[:at] + wrong + content[at + 3 :])
        with pytest.raises(InvalidInputError, match="unit 'b' is not as it was written"):
            list(read(file.path))
        again = RowFile(file.path)
        assert again.units == {"a", "c"}
        again.append("b", ROWS)
        assert list(read(file.path)) == ROWS * 3


def test_files_without_hashes_are_read(tmp_path: Path) -> None:
    row = dict.fromkeys(("index", "case", "phase", "edited", "measure", "value"), 1)
    file = tmp_path / "x.jsonl"
    for rows, whole in (([row], True), ([row, row], False), ([{"value": 1}], False)):
        lines = [*rows, {"unit": "a", "rows": 1}]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if whole:
            assert list(read(file)) == rows
        else:
            with pytest.raises(InvalidInputError):
                list(read(file))
