"""The decomposer's training: its split, its examples, and the whole job on a tiny model."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidInputError
from memedit.editors.mello import Mello
from memedit.editors.prompting.decomposing import Planner, plan_of, planner_for, write_plan_prompt
from memedit.engine import loading
from memedit.engine.engine import Engine
from memedit.engine.tokens import Codec
from memedit.training.decomposer import Chain, Chains, Renderer, chain_part, read_chains
from memedit.training.jobs import train_chains
from memedit.training.loop import Schedule
from tests.helpers import shared_data

LABELS = ("author", "spouse", "capital", "country of citizenship", "place of birth", "continent")


def mquake(path: Path, count: int = 24) -> Path:
    """Records of the form of MQuAKE's, about invented people."""
    rng = random.Random(0)
    with path.open("w") as out:
        for n in range(count):
            labels = rng.sample(LABELS, 2)
            triples = [[f"Name {n}", labels[0], "A"], ["A", labels[1], "B"]]
            questions = [f"{ask} is the {labels[1]} of the {labels[0]} of Name {n}?"
                         for ask in ("What", "Who", "Which")]  # fmt: skip
            record = {"questions": questions, "orig": {"new_triples_labeled": triples}}
            out.write(json.dumps(record) + "\n")
    return path


def test_the_parts_share_no_chain_and_no_question(tmp_path: Path) -> None:
    chains = read_chains(mquake(tmp_path / "mquake.jsonl"))
    parts: dict[str, list[Chain]] = {"train": [], "evaluation": []}
    for chain in chains:
        parts[chain_part(chain.relations)].append(chain)
    train, held_out = parts["train"], parts["evaluation"]
    assert train and held_out
    assert not {c.relations for c in train} & {c.relations for c in held_out}
    asked = {c.question for c in held_out}
    examples = Chains(train, "train", ["Bo Ek", "Ada"], ["It rained on the second day."])
    rng = random.Random(1)
    drawn = [examples.draw(rng) for _ in range(400)]
    assert all(c.question not in asked for c in drawn)
    assert all(chain_part(c.relations) == "train" for c in drawn if c.relations)
    none = [c for c in drawn if not c.relations]
    assert 0.1 < len(none) / len(drawn) < 0.25 and all(c.written == "" for c in none)


def test_the_real_questions_are_split_by_chain() -> None:
    chains = read_chains(shared_data("mquake.jsonl.gz"))
    held_out = [c for c in chains if chain_part(c.relations) == "evaluation"]
    assert 0.25 < len(held_out) / len(chains) < 0.55
    assert all(c.subject in c.question and len(c.relations) >= 2 for c in chains)


def test_every_composed_chain_can_be_read_back() -> None:
    examples = Chains([], "train", ["Bo Ek", "Velmora Labs"], [])
    rng = random.Random(0)
    for _ in range(200):
        chain = examples.draw_composed(rng)
        plan = plan_of(chain.written, chain.question)
        assert plan is not None and plan.subject == chain.subject
        assert len(plan.hops) == len(chain.relations)
        assert chain.question.count(chain.subject) == 1 and "{}" not in chain.question


def test_training_reads_what_the_runtime_asks(tiny: Any, tiny_tokenizer: Any) -> None:
    base = tiny("llama")
    engine = Engine(base, tiny_tokenizer)
    render = Renderer(tiny_tokenizer, Codec(tiny_tokenizer, loading.pad_id(tiny_tokenizer,
                                                                         base.config)))  # fmt: skip
    chain = Chain("Who is married to the author of Vathek?", "Vathek", ("author", "spouse"))
    prompt, target = render(chain)
    asked = engine.codec.prompt(Row(write_plan_prompt(chain.question)), prefixed=False).tolist()
    assert prompt == asked
    assert tiny_tokenizer.decode(target[:-1]) == " Vathek | author | spouse"
    assert render(Chain("It rained."))[1] == [tiny_tokenizer.eos_token_id]


@pytest.fixture
def job(tiny: Callable[[str], Any], tiny_tokenizer: Any, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:  # fmt: skip
    data = mquake(tmp_path / "mquake.jsonl")
    monkeypatch.setattr(loading, "load", lambda *_, **__: (tiny("llama"), tiny_tokenizer))

    def train(out: Path, **options: Any) -> dict[str, Any]:
        schedule = Schedule(steps=4, batch=2, save_every=2, warmup=1)
        return train_chains([data], [], [], out, schedule=schedule, **options)

    return train


class Stop(Exception):
    pass


@pytest.mark.slow
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    job: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    def interrupt(step: int, values: dict[str, float]) -> None:
        if step == 3:
            raise Stop

    whole = job(tmp_path / "whole")
    with pytest.raises(Stop):
        job(tmp_path / "cut", report=interrupt)
    assert (tmp_path / "cut" / "checkpoint.safetensors").is_file()
    assert job(tmp_path / "cut") == whole
    one, two = ((tmp_path / n / "adapter_model.safetensors").read_bytes() for n in ("whole", "cut"))
    assert one == two
    assert not (tmp_path / "cut" / "checkpoint.safetensors").exists()
    assert set(whole["metrics"]) == {"questions", "composed", "no_chain"}


def test_what_was_trained_is_what_the_editor_uses(
    job: Callable[..., dict[str, Any]], tiny: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    job(tmp_path / "out")
    editor = Mello(decomposer=str(tmp_path / "out"))
    engine = Engine(tiny("llama"), tiny_tokenizer)
    planner = editor._decomposer(engine)
    assert isinstance(planner, Planner) and planner.adapter is not None
    assert len(planner.adapter.modules) % 2 == 0  # the upper two of three layers
    seen: list[Batch] = []
    original = engine.generate
    engine.generate = lambda batch: (seen.append(batch), original(batch))[1]  # type: ignore
    planner.open(["Who is it?"], engine)
    assert len(seen[0].interventions) == len(planner.adapter.modules)
    assert seen[0].rows[0].prompt == write_plan_prompt("Who is it?") and seen[0].prefix == ""
    assert sum(len(m._forward_hooks) for m in engine.base.modules()) == 0


def test_a_base_that_nobody_trained_for_is_told_so(tiny: Any, tiny_tokenizer: Any) -> None:
    engine = Engine(tiny("gpt2"), tiny_tokenizer)
    assert planner_for(engine.fingerprint) is None
    with pytest.warns(UserWarning, match="memedit train decomposer"):
        assert Mello()._decomposer(engine) == Planner()


def test_other_data_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"prompt": "x"}\n')
    with pytest.raises(InvalidInputError, match="line 1: not a MQuAKE record"):
        read_chains(file)
    shutil.rmtree(tmp_path)
