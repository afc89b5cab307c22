"""Between a memory and a scope: which edits it is to judge, and whether it can."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timezone

from memedit.core.errors import EncoderMismatchError
from memedit.core.protocols import Scope
from memedit.core.types import Hit, Record
from memedit.memory import EditMemory, MemoryView
from memedit.scope import load_scope

_CANDIDATES = 16
"""Edits that a scope judges for each query."""


def in_force(
    store: EditMemory | MemoryView, namespace: str, as_of: datetime | None
) -> list[Record]:
    """The edits of a namespace that hold at a moment; None: now."""
    moment = as_of or datetime.now(timezone.utc)
    return [record for record in store.records(namespace) if record.holds_at(moment)]


def candidates(
    scope: Scope,
    store: EditMemory | MemoryView,
    queries: Sequence[str],
    namespace: str,
    as_of: datetime | None,
) -> Sequence[Sequence[Hit]]:
    """The edits that the scope is to judge for each query: the nearest, or all in force."""
    if getattr(scope, "wants_all", False):
        every = tuple(Hit(record, 1.0, role="asks") for record in in_force(store, namespace, as_of))
        return [every for _ in queries]
    return store.search(queries, k=_CANDIDATES, namespace=namespace, as_of=as_of)


def suited(scope: Scope, memory: EditMemory, *, given: bool) -> Scope:
    """The scope, if it was trained for the memory's encoder; else one without training.

    Args:
        scope: Trained or not.
        memory: Whose edits it shall judge.
        given: Somebody asked for this very scope.

    Raises:
        EncoderMismatchError: it was trained for another encoder, and asked for.
    """
    check = getattr(scope, "check_encoder", None)
    try:
        if check is not None:
            check(memory.encoder.id)
    except EncoderMismatchError as error:
        if given:
            raise
        warnings.warn(f"{error} Until then scope='mention' decides.", stacklevel=4)
        return load_scope("mention")
    return scope
