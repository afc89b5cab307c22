"""Documents in a memory: a new version retires what it no longer says and keeps the rest."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal

from memedit.core.documents import (
    NewDocument,
    Place,
    check_name,
    growing,
    place_of,
    positions,
    prefix_of,
)
from memedit.core.errors import UnknownEditError
from memedit.core.suspicion import find_in_texts
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Record
from memedit.memory.journal.rows import Head
from memedit.memory.live.shelf import Shelved
from memedit.memory.live.state import LiveSet
from memedit.memory.planning import Plan, Request
from memedit.memory.store import Store

Mark = Literal["+", "-", "~", " "]
"""Of a passage in a change: new, retired, moved to another place, kept where it is."""
REASON = "document"
"""Of events that a document's version brings; it says no name, since events outlast a purge."""
Status = Literal["added", "changed", "unchanged", "removed"]


@dataclass(frozen=True, slots=True)
class Document:
    """The version in force of a document: its passages, in order."""

    name: str
    version: int
    title: str
    sha256: str
    namespace: str
    passages: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What a new version of a document does, or would do.

    Attributes:
        before, version: The document's version that was in force (None: none was) and the new one.
        diff: Every passage of both, in order, with what becomes of it.
        memory: The memory's version that holds it; of what was only tried, the one it was tried on.
        made: Whether it was made.
    """

    name: str
    namespace: str
    status: Status
    before: int | None
    version: int
    diff: tuple[tuple[Mark, Record], ...]
    memory: int
    made: bool

    def take_marked(self, mark: Mark) -> tuple[Record, ...]:
        """The passages of which this becomes."""
        return tuple(record for each, record in self.diff if each == mark)

    @property
    def suspicious(self) -> tuple[str, ...]:
        """What of the new passages looks like more than facts: :mod:`memedit.core.suspicion`."""
        return tuple(find_in_texts(record.edit.prompt for record in self.take_marked("+")))


class Shelves(ABC):
    """Live records of which some are passages of documents."""

    @abstractmethod
    def _current(self) -> AbstractContextManager[LiveSet]:
        """The live set, up to date; nobody changes it within the block."""

    def documents(self, namespace: str = DEFAULT_NAMESPACE) -> list[Document]:
        """The documents of a namespace in force, by name."""
        with self._current() as live:
            shelf = live.space(namespace).shelf
            found = ((name, shelf.document(name)) for name in shelf.names())
            return [_document(live, namespace, n, each) for n, each in found if each is not None]

    def document(self, name: str, *, namespace: str = DEFAULT_NAMESPACE) -> Document:
        """A document in force.

        Raises:
            UnknownEditError: there is none of this name.
        """
        with self._current() as live:
            return _document(live, namespace, name, _find_known(live, namespace, name))

    def passages(self, record: Record) -> Sequence[Record]:
        """The live passages of the document that a record is of, in order; none: it is of none."""
        place = place_of(record.source)
        with self._current() as live:
            shelf = live.space(record.namespace).shelf
            found = None if place is None else shelf.document(place.document)
            return () if found is None else [live.records[s] for s in found.ordered]


class Documented(Shelves):
    """A memory that takes documents."""

    _store: Store

    def put_document(
        self,
        document: NewDocument,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        dry_run: bool = False,
    ) -> DocumentChange:
        """Put a document's passages in force, in place of the version before, in one transaction:
        what it no longer says is retired, what it says still keeps its id.

        Args:
            dry_run: Only tell what would change.

        Raises:
            InvalidEditError: a passage that no edit can be.
            MemoryStoreError: it could not be stored; the memory is as before.
        """
        requests = [
            Request.of(edit, namespace, Place(document.name, 1, 1).source, None, None)
            for edit in _edits(document)
        ]
        vectors = self._store.vectors_for(requests)

        def plan(head: Head, version: int) -> tuple[Plan, DocumentChange]:
            made = self._store.plan(head, vectors)
            return made, _plan_passages(made, self._store.live, document, requests, version)

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
            return _read_made(change, store.live)

    def remove_document(
        self, name: str, *, namespace: str = DEFAULT_NAMESPACE, dry_run: bool = False
    ) -> DocumentChange:
        """Retire every passage of a document, in one transaction.

        Raises:
            UnknownEditError: there is none of this name.
        """
        store = self._store
        with store.reading() as live:
            change = _plan_removal(live, namespace, name)
        if dry_run:
            return change
        with store.lock:
            with store.change() as head:
                change = _plan_removal(store.live, namespace, name)
                plan = store.plan(head, {})
                for record in change.take_marked("-"):
                    plan.retire(record, REASON, None)
                store.store(head, plan, {})
            store.follow()
            return _read_made(change, store.live)


def _document(live: LiveSet, namespace: str, name: str, found: Shelved) -> Document:
    passages = tuple(live.records[sequence] for sequence in found.ordered)
    head = found.head
    return Document(name, head.version, head.title, head.sha256, namespace, passages)


def _find_known(live: LiveSet, namespace: str, name: str) -> Shelved:
    found = live.space(namespace).shelf.document(name)
    if found is None:
        raise UnknownEditError(
            f"There is no document {check_name(name)!r} in namespace {namespace!r}.",
            hint="memedit edit document list, or documents(), names those in force.",
        )
    return found


def _edits(document: NewDocument) -> list[Edit]:
    """A statement a passage. Its id is of the document's name, the text, and which of several
    equal ones it is: it outlasts versions, and two documents may say the same."""
    seen, found = Counter[str](), list[Edit]()
    for text in document.passages:
        content = json.dumps([document.name, text, seen[text]], ensure_ascii=False)
        seen[text] += 1
        found.append(Edit(text, None, id=hashlib.sha256(content.encode()).hexdigest()[:16]))
    return found


def _choose_version(store: Store, name: str, namespace: str) -> int:
    """The number of a document's next version, within an open read or write: those that were
    taken back are counted too."""
    sources = store.journal.sources(namespace, prefix_of(name))
    return 1 + max((place.version for place in map(place_of, sources) if place), default=0)


def _plan_passages(
    plan: Plan, live: LiveSet, document: NewDocument, requests: Sequence[Request], version: int
) -> DocumentChange:
    """Decide what becomes of every passage of both versions, and plan it."""
    namespace, name = requests[0].namespace, document.name
    space = live.space(namespace)
    known = space.shelf.document(name)
    old = [live.records[sequence] for sequence in known.ordered] if known else []
    ids = {request.edit.id for request in requests}
    places = {record.id: space.shelf.position(record.sequence) for record in old}
    anchors = _anchors(requests, places)
    retired = [record for record in old if record.id not in ids]
    before = known.head.version if known else None
    if known and not retired and None not in anchors:
        diff: tuple[tuple[Mark, Record], ...] = tuple((" ", record) for record in old)
        return DocumentChange(
            name, namespace, "unchanged", before, known.head.version, diff, 0, made=False
        )
    for record in retired:
        plan.retire(record, REASON, None)
    marks: list[tuple[Mark, Record]] = []
    where = positions(anchors)
    fits, where = where is not None, where or positions([None] * len(anchors)) or []
    for n, (request, position) in enumerate(zip(requests, where, strict=True)):
        whole = (document.sha256, document.title) if n == 0 else ("", "")
        source = Place(name, version, position, *whole).source
        here = plan.find(namespace, request.edit.id)
        if here is None:
            marks.append(("+", plan.add(replace(request, source=source))))
            continue
        # The first is written anew each time: its source says the version and the file's hash.
        stays = anchors[n] is not None
        moved = plan.move(here, source, REASON) if n == 0 or not stays or not fits else here
        marks.append((" " if stays else "~", moved))
    status: Status = "changed" if known else "added"
    return DocumentChange(
        name, namespace, status, before, version, _merge_diff(old, marks, ids), 0, made=False
    )


def _anchors(requests: Sequence[Request], places: dict[str, int]) -> list[int | None]:
    """The positions of passages that stay where they are: the most that are in order still."""
    known = [(n, places[r.edit.id]) for n, r in enumerate(requests) if r.edit.id in places]
    stays = growing([position for _, position in known])
    anchors: list[int | None] = [None] * len(requests)
    for at, (n, position) in enumerate(known):
        if at in stays:
            anchors[n] = position
    return anchors


def _merge_diff(
    old: Sequence[Record], marks: Sequence[tuple[Mark, Record]], ids: set[str]
) -> tuple[tuple[Mark, Record], ...]:
    """The new version's passages, and those retired behind what they stood behind."""
    behind: dict[str, list[Record]] = {}
    stays, last = {record.id for mark, record in marks if mark == " "}, ""
    for record in old:
        if record.id in stays:
            last = record.id
        elif record.id not in ids:
            behind.setdefault(last, []).append(record)
    found: list[tuple[Mark, Record]] = [("-", record) for record in behind.get("", ())]
    for mark, record in marks:
        found.append((mark, record))
        if mark == " ":
            found += [("-", gone) for gone in behind.get(record.id, ())]
    return tuple(found)


def _plan_removal(live: LiveSet, namespace: str, name: str) -> DocumentChange:
    found = _find_known(live, namespace, name)
    diff: tuple[tuple[Mark, Record], ...] = tuple(("-", live.records[s]) for s in found.ordered)
    version = found.head.version
    return DocumentChange(
        name, namespace, "removed", version, version, diff, live.version, made=False
    )


def _read_made(change: DocumentChange, live: LiveSet) -> DocumentChange:
    """A change that was made, with the records as they now are."""
    diff = tuple((mark, live.records.get(r.sequence, r)) for mark, r in change.diff)
    return replace(change, diff=diff, memory=live.version, made=True)
