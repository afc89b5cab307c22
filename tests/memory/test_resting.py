"""What may rest on a fact that is gone, against a look at every record."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory, resting
from memedit.memory.resting import MOST, _naming


def look_at_all(memory: EditMemory, gone: Record) -> list[str]:
    test = _naming(gone)
    assert test is not None
    return [record.id for record in memory.records() if test(record)][:MOST]


def test_equals_a_look_at_every_record() -> None:
    names = ("Acme", "The Acme", "Ada & Söhne", "Bo", "Acme Robotics", "Straße 9")
    forms = ("{} is led by", "Where is {} now?", "Write to {}, please:", "Say of the {}s that")
    with EditMemory(None, HashingEncoder(16)) as memory:
        for name in names:
            for form in forms:
                for value in ("Ada Byron", "ADA BYRON's office", "nobody"):
                    edit = Edit(form.format(name), f"{value} {len(memory)}", name)
                    memory.add(edit)
                    memory.add(Edit.from_statement(f"{edit.statement}, says {name}."))
        checked = 0
        for name in names:
            gone = memory.add(Edit(f"The head of {name} is", "Ada Byron", name)).record
            memory.forget(gone.id)
            expected = look_at_all(memory, gone)
            assert [record.id for record in memory.resting_on([gone])] == expected
            checked += len(expected)
        assert checked > 40


def test_those_that_say_so_come_first_and_go_with_their_record() -> None:
    with EditMemory(None, HashingEncoder(16)) as memory:
        head = memory.add(Edit("The head of Acme is", "Ada", "Acme")).record
        names = memory.add(Edit("Acme's letters are signed by", "Ada", "Acme")).record
        says = memory.add(Edit("The door opens at", "nine", because_of=(head.id,))).record
        memory.forget(head.id)
        assert memory.resting_on([head]) == (says, names)
        memory.forget(says.id)
        assert memory.resting_on([head]) == (names,)


def test_who_searches_does_not_wait_for_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look reads every text, in steps between which others have their turn."""
    memory = EditMemory(None, HashingEncoder(16))
    chief = Edit("The chief of Acme is", "Ada Byron", "Acme")
    office = Edit("The press contact of Acme is", "Ada Byron's office", "Acme")
    memory.add_many(
        [chief, office, *(Edit(f"The capital of Land {i} is", "Ulm") for i in range(100))]
    )
    monkeypatch.setattr(resting, "_AT_ONCE", 10)
    held = list[int]()

    def wait(seconds: float) -> None:
        reader = threading.Thread(target=lambda: held.append(len(memory.search(["Land 7"])[0])))
        reader.start()
        reader.join(60)
        assert not reader.is_alive()

    monkeypatch.setattr(resting, "time", SimpleNamespace(sleep=wait))
    gone = memory.forget(chief.id)
    assert [record.edit for record in memory.resting_on([gone])] == [office]
    assert len(held) >= 10
