"""Between a memory and a scope: which edits it is to judge, whether it can, and what it says."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from memedit.core.errors import EncoderMismatchError
from memedit.core.protocols import ChecksEncoder, Scope, judges_all
from memedit.core.types import Decision, Hit, Record
from memedit.memory import EditMemory, MemoryView
from memedit.scope import load_scope
from memedit.scope.documents import heed
from memedit.scope.features import forget_texts
from memedit.scope.weighing import Among

_CANDIDATES = 16
"""Edits that a scope judges for each query."""


class Judge:
    """A memory and its scope. Thread-safe.

    Args:
        memory: Where the edits are.
        scope: An instance, a name, or None for the default.
        given: Somebody asked for this very scope: it does not give way to one without training
            where it was trained for another encoder than the memory's. None: where ``scope`` is
            not None.

    Attributes:
        memory: The memory.
        scope: What decides now.
    """

    def __init__(
        self, memory: EditMemory, scope: Scope | str | None = None, *, given: bool | None = None
    ) -> None:
        self.memory = memory
        self._given = scope is not None if given is None else given
        self.scope: Scope = (
            load_scope(scope or "default") if scope is None or isinstance(scope, str) else scope
        )
        self._lock = threading.Lock()
        self._checked = False
        # Words of what was purged must leave this process, too.
        memory.when_purged(forget_texts)

    def use(self, scope: Scope, *, given: bool) -> None:
        """Let another scope decide from now on; ``given`` as above."""
        with self._lock:
            self.scope, self._given, self._checked = scope, given, False

    def check(self) -> None:
        """See, once, that the scope suits the memory.

        Raises:
            EncoderMismatchError: the scope asked for was trained for another encoder.
        """
        with self._lock:
            if not self._checked:
                self.scope = suit_scope(self.scope, self.memory, given=self._given)
                self._checked = True

    def judge(
        self,
        texts: Sequence[str],
        namespace: str,
        as_of: datetime | None = None,
        keep: Callable[[Hit], bool] | None = None,
    ) -> list[Decision]:
        """What the scope says of each text, and no more: a time in it is words, and what it finds
        is neither read again nor outdated.

        Args:
            texts: As they are.
            namespace: Of the edits.
            as_of: The moment at which they hold; None: now.
            keep: Which candidates the scope reads at all; None: all. To read them is the most of
                what a decision costs.

        Raises:
            EncoderMismatchError: the scope asked for does not fit the memory's encoder.
        """
        if not self.memory.count(namespace):
            return [Decision() for _ in texts]
        self.check()
        return self._ask_scope(texts, namespace, as_of, self.memory, keep)

    def _ask_scope(
        self,
        queries: Sequence[str],
        namespace: str,
        moment: datetime | None,
        store: EditMemory | MemoryView,
        keep: Callable[[Hit], bool] | None = None,
    ) -> list[Decision]:
        before = self.memory.version
        found = find_candidates(self.scope, store, queries, namespace, moment)
        if keep is not None:
            # Among all that are near: that few are read does not mean that few are near.
            found = [Among.of(hits, filter(keep, hits)) for hits in found]
        with self._lock:  # a scope may hold a tokenizer, which is not thread-safe
            decisions = self.scope.decide(queries, found)
        if self.memory.version != before:  # a purge, perhaps, of what was read meanwhile
            forget_texts()
        return list(map(heed, queries, decisions))


def list_in_force(
    store: EditMemory | MemoryView, namespace: str, as_of: datetime | None
) -> list[Record]:
    """The edits of a namespace that hold at a moment; None: now."""
    moment = as_of or datetime.now(timezone.utc)
    return [record for record in store.records(namespace) if record.holds_at(moment)]


def find_candidates(
    scope: Scope,
    store: EditMemory | MemoryView,
    queries: Sequence[str],
    namespace: str,
    as_of: datetime | None,
) -> Sequence[Sequence[Hit]]:
    """The edits that the scope is to judge for each query: the nearest, or all in force."""
    if judges_all(scope):
        # One tuple for all queries: who compiles its payloads knows it again, and does so once.
        every = tuple(
            Hit(record, 1.0, role="asks") for record in list_in_force(store, namespace, as_of)
        )
        return [every for _ in queries]
    return store.search(queries, k=_CANDIDATES, namespace=namespace, as_of=as_of)


def suit_scope(scope: Scope, memory: EditMemory, *, given: bool) -> Scope:
    """The scope, if it was trained for the memory's encoder; else one without training.

    Args:
        scope: Trained or not.
        memory: Whose edits it shall judge.
        given: Somebody asked for this very scope.

    Raises:
        EncoderMismatchError: it was trained for another encoder, and asked for.
    """
    try:
        if isinstance(scope, ChecksEncoder):
            scope.check_encoder(memory.encoder.id)
    except EncoderMismatchError as error:
        if given:
            raise
        warnings.warn(f"{error} Until then scope='mention' decides.", stacklevel=4)
        return load_scope("mention")
    return scope
