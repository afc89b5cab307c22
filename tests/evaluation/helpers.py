"""What the evaluation's tests share: small cases, and models small enough to ask many times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memedit import EditableModel
from memedit.data.records import Json
from tests.helpers import byte_tokenizer, tiny_model

CITIES = ("Lyon", "Oslo", "Rome", "Bonn", "Kyiv", "Riga", "Bern", "Cork", "Graz", "Turku", "Pisa")


def small_model(**options: Any) -> EditableModel:
    """A tiny random Llama that takes IKE's demonstrations as bytes."""
    base = tiny_model("llama", max_position_embeddings=4096)
    options = {"encoder": "hashing", "scope": "mention", **options}
    return EditableModel(base, byte_tokenizer(), **options)


def record(i: int) -> Json:
    """A CounterFact record; the relation is the same for all."""
    return {
        "case_id": i,
        "requested_rewrite": {
            "prompt": "The capital of {} is",
            "relation_id": "P36",
            "subject": f"Land{i}",
            "target_new": {"str": CITIES[i % len(CITIES)]},
            "target_true": {"str": CITIES[(i + 3) % len(CITIES)]},
        },
        "paraphrase_prompts": [f"It rained. Land{i}'s capital city is"],
        "neighborhood_prompts": [f"The capital of Isle{i} is", f"Isle{i} is governed from"],
        "generation_prompts": [f"Land{i} is known for"] * 2,
        "source": "a" if i % 2 else "b",
    }


def write(path: Path, records: Sequence[Json]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    return path
