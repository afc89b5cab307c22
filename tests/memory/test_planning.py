"""What a plan decides, without a database: on an empty live set, in one batch or one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory.encoding import Encoding, VectorTable
from memedit.memory.journal.rows import Head
from memedit.memory.live.state import LiveSet
from memedit.memory.planning import Plan
from memedit.memory.requests import Request, check_request
from tests.memory.helpers import capital, utc

ENCODING = Encoding(HashingEncoder(32), None, lambda: None)
NOW = utc(2026, 6)
YEARS = range(2018, 2031)


def plan_of(requests: Sequence[Request]) -> Plan:
    plan = Plan(LiveSet(), Head(), VectorTable(ENCODING.encode), NOW)
    plan.add_all(requests)
    return plan


def live(plan: Plan) -> list[Record]:
    """The records that are left once the plan's entries are followed."""
    there: dict[int, Record] = {}
    records = {stored.record.sequence: stored.record for stored in plan.stored}
    for entry in plan.entries:
        if entry.kind == "add":
            there[entry.sequence] = records[entry.sequence]
        else:
            del there[entry.sequence]
    return list(there.values())


def value(records: Sequence[Record], moment: datetime) -> str | None:
    """The one answer that holds at a moment."""
    (found, *more) = [r.edit.target_new for r in records if r.holds_at(moment)] or [None]
    assert not more, "two answers hold at once"
    return found


def request(city: str, start: int | None = None, end: int | None = None) -> Request:
    return check_request(
        Request(
            capital("France", city),
            valid_from=None if start is None else utc(start),
            valid_until=None if end is None else utc(end),
        )
    )


@st.composite
def dated(draw: st.DrawFn) -> Request:
    start = draw(st.none() | st.integers(2019, 2028))
    end = draw(st.none() | st.integers((start or 2018) + 1, 2029))
    return request(draw(st.sampled_from("ABC")), start, end)


@settings(max_examples=150, deadline=None)
@given(st.lists(dated(), min_size=1, max_size=6))
def test_at_every_moment_one_answer_holds_and_what_was_outside_stays(
    requests: list[Request],
) -> None:
    *earlier, newest = requests
    before, after = live(plan_of(earlier)), live(plan_of(requests))
    dates = (newest.valid_from, newest.valid_until)
    same = [r for r in before if r.id == newest.edit.id]
    if dates == (None, None) and any(r.holds_at(NOW) for r in same):
        assert after == before  # known already: nothing is written
        return
    for moment in (utc(year, month) for year in YEARS for month in (1, 7)):
        starts, ends = dates[0] or utc(1900), dates[1] or utc(2200)
        if starts <= moment < ends:
            assert value(after, moment) == newest.edit.target_new
        elif moment < starts or value(before, moment) != newest.edit.target_new:
            assert value(after, moment) == value(before, moment)


@settings(max_examples=60, deadline=None)
@given(st.lists(dated(), max_size=6))
def test_ids_are_unique_and_sequences_and_versions_in_order(requests: list[Request]) -> None:
    plan = plan_of(requests)
    records = [stored.record for stored in plan.stored]
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    assert {record.version for record in records} <= {1}
    names = [record.id for record in live(plan)]
    assert len(set(names)) == len(names)
    for entry in plan.entries:  # what replaces a record is one that is written
        assert entry.other is None or 1 <= entry.other <= len(records)


def test_receipts_say_what_became_of_each() -> None:
    plan = Plan(LiveSet(), Head(version=4, sequence=7), VectorTable(ENCODING.encode), NOW)
    first, again, other = plan.add_all([request("A"), request("A"), request("B")])
    assert (first.status, again.status, other.status) == ("added", "duplicate", "added")
    assert first.record.sequence == 8 and {r.version for r in (first, again, other)} == {5}
    assert again.record == first.record and other.superseded == (first.record,)
    assert [(e.kind, e.sequence, e.other) for e in plan.entries] == [
        ("add", 8, None), ("supersede", 8, 9), ("add", 9, None),
    ]  # fmt: skip


def test_a_record_that_began_earlier_is_kept_up_to_the_new_one() -> None:
    plan = plan_of([request("A", 2019), request("B", 2024)])
    old, new = live(plan)
    assert (old.edit.target_new, old.valid_from, old.valid_until) == ("A", utc(2019), utc(2024))
    assert (new.edit.target_new, new.valid_from, new.valid_until) == ("B", utc(2024), None)


def test_what_contradicts_without_replacing_is_a_conflict() -> None:
    said = Edit("The seat of government of France is", "Vichy", "France")
    plan = Plan(LiveSet(), Head(), VectorTable(ENCODING.encode), NOW)
    near = Edit("The seat of the government of France is", "Paris", "France")
    first, second = plan.add_all([check_request(Request(said)), check_request(Request(near))])
    assert first.conflicts == () and second.conflicts == (first.record,)
    assert len(live(plan)) == 2
    agreeing = Plan(LiveSet(), Head(), VectorTable(ENCODING.encode), NOW)
    same = Edit("The seat of the government of France is", "vichy", "France")
    assert not agreeing.add_all([check_request(Request(said)), check_request(Request(same))])[
        1
    ].conflicts


def test_namespaces_do_not_meet() -> None:
    requests = [check_request(Request(capital("France", city), city)) for city in ("A", "B")]
    assert [record.namespace for record in live(plan_of(requests))] == ["A", "B"]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (datetime(2025, 1, 1), None, "time zone"),
        (utc(2025), utc(2025), "not before"),
        (utc(2026), utc(2025), "not before"),
    ],
)
def test_dates_that_cannot_be(start: datetime, end: datetime | None, message: str) -> None:
    with pytest.raises(InvalidEditError, match=message):
        check_request(Request(capital("France"), valid_from=start, valid_until=end))
