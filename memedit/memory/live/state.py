"""The live set in RAM: what is true now (or was at one version), ready to be searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memedit.core.errors import MemoryStoreError
from memedit.core.types import Ids, Record, Vectors, check_named
from memedit.memory.journal.payloads import LazyReader
from memedit.memory.journal.reading import JournalReader
from memedit.memory.journal.rows import RelationRow, from_bytes
from memedit.memory.live.index import FLAT_LIMIT, AnyVectors, VectorIndex, without_damaged
from memedit.memory.live.packed import PackedRecords
from memedit.memory.live.postings import Postings
from memedit.memory.live.space import Space

_MOST_IDS, _MOST_GAPS = 1 << 22, 64
"""Ids of relations count from 1; only a purge leaves gaps."""
_CURE = "Restore it from a backup; memedit edit salvage writes what can be read into a file."


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
        vectors = from_bytes([row[2] for row in rows], dimension)
        self._matrix[first:count] = without_damaged(vectors)
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
        self.records = PackedRecords()
        self.spaces: dict[str, Space] = {}
        self.relations = Relations()
        self._relation_ids = Postings()  # sequence -> relation id
        self.dimension = 0
        self._nothing = Space(self.records)

    def indexes(self) -> dict[str, VectorIndex]:
        """By namespace."""
        return {name: s.index for name, s in self.spaces.items() if s.index is not None}

    def arrays(self) -> dict[str, Any]:
        """What :meth:`from_arrays` needs: those of the namespace of number n, in the order of
        :meth:`indexes`, with "n." before their names."""
        found = self.records.arrays()
        found["relations"] = self._relation_ids.keys()
        found["relations.of"] = self._relation_ids.values()
        for at, name in enumerate(self.indexes()):
            own = self.spaces[name].arrays()
            found |= {f"{at}.{part}": array for part, array in own.items()}
        return found

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, Any], indexes: Mapping[str, VectorIndex], lazy: LazyReader
    ) -> LiveSet:
        """The live set of :meth:`arrays`, but for the relations' vectors and for where it stands.

        Raises:
            ValueError: arrays that are of none.
            KeyError: one is missing.
            MemoryStoreError: a record that cannot be read.
        """
        made = cls()
        made.records = PackedRecords.from_arrays(arrays)
        made.records.lazy = lazy
        made._nothing = Space(made.records)
        made._relation_ids = Postings.of(arrays["relations"], arrays["relations.of"])
        own: dict[str, dict[str, Any]] = {str(at): {} for at in range(len(indexes))}
        for name, array in arrays.items():
            number, _, part = name.partition(".")
            if number in own:
                own[number][part] = array
        for (name, index), mine in zip(indexes.items(), own.values(), strict=True):
            made.spaces[name] = Space.from_arrays(made.records, mine, index)
            made.dimension = index.dimension
        found = [np.empty(0, np.int64), *(space.sequences() for space in made.spaces.values())]
        if not np.array_equal(np.sort(np.concatenate(found)), made.records.sequences()):
            raise ValueError("records of no namespace, or of several")
        return made

    def __len__(self) -> int:
        return len(self.records)

    def space(self, namespace: str) -> Space:
        """The namespace's records (an empty, unattached space for an unknown one).

        Raises:
            InvalidInputError: what is no name.
        """
        return self.spaces.get(check_named("namespace", namespace), self._nothing)

    def iterate(self, namespace: str | None = None) -> Iterator[Record]:
        """Live records by sequence, as they are at the time of the call."""
        if namespace is None:
            return self.records.iterate(self.records.sequences())
        return self.records.iterate(self.space(namespace).sequences())

    def relation_of(self, sequence: int) -> int | None:
        """The id of a record's masked prompt; None: it has no subject."""
        found = self._relation_ids.get(sequence)
        return found[0] if found else None

    def relation_pairs(self) -> Iterator[tuple[int, int]]:
        """(sequence, id of the masked prompt) of every record that has a subject."""
        return self._relation_ids.items()

    def relation_vectors(self, sequences: Sequence[int]) -> Vectors:
        """[n, dimension] of the masked prompts of records that have a subject.

        Raises:
            MemoryStoreError: the journal lacks one.
        """
        return self.relations.by_id([self.relation_of(sequence) or 0 for sequence in sequences])

    def counts(self) -> dict[str, int]:
        """Number of live records by namespace."""
        return {name: len(space) for name, space in sorted(self.spaces.items())}

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
            # The journal's version: that of a snapshot is what its manifest says.
            return News(self.event, self.event, version, at, dimension)
        self.records.lazy = lazy
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
        self._retire(news.dead)
        self._enter(news.records)
        self.relations.extend(news.relations, self.dimension)
        self._take_keys(news, ready or {})
        self.event, self.version = news.event, news.version

    def _enter(self, new: Sequence[tuple[Record, int | None]]) -> None:
        by_namespace: dict[str, list[Record]] = {}
        for record, _ in new:
            by_namespace.setdefault(record.namespace, []).append(record)
        self.records.add_many([record for record, _ in new])
        for namespace, mine in by_namespace.items():
            if namespace not in self.spaces:
                self.spaces[namespace] = Space(self.records)
            self.spaces[namespace].add_many(mine)
        related = [(record.sequence, id) for record, id in new if id is not None]
        self._relation_ids.extend(related)

    def _retire(self, sequences: Sequence[int]) -> None:
        keys: dict[str, list[int]] = {}
        for sequence in sequences:
            record = self.records.pop(sequence)
            if record is None:
                continue
            for id in self._relation_ids.get(sequence):
                self._relation_ids.discard(sequence, id)
            space = self.spaces[record.namespace]
            keys.setdefault(record.namespace, []).extend(space.remove(record))
            if not len(space):
                del self.spaces[record.namespace]
        # All at once: an index without cells is looked through for each call.
        for namespace, gone in keys.items():
            left = self.spaces.get(namespace)
            if left is not None and left.index is not None:
                left.index.remove(gone)

    def _take_keys(self, news: News, ready: Mapping[str, VectorIndex]) -> None:
        owned: dict[str, list[tuple[int, int]]] = {}
        namespaces = {record.sequence: record.namespace for record, _ in news.records}
        for key, sequence in news.owners:
            owned.setdefault(namespaces[sequence], []).append((key, sequence))
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
