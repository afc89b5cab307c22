"""Good requests, changed here and there: no answer of 500, and a memory that stays whole."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from memedit.core.types import Edit
from tests.campaign.ledger import LONG, Round, Stage
from tests.campaign.mutating import Asked, changed
from tests.serving.helpers import CAPITAL, QUESTION, tiny_service, within
from tests.serving.test_schema import check_answer

pytestmark = pytest.mark.slow
REQUESTS = 5_000 if LONG else 400
STAGE = Stage("changed requests, REST", bounded=1, long=20, share=0.07)

EDIT = CAPITAL | {
    "queries": ["France's capital?"], "target_true": "Paris", "source": "a test",
    "valid_from": "2020-01-01", "valid_until": "2030-01-01T00:00:00Z", "multiple": False,
}  # fmt: skip
CHAT = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
        {"type": "text", "text": QUESTION}]}],
    "max_tokens": 1, "n": 1, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ["x"],
    "presence_penalty": 0.1, "logit_bias": {"5": 1}, "stream": False,
    "stream_options": {"include_usage": True}, "logprobs": True, "top_logprobs": 2,
    "response_format": {"type": "text"}, "memedit": {"as_of": "2026-01-01", "min_version": 0},
}  # fmt: skip
TEXT = {"prompt": ["The capital of France is", [5, 6]], "max_tokens": 1, "echo": True, "n": 1,
        "stop": "x", "stream": False, "logprobs": 1}  # fmt: skip
RESPONSE = {"input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}],
            "instructions": "Be brief.", "max_output_tokens": 16, "stream": False, "store": False,
            "previous_response_id": None, "memedit": {"edits": True}}  # fmt: skip
LINES = "\n".join(json.dumps(line) for line in (CAPITAL, {"statement": "Tea is green."})).encode()
SEEDS = (
    Asked("GET", "/v1/edits", query={"limit": "5", "offset": "0", "q": "capital"}),
    Asked("POST", "/v1/edits", EDIT), Asked("POST", "/v1/edits", {"statement": "Tea is green."}),
    Asked("GET", "/v1/edits/{id}"), Asked("PATCH", "/v1/edits/{id}", {"target_new": "Nice"}),
    Asked("DELETE", "/v1/edits/{id}"), Asked("GET", "/v1/edits/{id}/history"),
    Asked("POST", "/v1/edits/{id}/reports", {"kind": "miss", "query": "Who is it?"}),
    Asked("GET", "/v1/history", query={"limit": "9"}), Asked("POST", "/v1/restore", {"version": 1}),
    Asked("POST", "/v1/undo"), Asked("POST", "/v1/undo", {"if_version": 2}),
    Asked("GET", "/v1/export"), Asked("POST", "/v1/import", LINES, {"format": "jsonl"}),
    Asked("POST", "/v1/import", b"prompt,target_new\nThe sea is,blue\n", {"format": "csv"}),
    Asked("POST", "/v1/explain", {"query": QUESTION, "max_tokens": 1, "as_of": "2026-01-01"}),
    Asked("POST", "/v1/compare", {"queries": [QUESTION], "max_tokens": 1, "chat": True}),
    Asked("POST", "/v1/reports", {"kind": "wrong_answer", "query": QUESTION, "comment": "no"}),
    Asked("GET", "/v1/reports"), Asked("GET", "/v1/proposals", query={"state": "open"}),
    Asked("POST", "/v1/proposals/{id}/approve"), Asked("POST", "/v1/purge", {"ids": ["none"]}),
    Asked("POST", "/v1/purge", {"subject": "Nobody"}),
    Asked("POST", "/v1/chat/completions", CHAT), Asked("POST", "/v1/completions", TEXT),
    Asked("POST", "/v1/responses", RESPONSE), Asked("GET", "/v1/models"),
    Asked("GET", "/v1/models/{id}"), Asked("GET", "/v1/documents"),
    Asked("GET", "/v1/documents/{id}"), Asked("DELETE", "/v1/documents/{id}"),
    Asked("PUT", "/v1/documents/leave", b"# Leave\n\nStaff have 28 days.\n",
          headers={"Content-Type": "text/markdown"}),
    Asked("GET", "/v1/stats"), Asked("GET", "/v1/usage"), Asked("GET", "/v1/audit"),
    Asked("GET", "/v1/trials/{id}"), Asked("DELETE", "/v1/trials/{id}"),
    Asked("GET", "/healthz"), Asked("GET", "/readyz"), Asked("GET", "/metrics"),
    Asked("GET", "/openapi.json"), Asked("GET", "/"),
)  # fmt: skip


async def _send(client: httpx.AsyncClient, asked: Asked) -> httpx.Response:
    return await client.request(
        asked.method, asked.path, content=asked.content(), params=asked.query,
        headers={k.encode(): v.encode() for k, v in asked.headers.items()},
    )  # fmt: skip


def _bounded(asked: Asked) -> Asked:
    """Long answers are not what is tried here, and 70 turns in one request are."""
    body: Any = asked.body
    if isinstance(body, dict):
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "n"):
            if isinstance(body.get(name), int) and body[name] > 16:
                body[name] = 16
        if asked.path in ("/v1/chat/completions", "/v1/completions"):
            body.setdefault("max_tokens", 1)
    return asked


async def _round(made: Round) -> None:
    service = tiny_service(max_tokens=2, hosts=None, version_wait=0.01, max_batch=4)
    service.memory.add(Edit("The capital of France is", "Lyon", "France"))
    async with within(service) as client:
        for number in range(REQUESTS):
            ids = [record.id for record in service.memory.records()][:3]
            asked = _bounded(changed(made.rng.choice(SEEDS), made.rng, ids))
            answer = await _send(client, asked)
            made.counts["requests"] += 1
            made.counts[f"of status {answer.status_code}"] += 1
            if asked.method != "HEAD":
                check_answer(f"{number}: {asked!r:.2000}", answer)
        assert service.memory.verify().problems == ()
        assert service.audit.verify().problems == ()


def test_changed_requests() -> None:
    for made in STAGE.rounds():
        asyncio.run(_round(made))
    counts = STAGE.counts
    assert counts["of status 200"] > counts["requests"] / 10
    assert counts["of status 400"] > counts["requests"] / 10
