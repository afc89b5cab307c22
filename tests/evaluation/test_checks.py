"""Fact tests: what an edit file says its edits must answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.evaluation.checks import junit, read, run
from memedit.model.editable import EditableModel
from tests import helpers

CEO = {"prompt": "The CEO of Acme is", "target_new": "Bo", "subject": "Acme"}
OLD = {**CEO, "target_new": "Ada", "valid_until": "2019-12-31"}


def written(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    return path


@pytest.fixture(scope="module")
def model() -> EditableModel:
    base, tokenizer = helpers.tiny_model("llama"), helpers.byte_tokenizer()
    return EditableModel(base, tokenizer, editor="note", encoder="hashing", scope="mention")


def test_checks_are_asked_and_judged(model: EditableModel, tmp_path: Path) -> None:
    checks = [
        {"ask": "The CEO of Acme is", "says": "Bo", "never": ["Ada"]},
        {"ask": "The CEO of Acme is", "says": ["Ada"], "as_of": "2019-12-31"},
        {"ask": "The CEO of Acme is", "says": ["Cy"]},
        {"ask": "The CEO of Acme is", "unchanged": True},
        {"ask": "Tea is", "unchanged": True},
    ]
    new = {**CEO, "valid_from": "2020-01-01", "checks": checks}
    requests, asked = read(written(tmp_path / "facts.jsonl", OLD, new))
    assert [check.edit[0] for check in asked] == [1, 2, 2, 2, 2, 2]
    assert asked[0].says == ("Ada",)  # one without checks is asked its own prompt
    for one in requests:
        model.memory.add(one.edit, valid_from=one.valid_from, valid_until=one.valid_until)
    said = json.dumps({"statement": "Tea is\u2028green."}, ensure_ascii=False)  # as export does
    (tmp_path / "odd.jsonl").write_text(said + "\r\n", "utf-8")
    assert read(tmp_path / "odd.jsonl")[0][0].edit.statement == "Tea is\u2028green."
    heard: list[int] = []
    outcomes = run(model, asked[1:], budget=4, progress=heard.append)
    assert heard == [1, 2, 3, 4, 5]
    assert [bool(outcome.wrong) for outcome in outcomes] == [False, False, True, True, False]
    assert outcomes[0].answer == "Bo" and outcomes[1].answer == "Ada"
    assert "wanted 'Cy'; fired: The CEO of Acme is Bo" in outcomes[2].wrong
    assert "the unedited model says" in outcomes[3].wrong
    suite = ElementTree.fromstring(junit(outcomes, "facts.jsonl"))
    assert suite.attrib == {"name": "memedit", "tests": "5", "failures": "2"}
    cases = suite.findall("testcase")
    assert cases[0].attrib == {"classname": "facts.jsonl:2", "name": "The CEO of Acme is"}
    assert [case.find("failure") is not None for case in cases] == [0, 0, 1, 1, 0]


def test_an_edit_is_asked_where_and_when_it_holds(model: EditableModel, tmp_path: Path) -> None:
    over = {**OLD, "valid_from": "2018-01-01"}
    rows = [OLD, over, CEO, {**CEO, "namespace": "acme", "valid_from": "2999-01-01"}]
    rows.append({"statement": "Tea is green."})  # nothing to be asked
    requests, asked = read(written(tmp_path / "facts.jsonl", *rows))
    assert [check.as_of[:19] for check in asked] == [
        "2019-12-31T23:59:59", "2018-01-01T00:00:00", "", "2999-01-01T00:00:00"
    ]  # fmt: skip
    tenant = requests[3]
    model.memory.add(tenant.edit, namespace="acme", valid_from=tenant.valid_from)
    (outcome,) = run(model, asked[3:], budget=4)
    assert (outcome.answer, outcome.wrong) == ("Bo", "")


def test_a_file_that_was_checked_can_be_imported(model: EditableModel, tmp_path: Path) -> None:
    row = {**CEO, "namespace": "staging", "checks": [{"ask": "Who leads Acme?", "says": "Bo"}]}
    path = written(tmp_path / "facts.jsonl", row)
    assert [check.ask for check in read(path)[1]] == ["Who leads Acme?"]
    report = model.memory.import_file(path)
    assert (report.added, report.refused_total) == (1, 0)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**CEO, "checks": [{"says": ["x"]}]}, 'needs "ask"'),
        ({**CEO, "checks": [{"ask": "x"}]}, '"says" or "never"'),
        ({**CEO, "checks": [{"ask": "x", "says": ["y"], "unchanged": True}]}, '"says" or "never"'),
        ({**CEO, "checks": [{"ask": "x", "says": [1]}]}, "list of texts"),
        ({**CEO, "checks": [{"ask": "x", "say": "y"}]}, "no 'say'"),
        ({**CEO, "checks": {}}, "a list"),
        ({**CEO, "chekcs": []}, "chekcs.*mean: checks"),
        ([1], "line 2: not a JSON object but list"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(row: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=why):
        read(written(tmp_path / "facts.jsonl", CEO, row))


def test_a_file_without_edits_is_not_all_right(tmp_path: Path) -> None:
    """The fault: "0 of 0 right.", with exit code 0, of a file that a job of CI had emptied."""
    with pytest.raises(InvalidInputError, match="holds no edits"):
        read(written(tmp_path / "facts.jsonl"))


def test_xml_holds_whatever_is_asked(model: EditableModel) -> None:
    from memedit.evaluation.checks import Check, Outcome

    check = Check((1, Edit("A is", "b").statement), "is <a> & \x00\x1b\ud800 b?", says=("b",))
    text = junit([Outcome(check, "no\x08", "wanted 'b'")], "f")
    case = ElementTree.fromstring(text.encode())[0]
    assert case.attrib["name"].startswith("is <a> & ") and "\x00" not in text
