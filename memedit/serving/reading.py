"""What a caller may read of the edits, as plain data: the same over REST and for agents' tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from memedit.core.errors import UnknownEditError
from memedit.core.moments import Moment
from memedit.core.types import Record
from memedit.memory.plain import plain_event, plain_record
from memedit.memory.reports import make_unknown
from memedit.serving.service import Caller, Service


def list_edits(
    service: Service, namespace: str, match: str, limit: int, offset: int
) -> dict[str, Any]:
    """The edits in force that hold a text, newest first."""
    wanted = match.casefold()
    found = [r for r in service.memory.records(namespace) if wanted in _searched(r)][::-1]
    return {
        "object": "list",
        "data": [plain_record(record) for record in found[offset : offset + limit]],
        "total": len(found),
        "version": service.memory.version,
    }


def _searched(record: Record) -> str:
    edit = record.edit
    return "\n".join([edit.statement, *edit.queries, record.id, record.source]).casefold()


def find_nearest(
    service: Service, namespace: str, query: str, limit: int, as_of: Moment | None
) -> dict[str, Any]:
    """The edits that a text may concern, the most similar first; whether one of them answers it is
    the scope's to say (``explain``)."""
    (hits,) = service.memory.search([query], k=limit, namespace=namespace, as_of=as_of)
    data = [plain_record(hit.record) | {"similarity": hit.similarity} for hit in hits[:limit]]
    return {"object": "list", "data": data, "version": service.memory.version}


def list_events(service: Service, namespace: str, limit: int) -> dict[str, Any]:
    """What happened to the namespace's edits, newest first."""
    events = service.memory.history(namespace=namespace)
    data = [plain_event(event) for event in events[: -limit - 1 : -1]]  # from the end
    return {"object": "list", "data": data, "total": len(events)}


def list_events_of(service: Service, namespace: str, id: str) -> dict[str, Any]:
    """All that happened to one edit, in force or not, oldest first.

    Raises:
        UnknownEditError: there never was one.
    """
    events = service.memory.history(id, namespace=namespace)
    if not events:
        raise UnknownEditError(f"There never was an edit {id!r} in this namespace.")
    return {"object": "list", "data": [plain_event(event) for event in events]}


@contextmanager
def narrowing(caller: Caller) -> Iterator[None]:
    """Errors of the block tell this key no more than it may see: what took the place of an edit is
    for who may read edits."""
    try:
        yield
    except UnknownEditError as error:
        if not error.replaced_by or caller.key.allows("read"):
            raise
        raise make_unknown(error.id, caller.namespace) from None


_TOLD = ("id", "similarity", "score", "role", "bearing", "document")
_FIRED = (*_TOLD, "fact")
"""What an answer's receipt tells of the edits it rests on, and their fact, which it says."""


def narrow_explanation(caller: Caller, explained: dict[str, Any]) -> dict[str, Any]:
    """An explanation as this key may see it: without the scope ``read``, of the edits only those
    that fired, since the answer shows them too; of those that a document contradicts, which the
    answer follows instead, no more than its receipt tells."""
    if caller.key.allows("read"):
        return explained
    seen = {"hits": _FIRED, "informs": _FIRED, "companions": _FIRED, "disagrees": _TOLD}
    told = {
        group: [{k: v for k, v in hit.items() if k in names} for hit in explained.get(group, ())]
        for group, names in seen.items()
    }
    return explained | told | {"candidates": []}
