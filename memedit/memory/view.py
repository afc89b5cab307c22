"""What may be asked of a set of live records: the memory as it is, or as it was."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, tzinfo

from memedit.core.errors import UnknownEditError
from memedit.core.moments import UTC, Moment, is_day, moment_of
from memedit.core.phases import phase
from memedit.core.text import normalise
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Hit, Record, Vectors
from memedit.memory import slots
from memedit.memory.documents import Shelves
from memedit.memory.encoding import Encode
from memedit.memory.live.search import Search, prepare_all, texts_of
from memedit.memory.live.space import topics, topics_in_other_forms
from memedit.memory.live.state import LiveSet
from memedit.memory.slots import Replaced, Replacements


class Searchable(Shelves):
    """Live records that are listed and searched. True even when there are none."""

    @abstractmethod
    def _held(self) -> AbstractContextManager[LiveSet]:
        """The live set as it is already; nobody changes it within the block."""

    @property
    @abstractmethod
    def zone(self) -> tzinfo:
        """Where the days of dates begin and end."""

    @abstractmethod
    def _encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Vector by text."""

    def __len__(self) -> int:
        """Number of live records, in all namespaces."""
        with self._current() as live:
            return len(live)

    def __bool__(self) -> bool:
        return True

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """Live records in sequence order, as they are at the time of the call."""
        with self._current() as live:
            return live.iterate(namespace)

    def count(self, namespace: str) -> int:
        """Number of live records in a namespace."""
        with self._current() as live:
            return len(live.space(namespace))

    def namespaces(self) -> dict[str, int]:
        """Number of live records by namespace."""
        with self._current() as live:
            return live.counts()

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 16,
        namespace: str = DEFAULT_NAMESPACE,
        as_of: Moment | None = None,
    ) -> list[list[Hit]]:
        """The records each query may concern, best similarity first.

        Args:
            queries: Texts; a blank one finds nothing.
            k: Records wanted by similarity. Records whose subject the query mentions (at most 64)
                come in addition.
            as_of: Only records that hold at this moment (of a date: as its day begins); None: now,
                or at a view's own moment.

        Raises:
            EncoderMismatchError: the memory was built with another encoder.
            InvalidInputError: ``k`` below one, or a moment without time zone.
        """
        with phase("search"):
            with self._current() as live:
                prepared = prepare_all(live, namespace, queries)
                texts = texts_of(prepared)
            if not texts:
                return [[] for _ in queries]
            # Without holding the live set: encoding takes long, and others may write meanwhile.
            with phase("encode"):
                vectors = self._encode(texts)
            moment = self._moment(as_of)
            with self._held() as live:
                return Search(live, namespace, vectors, k, moment).run(prepared)

    @abstractmethod
    def _replaced(self, record: Record) -> Sequence[Replaced]:
        """What a record replaced, the newest first."""

    def siblings(self, record: Record, moment: datetime) -> list[Record]:
        """The other values of a slot that may have several, as they hold at a moment."""
        if not record.edit.multiple:
            return []
        with self._current() as live:
            about = live.space(record.namespace).about(topics(record.edit))
            found = [live.records[s] for s in sorted(about) if s != record.sequence]
        return [r for r in found if r.edit.multiple and r.holds_at(moment)]

    def restating(self, edit: Edit, namespace: str) -> list[Record]:
        """The live records, oldest first, that state the same as an edit in another form: as a
        whole sentence, or as a prompt and what follows it. Passages of documents are none."""
        with self._current() as live:
            space = live.space(namespace)
            about = sorted(space.about(topics_in_other_forms(edit)))
            found = [live.records[s] for s in about if s not in space.shelf]
        said = normalise(edit.statement)
        return [record for record in found if normalise(record.edit.statement) == said]

    def then(self, record: Record, moment: datetime) -> Record:
        """What was in force at a moment instead of a live record that has no ``valid_from``: what
        it replaced since, where that is known; else the record."""
        return slots.find_then(record, moment, self._replaced)

    def before(self, record: Record, moment: datetime) -> Record | None:
        """What was in force before a live record; None: nothing is known."""
        with self._current() as live:
            about = live.space(record.namespace).about(topics(record.edit))
            same = [live.records[sequence] for sequence in about]
        return slots.find_before(record, moment, same, self._replaced)

    def _moment(self, as_of: Moment | None) -> datetime:
        return datetime.now(UTC) if as_of is None else self.moment(as_of)

    def moment(self, given: Moment) -> datetime:
        """The moment that is meant: of a date, when its day begins in the memory's zone.

        Raises:
            InvalidInputError: no date, or a time of day without a time zone.
        """
        return moment_of(given, "as_of", zone=self.zone if is_day(given) else UTC)


class MemoryView(Searchable):
    """The live set of one version: read-only, and unmoved by later changes; searched exactly.

    Attributes:
        version: The version seen.
        as_of: The moment whose validity counts unless :meth:`search` says otherwise: the moment
            asked for; now where a version was asked for.
    """

    def __init__(
        self,
        live: LiveSet,
        version: int,
        as_of: datetime | None,
        encode: Encode,
        zone: tzinfo = UTC,
        replaced: Replacements = lambda record: (),
    ) -> None:
        self.version, self.as_of = version, as_of
        self._live, self._encode_texts, self._zone = live, encode, zone
        self._replacements = replaced

    @property
    def zone(self) -> tzinfo:
        """The memory's."""
        return self._zone

    def _current(self) -> AbstractContextManager[LiveSet]:
        return nullcontext(self._live)

    def _held(self) -> AbstractContextManager[LiveSet]:
        return nullcontext(self._live)

    def _encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        return self._encode_texts(texts)

    def _replaced(self, record: Record) -> Sequence[Replaced]:
        return self._replacements(record)

    def _moment(self, as_of: Moment | None) -> datetime:
        return super()._moment(self.as_of if as_of is None else as_of)

    def get(self, id: str, *, namespace: str = DEFAULT_NAMESPACE) -> Record:
        """The record of that id.

        Raises:
            UnknownEditError: it was not live at this version.
        """
        sequence = self._live.space(namespace).find(id)
        if sequence is None:
            raise UnknownEditError(
                f"No edit {id!r} in namespace {namespace!r} at version {self.version}.",
                hint="history() says when it came and went.",
            )
        return self._live.records[sequence]
