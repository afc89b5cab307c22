"""Files beside a memory, damaged: models, runs, trainings, settings, what was tuned."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from memedit import EditableModel
from memedit.editors.prompting import choosing
from memedit.editors.weights.hypernetworks import load_trained
from memedit.editors.weights.statistics import Sums, _resume, _save_part
from memedit.engine.engine import Engine
from memedit.evaluation.runs.compare import load
from memedit.serving.settings import load_settings
from memedit.training import loop
from memedit.training.memories import read_memories
from memedit.training.pairs import KINDS as ASKED
from memedit.training.pairs import Pairs
from tests.campaign.ledger import LONG, Stage
from tests.campaign.spoiling import Kind, try_damage
from tests.evaluation.helpers import record, write
from tests.helpers import byte_tokenizer, tiny_model

TRIALS = 50 if LONG else 3  # of one kind, in a round
STAGE = Stage("damaged parts", bounded=1, long=10, share=0.05)


@dataclass
class Parts:
    """What is damaged, made once."""

    root: Path
    lm: Engine
    figures: Any


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    root = tmp_path_factory.mktemp("parts")
    logging.getLogger("memedit").setLevel(logging.CRITICAL)
    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    base, tokenizer = tiny_model(), byte_tokenizer()
    base.save_pretrained(root / "model")
    tokenizer.save_pretrained(root / "model")
    lm = Engine(base, tokenizer)
    model = EditableModel(base, tokenizer, encoder="hashing")
    cases = write(root / "cases.jsonl", [record(i) for i in range(3)])
    options: Any = {"protocol": "sequential", "checkpoints": [2], "tokens": 1, "families": ["gen"]}
    made = model.compare(["ike@mention", "none"], cases, folder=root / "run", **options)
    _trained(root, lm)
    (root / "serve.toml").write_text(
        'name = "shop"\nport = 8123\nlog_format = "json"\nhosts = ["localhost"]\n'
    )
    (root / "teach.json").write_text(json.dumps({"shop": {
        "facts": {"1": ["The shop opens at nine.", None], "2": ["Tea is sold out.", None]},
        "requests": [{"q": "When does it open?", "asks": ["1"]}, {"q": "Who are you?"}],
    }}))  # fmt: skip
    yield Parts(root, lm, made.to_dict(timings=False))
    logging.getLogger("memedit").setLevel(logging.NOTSET)
    logging.getLogger("transformers").setLevel(logging.NOTSET)


class _Stopped(Exception):
    pass


def _train(folder: Path, *, stop: int | None = None) -> None:
    """Eight steps, tried and kept every second one; ``stop``: ends before that step."""
    weight = nn.Parameter(torch.zeros(4))

    def loss_of(step: int) -> torch.Tensor:
        if step == stop:
            raise _Stopped
        return ((weight - step) ** 2).sum()

    schedule = loop.Schedule(steps=8, save_every=3, rate=0.1, warmup=1)
    validate = loop.Validate(lambda: float(weight.detach().sum()), 2)
    loop.train({"weight": weight}, loss_of, schedule, folder, validate=validate)


def _trained(root: Path, lm: Engine) -> None:
    with pytest.raises(_Stopped):
        _train(root / "training", stop=7)
    (root / "statistics").mkdir()
    sums = Sums(torch.ones(4, 4, dtype=torch.float64))
    _save_part(root / "statistics" / "part.safetensors", {"x": sums}, 3)
    network = nn.Linear(3, 50)
    (root / "hypernetwork").mkdir()
    tensors = {name: t.detach().clone() for name, t in network.state_dict().items()}
    save_file(tensors, root / "hypernetwork" / "hypernetwork.safetensors")
    manifest = {"kind": "ke", "base": lm.fingerprint, "width": 3, "rank": 50}
    (root / "hypernetwork" / "manifest.json").write_text(json.dumps(manifest))
    ones, four = np.ones((4, 5), np.float32), np.arange(4)
    Pairs(
        ones, ones.astype(np.float16), four.astype(np.int8), four.astype(np.int32),
        np.array(ASKED[:4]), [("a", "b")] * 4,
    ).save(root / "pairs.safetensors")  # fmt: skip
    with _cache(root / "tuned"):
        choosing.keep("abc", choosing.Forms("ike", "ike", "ike", "tuned"), {"ike": 1.0})


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMEDIT_CACHE", str(folder))
        yield


def _tuned(parts: Parts, folder: Path) -> bool:
    with _cache(folder):
        assert choosing.read_tuned("abc") is not None
    return False


def _model(parts: Parts, folder: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers' own, of what it found odd
        EditableModel.from_pretrained(str(folder), encoder="hashing")
    return False


def _run(parts: Parts, folder: Path) -> bool:
    """Shown, and gone on with: the figures are what they were."""
    load(folder).to_dict()
    model = EditableModel(parts.lm.base, parts.lm.tokenizer, encoder="hashing")
    options: Any = {"protocol": "sequential", "checkpoints": [2], "tokens": 1, "families": ["gen"]}
    cases = parts.root / "cases.jsonl"
    again = model.compare(["ike@mention", "none"], cases, folder=folder, **options)
    assert again.to_dict(timings=False) == parts.figures
    return True


def _training(parts: Parts, folder: Path) -> bool:
    _train(folder)
    return False


def _statistics(parts: Parts, folder: Path) -> bool:
    _resume(folder / "part.safetensors", {"x": Sums(torch.zeros(4, 4, dtype=torch.float64))})
    return False


def _hypernetwork(parts: Parts, folder: Path) -> bool:
    lm = Engine(parts.lm.base, parts.lm.tokenizer)
    lm.__dict__["fingerprint"] = parts.lm.fingerprint
    load_trained("ke", str(folder), lm, lambda told: nn.Linear(told["width"], told["rank"]))
    return False


def _pairs(parts: Parts, folder: Path) -> bool:
    Pairs.load(folder / "pairs.safetensors")
    return False


def _settings(parts: Parts, folder: Path) -> bool:
    load_settings(folder / "serve.toml", {})
    return False


def _memories(parts: Parts, folder: Path) -> bool:
    read_memories(folder / "teach.json")
    return False


KINDS = {
    "model": ("model", "*.*", _model),
    "run": ("run", "cells/*.jsonl", _run),
    "run manifest": ("run", "manifest.json", _run),
    "run base": ("run", "base/*.json", _run),
    "checkpoint": ("training", "checkpoint.safetensors", _training),
    "best": ("training", "best.safetensors", _training),
    "statistics part": ("statistics", "*", _statistics),
    "hypernetwork manifest": ("hypernetwork", "manifest.json", _hypernetwork),
    "hypernetwork weights": ("hypernetwork", "*.safetensors", _hypernetwork),
    "pairs": ("pairs.safetensors", "*", _pairs),
    "tuned forms": ("tuned", "**/*.json", _tuned),
    "server settings": ("serve.toml", "*", _settings),
    "teaching": ("teach.json", "*", _memories),
}


@pytest.mark.slow
def test_every_part(parts: Parts, tmp_path: Path) -> None:
    wrong: list[str] = []
    for made in STAGE.rounds():
        for name, (source, pattern, look) in KINDS.items():
            kind = Kind(name, source, pattern, partial(look, parts))
            for number in range(TRIALS):
                place = tmp_path / f"{made.number}-{name}-{number}"
                wrong.append(try_damage(kind, parts.root, place, made))
    if any(wrong):
        pytest.fail("\n".join(filter(None, wrong)))
    assert STAGE.counts["refused"] > STAGE.counts["damaged"] / 10
