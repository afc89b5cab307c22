"""Erasure over HTTP: who may, what is answered, what stays in the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memedit.memory import EditMemory
from memedit.serving.keys import KeyRing, make_key
from memedit.serving.ledger.audit import AuditLog
from memedit.serving.ledger.tables import tables_of
from tests.serving.helpers import CAPITAL, ring, run, tiny_service, within
from tests.serving.routes.test_edits import ok

SECRET = {"prompt": "Zoe Quibbleworth lives in", "target_new": "Zanzibarville",
          "subject": "Zoe Quibbleworth"}  # fmt: skip
BY_SUBJECT = {"subject": "Zoe Quibbleworth"}


def telling(folder: Path) -> list[str]:
    return [f.name for f in folder.rglob("*") if f.is_file() and b"Quibble" in f.read_bytes()]


def test_an_admin_purges_and_the_books_keep_who_did_it(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    held, (admin, editor), _ = ring(["admin"], ["edit", "read"])

    async def run_it() -> None:
        async with within(tiny_service(folder, keys=held), admin) as client:
            plain = {"Authorization": f"Bearer {editor}"}
            kept = ok(await client.post("/v1/edits", json=CAPITAL), 201)
            made = ok(await client.post("/v1/edits", json=SECRET), 201)
            said = {"kind": "miss", "query": "Where is Quibbleworth?"}
            ok(await client.post(f"/v1/edits/{made['id']}/reports", json=said))
            told = {"kind": "wrong_answer", "query": "Zoe Quibbleworth?", "edit": made["id"]}
            ok(await client.post("/v1/reports", json=told), 201)
            assert len(telling(folder)) >= 2
            denied = await client.post("/v1/purge", json=BY_SUBJECT, headers=plain)
            assert denied.status_code == 403
            for vague in ({}, BY_SUBJECT | {"finish": True}, BY_SUBJECT | {"everything": True}):
                assert (await client.post("/v1/purge", json=vague)).status_code == 400
            done = ok(await client.post("/v1/purge", json=BY_SUBJECT))
            assert done["complete"] and {r["id"] for r in done["records"]} == {made["id"]}
            assert telling(folder) == []
            listed = ok(await client.get("/v1/edits"))["data"]
            assert [edit["id"] for edit in listed] == [kept["id"]]
            again = await client.post("/v1/purge", json=BY_SUBJECT)
            assert again.status_code == 404
            kinds = [e["kind"] for e in ok(await client.get("/v1/history"))["data"]]
            assert "purge" in kinds
            audit = ok(await client.get("/v1/audit"))["data"]
            mine = [e for e in audit if e["action"] == "purge" and e["phase"] == "done"]
            assert [(e["purge"], e["name"]) for e in mine] == [(done["purge"], "key 0")]
            ok(await client.post("/v1/edits", json=CAPITAL | {"target_new": "Nice"}), 201)
        assert telling(folder) == []

    run(run_it())
    with EditMemory(folder, read_only=True) as memory:
        tables = tables_of(memory)
        assert AuditLog.of(memory, tables).verify().problems == ()
        tables.close()


def test_no_purge_takes_a_name_from_the_audit_log(tmp_path: Path) -> None:
    """The fault: an edit that says a key's name, purged, took it from all that the key had done."""
    key, admin = make_key("Ann Smithson", ["admin"])
    held = KeyRing(keys=[key])

    async def run_it() -> None:
        async with within(tiny_service(tmp_path / "memory", keys=held), admin) as client:
            ok(await client.post("/v1/edits", json=CAPITAL), 201)
            for said in (key.name, key.id, "3 May 2026"):
                fact = {"prompt": "Zoe is known as", "target_new": said, "subject": "Zoe"}
                ok(await client.post("/v1/edits", json=fact), 201)
            ok(await client.post("/v1/purge", json={"subject": "Zoe"}))
            audit = ok(await client.get("/v1/audit"))["data"]
            assert len(audit) == 10
            assert {(e["key"], e["name"]) for e in audit} == {(key.id, key.name)}

    run(run_it())


def test_two_persons_where_changes_are_approved(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    held, (one, two, editor), _ = ring(["admin"], ["admin"], ["edit"])

    def as_(key: str) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {key}"}}

    async def run_it() -> None:
        async with within(tiny_service(folder, keys=held, approval=True)) as client:
            asked = ok(await client.post("/v1/edits", json=SECRET, **as_(one)), 202)["proposal"]
            ok(await client.post(f"/v1/proposals/{asked['id']}/approve", **as_(two)))
            asked = ok(await client.post("/v1/purge", json=BY_SUBJECT, **as_(one)), 202)["proposal"]
            where = f"/v1/proposals/{asked['id']}/approve"
            for key in (one, editor):  # one's own; without the scope
                assert (await client.post(where, **as_(key))).status_code == 403
            done = ok(await client.post(where, **as_(two)))
            assert done["state"] == "approved" and done["outcome"]["complete"]
            assert ok(await client.get("/v1/edits", **as_(one)))["data"] == []
        assert telling(folder) == []

    run(run_it())
