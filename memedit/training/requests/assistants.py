"""Memories of assistants, with requests put to them in people's own words.

Written by hand, for 699 assistants: who asks rarely has an edit's words. Most of what no edit
answers is about the same firm, person or product as an edit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from memedit.core.text import words_of
from memedit.training.requests.banks import bank
from memedit.training.requests.request import Candidate, Request, Role

_HARD, _FAR = 2, 1
"""Edits beside those that bear: of the most like the request, and of the others."""
_STEM = 5


def assistants(seed: int, rounds: int) -> Iterator[Request]:
    """Every request of the bank ``assistants``, beside other edits in every round."""
    for number in range(rounds):
        for name, told in bank("assistants").items():
            rng = random.Random(f"{seed}:{name}:{number}")
            for asked in told["requests"]:
                yield _write(name, told["facts"], asked, rng)


def _write(
    name: str, facts: Mapping[str, Sequence[Any]], asked: Mapping[str, Any], rng: random.Random
) -> Request:
    roles: dict[str, Role] = dict.fromkeys(asked.get("informs", ()), "informs")
    roles |= dict.fromkeys(asked.get("asks", ()), "asks")
    words = _stems(asked["q"])
    others = [id for id in facts if id not in roles]
    others.sort(key=lambda id: len(_stems(facts[id][0]) & words), reverse=True)
    near, far = others[:_HARD], others[_HARD:]
    kept = [*roles, *near, *rng.sample(far, min(_FAR, len(far)))]
    edits = tuple(
        Candidate(statement=text, subject=subject, role=roles.get(id, "none"), group=f"{name}:{id}")
        for id in kept
        for text, subject in (facts[id],)
    )
    kind = "life.none" if not roles else f"life.{next(iter(roles.values()))}"
    history = tuple(asked.get("history", ()))
    return Request("own.assistants", kind, (f"assistant:{name}",), asked["q"], edits, history)


@lru_cache(maxsize=1_024)  # a memory's facts are compared with each request to it
def _stems(text: str) -> frozenset[str]:
    return frozenset(word.casefold()[:_STEM] for word in words_of(text) if len(word) > 2)
