"""The changes of a memory: each is decided on its newest state and stored in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from memedit.core.collecting import collecting_later
from memedit.core.errors import InvalidInputError, UnknownEditError
from memedit.core.types import Payload, Record, check_ids, check_named
from memedit.memory.encoding import VectorTable
from memedit.memory.importing import Import
from memedit.memory.journal.rows import REFIT, Head
from memedit.memory.reports import Receipt, Undone
from memedit.memory.requests import Request, check_request
from memedit.memory.returning import Return, list_returns
from memedit.memory.standing import APART, Inverse, Standing, Step, find_inverse, mark
from memedit.memory.store import Store
from memedit.memory.successors import naming_successors

Progress = Callable[[int], None]
_HINT = "memedit edit history tells what happened, memedit edit restore VERSION goes back to it."


def add(
    store: Store,
    requests: Sequence[Request],
    *,
    progress: Progress | None = None,
    note: Callable[[Sequence[Receipt], int], Mapping[str, str | None]] | None = None,
    further: str = "",
) -> list[Receipt]:
    """Add checked requests, all or none; a receipt each.

    Args:
        progress: Told how many of them have been encoded.
        note: What to store under which meta name with them, by their receipts and the version.
        further: The reason of the events of what goes on with an earlier change; "": it is its own.
    """
    # Outside the lock: encoding takes long, and others may read and write meanwhile.
    vectors = store.vectors_for(requests, progress)
    with store.lock:
        # Every text is known: perhaps every edit is, and then nothing must be written or locked.
        if not vectors and note is None:
            with store.reading():
                plan = store.plan(Head(), vectors)
                if all(plan.duplicate(request) for request in requests):
                    return plan.add_all(requests)  # changes nothing
        with store.change() as head, collecting_later():
            receipts = _write(store, head, requests, vectors, further)
            if note is not None:
                store.journal.put_meta(note(receipts, store.journal.newest()[0]))
        with collecting_later():
            return store.follow_all(receipts)


def _write(
    store: Store, head: Head, requests: Sequence[Request], vectors: VectorTable, further: str
) -> list[Receipt]:
    """Store what adding requests comes to. What it takes is gone when it returns."""
    plan = store.plan(head, vectors)
    receipts = plan.add_all(requests)
    if further:
        plan.entries = mark(plan.entries, further)
    store.store(head, plan, vectors)
    return receipts


def preview(store: Store, requests: Sequence[Request]) -> list[Receipt]:
    """What :func:`add` would answer now."""
    vectors = store.vectors_for(requests)
    with store.lock:
        store.replica.refresh_to_read()
        with store.journal.read() as anything:
            head = store.journal.head() if anything else Head()
            with store.replica.guard:
                return store.plan(head, vectors).add_all(requests)


def put_in_place(
    store: Store,
    id: str,
    namespace: str,
    ask: Callable[[Record], Request],
    *,
    keep_payloads: bool = False,
) -> Receipt:
    """Put what is asked of a live record into its place.

    It is asked again once nobody else can write: what others made of the record meanwhile is kept.

    Raises:
        UnknownEditError: no live edit has this id.
    """
    with naming_successors(store, namespace), store.reading():
        expected = ask(store.known(id, namespace))
    vectors = store.vectors_for([expected])
    # Now, not within the write transaction, which others would wait for.
    vectors.foresee(expected.texts())
    with store.lock:
        with store.change() as head:
            old = store.known(id, namespace)
            request = ask(old)
            if keep_payloads:
                request = replace(request, payloads=store.journal.payloads(old.sequence))
            plan = store.plan(head, vectors)
            receipt = plan.replace(old, request)
            store.store(head, plan, vectors)
        return store.follow_all([receipt])[0]


def report(store: Store, id: str, namespace: str, query: str, *, concerns: bool) -> Receipt:
    """Learn of a live edit that a query concerns it, or does not; payloads and dates stay.

    Raises:
        UnknownEditError: no live edit has this id.
    """

    def teach_request(old: Record) -> Request:
        edit = old.edit.teach(query, concerns=concerns)
        return check_request(Request(edit, namespace, old.source, old.valid_from, old.valid_until))

    return put_in_place(store, id, namespace, teach_request, keep_payloads=True)


def forget(
    store: Store, ids: Sequence[str], namespace: str, reason: str, refit: Sequence[str] = ()
) -> tuple[list[Record], list[Record]]:
    """Take live edits out, all or none, and give back their time to what resumes at their ends.

    Args:
        refit: Other live edits, which are taken out to be fitted anew: their time stays theirs.

    Returns:
        The records that were, in order, and those to be fitted anew with the time they have now.

    Raises:
        InvalidInputError: one string instead of several.
        UnknownEditError: no live edit has one of these ids.
    """
    named = (check_ids(ids), check_ids(refit))
    check_named("reason", reason)
    with naming_successors(store, namespace), store.reading():
        _find_all(store, named, namespace)
    with store.lock:
        with store.change() as head:
            gone, again = _find_all(store, named, namespace)
            vectors = VectorTable(store.encoding.encode_checked)
            plan = store.plan(head, vectors)
            plan.withdraw(gone, reason)
            # What got time back is another record now.
            after = {r.sequence: r for record in again for r in plan.find_after(record)}
            for record in after.values():
                plan.retire(record, REFIT, None)
            store.store(head, plan, vectors)
        store.follow()
        return gone, list(after.values())


def _find_all(
    store: Store, named: Iterable[Sequence[str]], namespace: str
) -> tuple[list[Record], ...]:
    return tuple([store.known(id, namespace) for id in ids] for ids in named)


def restore(store: Store, version: int, namespace: str | None) -> int:
    """Make the live set (of one namespace) what it was at a version; the version now."""
    if namespace is not None:
        check_named("namespace", namespace)
    with store.lock:
        if store.version(version) == store.live.version:
            return version
        with store.change() as head:
            _go_back(store, head, version, namespace)
        store.follow()
        return store.live.version


def _go_back(store: Store, head: Head, version: int, namespace: str | None) -> None:
    """Store what makes the live set (of one namespace) that of a version."""
    # What nothing happened to since is as it was.
    touched = store.journal.touched_since(version)
    wanted = store.journal.live_among(touched, version)
    there = {s for s in touched if s in store.live.records}
    lost, missing = sorted(there - wanted), sorted(wanted - there)
    if namespace is not None:
        lost = [s for s in lost if store.live.records[s].namespace == namespace]
        old = store.journal.records(missing)
        missing = [r.sequence for r, _ in old if r.namespace == namespace]
    purged = store.journal.purged_of(version, namespace)
    if not purged:
        store.journal.log(head, list_returns(version, lost, missing))
    else:
        vectors = VectorTable(store.encoding.encode_checked)
        plan = Return(store.live, head, vectors, store.journal, version)
        plan.go_back(lost, missing)
        plan.fill(purged)
        store.store(head, plan, vectors)


def undo(store: Store, version: int | None, namespace: str | None) -> Undone:
    """Take back the change (of one namespace) that made a version; None: the last that stands."""
    if namespace is not None:
        check_named("namespace", namespace)
    with store.lock:
        with store.journal.read() as anything:
            if not anything:  # and none is made
                raise _nothing_stands(version)
        # Found and taken back in one transaction: what another process writes is not.
        with store.change() as head:
            step, kept = _take_back(store, head, version, namespace)
            after = store.journal.history(None, namespace, since=head.version)
        store.follow()
        return Undone(
            step.versions[-1], store.live.version, after, step.versions[0],
            kept is not None, tuple(kept or ()),
        )  # fmt: skip


def _take_back(
    store: Store, head: Head, version: int | None, namespace: str | None
) -> tuple[Step, Sequence[Record] | None]:
    """Store what takes back a change: which it was; and, where others came after it had begun,
    which of its records stay for them.

    Raises:
        InvalidInputError: none stands, or it is a purge.
    """
    standing = Standing.of(store.journal.versions(namespace))
    for step in reversed(standing.steps):
        if version is not None and version not in step.versions:
            continue
        if step.erases:
            which = "last change" if version is None else f"change of version {version}"
            raise InvalidInputError(f"The {which} is a purge: nothing takes it back.", hint=_HINT)
        if standing.is_alone(step):
            _go_back(store, head, step.before, namespace)
            return step, None
        found = _invert(store, step, standing.void, namespace)
        if found.lost or found.missing:
            entries = list_returns(step.before, found.lost, found.missing, APART)
            store.journal.log(head, entries)
            return step, [store.live.records[sequence] for sequence in found.kept]
    raise _nothing_stands(version)


def _nothing_stands(version: int | None) -> InvalidInputError:
    which = "" if version is None else f" of version {version}"
    return InvalidInputError(f"There is no change{which} to take back.", hint=_HINT)


def _invert(store: Store, step: Step, void: Collection[int], namespace: str | None) -> Inverse:
    """What takes a change back that others came after: all of it but what they changed since."""
    happened = store.journal.happened_since(step.before, namespace)
    live = store.live.records
    found = find_inverse(step, happened, void, live)
    # Ids are unique among live records.
    lost, taken = {*found.lost}, list[int]()
    for record, _ in store.journal.records(found.missing):
        there = store.live.space(record.namespace).find(record.id)
        if there is not None and there not in lost:
            taken.append(record.sequence)
    return find_inverse(step, happened, void, live, taken) if taken else found


def count_purged(store: Store, version: int, namespace: str | None) -> int:
    """How many records that were live at a version (in one namespace) were purged since."""
    if namespace is not None:
        check_named("namespace", namespace)
    with store.lock, store.journal.read() as anything:
        version = store.version(version)
        return len(store.journal.purged_of(version, namespace)) if anything else 0


def find_unanswered(store: Store, version: int, namespace: str | None) -> list[Record]:
    """The records that what was live at a version (in one namespace) and purged since had replaced,
    and of whose facts nothing is in force now."""
    if namespace is not None:
        check_named("namespace", namespace)
    with store.lock, store.journal.read() as anything:
        version = store.version(version)
        purged = store.journal.purged_of(version, namespace) if anything else []
        found = {
            each.record.sequence: each.record
            for sequence in purged
            for each in store.journal.replaced(sequence, upto=version)
        }
    with store.replica.guard:
        spaces = {r.namespace: store.live.space(r.namespace) for r in found.values()}
        return [
            r for _, r in sorted(found.items())
            if spaces[r.namespace].find(r.id.partition("~")[0]) is None
        ]  # fmt: skip


def fill_purged(store: Store, version: int) -> None:
    """Let what resumes after edits that were in force at a version and purged since have its
    time."""
    with store.lock:
        with store.change() as head:
            vectors = VectorTable(store.encoding.encode_checked)
            plan = Return(store.live, head, vectors, store.journal, version)
            plan.fill(store.journal.purged_of(version, None))
            store.store(head, plan, vectors)
        store.follow()


def put_payloads(store: Store, payloads: Mapping[int, Mapping[str, Payload]]) -> None:
    """Store payloads compiled later: sequence -> editor name -> payload. No new version.

    Raises:
        UnknownEditError: no record has this sequence.
    """
    with store.lock:
        with store.change() as head:
            unknown = [s for s in payloads if not 1 <= s <= head.sequence]
            if unknown:
                raise UnknownEditError(f"No record has sequence {unknown[0]}.")
            store.journal.put_payloads(payloads)
            store.journal.note_payloads()
        store.follow()


def put_meta(store: Store, values: Mapping[str, str | None]) -> None:
    """Keep values about the whole memory; no new version."""
    with store.lock, store.change():
        store.journal.put_meta(values)


def import_file(
    store: Store,
    work: Import,
    progress: Progress | None,
    compare: Callable[[Request], Request | Receipt] | None = None,
) -> None:
    """Add the chunks of a file that are not in the memory yet; ``work`` has the report then.

    Args:
        compare: As of :meth:`EditMemory.import_file`.
    """
    with store.lock, store.journal.read() as anything:
        state = store.journal.meta(work.name) if anything else None
        work.resume(state, store.journal.undone_since)
    work.report = replace(work.report, compared=compare is not None)
    for requests in work.chunks(None if compare is None else 1):
        if compare is None:
            add(store, requests, note=work.state, further=work.further)
        else:
            with store.comparing():
                _add_compared(store, work, [compare(request) for request in requests])
        if progress is not None:
            progress(work.done)
    if work.done:
        with store.lock, store.change():
            store.journal.put_meta({work.name: None})


def _add_compared(store: Store, work: Import, made: Sequence[Request | Receipt]) -> None:
    """Add what is new among lines that were compared."""
    known = [each for each in made if isinstance(each, Receipt)]

    def note(receipts: Sequence[Receipt], version: int) -> Mapping[str, str | None]:
        return work.state([*receipts, *known], version)

    new = [each for each in made if isinstance(each, Request)]
    add(store, new, note=note, further=work.further)
