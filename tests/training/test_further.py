"""Teaching a scope further: the pairs it learns from, and what is kept of the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.core.errors import InvalidInputError
from memedit.scope import ClassifierScope
from memedit.scope.classifier import PairModel, locate_folder
from memedit.scope.cross import FILE, CrossEncoder
from memedit.training.cross import ASKS, INFORMS, NONE
from memedit.training.further import mix, split_memories, teach_further
from memedit.training.loop import Schedule
from memedit.training.memories import check_memories, pair_memories, read_memories

SHOP: dict[str, Any] = {
    "facts": {
        "1": ["Returns are possible for 45 days.", None],
        "2": ["The Alba coat costs 189 euros", "Alba coat"],
        "3": ["The Alba raincoat costs 129 euros", "Alba raincoat"],
    },
    "requests": [
        {"q": "what's the damage for the alba coat", "asks": ["2"]},
        {"q": "and the rain one?", "history": ["Price of the Alba coat?", "189."], "asks": ["3"]},
        {"q": "Is the Alba coat below 200 euros?", "informs": ["2"]},
        {"q": "Does the Alba coat come in navy?"},
    ],
}


def test_pairs_are_labelled_in_full(minilm: Any) -> None:
    pairs = pair_memories({"shop": SHOP}, minilm)
    labels = {(texts[0][-20:], texts[1]): label for texts, label in
              zip(pairs.texts, pairs.labels.tolist(), strict=True)}  # fmt: skip
    coat, rain = "The Alba coat costs 189 euros", "The Alba raincoat costs 129 euros"
    assert labels["damage for the alba coat"[-20:], coat] == ASKS
    assert labels["coat below 200 euros?"[-20:], coat] == INFORMS
    assert labels["lba coat come in navy?"[-20:], coat] == NONE
    # A follow-up is read with what was said before.
    assert any(label == ASKS and fact == rain for (_, fact), label in labels.items())
    assert any("189." in request and "rain one" in request for request, _ in pairs.texts)


@pytest.mark.parametrize(
    ("memories", "says"),
    [
        ([], "holds no memories"),
        ({"shop": {"facts": {"1": "text"}, "requests": []}}, "not of the form"),
        ({"shop": {"facts": {}, "requests": [{"q": "Hi?", "asks": ["7"]}]}}, "request 1 names"),
        ({"shop": {"facts": {}, "requests": [{"q": " "}]}}, "asks nothing"),
        ({"shop": {"facts": {}, "requests": [{"asks": []}]}}, "not of the form"),
        ({"shop": {"facts": {}, "requests": [{"q": "Hi?", "asks": "7"}]}}, "asks is no list"),
        ({"shop": {"facts": {}, "requests": [{"q": "Hi?", "ask": []}]}}, "request 1.*mean: asks"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(memories: object, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says) as told:
        check_memories(memories, "file.json")
    assert "InvalidInputError" not in str(told.value)


def test_a_memory_is_held_out() -> None:
    new, held = split_memories({"a": SHOP, "b": SHOP, "c": SHOP}, ["b"])
    assert (sorted(new), sorted(held)) == (["a", "c"], ["b"])
    with pytest.raises(InvalidInputError, match="no memory called 'd'"):
        split_memories({"a": SHOP}, ["d"])
    with pytest.raises(InvalidInputError, match="too few"):
        split_memories({"a": SHOP})


def test_a_mean_lies_between(minilm: Any) -> None:
    before, after = (CrossEncoder.load(locate_folder(""), minilm) for _ in range(2))
    after.head.weight.data += 1.0
    mixed = mix(before, after, 0.25).head.weight.numpy()
    assert np.allclose(mixed, before.head.weight.numpy() + 0.25)


@pytest.mark.slow
def test_a_scope_is_taught_and_used(
    tmp_path: Path, minilm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memedit.training import further

    monkeypatch.setattr(further, "bank", lambda name: {"own": SHOP})  # 78 memories take a minute
    file, out = tmp_path / "memories.json", tmp_path / "scope"
    file.write_text(json.dumps({name: SHOP for name in ("a", "b")}))
    words = ["train", "further", str(file), "--out", str(out), "--steps", "3", "--batch", "4"]
    done = CliRunner().invoke(app, [*words, "--hold-out", "b", "--bf16", "--json"])
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)["further"]
    assert manifest["held_out"] == ["b"] and manifest["share"] in further.SHARES
    assert min(manifest["losses"].values()) == manifest["losses"][str(manifest["share"])]
    loaded = PairModel.load(out)
    assert loaded.join is not None and loaded.bears is not None
    assert ClassifierScope(model=str(out)).name == "classifier"
    assert not (out / "checkpoint.safetensors").exists()


def test_a_scope_without_a_cross_encoder_is_refused(tmp_path: Path) -> None:
    PairModel.load(locate_folder("")).save(tmp_path / "plain")
    memories = {"a": SHOP, "b": SHOP}
    with pytest.raises(InvalidInputError, match="no cross-encoder"):
        teach_further(
            memories, tmp_path / "out", start=tmp_path / "plain", schedule=Schedule(steps=1)
        )


def test_what_is_held_out_must_hold_every_role(tmp_path: Path) -> None:
    plain = {**SHOP, "requests": SHOP["requests"][:3]}
    memories, schedule = {"a": SHOP, "b": plain}, Schedule(steps=1)
    with pytest.raises(InvalidInputError, match="no request of the kind 'neither'"):
        teach_further(
            memories, tmp_path, start=locate_folder(""), schedule=schedule, hold_out=["b"]
        )
    with pytest.raises(InvalidInputError, match="holds the scope"):
        teach_further(memories, locate_folder(""), start=locate_folder(""), schedule=schedule)


def test_an_interrupted_training_goes_on_with_what_it_was_begun_with(
    tmp_path: Path, minilm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted behind its only step. Anything else is refused at once, before pairs are made."""
    from memedit.training import further

    class Interrupted(Exception):
        pass

    def interrupt(*given: Any) -> Any:
        raise Interrupted

    monkeypatch.setattr(further, "bank", lambda name: {"own": SHOP})
    monkeypatch.setattr(further, "_choose_share", interrupt)
    memories, other = {"a": SHOP, "b": SHOP}, tmp_path / "other"
    other.mkdir()
    for file in locate_folder("").iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    told = load_file(other / FILE)
    save_file({name: tensor + tensor for name, tensor in told.items()}, other / FILE)
    requests = tmp_path / "requests.jsonl"
    requests.write_text("")

    def teach(memories: Any = memories, **more: Any) -> None:
        given = {"start": locate_folder(""), "hold_out": ["b"], **more}
        teach_further(memories, tmp_path / "out", schedule=Schedule(steps=1, batch=2), **given)

    with pytest.raises(Interrupted):
        teach()
    monkeypatch.setattr(further, "_draw", interrupt)
    with pytest.raises(Interrupted):
        teach()  # the same goes on
    fewer = {**SHOP, "requests": [*SHOP["requests"], {"q": "Hello"}]}
    cases: list[tuple[str, dict[str, Any]]] = [
        ("the memories", {"memories": {"a": fewer, "b": SHOP}}),
        ("the scope it starts from", {"start": other}),
        ("the requests", {"requests": requests}),
        ("what is held out", {"hold_out": ["a"]}),
        ("bf16", {"bf16": True}),
    ]
    for said, more in cases:
        with pytest.raises(InvalidInputError, match=f"other settings: {said}\\."):
            teach(**more)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "memories.json"
    file.write_text(json.dumps({"shop": SHOP}))
    assert read_memories(file)["shop"] == SHOP
