"""A tenant neither sees nor triggers another's edits."""

from __future__ import annotations

import os
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memedit.core.types import Edit
from memedit.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from tests.serving.helpers import ring, run, tiny_service, within

DECISIONS = int(os.environ.get("MEMEDIT_TENANT_DECISIONS", "3000"))
NAMES = ["Arda", "Bree", "Calas", "Doria", "Eld", "Fenn", "Gond", "Hithe"]
RELATIONS = ["The capital of {} is", "The mayor of {} is", "The river of {} is"]


def test_cross_tenant_fires_among_mixed_decisions() -> None:
    """All tenants edit the same subjects; every decision names only the asker's records."""
    rng = random.Random(11)
    tenants = [f"tenant {i}" for i in range(6)]
    memory = EditMemory(None, HashingEncoder(64))
    for tenant in tenants:
        facts = [r.format(n) for r in RELATIONS for n in NAMES if rng.random() < 0.6]
        edits = [Edit(fact, f"{tenant} says", fact.split()[3]) for fact in facts]
        memory.add_many(edits, namespace=tenant)
    decider = Decider(memory, "mention")
    fired = crossed = done = 0
    while done < DECISIONS:
        tenant = rng.choice([*tenants, "nobody"])
        queries = [rng.choice(RELATIONS).format(rng.choice(NAMES)) for _ in range(100)]
        for decision in decider.decide(queries, tenant):
            done += 1
            fired += bool(decision)
            held = [*decision.hits, *decision.candidates]
            crossed += any(hit.record.namespace != tenant for hit in held)
        if rng.random() < 0.2:  # the tenants' memories move meanwhile
            gone = rng.choice(list(memory.records()))
            memory.forget(gone.id, namespace=gone.namespace)
            memory.add(gone.edit, namespace=rng.choice(tenants))
    assert done >= DECISIONS and fired > done / 5 and crossed == 0


Step = st.tuples(st.integers(0, 2), st.sampled_from(["add", "forget", "ask", "read", "restore"]),
                 st.integers(0, 3))  # fmt: skip


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
