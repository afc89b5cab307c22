"""Entries of help centres of our own: an intent in users' words, which share few words."""

from __future__ import annotations

import random
from collections.abc import Iterator

from memedit.training.requests.banks import bank
from memedit.training.requests.request import Candidate, Request, Role
from memedit.training.requests.split import percent

_UNSEEN = 12
"""Per cent of the intents that are only tested, beside those of the test's subjects."""


def entries(seed: int, rounds: int) -> Iterator[Request]:
    """Requests about the bank ``own_faq``: each wording asked of entries keyed by the others."""
    for number in range(rounds):
        for domain, intents in bank("own_faq").items():
            for intent, (answer, *wordings) in intents.items():
                # One for each, as in aspects: banks may grow.
                rng = random.Random(f"{seed}:{domain}:{intent}:{number}")
                yield from _write_about(domain, intent, answer, wordings, rng)


def _write_about(
    domain: str, intent: str, answer: str, wordings: list[str], rng: random.Random
) -> Iterator[Request]:
    about = f"faq:{domain}:{intent}"
    unseen = percent(about) < _UNSEEN
    key, asked, *more = rng.sample(wordings, len(wordings))
    own = _entry(about, key, answer, more[1:], rng)
    siblings = [name for name in bank("own_faq")[domain] if name != intent]
    near = []
    for name in rng.sample(siblings, 2):
        other, *words = bank("own_faq")[domain][name]
        near.append(_entry(f"faq:{domain}:{name}", rng.choice(words), other, words, rng))

    def make_request(kind: str, query: str, role: Role, *beside: Candidate) -> Request:
        return Request(
            "own.faq",
            kind,
            (about,),
            query,
            (own.as_(role), *beside),
            unseen=unseen,
            relation=about,
        )

    yield make_request("faq.same", asked, "asks", *near)
    name = rng.choice(siblings)
    yield make_request("faq.sibling", rng.choice(bank("own_faq")[domain][name][1:]), "none")


def _entry(group: str, key: str, answer: str, more: list[str], rng: random.Random) -> Candidate:
    draw = rng.random()
    if draw < 0.12:
        return Candidate(statement=answer, queries=(key,), group=group)
    queries = tuple(rng.sample(more, min(2, len(more)))) if draw < 0.25 else ()
    return Candidate(key, answer, queries=tuple(q for q in queries if q != key), group=group)
