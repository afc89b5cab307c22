from __future__ import annotations

from memedit.core.types import Edit, Record
from memedit.memory.draft import Draft
from memedit.memory.live.space import topics
from tests.memory.helpers import capital

PASSAGE = "document:leave@1#1048576"


def draft_of(*records: Record) -> Draft:
    draft = Draft()
    for record in records:
        draft.add(record, topics(record.edit))
    return draft


def test_records_are_found_by_id_topic_and_subject() -> None:
    edit = capital("France")
    draft = draft_of(Record(edit, 1, 1), Record(Edit("Paris is", "large"), 2, 1))
    assert draft.find(edit.id) == 1 and draft.find("x") is None
    assert draft.about(topics(capital("France", "Paris"))) == {1}
    assert draft.about(topics(capital("Spain"))) == set()
    assert draft.newest("france", 9) == [1] and draft.newest("spain", 9) == []


def test_the_newest_come_first_and_no_more_than_asked_for() -> None:
    edits = [Edit(f"France {n} has", str(n), "France", id="x") for n in range(5)]
    draft = draft_of(*(Record(edit, n, 1) for n, edit in enumerate(edits)))
    assert draft.newest("france", 3) == [4, 3, 2] and draft.find("x") == 4


def test_what_is_removed_leaves_nothing() -> None:
    old, new = (Record(capital("France", city), n, 1) for n, city in enumerate(("Lyon", "Nice")))
    draft = draft_of(old, new)
    draft.remove(old, topics(old.edit))
    assert draft.find(old.id) is None and draft.find(new.id) == 1
    assert draft.about(topics(new.edit)) == {1} and draft.newest("france", 9) == [1]
    draft.remove(new, topics(new.edit))
    assert draft.about(topics(new.edit)) == set() and draft.newest("france", 9) == []
    assert vars(draft) == vars(Draft())


def test_passages_say_the_same_side_by_side() -> None:
    record = Record(capital("France"), 1, 1, source=PASSAGE)
    draft = draft_of(record)
    assert draft.about(topics(record.edit)) == set()
    assert draft.find(record.id) == 1 and draft.newest("france", 9) == [1]
    draft.remove(record, topics(record.edit))
    assert draft.find(record.id) is None
