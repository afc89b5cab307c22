"""Paragraphs about one subject made of several facts, and questions on their parts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from memedit.training.requests.banks import fill
from memedit.training.requests.claims import Claim
from memedit.training.requests.nearby import Pool, are_related
from memedit.training.requests.request import Candidate, Request, Role

_PERSONS = frozenset(
    "P19 P20 P27 P39 P101 P103 P106 P108 P136 P140 P413 P463 P641 P937 P1303 P1412".split()
)
"""CounterFact relations whose subjects are people (or bands)."""
_LEADS = ("What is known about {s}?", "Tell me about {s}.", "Who or what is {s}?", "{s} is")


def profiles(claims: Sequence[Claim], count: int, rng: random.Random) -> Iterator[Request]:
    """``count`` paragraphs about subjects of the claims of one split."""
    pool = Pool(claims)
    usable = [c for c in claims if c.states and c.set == "counterfact"]
    for _ in range(count):
        first = rng.choice(usable)
        told = [first]
        for other in rng.sample(usable, min(40, len(usable))):
            alike = (other.relation in _PERSONS) == (first.relation in _PERSONS)
            if alike and other.relation not in {c.relation for c in told}:
                told.append(other.of_another(first.subject))
        told = told[: rng.randrange(3, 8)]
        untold = [
            other.of_another(first.subject)
            for other in rng.sample(usable, min(12, len(usable)))
            if not any(are_related(other, claim) for claim in told)
        ]
        if len(told) > 1:
            yield from _ask_about(first.subject, told, untold, pool, rng)


def _ask_about(
    subject: str, told: list[Claim], untold: list[Claim], pool: Pool, rng: random.Random
) -> Iterator[Request]:
    """Questions on what the paragraph tells, and on what it does not."""
    text = _paragraph(subject, told, rng)
    far = pool.draw_other(told[0], rng)
    near = (far.candidate(stated=True),) if far is not None and far.states else ()
    paired = rng.random() < 0.5
    own = Candidate(statement=text, group=subject)
    if paired:
        own = Candidate(fill(rng.choice(_LEADS), s=subject), text, subject, group=subject)
    part: Role = "informs" if paired else "asks"
    kind = "part.of_target" if paired else "part"

    def make_request(tag: str, query: str, role: Role) -> Request:
        return Request("own.profiles", tag, (subject,), query, (own.as_(role), *near))

    for claim in rng.sample(told, min(2, len(told))):
        yield make_request(kind, _question(claim, rng), part)
    claim = rng.choice(told)
    if claim.yes:
        value = rng.choice((claim.value, claim.old or claim.value))
        yield make_request("part.yes", fill(rng.choice(claim.yes), v=value), "informs")
    for claim in untold[:1]:
        yield make_request("part.untold", _question(claim, rng), "none")
    stranger = rng.choice(pool.claims)
    if stranger.key != told[0].key:
        moved = told[0].of_another(stranger.subject)
        yield make_request("part.other_subject", _question(moved, rng), "none")
    if paired:
        asked = rng.choice(
            (
                "What do you know about {s}?",
                "Give me a short profile of {s}.",
                "tell me sth about {s}",
                "Describe {s}.",
            )
        )
        yield make_request("paraphrase", fill(asked, s=subject), "asks")


def _question(claim: Claim, rng: random.Random) -> str:
    questions = [q for q in claim.asked if q.endswith("?")] or list(claim.asked)
    return rng.choice((rng.choice(questions), rng.choice(claim.casual or claim.asked)))


def _paragraph(subject: str, told: Sequence[Claim], rng: random.Random) -> str:
    sentences = [claim.sentence(claim.value, rng.randrange(4)) for claim in told]
    short = rng.choice(("It", "The subject", subject.split(" ")[-1], subject))
    for i in range(1, len(sentences)):
        if rng.random() < 0.6 and sentences[i].startswith(subject + " "):
            sentences[i] = short + sentences[i][len(subject) :]
    return ". ".join(sentences) + "."
