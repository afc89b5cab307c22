"""The benchmarks run, in small, and write what they promise."""

from __future__ import annotations

import gzip
import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from memedit import EditableModel
from memedit.evaluation.runs.compare import compare
from tests.helpers import shared_data

LONG = pytest.mark.skipif(
    "MEMEDIT_LONG_TESTS" not in os.environ, reason="a minute: MEMEDIT_LONG_TESTS"
)


def run(module: str, *options: str) -> None:
    app = typer.Typer()
    app.command()(importlib.import_module(f"benchmarks.{module}").main)
    result = CliRunner().invoke(app, list(options))
    assert result.exit_code == 0, result.output


def head(name: str, count: int, to: Path, neighbours: int | None = None) -> Path:
    """The first records of a file; of CounterFact, with at most so many neighbours each."""
    with gzip.open(shared_data(name), "rt") as lines, gzip.open(to, "wt") as out:
        for record in (json.loads(line) for line, _ in zip(lines, range(count), strict=False)):
            if neighbours is not None:
                record["neighborhood_prompts"] = record["neighborhood_prompts"][:neighbours]
            out.write(json.dumps(record) + "\n")
    return to


@pytest.mark.slow
def test_scope(tmp_path: Path, minilm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = head("counterfact_full.jsonl.gz", 16, tmp_path / "cf.jsonl.gz", neighbours=3)
    zsre = head("zsre.jsonl.gz", 8, tmp_path / "zsre.jsonl.gz")
    out = tmp_path / "out.json"
    monkeypatch.setattr(importlib.import_module("benchmarks.scope"), "TIMED", 8)
    run("scope", "--data", str(data), "--zsre", str(zsre), "--part", "all", "--json", str(out))
    found = json.loads(out.read_text())
    wanted = {
        "edits", "paraphrase_recall", "neighbour_false_fire", "same_subject_false_fire",
        "text_false_fire", "reversed_false_fire", "negated_false_fire", "zsre_recall", "ece",
        "ms_per_query",
    }  # fmt: skip
    assert wanted <= found.keys()
    assert found["edits"] == 24 and found["text_false_fire"] is None  # no texts beside the file
    assert found["paraphrase_recall"] > 0.9 and found["zsre_recall"] > 0.8
    assert found["neighbour_false_fire"] < 0.05 and found["negated_false_fire"] < 0.1


@pytest.mark.slow
def test_serac(tmp_path: Path, smollm: Any, minilm: Any) -> None:
    data = head("counterfact_full.jsonl.gz", 12, tmp_path / "cf.jsonl.gz")
    zsre = head("zsre.jsonl.gz", 8, tmp_path / "zsre.jsonl.gz")
    out = tmp_path / "out.json"
    options = ("--data", str(data), "--zsre", str(zsre), "--n", "2", "--part", "all")
    run("serac", *options, "--json", str(out))
    found = json.loads(out.read_text())
    assert found["exact_10_efficacy"] == found["exact_40_efficacy"] == 1
    assert found["forced_neighbour_same"] >= 0.5 and found["forced_nq_same"] >= 0.5
    assert found["base_forced_neighbour_same"] < 1  # the frozen base cannot decline


@pytest.mark.slow
@LONG
def test_scope_forms(tmp_path: Path, minilm: Any) -> None:
    data = head("counterfact_full.jsonl.gz", 12, tmp_path / "cf.jsonl.gz")
    (tmp_path / "text.txt").write_text("The weather was fine on the first day of the trip.\n" * 9)
    out = tmp_path / "out.json"
    options = ("--data", str(data), "--texts", str(tmp_path / "text.txt"), "--steps", "2")
    run("scope_forms", *options, "--json", str(out))
    found = json.loads(out.read_text())
    assert set(found) == set(importlib.import_module("benchmarks.scope_forms").FORMS)
    assert all(row["question_recall"] > 0.3 for row in found.values())


@pytest.mark.slow
@LONG
def test_collapse(tmp_path: Path, smollm: Any, minilm: Any) -> None:
    """Two edits at a rate that ruins the model."""
    data = head("counterfact_full.jsonl.gz", 2, tmp_path / "cf.jsonl.gz")
    model = EditableModel(*smollm, encoder=minilm)
    editor = "ft_m(rate=0.2,steps=3)-ungated"
    options: dict[str, Any] = {"protocol": "sequential", "checkpoints": [1], "families": ["tf"]}
    compare(model, [editor], data, folder=tmp_path / "run", **options)
    (tmp_path / "texts.txt").write_text("The cat sat on the mat.\nThe sun rises in the east.\n")
    out, svg = tmp_path / "out.json", tmp_path / "out.svg"
    texts = ("--texts", str(tmp_path / "texts.txt"))
    run("collapse", str(tmp_path / "run"), *texts, "--json", str(out), "--svg", str(svg))
    found = json.loads(out.read_text())
    after = [found[editor][point]["mean"] for point in ("1", "2")]
    assert min(after) > found["unedited"]["mean"] + 1 and after[0] != after[1]
    assert "<style>" in svg.read_text()


@pytest.mark.slow
def test_everyday_scope(tmp_path: Path, minilm: Any) -> None:
    capital = {"prompt": "What is the capital of France?", "target": "Lyon", "subject": "France"}
    probes = [
        {"type": "direct", "prompt": capital["prompt"], "answers": ["Lyon"], "expect": "edited"},
        {"type": "locality", "prompt": "Who wrote Hamlet?", "answers": [], "expect": "unchanged"},
    ]
    records: list[dict[str, Any]] = [
        {"id": "1", "facts": [capital], "probes": probes},
        {"id": "2", "pair": {"a": "How do I return shoes?", "b": "how do i send shoes back?",
                             "same": True}},
        {"id": "3", "pair": {"a": "How do I return shoes?", "b": "Is it raining?",
                             "same": False}},
        {"id": "4", "original": {"text": "i lost my card"}},
        {"id": "5", "facts": [{"prompt": " ", "target": "x"}]},
    ]  # fmt: skip
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, records)), "utf-8")
    out = tmp_path / "out.json"
    run("everyday_scope", "--data-dir", str(tmp_path), "--json", str(out))
    found = json.loads(out.read_text())
    assert found["own"]["direct"] == {"n": 1, "fires": 1, "right": 1, "asks": 1, "informs": 0}
    assert found["own"]["locality"] == {"n": 1, "fires": 0, "right": 0, "asks": 0, "informs": 0}
    assert found["own"]["same"]["n"] == found["own"]["different"]["n"] == 1
    assert found["own"]["different"]["fires"] == 0
    assert found["traffic"]["own"] == found["traffic"]["all"]
    assert found["traffic"]["all"]["n"] == 1 and found["traffic"]["all"]["fires"] == 0
    assert found["frames"]["all"]["n"] == 30
    manifest = found["manifest"]
    assert manifest["edits"] == {"own": 2} and manifest["refused"] == {"own": 1}
    assert manifest["ms_beyond_encoder"]["queries"] == 5


@pytest.mark.slow
def test_scale(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    options = ("--edits", "256", "--no-generate", "--encoder", "hashing:64", "--real", "256")
    run("scale", *options, "--cache", str(tmp_path / "kept"), "--json", str(out))
    row = json.loads(out.read_text())["sizes"]["256"]
    assert row["recall_16"] >= 0.99  # small: every vector is compared; some are alike
    assert row["disk_kb_an_edit"] > 0.3 and row["open_s"] > 0
    assert 0 < row["search_ms_p50"] <= row["search_ms_p99"]
    for name in ("add", "correct", "forget"):
        assert 0 < row[f"{name}_ms"] <= row[f"{name}_ms_longest"]
    assert 0 < row["bulk_of_encoder"] < 1


@pytest.mark.slow
def test_everyday_bearing(tmp_path: Path, minilm: Any) -> None:
    edit = {"domain": "zoo", "id": "z-1", "prompt": "The zoo opens at", "target_new": "9 am"}
    (tmp_path / "few_edits.jsonl").write_text(json.dumps(edit) + "\n")
    asked = [("direct", "When does the zoo open?", ["z-1"]), ("unrelated", "Bake a cake.", [])]
    lines = [
        {
            "id": f"zoo-{number}", "domain": "zoo", "kind": kind, "must": [], "never": [],
            "messages": [{"role": "user", "content": text}], "form": {"type": "reply"},
            "bears": bears, "role": "asks" if bears else "none", "max_tokens": 9,
        }
        for number, (kind, text, bears) in enumerate(asked)
    ]  # fmt: skip
    (tmp_path / "few.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("everyday_bearing", "--data", str(tmp_path / "few.jsonl"), "--json", str(tmp_path / "out"))
    kinds = json.loads((tmp_path / "out").read_text())["kinds"]
    assert kinds["direct"] == {"n": 1, "missing": 0, "others": 0, "fired": 1}
    assert kinds["unrelated"] == {"n": 1, "missing": 0, "others": 0, "fired": 0}
