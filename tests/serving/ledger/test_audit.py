"""The audit log: nothing that was done to it from without goes unseen, at its end neither."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.core.errors import MemoryStoreError
from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.memory.moving import backup, restore
from memedit.serving.ledger.audit import FILE, KEY, AuditLog, Author
from memedit.serving.ledger.chain import Chain, hash_of
from memedit.serving.ledger.tables import tables_of
from tests import helpers, postgres
from tests.memory.helpers import CountingEncoder
from tests.postgres import Cluster
from tests.serving.helpers import CAPITAL, run, tiny_edited, tiny_service, within

ANN = Author("k", "Ann")
SECRET = b"a secret of the operator's"


class Place(Protocol):
    """Where a log is, and what somebody who can write there does."""

    def log(self, key: bytes | None = None) -> AuditLog: ...

    def lines(self) -> list[str]: ...

    def put(self, lines: list[str] | None) -> None: ...

    def forget_head(self) -> None: ...


class Folder:
    def __init__(self, memory: EditMemory) -> None:
        self.memory, self.tables = memory, tables_of(memory)

    @property
    def file(self) -> Path:
        assert self.memory.path is not None
        return self.memory.path / FILE

    def log(self, key: bytes | None = None) -> AuditLog:
        return AuditLog.of(self.memory, self.tables, key)

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines()

    def put(self, lines: list[str] | None) -> None:
        self.file.unlink()
        if lines is not None:
            self.file.write_text("".join(line + "\n" for line in lines))

    def forget_head(self) -> None:
        with self.memory.beside(write=True) as db:
            assert db is not None
            db.exec_driver_sql("DELETE FROM audit_head")


class Database(Folder):
    def lines(self) -> list[str]:
        with self.tables.open() as db:
            return list(db.exec_driver_sql("SELECT line FROM audit ORDER BY number").scalars())

    def put(self, lines: list[str] | None) -> None:
        with self.tables.open() as db:
            db.exec_driver_sql("DELETE FROM audit" if lines is not None else "DROP TABLE audit")
            for line in lines or ():
                db.exec_driver_sql("INSERT INTO audit (line) VALUES (%s)", (line,))

    def forget_head(self) -> None:
        with self.tables.open() as db:
            db.exec_driver_sql("DELETE FROM audit_head")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if reason := postgres.why_not():
        helpers.missing(reason)
    with postgres.cluster() as running:
        yield running


@pytest.fixture(params=["folder", "database"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    here = tmp_path / "m"
    address: Any = here
    if request.param == "database":
        address = request.getfixturevalue("cluster").memory()
    with EditMemory(address, CountingEncoder()) as memory:
        found = Folder(memory) if request.param == "folder" else Database(memory)
        yield found
        found.tables.close()


def write(log: AuditLog, count: int) -> None:
    for i in range(count):
        with log.change(ANN, "create", "default", id=str(i)) as outcome:
            outcome["version"] = i


def altered(line: str) -> str:
    return line.replace('"Ann"', '"Bob"')


def lengthened(lines: list[str]) -> list[str]:
    """One more line, made as the log makes them, by somebody without the key."""
    forged = Chain().entry({"phase": "done", "name": "Bob"}, lines[-1].encode(), len(lines) + 1)
    return [*lines, forged.decode()]


ATTACKS: dict[str, tuple[Callable[[list[str]], list[str] | None], str]] = {
    "newest altered": (lambda lines: [*lines[:-1], altered(lines[-1])], "line 10 is not the one"),
    "four cut off": (lambda lines: lines[:-4], "4 of 10 lines are gone from the end"),
    "all but one": (lambda lines: lines[:1], "9 of 10 lines are gone"),
    "emptied": (lambda lines: [], "all 10 lines are gone"),
    "deleted": (lambda lines: None, "all 10 lines are gone"),
    "an older one": (lambda lines: [*lines[:2], altered(lines[2]), *lines[3:]], "line 4 does not"),
    "taken out": (lambda lines: lines[:3] + lines[4:], "line 4 does not follow line 3"),
}


@pytest.mark.parametrize(
    ("place", "attack", "key"),
    [
        *(("folder", attack, key) for attack in ATTACKS for key in (None, SECRET)),
        *(("database", attack, None) for attack in ("newest altered", "four cut off", "deleted")),
    ],
    indirect=["place"],
)
def test_what_was_done_to_the_log_is_found_and_stays_found(
    place: Place, attack: str, key: bytes | None
) -> None:
    """The fault: of the newest lines nothing was known, and the log went on."""
    log = place.log(key)
    write(log, 5)
    assert log.verify().problems == () and log.verify().lines == 10
    change, expected = ATTACKS[attack]
    place.put(change(place.lines()))
    assert any(expected in problem for problem in place.log(key).verify().problems)
    with suppress(MemoryStoreError):  # a table that is gone
        write(place.log(key), 1)  # the log goes on
        after = place.log(key).verify()
        assert after.problems, "going on must not hide it"
        if attack not in ("an older one", "taken out"):  # those the chain itself keeps showing
            assert any("says that the log was altered" in problem for problem in after.problems)
    assert place.log(key).tail(1)[0]["phase"] in ("done", "begin", "torn")


def test_only_who_holds_the_key_makes_lines_and_heads(place: Place) -> None:
    write(place.log(SECRET), 3)
    good, forged = place.lines(), lengthened(place.lines())
    place.put(forged)
    assert place.log(SECRET).verify().problems == (
        "line 7 is not signed with this key", "line 7 was added from without",
    )  # fmt: skip
    # All anew, and the head too, as somebody does who may write everything but has no key.
    place.put([])
    place.forget_head()
    stranger = place.log(b"another")
    write(stranger, 3)
    assert stranger.verify().problems == ()
    assert "is not signed with this key" in place.log(SECRET).verify().problems[0]
    place.put(good[:2])
    place.forget_head()
    assert "knows nothing" in place.log(SECRET).verify().problems[0]
    write(place.log(SECRET), 1)
    assert place.log(SECRET).verify().problems == (
        "line 3 says that the log was altered: 0 lines expected, 2 found",
    )


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_a_log_made_anew_without_signatures_is_told(place: Place) -> None:
    """The fault: it passed for a log that is older than the key, and nothing was said."""
    write(place.log(SECRET), 3)
    assert place.log(SECRET).verify().unsigned == 0
    place.put([])
    place.forget_head()
    write(place.log(), 2)
    report = place.log(SECRET).verify()
    assert not report.signed and "no line is signed" in report.problems[0]
    write(place.log(SECRET), 1)  # it may be older than the key, for all that the server knows
    report = place.log(SECRET).verify()
    assert (report.problems, report.lines, report.unsigned) == ((), 6, 4)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_a_log_from_before_heads_and_keys_is_taken_over(place: Place) -> None:
    log = place.log()
    write(log, 2)
    old: list[str] = []
    for line in place.lines():
        entry = {k: v for k, v in json.loads(line).items() if k != "number"}
        entry["after"] = hash_of(old[-1].encode() if old else b"")
        old.append(json.dumps(entry))
    place.put(old)
    place.forget_head()
    assert place.log().verify().problems == ()
    write(place.log(), 1)
    write(place.log(SECRET), 1)  # a key, from now on
    report = place.log(SECRET).verify()
    assert report.problems == () and report.signed and report.lines == 8
    assert report.unsigned == 6
    assert place.log().verify().problems == ()  # without it, what can be compared is


@pytest.mark.parametrize("torn", [b'{"at": "2026', b"\x00" * 900, b"\xff\xfe{", b"x" * 9_000])
@pytest.mark.parametrize("lines", [0, 3])
def test_a_torn_line_is_said_and_sealed(tmp_path: Path, torn: bytes, lines: int) -> None:
    """The fault: ``tail`` raised JSONDecodeError, and the next entry cut the torn part off."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        place = Folder(memory)
        write(place.log(SECRET), lines)
        (tmp_path / "m").mkdir(exist_ok=True)
        with place.file.open("ab") as file:
            file.write(torn)
        newest = place.log(SECRET).tail(1)[0]
        assert newest["phase"] == "torn" and newest["text"]
        assert "is torn after" in place.log(SECRET).verify().problems[0]
        write(place.log(SECRET), 1)
        assert place.log(SECRET).verify().problems == ()
        assert torn + b"\n" in place.file.read_bytes()  # kept
        said = place.log(SECRET).tail(3)[-1]
        assert said["phase"] == "torn" and said["bytes"] == len(torn)
        # What was cut in the middle of a line that had been written whole is no crash.
        content = place.file.read_bytes()
        place.file.write_bytes(content[:-9])
        write(place.log(SECRET), 1)
        assert "says that the log was altered" in place.log(SECRET).verify().problems[0]


def test_a_server_with_a_torn_log_answers(tmp_path: Path) -> None:
    async def work() -> None:
        service = tiny_service(tmp_path / "m")
        async with within(service) as client:
            assert (await client.post("/v1/edits", json=CAPITAL)).status_code == 201
            with (tmp_path / "m" / FILE).open("ab") as file:
                file.write(b'{"half')
            told = await client.get("/v1/audit")
            assert told.status_code == 200
            assert told.json()["data"][0] == {"phase": "torn", "text": '{"half'}
            made = await client.post("/v1/edits", json=CAPITAL | {"target_new": "Nice"})
            assert made.status_code == 201
            assert service.audit.verify().problems == ()

    run(work())


def test_a_server_that_died_between_line_and_head(tmp_path: Path) -> None:
    """The line is on disk before the head: what follows from the head is no forgery."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        place = Folder(memory)
        write(place.log(), 2)
        place.put(lengthened(place.lines()))
        assert place.log().verify().problems == ()
        write(place.log(), 1)
        assert place.log().verify().problems == () and place.log().verify().lines == 7


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_many_writers_make_one_chain(place: Place) -> None:
    threads = [threading.Thread(target=write, args=(place.log(), 4)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (place.log().verify().lines, place.log().verify().problems) == (32, ())


def test_the_head_stays_where_the_log_is(tmp_path: Path) -> None:
    """Copies hold the edits alone; what is brought back leaves the place its log."""
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        memory.add(Edit("The capital of France is", "Lyon", "France"))
        write(Folder(memory).log(), 2)
        memory.save(tmp_path / "saved")
    backup(tmp_path / "m", tmp_path / "backup")
    for copy in ("saved", "backup"):
        with EditMemory(tmp_path / copy, CountingEncoder()) as memory:
            assert memory.verify().problems == ()
            assert Folder(memory).log().verify().lines == 0
            assert Folder(memory).log().verify().problems == ()
    restore(tmp_path / "backup", tmp_path / "m", replace=True)
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        assert len(memory) == 1
        write(Folder(memory).log(), 1)
        assert Folder(memory).log().verify().problems == ()
        Folder(memory).put(None)
        assert Folder(memory).log().verify().problems == ("all 6 lines are gone from the end",)


def test_nothing_is_logged_into_a_directory_that_took_the_memorys_place(tmp_path: Path) -> None:
    with EditMemory(tmp_path / "m", CountingEncoder()) as memory:
        write(Folder(memory).log(), 1)
        (tmp_path / "m").rename(tmp_path / "aside")
        (tmp_path / "m").mkdir()
        with pytest.raises(MemoryStoreError, match="removed or replaced"):
            write(Folder(memory).log(), 1)
        assert not (tmp_path / "m" / FILE).exists()


def test_memedit_verify_reads_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = tiny_edited(tmp_path / "m").memory
    write(Folder(memory).log(SECRET), 2)
    memory.close()
    monkeypatch.setenv(KEY, SECRET.decode())
    command = ["verify", "--memory", str(tmp_path / "m"), "--json"]
    sound = CliRunner().invoke(app, command)
    assert sound.exit_code == 0, sound.output
    assert json.loads(sound.stdout)["audit"] == {"lines": 4, "signed": True, "unsigned": 0}
    (tmp_path / "m" / FILE).unlink()
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 1
    assert json.loads(found.stdout)["problems"] == ["audit log: all 4 lines are gone from the end"]
