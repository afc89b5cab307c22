"""Dates as people write them, made moments.

A date without a time of day is the whole day: a fact valid from one date until another holds on
both.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo

from memedit.core.errors import InvalidInputError, MemeditError

Moment: TypeAlias = "datetime | date | str"
"""A datetime with a time zone; a date, which is a whole day; or either in ISO 8601."""

UTC = timezone.utc
LAST = datetime.max.replace(tzinfo=UTC)
_HINT = (
    'Give a date ("2026-01-31"), or an aware datetime, e.g. '
    "datetime(2026, 1, 31, tzinfo=timezone.utc)."
)


def moment_of(
    given: object,
    name: str,
    kind: type[MemeditError] = InvalidInputError,
    *,
    zone: tzinfo = UTC,
    last: bool = False,
) -> datetime:
    """The moment that is meant, with its time zone.

    Args:
        given: A :data:`Moment`.
        name: What it is called, for the message.
        kind: The error to raise.
        zone: Where a date's day begins and ends.
        last: A date means the end of that day, which is the moment at which the next begins.

    Raises:
        MemeditError: of ``kind``: no date, or a time of day without a time zone.
    """
    found = read_moment(given, name, kind)
    if not isinstance(found, datetime):
        return _find_edge(found, zone, last=last)
    if found.tzinfo is None:
        raise kind(f"{name}: {found.isoformat()} has no time zone.", hint=_HINT)
    return found


def read_moment(
    given: object, name: str, kind: type[MemeditError] = InvalidInputError
) -> date | datetime:
    """The date or datetime that is written; a datetime may lack a time zone.

    Raises:
        MemeditError: of ``kind``: it is neither.
    """
    if isinstance(given, date):
        return given
    if not isinstance(given, str):
        raise kind(f"{name} must be a date, not {type(given).__name__}.", hint=_HINT)
    text = given.strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        # Python 3.10 does not read the Z.
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise kind(
            f"{name}: {given[:40]!r} is no date (ISO 8601, such as 2026-01-31).", hint=_HINT
        ) from None


def set_zone(moment: date, zone: tzinfo) -> date:
    """The same, a time of day that names no zone in this one."""
    if isinstance(moment, datetime) and moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    return moment


def is_day(given: object) -> bool:
    """Whether a :data:`Moment` is a date without a time of day: its zone matters."""
    if isinstance(given, str):
        try:
            return bool(date.fromisoformat(given.strip()))
        except ValueError:
            return False
    return isinstance(given, date) and not isinstance(given, datetime)


def _find_edge(day: date, zone: tzinfo, *, last: bool) -> datetime:
    if not last:
        return datetime.combine(day, time(), zone)
    if day == date.max:
        return LAST
    return datetime.combine(day + timedelta(days=1), time(), zone)


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name, ``"Europe/Berlin"``.

    Raises:
        InvalidInputError: there is none.
    """
    if not isinstance(name, str):
        raise InvalidInputError(f"A time zone is a name, not {type(name).__name__}.")
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise InvalidInputError(
            f"There is no time zone {name[:60]!r}.", hint='An IANA name such as "Europe/Berlin".'
        ) from None


def format_days(start: datetime | None, end: datetime | None, zone: tzinfo = UTC) -> str:
    """A validity as people say it, both ends included: "from 2026-01-01 until 2026-01-31"."""
    first = "" if start is None else f"from {_format_local(start, zone)}"
    if end is None or end >= LAST:
        return first
    last = _localise(end, zone)
    if last.time() == time() and last.date() > date.min:
        return f"{first} until {(last - timedelta(days=1)):%Y-%m-%d}".strip()
    return f"{first} until {last:%Y-%m-%d %H:%M}".strip()


def _format_local(moment: datetime, zone: tzinfo) -> str:
    local = _localise(moment, zone)
    return f"{local:%Y-%m-%d}" if local.time() == time() else f"{local:%Y-%m-%d %H:%M}"


def _localise(moment: datetime, zone: tzinfo) -> datetime:
    """In this zone; as it is where that is beyond the years 1 to 9999."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment
