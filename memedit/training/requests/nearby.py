"""What looks like a claim and is another: twins of its subject, other questions about it."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from memedit.data.facts import Fact
from memedit.scope.relations import are_sisters
from memedit.training.forms import date, hypothetical, negate
from memedit.training.requests.banks import bank, fill
from memedit.training.requests.claims import Claim
from memedit.training.requests.request import Candidate


class Pool:
    """The claims of one split, by relation and by the first word of their subject."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = list(claims)
        self.by_relation: dict[str, list[Claim]] = defaultdict(list)
        self.by_first: dict[str, list[Claim]] = defaultdict(list)
        self.by_subject: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            self.by_relation[claim.relation].append(claim)
            self.by_first[claim.subject.split(" ", 1)[0].casefold()].append(claim)
            self.by_subject[claim.key].append(claim)

    def draw_like(self, claim: Claim, rng: random.Random) -> Claim | None:
        """A claim of the same relation about another subject with another object."""
        found = self.by_relation[claim.relation]
        # A few tries: a relation may have one object only.
        for _ in range(8):
            other = rng.choice(found)
            if other.key != claim.key and other.value != claim.value:
                return other
        return None

    def draw_other(self, claim: Claim, rng: random.Random) -> Claim | None:
        """A claim that asks something else."""
        for _ in range(12):
            other = rng.choice(self.claims)
            if other.key != claim.key and not are_related(claim, other):
                return other
        return None


def are_related(a: Claim, b: Claim) -> bool:
    """Whether one's question, asked of the other's subject, may mean the same."""
    if a.set == b.set == "counterfact":
        return are_sisters(a.relation, b.relation)
    if a.type and a.type == b.type:
        return True
    return bool(a.words & b.words)


def find_twin(subject: str, pool: Pool, rng: random.Random) -> str | None:
    """Another subject that is spelt almost like it: one digit, one letter, another surname."""
    if match := re.search(r"\d", subject):
        at = match.start() if rng.random() < 0.5 else subject.rfind(match.group())
        digit = str((int(subject[at]) + rng.choice((1, 2, 3, 5))) % 10)
        return subject[:at] + digit + subject[at + 1 :]
    words = subject.split(" ")
    if len(words) == 2 and words[0].istitle() and words[1][:1].isupper():
        other = rng.choice(pool.claims).subject.split(" ")
        if len(other) >= 2 and other[-1][:1].isupper() and other[-1] != words[1]:
            return f"{words[0]} {other[-1]}" if rng.random() < 0.6 else f"{other[0]} {words[1]}"
    for old, new in (
        ("North", "South"),
        ("East", "West"),
        ("Upper", "Lower"),
        ("New", "Old"),
        (" II", " III"),
        (" Jr.", " Sr."),
        ("Great", "Little"),
        ("Red", "Blue"),
    ):
        if re.search(rf"(?<!\w){old.strip()}(?!\w)", subject):
            return subject.replace(old, new, 1)
    if len(words) == 1 and len(subject) > 3 and rng.random() < 0.5:
        return f"{subject} {rng.choice(('II', '2', 'Junior', 'Street', 'University', 'Island'))}"
    return None


def negatives(
    claim: Claim, pool: Pool, rng: random.Random, *, same_subject: bool = True
) -> Iterator[Candidate]:
    """Edits that a request about ``claim`` neither asks nor is informed by."""
    if (like := pool.draw_like(claim, rng)) is not None:
        yield like.candidate(stated=rng.random() < 0.1)
    if (name := find_twin(claim.subject, pool, rng)) is not None:
        yield claim.of_another(name).candidate(stated=rng.random() < 0.15)
    if same_subject and (other := pool.draw_other(claim, rng)) is not None:
        # Else the prompt would go on about the other subject.
        if other.subject in other.prompt:
            yield other.of_another(claim.subject).candidate(stated=rng.random() < 0.15)
    kin = pool.by_first[claim.subject.split(" ", 1)[0].casefold()]
    if len(kin) > 1:
        near = rng.choice(kin)
        # A name within the other may mean the same: "Paris" and "Paris, France".
        if near.key != claim.key and claim.key not in near.key and near.key not in claim.key:
            yield near.candidate()


def write_missing(claim: Claim, pool: Pool, rng: random.Random) -> Iterator[tuple[str, str]]:
    """(kind, query) of requests to which the claim is nothing."""
    for text in claim.others:
        yield "same_subject", text
    for _ in range(3):
        other = pool.draw_other(claim, rng)
        if other is not None and other.subject in other.prompt:
            moved = other.of_another(claim.subject)
            forms = [moved.prompt, *moved.asked, *moved.casual]
            yield "same_subject", rng.choice(forms)
            if moved.yes and rng.random() < 0.3:
                yield "same_subject.yes", fill(rng.choice(moved.yes), v=other.value)
    yield from _ask_of_others(claim, pool, rng)
    yield from _turn_round(claim, rng)
    tasks = bank("tasks")
    yield "text.mention", fill(rng.choice(tasks["none_mention"]), s=claim.subject)
    if rng.random() < 0.4:
        yield "text.tool", fill(rng.choice(tasks["tool"]), s=claim.subject)


def _ask_of_others(claim: Claim, pool: Pool, rng: random.Random) -> Iterator[tuple[str, str]]:
    """The same asked of another subject."""
    for text in claim.neighbours:
        yield "neighbour", text
    if (name := find_twin(claim.subject, pool, rng)) is not None:
        near = claim.of_another(name)
        forms = [near.prompt, *near.asked, *near.casual]
        yield "twin", rng.choice(forms)
        if near.yes:
            yield "twin.yes", fill(rng.choice(near.yes), v=claim.value)
    if claim.of and (like := pool.draw_like(claim, rng)) is not None and like.yes:
        yield "neighbour.yes", fill(rng.choice(like.yes), v=claim.value)


def _turn_round(claim: Claim, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Denied, dated, supposed, and asked of the object, as :mod:`memedit.training.forms` does."""
    fact = Fact(claim.subject, claim.relation, claim.prompt, claim.value, claim.old,
                questions=tuple(q for q in claim.asked if q.endswith("?")))  # fmt: skip
    forms = (("negated", negate), ("dated", date), ("hypothetical", hypothetical))
    kind, form = rng.choice(forms)
    if (text := form(fact, rng)) is not None:
        yield kind, text
    if claim.value not in claim.prompt and rng.random() < 0.5:
        yield "swapped", claim.prompt.replace(claim.subject, claim.value)
