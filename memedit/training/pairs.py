"""Pairs of a query and a candidate edit, labelled: what a scope learns from.

The candidates are those the product's own memory finds with all edits in it, so the hard negatives
are the ones that really come up. A candidate that may ask the same thing as the query, as far as
the data can tell, is left out: a label that is a guess teaches guessing.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from memedit.core.errors import InvalidInputError, UntrustedFileError
from memedit.core.files import replacing
from memedit.core.protocols import Encoder
from memedit.core.text import subject_key
from memedit.core.types import Edit, Hit
from memedit.core.untrusted import open_tensors, parse_json
from memedit.data.facts import Fact
from memedit.memory import EditMemory
from memedit.scope.features import scalars, vectors
from memedit.scope.reading import TextPair, pair_texts
from memedit.scope.relations import are_sisters
from memedit.scope.weighing import choose_weighed
from memedit.training.examples import are_related
from memedit.training.forms import date, hypothetical, negate, reverse

Floats = npt.NDArray[np.float32]
Kind: TypeAlias = Literal[
    "paraphrase", "question", "prompt", "neighbour", "same_subject", "negated", "reversed",
    "hypothetical", "dated", "text",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
POSITIVE: frozenset[str] = frozenset({"paraphrase", "question", "prompt"})
KEPT = 3
"""Candidates of one query that are learnt from, beside those whose subject it names."""
_TURNED: tuple[tuple[Kind, Callable[[Fact, random.Random], str | None]], ...] = (
    ("negated", negate),
    ("reversed", reverse),
    ("hypothetical", hypothetical),
    ("dated", date),
)
_LEADS = ("Can you tell me: {}", "Hi! {}", "Please answer: {}", "{} Thanks.", "Q: {}", "So, {}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query about ``fact`` (its own question for a positive kind); ``relation`` is what a
    neighbour's prompt asks."""

    text: str
    kind: Kind
    fact: Fact | None = None
    other: Fact | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Features and labels; ``query`` numbers the queries, ``kinds`` names the kind of each pair;
    ``texts`` are what a cross-encoder reads."""

    scalars: Floats
    vectors: npt.NDArray[np.float16]
    labels: npt.NDArray[np.int8]
    query: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.str_]
    texts: list[TextPair]

    def __len__(self) -> int:
        return len(self.labels)

    def save(self, file: Path) -> None:
        """Write them as safetensors, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        # As numbers: safetensors holds no text.
        kinds = np.array([KINDS.index(kind) for kind in self.kinds.tolist()], np.int8)
        names = ("scalars", "vectors", "labels", "query")
        tensors = {n: np.ascontiguousarray(getattr(self, n)) for n in names}
        texts = np.frombuffer(json.dumps(self.texts).encode(), np.uint8)
        with replacing(file) as new:
            save_file({**tensors, "kinds": kinds, "texts": texts}, new)

    @classmethod
    def load(cls, file: Path) -> Pairs:
        """What :meth:`save` wrote.

        Raises:
            InvalidInputError: it is damaged.
        """
        try:
            with open_tensors(file, "np") as opened:
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}
            kinds = np.array([KINDS[int(kind)] for kind in tensors.pop("kinds")])
            texts = [(str(a), str(b)) for a, b in parse_json(tensors.pop("texts").tobytes())]
            return cls(**tensors, kinds=kinds, texts=texts)
        except (UntrustedFileError, ValueError, KeyError, TypeError, IndexError) as error:
            raise InvalidInputError(
                f"{file} is damaged: {error!s:.100}.",
                hint="Remove it: the same command makes the pairs anew.",
            ) from None


class Queries:
    """Draws queries about facts."""

    def __init__(self, facts: Sequence[Fact], texts: Sequence[str]) -> None:
        self._texts = list(texts)
        self._by_source: dict[str, list[Fact]] = defaultdict(list)
        self._by_relation: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            self._by_source[fact.source].append(fact)
            self._by_relation[fact.relation].append(fact)

    def draw_about(self, fact: Fact, rng: random.Random) -> Iterator[Asked]:
        """The queries of one fact, of every kind."""
        yield from self._ask_same(fact, rng)
        yield from self._ask_different(fact, rng)
        for kind, form in _TURNED:
            if rng.random() < 0.6 and (asked := form(fact, rng)):
                yield Asked(asked, kind, fact)
        if rng.random() < 0.6:
            at = rng.randrange(len(self._texts))
            yield Asked(" ".join(self._texts[at : at + rng.randrange(1, 6)]), "text", None)
        if rng.random() < 0.3:
            words = rng.choice(self._texts).split(" ")
            at = rng.randrange(len(words))
            yield Asked(" ".join((*words[:at], fact.subject, *words[at:])), "text", fact)

    def _ask_same(self, fact: Fact, rng: random.Random) -> Iterator[Asked]:
        """The fact's own question, worded as the data word it."""
        yield Asked(self._dress(fact.prompt, rng), "prompt", fact)
        for text in fact.paraphrases:
            yield Asked(text, "paraphrase", fact)
        for text in rng.sample(fact.questions, min(2, len(fact.questions))):
            yield Asked(self._dress(text, rng), "question", fact)
        like = rng.choice(self._by_relation[fact.relation])
        reworded = like.prompt.replace(like.subject, fact.subject)
        yield Asked(self._dress(reworded, rng), "question", fact)

    def _ask_different(self, fact: Fact, rng: random.Random) -> Iterator[Asked]:
        """The same of other subjects, and other things of the same subject."""
        for text in rng.sample(fact.neighbours, min(2, len(fact.neighbours))):
            yield Asked(text, "neighbour", fact)
        for text in rng.sample(fact.others, min(2, len(fact.others))):
            yield Asked(text, "same_subject", fact)
        for _ in range(5):
            other = rng.choice(self._by_source[rng.choice(self._sources(fact))])
            if not are_related(fact, other):
                chosen = rng.choice((other.prompt, *other.questions, *other.paraphrases))
                chosen = chosen.replace(other.subject, fact.subject)
                yield Asked(self._dress(chosen, rng), "same_subject", fact, other)

    def _sources(self, fact: Fact) -> list[str]:
        """Where other questions come from: those are many in these, and of many kinds."""
        return [s for s in ("counterfact", fact.source, "zsre") if s in self._by_source]

    def _dress(self, text: str, rng: random.Random) -> str:
        """A query as people type it: sometimes led in, in lower case, or after other words."""
        draw = rng.random()
        if draw < 0.08 and text.endswith("?"):
            return rng.choice(_LEADS).format(text)
        if draw < 0.14:
            return text.lower()
        if draw < 0.24:
            return f"{rng.choice(self._texts)} {text}"
        return text


Part: TypeAlias = tuple[
    Floats, npt.NDArray[np.float16], list[int], list[int], list[str], list[TextPair]
]


def cache_pairs(
    file: Path,
    facts: Sequence[Fact],
    texts: Sequence[str],
    encoder: Encoder,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> Pairs:
    """:func:`build`, kept in ``file`` and read from it the next time."""
    if file.is_file():
        return Pairs.load(file)
    pairs = build(facts, texts, encoder, seed=seed, progress=progress)
    pairs.save(file)
    return pairs


def label(hit: Hit, asked: Asked, fact_of: dict[str, Fact]) -> int | None:
    """1 if the edit answers the query, 0 if not, None where the data cannot tell."""
    candidate = fact_of[hit.record.id]
    fact = asked.fact
    if fact is None:
        return 0
    if asked.kind in POSITIVE:
        if candidate is fact:
            return 1
        same = subject_key(candidate.subject) == subject_key(fact.subject)
        return None if same and are_related(candidate, fact) else 0
    if asked.kind == "neighbour":
        return None if hit.mention is not None and _are_alike(candidate, fact) else 0
    if asked.kind == "same_subject":
        if subject_key(candidate.subject) != subject_key(fact.subject):
            return 0
        if asked.other is not None and are_related(candidate, asked.other):
            return None
        return 0 if candidate is fact else None
    return 0 if candidate is fact or hit.mention is None else None


def _are_alike(a: Fact, b: Fact) -> bool:
    if a.source == b.source == "counterfact":
        return are_sisters(a.relation, b.relation)
    return are_related(a, b)


def build(
    facts: Sequence[Fact],
    texts: Sequence[str],
    encoder: Encoder,
    *,
    seed: int = 0,
    statements: float = 0.15,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Pairs of queries about ``facts`` with the candidates found among all of them.

    Args:
        facts: All are put in one memory.
        texts: Ordinary sentences.
        encoder: The memory's.
        seed: Of the queries.
        statements: Share of the facts that are stored as statements, without a subject.
        progress: Called with (facts done, facts in all).
    """
    rng = random.Random(seed)
    memory = EditMemory(None, encoder)
    fact_of: dict[str, Fact] = {}
    edits = []
    for fact in facts:
        bare = rng.random() < statements
        edit = Edit.from_statement(f"{fact.prompt} {fact.target}.") if bare else fact.edit
        if edit.id not in fact_of:
            fact_of[edit.id] = fact
            edits.append(edit)
    memory.add_many(edits)
    drawn = Queries(facts, texts)
    parts: list[Part] = []
    queries: list[Asked] = []
    number = 0
    for done, fact in enumerate(facts, start=1):
        queries += drawn.draw_about(fact, rng)
        # Many at once: one call of the encoder costs little more for it.
        if len(queries) >= 256 or done == len(facts):
            found = memory.search([q.text for q in queries], k=12)
            for asked, hits in zip(queries, found, strict=True):
                number += 1
                if part := _pair_query(asked, hits, fact_of, number):
                    parts.append(part)
            queries = []
            progress(done, len(facts))
    return gather(parts)


def gather(parts: Sequence[Part]) -> Pairs:
    """The pairs of several queries."""
    return Pairs(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.array([x for p in parts for x in p[2]], np.int8),
        np.array([x for p in parts for x in p[3]], np.int32),
        np.array([x for p in parts for x in p[4]]),
        [x for p in parts for x in p[5]],
    )


def _pair_query(
    asked: Asked, hits: Sequence[Hit], fact_of: dict[str, Fact], number: int
) -> Part | None:
    hits = choose_weighed(hits)
    every = scalars(hits, asked.text)
    kept, labels, unnamed = [], [], 0
    for i, hit in enumerate(hits):
        value = label(hit, asked, fact_of)
        unnamed += hit.mention is None
        if value is None or (value == 0 and hit.mention is None and unnamed > KEPT):
            continue
        kept.append(i)
        labels.append(value)
    if not kept:
        return None
    wide = vectors([hits[i] for i in kept]).astype(np.float16)  # the most of what is kept
    texts = [pair_texts(hits[i], asked.text) for i in kept]
    return every[kept], wide, labels, [number] * len(kept), [asked.kind] * len(kept), texts
