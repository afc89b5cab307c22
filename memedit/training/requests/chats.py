"""Chats: the last turn leans on what was said before it, or leaves it behind."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from memedit.training.requests.banks import bank, fill
from memedit.training.requests.claims import Claim
from memedit.training.requests.nearby import Pool, are_related
from memedit.training.requests.request import Role

_PERSONAL = re.compile(
    r"\b(born|die[ds]?|death|birth|nationality|citizen|profession|occupation|mother tongue|spouse|"
    r"married|father|mother|child|siblings?|gender|educated|stud(y|ent)|advisor|employer|plays? as|"
    r"award|notable work|instrument|native language|alma mater|manner of death)\b"
)


@dataclass(frozen=True, slots=True)
class Chat:
    """``history`` and ``query``; ``role`` is the claim's, ``other`` a claim with ``its`` role."""

    kind: str
    history: tuple[str, ...]
    query: str
    role: Role
    other: Claim | None = None
    its: Role = "none"


def chats(claim: Claim, pool: Pool, rng: random.Random) -> Iterator[Chat]:
    """Chats around a claim, one of each kind that its wordings allow."""
    words = bank("chats")
    asked = next((q for q in claim.asked if q.endswith("?") and claim.subject in q), None)
    yield from _pronouns(claim, asked, pool, rng)
    if claim.of:
        first = _name_subject(claim, pool, rng)
        own = _pronoun(claim, rng)[1]
        short = claim.of[-1].replace(f"{claim.subject}'s", own)
        if own in short:
            query = fill(rng.choice([e for e in words["ellipsis"] if "{w}" in e]), w=short)
            yield Chat("chat.ellipsis", first, query, "asks")
    like = pool.draw_like(claim, rng)
    if asked and like is not None:
        said = _answer(like.old, rng)
        before = next((q for q in like.asked if q.endswith("?") and like.subject in q), None)
        query = fill(rng.choice([e for e in words["ellipsis"] if "{s}" in e]), s=claim.subject)
        if before:
            yield Chat("chat.same_of_another", (before, said), query, "asks", like, "none")
    if asked:
        answer = _answer(claim.old, rng)
        yield Chat("chat.topic_change", (asked, answer), rng.choice(words["change"]), "none")
        doubt = fill(rng.choice(words["doubt"]), v=claim.old or "something else")
        yield Chat("chat.doubt", (asked, answer), doubt, "informs")
        if claim.old and claim.old != claim.value:
            pressed = fill(rng.choice(words["pressed"]), v=claim.old, q=asked)
            yield Chat("chat.pressed", (asked, _answer(claim.value, rng)), pressed, "asks")
        again = fill(rng.choice(words["again"]), q=asked)
        yield Chat("chat.again", _name_subject(claim, pool, rng), again, "asks")
        yield from _go_on(claim, asked, answer, pool, rng)


def _name_subject(claim: Claim, pool: Pool, rng: random.Random) -> tuple[str, ...]:
    """Turns that name the subject, without the claim's question."""
    words = bank("chats")
    said = rng.choice((*words["replies"], *words["distract"]))
    other = pool.draw_other(claim, rng)
    if rng.random() < 0.4 and other is not None and other.asked and other.subject in other.asked[0]:
        answer = fill(rng.choice(words["answers"]), v=other.value)
        return (other.asked[0].replace(other.subject, claim.subject), answer)
    first = fill(rng.choice(words["about"]), s=claim.subject)
    if rng.random() < 0.3:
        return (rng.choice(words["openers"]), rng.choice(words["greets"]), first, said)
    return (first, said)


def _answer(value: str, rng: random.Random) -> str:
    words = bank("chats")
    return fill(rng.choice(words["answers"]), v=value) if value else rng.choice(words["unsure"])


def _pronoun(claim: Claim, rng: random.Random) -> tuple[str, str]:
    if _PERSONAL.search(" ".join((claim.prompt, *claim.asked[:1]))):
        return rng.choice((("he", "his"), ("she", "her"), ("they", "their")))
    return ("it", "its")


def put_pronoun(text: str, subject: str, words: tuple[str, str]) -> str:
    """The text with the subject as a pronoun."""
    text = re.sub(rf"{re.escape(subject)}['’]s?(?!\w)", words[1], text)
    return text.replace(f"the {subject}", words[0]).replace(subject, words[0])


def _pronouns(claim: Claim, asked: str | None, pool: Pool, rng: random.Random) -> Iterator[Chat]:
    pronoun = _pronoun(claim, rng)
    if (
        pronoun[0] == "they"
        and asked
        and re.search(r"\b(is|was|does|has) " + re.escape(claim.subject), asked)
    ):
        pronoun = ("he", "his")
    if asked:
        query = put_pronoun(asked, claim.subject, pronoun)
        yield Chat("chat.pronoun", _name_subject(claim, pool, rng), query, "asks")
    if claim.yes:
        like = pool.draw_like(claim, rng)
        value = rng.choice(
            [claim.value, claim.old or claim.value, like.value if like else claim.value]
        )
        query = put_pronoun(fill(rng.choice(claim.yes), v=value), claim.subject, pronoun)
        yield Chat("chat.pronoun.yes", _name_subject(claim, pool, rng), query, "informs")


def _go_on(claim: Claim, asked: str, answer: str, pool: Pool, rng: random.Random) -> Iterator[Chat]:
    """The next question asks another thing, of the same subject or of another."""
    other = pool.draw_other(claim, rng)
    if other is None or are_related(claim, other):
        return
    question = next((q for q in other.asked if q.endswith("?") and other.subject in q), None)
    if question is None:
        return
    yield Chat("chat.other_subject", (asked, answer), question, "none", other, "asks")
    moved = put_pronoun(question, other.subject, _pronoun(claim, rng))
    yield Chat("chat.other_relation", (asked, answer), moved, "none")
