"""The live set in RAM: what is true now (or was at one version), ready to be searched."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from memedit.core.errors import MemoryStoreError
from memedit.core.passages import parts_of, put_in_context
from memedit.core.text import find_subject, normalise, subject_key
from memedit.core.types import Edit, Ids, Record, Vectors, check_named, key_texts
from memedit.memory.journal.payloads import LazyReader
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import RelationRow, from_bytes
from memedit.memory.live.index import FLAT_LIMIT, AnyVectors, VectorIndex
from memedit.memory.live.postings import Postings
from memedit.memory.live.said import Said
from memedit.memory.live.shelf import Shelf
from memedit.memory.live.subjects import SubjectIndex

_MOST_IDS, _MOST_GAPS = 1 << 22, 64
"""Ids of relations count from 1; only a purge leaves gaps."""
_CURE = "Restore it from a backup; memedit edit salvage writes what can be read into a file."


def search_texts(edit: Edit) -> list[str]:
    """Every text that a query is compared with: an edit's own words, the sentences of a long fact,
    and last the texts that shall not find it."""
    parts = put_in_context(parts_of(edit.statement), edit.subject)
    return [*key_texts(edit), *parts, *edit.excluded]


def topics(edit: Edit) -> list[str]:
    """Two edits with a topic in common say something about the same thing: the newer replaces
    the older. The normalised prompt and, with a subject, subject and normalised template."""
    if edit.is_statement:
        return [f"statement\0{normalise(edit.prompt)}"]
    found = [f"prompt\0{normalise(edit.prompt)}"]
    if edit.subject is not None:
        start, end = find_subject(edit.prompt, edit.subject)
        template = normalise(f"{edit.prompt[:start]}\0{edit.prompt[end:]}")
        found.append(f"relation\0{subject_key(edit.subject)}\0{template}")
    return found


class Relations:
    """Vectors of masked prompts, each text once.

    ``last`` is the largest id. Ids grow from 1 without gaps, but for a reader to whom the database
    shows only some of them.
    """

    def __init__(self) -> None:
        self.last = 0
        self._filled = 0  # rows of the matrix that were ever used
        self._rows: dict[str, int] = {}
        self._row_of: Ids = np.empty(0, np.int64)  # by id; -1 where there is none
        self._matrix: Vectors = np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, text: object) -> bool:
        return text in self._rows

    def extend(self, rows: Sequence[RelationRow], dimension: int) -> None:
        """Take in the journal's next rows.

        Raises:
            ValueError: ids that no journal gives; nothing of their size is allocated.
        """
        if not rows:
            return
        given = [row[0] for row in rows]
        # Before anything is allocated by the largest id: that of a damaged file may be 2**40.
        if min(given) < 1 or max(given) > _MOST_IDS + _MOST_GAPS * (self._filled + len(rows)):
            raise ValueError(f"relations have ids from {min(given)} to {max(given)}")
        first, count = self._filled, self._filled + len(rows)
        if count > len(self._matrix):
            # Twice as large: a row at a time would copy the whole matrix with every edit.
            grown = np.empty((max(count, 2 * len(self._matrix)), dimension), np.float32)
            if first:
                grown[:first] = self._matrix[:first]
            self._matrix = grown
        self._matrix[first:count] = from_bytes([row[2] for row in rows], dimension)
        ids = [row[0] for row in rows]
        if ids[-1] >= len(self._row_of):
            known = self._row_of
            self._row_of = np.full(2 * ids[-1] + 1, -1, np.int64)
            self._row_of[: len(known)] = known
        self._row_of[ids] = np.arange(first, count)
        self._rows.update((row[1], at) for at, row in enumerate(rows, start=first))
        self._filled, self.last = count, ids[-1]

    def keep(self, ids: Set[int]) -> None:
        """Lose every relation but these: the others were purged."""
        known = np.flatnonzero(self._row_of >= 0)
        gone = np.array([id for id in known.tolist() if id not in ids], np.int64)
        rows = self._row_of[gone]
        lost = set(rows.tolist())
        self._rows = {text: row for text, row in self._rows.items() if row not in lost}
        # What was purged must not stay in RAM either; the row itself is used no more.
        self._matrix[rows] = 0
        self._row_of[gone] = -1

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """[n, dimension] of known texts."""
        return self._matrix[[self._rows[text] for text in texts]]

    def by_id(self, ids: Sequence[int]) -> Vectors:
        """[n, dimension] of relation ids.

        Raises:
            MemoryStoreError: the journal names one that it does not have.
        """
        known = len(self._row_of)
        for id in ids:
            if not 0 < id < known or self._row_of[id] < 0:
                raise MemoryStoreError(
                    f"The journal is damaged: there is no relation {id}.", hint=_CURE
                )
        return self._matrix[self._row_of[np.asarray(ids, dtype=np.int64)]]


class Space:
    """The live records of one namespace."""

    def __init__(self) -> None:
        self.by_id: dict[str, int] = {}
        self._by_topic = Postings()  # a topic's hash -> sequences
        self._because: dict[str, set[int]] = {}  # an id -> records that rest on it
        self._said = Said()
        # Only writers need topics and texts: they are entered when one asks.
        self._late = threading.Lock()
        self._new: dict[int, Record] = {}
        self._unsaid: dict[int, Record] = {}
        self.subjects = SubjectIndex()
        self.shelf = Shelf()
        self._owners = Postings()  # key id -> sequence
        self._keys = Postings()  # sequence -> key ids, the prompt's first
        self.index: VectorIndex | None = None

    def add(self, record: Record) -> None:
        """Enter a record; its keys come separately (:meth:`own`)."""
        self.by_id[record.id] = record.sequence
        self._new[record.sequence] = record
        if record.edit.subject is not None:
            self.subjects.add(record.sequence, record.edit.subject)
        for id in record.edit.because_of:
            self._because.setdefault(id, set()).add(record.sequence)
        self.shelf.add(record)

    def about(self, edit: Edit) -> set[int]:
        """Records that share a topic with ``edit``."""
        with self._late:
            self._enter_topics()
            return {s for topic in topics(edit) for s in self._by_topic.get(hash(topic))}

    def _enter_topics(self, most: int | None = None) -> None:
        """Worked out when a writer first asks: readers, and a start, never need them."""
        if most is None or len(self._new) <= most:
            new, self._new = self._new, {}
        else:
            new = {sequence: self._new.pop(sequence) for sequence in list(islice(self._new, most))}
        self._by_topic.extend(
            (hash(topic), sequence)
            for sequence, record in new.items()
            for topic in topics(record.edit)
        )
        self._unsaid |= new

    def resting_on(self, ids: Iterable[str]) -> list[int]:
        """Records that say they rest on one of these ids."""
        return sorted(set[int]().union(*(self._because.get(id, ()) for id in ids)))

    def read_texts(self, most: int) -> bool:
        """Enter so many of the texts that :meth:`naming` looks through; whether that was the last
        of them. It does so itself where nobody did, but then others wait for all."""
        with self._late:
            self._enter_topics(most)
            for sequence, record in list(islice(self._unsaid.items(), most)):
                self._said.add(sequence, record.edit.statement)
                del self._unsaid[sequence]
            return not self._unsaid and not self._new

    def naming(self, key: str) -> Iterator[int]:
        """Records, ascending, that are about the subject of a :func:`subject_key`, or whose text
        may name it: all whose text does, and some others."""
        with self._late:
            self._enter_topics()
            for sequence, record in self._unsaid.items():
                self._said.add(sequence, record.edit.statement)
            self._unsaid.clear()
            # The longest word is mostly the rarest: the fewest records are then looked at.
            said = self._said.find(max(key.split(" "), key=len))
            return iter(sorted(said.union(self.subjects.sequences(key))))

    def own(self, pairs: Sequence[tuple[int, int]]) -> None:
        """(key, sequence): the key finds the record. A record's come together, ascending."""
        self._owners.extend(pairs)
        self._keys.extend((sequence, key) for key, sequence in pairs)

    def owner(self, key: int) -> int:
        """The record that a key finds.

        Raises:
            KeyError: it finds none.
        """
        found = self._owners.get(key)
        if not found:
            raise KeyError(key)
        return found[0]

    def owners(self) -> dict[int, int]:
        """The records by the keys that find them."""
        return dict(self._owners.items())

    def owned(self) -> Ids:
        """Every key that finds a record, ascending."""
        return self._owners.keys()

    def keys(self, sequence: int) -> list[int]:
        """The keys that find a record, the prompt's first."""
        return self._keys.get(sequence)

    def remove(self, record: Record) -> list[int]:
        """Undo :meth:`add`; the keys that found the record, still in the index."""
        sequence, edit = record.sequence, record.edit
        if self.by_id.get(record.id) == sequence:
            del self.by_id[record.id]
        with self._late:
            if self._new.pop(sequence, None) is None:
                for topic in topics(edit):
                    self._by_topic.discard(hash(topic), sequence)
                if self._unsaid.pop(sequence, None) is None:
                    self._said.remove(sequence)
        self._leave_reasons(record)
        if edit.subject is not None:
            self.subjects.remove(sequence, edit.subject)
        self.shelf.remove(sequence)
        keys = self._keys.get(sequence)
        for key in keys:
            self._owners.discard(key, sequence)
            self._keys.discard(sequence, key)
        return keys

    def _leave_reasons(self, record: Record) -> None:
        for id in record.edit.because_of:
            resting = self._because.get(id, set())
            resting.discard(record.sequence)
            if not resting:
                self._because.pop(id, None)


@dataclass(frozen=True, slots=True)
class News:
    """What the journal says since ``since``, read and not yet taken in.

    Attributes:
        since: The event after which it begins.
        event, version, at: Where it ends.
        dead: Sequences that are live no longer.
        records: (record, relation id) that are live now.
        owners: (key id, sequence) of their keys.
        keys: By namespace the ids of keys whose vectors were read, ascending, with those vectors.
    """

    since: int
    event: int
    version: int
    at: str
    dimension: int
    dead: Sequence[int] = ()
    records: Sequence[tuple[Record, int | None]] = ()
    relations: Sequence[RelationRow] = ()
    owners: Sequence[tuple[int, int]] = ()
    keys: Mapping[str, tuple[list[int], AnyVectors]] = field(default_factory=dict)


class LiveSet:
    """Records that are live, their keys and masked prompts, by namespace.

    Follows the journal: :meth:`catch_up` reads what happened since the last call.
    """

    def __init__(self, *, upto: int | None = None, flat_limit: int = FLAT_LIMIT) -> None:
        self.upto, self.flat_limit = upto, flat_limit
        self.version = self.event = 0
        self.records: dict[int, Record] = {}
        self.spaces: dict[str, Space] = {}
        self.relations = Relations()
        self.relation_ids: dict[int, int] = {}  # sequence -> relation id
        self.dimension = 0
        self._nothing = Space()

    def __len__(self) -> int:
        return len(self.records)

    def space(self, namespace: str) -> Space:
        """The namespace's records (an empty, unattached space for an unknown one).

        Raises:
            InvalidInputError: what is no name.
        """
        return self.spaces.get(check_named("namespace", namespace), self._nothing)

    def list_records(self, namespace: str | None = None) -> list[Record]:
        """Live records by sequence."""
        chosen: Iterable[int] = self.records
        if namespace is not None:
            chosen = self.space(namespace).by_id.values()
        return [self.records[sequence] for sequence in sorted(chosen)]

    def counts(self) -> dict[str, int]:
        """Number of live records by namespace."""
        return {name: len(space.by_id) for name, space in sorted(self.spaces.items())}

    def catch_up(
        self,
        journal: JournalReader,
        lazy: LazyReader,
        ready: Mapping[str, VectorIndex] | None = None,
    ) -> None:
        """:meth:`read` and :meth:`apply`."""
        self.apply(self.read(journal, lazy, ready), ready)

    def read(
        self,
        journal: JournalReader,
        lazy: LazyReader,
        ready: Mapping[str, VectorIndex] | None = None,
        dimension: int | None = None,
    ) -> News:
        """The events after the last one seen; nothing changes here. Needs an open read or write
        of ``journal``.

        Args:
            lazy: Reads a record's payloads when asked.
            ready: Indexes of an older state, by namespace, to start from.
            dimension: Of the vectors, where it is known.
        """
        version, event, at = journal.newest()
        dimension = journal.dimension() if dimension is None else dimension
        if event == self.event:
            return News(self.event, self.event, self.version, at, dimension)
        live, dead = journal.changes(self.event, self.upto)
        fresh = [sequence for sequence in live if sequence not in self.records]
        records = journal.records(fresh, lazy)
        owners = sorted(journal.keys(fresh))
        return News(
            self.event, event, version, at, dimension, dead, records,
            journal.relation_rows(self.relations.last), owners,
            _vectors(journal, dimension, records, owners, ready or {}, self.flat_limit),
        )  # fmt: skip

    def apply(self, news: News, ready: Mapping[str, VectorIndex] | None = None) -> None:
        """Take news in; those that begin elsewhere than where this set stands are no news."""
        # Two threads may have read the same: the first has taken it in.
        if news.since != self.event:
            return
        self.dimension = news.dimension
        for sequence in news.dead:
            self._retire(sequence)
        for record, relation in news.records:
            self._enter(record, relation)
        self.relations.extend(news.relations, self.dimension)
        self._take_keys(news, ready or {})
        self.event, self.version = news.event, news.version

    def _enter(self, record: Record, relation: int | None) -> None:
        self.records[record.sequence] = record
        if record.namespace not in self.spaces:
            self.spaces[record.namespace] = Space()
        self.spaces[record.namespace].add(record)
        if relation is not None:
            self.relation_ids[record.sequence] = relation

    def _retire(self, sequence: int) -> None:
        record = self.records.pop(sequence, None)
        if record is None:
            return
        self.relation_ids.pop(sequence, None)
        space = self.spaces[record.namespace]
        keys = space.remove(record)
        if space.index is not None:
            space.index.remove(keys)
        if not space.by_id:
            del self.spaces[record.namespace]

    def _take_keys(self, news: News, ready: Mapping[str, VectorIndex]) -> None:
        owned: dict[str, list[tuple[int, int]]] = {}
        for key, sequence in news.owners:
            owned.setdefault(self.records[sequence].namespace, []).append((key, sequence))
        for namespace, pairs in owned.items():
            self.spaces[namespace].own(pairs)
        for namespace, (keys, vectors) in news.keys.items():
            space = self.spaces[namespace]
            if space.index is None:
                space.index = ready.get(namespace) or self._make_index()
                # A ready index is of an older state: what died since is in it still.
                space.index.remove(np.setdiff1d(space.index.ids, space.owned()))
            space.index.add(keys, vectors)

    def _make_index(self) -> VectorIndex:
        return VectorIndex(self.dimension, flat_limit=self.flat_limit)

    def key_vectors(self, record: Record) -> Vectors:
        """[keys, d] vectors of a live record, the prompt's first."""
        space = self.spaces[record.namespace]
        assert space.index is not None
        return space.index.reconstruct(space.keys(record.sequence))


def _vectors(
    journal: JournalReader,
    dimension: int,
    records: Sequence[tuple[Record, int | None]],
    owners: Sequence[tuple[int, int]],
    ready: Mapping[str, VectorIndex],
    flat_limit: int,
) -> dict[str, tuple[list[int], AnyVectors]]:
    """By namespace the new keys that no ready index holds, with their vectors."""
    namespaces = {record.sequence: record.namespace for record, _ in records}
    mine: dict[str, list[int]] = {}
    for key, sequence in owners:
        mine.setdefault(namespaces[sequence], []).append(key)
    found: dict[str, tuple[list[int], AnyVectors]] = {}
    for namespace, keys in mine.items():
        missing = ready[namespace].lacks(keys).tolist() if namespace in ready else keys
        # Of so many the index keeps no more: they need not all lie here in float32.
        rounded = len(missing) > flat_limit
        found[namespace] = missing, journal.vectors(missing, dimension, rounded=rounded)
    return found
