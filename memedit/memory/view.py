"""A memory as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone

from memedit.core.errors import UnknownEditError
from memedit.core.types import DEFAULT_NAMESPACE, Hit, Record, Vectors
from memedit.memory.live.search import Search, prepare_all, texts_of
from memedit.memory.live.state import LiveSet


class MemoryView:
    """The live set of one version: read-only, and unmoved by later changes.

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
        encode: Callable[[Sequence[str]], dict[str, Vectors]],
    ) -> None:
        self.version, self.as_of = version, as_of
        self._live, self._encode = live, encode

    def __len__(self) -> int:
        return len(self._live)

    def __bool__(self) -> bool:
        return True

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """Live records in sequence order."""
        return iter(self._live.in_order(namespace))

    def namespaces(self) -> dict[str, int]:
        """Number of live records by namespace."""
        return self._live.counts()

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

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 16,
        namespace: str = DEFAULT_NAMESPACE,
        as_of: datetime | None = None,
    ) -> list[list[Hit]]:
        """As :meth:`EditMemory.search`, among the records of this version; exact."""
        prepared = prepare_all(self._live, namespace, queries)
        texts = texts_of(prepared)
        if not texts:
            return [[] for _ in queries]
        moment = as_of or self.as_of or datetime.now(timezone.utc)
        return Search(self._live, namespace, self._encode(texts), k, moment).run(prepared)
