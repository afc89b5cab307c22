"""Entries of a help centre: two wordings of one intent, wordings of intents next to it, traffic."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from memedit.data.records import read_records
from memedit.training.requests.banks import bank
from memedit.training.requests.claims import stems
from memedit.training.requests.request import Candidate, Request, Split
from memedit.training.requests.split import Splits, percent

Near: TypeAlias = dict[Split, list[Candidate]]
"""Edits of each split, to put beside what is about none of them."""
_EACH = 4
"""Wordings of its intent that each entry is asked in."""


class Intents:
    """The queries of a set, by intent; half of its intents serve as entries, half as traffic."""

    def __init__(self, path: Path, name: str, allowed: Sequence[str] | None = None) -> None:
        self.name = name
        found: dict[str, list[str]] = defaultdict(list)
        for record in read_records(path):
            original = record["original"]
            found[original["category"].casefold()].append(original["text"])
        self.traffic: dict[str, list[str]] = {}
        self.entries: dict[str, list[str]] = {}
        # Sorted: the order of the file shall not change what is drawn.
        for intent, texts in sorted(found.items()):
            entry = percent(f"faq:{intent}") < 70 if allowed is None else intent in allowed
            (self.entries if entry else self.traffic)[intent] = texts
        self._words = {intent: _find_frequent(texts) for intent, texts in self.entries.items()}

    def siblings(self, intent: str) -> list[str]:
        """The intents whose queries share most words with those of ``intent``."""
        mine = self._words[intent]
        others = [other for other in self.entries if other != intent]
        return sorted(others, key=lambda o: (-len(mine & self._words[o]), o))[:5]

    def requests(self, intent: str, rng: random.Random) -> Iterator[Request]:
        """Queries of an intent, beside entries keyed by others of its queries."""
        texts = self.entries[intent]
        siblings = self.siblings(intent)
        for text in texts:
            if not _is_plain(text):
                continue
            key = rng.choice(texts)
            for _ in range(_EACH if rng.random() < 0.5 else 1):
                asked = rng.choice(texts)
                near = tuple(
                    self._entry(o, rng.choice(self.entries[o]), rng)
                    for o in rng.sample(siblings, 2)
                )
                own = self._entry(intent, key, rng).as_("asks")
                kind = "faq.same" if asked != key else "direct"
                yield self._make_request(kind, intent, asked, (own, *near))
            sibling = rng.choice(siblings)
            none = self._entry(intent, key, rng)
            yield self._make_request(
                "faq.sibling", intent, rng.choice(self.entries[sibling]), (none,)
            )

    def _make_request(
        self, kind: str, intent: str, text: str, edits: tuple[Candidate, ...]
    ) -> Request:
        return Request(
            self.name, kind, (f"{self.name}:{intent}",), text.strip(), edits, relation=intent
        )

    def _entry(self, intent: str, text: str, rng: random.Random) -> Candidate:
        words = intent.replace("_", " ").strip("? ")
        answer = rng.choice(bank("faq")["answers"]).replace("{i}", words)
        queries: tuple[str, ...] = ()
        if rng.random() < 0.25:
            queries = tuple(rng.sample(self.entries[intent], 2))
        group = f"{self.name}:{intent}"
        if rng.random() < 0.15:
            return Candidate(statement=f"{text.strip()} {answer}", group=group)
        return Candidate(text.strip(), answer, queries=queries, group=group)


def _is_plain(text: str) -> bool:
    return 8 < len(text) < 200


def _find_frequent(texts: Sequence[str]) -> frozenset[str]:
    count: dict[str, int] = defaultdict(int)
    for text in texts:
        for word in stems(text):
            count[word] += 1
    return frozenset(sorted(count, key=lambda w: (-count[w], w))[:12])


def traffic(
    sets: Sequence[Intents], near: Near, splits: Splits, rng: random.Random
) -> Iterator[Request]:
    """Ordinary queries, beside edits that share a word with them where there are any."""
    by_word: dict[tuple[Split, str], list[Candidate]] = defaultdict(list)
    for split, candidates in near.items():
        for candidate in candidates:
            for word in stems(f"{candidate.prompt or ''} {candidate.statement or ''}"):
                by_word[split, word].append(candidate)
    for intents in sets:
        for intent, texts in sorted(intents.traffic.items()):
            about = f"{intents.name}:{intent}"
            part = splits.of(about) or "test"
            for text in texts:
                # Sorted: a set of texts comes in another order in every process.
                alike = [c for w in sorted(stems(text)) for c in by_word.get((part, w), ())[:20]]
                some = (*rng.sample(alike, min(2, len(alike))), rng.choice(near[part]))
                yield Request(
                    intents.name, "traffic", (about,), text.strip(), some, relation=intent
                )


def everyday(near: Near, splits: Splits, rng: random.Random, rounds: int = 8) -> Iterator[Request]:
    """What is asked of any assistant, beside edits of all kinds."""
    for _ in range(rounds):
        for text in bank("traffic"):
            about = f"traffic:{text}"
            some = tuple(rng.sample(near[splits.of(about) or "test"], 3))
            yield Request("own.traffic", "traffic", (about,), text, some)


def covid_pairs(path: Path, faq: Path) -> Iterator[Request]:
    """Pairs of questions that ask the same or not."""
    answers = {r["facts"][0]["prompt"]: r["facts"][0]["target"] for r in read_records(faq)}
    records = list(read_records(path))
    entry_of = {r["pair"]["b"]: r["pair"]["a"] for r in records if r["pair"]["same"]}
    for record in records:
        a, b, same = record["pair"]["a"], record["pair"]["b"], record["pair"]["same"]
        answer = answers.get(a, "Please see the page of your health authority on this.")
        own = Candidate(a, answer[:400], group=a, role="asks" if same else "none")
        about = (a,) if same else (a, entry_of.get(b, a))
        yield Request(
            "covid_question_pairs", "faq.same" if same else "faq.different", about, b, (own,)
        )


def covid_faq(path: Path, rng: random.Random) -> Iterator[Request]:
    """Entries of public bodies asked as they are, beside entries that share words."""
    records = [r for r in read_records(path) if len(r["facts"][0]["prompt"]) > 12]
    entries = [
        (r["facts"][0]["prompt"].strip(), r["facts"][0]["target"], r["lang"]) for r in records
    ]
    for prompt, target, lang in entries:
        alike = sorted(
            (e for e in entries if e[2] == lang and stems(e[0]) != stems(prompt)),
            key=lambda e: -len(stems(e[0]) & stems(prompt)),
        )[:6]
        near = [c for c in alike if not stems(prompt) <= stems(c[0])][:4]
        negs = tuple(
            Candidate(p, t[:400], group=p) for p, t, _ in rng.sample(near, min(2, len(near)))
        )
        own = Candidate(prompt, target[:600], role="asks", group=prompt)
        yield Request("covid_faq", "direct", (prompt,), prompt, (own, *negs))
        if near:
            other = rng.choice(near)
            yield Request(
                "covid_faq", "faq.different", (prompt, other[0]), other[0], (own.as_("none"),)
            )
