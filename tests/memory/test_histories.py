"""Random histories of one slot, beside a plain picture of them: one value or none at a time."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from memedit.core.errors import InvalidEditError
from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.memory.helpers import ids, sound
from tests.memory.helpers import since_2026 as utc

ENCODER = HashingEncoder(32)
YEARS = range(2018, 2040)  # some are over, some to come
LIMITS = st.none() | st.sampled_from([2020, 2024, 2028, 2030, 2032, 2034])


def in_order(span: tuple[int | None, int | None]) -> bool:
    start, end = span
    return start is None or end is None or start < end


SPANS = st.tuples(LIMITS, LIMITS).filter(in_order)
FEW = settings(max_examples=10, deadline=None)
Line = list[str | None]
"""What is in force in each of :data:`YEARS`."""


def value(name: str) -> Edit:
    return Edit("Shipping costs", name, "shipping")


def moment(year: int | None) -> datetime | None:
    return None if year is None else utc(year)


def line(memory: EditMemory) -> Line:
    found = list[str | None]()
    for year in YEARS:
        here = [r for r in memory.records() if r.holds_at(utc(year, 6))]
        assert len(here) < 2, f"two values in {year}"
        found.append(here[0].edit.target_new if here else None)
    return found


def told(memory: EditMemory, name: str, span: tuple[int | None, int | None]) -> None:
    start, end = map(moment, span)
    memory.add(value(name), valid_from=start, valid_until=end)


def tell_some(memory: EditMemory, data: st.DataObject) -> list[Record]:
    """Some values, each of its own time; what is live then."""
    for name in "ABCD"[: data.draw(st.integers(1, 4))]:
        told(memory, name, data.draw(SPANS))
    return list(memory.records())


@FEW
@given(st.data())
def test_what_is_forgotten_is_as_if_it_had_never_been_told(data: st.DataObject) -> None:
    """Of a fact that was replaced entirely nothing comes again; of others all does."""
    layers = dict[str, set[int]]()  # what each of them speaks of, the newest last
    with EditMemory(None, ENCODER) as memory:
        for name in "ABCDEFG"[: data.draw(st.integers(3, 7))]:
            live = list(memory.records())
            turn = data.draw(st.integers(0, 1))
            if live and turn:
                some = st.lists(st.sampled_from(live), min_size=1, max_size=2)
                gone = data.draw(some)
                memory.forget_many([record.id for record in gone])
                left = {r.edit.target_new for r in memory.records()}
                for record in gone:
                    of = str(record.edit.target_new)
                    over = {year for year in YEARS if record.holds_at(utc(year, 6))}
                    layers[of] = layers[of] - over if of in left else set()
            start, end = span = data.draw(SPANS)
            told(memory, name, span)
            layers[name] = {y for y in YEARS if (start or y) <= y < (end or y + 1)}
            left = {r.edit.target_new for r in memory.records()}
            for year, now in zip(YEARS, line(memory), strict=True):
                wanted = next((of for of in reversed(layers) if year in layers[of]), None)
                assert now == (wanted if wanted in left else None), year
        assert len(set(ids(memory))) == len(memory) and sound(memory)


@FEW
@given(st.data())
def test_a_purge_leaves_what_forgetting_leaves(data: st.DataObject) -> None:
    with EditMemory(None, ENCODER) as memory:
        name = data.draw(st.sampled_from(tell_some(memory, data))).edit.target_new
        pieces = [r.id for r in memory.records() if r.edit.target_new == name]
        version = memory.version
        memory.forget_many(pieces)
        wanted = line(memory)
        memory.restore(version)
        memory.purge(value(str(name)).id)
        assert line(memory) == wanted and sound(memory)


@FEW
@given(st.data())
def test_a_change_of_what_a_fact_says_moves_nothing(data: st.DataObject) -> None:
    with EditMemory(None, ENCODER) as memory:
        before = data.draw(st.sampled_from(tell_some(memory, data)))
        old, was, version = before.edit.target_new, line(memory), memory.version
        start, end = before.valid_from, before.valid_until
        memory.report(before.id, "And for students?", concerns=True)
        assert line(memory) == was
        memory.supersede(before.id, value("Z"), valid_from=start, valid_until=end)
        assert line(memory) == ["Z" if each == old else each for each in was]
        memory.restore(version)
        assert line(memory) == was and sound(memory)


@FEW
@given(st.data())
def test_a_change_of_when_a_piece_holds_touches_its_times_alone(data: st.DataObject) -> None:
    with EditMemory(None, ENCODER) as memory:
        record = data.draw(st.sampled_from(tell_some(memory, data)))
        name = data.draw(st.sampled_from([str(record.edit.target_new), "Z"]))
        was, (start, end) = line(memory), map(moment, data.draw(SPANS))
        try:
            memory.supersede(record.id, value(name), valid_from=start, valid_until=end)
        except InvalidEditError as error:
            assert "several pieces" in error.message and line(memory) == was
            return
        after = line(memory)
        for year, before, now in zip(YEARS, was, after, strict=True):
            middle = utc(year, 6)
            if (start is None or start <= middle) and (end is None or middle < end):
                assert now == name, year
            elif before != record.edit.target_new:
                assert now == before, year
        assert sound(memory)


Step = tuple[str, int, tuple[int | None, int | None]]
STEPS = st.tuples(st.sampled_from("tttttfsr"), st.integers(0, 5), SPANS)


def take(memory: EditMemory, step: Step) -> None:
    """Tell a value, forget or change a piece of one, or go back."""
    kind, number, span = step
    live = list(memory.records())
    if kind == "t" or not live and kind != "r":
        told(memory, "ABCDEF"[number], span)
    elif kind == "r":
        memory.restore(min(number, memory.version))
    else:
        id = live[number % len(live)].id
        start, end = map(moment, span)
        with suppress(InvalidEditError):
            if kind == "f":
                memory.forget(id)
            else:
                memory.supersede(id, value("ABCDEF"[number]), valid_from=start, valid_until=end)


@FEW
@given(st.data())
def test_a_version_comes_back_as_if_the_purge_had_been_made_then(data: st.DataObject) -> None:
    """The fault: where something had been purged since, a hole was left for good."""
    steps = data.draw(st.lists(STEPS, min_size=2, max_size=6))
    later = data.draw(st.lists(STEPS, max_size=3))
    gone = [value(name).id for name in data.draw(st.sets(st.sampled_from("ABCDEF"), min_size=1))]
    with EditMemory(None, ENCODER) as memory, EditMemory(None, ENCODER) as then:
        for step in steps:
            take(memory, step)
            take(then, step)
        version = memory.version
        for step in later:
            take(memory, step)
        for each in (memory, then):
            known = {e.record.id for e in each.history()}
            if some := [id for id in gone if id in known]:
                each.purge(*some)
        for step in later:
            take(memory, step)
        memory.restore(version)
        assert line(memory) == line(then) and sound(memory)
        assert not {r.id for r in memory.records()} & set(gone)
        memory.restore(version)
        assert line(memory) == line(then)
