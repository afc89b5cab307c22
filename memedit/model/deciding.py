"""What bears on a request: the scope's word, other readings, the time named, the newest alone."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from memedit.core.doubts import asks_again
from memedit.core.errors import InvalidInputError
from memedit.core.moments import Moment
from memedit.core.phases import phase
from memedit.core.protocols import Calibrates, Scope, judges_all
from memedit.core.types import Decision, Record
from memedit.memory import EditMemory, MemoryView
from memedit.model.companions import add_companions, leave_out_secrets
from memedit.model.former import add_former
from memedit.model.house import MOST_EDITS, House, read_vocabulary
from memedit.model.insisting import heed_former_values
from memedit.model.judging import Judge
from memedit.model.moved import decide_on_moves
from memedit.model.newest import keep_newest
from memedit.model.on_days import decide_on_days
from memedit.model.outdating import Outdating
from memedit.model.passages import add_neighbours
from memedit.model.rereading import decide_again
from memedit.model.timing import decide_in_time
from memedit.model.values import add_all_values

if TYPE_CHECKING:  # torch, which a server in front of another one begins without
    from memedit.model.second_look import Look

_HOUSES = 256
"""Namespaces whose names and words are kept."""


class Decider(Judge):
    """A memory and its scope, asked as people ask: other readings of a request, the time that it
    names, the newest of what contradicts. Thread-safe.

    Arguments and attributes as of :class:`Judge`.
    """

    def __init__(
        self, memory: EditMemory, scope: Scope | str | None = None, *, given: bool | None = None
    ) -> None:
        super().__init__(memory, scope, given=given)
        self._houses: dict[str, tuple[int, House]] = {}
        self._spelt: Container[str] | None = None
        self._outdating = Outdating()
        # Names and words of what was purged must leave this process, too.
        memory.when_purged(self._houses.clear)

    def use(self, scope: Scope, *, given: bool) -> None:
        super().use(scope, given=given)
        self._outdating.forget()

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
        look: Look | None = None,
    ) -> list[Decision]:
        """What the scope says of each query.

        Args:
            queries: Texts; of a chat, what was said before and the last turn.
            namespace: Of the edits.
            as_of: The moment at which they hold, of a date as its day begins; None: now.
            store: The memory as it was; None: as it is.
            look: What the base says of the edits found (:mod:`memedit.model.second_look`).

        Raises:
            EncoderMismatchError: the scope asked for does not fit the memory's encoder.
        """
        store = self.memory if store is None else store
        # Neither encoder nor scope is loaded while there is nothing to find.
        if not store.count(namespace):
            return [Decision() for _ in queries]
        with phase("decide"):
            return self._decide(queries, namespace, as_of, store, look)

    def _decide(
        self,
        queries: Sequence[str],
        namespace: str,
        as_of: Moment | None,
        store: EditMemory | MemoryView,
        look: Look | None,
    ) -> list[Decision]:
        self.check()
        moment = None if as_of is None else store.moment(as_of)

        def one(query: str, then: datetime | None) -> Decision:
            return self._ask_scope([query], namespace, then, store)[0]

        decisions = self._ask_scope(queries, namespace, moment, store)
        # An ungated scope has all edits of the moment; no time in a query changes which those are.
        if judges_all(self.scope):
            return decisions

        def ask(texts: Sequence[str]) -> list[Decision]:
            return self._ask_scope(texts, namespace, moment, store)

        # In this order: readings find edits; a time may put others in their place, or name a day of
        # an edit's own, or a move tell where something is; who names what was so before asks for
        # it; of the rest the base may say otherwise; of what is left the newer stands, and only
        # then are values and passages put beside it.
        house = self._recall_house(namespace, store)
        decisions = decide_again(queries, decisions, house, ask)
        # "She paid less yesterday, look again": yesterday is not when it is to be so.
        found = [
            decision if asks_again(query) else decide_in_time(query, decision, moment, store, one)
            for query, decision in zip(queries, decisions, strict=True)
        ]
        if house.spans:
            found = decide_on_days(queries, found, house.spans, moment, store, ask)
        if house.moves:
            found = decide_on_moves(queries, found, house.moves, ask)
        found = [
            heed_former_values(query, each, store, each.as_of or moment)
            for query, each in zip(queries, found, strict=True)
        ]
        if look is not None:
            found = look(queries, found, house.name)
        plain = (
            self._tell_newest(leave_out_secrets(each, str(query)))
            for query, each in zip(queries, found, strict=True)
        )
        every = (add_all_values(each, store, each.as_of or moment) for each in plain)
        whole = (add_former(each, store, each.as_of or moment) for each in every)
        return [add_neighbours(each, store, each.as_of or moment) for each in whole]

    def _tell_newest(self, decision: Decision) -> Decision:
        """What is told: what bears and is not outdated, and what may bear beside it."""

        def keep(told: Decision) -> Decision:
            return keep_newest(told, lambda: self.memory.encoder, self._find_outdated)

        told = add_companions(keep(decision))
        if not told.companions:
            return told
        # Nor is an older sentence told beside the newer one.
        every = keep(replace(told, hits=(*told.bearing, *told.companions)))
        stays = {hit.record.id for hit in every.hits}
        beside = tuple(hit for hit in told.companions if hit.record.id in stays)
        return replace(told, companions=beside)

    def _find_outdated(self, older: Sequence[Record], newer: Record) -> frozenset[int]:
        return self._outdating.find(older, newer, self)

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
