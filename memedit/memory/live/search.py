"""Candidates for a query, from two doors: near vectors, and mentions of known subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

import numpy as np

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.core.passages import Conversation, parts_of
from memedit.core.text import mask, normalise, subject_key
from memedit.core.types import Hit, PairVectors, Record, Vectors, key_texts
from memedit.memory.live.space import Space
from memedit.memory.live.state import LiveSet
from memedit.memory.live.subjects import Mention
from memedit.memory.live.views import View, views

SUBJECT_CAP = 64
"""Most records the subject door gives for one query."""
_MASKED_MENTIONS, _MASKED_VIEWS = 8, 2
"""Mentions of one view, and views of one subject's mention, that are compared masked too."""
_SAME = 0.95
"""Cosine from which a query is as good as one that was reported."""
NAIVE_HINT = "Give an aware datetime, e.g. datetime.now(timezone.utc)."


@dataclass(frozen=True, slots=True)
class Masked:
    """A view with one subject masked.

    Attributes:
        text: What is compared.
        view: Which of the query's views it is of.
        mention: The words that are masked.
        clause: The part of the view that is left: all of it, or from the mention on.
    """

    text: str
    view: int
    mention: Mention
    clause: str


@dataclass(slots=True)
class Query:
    """A query cut into views, and the masked forms of each subject (by its key) it mentions."""

    views: list[View]
    text: str = ""
    masked: dict[str, list[Masked]] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """What must be encoded to answer it."""
        masked = [form.text for forms in self.masked.values() for form in forms]
        return [view.text for view in self.views] + masked


def prepare(live: LiveSet, namespace: str, text: str) -> Query:
    """Views and masked views of one query; no views for a blank one."""
    query = Query(views(text, live.space(namespace).subjects.mentions), text)
    seen: dict[str, list[str]] = {}
    for at, view in enumerate(query.views):
        last = {mention.key: mention for mention in view.mentions[-_MASKED_MENTIONS:]}
        for key, mention in last.items():  # the last mention of a subject counts
            before = seen.setdefault(key, [])
            if len(before) == _MASKED_VIEWS or any(text in view.text for text in before):
                continue  # a longer view of the same question says no more of what is asked
            before.append(view.text)
            query.masked.setdefault(key, []).extend(_mask_forms(at, view.text, mention))
    return query


def _mask_forms(at: int, view: str, mention: Mention) -> list[Masked]:
    """The view with the subject masked, and where words follow it, only from the subject on.

    The second form drops what an unfinished sentence before the question left behind.
    """
    whole = mask(view, mention.start, mention.end)
    forms = [Masked(whole, at, mention, view)]
    if mention.start and " " in view[mention.end :].strip():
        forms.append(Masked(whole[mention.start :], at, mention, view[mention.start :]))
    return forms


def prepare_all(live: LiveSet, namespace: str, texts: Sequence[str]) -> list[Query]:
    """:func:`prepare` for each text; nothing to search for in an empty namespace."""
    listed = isinstance(texts, Sequence) and not isinstance(texts, str)
    if not listed or not all(isinstance(text, str) for text in texts):
        raise InvalidInputError("search takes a list of queries.", hint="Write search([query]).")
    if not len(live.space(namespace)):
        return [Query([]) for _ in texts]
    return [prepare(live, namespace, text) for text in map(_encodable, texts)]


def texts_of(queries: Sequence[Query]) -> list[str]:
    """What must be encoded to answer them, each text once."""
    return list(dict.fromkeys(text for query in queries for text in query.texts()))


def _encodable(text: str) -> str:
    """Lone surrogates, which no encoder takes, replaced by question marks."""
    clean = text.encode("utf-8", errors="replace").decode("utf-8")
    if isinstance(text, Conversation):
        return Conversation(clean[: max(0, text.last - 1)], clean[text.last :])
    return clean


@dataclass(slots=True)
class _Candidate:
    similarity: float
    view: int


class Search:
    """One search over one state of the live set.

    Args:
        vectors: Vector by text, for the texts of every query.
        k: Records wanted from the vector door.
        as_of: Only records that hold then are found.
    """

    def __init__(
        self, live: LiveSet, namespace: str, vectors: dict[str, Vectors], k: int, as_of: datetime
    ) -> None:
        if k < 1:
            raise InvalidInputError(f"k must be at least 1, not {k}.")
        if as_of.tzinfo is None:
            raise InvalidInputError("as_of has no time zone.", hint=NAIVE_HINT)
        self._live, self._vectors, self._k, self._as_of = live, vectors, k, as_of
        self._space: Space = live.space(namespace)

    def run(self, queries: Sequence[Query]) -> list[list[Hit]]:
        """Both doors' records per query, best similarity first, then newest first."""
        views = [
            (at, n, view) for at, query in enumerate(queries) for n, view in enumerate(query.views)
        ]
        found: list[dict[int, _Candidate]] = [{} for _ in queries]
        if not views or self._space.index is None:
            return [[] for _ in queries]
        matrix = np.stack([self._vectors[view.text] for _, _, view in views])
        for (at, n, _), near in zip(views, self._vector_door(matrix), strict=True):
            _merge(found[at], near, n)
        # Every view of a query finds up to k; together they may not give many times that.
        found = [_best(near, self._k + self._k // 2) for near in found]
        for at, query in enumerate(queries):
            self._subject_door(query, found[at])
        return [self._hits(query, rows) for query, rows in zip(queries, found, strict=True)]

    def _vector_door(self, matrix: Vectors) -> list[dict[int, float]]:
        """The ``k`` valid records nearest to each row; asks for more keys until found."""
        answers: list[dict[int, float]] = [{} for _ in matrix]
        rows = np.arange(len(matrix))
        index = self._space.index
        # A record has several keys, and some records do not hold at the moment: k keys may give
        # fewer than k records.
        wanted = self._k + 8
        while index is not None and len(rows):
            ids, similarities = index.search(matrix[rows], wanted)
            for row, keys, cosines in zip(rows, ids, similarities, strict=True):
                answers[row] = self._valid(keys.tolist(), cosines.tolist())
            if wanted >= len(index):
                break
            rows = rows[[len(answers[row]) < self._k for row in rows]]
            wanted *= 4
        return answers

    def _valid(self, keys: list[int], cosines: list[float]) -> dict[int, float]:
        best: dict[int, float] = {}
        for key, cosine in zip(keys, cosines, strict=True):
            # FAISS fills up with -1 where its cells hold fewer.
            if key < 0 or len(best) == self._k:
                break
            sequence = self._space.owner(key)
            if sequence not in best and self._holds(sequence):
                best[sequence] = cosine
        return best

    def _holds(self, sequence: int) -> bool:
        return self._live.records.holds_at(sequence, self._as_of)

    def _subject_door(self, query: Query, found: dict[int, _Candidate]) -> None:
        """Every valid record about a mentioned subject, newest first, up to the cap."""
        keys_named = dict.fromkeys(m.key for view in query.views for m in view.mentions)
        # A subject with hundreds of facts must not crowd out the others that are named.
        share = max(8, SUBJECT_CAP // max(1, len(keys_named)))
        about: list[int] = []
        for key in keys_named:
            valid = (s for s in self._space.subjects.sequences(key) if self._holds(s))
            about += islice(valid, share)
        fresh = [sequence for sequence in sorted(about, reverse=True) if sequence not in found]
        fresh = fresh[:SUBJECT_CAP]
        if not fresh or self._space.index is None:
            return
        keys = [self._space.keys(sequence) for sequence in fresh]
        vectors = self._space.index.reconstruct([key for group in keys for key in group])
        cosines = vectors @ np.stack([self._vectors[view.text] for view in query.views]).T
        start = 0
        for sequence, group in zip(fresh, keys, strict=True):
            block = cosines[start : start + len(group)]
            start += len(group)
            view = int(block.max(axis=0).argmax())
            found[sequence] = _Candidate(float(block.max()), view)

    def _hits(self, query: Query, found: dict[int, _Candidate]) -> list[Hit]:
        order = sorted(found, key=lambda sequence: (-found[sequence].similarity, -sequence))
        if not order or self._space.index is None:
            return []
        groups = [self._space.keys(sequence) for sequence in order]
        vectors = self._space.index.reconstruct([key for group in groups for key in group])
        hits, start = [], 0
        for sequence, group in zip(order, groups, strict=True):
            own = vectors[start : start + len(group)]
            start += len(group)
            record = self._live.records[sequence]
            _check_keys(record, len(group))
            if record.edit.excluded and self._excludes(query, record, own):
                continue
            hit = self._hit(query, record, found[sequence], own)
            passage = self._space.shelf.passage(sequence, self._as_of)
            hits.append(hit if passage is None else replace(hit, passage=passage))
        return sorted(hits, key=lambda hit: (-hit.similarity, -hit.record.sequence))

    def _hit(self, query: Query, record: Record, candidate: _Candidate, keys: Vectors) -> Hit:
        """The evidence; ``keys`` [k, d] are the record's, those of its parts last."""
        subject = record.edit.subject
        forms = query.masked.get(subject_key(subject), ()) if subject is not None else ()
        if not forms:
            return self._compare(query, record, candidate.view, keys)
        theirs = self._live.relation_vectors([record.sequence])[0]
        best = max(forms, key=lambda form: float(theirs @ self._vectors[form.text]))
        masked_view = self._vectors[best.text]
        hit = self._compare(query, record, best.view, keys)
        assert hit.vectors is not None
        return replace(
            hit,
            mention=best.mention.text,
            relation=_cosine(theirs, masked_view),
            clause=best.clause,
            vectors=replace(hit.vectors, masked_view=masked_view, masked_key=theirs),
        )

    def _excludes(self, query: Query, record: Record, keys: Vectors) -> bool:
        """Whether the query is one that shall not find the record, or as good as one."""
        asked = normalise(query.text)
        if any(asked == normalise(text) for text in record.edit.excluded):
            return True
        seen = np.stack([self._vectors[view.text] for view in query.views])
        cosines, own = keys @ seen.T, len(keys) - len(record.edit.excluded)
        # Near an excluded text is not enough: the record's own texts may be nearer still.
        return bool(cosines[own:].max() >= max(_SAME, cosines[:own].max()))

    def _compare(self, query: Query, record: Record, view: int, keys: Vectors) -> Hit:
        text = query.views[view].text
        seen = self._vectors[text]
        if len(keys) == 1:  # most have one: no need to look for the nearest
            pair = PairVectors(seen, keys[0])
            return Hit(record, _cosine(seen, keys[0]), text, vectors=pair)
        finding = keys[: len(keys) - len(record.edit.excluded)]
        cosines = finding @ seen
        nearest = int(cosines.argmax())
        apart = cosines[len(key_texts(record.edit)) :]
        parts = parts_of(record.edit.statement) if len(apart) else []
        part = parts[min(int(apart.argmax()), len(parts) - 1)] if parts else ""
        pair = PairVectors(seen, keys[nearest])
        return Hit(record, _cosine(seen, keys[nearest]), text, vectors=pair, part=part)


def _cosine(a: Vectors, b: Vectors) -> float:
    # Unit vectors in float32: their product may pass 1 by a rounding.
    return max(-1.0, min(1.0, float(a @ b)))


def _check_keys(record: Record, count: int) -> None:
    """See that a record has a vector for each text that finds it, and for each that shall not.

    Raises:
        MemoryStoreError: its journal is damaged.
    """
    wanted = 1 + len(record.edit.queries) + len(record.edit.excluded)
    if count < wanted:
        raise MemoryStoreError(
            f"The journal is damaged: record {record.sequence} has {count} vectors of {wanted}.",
            hint="Restore it from a backup. memedit edit salvage FILE --memory DIR writes "
            "every edit that can still be read.",
        )


def _best(found: dict[int, _Candidate], most: int) -> dict[int, _Candidate]:
    """The most similar of what several views found."""
    if len(found) <= most:
        return found
    ranked = sorted(found, key=lambda sequence: -found[sequence].similarity)
    return {sequence: found[sequence] for sequence in ranked[:most]}


def _merge(found: dict[int, _Candidate], near: dict[int, float], view: int) -> None:
    for sequence, cosine in near.items():
        if sequence not in found or cosine > found[sequence].similarity:
            found[sequence] = _Candidate(cosine, view)
