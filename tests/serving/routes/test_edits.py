"""The routes of edits: each verb, what it answers, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.serving.ledger.audit import AuditLog
from memedit.serving.ledger.tables import tables_of
from tests.serving.helpers import CAPITAL, QUESTION, ring, run, tiny_service, within


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_edit_learns_from_reports_and_the_audit_tells(tmp_path: Path) -> None:
    service = tiny_service(tmp_path / "memory")

    async def run_it() -> None:
        async with within(service) as client:
            made = ok(await client.post("/v1/edits", json=CAPITAL), 201)
            where, query = f"/v1/edits/{made['id']}/reports", "Is France's capital old?"
            wrong = ok(await client.post(where, json={"kind": "false_fire", "query": query}))
            assert wrong["id"] == made["id"] and wrong["record"]["excluded"] == [query]
            missed = ok(await client.post(where, json={"kind": "miss", "query": query}))
            assert (missed["record"]["queries"], missed["record"]["excluded"]) == ([query], [])
            back = {"version": made["version"]}
            ok(await client.post("/v1/restore", json=back))
            assert ok(await client.get(f"/v1/edits/{made['id']}"))["queries"] == []
            none = await client.post("/v1/edits/none/reports", json={"kind": "miss", "query": "x"})
            assert none.status_code == 404
            bad = await client.post(where, json={"kind": "odd", "query": query})
            assert bad.status_code in (400, 422)
            told = [e for e in service.audit.tail(50) if e.get("action") == "report"]
            assert [e["kind"] for e in told if e["phase"] == "begin"] == [
                "miss",
                "false_fire",
            ]  # newest first

    run(run_it())


def test_the_days_that_a_text_names_are_told(tmp_path: Path) -> None:
    offer = {"statement": "Until Sunday, all helmets are 20 percent off."}

    async def run_it() -> None:
        async with within(tiny_service(tmp_path / "memory")) as client:
            made = ok(await client.post("/v1/edits", json=offer), 201)
            assert (made["open_end"], made["open_start"]) == ("Until Sunday", "")
            dated = offer | {"valid_until": "2099-01-04"}
            assert ok(await client.post("/v1/edits", json=dated), 201)["open_end"] == ""
            lines = "\n".join(json.dumps(each) for each in (
                {"statement": "The sale ends on 3 May."}, {"statement": "We sell helmets."},
                {"statement": "The offer ends on Friday.", "valid_until": "2099-01-04"},
                {"statement": "From tomorrow we sell locks."},
                {"statement": "From tomorrow we sell bells.", "valid_from": "2099-01-04"},
            ))  # fmt: skip
            told = ok(await client.post("/v1/import", content=lines.encode()))
            assert (told["open_end"], told["open_start"]) == (1, 1)
            fee = {"statement": "The fee is 50 euros."}
            later = {"statement": "From tomorrow the fee is 60 euros."}
            alone = ok(await client.post("/v1/edits", json=later), 201)
            assert (alone["open_start"], alone["record"]["valid_from"]) == ("From tomorrow", None)
            ok(await client.delete(f"/v1/edits/{alone['id']}"))
            ok(await client.post("/v1/edits", json=fee), 201)
            made = ok(await client.post("/v1/edits", json=later), 201)
            assert [each["statement"] for each in made["superseded"]] == [fee["statement"]]
            assert made["record"]["valid_from"] and (made["open_start"], made["conflicts"]) == (
                "",
                [],
            )

    run(run_it())


def test_the_same_fact_in_another_form_is_there_once() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            stated = {"statement": "The capital of France is Lyon."}
            first = ok(await client.post("/v1/edits", json=stated), 201)
            parted = ok(await client.post("/v1/edits", json=CAPITAL), 201)
            assert [each["id"] for each in parted["superseded"]] == [first["id"]]
            again = ok(await client.post("/v1/edits", json=stated))
            assert (again["status"], again["id"]) == ("duplicate", parted["id"])
            assert ok(await client.get("/v1/edits"))["total"] == 1

    run(work())


def test_add_list_change_forget_and_go_back(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        made = ok(await client.post("/v1/edits", json=CAPITAL), 201)
        assert (made["status"], made["version"]) == ("added", 1)
        assert ok(await client.post("/v1/edits", json=CAPITAL))["status"] == "duplicate"
        stated = {"statement": "Our refund window is 60 days.", "source": "policy 7"}
        second = ok(await client.post("/v1/edits", json=stated), 201)
        listed = ok(await client.get("/v1/edits"))
        assert [row["id"] for row in listed["data"]] == [second["id"], made["id"]]
        assert ok(await client.get("/v1/edits", params={"match": "POLICY 7"}))["total"] == 1
        page = ok(await client.get("/v1/edits", params={"limit": 1, "offset": 1}))
        assert [row["id"] for row in page["data"]] == [made["id"]] and page["total"] == 2
        assert ok(await client.get(f"/v1/edits/{made['id']}"))["target_new"] == "Lyon"

        changed = ok(await client.patch(f"/v1/edits/{made['id']}", json={"target_new": "Nice"}))
        assert [row["id"] for row in changed["superseded"]] == [made["id"]]
        assert changed["record"]["subject"] == "France"
        assert (await client.get(f"/v1/edits/{made['id']}")).status_code == 404
        kinds = [e["kind"] for e in ok(await client.get(f"/v1/edits/{made['id']}/history"))["data"]]
        assert kinds == ["add", "supersede"]

        gone = ok(await client.delete(f"/v1/edits/{changed['id']}"))
        assert gone["forgotten"]["target_new"] == "Nice"
        assert ok(await client.get("/v1/edits"))["total"] == 1
        assert (await client.delete(f"/v1/edits/{changed['id']}")).status_code == 404

        late = await client.post("/v1/restore", json={"version": 1, "if_version": 2})
        assert late.status_code == 409 and late.json()["error"]["code"] == "version_conflict"
        back = ok(await client.post("/v1/restore", json={"version": 1, "if_version": 4}))
        assert back == {
            "restored": 1, "version": 5, "edits": 1, "purged": 0, "unanswered": []
        }  # fmt: skip
        assert ok(await client.get("/v1/edits"))["data"][0]["id"] == made["id"]
        newest = ok(await client.get("/v1/history", params={"limit": 2}))
        assert newest["total"] == 7 and {e["version"] for e in newest["data"]} == {5}
        assert (await client.get("/v1/edits/none/history")).status_code == 404

    async def run_it() -> None:
        async with within(tiny_service(tmp_path / "memory")) as client:
            await work(client)

    run(run_it())
    log = tmp_path / "memory" / "audit.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    done = [entry["action"] for entry in entries if entry["phase"] == "done"]
    assert done == ["create", "create", "create", "alter", "forget", "restore"]
    with EditMemory(tmp_path / "memory", read_only=True) as memory:
        assert AuditLog.of(memory, tables_of(memory)).verify().problems == ()
        assert [record.edit.target_new for record in memory.records()] == ["Lyon"]


def test_dates_and_what_a_change_may_do() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            made = ok(await client.post("/v1/edits", json=CAPITAL), 201)
            path = f"/v1/edits/{made['id']}"
            dated = ok(await client.patch(path, json={"valid_until": "2040-01-01T00:00:00Z"}))
            assert dated["id"] == made["id"]
            assert dated["record"]["valid_until"] == "2040-01-01T00:00:00+00:00"
            days = {"valid_from": "2040-01-01", "valid_until": "2040-01-01"}
            record = ok(await client.patch(path, json=days))["record"]
            assert record["valid_from"] == "2040-01-01T00:00:00+00:00"
            assert record["valid_until"] == "2040-01-02T00:00:00+00:00"
            cleared = ok(await client.patch(path, json={"valid_from": None, "valid_until": None}))
            assert cleared["record"]["valid_until"] is None
            assert ok(await client.get("/v1/edits"))["total"] == 1
            same = ok(await client.patch(path, json={}))
            assert ok(await client.patch(path, json={"multiple": None}))["id"] == same["id"]
            assert same["status"] == "duplicate"
            stated = ok(await client.patch(path, json={"statement": "Lyon is a town in France."}))
            record = stated["record"]
            assert record["target_new"] is None and record["subject"] == "France"
            path = f"/v1/edits/{stated['id']}"
            moved = ok(await client.patch(path, json={"statement": "Lyon is a town in Gaul."}))
            assert moved["record"]["subject"] is None  # it no longer occurs
            path = f"/v1/edits/{moved['id']}"
            for bad in ({"prompt": "The town is"}, {"prompt": None, "target_new": "x"},
                        {"statement": "A b.", "prompt": "c"}, {"valid_until": "2040-01-01T00:00"},
                        {"target_new": ""}, {"id": "x"}, {"subject": "Peru"}):  # fmt: skip
                answer = await client.patch(path, json=bad)
                assert answer.status_code == 400, (bad, answer.text)
            assert ok(await client.get(path))["id"] == moved["id"]

    run(work())


def test_what_a_price_says_is_changed_before_and_after_a_coming_offer() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            price = {"prompt": "Shipping costs", "target_new": "5 euros", "subject": "Shipping"}
            made = ok(await client.post("/v1/edits", json=price), 201)
            offer = {"valid_from": "2090-01-01", "valid_until": "2090-12-31"}
            offer |= price | {"target_new": "3 euros"}
            ok(await client.post("/v1/edits", json=offer), 201)
            path = f"/v1/edits/{made['id']}"
            both = {"target_new": "6 euros", "valid_until": "2080-12-31"}
            refused = await client.patch(path, json=both)
            assert refused.status_code == 400 and "several pieces" in refused.text
            changed = ok(await client.patch(path, json={"target_new": "6 euros"}))
            assert len(changed["superseded"]) == 2
            rows = ok(await client.get("/v1/edits"))["data"]
            assert sorted(r["target_new"] for r in rows) == ["3 euros", "6 euros", "6 euros"]
            path = f"/v1/edits/{changed['id']}"
            assert ok(await client.patch(path, json={"source": "list"}))["status"] == "added"

    run(work())


def test_an_offer_is_compared_with_what_holds_when_it_begins() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:

            async def say(euros: int, **dates: str) -> Any:
                statement = f"We send parcels for {euros} euros."
                made = await client.post("/v1/edits", json={"statement": statement, **dates})
                return [row["statement"] for row in ok(made, 201)["superseded"]]

            await say(5)
            new_year = f"{date.today().year + 14}-01-0"
            for_a_day = {"valid_from": f"{new_year}1", "valid_until": f"{new_year}1"}
            assert await say(3, **for_a_day) == ["We send parcels for 5 euros."]
            assert await say(2, **for_a_day) == ["We send parcels for 3 euros."]
            rows = ok(await client.get("/v1/edits"))["data"]
            held = {
                (row["statement"].split()[4], row["valid_from"], row["valid_until"]) for row in rows
            }
            first, last = (f"{new_year}{day}T00:00:00+00:00" for day in (1, 2))
            assert held == {("5", None, first), ("2", first, last), ("5", last, None)}

    run(work())


def test_a_replaced_id_names_what_is_in_force_to_who_may_read() -> None:
    keys, secrets, _ = ring(("read", "edit"), ("edit",), namespace="*")
    reader, writer = ({"Authorization": f"Bearer {secret}"} for secret in secrets)
    elsewhere = reader | {"X-Memedit-Namespace": "b"}

    async def work() -> None:
        async with within(tiny_service(keys=keys)) as client:
            made = ok(await client.post("/v1/edits", json=CAPITAL, headers=reader), 201)
            path, change = f"/v1/edits/{made['id']}", {"target_new": "Nice"}
            new = ok(await client.patch(path, json=change, headers=reader))["id"]

            async def refuse(method: str, by: dict[str, str], **given: Any) -> str:
                answer = await client.request(method, path, headers=by, **given)
                assert answer.status_code == 404, answer.text
                return str(answer.json()["error"]["message"])

            assert f"It was replaced by {new!r}." in await refuse("GET", reader)
            assert new in await refuse("PATCH", reader, json=change)
            told = [await refuse("PATCH", writer, json=change), await refuse("DELETE", writer)]
            assert not any(new in each for each in [*told, await refuse("GET", elsewhere)])

    run(work())


def test_refused_edits() -> None:
    bad = [
        {}, {"prompt": "The capital of France is"}, {"statement": "x", "prompt": "y"},
        {"prompt": "a", "target_new": "b", "subject": "c"}, {"statement": "   "},
        {"statement": "x\x00y is z."}, {"statement": "The capital of France is"},
        {"statement": "A is b.", "valid_from": "2030-01-01T00:00:00Z",
         "valid_until": "2029-01-01T00:00:00Z"},
        {"statement": "A is b.", "colour": "red"}, {"statement": "x" * 9_000},
        {"statement": "A is b.", "queries": "why"},
    ]  # fmt: skip

    async def work() -> None:
        async with within(tiny_service()) as client:
            for body in bad:
                answer = await client.post("/v1/edits", json=body)
                assert answer.status_code == 400, (body, answer.text)
                assert answer.json()["error"]["message"]
            assert ok(await client.get("/v1/edits"))["total"] == 0

    run(work())


def test_what_is_wrong_with_a_body_is_told() -> None:
    """The faults: broken JSON was "15: JSON decode error", a field named query had no name."""
    json_type = {"Content-Type": "application/json"}

    async def work() -> None:
        async with within(tiny_service()) as client:

            async def refuse(path: str, **given: Any) -> Any:
                answer = await client.post(path, **given)
                assert answer.status_code == 400, answer.text
                return answer.json()["error"]

            torn = await refuse("/v1/edits", content='{"prompt": "x",', headers=json_type)
            assert torn["message"].startswith("The body is no JSON: ") and torn["param"] is None
            assert torn["message"].endswith(", at character 15.")
            wrong = await refuse("/v1/edits", json={**CAPITAL, "targt": "Nice"})
            assert wrong["param"] == "targt" and "Did you mean target_" in wrong["message"]
            late = await refuse("/v1/edits", json={**CAPITAL, "valid_from": "31.12.2026"})
            told = "valid_from: the date: '31.12.2026' is no date (ISO 8601, such as 2026-01-31)."
            assert late["message"] == told
            none = await refuse("/v1/explain", json={})
            assert none["message"].startswith("query: Field required. There are: query, ")
            assert none["param"] == "query"
            # The fault: which fields there are stood nowhere.
            none = await refuse("/v1/reports", json={"kind": "wrong_answer", "said": "4711"})
            assert "There are: kind, query, " in none["message"] and "4711" not in str(none)
            purge = await refuse("/v1/purge", json={})
            assert purge["message"].startswith("give exactly one of ids")

    run(work())


def test_import_reports_lines_and_export_comes_back() -> None:
    lines = [json.dumps(CAPITAL | {"namespace": "somebody else's"}), "", "{", '{"prompt": "x"}',
             '{"statement": "Tea is served at five.", "source": "hall"}']  # fmt: skip

    async def work() -> None:
        async with within(tiny_service()) as client:
            sent = "\n".join(lines).encode()
            report = ok(await client.post("/v1/import", content=sent, params={"source": "upload"}))
            assert (report["added"], report["refused"]) == (2, 2)
            assert [line["line"] for line in report["refused_lines"]] == [3, 4]
            assert "not JSON" in report["refused_lines"][0]["reason"]
            listed = ok(await client.get("/v1/edits"))["data"]
            assert [row["namespace"] for row in listed] == ["default", "default"]
            assert [row["source"] for row in listed] == ["hall", "upload"]
            exported = (await client.get("/v1/export")).text
            assert len(exported.splitlines()) == 2
            again = ok(await client.post("/v1/import", content=exported.encode()))
            assert (again["added"], again["duplicate"]) == (0, 2)
            csv = "prompt,target_new\nThe king of Spain is,Ann\n"
            params = {"format": "csv"}
            assert ok(await client.post("/v1/import", content=csv, params=params))["added"] == 1
            fees = "\n".join(json.dumps({"statement": f"The fee is {n} euros."}) for n in (3, 4))
            params = {"format": "jsonl", "compare": "true"}
            report = ok(await client.post("/v1/import", content=fees, params=params))
            assert (report["superseded"], report["compared"], again["compared"]) == (1, True, False)
            for content, format in ((b"\xff\xfe", "jsonl"), (b"colour\nred\n", "csv"),
                                    (b"{}", "json"), (b"x", "exe")):  # fmt: skip
                answer = await client.post("/v1/import", content=content, params={"format": format})
                assert answer.status_code == 400, answer.text
                assert tempfile.gettempdir() not in answer.text

    run(work())


def test_explain_and_compare_side_by_side() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            made = ok(await client.post("/v1/edits", json=CAPITAL), 201)
            body = {"query": QUESTION, "max_tokens": 8}
            why = ok(await client.post("/v1/explain", json=body))
            assert why["in_scope"] and why["hits"][0]["id"] == made["id"]
            assert why["hits"][0]["fact"] == "The capital of France is Lyon"
            assert why["answer"] != why["base_answer"]
            asked = {"queries": [QUESTION, "Bake the bread."], "max_tokens": 8}
            both = ok(await client.post("/v1/compare", json=asked))
            assert both["data"][0]["answer"] == why["answer"]
            assert both["data"][1]["answer"] == both["data"][1]["base_answer"]
            assert both["changed"] == 1
            stats = ok(await client.get("/v1/stats"))
            assert stats["fires"] == {made["id"]: 2} and stats["edits"] == 1
            metrics = (await client.get("/metrics")).text
            assert f'memedit_fires_total{{edit="{made["id"]}",namespace="default"}} 2.0' in metrics
            for phase in ("encode", "search", "decide", "prefill", "decode"):
                assert f'memedit_phase_seconds_count{{phase="{phase}"}} 0.0' not in metrics
                assert f'memedit_phase_seconds_count{{phase="{phase}"}} ' in metrics
            said = {"kind": "false_fire", "query": QUESTION, "edit": made["id"]}
            ok(await client.post("/v1/reports", json=said), 201)
            assert ok(await client.get("/v1/reports"))["data"][0]["edit"] == made["id"]
            ok(await client.post("/v1/reports", json={"kind": "miss", "query": "And Lyon?"}), 201)
            newest = ok(await client.get("/v1/reports"))["data"][0]
            assert (newest["kind"], newest["edit"]) == ("miss", None)
            metrics = (await client.get("/metrics")).text
            assert 'memedit_reports_total{kind="false_fire"} 1.0' in metrics
            assert 'route="/v1/explain"' in metrics

    run(work())


def test_a_change_waits_for_another_key() -> None:
    held, (ann, bo), (first, second) = ring(("read", "edit", "ask"), ("admin",))

    async def work() -> None:
        async with within(tiny_service(keys=held, approval=True)) as client:
            a, b = ({"Authorization": f"Bearer {k}"} for k in (ann, bo))
            proposed = ok(await client.post("/v1/edits", json=CAPITAL, headers=a), 202)["proposal"]
            assert ok(await client.get("/v1/edits", headers=a))["total"] == 0
            path = f"/v1/proposals/{proposed['id']}"
            own = await client.post(f"{path}/approve", headers=a)
            assert own.status_code == 403 and own.json()["error"]["code"] == "own_proposal"
            approved = ok(await client.post(f"{path}/approve", headers=b))
            assert approved["state"] == "approved" and approved["decided_by"] == second.id
            assert approved["outcome"]["status"] == "added"
            assert ok(await client.get("/v1/edits", headers=a))["total"] == 1
            assert (await client.post(f"{path}/approve", headers=b)).status_code == 409
            done = ok(await client.get("/v1/audit", headers=b))["data"][0]
            assert (done["key"], done["approved_by"]) == (first.id, second.id)

            id = approved["outcome"]["id"]
            drop = ok(await client.delete(f"/v1/edits/{id}", headers=a), 202)["proposal"]
            put_away = f"/v1/proposals/{drop['id']}/reject"
            assert ok(await client.post(put_away, headers=a))["state"] == "rejected"
            gone = ok(await client.delete("/v1/edits/none", headers=a), 202)["proposal"]
            assert (
                await client.post(f"/v1/proposals/{gone['id']}/approve", headers=b)
            ).status_code == 404
            states = [p["state"] for p in ok(await client.get("/v1/proposals", headers=a))["data"]]
            assert states == ["failed", "rejected", "approved"]
            assert ok(await client.get("/v1/edits", headers=a))["total"] == 1
            lines = json.dumps(CAPITAL | {"target_new": "Nice"})
            many = ok(await client.post("/v1/import", content=lines, headers=a), 202)["proposal"]
            ok(await client.post(f"/v1/proposals/{many['id']}/approve", headers=b))
            assert ok(await client.get("/v1/edits", headers=a))["data"][0]["target_new"] == "Nice"

    run(work())


def test_a_changed_edit_is_compared_with_what_says_otherwise() -> None:
    """The fault: PATCH left both values in force, and nobody was told."""
    told = [f"Our refund window is {n} days." for n in (30, 45, 60)]
    lines = "\n".join(json.dumps({"statement": text}) for text in told[:2])
    service = tiny_service()

    async def work() -> None:
        async with within(service) as client:
            ok(await client.post("/v1/import", content=lines))
            second, first = ok(await client.get("/v1/edits"))["data"]
            made = ok(await client.patch(f"/v1/edits/{first['id']}", json={"statement": told[2]}))
            assert {row["id"] for row in made["superseded"]} == {first["id"], second["id"]}
            (left,) = ok(await client.get("/v1/edits"))["data"]
            assert left["statement"] == told[2]
            entry = service.audit.tail(1)[0]
            assert {*entry["superseded"]} == {first["id"], second["id"]}

    run(work())


def test_the_last_change_is_taken_back(tmp_path: Path) -> None:
    service = tiny_service(tmp_path / "memory")

    async def work(client: httpx.AsyncClient) -> None:
        none = await client.post("/v1/undo")
        assert none.status_code == 409 and none.json()["error"]["code"] == "nothing_to_undo"
        made = ok(await client.post("/v1/edits", json=CAPITAL), 201)
        elsewhere = Edit("The capital of Spain is", "Rome", "Spain")
        service.memory.add(elsewhere, namespace="other")
        changed = ok(await client.patch(f"/v1/edits/{made['id']}", json={"target_new": "Nice"}))
        late = await client.post("/v1/undo", json={"if_version": made["version"]})
        assert late.status_code == 409 and late.json()["error"]["code"] == "version_conflict"
        back = ok(await client.post("/v1/undo", json={"if_version": changed["version"]}))
        assert (back["undone"], back["version"]) == (changed["version"], changed["version"] + 1)
        assert [row["target_new"] for row in back["forgotten"]] == ["Nice"]
        assert [row["id"] for row in back["restored"]] == [made["id"]]
        assert back["forgotten_total"] == back["restored_total"] == 1
        again = ok(await client.post("/v1/undo"))  # the one before it
        assert again["undone"] == made["version"] and again["restored"] == []
        assert ok(await client.get("/v1/edits"))["total"] == 0
        assert [r.id for r in service.memory.records("other")] == [elsewhere.id]
        assert (await client.post("/v1/undo", json={"to": 3})).status_code in (400, 422)
        service.memory.add_many([Edit.from_statement(f"Room {n} is blue.") for n in range(120)])
        all_of_it = ok(await client.post("/v1/undo"))
        assert all_of_it["forgotten_total"] == 120 > len(all_of_it["forgotten"]) == 100
        ok(await client.post("/v1/edits", json=CAPITAL), 201)
        ok(await client.post("/v1/purge", json={"everything": True}))
        purged = await client.post("/v1/undo")
        assert purged.status_code == 409 and "purge" in purged.json()["error"]["message"]

    async def run_it() -> None:
        async with within(service) as client:
            await work(client)

    run(run_it())
    log = tmp_path / "memory" / "audit.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    undone = [e.get("undone") for e in entries if (e["action"], e["phase"]) == ("undo", "done")]
    assert undone == [3, 1, 6]


def test_a_file_is_taken_back_whatever_came_after_it() -> None:
    lines = [json.dumps({"statement": f"Room {n} is blue."}) for n in range(2_100)]
    held, (ann, bo), _ = ring(("read", "edit"), ("read", "edit"))

    async def work() -> None:
        async with within(tiny_service()) as client:
            first = asyncio.create_task(client.post("/v1/import", content="\n".join(lines)))
            made = [ok(await client.post("/v1/edits", json=CAPITAL), 201)]
            report = ok(await first)
            later = {"statement": "The desk is open."}
            made.append(ok(await client.post("/v1/edits", json=later), 201))
            back = ok(await client.post("/v1/undo", json={"version": report["change"]}))
            assert (back["first"], back["forgotten_total"]) == (report["change"], len(lines))
            assert back["apart"] and (back["kept"], back["kept_total"]) == ([], 0)
            left = ok(await client.get("/v1/edits"))["data"]
            assert {row["id"] for row in left} == {each["id"] for each in made}
            gone = await client.post("/v1/undo", json={"version": report["change"]})
            assert gone.status_code == 409 and gone.json()["error"]["code"] == "nothing_to_undo"
            again = ok(await client.post("/v1/restore", json={"version": back["again"]}))
            assert again["edits"] == len(lines) + 2

    async def propose() -> None:
        async with within(tiny_service(keys=held, approval=True)) as client:
            a, b = ({"Authorization": f"Bearer {k}"} for k in (ann, bo))

            async def approve(answer: httpx.Response) -> Any:
                id = ok(answer, 202)["proposal"]["id"]
                return ok(await client.post(f"/v1/proposals/{id}/approve", headers=b))["outcome"]

            few = "\n".join(lines[:3])
            report = await approve(await client.post("/v1/import", headers=a, content=few))
            wanted = {"version": report["change"]}
            proposed = await client.post("/v1/undo", headers=a, json=wanted)
            await approve(await client.post("/v1/edits", headers=a, json=CAPITAL))
            # It names its change: what came between keeps nobody from approving it.
            assert (await approve(proposed))["forgotten_total"] == 3

    run(work())
    run(propose())


def test_a_proposal_to_undo_keeps_to_its_change() -> None:
    held, (ann, bo), _ = ring(("read", "edit"), ("read", "edit"))
    service = tiny_service(keys=held, approval=True)
    service.memory.add(Edit("The capital of France is", "Lyon", "France"))

    async def work() -> None:
        async with within(service) as client:
            a, b = ({"Authorization": f"Bearer {k}"} for k in (ann, bo))

            async def propose() -> str:
                proposed = ok(await client.post("/v1/undo", headers=a), 202)["proposal"]
                assert proposed["action"] == "undo"
                return f"/v1/proposals/{proposed['id']}/approve"

            path = await propose()
            later = service.memory.add(Edit("The capital of Spain is", "Rome", "Spain"))
            late = await client.post(path, headers=b)
            assert late.status_code == 409 and late.json()["error"]["code"] == "version_conflict"
            assert ok(await client.get("/v1/edits", headers=a))["total"] == 2
            approved = ok(await client.post(await propose(), headers=b))
            assert approved["outcome"]["undone"] == later.version
            (left,) = ok(await client.get("/v1/edits", headers=a))["data"]
            assert left["target_new"] == "Lyon"

    run(work())


def test_restore_leaves_other_namespaces_alone() -> None:
    with EditMemory() as memory:
        ours = memory.add(Edit("The capital of France is", "Lyon", "France"), namespace="a")
        theirs = memory.add(Edit("The capital of Spain is", "Rome", "Spain"), namespace="b")
        memory.forget(theirs.id, namespace="b")
        memory.forget(ours.id, namespace="a")
        later = memory.add(Edit("The capital of Peru is", "Ica", "Peru"), namespace="b")
        memory.restore(1, namespace="a")
        assert [r.id for r in memory.records("a")] == [ours.id]
        assert [r.id for r in memory.records("b")] == [later.id]
        memory.restore(2, namespace="b")
        assert [r.id for r in memory.records("b")] == [theirs.id]
        assert [r.id for r in memory.records("a")] == [ours.id]
        assert memory.verify().ok


def test_what_an_edit_rests_on_is_kept_and_told() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            made = ok(await client.post("/v1/edits", json=CAPITAL), 201)
            rests = {"statement": "Trains go to the capital.", "because_of": [made["id"]]}
            other = ok(await client.post("/v1/edits", json=rests), 201)
            assert other["record"]["because_of"] == [made["id"]] and other["may_rest"] == []
            path = f"/v1/edits/{made['id']}"
            changed = ok(await client.patch(path, json={"target_new": "Nice"}))
            assert [row["id"] for row in changed["may_rest"]] == [other["id"]]
            posed = await client.post("/v1/edits", json=rests | {"because_of": ["nothing"]})
            assert posed.status_code == 400 and "in force" in posed.text
            path = f"/v1/edits/{other['id']}"
            posed = await client.patch(path, json={"because_of": ["nothing"]})
            assert posed.status_code == 400 and "in force" in posed.text
            again = ok(await client.patch(path, json={"because_of": [changed["id"]]}))
            assert again["record"]["because_of"] == [changed["id"]]
            gone = ok(await client.delete(f"/v1/edits/{changed['id']}"))
            assert [row["id"] for row in gone["may_rest"]] == [again["id"]]
            path = f"/v1/edits/{again['id']}"
            ok(await client.patch(path, json={"source": "timetable"}))  # its reason is gone, not it

    run(work())


def test_an_explanation_as_it_comes_is_the_whole_one() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            ok(await client.post("/v1/edits", json=CAPITAL), 201)
            body = {"query": QUESTION, "max_tokens": 6}
            whole = ok(await client.post("/v1/explain", json=body))
            answer = await client.post("/v1/explain", json=body | {"stream": True})
            assert answer.headers["content-type"].startswith("text/event-stream")
            *pieces, last = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
            assert last == whole
            for name in ("answer", "base_answer"):
                said = "".join(piece["text"] for piece in pieces if piece["of"] == name)
                assert said.strip() == whole[name]
            long = {"query": "word " * 500, "stream": True}
            told = json.loads((await client.post("/v1/explain", json=long)).text[6:])
            assert told["error"]["code"] == "context_length_exceeded"

    run(work())
