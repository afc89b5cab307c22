from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from memedit.core.documents import NewDocument
from memedit.core.errors import MemoryStoreError
from memedit.core.files import sha256
from memedit.core.types import Edit
from memedit.memory import EditMemory, replica
from memedit.memory.journal.reading import JournalReader
from memedit.memory.live import index, snapshots
from memedit.memory.live import state as live_module
from tests.memory.helpers import CountingEncoder, capital, sound, utc


@pytest.fixture(autouse=True)
def _small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty keys are enough to make an index slow to rebuild."""
    small = {"flat_limit": 60}
    monkeypatch.setattr(live_module.LiveSet.__init__, "__kwdefaults__", {"upto": None} | small)
    from_arrays = index.VectorIndex.from_arrays.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(from_arrays, "__kwdefaults__", {"trained_on": 0} | small)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with EditMemory(tmp_path / "memory", CountingEncoder()) as memory:
        memory.add_many([capital(f"Land {i}") for i in range(100)])
        memory.add(Edit("Snow is", "black"), namespace="other")
    return tmp_path / "memory"


def everything(memory: EditMemory) -> list[tuple[int, float]]:
    """All records by exact similarity to one query."""
    (hits,) = memory.search(["What is the capital of Land 7?"], k=1_000)
    return [(hit.record.sequence, round(hit.similarity, 5)) for hit in hits]


def manifest(path: Path) -> Path:
    return path / "index" / "manifest.json"


def test_closing_writes_a_snapshot_that_opening_uses(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(list((path / "index").glob("*.safetensors"))) == 3
    assert not list((path / "index").glob("*.tmp"))
    monkeypatch.setattr(live_module.LiveSet, "_make_index", lambda self: 1 / 0)
    with EditMemory(path, CountingEncoder()) as memory:  # no index had to be made
        assert sound(memory) and len(everything(memory)) == 100


@pytest.mark.parametrize("name, other", [
    (b'"default"', b'"defa5lt"'), (b'"other"', b'"othe2"'), (b'"count": 100', b'"count": 101'),
    (b'"version": 2', b'"version": 3'), (b'"sealed"', b'"sealee"'),
])  # fmt: skip
def test_a_manifest_that_was_damaged_is_not_used(path: Path, name: bytes, other: bytes) -> None:
    """The fault: with one bit of a namespace's name, searches found nothing of its edits, and what
    was found belonged to a namespace that is none."""
    content = manifest(path).read_bytes()
    assert content.count(name) == 1
    manifest(path).write_bytes(content.replace(name, other))
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory) and len(everything(memory)) == 100
        assert len(memory.search(["Snow is"], namespace="other")[0]) == 1
        assert memory.namespaces() == {"default": 100, "other": 1}


def test_small_memories_write_none(tmp_path: Path) -> None:
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(capital("France"))
    assert not (tmp_path / "m" / "index").exists()


def test_stale_snapshot_is_caught_up(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(path / "index", old)
    with EditMemory(path, CountingEncoder()) as memory:
        memory.forget(capital("Land 7").id)
        memory.add(capital("Land 8", "Nice"))
        memory.add_many([capital(f"Isle {i}") for i in range(30)])
        memory.forget(Edit("Snow is", "black").id, namespace="other")
        expected = everything(memory)
    shutil.rmtree(path / "index")
    shutil.copytree(old, path / "index")
    with EditMemory(path, CountingEncoder()) as memory:
        assert everything(memory) == expected and sound(memory)


def _truncate(path: Path) -> None:
    for file in (path / "index").glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-7])


def _flip(path: Path) -> None:
    for file in (path / "index").glob("*.safetensors"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 255
        file.write_bytes(bytes(content))


def _garbage_manifest(path: Path) -> None:
    manifest(path).write_bytes(b"\xff{not json")


def _list_manifest(path: Path) -> None:
    manifest(path).write_text("[]")


def _odd_manifest(path: Path) -> None:
    content = json.loads(manifest(path).read_text())
    content["indexes"] = {"default": {"sha256": 5}, "other": None}
    manifest(path).write_text(json.dumps(snapshots.seal(content)))


def _swapped(path: Path) -> None:
    """Whole files, right hashes, but each namespace has the other's index."""
    content = json.loads(manifest(path).read_text())
    indexes = content["indexes"]
    indexes["default"], indexes["other"] = indexes["other"], indexes["default"]
    manifest(path).write_text(json.dumps(snapshots.seal(content)))


def _other_embedding(path: Path) -> None:
    content = json.loads(manifest(path).read_text())
    manifest(path).write_text(json.dumps(snapshots.seal(content | {"embedding": "x"})))


def _other_history(path: Path) -> None:
    content = json.loads(manifest(path).read_text())
    manifest(path).write_text(json.dumps(snapshots.seal(content | {"event": [1, "2020"]})))


def _missing(path: Path) -> None:
    shutil.rmtree(path / "index")


def _missing_files(path: Path) -> None:
    for file in (path / "index").glob("*.safetensors"):
        file.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _flip,
        _garbage_manifest,
        _list_manifest,
        _odd_manifest,
        _swapped,
        _other_embedding,
        _other_history,
        _missing,
        _missing_files,
    ],
)
def test_damaged_snapshot_never_matters(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        expected = everything(memory)
    damage(path)
    with caplog.at_level(logging.WARNING, "memedit"), EditMemory(path, CountingEncoder()) as memory:
        assert everything(memory) == expected and sound(memory)
        memory.add(capital("Chad"))
        assert sound(memory)
    assert damage in (_missing, _swapped) or "rebuilding" in caplog.text


def test_snapshot_of_a_memory_restored_from_backup(path: Path, tmp_path: Path) -> None:
    """The journal goes back in time and then elsewhere; key ids are used a second time."""
    backup = tmp_path / "backup"
    shutil.copytree(path, backup)
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add_many([capital(f"Lost {i}") for i in range(80)])
    shutil.copy(backup / "journal.sqlite", path / "journal.sqlite")  # snapshot is newer now
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add_many([capital(f"Found {i}") for i in range(80)])
        memory._store.replica.unsaved = 0  # keeps close() from mending the snapshot
        expected = everything(memory)
        assert sound(memory)
    with EditMemory(path, CountingEncoder()) as memory:
        assert everything(memory) == expected and sound(memory)


def test_snapshot_that_cannot_be_written_costs_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("memedit.memory.live.snapshots.save_file", full)
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add(capital("Chad"))
    assert "rebuilt from the journal" in caplog.text
    with EditMemory(path, CountingEncoder()) as memory:
        assert len(memory) == 102 and sound(memory)


def test_search_over_cells_agrees_with_brute_force(path: Path) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        vectors = CountingEncoder().encode([r.edit.prompt for r in memory.records("default")])
        (query,) = CountingEncoder().encode(["What is the capital of Land 7?"])
        cosines = dict(zip(range(1, 101), np.round(vectors @ query, 5), strict=True))
        for sequence, similarity in everything(memory):
            assert similarity == pytest.approx(float(cosines[sequence]), abs=5e-4)


def test_a_large_index_is_written_less_often(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_EVERY", 10)
    written: list[int] = []
    write = snapshots.write

    def count(directory: Path, identity: Any, indexes: Any, state: Any) -> None:
        written.append(len(indexes["default"]))
        write(directory, identity, indexes, state)

    monkeypatch.setattr(snapshots, "write", count)
    with EditMemory(path, CountingEncoder()) as memory:
        for i in range(100, 200):
            memory.add(capital(f"Land {i}"))
        # One key in four: not every ten.
        assert written == [133, 177]
    assert written == [133, 177, 200]  # 23 of 200 are more than one in fifty
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add(capital("Land 200"))
        memory.forget(capital("Land 0").id)
    assert len(written) == 3
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory) and len(everything(memory)) == 200


def test_a_gap_is_closed_by_whoever_opens_the_memory(path: Path) -> None:
    """Processes that live shortly write few keys each: none of them would ever reach the limit."""
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add_many([capital(f"Isle {i}") for i in range(30)])
        memory._store.replica.unsaved = 0  # as if it had been killed
    made = json.loads(manifest(path).read_text())
    assert made["indexes"]["default"]["count"] == 100
    with EditMemory(path, CountingEncoder()) as memory:
        assert len(everything(memory)) == 130
    assert json.loads(manifest(path).read_text())["indexes"]["default"]["count"] == 130
    before = manifest(path).stat().st_mtime_ns
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)
    assert manifest(path).stat().st_mtime_ns == before  # nothing is missing, nothing is written


def fill_with_everything(memory: EditMemory) -> None:
    """What is known of a record beyond its texts."""
    memory.add_many(
        [
            Edit("The Who's singer is", "Ada", "The Who"),
            Edit("The Who's drummer is", "Bo", "The Who"),
            Edit("??? means", "unknown", "???"),
            Edit("Ada speaks", "Greek", "Ada", multiple=True),
            Edit("Ada speaks", "Latin", "Ada", multiple=True, because_of=(capital("Land 3").id,)),
            Edit("Snow in May is", "rare", queries=("Does it snow in May?",), excluded=("Snow?",)),
        ]
    )
    memory.add(capital("Oz"), valid_from=utc(2020), valid_until=utc(2021))
    memory.add(Edit("Rain is", "wet"), namespace="other")
    document = NewDocument("Terms", ("Returns within 60 days.", "No refunds on food."), "0" * 64)
    memory.put_document(document)


def seen(memory: EditMemory) -> list[object]:
    """All that a memory answers."""
    asked = [
        "Who sings in the Who?", "What does ??? mean?", "What does Ada speak?", "Snow?",
        "What is the capital of Land 7?", "What is the capital of Oz?", "Returns within how long?",
    ]  # fmt: skip
    found = memory.search(asked), memory.search(asked, as_of=utc(2020, 6), k=3)
    hits = [
        (hit.record, round(hit.similarity, 5), hit.mention, hit.relation and round(hit.relation, 5),
         hit.passage)
        for each in found
        for hits in each
        for hit in sorted(hits, key=lambda hit: hit.record.sequence)
    ]  # fmt: skip
    gone = memory.get(capital("Land 3").id)
    greek = next(r for r in memory.records() if r.edit.target_new == "Greek")
    return [
        hits, list(memory.records()), memory.digest(), memory.namespaces(), memory.version,
        memory.resting_on([gone]), memory.siblings(greek, utc(2026)), memory.groundless(),
        [d.name for d in memory.documents()],
    ]  # fmt: skip


def test_a_state_that_was_saved_is_the_state(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        fill_with_everything(memory)
        memory.forget(capital("Land 5").id)
        expected = seen(memory)
        memory.snapshot()
    read = JournalReader.records

    def few(self: JournalReader, sequences: Sequence[int], lazy: Any = None) -> Any:
        assert len(sequences) <= 2, "records are read from the journal"
        return read(self, sequences, lazy)

    with monkeypatch.context() as patched:
        patched.setattr(JournalReader, "records", few)
        with EditMemory(path, CountingEncoder(), read_only=True) as memory:
            assert seen(memory) == expected
        with EditMemory(path, CountingEncoder()) as memory:
            changed = memory.add(capital("Land 8", "Nice"))
            assert [record.edit for record in changed.superseded] == [capital("Land 8")]
            memory.forget(Edit("??? means", "unknown", "???").id)
            memory.forget(Edit("The Who's singer is", "Ada", "The Who").id)
            memory.restore(memory.version - 1)
            assert memory.search(["What does ??? mean?"])[0][0].mention is None
            memory._store.replica.unsaved = 0
            after = seen(memory)
        with EditMemory(path, CountingEncoder()) as memory:  # the same snapshot, and news
            assert seen(memory) == after
    shutil.rmtree(path / "index")
    with EditMemory(path, CountingEncoder()) as memory:
        assert seen(memory) == after and sound(memory)


def _rewrite_state(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """As a stranger would, with the hash of what is written."""
    content = json.loads(manifest(path).read_text())
    file = path / "index" / f"{content['state']['sha256'][:20]}.safetensors"
    arrays = load_file(file)
    change(arrays)
    save_file(arrays, path / "index" / "new")
    hashed = sha256(path / "index" / "new")
    (path / "index" / "new").rename(path / "index" / f"{hashed[:20]}.safetensors")
    content["state"]["sha256"] = hashed
    manifest(path).write_text(json.dumps(snapshots.seal(content)))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.update(records=a["records"][:-1].copy()),
        lambda a: a.update(records=np.roll(a["records"], 1)),
        lambda a: a.update({"places.at": a["places.at"] + 1}),
        lambda a: a.update({"places.at": a["places.at"][:-1].copy()}),
        lambda a: a.update(places=a["places"][::-1].copy()),
        lambda a: a.update(dated=np.array([77_777])),
        lambda a: a.pop("0.ids"),
        lambda a: a.update({"0.ids.of": a["0.ids.of"] + 1}),
        lambda a: a.update({"0.owners": a["0.owners"] + 1}),
        lambda a: a.update({"0.owners.of": a["0.owners.of"] + 500}),
        lambda a: a.update({"0.owners.of": np.full_like(a["0.owners.of"], a["0.ids.of"][0])}),
        lambda a: a.update({"0.topics.of": a["0.topics.of"] * 500}),
        lambda a: a.update({"0.odd": np.array([77_777])}),
        lambda a: a.update({"0.said": a["0.said"][::-1].copy()}),
        lambda a: a.update({"0.said": a["0.said"] + 500}),
        lambda a: a.update({"0.more": np.array([1, 2])}),
        lambda a: a.update({"0.more.counts": a["0.more.counts"] * 0}),
        lambda a: a.update({"0.words.lengths": a["0.words.lengths"] - 9}),
        lambda a: a.update(places=np.repeat(a["places"][:1], len(a["places"]))),
        lambda a: a.update(relations=a["relations"].astype(np.int32)),
    ],
)
def test_a_state_that_cannot_be_is_made_anew(
    path: Path, change: Callable[[dict[str, Any]], object], caplog: pytest.LogCaptureFixture
) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        expected = everything(memory)
    _rewrite_state(path, change)
    with caplog.at_level(logging.WARNING, "memedit"), EditMemory(path, CountingEncoder()) as memory:
        assert everything(memory) == expected and sound(memory)
    assert "rebuilding" in caplog.text


def test_words_of_texts_are_in_it_and_an_older_one_goes_without(path: Path) -> None:
    contact = Edit("The press contact of Land 7 sits in", "Lyon")

    def correct(city: str, *, read: bool) -> None:
        with EditMemory(path, CountingEncoder()) as memory:
            assert bool(memory._store.live.space("default")._unsaid) is not read
            told = memory.add(capital("Land 7", city)).may_rest
            assert [record.edit for record in told] == [contact] * (city == "Nice")
            assert sound(memory)
            memory.snapshot()

    with EditMemory(path, CountingEncoder()) as memory:
        memory.add(contact)
        memory.snapshot()
    _rewrite_state(path, lambda arrays: [arrays.pop(f"{n}.said") for n in (0, 1)])
    correct("Nice", read=False)
    correct("Rome", read=True)


def test_a_record_that_cannot_be_read_is_told_when_it_is_looked_at(path: Path) -> None:
    def break_one(arrays: dict[str, Any]) -> None:
        at = int(arrays["places.at"][7]) + 4
        arrays["records"][at] = ord("{")

    _rewrite_state(path, break_one)
    with EditMemory(path, CountingEncoder()) as memory:
        with pytest.raises(MemoryStoreError, match="snapshot holds no record 8") as told:
            list(memory.records())
        assert "Delete the folder index" in str(told.value.hint)
    shutil.rmtree(path / "index")
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)


def test_what_is_purged_while_a_snapshot_is_written_is_not_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = snapshots.write
    with EditMemory(path, CountingEncoder()) as memory:
        memory.add(Edit("The town of Oz is", "Zanzibar-upon-Ouse", "Oz"))

        def purge_first(*args: Any) -> None:
            monkeypatch.setattr(snapshots, "write", write)
            with EditMemory(path, CountingEncoder()) as other:
                assert other.purge(subject="Oz").complete
                other._store.replica.unsaved = 0  # it leaves no newer one either
            write(*args)

        monkeypatch.setattr(snapshots, "write", purge_first)
        memory.snapshot()
        files = [file for file in path.rglob("*") if file.is_file()]
        assert not [file for file in files if b"Zanzibar-upon-Ouse" in file.read_bytes()]
        assert not manifest(path).exists()
        memory.snapshot()
        assert manifest(path).exists() and sound(memory)
    with EditMemory(path, CountingEncoder()) as memory:
        assert len(everything(memory)) == 100 and sound(memory)


def test_a_purge_leaves_no_snapshot_of_another_history(path: Path) -> None:
    event, at = json.loads(manifest(path).read_text())["event"]
    assert not snapshots.drop_older(path, event, {event: at}.get)
    assert manifest(path).exists()
    # As after going back to a backup: its event is newer than the purge, and none of this journal.
    assert snapshots.drop_older(path, event - 1, {event: "2020"}.get)
    assert not list((path / "index").iterdir())


def test_a_state_that_the_news_do_not_fit_is_made_anew(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EditMemory(path, CountingEncoder()) as memory:
        memory.forget(capital("Land 7").id)
        memory._store.replica.unsaved = 0  # no newer snapshot
        expected = everything(memory)

    def move_one(arrays: dict[str, Any]) -> None:
        start = int(arrays["places.at"][7])
        at = arrays["records"].tobytes().index(b'"default"', start) + 1
        arrays["records"][at : at + 7] = np.frombuffer(b"nowhere", np.uint8)

    _rewrite_state(path, move_one)
    with caplog.at_level(logging.WARNING, "memedit"), EditMemory(path, CountingEncoder()) as memory:
        assert everything(memory) == expected and sound(memory)
    assert "rebuilding" in caplog.text


def test_the_version_is_the_journals(path: Path) -> None:
    content = json.loads(manifest(path).read_text())
    manifest(path).write_text(json.dumps(snapshots.seal(content | {"version": 77})))
    with EditMemory(path, CountingEncoder()) as memory:
        assert memory.version == content["version"] and len(memory) == 101


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.update({"0.ids": a["0.ids"] // 2}),
        lambda a: a.update({"0.topics": a["0.topics"] // 2}),
        lambda a: a.update({"0.subjects": a["0.subjects"] // 2}),
        lambda a: a.update({"0.words": a["0.words"] // 2}),
        lambda a: a.update({"0.more.counts": a["0.more.counts"] + 1}),
        lambda a: a.update(dated=np.array([8])),
        lambda a: a.update({"0.said": a["0.said"][1:].copy()}),
    ],
)
def test_verify_sees_what_a_strangers_state_says(
    path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    _rewrite_state(path, change)
    with EditMemory(path, CountingEncoder()) as memory:
        assert memory.verify().problems
        memory._store.replica.unsaved = 0
    shutil.rmtree(path / "index")
    with EditMemory(path, CountingEncoder()) as memory:
        assert sound(memory)
