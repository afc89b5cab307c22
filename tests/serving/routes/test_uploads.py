"""Files of edits that do not say what they are, changes that point back, and cut streams' logs."""

from __future__ import annotations

import logging
import sys

import pytest

from memedit.serving import logs
from memedit.serving.errors import ApiError, CutError
from memedit.serving.routes.uploads import format_of
from tests.serving.helpers import CAPITAL, run, tiny_service, within

CSV = "prompt,target_new\nThe capital of Spain is,Cadiz\n"


@pytest.mark.parametrize(
    ("text", "kind", "format"),
    [
        (CSV, "", "csv"),
        (CSV, "application/x-www-form-urlencoded", "csv"),
        (CSV, "application/json", "csv"),
        ('"prompt","target_new"\n"a","b"\n', "", "csv"),
        ("Question;Right answer\na;b\n", "", "csv"),
        (CSV.replace(",", "\t"), "text/plain", "tsv"),
        ("Statement\nTea is green.\n", "text/csv; charset=utf-8", "csv"),
        ("statement\nTea is green.\n", "", "tsv"),
        ('{"statement": "Tea is green."}\n', "application/json", "jsonl"),
        ('\n [{"statement": "Tea is green."}]', "", "json"),
        ("{\n}", "application/json", "json"),
        ('{"statement": "Tea\u2028is green."}\n', "application/json", "jsonl"),
        ('{"a":' * 200_000, "application/json", "json"),
        ("", "text/csv", "csv"),
        ("", "", "jsonl"),
    ],
)
def test_a_format_is_told_by_type_and_content(text: str, kind: str, format: str) -> None:
    assert format_of(text, kind) == format


def test_what_is_none_of_them_is_refused() -> None:
    with pytest.raises(ApiError, match="format cannot be told"):
        format_of("Dear team, the refund window is 60 days.", "text/plain")


def test_an_import_without_format_and_a_change_whose_history_points_back() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            report = (await client.post("/v1/import", content=CSV)).json()
            assert (report["added"], report["refused"]) == (1, 0)
            vague = await client.post("/v1/import", content="Dear team")
            assert vague.status_code == 400 and "?format=csv" in vague.json()["error"]["message"]
            old = (await client.post("/v1/edits", json=CAPITAL)).json()["id"]
            changed = await client.patch(f"/v1/edits/{old}", json={"target_new": "Nice"})
            new = changed.json()["id"]
            assert new != old
            (event,) = (await client.get(f"/v1/edits/{new}/history")).json()["data"]
            assert (event["kind"], event["replaces"]) == ("add", old)
            events = (await client.get(f"/v1/edits/{old}/history")).json()["data"]
            assert [(e["kind"], e["other"], e["replaces"]) for e in events] == [
                ("add", None, None), ("supersede", new, None),
            ]  # fmt: skip
            all_of_them = (await client.get("/v1/history")).json()["data"]
            assert [e["replaces"] for e in all_of_them if e["kind"] == "add"] == [old, None, None]

    run(work())


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_cut_stream_is_one_line_of_the_log(wrapped: bool) -> None:
    """What uvicorn logs of an application's error, after the filter that ``configure`` sets."""
    cut: BaseException = CutError("The upstream's answer broke off: ReadError.")
    try:
        raise type("Group", (Exception,), {"exceptions": (cut,)})("1 of them") if wrapped else cut
    except Exception:
        made = logging.LogRecord(
            "uvicorn.error", logging.ERROR, __file__, 1, "Exception in ASGI application\n", (),
            sys.exc_info(),
        )  # fmt: skip
    assert logs.shorten(made)
    said = logging.Formatter(logs._TEXT).format(_with(made))
    assert "broke off: ReadError." in said and "\n" not in said and "Traceback" not in said


def test_any_other_error_is_logged_whole() -> None:
    try:
        raise ValueError("ours")
    except ValueError:
        made = logging.LogRecord("uvicorn.error", 40, __file__, 1, "Oh", (), sys.exc_info())
    assert logs.shorten(made) and "Traceback" in logging.Formatter(logs._TEXT).format(_with(made))


def _with(record: logging.LogRecord) -> logging.LogRecord:
    record.request = ""
    return record
