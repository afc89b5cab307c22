"""Dates as people write them, made moments."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from typing import TypeAlias

from memedit.core.errors import InvalidInputError, MemeditError

Moment: TypeAlias = "datetime | date | str"
"""A datetime with a time zone; a date, which begins at midnight UTC; or either in ISO 8601."""

_HINT = (
    'Give a date ("2026-01-31"), or an aware datetime, e.g. '
    "datetime(2026, 1, 31, tzinfo=timezone.utc)."
)


def moment_of(given: object, name: str, kind: type[MemeditError] = InvalidInputError) -> datetime:
    """The moment that is meant, with its time zone.

    Args:
        given: A :data:`Moment`.
        name: What it is called, for the message.
        kind: The error to raise.

    Raises:
        MemeditError: of ``kind``: no date, or a time of day without a time zone.
    """
    found = _read(given, name, kind) if isinstance(given, str) else given
    if isinstance(found, date) and not isinstance(found, datetime):
        return datetime.combine(found, time(), timezone.utc)
    if not isinstance(found, datetime):
        raise kind(f"{name} must be a date, not {type(given).__name__}.", hint=_HINT)
    if found.tzinfo is None:
        raise kind(f"{name}: {found.isoformat()} has no time zone.", hint=_HINT)
    return found


def _read(text: str, name: str, kind: type[MemeditError]) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise kind(f"{name}: {text[:40]!r} is no date.", hint=_HINT) from None
