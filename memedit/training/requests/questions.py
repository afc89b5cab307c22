"""Requests about claims that ask or inform them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeAlias

from memedit.training.requests.banks import bank, fill
from memedit.training.requests.claims import Claim

Texts: TypeAlias = "Iterator[tuple[str, str]]"
"""(kind, query) of requests about one claim."""


def write_asking(claim: Claim, rng: random.Random) -> Texts:
    """Requests whose answer is the claim's object."""
    yield "direct", claim.prompt
    for text in claim.asked:
        if text != claim.prompt:
            yield "paraphrase", text
    for text in claim.casual:
        yield "casual", text
    if claim.of:
        frame = rng.choice(bank("frames")["polite"])
        yield "polite", fill(frame, e=_embed(claim, rng))


def _embed(claim: Claim, rng: random.Random) -> str:
    of = rng.choice(claim.of)
    return rng.choice((f"what {of} is", f"what {of} is called", of)) if of[:4] == "the " else of


def write_informed(claim: Claim, other: Claim, rng: random.Random) -> Texts:
    """Requests whose answer depends on the claim. ``other`` gives a wrong object."""
    yield from claim.given
    wrong = other.value
    for value, kind in ((claim.value, "yes.right"), (wrong, "yes.wrong"), (claim.old, "yes.old")):
        if value and not (kind != "yes.right" and value == claim.value):
            yield from _write_closed(claim, value, kind, rng)
    for form in claim.reversed[:1]:
        yield "reversed", fill(form, v=claim.value)
    yield from _write_choice(claim, other, rng)
    yield from _write_further(claim, rng)


def _write_closed(claim: Claim, value: str, kind: str, rng: random.Random) -> Texts:
    if claim.yes:
        yield kind, fill(rng.choice(claim.yes), v=value)
    sentence = claim.sentence(value, rng.randrange(4))
    small = sentence[0].lower() + sentence[1:] if sentence.startswith("The ") else sentence
    tasks = bank("tasks")
    yield f"verify.{kind[4:]}", fill(rng.choice(tasks["verify"]), c=sentence, d=small)
    if rng.random() < 0.4:
        yield f"negative.{kind[4:]}", fill(rng.choice(tasks["negative"]), c=sentence, d=small)


def _write_choice(claim: Claim, other: Claim, rng: random.Random) -> Texts:
    question = next((q for q in claim.asked if q.endswith("?")), None)
    values = [claim.value, claim.old or "none of these", other.value, "something else"]
    if not question or len(set(values)) < 4:
        return
    rng.shuffle(values)
    slots = dict(zip("abxy", values, strict=True))
    tasks = bank("tasks")
    if claim.of:
        yield "choice", fill(rng.choice(tasks["choice"]), w=rng.choice(claim.of), **slots)
    yield "choice.lettered", fill(rng.choice(tasks["lettered"]), q=question, **slots)


def options(claim: Claim, other: Claim, rng: random.Random) -> Texts:
    """The question with its possible answers as words: it still asks."""
    question = next((q for q in claim.asked if q.endswith("?")), None)
    if question and other.value != claim.value:
        values = [claim.value, other.value, claim.old or "none of these", "I don't know"]
        rng.shuffle(values)
        slots = dict(zip("abxy", values, strict=True))
        yield "options", fill(rng.choice(bank("tasks")["options"]), q=question, **slots)


def _write_further(claim: Claim, rng: random.Random) -> Texts:
    """Further hops and texts in which the fact stands."""
    if not claim.of:
        return
    of, tasks = rng.choice(claim.of), bank("tasks")
    for template in rng.sample(bank("hops").get(claim.type, ()), k=min(3, _count(claim))):
        yield "hop.2", fill(template, w=of)
    for kind in rng.sample(_TASKS, 3):
        yield kind, fill(rng.choice(tasks[kind]), s=claim.subject, w=of)


def _count(claim: Claim) -> int:
    return len(bank("hops").get(claim.type, ()))


_TASKS = ["write", "list", "table", "program", "translate", "summary"]


def write_of_two(a: Claim, b: Claim, rng: random.Random) -> Texts:
    """Requests that two claims bear on."""
    questions = [next((q for q in c.asked if q.endswith("?")), None) for c in (a, b)]
    tasks = bank("tasks")
    one, two = questions
    slots: dict[str, str] = {"s": a.subject, "s2": b.subject}
    if a.of and b.of:
        slots |= {"w": rng.choice(a.of), "w2": rng.choice(b.of)}
    if one and two:
        slots |= {"q": one, "q2": two, "q2l": two[0].lower() + two[1:]}
    for kind in ("several", "compare"):
        fit: Callable[[str], bool] = lambda t: not _missing(t, slots)  # noqa: E731
        if forms := [t for t in tasks[kind] if fit(t)]:
            yield kind, fill(rng.choice(forms), **slots)


def _missing(template: str, slots: dict[str, str]) -> bool:
    return "{" in fill(template, **dict.fromkeys(slots, ""))
