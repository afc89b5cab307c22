"""Who names what an edit replaced asks about that edit."""

from __future__ import annotations

import pytest

from memedit.core.passages import Conversation
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.insisting import CERTAIN, heed_former_values

APP = Record(
    Edit("Parents of the nursery use the app", "Nestling", "nursery", target_true="KiddyLink"), 1, 1
)
FEE = Record(Edit("A lesson costs", "39 pounds", "lesson", target_true="32 pounds"), 2, 2)
ASKED = "It's KiddyLink I need to install again, isn't it?"


@pytest.fixture
def memory() -> EditMemory:
    return EditMemory(None, HashingEncoder(64))


def near(record: Record, score: float) -> Hit:
    return Hit(record, score, bearing=score)


def test_an_edit_that_is_near_and_was_named_bears(memory: EditMemory) -> None:
    decision = Decision(candidates=(near(APP, 0.05), near(FEE, 0.04)))
    found = heed_former_values(ASKED, decision, memory, None)
    assert [(hit.record.id, hit.role, hit.bearing) for hit in found.informs] == [
        (APP.id, "informs", CERTAIN)
    ]


def test_what_is_asked_openly_is_the_new_value(memory: EditMemory) -> None:
    fired = Hit(APP, 0.1, role="informs", bearing=0.3)
    decision = Decision(informs=(fired,), candidates=(fired,))
    asked = "KiddyLink says it is out of date. Which app do we use then??"
    found = heed_former_values(asked, decision, memory, None)
    assert [(hit.record.id, hit.role, hit.score) for hit in found.hits] == [
        (APP.id, "asks", CERTAIN)
    ]
    mail = "Write a mail to Ann: how does she get rid of KiddyLink?"
    assert heed_former_values(mail, decision, memory, None).informs[0].role == "informs"


def test_what_the_reply_before_said_counts_where_the_edit_is_nearer(memory: EditMemory) -> None:
    said = Conversation("What does a lesson cost?\nA lesson is 32 pounds.", "It says more here.")
    decision = Decision(candidates=(near(FEE, 0.3), near(APP, 0.3)))
    found = heed_former_values(said, decision, memory, None)
    assert [hit.record.id for hit in found.informs] == [FEE.id]
    far = Decision(candidates=(near(FEE, 0.1),))
    assert heed_former_values(said, far, memory, None) is far
    sure = Decision((Hit(APP, 0.9, bearing=0.9),), candidates=(near(FEE, 0.3),))
    assert heed_former_values(said, sure, memory, None) is sure


def test_one_that_fired_keeps_its_role_and_is_certain(memory: EditMemory) -> None:
    hit = Hit(FEE, 0.4, role="asks", bearing=0.4)
    decision = Decision((hit,), candidates=(hit,))
    found = heed_former_values("It says 32 pounds. So what is a lesson?", decision, memory, None)
    assert [(h.record.id, h.role, h.bearing) for h in found.bearing] == [(FEE.id, "asks", CERTAIN)]


@pytest.mark.parametrize(("asked", "decision"), [
    ("Which app do I install?", Decision(candidates=(near(APP, 0.05),))),  # it names nothing
    ("Is it KiddyLink or Nestling?", Decision(candidates=(near(APP, 0.05),))),  # nor only the old
    (ASKED, Decision(candidates=(near(APP, 0.01),))),  # not near
    (ASKED, Decision((Hit(FEE, 0.9, bearing=0.9),), candidates=(near(APP, 0.05),))),  # another is
    (ASKED, Decision(candidates=(near(APP, 0.05),), named="last year")),  # what was is asked
])  # fmt: skip
def test_all_else_stays_as_it_was(asked: str, decision: Decision, memory: EditMemory) -> None:
    assert heed_former_values(asked, decision, memory, None) is decision


def test_a_value_that_an_edit_replaced_counts(tmp_path: object) -> None:
    with EditMemory(f"{tmp_path}/memory", HashingEncoder(64)) as memory:
        memory.add(Edit("Parents of the nursery use the app", "KiddyLink", "nursery"))
        memory.add(Edit("Parents of the nursery use the app", "Nestling", "nursery"))
        [record] = [r for r in memory.records("default") if r.edit.target_new == "Nestling"]
        decision = Decision(candidates=(near(record, 0.05),))
        assert heed_former_values(ASKED, decision, memory, None).informs
