"""Which live records of a namespace are passages of which document, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


class Shelf:
    """The live passages of one namespace, by document."""

    def __init__(self) -> None:
        self._places: dict[str, dict[int, Place]] = {}  # document -> sequence -> place
        self._names: dict[int, str] = {}
        self._known: dict[str, Shelved] = {}

    def __contains__(self, sequence: object) -> bool:
        """Whether the record of this sequence is a passage."""
        return sequence in self._names

    def add(self, record: Record) -> None:
        """Enter a record, if it is a passage."""
        place = place_of(record.source)
        if place is not None:
            self._places.setdefault(place.document, {})[record.sequence] = place
            self._names[record.sequence] = place.document
            self._known.pop(place.document, None)

    def remove(self, sequence: int) -> None:
        """Undo :meth:`add`."""
        name = self._names.pop(sequence, None)
        if name is None:
            return
        self._known.pop(name, None)
        places = self._places[name]
        del places[sequence]
        if not places:
            del self._places[name]

    def names(self) -> list[str]:
        """The documents, by name."""
        return sorted(self._places)

    def document(self, name: str) -> Shelved | None:
        """The version in force of a document; None: there is none."""
        known, places = self._known.get(name), self._places.get(name)
        if known is None and places:
            ordered = sorted(places, key=lambda sequence: (places[sequence].position, sequence))
            newest = max(places.values(), key=lambda p: (p.version, bool(p.sha256), -p.position))
            numbers = {sequence: n for n, sequence in enumerate(ordered, start=1)}
            known = self._known[name] = Shelved(newest, ordered, numbers)
        return known

    def position(self, sequence: int) -> int:
        """Where a passage stands."""
        return self._places[self._names[sequence]][sequence].position

    def passage(self, sequence: int) -> Passage | None:
        """What is told of a record that is a passage; None: it is none."""
        found = self.document(self._names[sequence]) if sequence in self._names else None
        if found is None:
            return None
        number, count = found.numbers[sequence], len(found.ordered)
        return Passage(found.head.document, found.head.version, number, count)
