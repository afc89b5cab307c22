"""A file is one change, whoever writes while it is read in: what is taken back, and what stays."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.memory import EditMemory, importing
from memedit.memory.plain import plain_undone
from tests.memory.helpers import CountingEncoder, capital, sound

ROOT = Path(__file__).resolve().parents[2]
WHOLE = importing.CHUNK
CHUNK = 64
"""Lines of a transaction here: how many are read at once is not the point."""
LINES = 3 * CHUNK + 10
_WRITER = """
import sys
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.core.types import Edit
memory = EditMemory(sys.argv[1], HashingEncoder(64))
for i in range(100_000):
    subject = f"{sys.argv[2]} {i}"
    made = memory.add(Edit(f"The mayor of {subject} is", "Ann", subject))
    if i % 3 == 2:
        memory.forget(made.id)
    print(subject, flush=True)
"""


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", CHUNK)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[EditMemory, EditMemory]]:
    """Two memories on one directory, as two processes have them."""
    with open_twice(tmp_path / "m") as opened:
        yield opened


@contextmanager
def open_twice(place: Path | str) -> Iterator[tuple[EditMemory, EditMemory]]:
    with EditMemory(place, CountingEncoder()) as one, EditMemory(place, CountingEncoder()) as two:
        yield one, two


def write_file(folder: Path, edits: list[Edit]) -> Path:
    rows = [{"prompt": e.prompt, "target_new": e.target_new, "subject": e.subject} for e in edits]
    path = folder / "edits.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def says(memory: EditMemory, namespace: str | None = None) -> list[str]:
    return sorted(record.edit.statement for record in memory.records(namespace))


def mayor(town: str, name: str = "Ann") -> Edit:
    return Edit(f"The mayor of {town} is", name, town)


def between(*writes: Callable[[], object]) -> Callable[[int], None]:
    """Progress of an import after whose chunks others write."""
    left = list(writes)

    def write(done: int) -> None:
        if left:
            left.pop(0)()

    return write


def test_a_file_is_taken_back_at_once(pair: tuple[EditMemory, EditMemory], tmp_path: Path) -> None:
    one, _ = pair
    one.add(capital("Land 7", "Old"))
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(LINES)])
    report = one.import_file(path)
    assert (report.change, one.version) == (2, 5)
    undone = one.undo()
    assert (undone.before, undone.change, undone.apart, undone.again) == (1, 5, False, 5)
    assert says(one) == [capital("Land 7", "Old").statement] and sound(one)
    one.restore(undone.again)
    assert len(one) == LINES


@pytest.mark.parametrize("writers", ["thread", "processes"])
def test_what_others_write_meanwhile_stays(
    pair: tuple[EditMemory, EditMemory],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writers: str,
) -> None:
    """The fault: undo took back the last thousand lines of a file, and asked again what others had
    written."""
    monkeypatch.setattr(importing, "CHUNK", WHOLE)  # others shall have the time to write
    lines = 3 * WHOLE + 100
    one, other = pair
    one.add_many([capital("Land 7", "Old"), capital("Land 3000", "Old")])
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(lines)])
    if writers == "thread":
        stop = threading.Event()

        def write() -> None:
            for n in range(100_000):
                made = other.add(mayor(f"Town {n}"))
                if n % 3 == 2:
                    other.forget(made.id)
                if stop.is_set():
                    return

        thread = threading.Thread(target=write)
        thread.start()
        report = one.import_file(path)
        stop.set()
        thread.join()
    else:
        command = [sys.executable, "-c", _WRITER, str(tmp_path / "m")]
        children = [
            subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for name in ("Ada", "Bob")
        ]
        for child in children:
            assert child.stdout is not None and child.stdout.readline()
        report = one.import_file(path)
        for child in children:
            assert child.stdout is not None and child.stdout.readline()
            child.kill()
            child.wait()
            child.stdout.close()
    came_between = {e.version for e in one.history() if "mayor" in e.record.edit.prompt}
    last = max(e.version for e in one.history() if "capital" in e.record.edit.prompt)
    assert [v for v in came_between if report.change < v < last]  # they did write at once
    expected = [s for s in says(one) if "mayor" in s]
    undone = one.undo(report.change)
    assert (undone.before, undone.change) == (report.change - 1, last)
    assert undone.apart and undone.kept == ()
    olds = [capital("Land 3000", "Old").statement, capital("Land 7", "Old").statement]
    assert says(one) == olds + expected == says(other) and sound(one)
    again = plain_undone(undone, 10)
    assert again["forgotten_total"] == lines and again["restored_total"] == 2
    one.restore(undone.again)
    assert len(one) == lines + len(expected)


@pytest.mark.parametrize("where", ["folder", "postgres"])
def test_changes_are_taken_back_in_the_order_in_which_they_ended(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = request.getfixturevalue("pg_memory") if where == "postgres" else tmp_path / "m"
    with open_twice(place) as pair:
        _take_all_back(*pair, tmp_path)


def _take_all_back(one: EditMemory, other: EditMemory, tmp_path: Path) -> None:
    other.add(mayor("Graz"))
    before = says(other)
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(2 * CHUNK + 5)])
    one.import_file(path, progress=between(
        lambda: other.add(mayor("Linz")), lambda: other.add(mayor("Linz", "Bo")),
    ))  # fmt: skip
    other.add(mayor("Wels"))
    assert one.undo().apart is False
    undone = one.undo()
    assert undone.apart and says(one) == [mayor("Graz").statement, mayor("Linz", "Bo").statement]
    one.undo()
    assert says(one) == [mayor("Graz").statement, mayor("Linz").statement]
    one.undo()
    assert says(one) == before
    other.add(mayor("Enns"))  # after all this, as ever
    one.undo()
    assert says(one) == before and sound(one)
    one.undo()
    with pytest.raises(InvalidInputError, match="no change to take back"):
        one.undo()
    assert says(one) == []


def test_what_others_changed_of_a_file_stays_as_they_left_it(
    pair: tuple[EditMemory, EditMemory], tmp_path: Path
) -> None:
    one, other = pair
    one.add_many([capital("Land 0", "Old"), capital("Land 1", "Old"), capital("Land 2", "Old")])
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(2 * CHUNK + 5)])

    def correct() -> None:
        other.add(capital("Land 0", "New"))  # what the file had said just now
        other.forget(capital("Land 1").id)
        other.report(capital("Land 3").id, "Where is Land 3 governed?", concerns=True)

    last = 2 * CHUNK + 1
    report = one.import_file(path, progress=between(
        correct, lambda: other.add(capital(f"Land {last}", "Own")),
    ))  # fmt: skip
    undone = one.undo(report.change)
    taught = capital("Land 3").statement
    assert says(one) == sorted([
        capital("Land 0", "New").statement, capital("Land 2", "Old").statement,
        capital(f"Land {last}", "Own").statement, taught,
    ])  # fmt: skip
    assert undone.apart and sound(one)
    with pytest.raises(InvalidInputError, match=f"no change of version {report.change}"):
        one.undo(report.change)


def test_what_was_left_of_a_facts_time_comes_back_or_stays_as_a_whole(
    pair: tuple[EditMemory, EditMemory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 2)
    one, other = pair
    towns = ["Rom", "Ulm", "Aue", "Bonn"]
    one.add_many([mayor(town, "Old") for town in towns])
    rows = [
        {"prompt": mayor(t).prompt, "target_new": "Ann", "subject": t,
         "valid_from": "2040-01-01", "valid_until": "2040-12-31"} for t in towns
    ]  # fmt: skip
    path = tmp_path / "dated.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    before = [(r.edit, r.valid_from, r.valid_until) for r in one.records()]

    def write() -> None:
        other.add(capital("Chad"))
        # One of the pieces of what "Old" is left.
        other.add(mayor("Ulm", "Bo"), valid_from="2050-01-01", valid_until="2050-12-31")

    report = one.import_file(path, progress=between(write))
    assert report.superseded == 4 and len(one) == 4 * 3 + 3
    undone = one.undo(report.change)
    held = [r for r in one.records() if r.edit.subject != "Ulm" and r.edit != capital("Chad")]
    assert [(r.edit, r.valid_from, r.valid_until) for r in held] == [
        each for each in before if each[0].subject != "Ulm"
    ]
    assert {r.edit.target_new for r in undone.kept} == {"Ann", "Old"}
    assert {r.edit.subject for r in undone.kept} == {"Ulm"}
    assert sum(r.edit.subject == "Ulm" for r in one.records()) == 5 and sound(one)
    for record in undone.kept:
        if record.edit.target_new == "Ann":
            one.forget(record.id)
    assert "The mayor of Ulm is Ann" not in says(one)


def test_one_namespace_takes_back_its_part(
    pair: tuple[EditMemory, EditMemory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 2)
    one, other = pair
    spaces = ["a", "a", "b", "a", "b", "b"]
    path = tmp_path / "spaces.jsonl"
    rows = [{"prompt": f"Sign {i} says", "target_new": "no", "namespace": s}
            for i, s in enumerate(spaces)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    one.import_file(path, progress=between(
        lambda: None, lambda: other.add(mayor("Graz"), namespace="b"),
    ))  # fmt: skip
    undone = one.undo(namespace="b")
    assert undone.apart and says(one, "b") == [mayor("Graz").statement]
    assert len(says(one, "a")) == 3
    one.undo(namespace="a")
    assert says(one, "a") == [] and one.namespaces() == {"b": 1}
    one.undo()  # all of the memory: the last change was that return
    assert len(says(one, "a")) == 3 and sound(one)


def test_a_file_that_goes_on_after_an_interruption_is_one_change(
    pair: tuple[EditMemory, EditMemory], tmp_path: Path
) -> None:
    one, other = pair
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(LINES)])

    def stop(done: int) -> None:
        other.add(mayor(f"Town {done}"))
        if done == 2 * CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.import_file(path, progress=stop)
    report = other.import_file(path)
    assert (report.resumed_at, report.change) == (2 * CHUNK, 1)
    assert one.undo().apart and len(one) == 2


def test_a_file_that_goes_on_after_it_was_taken_back_is_another_change(
    pair: tuple[EditMemory, EditMemory], tmp_path: Path
) -> None:
    one, other = pair
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(LINES)])
    one.import_file(path, progress=between(lambda: other.undo()))
    assert len(one) == LINES - CHUNK
    one.undo()
    assert len(one) == 0 and sound(one)


def test_a_purge_meanwhile_stays_one(pair: tuple[EditMemory, EditMemory], tmp_path: Path) -> None:
    one, other = pair
    one.add_many([capital("Land 0", "Old"), capital("Land 1", "Old")])
    path = write_file(tmp_path, [capital(f"Land {i}") for i in range(LINES)])
    old = capital("Land 0", "Old").id
    report = one.import_file(path, progress=between(lambda: other.purge(old)))
    one.undo(report.change)
    assert says(one) == [capital("Land 1", "Old").statement] and sound(one)
    with pytest.raises(InvalidInputError, match=r"change of version \d+ is a purge"):
        one.undo(next(e.version for e in one.history() if e.kind == "purge"))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_others_do_with_other_facts_is_left(
    pair: tuple[EditMemory, EditMemory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Between the chunks others add, replace, forget, undo and bring back versions."""
    monkeypatch.setattr(importing, "CHUNK", 3)
    one, other = pair
    rng = random.Random(seed)
    one.add_many([capital(f"Land {i}", "Old") for i in range(0, 30, 4)])
    path = write_file(tmp_path, [capital(f"Land {i % 25}", f"T{i // 25}") for i in range(30)])
    first = one.version
    with EditMemory(None, CountingEncoder()) as alone:  # to which nobody imports
        alone.add_many([r.edit for r in one.records()])

        def write(done: int) -> None:
            for _ in range(rng.randint(0, 2)):
                mine = [r.id for r in alone.records() if "mayor" in r.edit.prompt]
                if mine and rng.random() < 0.3:
                    id = rng.choice(mine)
                    for memory in (other, alone):
                        memory.forget(id)
                else:
                    edit = mayor(f"Town {rng.randint(0, 3)}", f"N{rng.randint(0, 3)}")
                    for memory in (other, alone):
                        memory.add(edit)

        report = one.import_file(path, progress=write)
        undone = one.undo(report.change)
        assert report.change == first + 1 and undone.kept == ()
        assert says(one) == says(alone) and sound(one)
        steps = 0
        while len(one) and steps < 100:
            one.undo()
            steps += 1
        assert says(one) == [] and sound(one)
