"""An edit that is put right by its id is compared with what says the same in other words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from memedit.core.types import Edit, Record
from memedit.memory import EditMemory, Receipt
from memedit.memory.altering import alter
from memedit.model.amending import add_by_default, correct_by_default

CHIEF = Edit("The CEO of Acme is", "Ada", "Acme")
RIGHT = "It takes 5 days until a parcel leaves us."


@pytest.fixture
def memory(minilm: Any) -> Iterator[EditMemory]:
    with EditMemory(None, minilm) as made:
        yield made


def correct(memory: EditMemory, record: Record, **changed: Any) -> Receipt:
    edit, rest = alter(record, changed)
    return correct_by_default(memory, record, edit, **rest)


def says(memory: EditMemory) -> list[str]:
    return sorted(record.edit.statement for record in memory.records())


def test_what_says_otherwise_in_other_words_is_retired_as_by_a_new_edit(
    memory: EditMemory,
) -> None:
    """The fault: "The CEO of Acme is Bo." and "Acme's CEO is Cy." were both in force."""
    others = [Edit("Acme's CEO is", "Bo", "Acme"), Edit("Acme was founded in", "1971", "Acme")]
    wrong, other, _ = (receipt.record for receipt in memory.add_many([CHIEF, *others]))
    made = correct(memory, wrong, target_new="Cy")
    assert {r.sequence for r in made.superseded} == {wrong.sequence, other.sequence}
    assert says(memory) == ["Acme was founded in 1971", "The CEO of Acme is Cy"]


def test_a_statement_is_compared_with_other_statements(memory: EditMemory) -> None:
    texts = ["It takes 9 weeks until a parcel leaves us.", "We are closed on Monday.",
             "Parcels are sent within 3 days."]  # fmt: skip
    wrong, _, other = (memory.add(Edit.from_statement(t)).record for t in texts)
    with EditMemory(None, memory.encoder) as alone:  # decided as if it were new
        for text in texts[1:]:
            alone.add(Edit.from_statement(text))
        new = add_by_default(alone, Edit.from_statement(RIGHT), "default")
    made = correct(memory, wrong, statement=RIGHT)
    assert {r.edit.prompt for r in made.superseded} == {
        texts[0], *(r.edit.prompt for r in new.superseded)
    }  # fmt: skip
    assert [r.edit.prompt for r in made.conflicts] == [r.edit.prompt for r in new.conflicts]
    told = (*made.superseded, *made.conflicts)
    assert other.sequence in {r.sequence for r in told}


def test_what_another_edit_says_already_is_not_said_twice(memory: EditMemory) -> None:
    other = Edit("Acme's CEO is", "Bo", "Acme")
    wrong, there = (receipt.record for receipt in memory.add_many([CHIEF, other]))
    made = correct(memory, wrong, target_new="Bo")
    assert (made.status, made.id) == ("duplicate", there.id)
    assert [r.sequence for r in made.superseded] == [wrong.sequence]
    assert says(memory) == ["Acme's CEO is Bo"]


def test_what_changes_no_word_retires_nothing(memory: EditMemory) -> None:
    other = Edit("Acme's CEO is", "Bo", "Acme")
    wrong, there = (receipt.record for receipt in memory.add_many([CHIEF, other]))
    made = correct(memory, wrong, queries=["Who runs Acme?"], source="board")
    assert [r.sequence for r in made.superseded] == [wrong.sequence]
    made = correct(memory, made.record, valid_until="2090-12-31")
    assert [r.sequence for r in made.conflicts] == [there.sequence]  # told, as before
    assert len(memory) == 2


def test_what_holds_at_other_times_stays(memory: EditMemory) -> None:
    first = memory.add(CHIEF, valid_until="2090-12-31").record
    memory.add(Edit("Acme's CEO is", "Bo", "Acme"), valid_from="2091-01-01")
    made = correct(memory, first, target_new="Cy")
    assert [r.sequence for r in made.superseded] == [first.sequence]
    assert says(memory) == ["Acme's CEO is Bo", "The CEO of Acme is Cy"]


def test_the_pieces_of_a_fact_count_as_it(memory: EditMemory) -> None:
    cost = "Express delivery costs 9 euros."
    memory.add(Edit.from_statement(cost))
    offer = Edit.from_statement("Express delivery costs 6 euros.")
    add_by_default(memory, offer, "default", valid_from="2090-01-01", valid_until="2090-12-31")
    piece = next(r for r in memory.records() if r.edit.prompt == cost and "~" not in r.id)
    made = correct(memory, piece, statement="Express delivery costs 8 euros.")
    assert {r.edit.prompt for r in made.superseded} == {cost}
    assert says(memory) == [
        "Express delivery costs 6 euros.", "Express delivery costs 8 euros.",
        "Express delivery costs 8 euros.",
    ]  # fmt: skip


def test_a_passage_of_a_document_is_compared_with_nothing(memory: EditMemory) -> None:
    from memedit.core.documents import NewDocument

    stated = Edit.from_statement("Everybody has 27 days of leave a year.")
    memory.add(stated)
    passages = ("Everybody has 28 days of leave a year.",)
    memory.put_document(NewDocument("leave", passages, "0" * 64, "Leave"))
    passage = next(r for r in memory.records() if r.edit.prompt == passages[0])
    made = correct(memory, passage, statement="Everybody has 29 days of leave a year.")
    assert [r.sequence for r in made.superseded] == [passage.sequence]
    assert stated.prompt in says(memory)
