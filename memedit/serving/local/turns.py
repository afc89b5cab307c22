"""Whose turn it is, where what callers ask for is worked off one after the other.

There is room for a few. Where it is full, whoever has fewer there than another takes the place of
that one's latest: nobody can keep others out, and one who is alone has all the room.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Asker = tuple[str, ...]
"""Who asks, the widest name first: the key, its namespace."""


class CrowdedError(Exception):
    """There is no room."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """
    Attributes:
        round: Of everybody's first ones, then everybody's second ones, and so on.
        begun: It is its turn.
        lost: Another took its place.
    """

    asker: Asker
    round: int
    begun: bool = False
    lost: bool = False


class Turns:
    """Gives turns, each asker one before anybody has another. Thread-safe.

    Args:
        most: Who may wait, the one whose turn it is included.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tickets: list[_Ticket] = []
        self._round = 0
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._tickets)

    @contextmanager
    def take(self, asker: Asker) -> Iterator[None]:
        """Wait for a turn, and have it.

        Raises:
            CrowdedError: there is no room, or none any more.
        """
        with self._changed:
            ticket = self._enter(asker)
        try:
            with self._changed:
                self._changed.wait_for(lambda: ticket.lost or self._next() is ticket)
                if ticket.lost:
                    raise CrowdedError
                ticket.begun, self._round = True, ticket.round
            yield
        finally:
            with self._changed:
                if not ticket.lost:
                    self._tickets.remove(ticket)
                self._changed.notify_all()

    def _enter(self, asker: Asker) -> _Ticket:
        if len(self) >= self._most:
            self._displace(asker)
        own = [ticket.round + 1 for ticket in self._tickets if ticket.asker == asker]
        ticket = _Ticket(asker, max([self._round, *own]))
        self._tickets.append(ticket)
        return ticket

    def _next(self) -> _Ticket | None:
        if any(ticket.begun for ticket in self._tickets):
            return None
        return min(self._tickets, key=lambda ticket: ticket.round)  # of equals the first

    def _displace(self, asker: Asker) -> None:
        """Take the place of the latest of whoever has most: among all, then among those of the
        same widest name."""
        for depth in range(1, len(asker) + 1):
            near = [t for t in self._tickets if t.asker[: depth - 1] == asker[: depth - 1]]
            counts = Counter(ticket.asker[:depth] for ticket in near)
            # One more than there are now: exchanged for an equal, both would lose time.
            least = counts[asker[:depth]] + 2
            for name, count in counts.most_common(1):
                loses = [t for t in near if t.asker[:depth] == name and not t.begun]
                if count >= least and loses:
                    loses[-1].lost = True
                    self._tickets.remove(loses[-1])
                    self._changed.notify_all()
                    return
        raise CrowdedError
