from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit.core.errors import (
    EncoderMismatchError,
    InvalidEditError,
    InvalidInputError,
    MemoryStoreError,
    UnknownEditError,
)
from memedit.core.text import MASK
from memedit.core.types import Edit
from memedit.memory import EditMemory
from tests.memory.helpers import CountingEncoder, capital, ids, sound, utc


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture(params=["disk", "RAM", "PostgreSQL"])
def memory(
    request: pytest.FixtureRequest, tmp_path: Path, encoder: CountingEncoder
) -> Iterator[EditMemory]:
    address: str | Path | None = tmp_path / "memory" if request.param == "disk" else None
    if request.param == "PostgreSQL":
        address = request.getfixturevalue("pg_memory")
    with EditMemory(address, encoder) as memory:
        yield memory


# -- adding ---------------------------------------------------------------------------------------


def test_new_memory_is_empty_true_and_makes_no_directory(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    memory = EditMemory(tmp_path / "new", encoder)
    assert (len(memory), memory.version, bool(memory)) == (0, 0, True)
    assert memory.search(["anything", ""]) == [[], []]
    assert list(memory.records()) == [] and memory.history() == [] and memory.namespaces() == {}
    assert memory.verify().ok and len(memory.at(0)) == 0
    memory.close()
    assert encoder.calls == [] and not (tmp_path / "new").exists()


def test_add_then_duplicate(memory: EditMemory) -> None:
    first = memory.add(capital("France"), source="me")
    again = memory.add(capital("France"), source="you")
    assert (first.status, first.version, again.status, again.version) == (
        "added",
        1,
        "duplicate",
        1,
    )
    assert again.record == first.record and first.record.source == "me"
    assert memory.get(first.id) == first.record and len(memory) == 1 == len(memory.history())


def test_an_unknown_edit_that_was_replaced_names_what_is_in_force(memory: EditMemory) -> None:
    """The fault: whoever kept an id was told that there is none, and had to read the history."""
    first = memory.add(capital("France")).id
    memory.add(capital("France"), namespace="other")

    def ask(id: str, namespace: str = "default") -> tuple[str, str]:
        with pytest.raises(UnknownEditError, match="No live edit") as raised:
            memory.get(id, namespace=namespace)
        return raised.value.replaced_by, str(raised.value)

    def change(id: str, to: str) -> str:
        edit = Edit("The capital of France is", to, "France")
        return memory.supersede(id, edit).id

    second = change(first, "Nice")
    memory.report(second, "Where is the seat?", concerns=True)  # the same id, another record
    third = change(second, "Brest")
    for old in (first, second):
        new, told = ask(old)
        assert new == third and f"It was replaced by {third!r}." in told
    for attempt in (
        lambda: change(first, "Lille"),
        lambda: memory.forget_many([third, first]),
        lambda: memory.report(first, "x", concerns=False),
    ):
        with pytest.raises(UnknownEditError, match=third):
            attempt()
    version = memory.version
    memory.forget(third)
    assert ask(first)[0] == ask(third)[0] == ask("never")[0] == ""
    memory.restore(version)
    assert ask(first)[0] == third and memory.get(first, namespace="other").id == first
    memory.supersede(first, Edit("The capital of France is", "Metz", "France"), namespace="other")
    assert ask(first)[0] == third  # each namespace has a history of its own
    memory.purge(third)
    assert ask(first)[0] == ""


def test_forgotten_and_added_again_is_a_new_record(memory: EditMemory) -> None:
    first = memory.add(capital("France")).record
    assert memory.forget(first.id, reason="wrong") == first
    with pytest.raises(UnknownEditError, match="No live edit"):
        memory.get(first.id)
    with pytest.raises(UnknownEditError):
        memory.forget(first.id)
    second = memory.add(capital("France")).record
    assert (second.id, second.sequence, second.version) == (first.id, 2, 3)
    assert [(e.kind, e.record.sequence, e.reason) for e in memory.history(first.id)] == [
        ("add", 1, ""),
        ("forget", 1, "wrong"),
        ("add", 2, ""),
    ]
    assert sound(memory)


def test_bulk_equals_one_by_one(tmp_path: Path) -> None:
    edits = [capital(f"Land {i % 7}", f"City {i % 5}") for i in range(40)]
    edits += [Edit.from_statement(f"Our window {i % 3} is {i} days long") for i in range(9)]
    bulk, single = EditMemory(None, CountingEncoder()), EditMemory(None, CountingEncoder())
    receipts = bulk.add_many(edits)
    expected = [single.add(edit) for edit in edits]
    assert [(r.id, r.status, r.record.sequence) for r in receipts] == [
        (r.id, r.status, r.record.sequence) for r in expected
    ]
    for mine, theirs in zip(receipts, expected, strict=True):
        assert [r.id for r in mine.superseded] == [r.id for r in theirs.superseded]
        assert {r.id for r in mine.conflicts} == {r.id for r in theirs.conflicts}
    assert any(receipt.conflicts for receipt in receipts)
    assert ids(bulk) == ids(single) and bulk.version == 1
    assert sound(bulk) and sound(single)


def test_bulk_encodes_about_one_text_an_edit_and_reports(encoder: CountingEncoder) -> None:
    memory, seen = EditMemory(None, encoder), list[int]()
    memory.add_many([capital(f"Land {i}") for i in range(2_000)], progress=seen.append)
    assert sum(map(len, encoder.calls)) == 2_001 and len(encoder.calls) == 2
    assert seen == sorted(seen) and seen[-1] == 2_000 and len(seen) >= 2
    memory.add(capital("Chad"))
    assert encoder.calls[-1] == ["The capital of Chad is"]  # the masked prompt is known


def test_add_many_is_all_or_nothing(memory: EditMemory, encoder: CountingEncoder) -> None:
    memory.add(capital("France"))
    encoder.broken = True
    with pytest.raises(RuntimeError, match="broken"):
        memory.add_many([capital("Spain"), capital("Italy")])
    encoder.broken = False
    with pytest.raises(InvalidInputError, match="1 payloads for 2"):
        memory.add_many([capital("Spain"), capital("Italy")], payloads=[{}])
    assert len(memory) == 1 == memory.version
    assert memory.add_many([]) == []
    assert memory.add(capital("Spain")).version == 2 and sound(memory)


def test_an_encoder_that_lies_is_refused(
    memory: EditMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (np.ones((1, 64), np.float32), np.full((2, 64), np.nan, np.float32)):
        monkeypatch.setattr(CountingEncoder, "encode", lambda self, texts, wrong=wrong: wrong)
        with pytest.raises(InvalidInputError, match="finite"):
            memory.add(capital("France"))
    assert len(memory) == 0


# -- superseding ----------------------------------------------------------------------------------


def test_same_relation_supersedes(memory: EditMemory) -> None:
    old = memory.add(capital("The Hague", "A")).record
    receipt = memory.add(Edit("the capital  of the HAGUE is:", "B", "the HAGUE"))
    assert receipt.superseded == (old,) and len(memory) == 1
    event = memory.history(old.id)[-1]
    assert (event.kind, event.other) == ("supersede", receipt.record)
    assert memory.add(Edit("The capital of Hague is", "C", "Hague")).superseded == (receipt.record,)
    assert sound(memory)


def test_same_prompt_without_subject_supersedes_and_namespaces_are_apart(
    memory: EditMemory,
) -> None:
    old = memory.add(Edit("Who are you?", "Ann")).record
    assert memory.add(Edit("Who are you?", "Bob"), namespace="other").superseded == ()
    assert memory.add(Edit("who are YOU", "Cid")).superseded == (old,)
    assert memory.namespaces() == {"default": 1, "other": 1}
    assert ids(memory, "other") == [Edit("Who are you?", "Bob").id]


def test_supersede_verb(memory: EditMemory) -> None:
    old = memory.add(capital("France")).record
    other = memory.add(capital("Spain")).record
    receipt = memory.supersede(old.id, Edit("Wine comes from", "Spain"), source="s")
    assert receipt.superseded == (old,) and receipt.version == 3
    twin = memory.supersede(receipt.id, capital("Spain"))
    assert (twin.status, twin.record) == ("duplicate", other)
    assert twin.superseded == (receipt.record,) and ids(memory) == [other.id]
    assert memory.supersede(other.id, capital("Spain")).status == "duplicate"
    assert memory.version == 4
    with pytest.raises(UnknownEditError):
        memory.supersede("nothing", capital("Chad"))
    assert sound(memory)


def test_conflicts_are_reported_and_stay(memory: EditMemory) -> None:
    one = memory.add(Edit("The capital city of France is", "Lyon", "France")).record
    near = memory.add(Edit("The capital city of France is called", "Nice", "France"))
    assert near.conflicts == (one,) and near.superseded == () and len(memory) == 2
    assert memory.add(Edit("The capital city of Spain is called", "Rome", "Spain")).conflicts == ()
    assert memory.add(Edit("Wines of France are mostly", "red", "France")).conflicts == ()
    agreeing = memory.add(Edit("So the capital city of France is", "Lyon", "France"))
    assert one not in agreeing.conflicts
    refund = memory.add(
        Edit.from_statement("Our refund window for all customers is 30 days")
    ).record
    other = memory.add(Edit.from_statement("Our refund window for all customers is 60 days"))
    assert other.conflicts == (refund,) and len(memory) == 7


# -- validity -------------------------------------------------------------------------------------


def found(memory: EditMemory, query: str, year: int) -> list[str | None]:
    (hits,) = memory.search([query], as_of=utc(year))
    return [hit.record.edit.target_new for hit in hits]


def test_validity_chain(memory: EditMemory) -> None:
    query = "Who is the president of Utopia?"

    def president(name: str) -> Edit:
        return Edit("The president of Utopia is", name, "Utopia")

    memory.add(president("Ann"))
    receipt = memory.add(president("Bob"), valid_from=utc(2010))
    assert [r.edit.target_new for r in receipt.superseded] == ["Ann"]
    assert memory.get(president("Ann").id).valid_until == utc(2010)
    again = memory.add(president("Ann"), valid_from=utc(2020))
    assert again.status == "added" and again.record.id == president("Ann").id
    assert [found(memory, query, year) for year in (2005, 2009, 2010, 2015, 2020, 2025)] == [
        ["Ann"], ["Ann"], ["Bob"], ["Bob"], ["Ann"], ["Ann"],
    ]  # fmt: skip
    assert len(memory) == 3 and len(set(ids(memory))) == 3
    assert memory.add(president("Ann")).status == "duplicate"
    assert memory.add(president("Ann"), valid_from=utc(2020)).status == "duplicate"
    assert sound(memory)


def test_disjoint_validity_keeps_both_and_bad_dates_are_refused(memory: EditMemory) -> None:
    memory.add(capital("X", "A"), valid_until=utc(2000))
    assert memory.add(capital("X", "B"), valid_from=utc(2000)).superseded == ()
    assert found(memory, "capital of X", 1999) == ["A"]
    assert found(memory, "capital of X", 2000) == ["B"]
    assert memory.add(capital("X", "C"), valid_until=utc(1990)).superseded != ()
    with pytest.raises(InvalidEditError, match="not before"):
        memory.add(capital("Y"), valid_from=utc(2001), valid_until=utc(2001))
    with pytest.raises(InvalidEditError, match="time zone"):
        memory.add(capital("Y"), valid_from=utc(2001).replace(tzinfo=None))
    with pytest.raises(InvalidEditError, match="NUL"):
        memory.add(capital("Y"), namespace="a\0b")
    with pytest.raises(InvalidInputError, match="time zone"):
        memory.search(["capital of X"], as_of=utc(2001).replace(tzinfo=None))


def test_k_valid_records_are_found_among_many_expired(memory: EditMemory) -> None:
    memory.add_many(
        [Edit(f"Song number {i} is by", "Ann") for i in range(300)], valid_until=utc(2000)
    )
    memory.add_many([Edit(f"Tune with number {i} comes from", "Bob") for i in range(12)])
    (hits,) = memory.search(["Song number 5 is by"], k=10)
    assert len(hits) == 10 and {hit.record.edit.target_new for hit in hits} == {"Bob"}


# -- searching ------------------------------------------------------------------------------------


def test_search_encodes_once_and_says_what_it_saw(
    memory: EditMemory, encoder: CountingEncoder
) -> None:
    memory.add(capital("France"))
    memory.add(Edit("Snow is", "black", queries=("What colour is snow?",)))
    encoder.calls.clear()
    text = "Hello there. What's France's main city, the capital of it?"
    hits, none, snow = memory.search([text, "  ", "What colour is snow?"])
    assert len(encoder.calls) == 1 and none == []
    view = "What's France's main city, the capital of it?"
    assert encoder.calls[0][:3] == [view, text, view.replace("France", MASK)]
    best = next(hit for hit in hits if hit.record.edit.subject)
    assert (best.view, best.mention) == (view, "France")
    masked = view.replace("France", MASK)
    one, two, three, rest = CountingEncoder().encode(
        [view, "The capital of France is", masked, masked[masked.index(MASK) :]]
    )
    assert best.similarity == pytest.approx(float(one @ two), abs=1e-6)
    (it,) = CountingEncoder().encode([f"The capital of {MASK} is"])
    assert best.relation == pytest.approx(float(max(three @ it, rest @ it)), abs=1e-6)
    assert snow[0].similarity == pytest.approx(1.0) and snow[0].relation is None


def test_a_long_statement_is_found_by_its_sentences(memory: EditMemory) -> None:
    parts = [f"Rule {i} is about the {word} of things." for i, word in enumerate(WORDS)]
    memory.add(Edit.from_statement(" ".join(parts)))
    for i in range(40):
        memory.add(Edit(f"Something else entirely, number {i}, is", "so"))
    (hits,) = memory.search(["the violet of things"], k=2)
    assert hits[0].record.edit.is_statement and hits[0].part == parts[WORDS.index("violet")]
    assert memory.verify().ok
    (other,) = memory.search(["Something else entirely, number 7, is"], k=1)
    assert other[0].part == ""


WORDS = ("anchor", "basket", "candle", "violet", "winter", "yellow")


def test_subject_door_finds_what_vectors_do_not(memory: EditMemory) -> None:
    for i in range(50):
        memory.add(Edit(f"zebra crossing number {i} is", "here"))
    far = memory.add(Edit("Quixotic's mother tongue:", "Dutch", "Quixotic")).record
    (hits,) = memory.search(["zebra crossing number of quixotic"], k=3)
    assert len(hits) == 4 and [hit.record for hit in hits if hit.mention] == [far]
    assert [hit.similarity for hit in hits] == sorted((h.similarity for h in hits), reverse=True)


def test_subject_door_is_capped_newest_first(memory: EditMemory) -> None:
    memory.add_many([Edit(f"Fact {i} about Rome:", "x", "Rome") for i in range(100)])
    (hits,) = memory.search(["Rome"], k=1)
    assert 64 <= len(hits) <= 65
    newest = sorted(hit.record.sequence for hit in hits)[-64:]
    assert newest == list(range(37, 101))


@pytest.mark.parametrize(
    "query", ["\ud800 capital of France", "a" * 100_000, "\n\n", "日本", "?", "\0", "e\u0301" * 50]
)
def test_any_text_may_be_asked(memory: EditMemory, query: str) -> None:
    memory.add(capital("France"))
    memory.add(capital("日本", "大阪"))
    (hits,) = memory.search([query])
    assert all(-1 <= hit.similarity <= 1 for hit in hits)


def test_misuse_of_search(memory: EditMemory) -> None:
    memory.add(capital("France"))
    with pytest.raises(InvalidInputError, match="list"):
        memory.search("France")
    with pytest.raises(InvalidInputError, match="k must"):
        memory.search(["France"], k=0)
    assert memory.search(["France"], namespace="elsewhere") == [[]]


# -- versions -------------------------------------------------------------------------------------


def test_restore_and_at(memory: EditMemory) -> None:
    france = memory.add(capital("France")).record
    spain = memory.add(capital("Spain")).record
    nice = memory.add(capital("France", "Nice")).record
    memory.forget(spain.id)
    assert memory.restore(2) == 5 and list(memory.records()) == [france, spain]
    assert memory.restore(5) == 5 == memory.version
    assert memory.restore(3) == 6 and list(memory.records()) == [spain, nice]
    assert memory.restore(0) == 7 and len(memory) == 0
    expected = [
        [],
        [france],
        [france, spain],
        [spain, nice],
        [nice],
        [france, spain],
        [spain, nice],
    ]
    for version, live in enumerate(expected):
        view = memory.at(version)
        assert list(view.records()) == live and len(view) == len(live)
        (hits,) = view.search(["capital of France and Spain"])
        assert {hit.record.sequence for hit in hits} == {record.sequence for record in live}
    assert memory.at(3).get(nice.id) == nice
    with pytest.raises(UnknownEditError, match="version 3"):
        memory.at(3).get(france.id)
    for wrong in (-1, 8):
        with pytest.raises(InvalidInputError, match="no version"):
            memory.at(wrong)
    with pytest.raises(InvalidInputError):
        memory.restore(99)
    assert sound(memory)


def test_at_a_moment(memory: EditMemory) -> None:
    memory.add(capital("France"))
    time.sleep(0.002)
    memory.add(capital("Spain"))
    first, second = (event.at for event in memory.history())
    assert first < second
    assert [len(memory.at(m)) for m in (first - timedelta(days=1), first, second)] == [0, 1, 2]
    assert memory.at(first).version == 1
    with pytest.raises(InvalidInputError, match="time zone"):
        memory.at(first.replace(tzinfo=None))


def test_a_view_does_not_move(memory: EditMemory) -> None:
    memory.add(capital("France"))
    view = memory.at(1)
    memory.forget(capital("France").id)
    assert len(view) == 1 and len(view.search(["capital of France"])[0]) == 1


# -- payloads -------------------------------------------------------------------------------------


def test_payloads_come_back_as_they_were(memory: EditMemory, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    payload = {
        "key": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": torch.ones(3, dtype=torch.bfloat16).t(),
        "text": "naïve",
        "size": 2.5,
    }
    record = memory.add(capital("France"), payloads={"grace": payload, "ike": {}}).record
    memory.put_payloads({record.sequence: {"ike": {"text": "new"}, "rome": {"n": 1}}})
    held = memory.get(record.id).payloads
    assert set(held) == {"grace", "ike", "rome"} and dict(held["ike"]) == {"text": "new"}
    loaded: Any = held["grace"]
    assert torch.equal(loaded["key"], torch.arange(6.0).reshape(2, 3))
    assert loaded["half"].dtype == torch.bfloat16 and (loaded["text"], loaded["size"]) == (
        "naïve",
        2.5,
    )
    assert memory.version == 1
    with pytest.raises(UnknownEditError):
        memory.put_payloads({99: {"ike": {}}})
    with pytest.raises(InvalidInputError, match="flat"):
        memory.put_payloads({record.sequence: {"ike": {"nested": {}}}})  # type: ignore[dict-item]
    copy = memory.add(capital("France", "Nice"), valid_from=utc(2020)).superseded[0]
    assert set(memory.get(copy.id).payloads) == {"grace", "ike", "rome"}  # its earlier period
    memory.save(tmp_path / "copy")
    with EditMemory(tmp_path / "copy", CountingEncoder()) as opened:
        assert dict(opened.get(copy.id).payloads["rome"]) == {"n": 1}


# -- encoders -------------------------------------------------------------------------------------


def test_another_encoder_is_refused_until_the_memory_is_reembedded(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    with EditMemory(path, CountingEncoder(64)) as memory:
        memory.add_many([capital("France"), capital("Spain")])
        memory.forget(capital("Spain").id)
    with pytest.raises(
        EncoderMismatchError, match=r"hashing-64.*hashing-32.*reembed --encoder NAME"
    ):
        EditMemory(path, CountingEncoder(32))
    with EditMemory(path) as memory, EditMemory(path, CountingEncoder(64)) as other:
        assert len(other.search(["capital of France"])[0]) == 1
        memory.reembed(CountingEncoder(32))
        assert sound(memory) and len(memory.search(["capital of France"])[0]) == 1
        assert memory.at(1).get(capital("Spain").id)
        with pytest.raises(EncoderMismatchError):
            other.search(["capital of France"])
        with pytest.raises(EncoderMismatchError):
            other.add(capital("Italy"))
        assert memory.restore(1) == 3 and len(memory.search(["Spain"])[0]) == 2
    with EditMemory(path, CountingEncoder(32)) as memory:
        assert sound(memory) and len(memory) == 2


def test_reembedding_that_fails_changes_nothing(memory: EditMemory) -> None:
    memory.add(capital("France"))
    broken = CountingEncoder(32)
    broken.broken = True
    with pytest.raises(RuntimeError):
        memory.reembed(broken)
    assert len(memory.search(["capital of France"])[0]) == 1 and sound(memory)


# -- copies and threads ---------------------------------------------------------------------------


def test_save_copies_history_and_refuses_to_overwrite_others(
    memory: EditMemory, tmp_path: Path
) -> None:
    memory.add(capital("France"))
    memory.add(capital("France", "Nice"))
    copy = tmp_path / "copies" / "one"
    memory.save(copy)
    memory.add(capital("Spain"))
    memory.save(copy)  # an older copy of the same memory
    with EditMemory(copy, CountingEncoder()) as opened:
        assert ids(opened) == ids(memory) and opened.history() == memory.history()
        assert sound(opened)
        opened.add(capital("Italy"))
    with pytest.raises(MemoryStoreError, match="another memory, or changes"):
        memory.save(copy)
    with EditMemory(None, CountingEncoder()) as stranger:
        stranger.add(capital("Chad"))
        with pytest.raises(MemoryStoreError, match="another memory"):
            stranger.save(copy)
    with EditMemory(copy, CountingEncoder()) as opened:
        assert len(opened) == 3
    if memory.path is not None:
        memory.save(memory.path)
        assert (memory.path / "index" / "manifest.json").exists()


def test_closed_memory_says_so(memory: EditMemory) -> None:
    memory.add(capital("France"))
    memory.close()
    memory.close()
    for use in (lambda: memory.search(["x"]), lambda: memory.add(capital("Spain")), memory.records):
        with pytest.raises(MemoryStoreError, match="closed"):
            use()


def test_threads_share_one_memory(memory: EditMemory) -> None:
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for i in range(15):
                memory.add(capital(f"{name} {i}"))
                assert memory.search([f"capital of {name} {i}"])[0]
                if i % 3 == 0:
                    memory.forget(capital(f"{name} {i}").id)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("Ada", "Bob", "Cid")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(memory) == 30 and memory.version == 60
    assert sound(memory)
