"""Documents in a memory: a new version retires what it no longer says and keeps the rest."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from memedit.core.documents import NewDocument, Place, check_name, place_of, prefix_of
from memedit.core.errors import UnknownEditError
from memedit.core.moments import UTC, Moment
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Record, check_named
from memedit.memory.editions import REASON, DocumentChange, Edition, plan_removal
from memedit.memory.journal.rows import Head
from memedit.memory.live.shelf import Shelved
from memedit.memory.live.state import LiveSet
from memedit.memory.planning import Plan
from memedit.memory.requests import Request
from memedit.memory.store import Store


@dataclass(frozen=True, slots=True)
class Document:
    """The version in force of a document: its passages, in order.

    Attributes:
        valid_from, valid_until: When this version holds; None: without limit.
        upcoming: (version, since when it holds) of those that are to come.
    """

    name: str
    version: int
    title: str
    sha256: str
    namespace: str
    passages: tuple[Record, ...]
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    upcoming: tuple[tuple[int, datetime], ...] = ()


class Shelves(ABC):
    """Live records of which some are passages of documents."""

    @abstractmethod
    def _current(self) -> AbstractContextManager[LiveSet]:
        """The live set, up to date; nobody changes it within the block."""

    @abstractmethod
    def _moment(self, as_of: Moment | None) -> datetime:
        """The moment that is meant; None: now."""

    def documents(
        self, namespace: str = DEFAULT_NAMESPACE, *, as_of: Moment | None = None
    ) -> list[Document]:
        """The documents of a namespace in force, now or at a moment, by name."""
        moment = self._moment(as_of)
        with self._current() as live:
            shelf = live.space(namespace).shelf
            found = ((name, shelf.document(name, moment)) for name in shelf.names())
            return [
                _document(live, namespace, name, each, moment)
                for name, each in found
                if each is not None
            ]

    def document(
        self, name: str, *, namespace: str = DEFAULT_NAMESPACE, as_of: Moment | None = None
    ) -> Document:
        """A document in force, now or at a moment.

        Raises:
            UnknownEditError: there is none of this name.
        """
        moment, name = self._moment(as_of), check_named("document", name)
        with self._current() as live:
            found = live.space(namespace).shelf.document(name, moment)
            if found is None:
                raise _unknown(namespace, name)
            return _document(live, namespace, name, found, moment)

    def passages(self, record: Record, moment: datetime | None = None) -> Sequence[Record]:
        """The passages of the document that a record is of as it stands at a moment (None: now), in
        order; none: it is of none."""
        place, moment = place_of(record.source), self._moment(moment)
        with self._current() as live:
            shelf = live.space(record.namespace).shelf
            found = None if place is None else shelf.document(place.document, moment)
            return () if found is None else [live.records[s] for s in found.ordered]


class Documented(Shelves):
    """A memory that takes documents."""

    _store: Store

    @abstractmethod
    def _zone_for(self, *moments: Moment | None) -> tzinfo:
        """Where the days of these dates begin and end."""

    def put_document(
        self,
        document: NewDocument,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        dry_run: bool = False,
        valid_from: Moment | None = None,
        valid_until: Moment | None = None,
    ) -> DocumentChange:
        """Put a document's passages in force, in place of the version before, in one transaction:
        what it no longer says is retired, what it says still keeps its id.

        Args:
            dry_run: Only tell what would change.
            valid_from, valid_until: When this version holds, as of :meth:`EditMemory.add`. Up to
                ``valid_from`` the version before stays in force.

        Raises:
            InvalidEditError: a passage that no edit can be; no date.
            MemoryStoreError: it could not be stored; the memory is as before.
        """
        # Any place will do to check the requests: their own is known within the transaction.
        source, zone = Place(document.name, 1, 1).source, self._zone_for(valid_from, valid_until)
        requests = [
            Request.of(edit, namespace, source, valid_from, valid_until, zone=zone)
            for edit in _edits(document)
        ]
        now = datetime.now(UTC)
        vectors = self._store.vectors_for(requests)

        def plan(head: Head, version: int) -> tuple[Plan, DocumentChange]:
            made = self._store.plan(head, vectors)
            live = self._store.live
            return made, Edition(made, live, document, requests, version, now).change()

        store = self._store
        with store.lock:
            if dry_run:
                with store.journal.read() as anything:
                    head = store.journal.head() if anything else Head()
                    version = _choose_version(store, document.name, namespace) if anything else 1
                with store.reading():
                    return replace(plan(head, version)[1], memory=store.live.version)
            with store.change() as head:
                made, change = plan(head, _choose_version(store, document.name, namespace))
                store.store(head, made, vectors)
            store.follow()
            return _read_made(change, store)

    def remove_document(
        self, name: str, *, namespace: str = DEFAULT_NAMESPACE, dry_run: bool = False
    ) -> DocumentChange:
        """Retire every passage of a document, in one transaction.

        Raises:
            UnknownEditError: there is none of this name.
        """
        # One moment: what is planned twice is planned alike.
        store, now, name = self._store, datetime.now(UTC), check_named("document", name)
        # Once before anything is locked, to refuse or to tell; once more on the newest state.
        with store.reading() as live:
            change = _plan_removal(live, namespace, name, now)
        if dry_run:
            return change
        with store.lock:
            with store.change() as head:
                change = _plan_removal(store.live, namespace, name, now)
                plan = store.plan(head, {})
                for record in change.take_marked("-"):
                    plan.retire(record, REASON, None)
                store.store(head, plan, {})
            store.follow()
            return _read_made(change, store)


def _document(
    live: LiveSet, namespace: str, name: str, found: Shelved, moment: datetime
) -> Document:
    passages = tuple(live.records[sequence] for sequence in found.ordered)
    head = found.head
    speaks = next((r for r in passages if place_of(r.source) == head), passages[0])
    later = {
        place.version: record.valid_from
        for s in live.space(namespace).shelf.all(name)
        if (record := live.records[s]).valid_from is not None
        and record.valid_from > moment
        and (place := place_of(record.source)) is not None
    }
    upcoming = tuple((version, since) for version, since in sorted(later.items()) if since)
    return Document(
        name, head.version, head.title, head.sha256, namespace, passages,
        speaks.valid_from, speaks.valid_until, upcoming,
    )  # fmt: skip


def _unknown(namespace: str, name: str) -> UnknownEditError:
    return UnknownEditError(
        f"There is no document {check_name(name)!r} in namespace {namespace!r}.",
        hint="memedit edit document list, or documents(), names those in force.",
    )


def _plan_removal(live: LiveSet, namespace: str, name: str, now: datetime) -> DocumentChange:
    found = plan_removal(live, namespace, name, now)
    if found is None:
        raise _unknown(namespace, name)
    return found


def _edits(document: NewDocument) -> list[Edit]:
    """A statement a passage. Its id is of the document's name, the text, and which of several
    equal ones it is: it outlasts versions, and two documents may say the same."""
    seen, found = Counter[str](), list[Edit]()
    for text in document.passages:
        # As JSON, where no name and text run into each other.
        content = json.dumps([document.name, text, seen[text]], ensure_ascii=False)
        seen[text] += 1
        found.append(Edit(text, None, id=hashlib.sha256(content.encode()).hexdigest()[:16]))
    return found


def _choose_version(store: Store, name: str, namespace: str) -> int:
    """The number of a document's next version, within an open read or write: those that were
    taken back are counted too."""
    sources = store.journal.sources(namespace, prefix_of(name))
    return 1 + max((place.version for place in map(place_of, sources) if place), default=0)


def _read_made(change: DocumentChange, store: Store) -> DocumentChange:
    """A change that was made, with the records as they now are. Lock held."""
    # Others' news arrive without the lock: they may take out the very record that is read.
    with store.replica.guard:
        live = store.live
        diff = tuple((mark, live.records.get(r.sequence, r)) for mark, r in change.diff)
        return replace(change, diff=diff, memory=live.version, made=True)
