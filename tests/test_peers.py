"""Beside EasyEdit: what its driver wrote, recorded from a real run, comes to figures of ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.peers import easyedit
from benchmarks.peers.__main__ import OURS, THEIRS, main, render
from benchmarks.peers.settings import METHODS
from memedit.core.errors import InvalidInputError
from memedit.data.sources import load_cases
from memedit.engine.engine import Engine
from memedit.evaluation.measures.summary import aggregate
from tests.helpers import byte_tokenizer, tiny_model
from tests.training.test_hypernetworks import records

RECORDED = Path(__file__).parent / "recorded" / "easyedit_grace.jsonl"
"""Of EasyEdit at 14cea82 on ``tiny_model(tie_word_embeddings=True)``: GRACE, two records."""


@pytest.fixture
def model() -> Any:
    """What is needed of an EditableModel: its engine."""
    tiny, tokenizer = tiny_model(tie_word_embeddings=True), byte_tokenizer()
    return SimpleNamespace(engine=Engine(tiny, tokenizer), base=tiny, tokenizer=tokenizer)


@pytest.fixture
def cases(tmp_path: Path) -> Any:
    """The records of the recorded run."""
    (tmp_path / "facts.jsonl").write_text("\n".join(map(json.dumps, records(2))))
    return load_cases(tmp_path / "facts.jsonl", 2, together=False, locality=1)


def test_a_recorded_run_is_read_into_the_metrics_of_ours(model: Any, cases: Any) -> None:
    lines = easyedit.read_outcomes(RECORDED)
    assert [line["case"] for line in lines] == [0, 1]
    rows = easyedit.rows_of(model, cases.cases, lines, 3)
    table = aggregate(rows, cases.name)["2"]
    prompts, pairs = easyedit.asks_of(cases.cases[0])
    # By hand from the recorded sums: -28.9 of the new object after the edit prompt, -25.8 of the
    # true one; a neighbour's true object -28.9, the new one -32.5; its free answer as before.
    means = {name: table[name].mean for name in ("es", "ps", "ns", "tf_efficacy", "gen_locality")}
    assert means == {"es": 0, "ps": 0, "ns": 1, "tf_efficacy": 0, "gen_locality": 1}
    assert table["ns"].n == 2
    # What GRACE was to do it did: the target's first token is the likeliest, and was not.
    wanted = byte_tokenizer()(" Rome").input_ids[0]
    first = [lines[0][when]["scored"][0][1][0] for when in ("before", "after")]
    assert first[0] != wanted == first[1]
    assert len(lines[0]["after"]["said"]) == len(prompts)
    assert len(lines[0]["after"]["scored"]) == len(pairs)
    assert table["seconds_per_edit"].mean == sum(line["seconds"] for line in lines) / 2


def test_our_model_scores_as_the_driver_says_the_unedited_one_did(model: Any, cases: Any) -> None:
    line = easyedit.read_outcomes(RECORDED)[0]
    job = easyedit.describe(model, 0, cases.cases[0])
    assert len(job["pairs"]) == len(line["before"]["scored"])
    for (prompt, target), (logprobs, greedy) in zip(
        job["pairs"], line["before"]["scored"], strict=True
    ):
        import torch

        with torch.no_grad():
            logits = model.base(input_ids=torch.tensor([prompt + target])).logits[0]
        here = logits[len(prompt) - 1 : -1].log_softmax(-1)
        own = here.gather(-1, torch.tensor(target)[:, None])[:, 0].tolist()
        assert own == pytest.approx(logprobs, abs=1e-4)
        assert here.argmax(-1).tolist() == greedy


def test_a_line_that_is_no_outcome_is_told_and_a_torn_last_one_left_out(tmp_path: Path) -> None:
    first = RECORDED.read_text().splitlines(keepends=True)[0]
    file = tmp_path / "out.jsonl"
    file.write_text(first + first[:40])
    assert [line["case"] for line in easyedit.read_outcomes(file)] == [0]
    file.write_text('{"case": 0}\n' + first)
    with pytest.raises(InvalidInputError, match="Line 1"):
        easyedit.read_outcomes(file)


def test_without_a_snapshot_the_command_says_how_to_get_one_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    for snapshot in (None, tmp_path):
        with pytest.raises(typer.Exit) as ended:
            main(data=tmp_path / "facts.jsonl", out=tmp_path / "out", snapshot=snapshot)
        assert ended.value.exit_code == 2
        said = capsys.readouterr().err
        assert "git clone https://github.com/zjunlp/EasyEdit" in said and "install.sh" in said
    assert not (tmp_path / "out").exists()
    (tmp_path / "easyeditor" / "models").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="no environment"):
        easyedit.check_snapshot(tmp_path, tmp_path)


def test_the_script_refuses_a_folder_that_is_no_snapshot(tmp_path: Path) -> None:
    script = Path(easyedit.__file__).with_name("install.sh")
    ended = subprocess.run([script, tmp_path, tmp_path / "env"], capture_output=True, text=True)
    assert ended.returncode == 2 and "git clone" in ended.stderr
    assert not (tmp_path / "env").exists()


def test_both_sides_are_given_the_same_layers_and_strengths(model: Any) -> None:
    lm = model.engine
    rome = METHODS["ROME"].settings(lm)
    assert rome["layers"] == list(METHODS["ROME"].layers(lm))
    assert rome["rewrite_module_tmp"].format(2) == lm.sites.mlp_out(2)
    assert rome["layer_module_tmp"].format(1) == lm.sites.block(1)
    assert rome["lm_head_module"] == lm.sites.embed  # tied
    width = lm.base.get_submodule(lm.sites.mlp_out(0)).weight.shape[1]
    assert METHODS["MEMIT"].settings(lm)["mom2_update_weight"] == pytest.approx(1.4 * width)
    from memedit.editors import load_editor

    bound: Any = load_editor(METHODS["FT-L"].ours.removesuffix("-ungated"))
    theirs = METHODS["FT-L"].settings(lm)
    assert (bound.bound, bound.rate, bound.steps) == tuple(
        theirs[name] for name in ("norm_constraint", "lr", "num_steps")
    )
    grace: Any = load_editor(METHODS["GRACE"].ours.removesuffix("-ungated"))
    theirs = METHODS["GRACE"].settings(lm)
    assert (grace.rate, grace.steps, grace.radius) == tuple(
        theirs[name] for name in ("edit_lr", "n_iter", "eps")
    )


def test_a_table_has_both_sides_under_each_other(model: Any, cases: Any) -> None:
    rows = easyedit.rows_of(model, cases.cases, easyedit.read_outcomes(RECORDED), 3)
    figures = aggregate(rows, cases.name)["2"]
    lines = render({("GRACE", OURS): figures, ("GRACE", THEIRS): figures}).splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:]] == [["| GRACE", OURS], ["| GRACE", THEIRS]]
    assert all("n=2" in line for line in lines[2:])
