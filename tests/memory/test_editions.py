"""Versions of a document that hold from one day until another."""

from __future__ import annotations

import hashlib

import pytest

from memedit.core.documents import NewDocument
from memedit.core.errors import InvalidEditError, UnknownEditError
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.plain import plain_document, plain_document_change
from tests.memory.helpers import sound

NEXT, LATER = "2990-01-01", "2995-01-01"


def document(*passages: str) -> NewDocument:
    digest = hashlib.sha256("\n".join(passages).encode()).hexdigest()
    return NewDocument("leave", passages, digest, "Leave")


def texts(memory: EditMemory, as_of: str | None = None) -> list[str]:
    return [record.edit.prompt for record in memory.document("leave", as_of=as_of).passages]


@pytest.fixture
def memory() -> EditMemory:
    return EditMemory(None, HashingEncoder(16))


def test_the_version_before_stays_in_force_up_to_that_day(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28.", "Sick: call.", "Notice: a week."))
    ids = {r.edit.prompt: r.id for r in memory.records()}
    new = document("Days: 30.", "Sick: call.", "Notice: a week.")
    tried = memory.put_document(new, valid_from=NEXT, dry_run=True)
    change = memory.put_document(new, valid_from=NEXT)
    shown = [(m, r.edit.prompt) for m, r in change.diff]
    assert shown == [(m, r.edit.prompt) for m, r in tried.diff]
    assert sorted(shown) == [
        (" ", "Notice: a week."), (" ", "Sick: call."), ("+", "Days: 30."), ("-", "Days: 28."),
    ]  # fmt: skip
    assert texts(memory) == ["Days: 28.", "Sick: call.", "Notice: a week."]
    assert texts(memory, NEXT) == ["Days: 30.", "Sick: call.", "Notice: a week."]
    now, then = memory.document("leave"), memory.document("leave", as_of=NEXT)
    assert (now.version, then.version) == (1, 2)
    assert [version for version, _ in now.upcoming] == [2] and then.upcoming == ()
    assert {r.edit.prompt: r.id for r in then.passages}["Sick: call."] == ids["Sick: call."]
    hits = {day: memory.search(["Sick: call."], as_of=day)[0][0] for day in ("2989-12-31", NEXT)}
    told = [hit.passage and (hit.passage.version, hit.passage.number) for hit in hits.values()]
    assert told == [(1, 2), (2, 2)]
    assert plain_document(now)["upcoming"][0]["version"] == 2
    assert plain_document_change(change)["valid_from"].startswith(NEXT)
    assert sound(memory)


def test_a_moment_after_a_change_is_another_one(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28."))
    memory.put_document(document("Days: 30."), valid_from=NEXT)
    memory.put_document(document("Days: 32."), valid_from=LATER)
    days = (None, "2989-12-31", NEXT, "2991-01-01", "2994-12-31", LATER, "2999-01-01", NEXT, None)
    told = [texts(memory, day)[0][-3:-1] for day in days]
    assert told == ["28", "28", "30", "30", "30", "32", "32", "30", "28"]
    memory.put_document(document("Days: 29."))
    assert [texts(memory, day) for day in (None, NEXT)] == [["Days: 29."]] * 2


def test_the_same_planned_version_again_changes_nothing(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28."))
    memory.put_document(document("Days: 30.", "Sick: call."), valid_from=NEXT)
    memory.put_document(document("Days: 31.", "Sick: call."), valid_from=NEXT)
    assert texts(memory) == ["Days: 28."]
    assert texts(memory, NEXT) == ["Days: 31.", "Sick: call."]
    assert memory.document("leave", as_of=NEXT).version == 3


def test_a_version_without_dates_takes_the_place_of_planned_ones(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28.", "Sick: call."))
    memory.put_document(document("Days: 30.", "Sick: call."), valid_from=NEXT)
    memory.put_document(document("Days: 29.", "Sick: call."))
    assert texts(memory) == texts(memory, LATER) == ["Days: 29.", "Sick: call."]
    assert memory.document("leave").upcoming == () and sound(memory)


def test_a_version_that_ends(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28.", "Sick: call."))
    memory.put_document(document("Offer: free."), valid_from=NEXT, valid_until="2990-01-31")
    assert texts(memory, "2990-01-31") == ["Offer: free."]
    with pytest.raises(UnknownEditError):
        memory.document("leave", as_of="2990-02-01")
    assert texts(memory) == ["Days: 28.", "Sick: call."]
    memory.put_document(document("Days: 28."), valid_from="2990-02-01")
    assert texts(memory, "2990-02-01") == texts(memory, LATER) == ["Days: 28."]
    assert texts(memory) == ["Days: 28.", "Sick: call."] and sound(memory)
    with pytest.raises(InvalidEditError, match="not before"):
        memory.put_document(document("Days: 1."), valid_from=NEXT, valid_until="2980-01-01")


def test_taking_it_back_takes_what_is_planned_too(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28."))
    memory.put_document(document("Days: 30."), valid_from=NEXT)
    version = memory.version
    assert len(memory.remove_document("leave").diff) == 2 and len(memory) == 0
    memory.restore(version)
    assert texts(memory) == ["Days: 28."] and texts(memory, NEXT) == ["Days: 30."]


def test_a_passage_keeps_what_it_learnt(memory: EditMemory) -> None:
    memory.put_document(document("Days: 28.", "Sick: call."))
    id = memory.document("leave").passages[1].id
    memory.report(id, "What do I do when I am ill?", concerns=True)
    memory.put_document(
        document("Days: 30.", "Sick: call."), valid_from=NEXT, valid_until="2991-12-31"
    )
    for day in (None, NEXT):
        passage = memory.document("leave", as_of=day).passages[1]
        assert passage.edit.queries == ("What do I do when I am ill?",)
    assert memory.document("leave", as_of=NEXT).passages[1].id == id
