"""Dates as people write them."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest

from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.moments import (
    LAST,
    UTC,
    format_days,
    is_day,
    moment_of,
    read_moment,
    set_zone,
    zone_of,
)

BERLIN = zone_of("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


def test_a_date_is_the_whole_day() -> None:
    for given in ("2030-01-31", " 2030-01-31 ", date(2030, 1, 31)):
        assert moment_of(given, "x") == utc(2030, 1, 31)
        assert moment_of(given, "x", last=True) == utc(2030, 2, 1)
        assert is_day(given)
    assert moment_of("2030-07-31", "x", zone=BERLIN) == utc(2030, 7, 30, 22)
    assert moment_of("2030-07-31", "x", zone=BERLIN, last=True) == utc(2030, 7, 31, 22)
    # the day on which the clocks go forward has 23 hours
    start, end = (moment_of("2030-03-31", "x", zone=BERLIN, last=last) for last in (False, True))
    assert (end.astimezone(UTC) - start.astimezone(UTC)).total_seconds() == 23 * 3600
    assert moment_of(date.max, "x", last=True) == LAST


def test_a_moment_stays_what_it_is() -> None:
    noon = utc(2030, 1, 31, 12)
    for given in (noon, "2030-01-31T12:00:00Z", "2030-01-31T13:00:00+01:00"):
        assert moment_of(given, "x", zone=BERLIN, last=True) == noon and not is_day(given)
    assert set_zone(datetime(2030, 7, 1, 2), BERLIN) == utc(2030, 7, 1)
    assert set_zone(date(2030, 7, 1), BERLIN) == date(2030, 7, 1)


def test_what_is_no_date_is_refused() -> None:
    for given in ("soon", "", "2030-13-01", 5, None, "2030-01-31T12:00"):
        with pytest.raises(InvalidEditError, match="valid_from"):
            moment_of(given, "valid_from", InvalidEditError)
    assert read_moment("2030-01-31T12:00", "x") == datetime(2030, 1, 31, 12)
    for name in ("Atlantis/Town", "", "../etc/passwd", "Europe", "a\0b"):
        with pytest.raises(InvalidInputError, match="no time zone"):
            zone_of(name)


def test_a_validity_is_told_with_both_ends_included() -> None:
    assert format_days(utc(2026, 1, 1), utc(2026, 2, 1)) == "from 2026-01-01 until 2026-01-31"
    assert format_days(None, utc(2026, 2, 1, 9, 30)) == "until 2026-02-01 09:30"
    assert format_days(utc(2026, 7, 1, 22), None, BERLIN) == "from 2026-07-02"
    assert format_days(None, None) == "" and format_days(None, LAST) == ""


def test_a_validity_at_the_ends_of_the_calendar_is_told_too() -> None:
    first = datetime.min.replace(tzinfo=UTC)
    new_york = zone_of("America/New_York")
    assert format_days(first, first).endswith("1-01-01 00:00")
    assert format_days(first, first, new_york) == format_days(first, first)
    assert format_days(None, utc(9999, 12, 31, 23, 59), BERLIN) == "until 9999-12-31 23:59"
