from __future__ import annotations

import json
from pathlib import Path

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.memory.files import read
from memedit.memory.importing import CHUNK
from tests.memory.helpers import CountingEncoder, capital, ids, sound, utc


@pytest.fixture
def memory(tmp_path: Path) -> EditMemory:
    return EditMemory(tmp_path / "memory", CountingEncoder())


def lines(path: Path, *rows: object) -> Path:
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows),
        encoding="utf-8",
    )
    return path


def test_export_and_import_bring_everything_back(memory: EditMemory, tmp_path: Path) -> None:
    memory.add(
        Edit("Wo liegt Köln?", "am\u2028Meer", "Köln", "am Rhein", ("a|b", "日本")), source="x"
    )
    memory.add(Edit("Who rules?", "Ann", id="my id"), namespace="ns")
    memory.add(Edit.from_statement("Tea is cold.", "Tea"), valid_from=utc(2020))
    memory.add(capital("France"))
    memory.add(capital("France", "Nice"), valid_from=utc(2021), valid_until=utc(2022))
    assert memory.export(tmp_path / "out" / "edits.jsonl") == 6  # Lyon before and after Nice
    other = EditMemory(None, CountingEncoder())
    report = other.import_file(tmp_path / "out" / "edits.jsonl")
    assert (report.added, report.duplicate, report.superseded, report.refused) == (6, 0, 0, [])

    def content(memory: EditMemory) -> list[object]:
        return [
            (r.edit, r.namespace, r.source, r.valid_from, r.valid_until) for r in memory.records()
        ]

    assert content(other) == content(memory) and sound(other)
    again = other.import_file(tmp_path / "out" / "edits.jsonl")
    assert (again.added, again.duplicate, again.resumed_at) == (0, 6, 0)


def test_refused_lines_say_why_and_the_rest_is_added(memory: EditMemory, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "edits.jsonl",
        {"prompt": "Snow is", "target_new": "black"},
        "{bad json",
        {"prompt": "Grass is"},
        "",
        {"prompt": "Grass is", "target_new": "red", "colour": 1},
        {"prompt": "Grass\0 is", "target_new": "red"},
        [1, 2],
        {"prompt": "Grass is", "target_new": 5},
        {"prompt": "Grass is", "target_new": "red", "valid_from": "soon"},
        {
            "prompt": "Grass is",
            "target_new": "red",
            "valid_from": "2020-01-01",
            "valid_until": "2019-01-01",
        },
        {"prompt": "Grass is", "target_new": "red", "queries": "x"},
        {"statement": "Tea is cold.", "target_new": "x"},
        {"prompt": "Grass is", "target_new": "red", "subject": "Tea"},
        '{"prompt": "\\ud800", "target_new": "red"}',
        {"prompt": "Snow is", "target_new": "white", "valid_from": "2020-01-01", "source": "s"},
    )
    with path.open("ab") as file:
        file.write(b'\n{"prompt": "\xff"}\n' + b"[" * 100_000)
    report = memory.import_file(path, namespace="ns", source="file")
    assert (report.added, report.superseded, report.refused_total) == (2, 1, 14)
    reasons = {number: reason for number, _, reason in report.refused}
    for number, part in {
        2: "not JSON", 3: "target_new is missing", 5: "Unknown column 'colour'", 6: "NUL",
        7: "not a JSON object", 8: "must be a string", 9: "ISO 8601", 10: "not before",
        11: "list of strings", 12: "no target_new", 13: "does not occur", 14: "surrogate",
        16: "not UTF-8", 17: "not JSON",
    }.items():  # fmt: skip
        assert part in reasons[number], (number, reasons[number])
    assert all(len(text) <= 80 for _, text, _ in report.refused)
    black, white = memory.records("ns")
    assert {black.edit.target_new, white.edit.target_new} == {"black", "white"}
    assert {black.source, white.source} == {"file", "s"}
    assert sound(memory)


def test_a_quote_that_is_not_closed_is_told_with_its_lines(tmp_path: Path) -> None:
    """The fault: all lines behind it went into one value, and nothing was said."""
    path = tmp_path / "edits.csv"
    path.write_text('prompt,answer\nA is,b\nIt is,"3\nC is,d\nE is,f\n', encoding="utf-8")
    first, broken = read(path)
    assert first.request is not None and broken.request is None
    assert broken.number == 3 and "lines 3 to 5 were read as one" in broken.reason
    path.write_text('prompt,answer\nA is,"3" bolt\nC is,"d\ne"\n', encoding="utf-8")
    wrong, right = read(path)
    assert "not CSV" in wrong.reason and right.request is not None
    assert right.request.edit.target_new == "d\ne"


def test_csv(memory: EditMemory, tmp_path: Path) -> None:
    path = tmp_path / "edits.csv"
    path.write_bytes(
        "\ufeffprompt,target_new,subject,queries,valid_from,namespace\r\n"
        '"The capital of France, today, is",Lyon,France,Where? | What?,2020-01-01,\r\n'
        "\r\n"
        '"two\nlines are",fine,,,,ns\r\n'
        "too,many,cells,in,this,row,here\r\n"
        "no target,,,,,\r\n".encode()
        + b"latin \xe9 is,x,,,,\r\n"
    )
    report = memory.import_file(path)
    assert (report.added, [number for number, _, _ in report.refused]) == (2, [6, 7, 8])
    (record,) = memory.records("default")
    assert record.edit.queries == ("Where?", "What?") and record.valid_from == utc(2020)
    assert [r.edit.prompt for r in memory.records("ns")] == ["two\nlines are"]
    path.write_text("prompt,target\nx,y\n")
    with pytest.raises(InvalidInputError, match="Unknown column.*target_new"):
        memory.import_file(path)
    with pytest.raises(InvalidInputError, match="No file"):
        memory.import_file(tmp_path / "nothing.csv")


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_as_people_who_answer_questions_write_it(
    memory: EditMemory, tmp_path: Path, between: str
) -> None:
    """The fault: "Unknown column 'question'", and one column where a spreadsheet writes ";"."""
    path = tmp_path / "wrong.csv"
    rows = [("Question", "Wrong answer", " Right-Answer "), ("What does it cost?", "1", "2 euros")]
    path.write_text("\n".join(map(between.join, rows)))
    assert memory.import_file(path).added == 1
    (record,) = memory.records()
    edit = record.edit
    assert (edit.prompt, edit.target_new, edit.target_true) == (
        "What does it cost?",
        "2 euros",
        "1",
    )
    path.write_text(f"answer{between}correct answer{between}question\na{between}b{between}c\n")
    with pytest.raises(InvalidInputError, match="two columns for target_new"):
        memory.import_file(path)
    path.write_text(f"question{between}agent\na{between}b\n")
    with pytest.raises(InvalidInputError, match="'agent'.* question, answer and"):
        memory.import_file(path)


def test_counterfact_and_json_lists(memory: EditMemory, tmp_path: Path) -> None:
    case = {
        "case_id": 1,
        "requested_rewrite": {
            "prompt": "The mother tongue of {} is",
            "subject": "Danielle Darrieux",
            "target_new": {"str": "English", "id": "Q1860"},
            "target_true": {"str": "French"},
        },
        "paraphrase_prompts": ["x"],
    }
    path = lines(
        tmp_path / "cases.json", json.dumps([case, {"requested_rewrite": {"prompt": 1}}, 3])
    )
    report = memory.import_file(path)
    assert (report.added, report.refused_total) == (1, 2)
    (record,) = memory.records()
    assert record.edit == Edit(
        "The mother tongue of Danielle Darrieux is", "English", "Danielle Darrieux", "French"
    )
    with pytest.raises(InvalidInputError, match="no JSON list"):
        memory.import_file(lines(tmp_path / "one.json", "{}"))


def test_interrupted_import_goes_on(memory: EditMemory, tmp_path: Path) -> None:
    edits = [capital(f"Land {i}") for i in range(2 * CHUNK + 500)]
    rows = [{"prompt": e.prompt, "target_new": e.target_new, "subject": e.subject} for e in edits]
    path = lines(tmp_path / "edits.jsonl", "{bad", *rows)

    def stop(done: int) -> None:
        if done == 2 * CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.import_file(path, progress=stop)
    assert len(memory) == 2 * CHUNK - 1
    memory.forget(edits[0].id)  # a resumed import does not bring it back
    memory.close()
    encoder = CountingEncoder()
    with EditMemory(memory.path, encoder) as again:
        report = again.import_file(path)
        assert report.resumed_at == 2 * CHUNK and report.refused[0][:2] == (1, "{bad")
        assert (report.added, report.duplicate, report.refused_total) == (len(edits), 0, 1)
        assert sum(map(len, encoder.calls)) == 501
        assert ids(again) == [edit.id for edit in edits[1:]] and sound(again)
        assert again.import_file(path).added == 1  # done: the next import begins anew
