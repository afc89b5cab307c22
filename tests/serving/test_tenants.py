"""A tenant neither sees nor triggers another's edits (decisions: ``tests/campaign``)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.helpers import ring, run, tiny_service, within

NAMES = ["Arda", "Bree", "Calas", "Doria", "Eld", "Fenn", "Gond", "Hithe"]


Step = st.tuples(st.integers(0, 2), st.sampled_from(["add", "forget", "ask", "read", "restore"]),
                 st.integers(0, 3))  # fmt: skip


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(Step, min_size=4, max_size=14))
def test_whatever_tenants_do_each_sees_what_it_would_alone(steps: list[Any]) -> None:
    """The server against one dictionary per tenant."""
    names = [f"t{i}" for i in range(3)]
    rings = [ring(("read", "edit", "ask"), namespace=name) for name in names]
    from memedit.serving.keys import KeyRing

    held = KeyRing(keys=[key for each in rings for key in each[2]])
    secrets = [each[1][0] for each in rings]

    async def work() -> None:
        mine: list[dict[str, str]] = [{}, {}, {}]  # subject -> id
        async with within(tiny_service(keys=held)) as client:
            for who, what, which in steps:
                headers = {"Authorization": f"Bearer {secrets[who]}"}
                subject = NAMES[which]
                prompt = f"The capital of {subject} is"
                if what == "add":
                    body = {"prompt": prompt, "target_new": names[who], "subject": subject}
                    made = await client.post("/v1/edits", json=body, headers=headers)
                    mine[who][subject] = made.json()["id"]
                elif what == "forget":
                    id = next((i[subject] for i in mine if subject in i), "none")
                    gone = await client.delete(f"/v1/edits/{id}", headers=headers)
                    own = mine[who].get(subject) == id
                    assert gone.status_code == (200 if own else 404)
                    if own:
                        del mine[who][subject]
                elif what == "ask":
                    body = {"prompt": prompt, "max_tokens": 1, "temperature": 0}
                    said = (await client.post("/v1/completions", json=body, headers=headers)).json()
                    fired = [edit["id"] for edit in said["memedit"]["edits"]]
                    assert set(fired) <= set(mine[who].values())
                    assert bool(fired) >= (subject in mine[who])
                elif what == "restore":
                    body = {"version": 0}
                    assert (
                        await client.post("/v1/restore", json=body, headers=headers)
                    ).status_code == 200
                    mine[who].clear()
                for path in ("/v1/edits", "/v1/export", "/v1/history", "/v1/stats"):
                    text = (await client.get(path, headers=headers)).text
                    assert not any(f'"{n}"' in text for n in names if n != names[who]), path
                listed = (await client.get("/v1/edits", headers=headers)).json()["data"]
                assert sorted(r["id"] for r in listed) == sorted(mine[who].values())

    run(work())
