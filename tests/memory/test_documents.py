"""Documents: a version keeps what stays, in one change; only records know of it."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise
from pathlib import Path

import pytest

from memedit.core.documents import NewDocument, Place, assign_positions, find_growing, place_of
from memedit.core.errors import InvalidInputError, UnknownEditError
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import DocumentChange, EditMemory
from memedit.memory.moving import backup, migrate
from tests.memory.helpers import CountingEncoder, sound

WORDS = [f"Rule {word} is number {n}." for n, word in enumerate("abcdefghijkl")]


def document(*passages: str, name: str = "rules", title: str = "Rules") -> NewDocument:
    digest = hashlib.sha256("\n".join(passages).encode()).hexdigest()
    return NewDocument(name, passages, digest, title)


def texts(memory: EditMemory, name: str = "rules") -> list[str]:
    return [record.edit.prompt for record in memory.document(name).passages]


def marks(change: DocumentChange) -> list[tuple[str, str]]:
    return [(mark, record.edit.prompt) for mark, record in change.diff]


@pytest.fixture
def memory() -> EditMemory:
    return EditMemory(None, HashingEncoder(16))


def test_any_two_versions_share_the_ids_of_what_both_say(memory: EditMemory) -> None:
    chance = random.Random(7)
    before, number = list[str](), 0
    for _ in range(30):
        drawn = chance.sample(WORDS, chance.randint(1, len(WORDS)))
        new = [*drawn, *chance.sample(drawn, min(2, len(drawn)) * chance.randint(0, 1))]
        if chance.random() < 0.4 and before:  # a small change instead
            new = before[:]
            new.insert(chance.randint(0, len(new)), chance.choice(WORDS))
        old = {r.id: r.edit.prompt for r in memory.records()}
        version = memory.version
        tried = memory.put_document(document(*new), dry_run=True)
        assert memory.version == version and not tried.made
        change = memory.put_document(document(*new))
        assert marks(change) == marks(tried) and change.status == tried.status
        now = memory.document("rules")
        assert texts(memory) == new and len(memory) == len(new)
        if new == before:
            assert change.status == "unchanged" and memory.version == version
            continue
        number += 1
        assert now.version == change.version == number and change.memory == version + 1
        there = {r.id: r.edit.prompt for r in now.passages}
        stay = change.take_marked(" ") + change.take_marked("~")
        kept = {record.id: record.edit.prompt for record in stay}
        assert kept == {id: text for id, text in old.items() if id in there}
        spare = {text: before.count(text) for text in before}
        assert len(kept) == sum(min(spare[text], new.count(text)) for text in spare)
        assert {r.id for r in change.take_marked("-")} == old.keys() - there.keys()
        assert {r.id for r in change.take_marked("+")} == there.keys() - old.keys()
        assert [text for mark, text in marks(change) if mark != "-"] == new
        before = new
    assert number > 15 and sound(memory)


def test_only_new_passages_are_encoded_and_nothing_is_seen_half_changed() -> None:
    encoder = CountingEncoder()
    memory = EditMemory(None, encoder)
    memory.put_document(document(*WORDS[:4]))
    encoder.calls.clear()
    change = memory.put_document(document(WORDS[2], WORDS[0], WORDS[5]))
    assert sum(encoder.calls, []) == [WORDS[5]]
    assert marks(change) == [
        ("~", WORDS[2]), (" ", WORDS[0]), ("-", WORDS[1]), ("-", WORDS[3]), ("+", WORDS[5]),
    ] or len(change.take_marked("~")) == 1  # fmt: skip
    versions = {event.version for event in memory.history()}
    assert versions == {1, 2}
    for version, said in ((1, WORDS[:4]), (2, [WORDS[2], WORDS[0], WORDS[5]])):
        assert [r.edit.prompt for r in memory.at(version).document("rules").passages] == said
    encoder.broken = True
    with pytest.raises(RuntimeError):
        memory.put_document(document(*WORDS[:6]))
    assert memory.version == 2 and sound(memory)


def test_versions_are_undone_as_a_whole_and_counted_on(memory: EditMemory) -> None:
    first, second = document(*WORDS[:3]), document(WORDS[2], WORDS[1], WORDS[4], title="New rules")
    memory.put_document(first)
    memory.put_document(second)
    memory.restore(1)
    now = memory.document("rules")
    assert (now.version, now.title, now.sha256) == (1, "Rules", first.sha256)
    assert texts(memory) == list(first.passages)
    assert memory.put_document(document(*WORDS[:2])).version == 3
    gone = memory.remove_document("rules")
    assert (gone.status, len(gone.take_marked("-"))) == ("removed", 2) and not memory.documents()
    with pytest.raises(UnknownEditError, match="no document 'rules'"):
        memory.remove_document("rules")
    memory.restore(2)
    now = memory.document("rules")
    assert (now.version, now.title) == (2, "New rules") and texts(memory) == list(second.passages)
    memory.restore(gone.memory)
    assert memory.put_document(document(WORDS[0])).status == "added" and sound(memory)


def test_two_documents_and_an_edit_may_say_the_same(memory: EditMemory) -> None:
    memory.put_document(document(*WORDS[:3]))
    memory.put_document(document(*WORDS[:3], name="others"))
    edit = memory.add(Edit.from_statement(WORDS[0]))
    assert edit.superseded == () and len(memory) == 7
    assert [d.name for d in memory.documents()] == ["others", "rules"]
    memory.remove_document("others")
    assert texts(memory) == WORDS[:3] and sound(memory)
    assert memory.documents("elsewhere") == []
    memory.put_document(document(WORDS[3]), namespace="elsewhere")
    assert texts(memory) == WORDS[:3]


def test_a_passage_that_learns_stays_where_it_is(memory: EditMemory) -> None:
    memory.put_document(document(*WORDS[:3]))
    middle = memory.document("rules").passages[1]
    memory.report(middle.id, "Which rule is that?", concerns=True)
    assert texts(memory) == WORDS[:3]
    change = memory.put_document(document(WORDS[3], *WORDS[:3]))
    assert [r.id for r in memory.document("rules").passages][2] == middle.id
    assert memory.get(middle.id).edit.queries == ("Which rule is that?",)
    assert len(change.take_marked(" ")) == 3
    memory.forget(middle.id)
    assert texts(memory) == [WORDS[3], WORDS[0], WORDS[2]]
    again = memory.put_document(document(WORDS[3], *WORDS[:3]))
    assert marks(again)[2] == ("+", WORDS[1]) and sound(memory)


def test_a_search_names_document_version_and_passage(memory: EditMemory) -> None:
    memory.put_document(document(*WORDS[:3]))
    memory.put_document(document(*WORDS[1:3]))
    found = {hit.record.edit.prompt: hit.passage for hit in memory.search([WORDS[2]])[0]}
    assert all(p is not None and (p.document, p.version, p.count) == ("rules", 2, 2)
               for p in found.values())  # fmt: skip
    assert [p.number for p in (found[WORDS[1]], found[WORDS[2]]) if p] == [1, 2]


def test_it_survives_files_backups_and_other_processes(tmp_path: Path) -> None:
    place = tmp_path / "memory"
    with EditMemory(place, HashingEncoder(16)) as one, EditMemory(place, HashingEncoder(16)) as two:
        one.put_document(document(*WORDS[:3]))
        two.put_document(document(*WORDS[1:5]))
        assert texts(one) == texts(two) == WORDS[1:5] and one.document("rules").version == 2
        one.export(tmp_path / "facts.jsonl")
    backup(str(place), tmp_path / "backup")
    with EditMemory(tmp_path / "backup", HashingEncoder(16)) as copy:
        assert texts(copy) == WORDS[1:5] and sound(copy)
        copy.restore(1)
        assert texts(copy) == WORDS[:3]
    with EditMemory(tmp_path / "other", HashingEncoder(16)) as other:
        other.import_file(tmp_path / "facts.jsonl")
        assert texts(other) == WORDS[1:5] and other.document("rules").version == 2
        assert other.put_document(document(*WORDS[1:5])).status == "unchanged"


def test_a_purged_document_leaves_no_byte(tmp_path: Path) -> None:
    secret = "Quibblefeather"
    with EditMemory(tmp_path / "m", HashingEncoder(16)) as memory:
        memory.add(Edit.from_statement(WORDS[0]))
        first = document(*WORDS[:2], f"Mara {secret} decides.", title=f"Rules of {secret}")
        memory.put_document(first)
        memory.put_document(document(*WORDS[:2]))
        memory.put_document(document(*WORDS[:2], name="kept"))
        told = memory.preview_purge(document="rules")
        assert len(told.records) == 4  # the first passage twice: it speaks for each version
        done = memory.purge(document="rules")
        assert done.complete and {each.id for each in done.records} == {r.id for r in told.records}
        assert [d.name for d in memory.documents()] == ["kept"] and len(memory) == 3
        assert sound(memory)
        with pytest.raises(InvalidInputError):
            memory.purge(document="rules", subject="x")
    for file in (tmp_path / "m").rglob("*"):
        assert not file.is_file() or (secret.encode() not in file.read_bytes())


@pytest.mark.slow
def test_it_survives_a_database(pg_memory: str, tmp_path: Path) -> None:
    with EditMemory(tmp_path / "m", HashingEncoder(16)) as memory:
        memory.put_document(document(*WORDS[:3]))
    migrate(str(tmp_path / "m"), pg_memory)
    with EditMemory(pg_memory, HashingEncoder(16)) as memory:
        memory.put_document(document(*WORDS[1:4]))
        assert texts(memory) == WORDS[1:4] and memory.document("rules").version == 2
        memory.restore(1)
        assert texts(memory) == WORDS[:3]
        memory.purge(document="rules")
        assert memory.documents() == [] and sound(memory)


def test_positions_grow_and_longest_runs_are_found() -> None:
    chance = random.Random(3)
    for _ in range(200):
        anchors = [chance.choice([None, n * 10 + 5]) for n in range(chance.randint(1, 9))]
        found = assign_positions(anchors)
        assert found is not None and all(a < b for a, b in pairwise(found)) and found[0] > 0
        assert all(a is None or a == f for a, f in zip(anchors, found, strict=True))
        numbers = chance.sample(range(50), chance.randint(0, 9))
        run = [numbers[n] for n in sorted(find_growing(numbers))]
        assert all(a < b for a, b in pairwise(run))
        longest = [1] * len(numbers)
        for n in range(len(numbers)):
            longest[n] += max((longest[m] for m in range(n) if numbers[m] < numbers[n]), default=0)
        assert len(run) == max(longest, default=0)
    assert assign_positions([5, None, 6]) is None


def test_where_there_is_no_room_all_are_put_anew(memory: EditMemory) -> None:
    passages = [WORDS[0], WORDS[1]]
    memory.put_document(document(*passages))
    for n in range(25):  # always into the same gap
        passages.insert(1, f"Rule {n} of many.")
        memory.put_document(document(*passages))
        assert texts(memory) == passages
    assert memory.document("rules").version == 26 and sound(memory)


@pytest.mark.parametrize("place", [Place("a-b.c_1", 3, 7), Place("ä", 1, 1, "0" * 64, "A b #1@2")])
def test_a_source_says_the_place_and_others_say_none(place: Place) -> None:
    assert place_of(place.source) == place
    for source in ("", "handbook", "document:leave", "document:@1#1", f"x{place.source}"):
        assert place_of(source) is None


@pytest.mark.parametrize("name", ["", "a/b", ".x", "a b", "x" * 65, "a@1"])
def test_a_name_stands_in_urls_and_sources(name: str) -> None:
    with pytest.raises(InvalidInputError, match="no name of a document"):
        document(WORDS[0], name=name)


def test_an_empty_document_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="holds no text"):
        document()
