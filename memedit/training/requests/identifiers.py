"""Opposites, people of one first name, and things that a number or a letter tells apart."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from memedit.training.requests.banks import bank, fill
from memedit.training.requests.request import Candidate, Request, Role, Split
from memedit.training.requests.split import percent, split_of

_TESTED = 18
"""Per cent of the words (pairs of opposites, things asked for) that are only tested."""


def opposites(count: int, seed: int) -> Iterator[Request]:
    """Entries on doing something, asked for and asked the other way round."""
    words = bank("opposites")
    for number in range(count):
        # A stream for each: asked for more, the first ones stay what they were.
        rng = random.Random(f"{seed}:opposites:{number}")
        product = rng.choice(bank("slots")["product"])
        if rng.random() < 0.65:
            pair: list[str] = rng.choice(words["pairs"])
            thing = fill(rng.choice(words["things"]), p=product)
            left, right = (pair[:2], pair[1::-1])[rng.random() < 0.5]
            same = pair[2] if left == pair[0] and rng.random() < 0.5 else left
            yield from _ask_both(rng, pair, (left, right, same), thing, words)
        else:
            yield from _nouns(rng, words, product)


def _ask_both(
    rng: random.Random, pair: Sequence[str], verbs: tuple[str, str, str], thing: str,
    words: dict[str, Any],
) -> Iterator[Request]:  # fmt: skip
    left, right, same = verbs
    unseen = percent(f"opposite:{pair[0]}") < _TESTED
    about = f"opposite:{pair[0]}:{thing}"
    answer = fill(rng.choice(words["answers"]), k=rng.choice(("fast", "all", "force")))
    own = _entry(fill(rng.choice(words["key"]), a=left, t=thing), answer, rng)
    other = _entry(fill(rng.choice(words["key"]), a=right, t=thing), answer, rng)
    relation = f"opposite:{pair[0]}"

    def make_request(kind: str, verb: str, what: str, edits: tuple[Candidate, ...]) -> Request:
        query = fill(rng.choice(words["ask"]), a=verb, t=what)
        return Request(
            "own.opposites", kind, (about,), query, edits, relation=relation, unseen=unseen
        )

    yield make_request("opposite.same", left, thing, (own.as_("asks"), other))
    yield make_request("opposite.synonym", same, thing, (own.as_("asks"), other))
    yield make_request("opposite.opposite", right, thing, (own,))
    elsewhere = fill(rng.choice(words["things"]), p=rng.choice(bank("slots")["product"]))
    if elsewhere != thing:
        yield make_request("opposite.other_thing", left, elsewhere, (own,))


def _nouns(rng: random.Random, words: dict[str, Any], product: str) -> Iterator[Request]:
    *pair, kind = rng.choice(words["nouns"])
    unseen = percent(f"opposite:{pair[0]}") < _TESTED
    rng.shuffle(pair)
    left, right = pair
    about = f"opposite:{left}:{product}"
    value, second = rng.sample(words["noun_values"][kind], 2)
    own = _value(f"The {left} of {product} is", value, product, rng)
    other = _value(f"The {right} of {product} is", second, product, rng)

    def make_request(kind: str, query: str, edits: tuple[Candidate, ...]) -> Request:
        return Request(
            "own.opposites",
            kind,
            (about,),
            query,
            edits,
            relation=f"opposite:{left}",
            unseen=unseen,
        )

    ask = fill(rng.choice(words["noun_ask"]), a=left, p=product)
    yield make_request("opposite.same", ask, (own.as_("asks"), other))
    ask = fill(rng.choice(words["noun_ask"]), a=right, p=product)
    yield make_request("opposite.opposite", ask, (own,))
    guess = rng.choice((value, second))
    yes = "yes.right" if guess == value else "yes.wrong"
    yield make_request(yes, f"Is the {left} of {product} {guess}?", (own.as_("informs"), other))
    yield make_request("opposite.opposite", f"Is the {right} of {product} {guess}?", (own,))


def _entry(prompt: str, answer: str, rng: random.Random) -> Candidate:
    if prompt.startswith("To ") and rng.random() < 0.6:
        return Candidate(statement=f"{prompt}, {answer[0].lower()}{answer[1:]}", group=prompt)
    return Candidate(prompt, answer, group=prompt)


def _value(prompt: str, value: str, subject: str, rng: random.Random) -> Candidate:
    if rng.random() < 0.4:
        return Candidate(statement=f"{prompt} {value}.", group=prompt)
    return Candidate(prompt, value, subject, group=prompt)


def people(count: int, seed: int) -> Iterator[Request]:
    """A directory of staff: other people of the same name, other things about the same person."""
    words, slots = bank("people"), bank("slots")
    for number in range(count):
        rng = random.Random(f"{seed}:people:{number}")
        first, last = rng.choice(slots["first"]), rng.choice(slots["last"])
        person = f"{first} {last}"
        others = [f"{first} {rng.choice(slots['last'])}", f"{rng.choice(slots['first'])} {last}"]
        yield from _thing(person, [o for o in others if o != person], words["what"], "people", rng)


def write_numbered(count: int, seed: int) -> Iterator[Request]:
    """Orders, rooms, servers and tickets: others differ in a digit or a letter."""
    kinds = bank("people")["things"]
    for number in range(count):
        rng = random.Random(f"{seed}:numbered:{number}")
        kind = rng.choice(sorted(kinds))
        name, near = _number(kind, rng)
        word = rng.choice(kinds[kind]["names"])
        forms = [f"{word} {name}", name] if word != "the" else [f"the {name}", name]
        form = rng.choice(forms)
        others = [form.replace(name, other) for other in near]
        yield from _thing(form, others, kinds[kind]["what"], kind, rng)


def _number(kind: str, rng: random.Random) -> tuple[str, list[str]]:
    """An identifier and two that are almost the same."""
    shapes = {
        "order": ("#{}{}{}{}{}", "A{}{}{}{}", "{}{}{}-{}{}{}", "W-{}{}{}{}"),
        "room": ("{}.{}{}", "B{}{}", "{}{}{}", "C-{}{}"),
        "server": ("db{}{}", "web-{}{}", "node{}{}a", "srv-{}{}{}"),
        "ticket": ("OPS-{}{}{}{}", "#{}{}{}", "BUG-{}{}{}", "{}{}{}{}{}"),
        "model": ("RX-{}{}0", "TX{}{}0", "Aero {}", "P{}{}{}S"),
        "flight": ("LH{}{}{}", "KA {}{}{}{}", "BA{}{}", "UX{}{}{}"),
    }
    name = rng.choice(shapes[kind]).format(*(rng.randrange(1, 10) for _ in range(6)))
    digits = [i for i, c in enumerate(name) if c.isdigit() and c != "0"]  # a 0 is of the shape
    near = []
    for at in rng.sample(digits, min(2, len(digits))):
        new = rng.choice([d for d in "123456789" if d != name[at]])
        near.append(name[:at] + new + name[at + 1 :])
    letters = [i for i, c in enumerate(name) if c.isalpha()]
    if letters and rng.random() < 0.5:
        at = rng.choice(letters)
        pool = "ABCDKLMPRS" if name[at].isupper() else "abcdklmprs"
        near[0] = name[:at] + rng.choice([c for c in pool if c != name[at]]) + name[at + 1 :]
    return name, near


def _thing(
    name: str, others: Sequence[str], what: dict[str, list[str]], kind: str, rng: random.Random
) -> Iterator[Request]:
    """Requests about one attribute of a named thing."""
    about = f"{kind}:{name}"
    attribute = rng.choice(sorted(what))
    unseen = percent(f"attribute:{kind}:{attribute}") < _TESTED
    split: Split = "test" if unseen else split_of(about)
    seen = [a for a in sorted(what) if a != attribute]
    if split != "test":
        seen = [a for a in seen if percent(f"attribute:{kind}:{a}") >= _TESTED]
    value = _fill_value(attribute, rng)
    second = _fill_value(attribute, rng)
    own = _value(f"The {attribute} of {name} is", value, name, rng)
    near = [_value(f"The {attribute} of {o} is", second, o, rng) for o in others[:2]]
    for other in rng.sample(seen, 1):
        near.append(_value(f"The {other} of {name} is", _fill_value(other, rng), name, rng))
    questions = (*what[attribute], "What is the {w} of {p}?", "Tell me {p}'s {w}", "{w} of {p}")

    def make_request(
        tag: str, text: str, role: Role, who: str = name, which: str = attribute
    ) -> Request:
        query = fill(
            text,
            p=who,
            n=who,
            w=which,
            v=rng.choice((value, second)),
            q=others[0] if others else "Zoe Kim",
        )
        edits = (own.as_(role), *(near if role != "none" and tag != "informs" else ()))
        return Request(
            f"own.{'people' if kind == 'people' else 'identifiers'}",
            f"{kind}.{tag}",
            (about,),
            query,
            edits,
            relation=f"{kind}:{attribute}",
            unseen=unseen,
        )

    for text in rng.sample(questions, 2):
        yield make_request("same", text, "asks")
    yield make_request("informs", rng.choice(bank("people")["informs"]), "informs")
    for other in others[:2]:
        yield make_request(
            "near", rng.choice((*questions, *bank("people")["informs"][:3])), "none", other
        )
    which = rng.choice(seen)
    yield make_request(
        "other_attribute",
        rng.choice((*what[which], "What is the {w} of {p}?")),
        "none",
        which=which,
    )


def _fill_value(attribute: str, rng: random.Random) -> str:
    values = bank("people")["values"]
    form = rng.choice(values.get(attribute, values[""]))
    return fill(form, d=str(rng.randrange(10, 98)), d1=str(rng.randrange(1, 10)))
