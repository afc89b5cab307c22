"""Which live records of a namespace are passages of which document, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from memedit.core.documents import Passage, Place, place_of
from memedit.core.types import Record


@dataclass(frozen=True, slots=True)
class Shelved:
    """The version in force of a document.

    Attributes:
        head: The place of the passage that speaks for it.
        ordered: Sequences of its passages as they stand in it.
        numbers: By sequence the number of a passage, from 1.
    """

    head: Place
    ordered: Sequence[int]
    numbers: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Then:
    """A document as it stands from one moment up to another; None: without limit."""

    since: datetime | None
    until: datetime | None
    shelved: Shelved | None

    def is_of(self, moment: datetime) -> bool:
        return (self.since is None or self.since <= moment) and (
            self.until is None or moment < self.until
        )


class Shelf:
    """The live passages of one namespace, by document."""

    def __init__(self) -> None:
        self._places: dict[str, dict[int, Place]] = {}  # document -> sequence -> place
        self._names: dict[int, str] = {}
        self._known: dict[str, Shelved] = {}
        self._dated: dict[str, dict[int, Record]] = {}  # passages that do not hold for ever
        self._then: dict[str, _Then] = {}  # what was asked for last

    def __contains__(self, sequence: object) -> bool:
        """Whether the record of this sequence is a passage."""
        return sequence in self._names

    def add(self, record: Record) -> None:
        """Enter a record, if it is a passage."""
        place = place_of(record.source) if record.source else None
        if place is not None:
            self._places.setdefault(place.document, {})[record.sequence] = place
            self._names[record.sequence] = place.document
            if record.valid_from is not None or record.valid_until is not None:
                self._dated.setdefault(place.document, {})[record.sequence] = record
            self._lose(place.document)

    def remove(self, sequence: int) -> None:
        """Undo :meth:`add`."""
        name = self._names.pop(sequence, None)
        if name is None:
            return
        self._lose(name)
        places, dated = self._places[name], self._dated.get(name, {})
        del places[sequence]
        dated.pop(sequence, None)
        if not dated:
            self._dated.pop(name, None)
        if not places:
            del self._places[name]

    def _lose(self, name: str) -> None:
        self._known.pop(name, None)
        self._then.pop(name, None)

    def sequences(self) -> Iterable[int]:
        """Of every passage."""
        return self._names.keys()

    def names(self) -> list[str]:
        """The documents, by name."""
        return sorted(self._places)

    def all(self, name: str) -> list[int]:
        """Sequences of every live passage of a document, whenever it holds, in order."""
        places = self._places.get(name, {})
        return sorted(places, key=lambda sequence: (places[sequence].position, sequence))

    def newest(self, name: str) -> int:
        """The newest live version of a document, whenever it holds."""
        return max(place.version for place in self._places[name].values())

    def document(self, name: str, moment: datetime) -> Shelved | None:
        """The version of a document that is in force at a moment; None: there is none."""
        places, dated = self._places.get(name, {}), self._dated.get(name)
        if dated:
            known = self._then.get(name)
            if known is None or not known.is_of(moment):
                fit = {s for s in places if s not in dated or dated[s].holds_at(moment)}
                found = _shelved({s: place for s, place in places.items() if s in fit})
                known = self._then[name] = _Then(*_unchanged(dated.values(), moment), found)
            return known.shelved
        if name not in self._known and (found := _shelved(places)) is not None:
            self._known[name] = found
        return self._known.get(name)

    def position(self, sequence: int) -> int:
        """Where a passage stands."""
        return self._places[self._names[sequence]][sequence].position

    def passage(self, sequence: int, moment: datetime) -> Passage | None:
        """What is told of a record that is a passage and holds at a moment; None: it is none."""
        name = self._names.get(sequence)
        found = None if name is None else self.document(name, moment)
        if found is None or sequence not in found.numbers:
            return None
        number, count = found.numbers[sequence], len(found.ordered)
        return Passage(found.head.document, found.head.version, number, count)


def _unchanged(
    records: Iterable[Record], moment: datetime
) -> tuple[datetime | None, datetime | None]:
    """The span around a moment in which none of these records begins or ends to hold."""
    edges = {edge for r in records for edge in (r.valid_from, r.valid_until) if edge is not None}
    since = max((edge for edge in edges if edge <= moment), default=None)
    return since, min((edge for edge in edges if edge > moment), default=None)


def _shelved(places: Mapping[int, Place]) -> Shelved | None:
    if not places:
        return None
    ordered = sorted(places, key=lambda sequence: (places[sequence].position, sequence))
    newest = max(places.values(), key=lambda p: (p.version, bool(p.sha256), -p.position))
    return Shelved(newest, ordered, {sequence: n for n, sequence in enumerate(ordered, start=1)})
