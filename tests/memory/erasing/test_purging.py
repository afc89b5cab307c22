"""Erasure: what was purged is in no byte of the memory, and nothing else is lost."""

from __future__ import annotations

import gc
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import torch

from memedit.core.errors import InvalidInputError, MemoryStoreError, UnknownEditError
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import Certificate, EditMemory
from memedit.memory.erasing import purging, scanning
from memedit.memory.erasing.texts import Texts
from memedit.memory.live import index
from memedit.memory.moving import backup, restore
from memedit.serving.ledger.audit import AuditLog, AuditReport, Author
from memedit.serving.ledger.desk import Desk
from memedit.serving.ledger.tables import tables_of
from tests.forking import fork
from tests.memory.helpers import capital, ids, sound
from tests.memory.writing import purge
from tests.postgres import Cluster

LONG = 120.0
WHO = Author("k1", "Kay")
NAME = ("Thistle", "quick")  # joined when the tests run: the compiler would fold a sum.
# No other test may say it: a traceback keeps the lines of its file in RAM.


def secret() -> tuple[str, str]:
    """A subject and a value that stand nowhere as constants: found in RAM, they were kept."""
    return "".join(["Zoë ", *NAME]), '"Zanzibar"' + "-ville"


def secret_edit() -> Edit:
    subject, value = secret()
    return Edit(f"{subject} lives in", value, subject, target_true=f"not {value}")


def forms() -> list[bytes]:
    found = []
    for part in ("".join(NAME), *secret(), secret()[1].strip('"')):
        escaped = json.dumps(part)[1:-1]
        for text in (part, escaped, json.dumps(escaped)[1:-1]):
            found += [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
    return found


def bytes_that_tell(*folders: Path) -> list[str]:
    """Files below these folders that hold the secret in whatever form."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [str(file) for file in files if any(form in file.read_bytes() for form in forms())]


def tell(memory: EditMemory) -> str:
    """Put the secret wherever it may go; the id of its edit."""
    subject, value = secret()
    payload: dict[str, dict[str, Any]] = {
        "ike": {"fact": secret_edit().statement, "v": torch.arange(3.0)}
    }
    made = memory.add(secret_edit(), source=f"a mail of {subject}", payloads=payload)
    memory.report(made.id, f"Where is {subject} to be found?", concerns=True)
    memory.report(made.id, f"Who is {subject}?", concerns=False)
    tables = tables_of(memory)
    audit, desk = AuditLog.of(memory, tables), Desk(tables)
    with audit.change(WHO, "report", "default", id=made.id, query=f"Who is {subject}?"):
        desk.report(WHO, "default", "wrong_answer", f"where is {subject}?", made.id, value)
        body = {"prompt": f"{subject} lives in", "target_new": value, "subject": subject}
        desk.propose(WHO, "default", "create", body)
        desk.report(WHO, "default", "wrong_answer", "What is the capital of France?", None, None)
        desk.propose(WHO, "default", "create", {"prompt": "The capital of Spain is"})
    desk.close()
    memory.forget(made.id, reason=f"{subject} asked for it")
    return made.id


def told_of(
    memory: EditMemory,
) -> tuple[list[str], list[dict[str, Any]], AuditReport, list[dict[str, Any]]]:
    """Queries of reports, bodies of proposals, and what the audit log is and says."""
    tables = tables_of(memory)
    desk, audit = Desk(tables), AuditLog.of(memory, tables)
    asked = [row["query"] for row in desk.reports("default", 9)]
    proposed = [p.body for p in desk.proposals("default", None, 9)]
    found = asked, proposed, audit.verify(), audit.tail(9)
    tables.close()
    return found


def open_at(place: Path | str | None) -> EditMemory:
    return EditMemory(place, HashingEncoder(16))


def test_no_byte_is_left_and_the_event_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.VectorIndex.__init__, "__kwdefaults__", {"flat_limit": 64})
    folder = tmp_path / "memory"
    with open_at(folder) as memory:
        memory.add_many([capital(f"Land {i}", f"Town {i}") for i in range(80)])
        id = tell(memory)
        memory.snapshot()
        before, kept = memory.digest(), ids(memory)
        assert len(bytes_that_tell(folder)) >= 3  # journal, books and audit log
        plan = memory.preview_purge(id)
        assert {r.id for r in plan.records} == {id} and len(plan.records) == 3
        made = memory.purge(id)
        assert made.complete and made.searched and len(made.records) == 3
        assert not any(each.found for each in (*made.files, *made.tables))
        assert {"journal.sqlite", "audit.jsonl", "serving.sqlite3"} <= {f.name for f in made.files}
        assert made.before != made.after and made.salt not in json.dumps(
            list(memory.history()), default=str
        )
        assert bytes_that_tell(folder) == []
        assert sound(memory) and memory.digest() == before and ids(memory) == kept
        asked, proposed, audit, lines = told_of(memory)
        assert asked == ["What is the capital of France?", "[purged]"]
        assert proposed == [{"prompt": "The capital of Spain is"}, {"text": "[purged]"}]
        assert audit.problems == () and audit.lines == 2
        assert lines[-1]["query"].startswith("[purged ") and lines[-1]["id"] == id
        events = memory.history(id)
        assert [e.kind for e in events][-3:] == ["purge"] * 3 and events[0].kind == "add"
        assert {e.record.edit.prompt for e in events} == {"[purged]"}
        told = {f"sha256 {each.sha256}" for each in made.records}
        assert {e.reason for e in events} == {"", *told}
        with pytest.raises(UnknownEditError):
            memory.purge(id)
    with open_at(folder) as memory:  # a snapshot from before is not used again
        assert sound(memory) and bytes_that_tell(folder) == []


def test_no_version_brings_it_back() -> None:
    memory = open_at(None)
    memory.add(capital("France"))
    made = memory.add(secret_edit())
    version = memory.version
    memory.add(capital("Spain"))
    memory.purge(made.id)
    assert [r.edit.subject for r in memory.at(version).records()] == ["France"]
    memory.restore(version)
    assert [r.edit.subject for r in memory.records()] == ["France"] and sound(memory)
    again = memory.add(secret_edit())  # whoever says it again, says it again
    assert again.status == "added" and memory.get(made.id).edit == secret_edit() and sound(memory)
    assert not memory.search(["What is the capital of Spain?"])[0][0].record.edit.subject == "Spain"


def test_a_subject_a_namespace_and_what_only_names_it() -> None:
    memory = open_at(None)
    subject, value = secret()
    memory.add(secret_edit())
    memory.add(Edit(f"{subject.upper()} works for", "Acme Works", subject.upper()))
    other = memory.add(Edit(f"The boss of {subject} is", "Bo", None))
    elsewhere = memory.add(secret_edit(), namespace="other")
    plan = memory.preview_purge(subject=subject)
    assert len(plan.records) == 2 and [r.id for r in plan.mentions] == [other.id]
    made = memory.purge(subject=subject)
    assert len(made.records) == 2 and made.shared  # another tenant says it too
    assert ids(memory) == [other.id, elsewhere.id] and sound(memory)
    memory.purge(namespace="other", everything=True)
    assert memory.namespaces() == {"default": 1} and sound(memory)
    with pytest.raises(InvalidInputError):
        memory.purge()
    with pytest.raises(UnknownEditError, match="never was"):
        memory.purge(other.id, "f00")
    assert len(memory) == 1


def test_what_others_share_stays_and_ids_are_never_given_again() -> None:
    memory = open_at(None)
    memory.add(capital("France"))
    own = memory.add(Edit("Ada was born in", "Rome Rome", "Ada"), namespace="x")
    twin = Edit(f"{secret()[0]} is by birth", "Roman citizen", secret()[0], id=secret()[0])
    memory.purge(memory.add(twin).id)
    assert memory.history()[-1].record.id == "purged-3"  # the id said it
    newer = memory.add(Edit("Bo was born in", "Oslo Oslo", "Bo"))
    assert sound(memory) and ids(memory) == ids(memory, "default")[:1] + [own.id, newer.id]
    memory.purge(newer.id)
    assert memory.add(capital("Spain")).status == "added" and sound(memory)


def test_history_skips_what_was_purged() -> None:
    memory = open_at(None)
    made = [memory.add(capital("France", city)) for city in ("Lyon", "Nice", "Brest")]
    assert memory.purge(made[1].id).complete
    (old,) = memory._replaced(made[2].record)
    assert old.record.edit.target_new == "Lyon"
    memory.purge(made[0].id)
    assert memory._replaced(made[2].record) == []


def test_one_of_several_values_goes_and_the_others_stay() -> None:
    memory = open_at(None)
    named = "Bo Quibble speaks"
    made = [
        memory.add(Edit(named, value, "Bo Quibble", excluded=("Bo who?",), multiple=True))
        for value in ("Old Norse", "Middle Dutch")
    ]
    assert [r.id for r in memory.preview_purge(made[0].id).mentions] == [made[1].id]
    told = memory.purge(made[0].id)
    assert told.complete and ids(memory) == [made[1].id] and sound(memory)
    assert memory.get(made[1].id).edit.multiple


def test_the_ids_that_it_rests_on_are_those_of_others(tmp_path: Path) -> None:
    with open_at(tmp_path / "memory") as memory:
        reason = memory.add(capital("France"))
        tables = tables_of(memory)
        audit = AuditLog.of(memory, tables)
        with audit.change(WHO, "create", "default", id=reason.id):
            pass
        tables.close()
        subject, value = secret()
        made = memory.add(Edit(f"{subject} works in", value, subject, because_of=(reason.id,)))
        told = memory.purge(made.id)
        assert told.complete and told.searched
        assert reason.id in (tmp_path / "memory" / "audit.jsonl").read_text("utf-8")
        assert memory.get(reason.id).edit == capital("France") and sound(memory)


def test_a_part_of_anothers_word_is_not_said_by_it(tmp_path: Path) -> None:
    with open_at(tmp_path) as memory:
        made = memory.add(Edit("Annabel-Lee Quibbleworth lives in", "Oslo", "Annabel-Lee Quibble"))
        memory.add(Edit("Annabel-Lee Quibblesworth works in", "Oslo"))
        tables = tables_of(memory)
        Desk(tables).report(WHO, "default", "other", "Is Annabel-Lee Quibble in?", None, None)
        tables.close()
        told = memory.purge(made.id)
        assert told.complete and told.shared == 1  # Oslo
        assert told_of(memory)[0] == ["[purged]"] and sound(memory)


@pytest.mark.parametrize("spare", [0, 1_000])
def test_what_files_are_searched_for_stands_in_no_other_edit(spare: int) -> None:
    texts = ["Ada Lovelace-Kingston", "Mary Shelley-Godwin", "Grace Hopper-Murray", "ADA lovelace"]
    others = [["Ada Lovelace-Kingston was born in"], ["They met Mary Shelley-Godwinsson"]]
    found = Texts.left([*texts, *map(str, range(spare))], others)
    assert found.searched == ("Grace Hopper-Murray",) and found.shared == 2
    assert set(texts[1:3]) <= set(found.own) and len(found.own) == 2 + spare
    assert found.are_in("who is mary shelley-godwin?") and not found.are_in("Ada Lovelace")


@pytest.mark.parametrize("ascii", [True, False])
def test_a_text_is_found_within_json_of_whatever_letters(ascii: bool) -> None:
    text = 'Zoë said "never"\nand left'
    once = json.dumps(text, ensure_ascii=ascii)
    for content in (text, once, json.dumps(once, ensure_ascii=ascii)):
        assert Texts.left([text], []).are_within(content.encode())


def test_files_may_go_while_they_are_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"{name}: {secret()[0]}")
    texts = Texts.left([secret()[0]], [])
    holds = scanning._holds

    def others_remove_b(file: Path, given: Texts) -> bool:
        (tmp_path / "b").unlink(missing_ok=True)
        return holds(file, given)

    monkeypatch.setattr(scanning, "_holds", others_remove_b)
    assert [(f.name, f.found) for f in scanning.scan_files(tmp_path, texts)] == [
        ("a", True), ("c", True),
    ]  # fmt: skip


def test_read_only_nothing_goes_anywhere(tmp_path: Path) -> None:
    with open_at(tmp_path) as memory:
        id = tell(memory)
        before = told_of(memory)
    with EditMemory(tmp_path, HashingEncoder(16), read_only=True) as memory:
        assert len(memory.preview_purge(id).records) == 3
        with pytest.raises(MemoryStoreError, match="read_only"):
            memory.purge(id)
        assert memory.finish_purge() is None and told_of(memory) == before


BOOKS, SCANNING = "memedit.serving.ledger.erasing:Books", "memedit.memory.erasing.scanning"
POINTS = [
    (BOOKS, "erase", 1, False),
    ("memedit.memory.journal.erasing", "erase", 1, False),
    (BOOKS, "erase", 2, True),
    (BOOKS, "compact", 1, True),
    (SCANNING, "sweep", 1, True),
    (SCANNING, "scan_tables", 1, True),
]


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "name", "nth", "gone"), POINTS)
def test_killed_anywhere_it_is_undone_or_goes_on(
    tmp_path: Path, owner: str, name: str, nth: int, gone: bool
) -> None:
    folder = tmp_path / "memory"
    with open_at(folder) as memory:
        memory.add(capital("France"))
        id = tell(memory)
        kept = memory.digest()

    child = fork(purge, str(folder), id, owner, name, nth)
    child.wait()
    assert child.process.exitcode == 9
    with open_at(folder) as memory:
        history = [e.kind for e in memory.history(id)]
        assert ("purge" in history) == gone
        problems = memory.verify().problems
        done = name == "scan_tables"  # all that is left is to say so
        assert bool(problems) == (gone and not done) and all("interrupted" in p for p in problems)
        if not gone:
            assert memory.purge(id).complete
        elif not done:
            made = memory.finish_purge() if nth == 1 else memory.purge(id)
            assert made is not None and made.complete
            assert len(made.records) == 3 and made.searched == 0  # what it was is known no more
        assert memory.finish_purge() is None
        assert sound(memory) and memory.digest() == kept
        assert told_of(memory)[2].problems == ()
    assert bytes_that_tell(folder) == []


def test_finished_after_a_kill_what_was_said_meanwhile_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: a report of the edit that came in while it was purged stayed for good."""
    with open_at(tmp_path / "memory") as memory:
        memory.add(capital("France"))
        id = tell(memory)

        def meanwhile(*_: Any) -> None:
            desk = Desk(tables_of(memory))
            desk.report(WHO, "default", "wrong_answer", f"Where is {secret()[0]}?", id, None)
            desk.close()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(memory._store, "follow", meanwhile)
            with pytest.raises(KeyboardInterrupt):
                memory.purge(id)
        assert bytes_that_tell(tmp_path / "memory")
        made = memory.finish_purge()
        assert made is not None and made.complete and [r.id for r in made.records] == [id] * 3
        asked, _, audit, _ = told_of(memory)
        assert "What is the capital of France?" in asked and audit.problems == ()
    assert bytes_that_tell(tmp_path / "memory") == []


def check_random_purges(rounds: int, seed: int) -> None:
    """Random purges among other work, against a dictionary."""
    chance, memory = random.Random(seed), open_at(None)
    known: dict[str, str] = {}
    for step in range(rounds):
        for _ in range(3):
            number = chance.randrange(40)
            made = memory.add(capital(f"Land{number}", f"Town{chance.randrange(9)}"))
            for old in made.superseded:
                known.pop(old.id)
            known[made.id] = made.record.edit.statement
        if known and chance.random() < 0.3:
            memory.forget(gone := chance.choice(list(known)))
            known.pop(gone)
        ever = {e.record.id for e in memory.history() if e.record.edit.prompt != "[purged]"}
        memory.purge(one := chance.choice(sorted(ever)))
        known.pop(one, None)
        assert {r.id: r.edit.statement for r in memory.records()} == known, step
    for id, statement in known.items():
        subject = memory.get(id).edit.subject
        hits = memory.search([f"The capital of {subject} is"], k=1)[0]
        assert statement in {hit.record.edit.statement for hit in hits}
    assert sound(memory)


def test_random_purges_lose_nothing_else() -> None:
    check_random_purges(12, seed=1)


@pytest.mark.slow
def test_many_random_purges_lose_nothing_else() -> None:
    check_random_purges(int(os.environ.get("MEMEDIT_PURGES", "60")), seed=2)


def test_an_older_backup_does_not_bring_it_back(tmp_path: Path) -> None:
    place, kept = tmp_path / "memory", tmp_path / "backup"
    with open_at(place) as memory:
        france, id = memory.add(capital("France")), tell(memory)
    backup(place, kept)
    with open_at(place) as memory:
        memory.add(capital("Spain"))
        made = memory.purge(id)
    report = restore(kept, place, replace=True)
    assert report.purged == len(made.records) == 3 and bytes_that_tell(place) == []
    with open_at(place) as memory:
        assert ids(memory) == [france.id] and sound(memory)
    with open_at(kept) as memory:  # the backup itself is a memory, and stays sealed
        assert memory.purge(id).complete and sound(memory)
    assert bytes_that_tell(kept) == []
    fresh = tmp_path / "fresh"
    assert restore(kept, fresh).purged == 0 and bytes_that_tell(fresh) == []


# -- a memory that several processes follow -------------------------------------------------------


@pytest.fixture
def three(pg_memory: str) -> Iterator[list[EditMemory]]:
    opened = [open_at(pg_memory) for _ in range(3)]
    yield opened
    for memory in opened:
        memory.close()


def said_in_ram() -> list[str]:
    """Texts with the secret that objects of this process still hold."""
    gc.collect()
    needle = "".join(NAME)
    found: list[str] = []
    for holder in gc.get_objects():
        if type(holder) in (dict, list, tuple, set):  # asking others runs their code
            for each in gc.get_referents(holder):
                if type(each) is str and needle in each:
                    found.append(each)
    return found


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_postgres_and_three_replicas_drop_it(
    three: list[EditMemory], pg: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "_PATIENCE", LONG)  # of copies on a busy machine
    one = three[0]
    one.add(capital("France"))
    id = tell(one)
    memory_id = pg.run("SELECT value FROM meta WHERE name = 'memory'", str(one.address))[0][0]
    acknowledged = one._store.journal.database.acknowledged
    with psycopg.connect(pg.url, application_name=f"memedit {memory_id} abc"):
        until(lambda: len(acknowledged(memory_id)) == 3)  # the fault: a ValueError
    live = one.add(Edit(f"The mother of {secret()[0]} is", "".join(["Mary ", *NAME])))
    assert all(memory.wait_for(live.version, LONG) for memory in three)
    for memory in three:
        memory.snapshot()
    data = pg.folder / "data" / "base"
    pg.run("CHECKPOINT")
    assert bytes_that_tell(data)
    made: list[Certificate] = [one.purge(id), one.purge(live.id)]
    del live
    assert [each.problems for each in made] == [(), ()]
    assert sum(r.acknowledged for r in made[1].replicas) >= 3
    assert all(memory.wait_for(made[1].version, LONG) for memory in three)
    assert [ids(memory) for memory in three] == [ids(one)] * 3 and all(map(sound, three))
    pg.run("CHECKPOINT")
    until(lambda: bytes_that_tell(data, tmp_path) == [])
    until(lambda: said_in_ram() == [])
    assert told_of(one)[2].problems == ()
