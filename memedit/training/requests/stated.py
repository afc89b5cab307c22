"""Edits that are sentences: events, arithmetic, science, kinds of things; and texts with parts."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from memedit.data.records import read_records
from memedit.training.requests.claims import stems
from memedit.training.requests.request import Candidate, Request, Role, Split
from memedit.training.requests.split import Splits

_ANSWER = re.compile(r"\s*(?:Correct )?Answer:.*$", re.DOTALL | re.IGNORECASE)
_OPTIONS = re.compile(r"\n?\s*(?:Choices:|Options:)?\s*\(?[Aa][.)]\s.*$", re.DOTALL)
_NUMBER = re.compile(r"\d+")


def make_statement(text: str, role: Role = "none") -> Candidate:
    """A statement as an edit."""
    return Candidate(statement=text.strip(), role=role, group=text.strip())


class Pools:
    """Statements of a set by split, to draw negatives from."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits
        self._found: dict[tuple[str, Split | None], list[str]] = defaultdict(list)

    def add(self, name: str, text: str) -> None:
        self._found[name, self._splits.of(text)].append(text)

    def nearest(self, name: str, text: str, count: int) -> Iterator[Candidate]:
        """The statements of the set and of ``text``'s split that share most with it."""
        mine = stems(text)
        pool = self._found[name, self._splits.of(text)]
        # By the text where they share as much: the order of the pool is the file's.
        for other in sorted(pool, key=lambda o: (-len(stems(o) & mine), o))[:count]:
            yield make_statement(other)

    def draw_like(
        self, name: str, text: str, rng: random.Random, count: int = 2
    ) -> Iterator[Candidate]:
        """Other statements of the same set and split that share least."""
        pool = self._found[name, self._splits.of(text)]
        for other in rng.sample(pool, min(count, len(pool))):
            if other != text and len(stems(other) & stems(text)) < 4:
                yield make_statement(other)


def dune(path: Path, splits: Splits, rng: random.Random) -> Iterator[Request]:
    """DUNE: what is asked about an event, a sum or an explanation."""
    records = [r for r in read_records(path) if r.get("facts")]
    pools = Pools(splits)
    for record in records:
        if "-loc-" not in record["id"]:
            pools.add(_domain(record), record["facts"][0]["statement"])
    for record in records:
        name, text = _domain(record), record["facts"][0]["statement"]
        for probe in record["probes"]:
            asked = _ANSWER.sub("", probe["prompt"]).strip()
            near = tuple(pools.draw_like(name, text, rng))
            kind = f"dune.{name}"
            yield Request(
                "dune",
                kind,
                (text,),
                asked,
                (make_statement(text, "informs"), *near),
                relation=name,
                frames=False,
            )
            bare = _OPTIONS.sub("", asked).strip()
            if name == "new_info" and bare.endswith("?") and not bare.startswith("Which of"):
                yield Request(
                    "dune",
                    "part",
                    (text,),
                    bare,
                    (make_statement(text, "asks"), *near),
                    relation=name,
                )
        if name == "arithmetic":
            yield from _sums(text, record["probes"][0]["prompt"], rng)
        else:
            yield from _ask_elsewhere(name, text, records, splits, rng)
    for record in read_records(path):
        if record["kind"] == "locality" and not record.get("facts"):
            yield from _locality(record, pools, rng)


def _domain(record: dict[str, Any]) -> str:
    return str(record["id"]).rsplit("-", 1)[0].removesuffix("-loc")


def _locality(record: dict[str, Any], pools: Pools, rng: random.Random) -> Iterator[Request]:
    for probe in record["probes"]:
        text = probe["prompt"]
        near = tuple(pools.nearest(_domain(record), text, 4))
        if near:
            yield Request(
                "dune", "dune.locality", (text,), text, near, relation=_domain(record), frames=False
            )


def _sums(text: str, problem: str, rng: random.Random) -> Iterator[Request]:
    """The same problem with another number, and the sum asked for itself."""
    about = (text,)
    numbers = _NUMBER.findall(text)
    old = rng.choice(numbers[:2])
    new = str(int(old) + rng.choice((1, 2, 5, 7, 10, 30)))
    if re.search(rf"(?<!\d){old}(?!\d)", problem):
        changed = re.sub(rf"(?<!\d){old}(?!\d)", new, problem)
        yield Request("dune", "dune.other_sum", about, changed, (make_statement(text),))
    left, _, _ = text.partition("=")
    asked = rng.choice(("What is {l}?", "{l} = ?", "How much is {l}?", "Calculate {l}.", "{l}"))
    own = make_statement(text, "asks")
    yield Request("dune", "part", about, asked.replace("{l}", left.strip()), (own,))
    wrong = left.replace(old, new, 1).strip()
    asked = rng.choice(("What is {l}?", "{l} = ?", "How much is {l}?", "{l}"))
    yield Request(
        "dune", "dune.other_sum", about, asked.replace("{l}", wrong), (make_statement(text),)
    )


def _ask_elsewhere(
    name: str, text: str, records: Sequence[dict[str, Any]], splits: Splits, rng: random.Random
) -> Iterator[Request]:
    """A question about another statement of the set."""
    for _ in range(2):
        other = rng.choice(records)
        theirs = other["facts"][0]["statement"]
        asked = _ANSWER.sub("", other["probes"][0]["prompt"]).strip()
        same = _domain(other) == name and theirs != text
        if same and len(stems(asked) & stems(text)) < 3 and splits.of(text, theirs):
            yield Request(
                "dune",
                "dune.elsewhere",
                (text, theirs),
                asked,
                (make_statement(text), make_statement(theirs, "informs")),
                frames=False,
            )


def scope_pairs(path: Path) -> Iterator[Request]:
    """DUNE's pairs: whether a question is in the scope of a statement."""
    for record in read_records(path):
        pair = record["pair"]
        role: Role = "informs" if pair["same"] else "none"
        asked = _ANSWER.sub("", pair["b"]).strip()
        kind = "dune.about" if pair["same"] else "dune.locality"
        yield Request(
            "dune_scope_pairs",
            kind,
            (pair["a"],),
            asked,
            (make_statement(pair["a"], role),),
            frames=False,
        )


def kinds(path: Path, rng: random.Random) -> Iterator[Request]:
    """TAXI: what follows for a thing from the kind of thing it is."""
    records = list(read_records(path))
    for record in records:
        fact = record["facts"][0]
        text, subject = fact["statement"], fact["subject"]
        others = [rng.choice(records)["facts"][0] for _ in range(2)]
        near = tuple(make_statement(o["statement"]) for o in others if o["subject"] != subject)
        for probe in rng.sample(record["probes"], min(3, len(record["probes"]))):
            asks = probe["type"] == "category_membership"
            own = make_statement(text, "asks" if asks else "informs")
            kind = "direct" if asks else "follows"
            yield Request("taxi", kind, (subject,), probe["prompt"], (own, *near))
        for form in ("What is a {s}?", "What kind of thing is a {s}?", "a {s} is a what"):
            asked = form.replace("{s}", subject)
            yield Request(
                "taxi", "paraphrase", (subject,), asked, (make_statement(text, "asks"), *near)
            )


def plausible(path: Path, rng: random.Random) -> Iterator[Request]:
    """MEMIT's common sense: whether a sentence is true."""
    for record in read_records(path):
        fact = record["facts"][0]
        subject = fact["subject"]
        by: dict[str, list[str]] = defaultdict(list)
        for probe in record["probes"]:
            by[probe["type"]].append(probe["prompt"])
        same = [t for t in by["affected_paraphrase"] if stems(t) & stems(fact["prompt"])]
        edited = {p["prompt"].casefold() for p in record["probes"] if p["expect"] == "edited"}
        away = [p["prompt"] for p in record["probes"] if p["expect"] == "unchanged"]
        own = Candidate(fact["prompt"], str(fact["target"]), subject, role="asks", group=subject)
        for text in rng.sample(same, min(3, len(same))):
            yield Request("memit_csk", "paraphrase", (subject,), text, (own,))
        # Some sentences are listed as both.
        away = [t for t in away if t.casefold() not in edited]
        for text in rng.sample(away, min(4, len(away))):
            yield Request("memit_csk", "neighbour", (subject,), text, (own.as_("none"),))
