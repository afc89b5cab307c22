"""What a new version of a document does to the passages of those before, and when.

A version without dates takes the place of what is there. One that holds from a day on leaves what
was there in force up to that day: a passage that it says no longer is shortened, one that it says
still goes on under its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from memedit.core.documents import NewDocument, Place, assign_positions, find_growing
from memedit.core.suspicion import find_in_texts
from memedit.core.types import Record
from memedit.memory.live.state import LiveSet
from memedit.memory.planning import Plan
from memedit.memory.requests import Request

Mark = Literal["+", "-", "~", " "]
"""Of a passage in a change: new, retired, moved to another place, kept where it is."""
REASON = "document"
"""Of events that a document's version brings; it says no name, since events outlast a purge."""
Status = Literal["added", "changed", "unchanged", "removed"]
Diff = tuple[tuple[Mark, Record], ...]


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What a new version of a document does, or would do.

    Attributes:
        before, version: The document's version that was in force (None: none was) and the new one.
        diff: Every passage of both, in order, with what becomes of it.
        memory: The memory's version that holds it; of what was only tried, the one it was tried on.
        made: Whether it was made.
        valid_from, valid_until: When the new version holds; None: without limit.
    """

    name: str
    namespace: str
    status: Status
    before: int | None
    version: int
    diff: Diff
    memory: int
    made: bool
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def take_marked(self, mark: Mark) -> tuple[Record, ...]:
        """The passages of which this becomes."""
        return tuple(record for each, record in self.diff if each == mark)

    @property
    def suspicious(self) -> tuple[str, ...]:
        """What of the new passages looks like more than facts: :mod:`memedit.core.suspicion`."""
        return tuple(find_in_texts(record.edit.prompt for record in self.take_marked("+")))


class Edition:
    """A new version of a document that is put into a plan.

    Args:
        plan: To be written.
        live: The live set it is made on.
        document: The new version.
        requests: One a passage, in order, all with the version's dates.
        version: Its number.
        now: When a version without ``valid_from`` begins.
    """

    def __init__(
        self, plan: Plan, live: LiveSet, document: NewDocument, requests: Sequence[Request],
        version: int, now: datetime,
    ) -> None:  # fmt: skip
        self._plan, self._document, self._requests = plan, document, requests
        self._version, self._now = version, now
        first = requests[0]
        self._namespace, self._from, self._until = (
            first.namespace, first.valid_from, first.valid_until,
        )  # fmt: skip
        self._start = first.valid_from or now
        shelf = live.space(first.namespace).shelf
        self._known = shelf.document(document.name, now)
        self._old = [
            record
            for s in shelf.all(document.name)
            if not _is_over(record := live.records[s], self._start)
        ]
        ids = {request.edit.id for request in requests}
        places = {record.id: shelf.position(record.sequence) for record in self._old}
        self._anchors = _anchors(requests, places)
        self._gone = [r for r in self._old if r.id not in ids]
        self._ids = ids

    def change(self) -> DocumentChange:
        """Decide what becomes of every passage of both versions, and plan it."""
        before = None if self._known is None else self._known.head.version
        if self._says_the_same():
            assert self._known is not None
            kept: Diff = tuple((" ", record) for record in self._old)
            return self._make_change("unchanged", before, self._known.head.version, kept)
        for record in self._gone:
            # What has not begun by then would be shortened to nothing.
            if self._from is None or not _begins_before(record, self._from):
                self._plan.retire(record, REASON, None)
            else:
                self._plan.shorten(record, self._from, REASON)
        marks = list(self._marks())
        status: Status = "changed" if self._old else "added"
        return self._make_change(status, before, self._version, self._merge(marks))

    def _make_change(
        self, status: Status, before: int | None, version: int, diff: Diff
    ) -> DocumentChange:
        return DocumentChange(
            self._document.name, self._namespace, status, before, version, diff, 0, made=False,
            valid_from=self._from, valid_until=self._until,
        )  # fmt: skip

    def _says_the_same(self) -> bool:
        whole = self._known is not None and not self._gone and None not in self._anchors
        return whole and all(map(self._is_kept, self._old))

    def _is_kept(self, record: Record) -> bool:
        """Whether a passage holds already whenever the new version does, and no longer."""
        begun = record.valid_from is None or record.valid_from <= self._start
        return begun and record.valid_until == self._until

    def _marks(self) -> Iterator[tuple[Mark, Record]]:
        anchors = self._anchors
        where = assign_positions(anchors)
        fits, where = where is not None, where or assign_positions([None] * len(anchors)) or []
        later = self._from is not None and self._from > self._now
        for n, (request, position) in enumerate(zip(self._requests, where, strict=True)):
            document = self._document
            whole = (document.sha256, document.title) if n == 0 else ("", "")
            source = Place(document.name, self._version, position, *whole).source
            here = self._plan.find(self._namespace, request.edit.id)
            if here is None or _is_over(here, self._start):
                since = request.valid_from if here is None else self._start
                request = replace(request, source=source, valid_from=since)
                yield "+", self._plan.add(request)
                continue
            # The first is written anew each time: its source says the version and the file's hash.
            stays = anchors[n] is not None
            anew = n == 0 or not stays or not fits
            if not self._is_kept(here) or (anew and later):
                here = self._carry_on(here, request, source)
            elif anew:
                here = self._plan.move(here, source, REASON)
            yield " " if stays else "~", here

    def _carry_on(self, here: Record, request: Request, source: str) -> Record:
        """A passage that the new version says too, with its dates."""
        dates = (self._from, self._until)
        if self._from is None:
            since = here.valid_from if here.holds_at(self._start) else self._start
            dates = (since, self._until)
        elif (here.valid_from, here.valid_until) != dates:
            return self._plan.add(replace(request, edit=here.edit, source=source))
        return self._plan.move(here, source, REASON, dates)

    def _merge(self, marks: Sequence[tuple[Mark, Record]]) -> Diff:
        """The new version's passages, and those retired behind what they stood behind."""
        behind: dict[str, list[Record]] = {}
        stays, last = {record.id for mark, record in marks if mark == " "}, ""
        for record in self._old:
            if record.id in stays:
                last = record.id
            # A shortened copy is named after its original, which may go on in the new version.
            elif record.id.removesuffix(f"~{record.sequence}") not in self._ids:
                behind.setdefault(last, []).append(record)
        found: list[tuple[Mark, Record]] = [("-", record) for record in behind.get("", ())]
        for mark, record in marks:
            found.append((mark, record))
            if mark == " ":
                found += [("-", gone) for gone in behind.get(record.id, ())]
        return tuple(found)


def _is_over(record: Record, moment: datetime) -> bool:
    return record.valid_until is not None and record.valid_until <= moment


def _begins_before(record: Record, moment: datetime) -> bool:
    return record.valid_from is None or record.valid_from < moment


def _anchors(requests: Sequence[Request], places: dict[str, int]) -> list[int | None]:
    """The positions of passages that stay where they are: the most that are in order still."""
    known = [(n, places[r.edit.id]) for n, r in enumerate(requests) if r.edit.id in places]
    stays = find_growing([position for _, position in known])
    anchors: list[int | None] = [None] * len(requests)
    for at, (n, position) in enumerate(known):
        if at in stays:
            anchors[n] = position
    return anchors


def plan_removal(live: LiveSet, namespace: str, name: str, now: datetime) -> DocumentChange | None:
    """What taking a document back retires: all that holds now or will; None: there is nothing."""
    shelf = live.space(namespace).shelf
    found = [live.records[s] for s in shelf.all(name)]
    diff: Diff = tuple(("-", record) for record in found if not _is_over(record, now))
    if not diff:
        return None
    known = shelf.document(name, now)
    version = shelf.newest(name) if known is None else known.head.version
    return DocumentChange(
        name, namespace, "removed", version, version, diff, live.version, made=False
    )
