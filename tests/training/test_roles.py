"""Requests with roles become pairs as the product finds them, and a scope learns from them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit.core.errors import InvalidInputError
from memedit.engine.encoders import load_encoder
from memedit.scope.classifier import PairModel
from memedit.training.cross import ASKS, INFORMS, NONE
from memedit.training.jobs import train_scope
from memedit.training.roles import build, join_pairs, read_requests
from tests.training.test_scope import records, world


def edit(name: str, role: str, what: str = "born in") -> dict[str, Any]:
    return {
        "prompt": f"{name} was {what}", "target_new": "Oslo", "subject": name, "statement": None,
        "queries": [], "role": role, "group": "",
    }  # fmt: skip


def request(split: str, query: str, edits: list[Any], **more: Any) -> dict[str, Any]:
    told = {"set": "own", "kind": "asked", "history": [], "query": query}
    return {**told, "split": split, "edits": edits, **more}


def some(split: str, count: int) -> list[dict[str, Any]]:
    found = []
    for i in range(count):
        name = f"{split.title()} Nym{i}"
        found += [
            request(split, f"Where was {name} born?", [edit(name, "asks")]),
            request(split, f"Is it true that {name} was born in Rome?", [edit(name, "informs")]),
            request(split, f"What does {name} eat?", [edit(name, "none")]),
            request(split, "Where was she born?", [edit(name, "asks")],
                    history=[f"Do you know {name}?", "I do."]),
        ]  # fmt: skip
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("requests") / "requests.jsonl.gz"
    with gzip.open(path, "wt") as out:
        for one in some("train", 40) + some("calib", 15):
            out.write(json.dumps(one) + "\n")
    return path


def test_every_role_is_labelled_and_a_chats_subject_is_carried_over(file: Path) -> None:
    read = read_requests(file, "calib")
    assert len(read) == 60 and len(read_requests(file, "calib", most=7)) == 7
    pairs = build(read, load_encoder("hashing"))
    asked = {text: label for (text, fact), label in zip(pairs.texts, pairs.labels, strict=True)
             if "Nym3 " in fact and "Nym3" in text}  # fmt: skip
    assert set(asked.values()) == {NONE, ASKS, INFORMS}
    assert asked["Is it true that Calib Nym3 was born in Rome?"] == INFORMS
    assert asked["Do you know Calib Nym3? I do. Where was she born?"] == ASKS


def test_what_the_data_leave_open_is_no_negative() -> None:
    open_ = request("train", "Where was Ada Nym1 born?", [edit("Ada Nym1", "asks")])
    other = request("train", "x y z?", [edit("Ada Nym1", "none", "raised in")])
    pairs = build([open_, other], load_encoder("hashing"))
    assert [y for y, q in zip(pairs.labels, pairs.query, strict=True) if q == 0] == [ASKS]


def test_pairs_of_two_sources_are_joined(file: Path) -> None:
    encoder = load_encoder("hashing")
    one = build(read_requests(file, "calib", most=10), encoder)
    both = join_pairs(one, one)
    assert len(both) == 2 * len(one) and len(set(both.query.tolist())) == 2 * len(
        set(one.query.tolist())
    )
    assert np.array_equal(both.scalars[len(one) :], one.scalars)


@pytest.mark.slow
def test_a_scope_is_trained_on_facts_and_requests(file: Path, tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl").write_text(records(world()[:60]))
    (tmp_path / "text.txt").write_text("The weather was fine on the first day of the trip.\n" * 9)
    manifest = train_scope(
        [tmp_path / "facts.jsonl"], [tmp_path / "text.txt"], tmp_path / "out", encoder="hashing",
        requests=file, device="cpu",
    )  # fmt: skip
    assert file.name in manifest["data"] and manifest["pairs"]["train"] > 160
    assert PairModel.load(tmp_path / "out").bears is None  # hashing reads no two texts together


def test_a_file_without_the_split_is_refused(file: Path) -> None:
    with pytest.raises(InvalidInputError, match="no requests"):
        read_requests(file, "test")
