"""Decisions for many tenants, mixed: each names only the asker's records."""

from __future__ import annotations

from random import Random

import pytest

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from tests.campaign.ledger import LONG, Stage

DECISIONS = 10_000 if LONG else 3_000
STAGE = Stage("mixed tenants", bounded=1, long=100, share=0.09)
NAMES = ["Arda", "Bree", "Calas", "Doria", "Eld", "Fenn", "Gond", "Hithe"]
RELATIONS = ["The capital of {} is", "The mayor of {} is", "The river of {} is"]
TENANTS = [f"tenant {i}" for i in range(6)]


def _memory(rng: Random) -> EditMemory:
    """All tenants edit the same subjects."""
    memory = EditMemory(None, HashingEncoder(64))
    for tenant in TENANTS:
        facts = [r.format(n) for r in RELATIONS for n in NAMES if rng.random() < 0.6]
        edits = [Edit(fact, f"{tenant} says", fact.split()[3]) for fact in facts]
        memory.add_many(edits, namespace=tenant)
    return memory


@pytest.mark.slow
def test_no_tenant_is_answered_from_anothers_edits() -> None:
    for made in STAGE.rounds():
        rng, counts = made.rng, made.counts
        with _memory(rng) as memory:
            decider = Decider(memory, "mention")
            while counts["decisions"] < DECISIONS:
                tenant = rng.choice([*TENANTS, "nobody"])
                queries = [rng.choice(RELATIONS).format(rng.choice(NAMES)) for _ in range(100)]
                for decision in decider.decide(queries, tenant):
                    counts["decisions"] += 1
                    counts["fired"] += bool(decision)
                    held = [*decision.hits, *decision.candidates]
                    counts["crossed"] += any(hit.record.namespace != tenant for hit in held)
                if rng.random() < 0.2:  # the tenants' memories move meanwhile
                    gone = rng.choice(list(memory.records()))
                    memory.forget(gone.id, namespace=gone.namespace)
                    memory.add(gone.edit, namespace=rng.choice(TENANTS))
    counts = STAGE.counts
    assert counts["fired"] > counts["decisions"] / 5 and counts["crossed"] == 0
