"""The table of all editors: its manifest names what is there, and a second run changes no byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.table import (
    COLUMNS,
    MANIFEST,
    cell,
    main,
    read_manifest,
    write_corpus,
    write_prompts,
)
from memedit.core.errors import InvalidInputError
from memedit.data.split import part_of
from memedit.editors import available
from memedit.evaluation.measures.summary import Interval
from memedit.evaluation.runs.part import Job
from memedit.evaluation.runs.specs import parse
from tests.helpers import byte_tokenizer, tiny_model
from tests.training.test_hypernetworks import records


def test_every_row_of_the_manifest_names_an_editor_with_settings_that_it_has(
    tmp_path: Path,
) -> None:
    named: set[str] = set()
    for section in read_manifest():
        for n, job in section.jobs(Path("data"), tmp_path, None).items():
            assert job.make_settings().protocol == section.settings["protocol"] and job.n == n
        for line in section.lines:
            named.add(parse(line.name(tmp_path)).text.partition("(")[0].split("-")[0].split("@")[0])
    ours = {"note", "none"}  # a part of auto, and the base
    assert named - {"none"} <= set(available()) and set(available()) - named <= ours
    assert all("published" in MANIFEST.read_text() for _ in COLUMNS)


def test_a_cell_has_its_interval_and_its_n() -> None:
    value = Interval(mean=0.975, low=0.931, high=0.99, n=100, worst=0.0, p5=0.0)
    assert cell(value) == "97.5 [93.1, 99.0] n=100" and cell(None) == "-"
    # Wilson by hand: 10 / (10 + 1.96^2) = .722; resamples of ten equal records say nothing.
    assert cell(Interval(mean=1.0, low=1.0, high=1.0, n=10)) == "100.0 [72.2, 100.0] n=10"
    assert cell(Interval(mean=0.0, low=0.0, high=0.0, n=10)) == "0.0 [0.0, 27.8] n=10"


def test_the_corpora_hold_training_subjects_alone(tmp_path: Path) -> None:
    facts = records(40)
    (tmp_path / "cf.jsonl").write_text("\n".join(map(json.dumps, facts)))
    zsre = [{"subject": f"Person {i}", "loc": f"nq question: who is {i}"} for i in range(40)]
    (tmp_path / "z.jsonl").write_text("\n".join(map(json.dumps, zsre)))
    corpus = write_corpus(tmp_path / "cf.jsonl", tmp_path).read_text().splitlines()
    subjects = {json.loads(line)["requested_rewrite"]["subject"] for line in corpus}
    every = {fact["requested_rewrite"]["subject"] for fact in facts}
    assert subjects == {s for s in every if part_of(s) == "train"} and 0 < len(subjects) < 40
    asked = write_prompts(tmp_path / "z.jsonl", tmp_path).read_text().splitlines()
    train = [i for i in range(40) if part_of(f"Person {i}") == "train"]
    assert asked == [f"nq question: who is {i}" for i in train]


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Any]:
    """A model, data and a manifest with two rows."""
    tiny_model().save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    (tmp_path / "facts.jsonl").write_text("\n".join(map(json.dumps, records(3))))
    lines = [
        {"method": "FT", "form": "published", "editor": "ft(steps=1)-ungated"},
        {"method": "IKE", "form": "ours", "editor": "ike(demonstrations=0)", "restricted": True,
         "n": 1},
        {"method": "KE", "form": "ours", "editor": "ke-ungated", "left": "no trained file"},
    ]  # fmt: skip
    section = {"name": "one", "title": "One", "lines": lines, "n": 2, "part": None,
               "data": "facts.jsonl", "columns": ["es", "gen_efficacy"], "protocol": "single",
               "families": ["tf", "gen"], "tokens": 2, "locality": 1}  # fmt: skip
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"defaults": {}, "sections": [section]}))
    return {"data_dir": tmp_path, "out": tmp_path / "out", "manifest": manifest,
            "model": str(tmp_path / "model"), "encoder": "hashing"}  # fmt: skip


def test_a_second_run_of_the_command_changes_no_byte(small: dict[str, Any]) -> None:
    main(**small, method=["FT"])
    begun = (small["out"] / "table.md").read_text()
    assert "| IKE ○ | ours | not run |" in begun and "not run: no trained file" in begun
    main(**small)
    table = (small["out"] / "table.md").read_bytes()
    rows = [line.split(" | ") for line in table.decode().splitlines() if line.startswith("| ")]
    names = ["| unedited", "| unedited", "| FT", "| IKE ○", "| KE"]
    assert [row[0] for row in rows[2:]] == names
    for row, n in zip(rows[2:6], (2, 1, 2, 1), strict=True):  # a number of its own for IKE
        assert all(f"n={n}" in figure and "[" in figure for figure in row[2:])
    main(**small)
    assert (small["out"] / "table.md").read_bytes() == table
    main(**small, report=True)
    assert (small["out"] / "table.md").read_bytes() == table
    with pytest.raises(InvalidInputError, match="no section"):
        main(**small, section=["two"])
    with pytest.raises(InvalidInputError, match="No row"):
        main(**small, method=["ROME"])


def test_the_model_is_where_and_in_what_the_options_say(small: dict[str, Any]) -> None:
    main(**small, method=["IKE"], dtype="bfloat16")
    run = small["out"] / "one" / "1"
    identity = json.loads((run / "manifest.json").read_text())["identity"]
    assert (identity["device"], identity["dtype"]) == ("cpu", "bfloat16")
    assert "--out OUT --dtype bfloat16`" in (small["out"] / "table.md").read_text()
    # Figures of another place do not mix with these: they begin anew.
    (run / "cells" / "stale").mkdir()
    main(**small, method=["IKE"])
    assert json.loads((run / "manifest.json").read_text())["identity"]["dtype"] == "float32"
    assert not (run / "cells" / "stale").exists()
    (section,) = read_manifest(small["manifest"])
    base: dict[str, Any] = {"model": small["model"], "encoder": "hashing", "device": "meta"}
    for job in section.jobs(small["data_dir"], small["out"], None, **base).values():
        assert Job.from_json(job.to_json()).open().engine.device.type == "meta"
