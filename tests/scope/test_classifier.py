"""The cascade: which candidates are read, how both logits become probabilities, and roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit import Edit, EditMemory
from memedit.core.errors import InvalidInputError
from memedit.core.types import Hit, Record
from memedit.scope import ClassifierScope, classifier
from memedit.scope.classifier import PairModel
from memedit.scope.reading import TextPair
from memedit.scope.weighing import (
    Among,
    choose_to_read,
    choose_weighed,
    lower_unsure,
    require_bearing,
    require_chance,
)

ZERO = np.zeros((1, 1), np.float32)
MODEL = PairModel(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, 2.0, 1.0, manifest={})


def hit(similarity: float, *, named: bool = False, subject: str | None = "Ada") -> Hit:
    edit = Edit("Ada was born in", "Oslo", subject)
    mention = "Ada" if named else None
    return Hit(Record(edit, 1, 1), similarity, "where?", mention, 0.4 if named else None)


def test_read_are_the_likeliest_first() -> None:
    hits = [hit(0.1, named=True), hit(0.3), hit(0.55), hit(0.2)]
    assert choose_to_read(hits, np.array([0.0, 0.0, 0.0, 0.7], np.float32)) == [3, 2, 0, 1]
    assert choose_to_read([hit(0.9)] * 40, np.zeros(40, np.float32)) == list(range(5))
    far = replace(hit(0.7, named=True), relation=-0.1)  # "Where did it take place?" of a location
    assert choose_to_read([hit(0.6), far], np.zeros(2, np.float32)) == [1, 0]


def test_among_few_edits_a_faint_likeness_is_read_and_among_many_what_stands_out() -> None:
    few = [hit(0.3), hit(0.22), hit(0.1)]
    assert choose_weighed(few, read=True) == few[:2]
    crowd = [hit(0.45), *[hit(0.3)] * 15]
    assert choose_weighed(crowd, read=True) == crowd[:1]
    dense = [hit(0.52), *[hit(0.48)] * 15]  # 0.5 is enough in any case
    assert choose_weighed(dense, read=True) == dense[:1]
    unnamed = [hit(0.36, subject=None), *[hit(0.34, subject=None)] * 15]
    assert choose_weighed(unnamed, read=True) == unnamed[:1]


def test_those_that_are_chosen_of_many_stand_among_many() -> None:
    crowd = [hit(0.45), *[hit(0.3)] * 15]
    chosen = Among.of(crowd, [crowd[3]])
    assert choose_weighed(chosen, read=True) == []
    assert choose_weighed([crowd[3]], read=True) == [crowd[3]]  # as if no other were near


def test_what_is_hardly_alike_must_be_sure() -> None:
    assert require_chance(hit(0.2, named=True), 40) == require_chance(hit(0.4), 5) == 0.0
    assert require_chance(hit(0.3), 5) == 0.4
    assert require_chance(hit(0.4), 40) == 0.7  # a subject that is not named, and many as near
    assert require_chance(hit(0.4, subject=None), 40) == 0.0
    assert lower_unsure(0.45, 0.6, 0.5, 0.3, 0.2) == (0.99 * 0.3, 0.6)
    assert lower_unsure(0.1, 0.4, 0.5, 0.3, 0.2) == (0.1, 0.99 * 0.2)
    assert lower_unsure(0.8, 0.9, 0.7, 0.3, 0.2) == (0.8, 0.9)


def test_of_many_edits_one_that_is_only_named_must_bear_more_surely() -> None:
    named = hit(0.4, named=True)
    assert require_bearing(named, 40, 0.2) == pytest.approx(0.6)
    assert require_bearing(named, 5, 0.2) == require_bearing(hit(0.4), 40, 0.2) == 0.2
    assert require_bearing(named, 40, 0.5) == 0.9
    assert require_bearing(named, 40, 1.0) == 1.0  # never


def test_what_is_weighed_depends_on_whether_something_reads_it() -> None:
    passage = replace(hit(0.5, named=True), view="word " * 40)
    unnamed = hit(0.6)
    assert choose_weighed([passage, unnamed]) == []
    assert choose_weighed([passage, unnamed], read=True) == [passage, unnamed]


def test_two_logits_join_the_networks_by_platts_rule() -> None:
    logits, cross = np.array([1.0, 5.0], np.float32), np.array([[3, -2], [-3, 4]], np.float32)
    model = replace(MODEL, join=(0.5, 2.0, -1.0), bears=(0.1, 1.0, 0.0))
    asks = 1 / (1 + np.exp(-(0.5 * logits + 2 * cross[:, 0] - 1)))
    bears = 1 / (1 + np.exp(-(0.1 * logits + cross[:, 1])))
    found = model.join_chances(logits, cross)
    assert found[:, 0] == pytest.approx(asks, abs=1e-6)
    assert found[:, 1] == pytest.approx([asks[0], bears[1]], abs=1e-6)  # bearing: never below
    with pytest.raises(InvalidInputError, match="without a cross-encoder"):
        MODEL.join_chances(logits, cross)


class Reader:
    """A cross-encoder that knows a few words."""

    def __init__(self) -> None:
        self.read: list[TextPair] = []

    def logits(self, pairs: Sequence[TextPair]) -> Any:
        self.read += pairs
        known = {"Where": (9.0, 9.0), "Is": (-9.0, 9.0)}
        return np.array([known.get(a.split()[0], (-9.0, -9.0)) for a, _ in pairs], np.float32)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    found = Reader()
    model = replace(classifier.load_model(""), join=(0.0, 1.0, 0.0), bears=(0.0, 1.0, 0.0))
    monkeypatch.setattr(classifier, "load_model", lambda path: model)
    monkeypatch.setattr(classifier, "load_cross", lambda path: found)
    return found


QUERIES = ["Where was Ada Quist born?", "Is Ada Quist from Oslo?", "How tall is Ada Quist?"]


@pytest.fixture
def memory(minilm: Any, tmp_path: Path) -> EditMemory:
    found = EditMemory(tmp_path / "memory", minilm)
    found.add(Edit("Ada Quist was born in", "Oslo", "Ada Quist"))
    return found


def test_an_edit_is_asked_informs_or_is_nothing(reader: Reader, memory: EditMemory) -> None:
    scope = ClassifierScope()
    asked, informed, nothing = scope.decide(QUERIES, memory.search(QUERIES))
    assert [h.role for h in asked.hits] == ["asks"] and not asked.informs
    assert not informed.hits and informed and [h.role for h in informed.informs] == ["informs"]
    assert informed.informs[0].bearing == pytest.approx(1, abs=1e-3)
    assert (informed.informs[0].score or 0) < 0.05
    assert not nothing.bearing and nothing.candidates[0].role is None
    assert informed.informing_threshold == scope.informing
    never = ClassifierScope(informing=1.0)
    assert not never.decide(QUERIES, memory.search(QUERIES))[1].informs


def test_an_edits_own_words_fire_whatever_is_read(reader: Reader, memory: EditMemory) -> None:
    own = ["Ada Quist was born in"]
    decision = ClassifierScope().decide(own, memory.search(own))[0]
    assert decision.hits[0].score == 1.0


def test_of_many_edits_a_named_one_that_may_bear_is_not_told(
    reader: Reader, memory: EditMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "logits", lambda pairs: np.array([(-9.0, 0.0)] * len(pairs)))
    asked = ["Does Ada Quist like skating?"]
    (few,) = ClassifierScope().decide(asked, memory.search(asked))
    memory.add_many([Edit(f"{n} Quist was born in", "Bern", f"{n} Quist") for n in range(20)])
    (many,) = ClassifierScope().decide(asked, memory.search(asked, k=16))
    assert [hit.record.edit.subject for hit in few.informs] == ["Ada Quist"]
    assert few.informs[0].bearing == pytest.approx(0.5) and not many


POLICY = Edit.from_statement("Ada Quist answers mails within two days.")


def test_what_only_stands_near_the_likeliest_edit_is_not_told(
    reader: Reader, memory: EditMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.add(POLICY)
    bearing = {"born": 2.0, "mails": 0.0}

    def read(pairs: Sequence[TextPair]) -> Any:
        found = [logit for _, edit in pairs for word, logit in bearing.items() if word in edit]
        return np.array([(-9.0, logit) for logit in found], np.float32)

    def inform() -> list[str]:
        [decision] = ClassifierScope().decide(QUERIES[1:2], memory.search(QUERIES[1:2]))
        return [each.record.edit.prompt for each in decision.informs]

    monkeypatch.setattr(reader, "logits", read)
    assert len(inform()) == 2  # 0.5 beside 0.88
    bearing["born"] = 9.0
    assert len(inform()) == 2  # 0.5 beside 1.0: half as probable
    bearing["mails"] = -0.1
    assert inform() == ["Ada Quist was born in"]


def test_a_likeness_does_not_outdo_who_read_both(
    reader: Reader, memory: EditMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.add(POLICY)
    alike = ["Ada Quist writes books within two days."]
    monkeypatch.setattr(
        reader, "logits", lambda pairs: np.full((len(pairs), 2), (-9.0, -2.0), np.float32)
    )

    def find() -> Hit:
        [decision] = ClassifierScope().decide(alike, memory.search(alike))
        return next(h for h in decision.candidates if h.record.edit == POLICY)

    assert 0.6 < find().similarity < 0.85 and find().role is None
    monkeypatch.setattr(classifier, "load_cross", lambda path: None)
    assert find().role == "asks"


def test_either_threshold_is_calibrated(reader: Reader, memory: EditMemory) -> None:
    scope = ClassifierScope(informing=0.001)
    negatives = scope.decide(QUERIES[1:2] * 300, memory.search(QUERIES[1:2] * 300))
    strict = scope.calibrate(negatives, max_false_fire=0.02, role="informs")
    assert strict.threshold == scope.threshold and strict.informing > 0.99
    assert scope.calibrate(negatives, max_false_fire=0.02).informing == scope.informing
    with pytest.raises(InvalidInputError, match="probability"):
        ClassifierScope(informing=1.5)
