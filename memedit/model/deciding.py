"""Between a memory and a scope: which edits it is to judge, whether it can, and what it says."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from memedit.core.errors import EncoderMismatchError, InvalidInputError
from memedit.core.moments import Moment
from memedit.core.phases import phase
from memedit.core.protocols import Calibrates, ChecksEncoder, Scope, judges_all
from memedit.core.types import Decision, Hit, Record
from memedit.memory import EditMemory, MemoryView
from memedit.model.companions import add_companions
from memedit.model.newest import keep_newest
from memedit.model.passages import add_neighbours
from memedit.model.rereading import MOST_EDITS, House, decide_again, read_vocabulary
from memedit.model.timing import decide_in_time
from memedit.model.values import add_all_values
from memedit.scope import load_scope
from memedit.scope.documents import heed
from memedit.scope.features import forget_texts
from memedit.scope.weighing import Among

_HOUSES = 256
"""Namespaces whose names and words are kept."""
_CANDIDATES = 16
"""Edits that a scope judges for each query."""


class Decider:
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
        self._houses: dict[str, tuple[int, House]] = {}
        self._spelt: Container[str] | None = None
        # Names and words of what was purged must leave this process, too.
        memory.when_purged(self._houses.clear)
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

    def calibrate(
        self, decisions: Sequence[Decision], max_false_fire: float, confidence: float
    ) -> Scope:
        """Set the scope's threshold by decisions on texts that concern no edit; the scope so set.

        Raises:
            InvalidInputError: too few of them for the bound, or a scope that has no calibration.
        """
        if not isinstance(self.scope, Calibrates):
            raise InvalidInputError(
                f"The scope {self.scope!r} has no calibration.", hint="Use scope='classifier'."
            )
        self.scope = self.scope.calibrate(decisions, max_false_fire, confidence)
        return self.scope

    def decide(
        self,
        queries: Sequence[str],
        namespace: str,
        as_of: Moment | None = None,
        store: EditMemory | MemoryView | None = None,
        *,
        timed: bool = True,
        keep: Callable[[Hit], bool] | None = None,
    ) -> list[Decision]:
        """What the scope says of each query.

        Args:
            queries: Texts; of a chat, what was said before and the last turn.
            namespace: Of the edits.
            as_of: The moment at which they hold, of a date as its day begins; None: now.
            store: The memory as it was; None: as it is.
            timed: A time that a query names counts; else its words are words.
            keep: Which candidates the scope reads at all; None: all. To read them is the most of
                what a decision costs.

        Raises:
            EncoderMismatchError: the scope asked for does not fit the memory's encoder.
        """
        store = self.memory if store is None else store
        # Neither encoder nor scope is loaded while there is nothing to find.
        if not store.count(namespace):
            return [Decision() for _ in queries]
        with phase("decide"):
            return self._decide(queries, namespace, as_of, store, timed=timed, keep=keep)

    def _decide(
        self,
        queries: Sequence[str],
        namespace: str,
        as_of: Moment | None,
        store: EditMemory | MemoryView,
        *,
        timed: bool,
        keep: Callable[[Hit], bool] | None,
    ) -> list[Decision]:
        self.check()
        moment = None if as_of is None else store.moment(as_of)

        def one(query: str, then: datetime | None) -> Decision:
            return self._ask_scope([query], namespace, then, store)[0]

        decisions = self._ask_scope(queries, namespace, moment, store, keep)
        # An ungated scope has all edits of the moment; no time in a query changes which those are.
        if judges_all(self.scope) or not timed:
            return decisions
        # In this order: readings find edits; a time may put others in their place; of what is left
        # the
        # newer sentence stands, and only then are values and passages put beside it.
        decisions = decide_again(
            queries,
            decisions,
            self._recall_house(namespace, store),
            lambda texts: self._ask_scope(texts, namespace, moment, store),
        )
        found = (
            decide_in_time(query, decision, moment, store, one)
            for query, decision in zip(queries, decisions, strict=True)
        )
        plain = (self._tell_newest(each) for each in found)
        every = (add_all_values(each, store, each.as_of or moment) for each in plain)
        return [add_neighbours(each, store, each.as_of or moment) for each in every]

    def _tell_newest(self, decision: Decision) -> Decision:
        """What is told: what bears and is not outdated, and what may bear beside it."""

        def keep(told: Decision) -> Decision:
            return keep_newest(told, lambda: self.memory.encoder)

        told = add_companions(keep(decision))
        if not told.companions:
            return told
        # Nor is an older sentence told beside the newer one.
        every = keep(replace(told, hits=(*told.bearing, *told.companions)))
        stays = {hit.record.id for hit in every.hits}
        beside = tuple(hit for hit in told.companions if hit.record.id in stays)
        return replace(told, companions=beside)

    def _recall_house(self, namespace: str, store: EditMemory | MemoryView) -> House:
        """Whose assistant a namespace is, as its edits tell; looked at anew where they changed."""
        version = store.version
        known = self._houses.get(namespace)
        if known is not None and known[0] == version:
            return known[1]
        # What is purged from here on is seen by the memory's version at the end.
        before = self.memory.version
        records = [*store.records(namespace)] if store.count(namespace) <= MOST_EDITS else []
        if self._spelt is None:
            self._spelt = read_vocabulary(self.memory.encoder)
        known = version, House.of(records, self._spelt)
        if len(self._houses) >= _HOUSES:
            self._houses.clear()
        self._houses[namespace] = known
        if self.memory.version != before:
            self._houses.pop(namespace, None)
        return known[1]

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
