"""The scope without a model: what an upstream's questions are put to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from memedit.core.protocols import Scope
from memedit.core.types import Decision
from memedit.memory import EditMemory
from memedit.model.deciding import candidates, suited
from memedit.scope import load_scope
from memedit.scope.documents import heeded


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
            if not self._checked:
                self.scope = suited(self.scope, self.memory, given=self._given)
                self._checked = True
        found = candidates(self.scope, self.memory, queries, namespace, as_of)
        with self._lock:  # a scope may hold a tokenizer, which is not thread-safe
            decisions = self.scope.decide(queries, found)
        told = map(heeded, queries, decisions)
        return [(decision, version) for decision in told]
