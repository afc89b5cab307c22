"""The live records of one namespace: how they are found by ids, topics, subjects and keys."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from memedit.core.passages import parts_of, put_in_context
from memedit.core.text import find_subject, normalise, subject_key
from memedit.core.types import Edit, Ids, Record, key_texts
from memedit.memory.live.ids import IdSet
from memedit.memory.live.index import VectorIndex
from memedit.memory.live.postings import Postings, code_of
from memedit.memory.live.said import Said, holds_others
from memedit.memory.live.shelf import Shelf
from memedit.memory.live.subjects import SubjectIndex

_LONGEST = 64
"""Words of a prompt that is looked for in a statement."""


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


def topics_in_other_forms(edit: Edit) -> list[str]:
    """The :func:`topics` of an edit that states the same and is split elsewhere into a prompt and
    what follows it, or is a statement where this one is none."""
    said = normalise(edit.statement)
    words = said.split(" ")
    most = min(len(words), _LONGEST)
    prompts = (normalise(" ".join(words[:n])) for n in range(1, most))
    found = [f"statement\0{said}", *(f"prompt\0{prompt}" for prompt in prompts)]
    own = topics(edit)[0]
    return [topic for topic in found if topic != own]


class Records(Protocol):
    """Records of which some are a namespace's."""

    def __getitem__(self, sequence: int, /) -> Record:
        """The record of a sequence."""

    def statement(self, sequence: int) -> str:
        """What it states."""


class Space:
    """The live records of one namespace.

    Args:
        records: By sequence.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._ids = Postings()  # an id's hash -> sequences
        self._by_topic = Postings()  # a topic's hash -> sequences
        self._because: dict[str, set[int]] = {}  # an id -> records that rest on it
        self._said = Said()
        # Only writers need topics and texts: they are entered when one asks.
        self._late = threading.Lock()
        self._new, self._unsaid = IdSet(), IdSet()
        self.subjects = SubjectIndex()
        self.shelf = Shelf()
        self._owners = Postings()  # key id -> sequence
        self._keys = Postings()  # sequence -> key ids, the prompt's first
        self.index: VectorIndex | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, id: str) -> int | None:
        """The sequence of the record of an id; None: there is none."""
        # The hash is without a key, and whoever writes edits chooses ids: two may share one.
        for sequence in reversed(self._ids.get(code_of(id))):
            if self._records[sequence].id == id:
                return sequence
        return None

    def sequences(self) -> Ids:
        """Of every record, ascending."""
        return np.sort(self._ids.values())

    def add(self, record: Record) -> None:
        """Enter a record; its keys come separately (:meth:`own`)."""
        self.add_many([record])

    def add_many(self, records: Sequence[Record]) -> None:
        """:meth:`add` for each of some records."""
        self._ids.extend([(code_of(record.id), record.sequence) for record in records])
        self._new.add(np.array([record.sequence for record in records], np.int64))
        self.subjects.add_many(
            (record.sequence, record.edit.subject)
            for record in records
            if record.edit.subject is not None
        )
        for record in records:
            self._enter_odd(record)

    def _enter_odd(self, record: Record) -> None:
        for id in record.edit.because_of:
            self._because.setdefault(id, set()).add(record.sequence)
        self.shelf.add(record)

    def arrays(self) -> dict[str, Any]:
        """What :meth:`from_arrays` needs, beside the records and the index."""
        with self._late:
            self._enter_topics()
            self._enter_texts()
            said = self._said.array()
        # Of some records more is known than the arrays tell.
        odd = self.subjects.odd.union(self.shelf.sequences(), *self._because.values())
        return self.subjects.arrays() | {
            "ids": self._ids.keys(),
            "ids.of": self._ids.values(),
            "topics": self._by_topic.keys(),
            "topics.of": self._by_topic.values(),
            "said": said,
            "owners": self._owners.keys(),
            "owners.of": self._owners.values(),
            "odd": np.array(sorted(odd), np.int64),
        }

    @classmethod
    def from_arrays(cls, records: Records, arrays: Mapping[str, Any], index: VectorIndex) -> Space:
        """The space of :meth:`arrays`.

        Raises:
            ValueError: arrays that are of no space, or not of this index.
            KeyError: one is missing, or names a record that is not there.
        """
        made = cls(records)
        for part in ("topics.of", "owners.of", "subjects.of"):
            if not np.isin(arrays[part], arrays["ids.of"]).all():
                raise ValueError(f"{part} names a record that is not there")
        if not np.isin(arrays["ids.of"], arrays["owners.of"]).all():
            raise ValueError("a record that no key finds")
        made._ids = Postings.of(arrays["ids"], arrays["ids.of"])
        made._by_topic = Postings.of(arrays["topics"], arrays["topics.of"])
        owners, sequences = arrays["owners"], arrays["owners.of"]
        made._owners = Postings.of(owners, sequences)
        order = np.lexsort((owners, sequences))
        made._keys = Postings.of(sequences[order], owners[order])
        made.index = index
        if not np.array_equal(index.ids, owners):
            raise ValueError("keys of another index")
        if "said" not in arrays:  # of an older version
            made._unsaid = IdSet(arrays["ids.of"])
        elif holds_others(arrays["said"], arrays["ids.of"]):
            raise ValueError("a word of a record that is not there")
        else:
            made._said = Said(arrays["said"])
        odd = [records[sequence] for sequence in arrays["odd"].tolist()]
        subjects = [(r.sequence, r.edit.subject) for r in odd if r.edit.subject is not None]
        made.subjects = SubjectIndex.from_arrays(arrays, subjects)
        for record in odd:
            made._enter_odd(record)
        return made

    def about(self, wanted: Collection[str]) -> set[int]:
        """Records that share one of these :func:`topics`."""
        with self._late:
            self._enter_topics()
            found = {s for topic in wanted for s in self._by_topic.get(code_of(topic))}
        # What is not about the same must never be superseded by chance, or by a crafted topic.
        records = self._records
        return {s for s in found if not set(wanted).isdisjoint(topics(records[s].edit))}

    def _enter_topics(self, most: int | None = None) -> None:
        """Worked out when a writer first asks: readers, and a start, never need them."""
        if not len(self._new):
            return
        new = self._new.take_first(most)
        self._by_topic.extend(
            (code_of(topic), sequence)
            for sequence in new.tolist()
            for topic in topics(self._records[sequence].edit)
        )
        self._unsaid.add(new)

    def resting_on(self, ids: Iterable[str]) -> list[int]:
        """Records that say they rest on one of these ids."""
        return sorted(set[int]().union(*(self._because.get(id, ()) for id in ids)))

    def read_texts(self, most: int) -> bool:
        """Enter so many of the texts that :meth:`naming` looks through; whether that was the last
        of them. It does so itself where nobody did, but then others wait for all."""
        with self._late:
            self._enter_topics(most)
            self._enter_texts(most)
            return not len(self._unsaid) and not len(self._new)

    def _enter_texts(self, most: int | None = None) -> None:
        unsaid = self._unsaid.take_first(most).tolist()
        if unsaid:
            statement = self._records.statement
            self._said.add_many((sequence, statement(sequence)) for sequence in unsaid)

    def naming(self, key: str) -> Iterator[int]:
        """Records, ascending, that are about the subject of a :func:`subject_key`, or whose text
        may name it: all whose text does, and some others that hold one of its words."""
        with self._late:
            self._enter_topics()
            self._enter_texts()
            said = self._said.find(key.split(" "))
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
        self._ids.discard(code_of(record.id), sequence)
        with self._late:
            if not self._new.take(sequence):
                for topic in topics(edit):
                    self._by_topic.discard(code_of(topic), sequence)
                if not self._unsaid.take(sequence):
                    self._said.remove(sequence, edit.statement)
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
