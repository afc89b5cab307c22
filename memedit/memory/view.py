"""What may be asked of a set of live records: the memory as it is, or as it was."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone

from memedit.core.errors import UnknownEditError
from memedit.core.moments import Moment, moment_of
from memedit.core.types import DEFAULT_NAMESPACE, Hit, Record, Vectors
from memedit.memory.encoding import Encode
from memedit.memory.live.search import Search, prepare_all, texts_of
from memedit.memory.live.state import LiveSet


class Searchable(ABC):
    """Live records that are listed and searched. True even when there are none."""

    @abstractmethod
    def _current(self) -> AbstractContextManager[LiveSet]:
        """The live set, up to date; nobody changes it within the block."""

    @abstractmethod
    def _held(self) -> AbstractContextManager[LiveSet]:
        """The live set as it is already; nobody changes it within the block."""

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
            return iter(live.in_order(namespace))

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
            as_of: Only records that hold at this moment; None: now, or at a view's own moment.

        Raises:
            EncoderMismatchError: the memory was built with another encoder.
            InvalidInputError: ``k`` below one, or a moment without time zone.
        """
        with self._current() as live:
            prepared = prepare_all(live, namespace, queries)
            texts = texts_of(prepared)
        if not texts:
            return [[] for _ in queries]
        vectors = self._encode(texts)
        with self._held() as live:
            return Search(live, namespace, vectors, k, self._moment(as_of)).run(prepared)

    def _moment(self, as_of: Moment | None) -> datetime:
        return datetime.now(timezone.utc) if as_of is None else moment_of(as_of, "as_of")


class MemoryView(Searchable):
    """The live set of one version: read-only, and unmoved by later changes; searched exactly.

    Attributes:
        version: The version seen.
        as_of: The moment whose validity counts unless :meth:`search` says otherwise: the moment
            asked for; now where a version was asked for.
    """

    def __init__(self, live: LiveSet, version: int, as_of: datetime | None, encode: Encode) -> None:
        self.version, self.as_of = version, as_of
        self._live, self._encode_texts = live, encode

    def _current(self) -> AbstractContextManager[LiveSet]:
        return nullcontext(self._live)

    def _held(self) -> AbstractContextManager[LiveSet]:
        return nullcontext(self._live)

    def _encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        return self._encode_texts(texts)

    def _moment(self, as_of: Moment | None) -> datetime:
        return super()._moment(self.as_of if as_of is None else as_of)

    def get(self, id: str, *, namespace: str = DEFAULT_NAMESPACE) -> Record:
        """The record of that id.

        Raises:
            UnknownEditError: it was not live at this version.
        """
        sequence = self._live.space(namespace).by_id.get(id)
        if sequence is None:
            raise UnknownEditError(
                f"No edit {id!r} in namespace {namespace!r} at version {self.version}.",
                hint="history() says when it came and went.",
            )
        return self._live.records[sequence]
