"""The Wikidata relations that CounterFact asks about: their questions, and which are alike."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

SISTERS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "P17 P30 P131 P276 P159 P740 P495 P36 P190",  # where something is, or comes from
        "P19 P27 P740 P495 P937 P20 P108 P159",  # where someone is from, or lived
        "P176 P178 P127 P264 P449 P138 P108",  # who made, owns, publishes it
        "P103 P1412 P364 P407 P37",  # which language
        "P106 P101 P39 P413 P1303 P136 P641",  # what someone does
        "P463 P108 P140 P127",  # what someone belongs to
    )
)
"""CounterFact relations whose prompts cannot always be told apart: "{} is in", "{} plays"."""


def are_sisters(a: str, b: str) -> bool:
    """Whether prompts of the two relations may ask the same thing."""
    return a == b or any(a in group and b in group for group in SISTERS)


@cache
def read_questions() -> dict[str, tuple[str, ...]]:
    """Question templates of the relations, with ``{}`` for the subject."""
    text = files("memedit.scope").joinpath("relations.json").read_text("utf-8")
    return {name: tuple(questions) for name, questions in json.loads(text).items()}
