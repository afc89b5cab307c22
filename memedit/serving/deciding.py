"""The scope without a model: what an upstream's questions are put to."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from datetime import datetime, timezone

from memedit.errors import EncoderMismatchError
from memedit.memory import EditMemory
from memedit.protocols import Scope
from memedit.scope import load_scope
from memedit.types import Decision, Hit

_CANDIDATES = 16


class Decider:
    """Memory and scope; thread-safe.

    Args:
        memory: Where the edits are.
        scope: A name, or None for the default, which gives way to one without training where it
            was not trained for the memory's encoder.
    """

    def __init__(self, memory: EditMemory, scope: Scope | str | None = None) -> None:
        self.memory = memory
        self._given = scope is not None
        if scope is None or isinstance(scope, str):
            scope = load_scope(scope or "default")
        self.scope: Scope = scope
        self._lock = threading.Lock()
        self._checked = False

    def decide(
        self, queries: Sequence[str], namespace: str, as_of: datetime | None = None
    ) -> list[tuple[Decision, int]]:
        """(decision, memory version) per query.

        Raises:
            EncoderMismatchError: the scope asked for does not fit the memory's encoder.
        """
        version = self.memory.version
        if not len(self.memory):
            return [(Decision(), version) for _ in queries]
        with self._lock:
            self._check()
        if getattr(self.scope, "wants_all", False):
            moment = as_of or datetime.now(timezone.utc)
            held = self.memory.records(namespace)
            every = tuple(Hit(r, 1.0) for r in held if r.holds_at(moment))
            candidates: Sequence[Sequence[Hit]] = [every for _ in queries]
        else:
            candidates = self.memory.search(
                queries, k=_CANDIDATES, namespace=namespace, as_of=as_of
            )
        with self._lock:  # a scope may hold a tokenizer, which is not thread-safe
            decisions = self.scope.decide(queries, candidates)
        return [(decision, version) for decision in decisions]

    def _check(self) -> None:
        if self._checked:
            return
        check = getattr(self.scope, "check_encoder", None)
        try:
            if check is not None:
                check(self.memory.encoder.id)
        except EncoderMismatchError as error:
            if self._given:
                raise
            warnings.warn(f"{error} Until then scope='mention' decides.", stacklevel=3)
            self.scope = load_scope("mention")
        self._checked = True
