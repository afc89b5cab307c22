"""The commands that measure, on a tiny model in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from memedit.cli.commands import app
from tests.evaluation.helpers import record, write
from tests.helpers import byte_tokenizer, shared_data, tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cli")
    tiny_model("llama", max_position_embeddings=4096).save_pretrained(made / "model")
    byte_tokenizer().save_pretrained(made / "model")
    write(made / "cases.jsonl", [record(i) for i in range(4)])
    return made


@pytest.fixture
def call(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MEMEDIT_MODEL", str(folder / "model"))
    monkeypatch.setenv("MEMEDIT_ENCODER", "hashing")
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


@pytest.mark.slow
def test_compare_writes_what_it_says(call: Any, folder: Path, tmp_path: Path) -> None:
    words = (
        "compare",
        "--editors",
        "rag@mention,rag-ungated,none",
        "--data",
        folder / "cases.jsonl",
    )
    more = ("--n", "3", "--protocol", "sequential", "--checkpoints", "1,10,100", "--max-new-tokens")
    out = ("--out", "a.json", "--markdown", "a.md", "--csv", "a.csv", "--html", "a.html")
    result = call(*words, *more, "3", *out)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "a.json").read_text())
    assert found.keys() == {"rag@mention", "rag-ungated", "none"}
    assert found["rag@mention"].keys() == {"1", "3"}
    for metric in ("gen_efficacy", "gen_generality", "gen_locality", "es", "ps", "ns", "s"):
        assert found["rag@mention"]["3"][metric].keys() == {"mean", "low", "high", "n"}, metric
    assert "seconds_per_edit" in found["rag@mention"]["3"]
    assert found["none"]["3"]["gen_locality"]["mean"] == 1
    assert "<svg" in (tmp_path / "a.html").read_text()
    assert (tmp_path / "a.json.run" / "manifest.json").is_file()
    value = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 20}
    both = {when: {"sst2": {"acc": value}} for when in ("before", "after")}
    (tmp_path / "d.json").write_text(json.dumps(both))
    page = ("--downstream", "d.json", "--html", "b.html")
    shown = call("report", "a.json.run", "--out", "again.json", *page)
    printed = CliRunner().invoke(app, ["report", "a.json.run", "--json"])
    assert json.loads(printed.stdout) == found  # a flag, as everywhere
    assert "Downstream tasks" in (tmp_path / "b.html").read_text()
    assert call("report", "a.json.run", "--downstream", "a.json", "--html", "b").exit_code == 2
    assert shown.exit_code == 0, shown.output
    drawn = call("report", "a.json.run", "--pictures", "some/pictures")
    assert drawn.exit_code == 0, drawn.output
    assert "<svg" in (tmp_path / "some" / "pictures" / "curves.svg").read_text()
    assert call("report", "a.json.run", "--pictures", "a.json").exit_code == 2
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "a.json").read_bytes()


@pytest.mark.slow
def test_eval_measures_beside_the_unedited_model(call: Any, folder: Path, tmp_path: Path) -> None:
    words = ("--data", folder / "cases.jsonl", "--n", "2", "--max-new-tokens", "3")
    result = call("eval", "--editor", "rag@mention", *words, "--families", "gen", "--out", "e.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "e.json").read_text())
    assert found.keys() == {"rag@mention", "none"}
    assert "es" not in found["rag@mention"]["2"]


def test_without_timings_two_runs_write_the_same(call: Any, folder: Path, tmp_path: Path) -> None:
    words = ("--editors", "rag@mention", "--data", folder / "cases.jsonl", "--n", "2")
    more = ("--max-new-tokens", "3", "--no-timings", "--out")
    for name in ("a.json", "b.json"):
        assert call("compare", *words, *more, name).exit_code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.slow
def test_a_sweep_has_a_cell_per_model_and_number(call: Any, folder: Path, tmp_path: Path) -> None:
    words = ("--editors", "rag@mention,none", "--data", folder / "cases.jsonl", "--n", "1,3")
    more = ("--models", folder / "model", "--run", "s", "--max-new-tokens", "3", "--out", "s.json")
    result = call("sweep", *words, *more)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "s.json").read_text())[str(folder / "model")]
    assert found.keys() == {"1", "3"}
    assert found["3"]["none"]["3"]["gen_locality"] == {"mean": 1, "low": 1, "high": 1, "n": 3}
    assert call("sweep", *words, *more, "--models", "").exit_code == 2


@pytest.mark.parametrize(
    "words, told",
    [
        (("--editors", "iki"), "Did you mean: ike"),
        (("--editors", "ike", "--protocol", "x"), "Unknown protocol"),
        (("--editors", "ike", "--protocol", "batch", "--checkpoints", "2"), "no checkpoints"),
        (("--editors", "ike", "--zsre-target", "x"), "convention"),
        (("--editors", "ike", "--checkpoints", "a,b"), "not a list"),
        (("--editors", "ike", "--checkpoints", "0"), "from 1"),
        (("--editors", "ike", "--protocol", "single", "--batch-edits", "2"), "no batches"),
        (("--editors", "ike", "--out", "nowhere/x.json"), "cannot be written"),
        (("--editors", "ike", "--frame", "poem"), "Unknown frame"),
        (("--editors", "ike", "--sources", "ag"), "as source: a, b."),
        (("--editors", "ike", "--references", "no.json"), "no file 'no.json'"),
        (("--editors", "ike", "--workers", "2", "--ray", "local"), "Either"),
    ],
)
def test_mistakes_are_told(
    call: Any, folder: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    result = call("compare", "--data", folder / "cases.jsonl", *words)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert not list(tmp_path.rglob("lock"))  # nothing was begun


def test_what_draws_the_page_is_missed_before_anything_is_measured(
    call: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    asked = ("compare", "--editors", "none", "--data", folder / "cases.jsonl")
    result = call(*asked, "--out", "x.json", "--html", "x.html")
    assert result.exit_code == 2 and "pip install 'memedit[eval]'" in result.output
    drawn = call("report", tmp_path / "run", "--pictures", "plots")
    assert drawn.exit_code == 2 and "pip install 'memedit[eval]'" in drawn.output
    assert list(tmp_path.iterdir()) == []


def test_eval_of_several_editors_names_the_command_for_it(call: Any, folder: Path) -> None:
    """The fault: "must be distinct, not ['ike', 'none', 'none']"."""
    result = call("eval", "--data", folder / "cases.jsonl", "--editor", "ike,none")
    assert result.exit_code == 2
    assert "memedit compare --editors ike,none" in " ".join(result.output.split())


def test_fewer_cases_than_asked_for_are_told(call: Any, folder: Path) -> None:
    words = ("--editors", "none", "--data", folder / "cases.jsonl", "--max-new-tokens", "1")
    result = call("compare", *words, "--n", "9", "--families", "gen")
    assert result.exit_code == 0, result.output
    assert "Only 4 of the 9 cases asked for are there." in result.output
    assert "Only" not in call("compare", *words, "--n", "3", "--families", "gen").output


def test_ctrl_c_is_told_with_what_to_do(
    call: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memedit.evaluation.asking.asker import Asker

    def interrupt(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    words = ("--editors", "none", "--data", folder / "cases.jsonl", "--families", "gen")
    with monkeypatch.context() as patched:
        patched.setattr(Asker, "answers", interrupt)
        result = call("compare", *words)
    assert result.exit_code == 130 and "the same command goes on" in result.output
    assert call("compare", *words, "--max-new-tokens", "1").exit_code == 0


def test_a_report_needs_a_run(call: Any, tmp_path: Path) -> None:
    result = call("report", tmp_path)
    assert result.exit_code == 2 and "holds no run" in result.output


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_downstream(call: Any, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    words = (
        "--editor",
        "rag@mention",
        "--edits",
        folder / "cases.jsonl",
        "--n-edits",
        "3",
        "--data",
    )
    more = ("--tasks", "sst2,rte", "--limit", "2", "--out", "d.json")
    result = call("downstream", *words, shared_data("downstream"), *more)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "d.json").read_text())
    assert found["after"]["sst2"]["acc"]["n"] == 2 and found["manifest"]["edits"] == 3
    assert call("downstream", *words, "x", "--tasks", "sst").exit_code == 2
