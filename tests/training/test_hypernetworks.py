"""``memedit train mend`` and ``train ke`` from files to an editor that finds what they made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.editors import load_editor
from memedit.editors.weights.base import sum_changes
from memedit.editors.weights.hypernetworks import folder_of
from memedit.engine.engine import Engine
from memedit.engine.loading import load
from memedit.training import hypernetworks
from memedit.training.hypernetworks import KeTraining, Lessons, MendTraining
from memedit.training.loop import Schedule
from tests.editors.helpers import FACTS, tiny_engine, with_hypernetworks
from tests.editors.test_mend import lessons
from tests.helpers import byte_tokenizer, tiny_model


def records(number: int) -> list[dict[str, Any]]:
    """CounterFact records about different people."""
    towns = ("Rome", "Oslo", "Bonn", "Lima")
    return [
        {
            "case_id": i,
            "requested_rewrite": {
                "prompt": "{} lives in",
                "relation_id": "P551",
                "target_new": {"str": towns[i % 4]},
                "target_true": {"str": towns[(i + 1) % 4]},
                "subject": f"Person {chr(65 + i % 26)}{i}",
            },
            "paraphrase_prompts": [f"The home of Person {chr(65 + i % 26)}{i} is in"],
            "neighborhood_prompts": [f"Other {i} lives in"],
        }
        for i in range(number)
    ]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path / "cache"))
    tiny_model().save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    data = tmp_path / "facts.jsonl"
    data.write_text("\n".join(json.dumps(record) for record in records(40)))
    (tmp_path / "text.txt").write_text("The sky over the town is blue today.\n" * 5)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mend", "ke"])
def test_what_the_command_trains_is_what_the_editor_finds(kind: str, files: Path) -> None:
    command = ["train", kind, "--data", str(files / "facts.jsonl")]
    command += ["--texts", str(files / "text.txt"), "--model", str(files / "model"), "--json"]
    command += ["--steps", "3", "--end"]
    command += ["--rank", "4", "--batch", "1"] if kind == "mend" else ["--retained", "2"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    manifest = json.loads(result.stdout)
    folder = Path(manifest["folder"])
    assert folder.is_relative_to(files / "cache" / "hypernetworks" / kind)
    assert sorted(p.name for p in folder.iterdir()) == [
        "hypernetwork.safetensors", "manifest.json"
    ]  # fmt: skip
    assert "facts.jsonl" in manifest["data"] and manifest["metrics"]["edit_nll"] > 0
    assert manifest["metrics"]["best_step"] == 3  # tried every ten steps, and at the end
    lm = Engine(*load(files / "model"))
    changes = sum_changes(load_editor(kind).fit(FACTS[:1], lm))
    assert changes and all(torch.isfinite(d).all() and d.norm() > 0 for d in changes.values())


@pytest.mark.parametrize("kind", ["mend", "ke"])
def test_an_editor_puts_the_end_into_its_gradient_where_its_network_learnt_it(kind: str) -> None:
    torch.manual_seed(0)  # an unlucky draw of KE's network changes a layer not at all
    lm = with_hypernetworks(tiny_engine())
    plain = sum_changes(load_editor(kind).fit(FACTS[:1], lm))
    manifest = folder_of(kind, lm.fingerprint) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"end": True}))
    ended = sum_changes(load_editor(kind).fit(FACTS[:1], tiny_engine()))
    assert all(not torch.equal(ended[site], change) for site, change in plain.items())


@pytest.mark.parametrize("kind", ["mend", "ke"])
def test_training_keeps_the_state_that_was_best_on_validation(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses are ours here: the third of six trials is the best, and what is kept is its."""
    monkeypatch.setattr(hypernetworks, "_LEAST_EVERY", 1)
    lm = tiny_engine()
    training: Any = (
        MendTraining(lm, lessons(), ["A text."], rank=4, seed=0)
        if kind == "mend"
        else KeTraining(lm, lessons(), ["A text."], seed=0, retained=2)
    )
    moved = "locality_kl" if kind == "mend" else "retained_kl"
    trials = iter([9.0, 5.0, 4.0, 1.0, 3.0, 2.0, 8.0, 0.0])  # before, six trials, after
    seen: list[dict[str, torch.Tensor]] = []

    def measure() -> dict[str, float]:
        seen.append({k: v.clone() for k, v in training.network.state_dict().items()})
        return {"edit_nll": next(trials), moved: 0.0, "success": 0.0}

    training._validate = measure
    found = training.run(tmp_path, Schedule(steps=6, batch=1, rate=0.1, warmup=1), lambda *_: None)
    assert found["best_step"] == 3.0 and found["edit_nll_before"] == 9.0
    for name, value in training.network.state_dict().items():
        assert torch.equal(value, seen[3][name])
    assert any(not torch.equal(seen[3][n], seen[6][n]) for n in seen[3])


def test_lessons_depend_on_the_step_and_the_seed_alone() -> None:
    one, same = (Lessons(lessons(), ["A text."], seed=1, unrelated=3) for _ in range(2))
    other = Lessons(lessons(), ["A text."], seed=2, unrelated=3)
    assert [one(i) for i in (5, 2, 9)] == [same(i) for i in (5, 2, 9)]
    assert [one(i) for i in range(9)] != [other(i) for i in range(9)]
    assert all(len(one(i).unrelated) == 3 and one(i).rephrase for i in range(9))
