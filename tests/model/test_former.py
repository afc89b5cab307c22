"""Values that what bears on a request had before."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.model.former import find_changed
from memedit.scope import Mention

PORT = Edit("The port of the server is", "7070", "server")
ASKED = "What is the port of the server?"


def former(memory: EditMemory, query: str = ASKED, namespace: str = "default") -> list[str]:
    (decision,) = Decider(memory, Mention()).decide([query], namespace)
    return [value for hit in decision.bearing for value in hit.former]


def test_what_an_edit_replaced_and_what_the_base_would_say_are_its_former_values(
    tmp_path: Path,
) -> None:
    memory = EditMemory(tmp_path / "memory", HashingEncoder())
    memory.add(PORT)
    assert former(memory) == []
    memory.add(Edit(PORT.prompt, "8642", "server"))
    assert former(memory) == ["7070"]
    memory.add(Edit(PORT.prompt, "9000", "server", target_true="80"))
    assert former(memory) == ["80", "8642"]
    assert former(memory, "Nothing of that") == []


def test_of_a_statement_it_is_the_value_in_which_it_differs(tmp_path: Path) -> None:
    """The fault: that tea was still £2.80 was confirmed where a statement had replaced another."""
    memory = EditMemory(tmp_path / "memory", HashingEncoder())
    old = memory.add(Edit.from_statement("A pot of tea costs £2.80.", subject="tea")).record
    new = Edit.from_statement("A pot of tea now costs £3.10.", subject="tea")
    memory.add(new, replaces=[old.id])
    assert former(memory, "Is a pot of tea still £2.80?") == ["£2.80"]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("A pot of tea costs £2.80.", "Sorry, a pot of tea now costs £3.10.", "£2.80"),
        ("Books are lent for two weeks.", "Books are lent for three weeks.", "two weeks"),
        ("We close at 6 pm on Fridays.", "We close at 7 pm on Fridays.", "6 pm"),
        ("Meet in room 7 on Friday.", "Meet in room 9 on Friday.", "7"),
        ("The head of HR is Tom Baker.", "The head of HR is Priya Nair.", "Tom Baker"),
        ("Parking is free.", "Parking costs 3 euros.", ""),
        ("Parking costs 3 euros.", "Parking is free.", ""),
        ("We open at 9 am and close at 6 pm.", "We open at 8 am and close at 7 pm.", ""),
        ("The fee is £9.", "The fee is £9.", ""),
        ("Ada runs it.", "Bo runs it.", ""),  # what it is about may be another
        ("Dana Mori left.", "The bus has stopped.", ""),
    ],
)
def test_a_changed_value_is_found_in_sentences_of_one_form(old: str, new: str, value: str) -> None:
    assert find_changed(old, new) == value


def test_not_of_several_values_nor_of_another_namespace(tmp_path: Path) -> None:
    memory = EditMemory(tmp_path / "memory", HashingEncoder())
    for value in ("red", "blue"):
        memory.add(Edit("The colours of the server are", value, "server", multiple=True))
    assert former(memory, "What are the colours of the server?") == []
    memory.add(PORT, namespace="theirs")
    memory.add(Edit(PORT.prompt, "8642", "server"), namespace="ours")
    assert former(memory, namespace="ours") == []


def test_what_holds_only_later_is_not_former(tmp_path: Path) -> None:
    memory = EditMemory(tmp_path / "memory", HashingEncoder())
    memory.add(PORT)
    later = datetime.now(timezone.utc) + timedelta(days=30)
    memory.add(Edit(PORT.prompt, "8642", "server"), valid_from=later)
    assert former(memory) == []
