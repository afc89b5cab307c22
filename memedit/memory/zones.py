"""The time zone in which a memory reads dates; it is kept with the memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo

from memedit.core.moments import UTC, Moment, is_day, zone_of
from memedit.memory import changing
from memedit.memory.journal.rows import readable
from memedit.memory.reports import Receipt
from memedit.memory.store import Store

ZONE = "zone"
"""Meta name of the time zone of dates."""


class Zoned:
    """A memory whose dates are days of one zone."""

    _store: Store

    @property
    def zone(self) -> tzinfo:
        """Where the days of dates begin and end: UTC unless :meth:`set_zone` named another."""
        with readable(self._store.address), self._store.turns.reading() as journal:
            name = None if journal is None else journal.meta(ZONE)
        return UTC if name is None else zone_of(name)

    def _tell_zone(self, receipts: list[Receipt]) -> list[Receipt]:
        """Receipts that know the zone, where one of them may name a day."""
        if not any(receipt.names_first_day for receipt in receipts):
            return receipts
        return [replace(receipt, zone=self.zone) for receipt in receipts]

    def set_zone(self, name: str) -> None:
        """Read dates in this zone from now on; what is stored stays as it is.

        Args:
            name: ``"UTC"``, or another IANA name (``"Europe/Berlin"``).

        Raises:
            InvalidInputError: there is no such zone.
        """
        zone_of(name)
        changing.put_meta(self._store, {ZONE: name})

    def _zone_for(self, *moments: Moment | None) -> tzinfo:
        return self.zone if any(map(is_day, moments)) else UTC
