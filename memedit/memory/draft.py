"""The records that a plan adds to one namespace, as the later edits of its batch find them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.core.documents import place_of
from memedit.core.text import subject_key
from memedit.core.types import Record


class Draft:
    """Records by id, topic and subject, in dictionaries: each is looked for as soon as it is there,
    and all are soon gone. A :class:`~memedit.memory.live.space.Space` takes less room, and several
    times as long. Records come in the order of their sequences.
    """

    def __init__(self) -> None:
        self._ids: dict[str, list[int]] = {}
        self._by_topic: dict[str, list[int]] = {}
        self._by_subject: dict[str, list[int]] = {}

    def add(self, record: Record, topics: Iterable[str]) -> None:
        """Enter a record, with what :func:`~memedit.memory.live.space.topics` says of its edit."""
        for filed, name in self._places(record, topics):
            filed.setdefault(name, []).append(record.sequence)

    def remove(self, record: Record, topics: Iterable[str]) -> None:
        """Undo :meth:`add`."""
        for filed, name in self._places(record, topics):
            filed[name].remove(record.sequence)
            if not filed[name]:
                del filed[name]

    def _places(
        self, record: Record, topics: Iterable[str]
    ) -> Iterator[tuple[dict[str, list[int]], str]]:
        """Where a record stands: (what it is looked for in, under which name)."""
        yield self._ids, record.id
        if not (record.source and place_of(record.source)):  # passages may say the same
            yield from ((self._by_topic, topic) for topic in topics)
        if record.edit.subject is not None:
            yield self._by_subject, subject_key(record.edit.subject)

    def find(self, id: str) -> int | None:
        """The sequence of the newest record of an id; None: there is none."""
        found = self._ids.get(id)
        return found[-1] if found else None

    def about(self, topics: Iterable[str]) -> set[int]:
        """Records that share one of these topics, but for passages of documents."""
        return {s for topic in topics for s in self._by_topic.get(topic, ())}

    def newest(self, key: str, most: int) -> list[int]:
        """Records about the subject with this :func:`~memedit.core.text.subject_key`, so many at
        most, newest first."""
        return self._by_subject.get(key, [])[: -most - 1 : -1]
