"""What stands around a question in practice: instructions, greetings, tickets, prompt templates."""

from __future__ import annotations

import random
import re
from functools import cache

from memedit.training.requests.banks import bank, fill
from memedit.training.requests.request import Split
from memedit.training.requests.split import percent

_TESTED = 25
"""Per cent of the frames of each kind that training never sees."""
PLACES = ("after", "before", "wrap", "ticket")
_WEIGHTS = (0.4, 0.2, 0.2, 0.2)


@cache
def frames(place: str, split: Split) -> tuple[str, ...]:
    """The frames of a kind that a split may use: those kept for the test only there."""
    every: list[str] = bank("frames")[place]
    held = [frame for frame in every if percent(f"frame:{frame}") < _TESTED]
    return tuple(held) if split == "test" else tuple(f for f in every if f not in held)


def put_in_frame(
    query: str, split: Split, rng: random.Random, *, cloze: bool = False
) -> tuple[str, str]:
    """(the query in a frame, which kind of frame). After a ``cloze`` nothing may stand."""
    (place,) = rng.choices(PLACES, _WEIGHTS)
    if cloze:
        place = "before"
    frame = rng.choice(frames(place, split))
    if place == "after":
        ended = query if re.search(r"[?.!:]\s*$", query) else f"{query}."
        return f"{ended}{rng.choice((' ', ' ', ' ', chr(10)))}{frame}", place
    if place == "before":
        return f"{frame}{rng.choice((' ', ' ', chr(10)))}{_lead_in(query, frame)}", place
    return fill(frame, q=query), place


def _lead_in(query: str, frame: str) -> str:
    """After a comma, a question word is not a capital."""
    first = query.split(" ", 1)[0]
    small = first in {"What", "Which", "Who", "Where", "When", "How", "Is", "Was", "Does", "In"}
    return query[0].lower() + query[1:] if small and frame[-1] in ",u" else query
