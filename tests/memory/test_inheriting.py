"""What an edit takes over from those that it replaces: by what it is found, and by what not."""

from __future__ import annotations

from typing import Any

import pytest

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.plain import plain_receipt

ASK, LEAVE = "How long may I send goods back?", "How long do repairs take?"
OLD = Edit("Our refund window is", "30 days", "refund window", None, (ASK,), "", (LEAVE,))
NEW = Edit.from_statement("Our refund window is 60 days.")


@pytest.fixture
def memory() -> EditMemory:
    return EditMemory(None, HashingEncoder(64))


def test_a_replacement_in_another_form_is_found_as_the_old_one_was(memory: EditMemory) -> None:
    """The fault: the question that had been given for the fact found nothing any more, and the one
    that it must not answer fired again."""
    old = memory.add(OLD)
    made = memory.add(NEW, replaces=[old.id])
    assert (made.record.edit.queries, made.record.edit.excluded) == ((ASK,), (LEAVE,))
    assert (made.kept_queries, made.kept_excluded) == ((ASK,), (LEAVE,))
    assert made.id == NEW.id and memory.add(NEW).status == "duplicate"
    told = plain_receipt(made)
    assert (told["kept_queries"], told["kept_excluded"]) == ([ASK], [LEAVE])
    (hit,) = memory.search([ASK])[0]
    assert hit.record.id == made.id and hit.similarity > 0.99
    assert memory.verify().ok


def test_of_the_same_prompt_too_and_in_one_call(memory: EditMemory) -> None:
    other = Edit(OLD.prompt, "60 days", OLD.subject)
    assert memory.add_many([OLD, other])[1].kept_queries == (ASK,)
    assert memory.preview([Edit(OLD.prompt, "90 days")])[0].kept_queries == (ASK,)
    assert memory.add(Edit(OLD.prompt, "90 days")).record.edit.excluded == (LEAVE,)
    memory.undo()
    (left,) = memory.records()
    assert left.edit.target_new == "60 days" and left.edit.queries == (ASK,)
    assert memory.verify().ok


def test_what_the_new_edit_says_of_a_text_counts(memory: EditMemory) -> None:
    old = memory.add(OLD)
    other = Edit(NEW.prompt, None, queries=(LEAVE.upper(),), excluded=(ASK,))
    made = memory.add(other, replaces=[old.id])
    assert made.record.edit.queries == (LEAVE.upper(),) and made.record.edit.excluded == (ASK,)
    assert made.kept_queries == made.kept_excluded == ()


def test_a_text_that_finds_one_of_them_finds_what_replaces_both(memory: EditMemory) -> None:
    one = memory.add(OLD)
    two = memory.add(Edit("Goods come back within", "30 days", None, None, (LEAVE, ASK)))
    made = memory.add(NEW, replaces=[one.id, two.id])
    assert made.record.edit.queries == (ASK, LEAVE) and made.record.edit.excluded == ()


def test_of_several_values_nothing_is_taken(memory: EditMemory) -> None:
    sells: Any = {"subject": "Tarn", "multiple": True, "queries": ("What does Tarn sell?",)}
    tyres = memory.add(Edit("Tarn sells", "tyres", **sells))
    ended = memory.add(Edit.from_statement("Tarn no longer sells tyres."), replaces=[tyres.id])
    assert ended.superseded and ended.record.edit.queries == ()


def test_what_is_replaced_by_its_id_is_as_it_is_given(memory: EditMemory) -> None:
    old = memory.add(OLD)
    made = memory.supersede(old.id, NEW)
    assert made.record.edit.queries == () == made.kept_queries
    learnt = memory.report(made.id, ASK, concerns=True)
    assert memory.report(learnt.id, ASK, concerns=False).record.edit.queries == ()


def test_what_holds_for_a_while_is_found_so_and_then_the_old_one(memory: EditMemory) -> None:
    old = memory.add(OLD)
    offer = memory.add(NEW, replaces=[old.id], valid_from="2030-01-01", valid_until="2030-12-31")
    assert offer.kept_queries == (ASK,)
    for day, said in (("2030-06-01", NEW.prompt), ("2031-06-01", OLD.statement)):
        (hit,) = memory.search([ASK], as_of=day)[0]
        assert hit.record.edit.statement == said and hit.record.edit.queries == (ASK,)
    assert memory.verify().ok
