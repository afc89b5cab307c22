"""Requests about claims, of every kind, with their edits and hard negatives."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from memedit.training.requests.chats import chats
from memedit.training.requests.claims import Claim
from memedit.training.requests.nearby import Pool, negatives, write_missing
from memedit.training.requests.questions import options, write_asking, write_informed, write_of_two
from memedit.training.requests.request import Candidate, Request, Role

Texts = Iterable[tuple[str, str]]
STATED = 0.18
"""Share of the edits that are given as a sentence."""


class Worldly:
    """Draws requests about the claims of one split.

    Args:
        claims: Of one split.
        each: How many of the requests that ask, that are informed and that are neither are kept
            for a claim; None keeps all.
    """

    def __init__(self, claims: Iterable[Claim], each: dict[str, tuple[int, int, int]]) -> None:
        self.pool = Pool(list(claims))
        self._each = each

    def write_about(self, claim: Claim, rng: random.Random) -> Iterator[Request]:
        """The requests of one claim."""
        asks, informs, nothing = self._each.get(claim.set, (3, 3, 3))
        same = self.pool.draw_like(claim, rng)
        like = same or self.pool.draw_other(claim, rng) or claim
        many = [*write_asking(claim, rng), *options(claim, like, rng)]
        yield from self._keep_some(claim, many, "asks", asks, rng)
        yield from self._keep_some(claim, write_informed(claim, like, rng), "informs", informs, rng)
        yield from self._keep_some(
            claim, write_missing(claim, self.pool, rng), "none", nothing, rng
        )
        yield from self._chats(claim, max(1, asks // 2), rng)
        if same is not None and rng.random() < 0.4:
            yield from self._two(claim, same, rng)

    def _keep_some(
        self, claim: Claim, texts: Texts, role: Role, count: int, rng: random.Random
    ) -> Iterator[Request]:
        found = list(texts)
        for kind, text in rng.sample(found, min(count, len(found))):
            yield self._request(claim, kind, text, role, rng)

    def _request(
        self, claim: Claim, kind: str, text: str, role: Role, rng: random.Random,
        history: tuple[str, ...] = (), also: tuple[Candidate, ...] = (),
    ) -> Request:  # fmt: skip
        own = claim.candidate(role, stated=rng.random() < STATED)
        near: tuple[Candidate, ...] = ()
        if role != "none":
            far = kind.startswith(("hop", "chat.doubt"))
            near = _take_apart(negatives(claim, self.pool, rng, same_subject=not far), own, also)
        elif kind.startswith("twin") is False and rng.random() < 0.3:
            near = tuple(negatives(claim, self.pool, rng, same_subject=False))[:1]
            near = near if kind.startswith(("text", "chat.topic")) else ()
        return Request(
            set=claim.set, kind=kind, about=(claim.subject,), query=text,
            edits=(own, *also, *near), history=history, relation=claim.relation,
            unseen=claim.unseen, frames=not kind.startswith(("chat", "text")),
        )  # fmt: skip

    def _chats(self, claim: Claim, count: int, rng: random.Random) -> Iterator[Request]:
        found = list(chats(claim, self.pool, rng))
        for chat in rng.sample(found, min(count, len(found))):
            also = () if chat.other is None else (chat.other.candidate(chat.its),)
            yield self._request(claim, chat.kind, chat.query, chat.role, rng, chat.history, also)

    def _two(self, claim: Claim, like: Claim, rng: random.Random) -> Iterator[Request]:
        for kind, text in write_of_two(claim, like, rng):
            also = (like.candidate("informs"),)
            yield self._request(claim, kind, text, "informs", rng, also=also)


def _take_apart(
    found: Iterable[Candidate], own: Candidate, also: Iterable[Candidate]
) -> tuple[Candidate, ...]:
    """Those that say another thing than the given ones, each once."""
    taken = {candidate.group for candidate in also}
    kept: dict[str, Candidate] = {}
    for candidate in found:
        text = candidate.prompt or candidate.statement or ""
        if candidate.group not in taken and text != own.prompt:
            kept.setdefault(text, candidate)
    return tuple(kept.values())
