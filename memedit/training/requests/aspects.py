"""Entries on the aspects of a thing: the same aspect in other words, its neighbours, other things.

An illness has symptoms, causes and a treatment; a program is installed, updated and paid for. A
question about one is nothing to the entry on another, however alike the words.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from memedit.training.requests.banks import bank, fill
from memedit.training.requests.request import Candidate, Request, Role, Split
from memedit.training.requests.split import percent, split_of

_UNSEEN = 14
_TESTED = 18
"""Per cent of the aspects, and of the wordings of each, that are only tested."""


def aspects(seed: int, rounds: int = 2) -> Iterator[Request]:
    """Requests about every aspect of every thing of the bank ``aspects``."""
    for number in range(rounds):
        for family, content in bank("aspects").items():
            for entity in content["entities"]:
                for name in content["aspects"]:
                    # One for each: what is added to a bank changes nothing of what the others draw.
                    rng = random.Random(f"{seed}:{family}:{entity}:{name}:{number}")
                    yield from _write_about(family, entity, name, rng)


def _write_about(family: str, entity: str, name: str, rng: random.Random) -> Iterator[Request]:
    unseen = percent(f"aspect:{family}:{name}") < _UNSEEN
    about = f"{family}:{entity}"
    split: Split = "test" if unseen else split_of(about)
    content = bank("aspects")[family]
    one = content["aspects"][name]
    key = {"e": entity, "k": str(rng.randrange(1, 60))}
    own = _entry(one, key, split, rng)
    near = tuple(_write_others(content, entity, name, key, split, rng))

    def make_request(kind: str, query: str, role: Role) -> Request:
        # Beside a request that asks none of this, a neighbour might be what it asks.
        beside = near if role != "none" else ()
        return Request(
            set="own.aspects", kind=kind, about=(about,), query=query,
            edits=(own.as_(role), *beside), relation=f"{family}:{name}", unseen=unseen,
        )  # fmt: skip

    for question in rng.sample(choose_usable(one["q"], split), 2):
        yield make_request("faq.same", fill(question, **key), "asks")
    yield make_request("faq.case", fill(rng.choice(one["case"]), **key), "informs")
    others = [a for a in content["aspects"] if a != name and not _is_held_out(family, a, split)]
    for other in rng.sample(others, min(2, len(others))):
        bag = content["aspects"][other]
        question = rng.choice([*choose_usable(bag["q"], split), *bag["case"]])
        yield make_request("faq.other_aspect", fill(question, **key), "none")
    stranger = rng.choice([e for e in content["entities"] if e != entity])
    question = rng.choice([*choose_usable(one["q"], split), *one["case"]])
    yield make_request("faq.other_entity", fill(question, **(key | {"e": stranger})), "none")
    if "{k}" in "".join(one["q"]):
        code = str(int(key["k"]) + rng.choice((1, 10)))
        yield make_request(
            "faq.other_code", fill(rng.choice(one["q"]), **(key | {"k": code})), "none"
        )


def choose_usable(questions: Sequence[str], split: Split) -> list[str]:
    """The wordings a split may use; three at least."""
    found = [q for q in questions if split == "test" or percent(f"question:{q}") >= _TESTED]
    return found if len(found) >= 3 else list(questions)


def _is_held_out(family: str, name: str, split: Split) -> bool:
    return split != "test" and percent(f"aspect:{family}:{name}") < _UNSEEN


def _entry(one: dict[str, Any], key: dict[str, str], split: Split, rng: random.Random) -> Candidate:
    """A question with its answer, or a sentence that names the thing."""
    questions, answers = choose_usable(one["q"], split), one["a"]
    named = [a for a in answers if "{e}" in a]
    group = f"{key['e']}:{one['q'][0]}"
    if named and rng.random() < 0.2:
        return Candidate(statement=fill(rng.choice(named), **key), group=group)
    asked, *more = rng.sample(questions, 2)
    queries = (fill(more[0], **key),) if rng.random() < 0.15 else ()
    answer = fill(rng.choice(answers), **key)
    return Candidate(fill(asked, **key), answer, queries=queries, group=group)


def _write_others(
    content: dict[str, Any], entity: str, name: str, key: dict[str, str], split: Split,
    rng: random.Random,
) -> Iterator[Candidate]:  # fmt: skip
    """Entries on another aspect of the thing, and on this aspect of another."""
    family = next(f for f, c in bank("aspects").items() if c is content)
    others = [a for a in content["aspects"] if a != name and not _is_held_out(family, a, split)]
    yield _entry(content["aspects"][rng.choice(others)], key, split, rng)
    stranger = rng.choice([e for e in content["entities"] if e != entity])
    yield _entry(content["aspects"][name], key | {"e": stranger}, split, rng)
