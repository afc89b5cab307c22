"""Labels, the balanced loss, and a scope trained on a tiny world, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from memedit import Edit, EditableModel, EditMemory
from memedit.core.errors import EncoderMismatchError, InvalidInputError
from memedit.core.types import Hit, Record
from memedit.data.facts import Fact
from memedit.engine.encoders import load_encoder
from memedit.scope import ClassifierScope
from memedit.scope.classifier import PairModel
from memedit.training.cross import chances
from memedit.training.jobs import train_scope
from memedit.training.loop import CHECKPOINT, Schedule, train
from memedit.training.pairs import Asked, Pairs, build, label
from memedit.training.scope import balanced_loss, calibrate, train_pair_model

ADA = Fact("Ada", "P103", "The mother tongue of Ada is", "Dutch", source="counterfact")
SPEAKS = Fact("Ada", "P1412", "Ada speaks", "Thai", source="counterfact")
SPORT = Fact("Ada", "P641", "Ada plays the sport", "golf", source="counterfact")
BO = Fact("Bo", "P103", "The mother tongue of Bo is", "Thai", source="counterfact")
FACTS = {fact.edit.id: fact for fact in (ADA, SPEAKS, SPORT, BO)}


def test_balanced_loss_of_a_hand_worked_case() -> None:
    logits = torch.logit(torch.tensor([0.8, 0.5, 0.25, 0.5]))
    labels = torch.tensor([1.0, 1.0, 0.0, 0.0])
    expected = -(np.log(0.8) + np.log(0.5)) / 2 - (np.log(0.75) + np.log(0.5)) / 2
    assert float(balanced_loss(logits, labels)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "candidate", "expected"),
    [
        ("paraphrase", ADA, 1),
        ("paraphrase", SPEAKS, None),  # a sister relation: may ask the same
        ("paraphrase", SPORT, 0),
        ("paraphrase", BO, 0),
        ("negated", ADA, 0),
        ("same_subject", ADA, 0),
        ("same_subject", BO, 0),
        ("text", ADA, 0),
    ],
)
def test_labels(kind: str, candidate: Fact, expected: int | None) -> None:
    hit = Hit(Record(candidate.edit, 1, 1), 0.9, "", candidate.subject)
    asked = Asked("?", kind, ADA, SPORT if kind == "same_subject" else None)  # type: ignore[arg-type]
    assert label(hit, asked, FACTS) == expected


def world() -> list[Fact]:
    """Invented people, each asked three things; the words of the question tell them apart."""
    kinds = {
        "P19": ("{} was born in", "Where was {} born?", "What is the birthplace of {}?"),
        "P641": ("{} plays the sport", "Which sport does {} play?", "What sport is {} playing?"),
        "P140": ("{} follows the religion", "Which religion does {} follow?", "{}'s religion?"),
    }
    facts = []
    for i in range(60):
        name = f"Person{i} Nym{i * 7}"
        for relation, (prompt, *asked) in kinds.items():
            facts.append(
                Fact(
                    name, relation, prompt.format(name), f"answer{i}",
                    paraphrases=(f"It rained. {asked[0].format(name)}",),
                    questions=tuple(q.format(name) for q in asked),
                    neighbours=(prompt.format("Someone Else"),),
                    source="counterfact",
                )
            )  # fmt: skip
    return facts


def records(facts: list[Fact]) -> str:
    return "\n".join(
        json.dumps({
            "requested_rewrite": {
                "prompt": f.prompt.replace(f.subject, "{}"), "relation_id": f.relation,
                "subject": f.subject, "target_new": {"str": f.target}, "target_true": {"str": ""},
            },
            "paraphrase_prompts": f.paraphrases, "neighborhood_prompts": f.neighbours,
        })
        for f in facts
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scope")
    (folder / "facts.jsonl").write_text(records(world()))
    (folder / "text.txt").write_text(
        "The weather was fine on the first day of the long trip.\n" * 9
    )
    data, texts = [folder / "facts.jsonl"], [folder / "text.txt"]
    steps: list[str] = []
    manifest = train_scope(
        data, texts, folder / "out", encoder="hashing", seed=3,
        progress=lambda what, done, total: steps.append(what),
    )  # fmt: skip
    assert manifest["encoder"] == load_encoder("hashing").id and manifest["metrics"]["ece"] < 0.2
    assert manifest["cross_steps"] == 0  # a hashing encoder cannot read two texts together
    assert {"Pairs to train", "Pairs to calibration"} < set(steps)
    assert not list((folder / "out").glob("pairs-*"))
    return folder / "out"


def test_a_checkpoint_of_another_training_stops_one_before_it_writes(tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl").write_text(records(world()))
    (tmp_path / "text.txt").write_text("The weather was fine on the first day of the long trip.\n")
    out = tmp_path / "out"
    train(
        {"weight": (weight := nn.Parameter(torch.zeros(3)))}, lambda step: weight.sum(),
        Schedule(steps=1), out,
    )  # fmt: skip
    there = {file.name for file in out.iterdir()}
    with pytest.raises(InvalidInputError, match="other settings: .*the data"):
        train_scope([tmp_path / "facts.jsonl"], [tmp_path / "text.txt"], out, most=2)
    assert {file.name for file in out.iterdir()} == there


def test_without_a_cross_encoder_the_checkpoint_of_another_training_stays(tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl").write_text(records(world()))
    (tmp_path / "text.txt").write_text("The weather was fine on the first day of the long trip.\n")
    out = tmp_path / "out"
    begun = {"weight": nn.Parameter(torch.zeros(3))}
    train(begun, lambda step: begun["weight"].sum(), Schedule(steps=1), out)
    before = (out / CHECKPOINT).read_bytes()
    train_scope(
        [tmp_path / "facts.jsonl"], [tmp_path / "text.txt"], out, encoder="hashing", most=2,
        cross_steps=0,
    )  # fmt: skip
    assert (out / CHECKPOINT).read_bytes() == before


def test_pairs_are_of_one_division_of_the_files(tmp_path: Path) -> None:
    class Made(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("Training"):
            raise Made

    facts, text = tmp_path / "facts.jsonl", tmp_path / "text.txt"
    more = tmp_path / "more" / "facts.jsonl"  # of the same name
    more.parent.mkdir()
    facts.write_text(records(world()))
    more.write_text(records(world()[:1]))
    text.write_text("The weather was fine on the first day of the long trip.\n")
    for data, texts in (([facts, more], [text]), ([facts], [more, text]), ([facts], [text])):
        with pytest.raises(Made):
            train_scope(data, texts, tmp_path, encoder="hashing", most=2, progress=stop)
    assert len(list(tmp_path.glob("pairs-train-*"))) == 3


@pytest.mark.slow
def test_a_trained_scope_tells_questions_of_one_subject_apart(trained: Path) -> None:
    memory = EditMemory(None, load_encoder("hashing"))
    memory.add(Edit("Zoe Quist was born in", "Oslo", "Zoe Quist"))
    scope = ClassifierScope(model=str(trained))
    asked = ["Where was Zoe Quist born?", "Which sport does Zoe Quist play?", "Where was Al born?"]
    decisions = scope.decide(asked, memory.search(asked))
    assert [bool(d) for d in decisions] == [True, False, False]
    assert decisions[0].score == decisions[0].hits[0].score


def test_the_saved_model_is_the_one_that_was_trained(tmp_path: Path) -> None:
    pairs = build(world()[:40], ["A sentence of ordinary text."], load_encoder("hashing"), seed=1)
    model = calibrate(train_pair_model(pairs, epochs=2, manifest={"encoder": "x"}), pairs)
    model.save(tmp_path)
    again = PairModel.load(tmp_path)
    before, after = chances(model, pairs, None), chances(again, pairs, None)
    assert np.abs(before - after).max() < 0.02 < before.std()
    again.save(tmp_path / "again")
    assert np.array_equal(chances(PairModel.load(tmp_path / "again"), pairs, None), after)


def test_a_scope_trained_for_one_encoder_refuses_another(trained: Path, minilm: object) -> None:
    with pytest.raises(EncoderMismatchError, match="memedit train scope"):
        ClassifierScope(model=str(trained)).check_encoder("another")
    with pytest.raises(InvalidInputError, match="no trained scope"):
        PairModel.load(trained / "nothing")


def test_an_edited_model_refuses_a_scope_of_another_encoder(
    tiny: object, tiny_tokenizer: object
) -> None:
    from tests.helpers import tiny_model

    model = EditableModel(
        tiny_model("llama"), tiny_tokenizer, encoder="hashing", scope="classifier"
    )
    with pytest.raises(EncoderMismatchError):
        model.edit("The capital of France is", "Lyon", subject="France")
    assert len(model.memory) == 0
    default = EditableModel(tiny_model("llama"), tiny_tokenizer, encoder="hashing")
    with pytest.warns(UserWarning, match="mention"):
        default.edit("The capital of France is", "Lyon", subject="France")
    assert len(default.memory) == 1


@pytest.mark.slow
def test_the_abstain_band_says_unsure_and_fires_nothing(trained: Path) -> None:
    memory = EditMemory(None, load_encoder("hashing"))
    memory.add(Edit("Zoe Quist was born in", "Oslo", "Zoe Quist"))
    asked = ["Which sport does Zoe Quist play?"]
    found = memory.search(asked)
    score = ClassifierScope(model=str(trained)).decide(asked, found)[0].score
    high = score + 1e-3
    wide = ClassifierScope(model=str(trained), threshold=high, abstain=high)
    assert not wide.decide(asked, found)[0] and wide.decide(asked, found)[0].unsure
    none = ClassifierScope(model=str(trained), threshold=high)
    assert not none.decide(asked, found)[0] and not none.decide(asked, found)[0].unsure
    with pytest.raises(InvalidInputError, match="abstain"):
        ClassifierScope(threshold=0.2, abstain=0.3)


@pytest.mark.slow
def test_calibrating_on_own_traffic_sets_the_threshold(trained: Path) -> None:
    memory = EditMemory(None, load_encoder("hashing"))
    memory.add(Edit("Zoe Quist was born in", "Oslo", "Zoe Quist"))
    asked = [f"Which sport does Zoe Quist play on day {i}?" for i in range(300)]
    scope = ClassifierScope(model=str(trained), threshold=0.01)
    decisions = scope.decide(asked, memory.search(asked))
    strict = scope.calibrate(decisions, max_false_fire=0.02, confidence=0.95)
    fires = [bool(d) for d in strict.decide(asked, memory.search(asked))]
    assert np.mean(fires) <= 0.02
    with pytest.raises(InvalidInputError, match="negatives"):
        scope.calibrate(decisions[:10])


def test_pairs_survive_their_file(tmp_path: Path) -> None:
    pairs = build(world()[:30], ["A sentence of ordinary text."], load_encoder("hashing"), seed=1)
    pairs.save(tmp_path / "pairs.safetensors")
    again = Pairs.load(tmp_path / "pairs.safetensors")
    assert np.array_equal(pairs.vectors, again.vectors) and (pairs.kinds == again.kinds).all()
    assert set(pairs.labels.tolist()) == {0, 1}
    same = build(world()[:30], ["A sentence of ordinary text."], load_encoder("hashing"), seed=1)
    assert np.array_equal(pairs.scalars, same.scalars)
