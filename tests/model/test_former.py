"""Values that what bears on a request had before."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.scope import Mention

PORT = Edit("The port of the server is", "7070", "server")
ASKED = "What is the port of the server?"


def former(memory: EditMemory, query: str = ASKED, namespace: str = "default") -> list[str]:
    (decision,) = Decider(memory, Mention()).decide([query], namespace)
    return [value for hit in decision.bearing for value in hit.former]


def test_what_an_edit_replaced_and_what_the_base_would_say_are_its_former_values() -> None:
    memory = EditMemory(None, HashingEncoder())
    memory.add(PORT)
    assert former(memory) == []
    memory.add(Edit(PORT.prompt, "8642", "server"))
    assert former(memory) == ["7070"]
    memory.add(Edit(PORT.prompt, "9000", "server", target_true="80"))
    assert former(memory) == ["80", "8642"]
    assert former(memory, "Nothing of that") == []


def test_not_of_several_values_nor_of_a_statement_nor_of_another_namespace() -> None:
    memory = EditMemory(None, HashingEncoder())
    for value in ("red", "blue"):
        memory.add(Edit("The colours of the server are", value, "server", multiple=True))
    assert former(memory, "What are the colours of the server?") == []
    memory.add(PORT, namespace="theirs")
    memory.add(Edit(PORT.prompt, "8642", "server"), namespace="ours")
    assert former(memory, namespace="ours") == []


def test_what_holds_only_later_is_not_former() -> None:
    memory = EditMemory(None, HashingEncoder())
    memory.add(PORT)
    later = datetime.now(timezone.utc) + timedelta(days=30)
    memory.add(Edit(PORT.prompt, "8642", "server"), valid_from=later)
    assert former(memory) == []
