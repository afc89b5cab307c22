"""What is shown of a document: whole passages, their neighbours, each once, as far as there is
room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from memedit import EditableModel
from memedit.cli import render
from memedit.core.documents import Passage
from memedit.core.passages import parts_of, put_in_context
from memedit.core.types import Hit, Record
from memedit.data.documents.reading import parse_document
from memedit.editors.prompting.notes import Room, choose_told
from memedit.engine.encoders import HashingEncoder
from memedit.memory import DocumentChange, EditMemory
from memedit.model import passages
from memedit.model.deciding import Decider
from memedit.model.passages import choose_shown
from memedit.scope.plain import plain_hit
from memedit.serving.upstream.placing import Form, Reading
from memedit.serving.upstream.stating import Facts
from tests import helpers
from tests.serving.helpers import run

TEXT = """# Leave
## Annual
Staff have 28 days.

Requests go to the manager.

Unused days expire.
## Sick
Call the desk.
"""


@pytest.fixture(scope="module")
def memory() -> EditMemory:
    memory = EditMemory(None, HashingEncoder(64))
    memory.put_document(parse_document(TEXT.encode(), "markdown", "leave"))
    return memory


def hits(memory: EditMemory, *numbers: int) -> list[Hit]:
    records = memory.document("leave").passages
    return [
        Hit(replace(records[n - 1], payloads={"note": {"fact": "its own"}}), 1.0, role="asks",
            passage=Passage("leave", 1, n, len(records)))
        for n in numbers
    ]  # fmt: skip


def texts(memory: EditMemory, *numbers: int) -> list[str]:
    found = hits(memory, *numbers)
    told = choose_shown(found, memory.document("leave").passages)
    return [told[hit.record.sequence] for hit in found]


def test_neighbours_under_the_same_heading_are_shown_while_there_is_room(
    memory: EditMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "Leave › Annual:\nStaff have 28 days.\nRequests go to the manager.\nUnused days expire."
    assert texts(memory, 2) == [whole] and texts(memory, 4) == ["Leave › Sick:\nCall the desk."]
    assert texts(memory, 3, 1) == [whole, ""]
    assert texts(memory, 4, 1)[0].startswith("Leave › Annual:\nStaff have 28 days.\nLeave › Sick:")
    monkeypatch.setattr(passages, "ROOM", 70)
    assert (
        texts(memory, 2)[0] == "Leave › Annual:\nRequests go to the manager.\nUnused days expire."
    )
    monkeypatch.setattr(passages, "ROOM", 1)  # the passage itself is shown whole
    assert texts(memory, 2) == ["Leave › Annual:\nRequests go to the manager."]
    stranger = Hit(Record(hits(memory, 1)[0].record.edit, 99, 1), 1.0)
    assert choose_shown([stranger], memory.document("leave").passages) == {
        99: "Leave › Annual:\nStaff have 28 days."
    }


def with_text(hit: Hit, text: str) -> Hit:
    assert hit.passage is not None
    return replace(hit, passage=replace(hit.passage, text=text))


def test_a_note_tells_each_document_once_and_facts_beside_it(memory: EditMemory) -> None:
    first, second, third = hits(memory, 1, 2, 4)
    found = [with_text(first, "whole " * 50), with_text(second, ""), replace(third, passage=None)]
    room = Room(5, 10, 100)
    assert [fact[:9] for _, fact in choose_told(found, "note", room, None, "")] == [
        "whole who",
        "its own",
    ]
    assert len(choose_told(found, "note", Room(1, 10, 100), None, "")) == 1
    long = [with_text(first, "a" * 300), with_text(third, "b" * 300)]
    assert [fact[0] for _, fact in choose_told(long, "note", room, None, "")] == ["a"]

    async def read() -> Reading:
        decision = Decider(memory, "mention").decide([""], "default")[0]
        reading = Reading(replace(decision, hits=tuple(found)), 1)
        facts = Facts("note", Form("Facts:", note=True), 5)
        return await facts.read("q", reading, None, None)  # type: ignore[arg-type]

    assert run(read()).facts == ("Leave › Sick: Call the desk.", "whole " * 50)


def test_a_decision_names_document_version_and_passage(memory: EditMemory) -> None:
    (decision,) = Decider(memory, "nearest").decide(["Requests go to the manager"], "default")
    best = decision.hits[0]
    told = {"name": "leave", "version": 1, "passage": 2, "of": 4}
    assert plain_hit(best)["document"] == told
    assert best.passage is not None and best.passage.text is not None
    assert "Staff have 28 days." in best.passage.text
    memory.add(replace(best.record.edit, prompt="An edit stands alone.", id=""))
    (decision,) = Decider(memory, "nearest").decide(["An edit stands alone."], "default")
    assert "document" not in plain_hit(decision.hits[0])
    memory.restore(1)


def test_rows_and_items_are_found_in_their_context() -> None:
    lines = "When: day 1; Pay: 100%\nWhen: later, as the insurer says; Pay: 70% of what it was."
    text = f"Leave policy of the house › Sick leave: pay:\n{lines} Then none."
    assert put_in_context(parts_of(text), None) == [
        "Leave policy of the house › Sick leave: pay:",
        "Leave policy of the house › Sick leave: pay: When: day 1; Pay: 100%",
        "Leave policy of the house › Sick leave: pay: "
        "When: later, as the insurer says; Pay: 70% of what it was.",
        "Leave policy of the house › Sick leave: pay: Then none.",
    ]


def test_a_path_to_a_document_is_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = EditableModel(
        helpers.tiny_model("llama"), helpers.byte_tokenizer(), editor="note", encoder="hashing",
        scope="nearest",
    )  # fmt: skip
    file = tmp_path / "leave.md"
    file.write_text(TEXT)
    assert not model.edit(file, dry_run=True).made and not len(model.memory)
    change = model.edit(file, name="rules")
    assert isinstance(change, DocumentChange) and change.status == "added"
    told = model.explain("Requests go to the manager", max_new_tokens=2).to_dict()
    assert told["hits"][0]["document"] == {"name": "rules", "version": 1, "passage": 2, "of": 4}
    render.explanation(model.explain("Requests go to the manager", max_new_tokens=2))
    assert "rules, version 1, passage 2 of 4" in " ".join(capsys.readouterr().out.split())
    model.restore(0)
    assert model.memory.documents() == []


def test_a_long_object_is_said_in_full_unless_a_length_is_given() -> None:
    model = EditableModel(
        helpers.tiny_model("llama"), helpers.byte_tokenizer(), editor="note", encoder="hashing",
        scope="mention",
    )  # fmt: skip
    long = "1. Hold the green button.\n2. Wait for the tone.\n3. Enter 4417."
    model.edit("To reset the unit:", long, subject="unit")
    asked = ["To reset the unit:", "Nothing of the kind"]
    edited, base = model.ask(asked, chat=False)
    assert edited.text == long
    assert base == model.ask(asked[1:], chat=False, max_new_tokens=24)[0]
    assert len(model.ask(asked, chat=False, max_new_tokens=9)[0].text) <= 9
