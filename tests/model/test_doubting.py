"""Who doubts an answer is told of the edit that replaced it."""

from __future__ import annotations

from typing import Any

import pytest

from memedit.core.passages import Conversation
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.model.doubting import put_doubted_first

PARCEL = Edit("Sending a parcel with Tarnpost to the islands costs", "£7.40", "Tarnpost")
EDITS = (
    PARCEL,
    Edit("The counter of Tarnpost in Norby closes at", "6:15 pm", "Norby"),
    Edit("The head of customer service at Tarnpost is", "Ilse Marrow", "Tarnpost"),
    Edit.from_statement("Tarnpost pays up to £50 for a lost parcel."),
)


def find(number: int, role: str, score: float, bearing: float) -> Hit:
    record = Record(Edit(f"Fact {number} is", "so", "Fact"), number, number)
    chosen: Any = role
    return Hit(record, score, role=chosen, bearing=bearing)


def test_question_and_answer_tell_together() -> None:
    own = Decision(hits=(find(1, "asks", 0.5, 0.5),), informs=(find(3, "informs", 0.1, 0.6),))
    question = Decision(hits=(find(1, "asks", 0.9, 0.9),))
    answer = Decision(informs=(find(2, "informs", 0.1, 0.95), find(3, "informs", 0.1, 0.5)))
    told = put_doubted_first(own, [question, answer])
    assert [(hit.record.id, hit.role, hit.score) for hit in told.bearing] == [
        (find(2, "asks", 0, 0).record.id, "asks", 0.95)
    ]
    both = put_doubted_first(own, [Decision(hits=(find(3, "asks", 0.6, 0.6),)), answer])
    assert [hit.record.id for hit in both.bearing] == [find(3, "asks", 0, 0).record.id]
    faint = Decision(informs=(find(2, "informs", 0.1, 0.7),))
    assert put_doubted_first(own, [Decision(), faint]) is own
    assert put_doubted_first(own, []) is own


@pytest.mark.parametrize(("question", "answer", "turn", "about"), [
    ("what do I pay for a parcel to the islands?", "Sending a parcel to the islands costs £5.20.",
     "hm, a mate paid more than that yesterday. could you look again?", EDITS[0]),
    ("Until when is the counter in Norby open?", "The counter in Norby closes at 5 pm.",
     "there's a different time on the door. so which one is it", EDITS[1]),
    ("who runs customer service over there", "That is Bernd Hollow.",
     "isn't he retired? what's the name now", EDITS[2]),
])  # fmt: skip
def test_who_doubts_is_told_what_replaced_the_answer(
    minilm: Any, question: str, answer: str, turn: str, about: Edit
) -> None:
    memory = EditMemory(None, minilm)
    memory.add_many(list(EDITS))
    query = Conversation(f"{question}\n{answer}", turn)
    (hit,) = Decider(memory, None).decide([query], "default")[0].bearing
    assert hit.record.edit.statement == about.statement and hit.role == "asks"
