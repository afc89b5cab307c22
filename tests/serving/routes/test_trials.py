"""Trials: a weight editor on the served model's edits, beside the requests."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import torch

from memedit.serving.local.backend import LocalBackend
from memedit.serving.service import Service
from tests.serving.helpers import (
    CAPITAL,
    ELSEWHERE,
    QUESTION,
    ring,
    run,
    tiny_edited,
    tiny_service,
    within,
)

FAST = "ft_m(steps=2)"
OTHER = {"prompt": "The capital of Spain is", "target_new": "Vigo", "subject": "Spain"}
MANY = 32  # edits, which take a trial many times as long as a few requests do
STATEMENT = {"statement": "Bread is baked at night."}


async def finished(client: httpx.AsyncClient, id: str) -> Any:
    for _ in range(6_000):
        trial = (await client.get(f"/v1/trials/{id}")).json()
        if trial["state"] != "running":
            return trial
        await asyncio.sleep(0.05)
    raise AssertionError("the trial does not end")


async def begun(client: httpx.AsyncClient, **body: Any) -> Any:
    answer = await client.post("/v1/trials", json={"editor": FAST, "queries": [QUESTION], **body})
    assert answer.status_code == 202, answer.text
    return answer.json()


def weights(service: Service) -> dict[str, torch.Tensor]:
    assert isinstance(service.backend, LocalBackend)
    held = service.backend.model.base.state_dict()
    return {name: tensor.clone() for name, tensor in held.items()}


def test_the_copy_is_edited_and_the_served_model_is_not() -> None:
    async def work() -> None:
        service = tiny_service()
        before = weights(service)
        async with within(service) as client:
            for edit in (CAPITAL, OTHER, STATEMENT):
                assert (await client.post("/v1/edits", json=edit)).status_code == 201
            queries = [CAPITAL["prompt"], QUESTION, ELSEWHERE]
            body = {"queries": queries, "max_tokens": 8}
            plain = (await client.post("/v1/compare", json=body)).json()["data"]
            begin = await begun(client, editor="ft_m(steps=30, rate=0.05)", **body)
            assert begin["edits"] == 2 and begin["state"] == "running"  # a statement has no target
            trial = await finished(client, begin["id"])
            assert trial["state"] == "done" and trial["fitted"] == 2 and trial["seconds"] > 0
            assert [each["query"] for each in trial["data"]] == queries
            assert trial["data"][0]["answer"] != plain[0]["base_answer"]
            again = (await client.post("/v1/compare", json=body)).json()["data"]
            assert again == plain
        assert all(torch.equal(before[name], now) for name, now in weights(service).items())

    run(work())


def test_its_answers_are_made_as_the_servers() -> None:
    """With weights that hardly move, a trial says what the unedited model says."""

    async def work() -> None:
        async with within(tiny_service()) as client:
            await client.post("/v1/edits", json=CAPITAL)
            body = {"queries": [CAPITAL["prompt"], QUESTION, ELSEWHERE], "max_tokens": 8}
            plain = (await client.post("/v1/compare", json=body)).json()["data"]
            begin = await begun(client, editor="ft_m(steps=1, rate=1e-12)", **body)
            trial = await finished(client, begin["id"])
            said = [each["answer"] for each in trial["data"]]
            assert said == [each["base_answer"] for each in plain]

    run(work())


def test_questions_are_answered_meanwhile_and_a_trial_can_be_ended() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            for i in range(MANY):
                edit = {"prompt": f"The capital of Land {i} is", "target_new": "Lyon",
                        "subject": f"Land {i}"}  # fmt: skip
                await client.post("/v1/edits", json=edit)
            begin = await begun(client, editor="ft_m(steps=100)", limit=MANY)
            second = {"editor": FAST, "queries": [QUESTION]}
            assert (await client.post("/v1/trials", json=second)).status_code == 409
            body = {"messages": [{"role": "user", "content": ELSEWHERE}], "max_tokens": 4}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            ended = await client.delete(f"/v1/trials/{begin['id']}")
            assert ended.json()["state"] == "cancelled" and ended.json()["fitted"] < MANY
            trial = await finished(client, (await begun(client, limit=1))["id"])
            assert trial["state"] == "done" and trial["edits"] == 1

    run(work())


def test_what_cannot_be_tried_is_said() -> None:
    async def work() -> None:
        async with within(tiny_service()) as client:
            body: dict[str, Any] = {"editor": FAST, "queries": [QUESTION]}
            none = await client.post("/v1/trials", json=body)
            assert none.status_code == 400 and "no edits" in none.json()["error"]["message"]
            plain = {"prompt": "The capital of France is", "target_new": "Lyon"}
            await client.post("/v1/edits", json=plain)
            for editor in ("ike", "nobody", "ft_m(", "ft_m(colour=1)"):
                refused = await client.post("/v1/trials", json=body | {"editor": editor})
                assert refused.status_code == 400, editor
            # No subject: ROME cannot say where the fact is.
            trial = await finished(client, (await begun(client, editor="rome(layer=0)"))["id"])
            assert trial["fitted"] == 0 and "subject" in trial["skipped"][0]["reason"]
            await client.post("/v1/edits", json=OTHER)
            trial = await finished(client, (await begun(client, editor="rome(layer=0)"))["id"])
            assert trial["state"] == "failed" and "memedit statistics" in trial["error"]
            assert (await client.get("/v1/trials/nothing")).status_code == 404

    run(work())


def test_it_takes_a_key_that_may_edit_and_stays_in_its_namespace() -> None:
    held, (writer, asker), _ = ring(("read", "ask", "edit"), ("read", "ask"))
    body = {"editor": FAST, "queries": [QUESTION]}

    async def work() -> None:
        async with within(tiny_service(keys=held)) as client:
            mine = {"Authorization": f"Bearer {writer}"}
            theirs = {"Authorization": f"Bearer {asker}"}
            await client.post("/v1/edits", json=CAPITAL, headers=mine)
            assert (await client.post("/v1/trials", json=body, headers=theirs)).status_code == 403
            begin = await client.post("/v1/trials", json=body, headers=mine)
            assert begin.status_code == 202

    run(work())


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_namespaces_trial_is_not_there(method: str) -> None:
    held, (mine,), _ = ring(("read", "ask", "edit"), namespace="*")
    body = {"editor": FAST, "queries": [QUESTION]}

    async def work() -> None:
        async with within(tiny_service(keys=held, model=tiny_edited()), mine) as client:
            a, b = {"X-Memedit-Namespace": "a"}, {"X-Memedit-Namespace": "b"}
            await client.post("/v1/edits", json=CAPITAL, headers=a)
            id = (await client.post("/v1/trials", json=body, headers=a)).json()["id"]
            assert (await client.request(method, f"/v1/trials/{id}", headers=b)).status_code == 404
            assert (await client.get(f"/v1/trials/{id}", headers=a)).status_code == 200

    run(work())
