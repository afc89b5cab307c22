"""An edit that ends takes its own time from what it replaces, and gives it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memedit.core.errors import InvalidEditError, InvalidInputError, UnknownEditError
from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.memory.helpers import ids, sound
from tests.memory.helpers import since_2026 as utc
from tests.postgres import Cluster

ENCODER = HashingEncoder(64)
YEARS = range(2028, 2037)
LONG = 120.0
Make = Callable[[int], Edit]


def price(euros: int) -> Edit:
    return Edit("Shipping costs", f"{euros} euros", "shipping")


def said(euros: int) -> Edit:
    return Edit.from_statement(f"We ship for {euros} euros.")


@pytest.fixture
def memory() -> Iterator[EditMemory]:
    with EditMemory(None, ENCODER) as opened:
        yield opened


def holding(memory: EditMemory, moment: datetime) -> Record | None:
    """The one record in force at a moment."""
    found = [r for r in memory.records() if r.holds_at(moment)]
    assert len(found) < 2, "two answers hold at once"
    return found[0] if found else None


def over_time(memory: EditMemory) -> str:
    """The digit that is in force in the middle of each of :data:`YEARS`, "-" where none is."""
    found = (holding(memory, utc(year, 6)) for year in YEARS)
    return "".join("-" if r is None else next(filter(str.isdigit, r.edit.statement)) for r in found)


def test_after_an_offer_the_price_before_it_is_in_force_again(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    receipt = memory.add(price(3), valid_until=utc(2031))
    assert receipt.superseded == (always,)
    assert over_time(memory) == "333555555"
    for year, euros in ((2030, "3 euros"), (2032, "5 euros")):
        (hits,) = memory.search(["What does shipping cost?"], as_of=utc(year))
        assert [hit.record.edit.target_new for hit in hits] == [euros]
    after = memory.get(always.id)  # under its id
    assert (after.valid_from, after.valid_until) == (utc(2031), None)
    assert memory.add(price(3), valid_until=utc(2031)).status == "duplicate"
    memory.restore(1)
    assert list(memory.records()) == [always] and sound(memory)


def test_of_two_pieces_the_one_that_holds_now_has_the_id(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    memory.add(price(3), valid_from=utc(2030), valid_until=utc(2031))
    assert over_time(memory) == "553555555"
    assert memory.get(always.id).valid_until == utc(2030)
    memory.add(price(2), valid_from=utc(2033), valid_until=utc(2034))
    assert over_time(memory) == "553552555" and len(set(ids(memory))) == 5
    copies = {r.id for r in memory.records() if r.edit.target_new == "5 euros"} - {always.id}
    assert copies == {f"{always.id}~{memory.get(id).sequence}" for id in copies}
    memory.purge(always.id)
    assert over_time(memory) == "--3--2---" and sound(memory)


def test_an_offer_that_began_leaves_the_id_to_what_comes_after_it(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    memory.add(price(3), valid_from=utc(2020), valid_until=utc(2031))
    assert memory.get(always.id).valid_from == utc(2031)


def test_the_newest_word_counts_for_the_time_it_speaks_of(memory: EditMemory) -> None:
    memory.add(price(5))
    memory.add(price(3), valid_until=utc(2032))
    memory.add(price(2), valid_until=utc(2030))  # an offer within the offer
    assert over_time(memory) == "223355555"
    memory.add(price(7))
    assert over_time(memory) == "777777777" and len(memory) == 1
    memory.add(price(5), valid_until=utc(1990))  # history retires nothing of today
    assert over_time(memory) == "777777777" and len(memory) == 2


def test_who_says_the_same_with_an_end_ends_it(memory: EditMemory) -> None:
    memory.add(price(5))
    memory.add(price(5), valid_until=utc(2031))
    assert over_time(memory) == "555------"


def test_what_is_replaced_by_its_id_does_not_come_again(memory: EditMemory) -> None:
    old = memory.add(price(5)).record
    memory.supersede(old.id, price(4), valid_until=utc(2031))
    assert over_time(memory) == "444------"


@pytest.mark.parametrize("make", [price, said])
@pytest.mark.parametrize("start", [None, 2030])
@pytest.mark.parametrize("name", ["", "shipping"])
def test_an_offer_that_is_forgotten_leaves_what_was(
    memory: EditMemory, make: Make, start: int | None, name: str
) -> None:
    always, offer = replace(make(5), id=name), replace(make(3), id=name)
    memory.add(always)
    since = None if start is None else utc(start)
    made = memory.add(offer, valid_from=since, valid_until=utc(2032), replaces=[always.id])
    assert over_time(memory) == ("333355555" if start is None else "553355555")
    memory.report(made.id, "What is it for students?", concerns=True)  # the same, told anew
    memory.forget(made.id)
    (record,) = memory.records()
    assert (record.edit, record.valid_from, record.valid_until) == (always, None, None)
    assert sound(memory)


@pytest.mark.parametrize("make", [price, said])
def test_an_offer_may_be_given_another_end(memory: EditMemory, make: Make) -> None:
    always = memory.add(make(5)).record
    offer = make(3)
    memory.add(offer, valid_until=utc(2032), replaces=[always.id])
    memory.supersede(offer.id, offer, valid_until=utc(2030))
    assert over_time(memory) == "335555555"
    memory.supersede(offer.id, offer, valid_until=utc(2034))
    assert over_time(memory) == "333333555"
    memory.add(offer, valid_until=utc(2029))
    assert over_time(memory) == "355555555"
    memory.forget(offer.id)
    assert over_time(memory) == "555555555" and ids(memory) == [always.id] and sound(memory)


def test_the_same_at_another_time_gives_nothing_back(memory: EditMemory) -> None:
    memory.add(price(5), valid_from=utc(2031))
    memory.add(price(3), valid_from=utc(2031), valid_until=utc(2032))
    memory.add(price(3), valid_until=utc(2029))
    assert over_time(memory) == "3--355555"


def test_what_came_before_stays_what_it_was(memory: EditMemory) -> None:
    memory.add(price(4))
    memory.add(price(5), valid_from=utc(2030))
    memory.add(price(3), valid_from=utc(2030), valid_until=utc(2032))
    assert over_time(memory) == "443355555"
    memory.forget(price(3).id)
    assert over_time(memory) == "445555555"


def test_a_statement_that_corrects_an_offer_for_good_leaves_no_piece(memory: EditMemory) -> None:
    always = memory.add(said(5)).record
    first = memory.add(said(3), valid_until=utc(2030), replaces=[always.id]).record
    memory.add(said(2), valid_from=utc(2032), valid_until=utc(2033), replaces=[always.id])
    assert over_time(memory) == "335525555"
    memory.add(said(7), replaces=[first.id])
    assert {r.edit for r in memory.records()} == {said(2), said(7)}


def test_refitting_leaves_the_pieces(memory: EditMemory) -> None:
    memory.add(price(5))
    memory.add(price(3), valid_until=utc(2032))
    memory.forget_to_refit([], [price(3).id])
    assert over_time(memory) == "----55555"
    memory.add(price(3), valid_until=utc(2032))
    assert over_time(memory) == "333355555"


def test_taking_an_offer_back_needs_no_encoder(tmp_path: Path) -> None:
    with EditMemory(tmp_path, ENCODER) as memory:
        memory.add(price(5))
        memory.add(price(3), valid_until=utc(2032))
    with EditMemory(tmp_path) as again:
        again.forget(price(3).id)
        assert over_time(again) == "555555555"
        assert again._store.encoding._encoder is None


def test_what_was_in_force_before_a_price_that_is_in_force_again(memory: EditMemory) -> None:
    always = memory.add(said(5)).record
    memory.add(said(3), valid_until=utc(2030), replaces=[always.id])
    again = memory.get(always.id)
    then = memory.before(again, utc(2031))
    assert then is not None and then.edit == said(3)


def test_what_was_in_force_since_it_was_first_told(memory: EditMemory) -> None:
    told = memory.add(price(5)).record
    first = memory.history()[0].at
    memory.add(price(3), valid_from=utc(2030))
    newest = memory.add(price(7)).record  # replaces both, for good
    then = memory.then(newest, first)
    assert then.edit == told.edit


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_an_edit_took_of_longer_ones_is_theirs_again(data: st.DataObject) -> None:
    years = st.none() | st.integers(2028, 2036)
    with EditMemory(None, ENCODER) as memory:
        for _ in range(data.draw(st.integers(1, 5))):
            add(memory, data.draw(st.integers(1, 4)), data.draw(years), data.draw(years))
        before = [holding(memory, utc(year, 6)) for year in YEARS]
        end = data.draw(st.integers(2028, 2036))
        made = add(memory, 9, data.draw(years), end)
        if made is None:
            return
        memory.forget(made.id)
        for old, year in zip(before, YEARS, strict=True):
            now = holding(memory, utc(year, 6))
            outlasts = old and (old.valid_until is None or old.valid_until > utc(end))
            if old is not None and (outlasts or not made.holds_at(utc(year, 6))):
                assert now is not None and now.edit.target_new == old.edit.target_new
        assert len(set(ids(memory))) == len(memory) and sound(memory)


def add(memory: EditMemory, euros: int, start: int | None, end: int | None) -> Record | None:
    """The record that was added; None: it would begin after its end."""
    if start is not None and end is not None and start >= end:
        return None
    since, until = (None if year is None else utc(year) for year in (start, end))
    return memory.add(price(euros), valid_from=since, valid_until=until).record


def test_in_postgresql_and_in_a_copy_of_it(pg: Cluster) -> None:
    url = pg.memory()
    with EditMemory(url, ENCODER) as memory, EditMemory(url, ENCODER) as other:
        memory.add(price(5))
        memory.add(price(3), valid_until=utc(2032))
        assert other.wait_for(memory.version, LONG) and over_time(other) == "333355555"
        other.supersede(price(3).id, price(3), valid_until=utc(2030))
        assert memory.wait_for(other.version, LONG) and over_time(memory) == "335555555"
        memory.forget(price(3).id)
        assert other.wait_for(memory.version, LONG) and over_time(other) == "555555555"
        assert other.digest() == memory.digest() and sound(other)


def test_a_preview_tells_it_and_changes_nothing(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    memory.add(price(3), valid_until=utc(2032))
    (told,) = memory.preview([price(3)], valid_until=utc(2030))
    assert told.status == "added" and [r.edit for r in told.superseded] == [price(3)]
    assert over_time(memory) == "333355555" and memory.get(always.id).valid_from == utc(2032)


def test_two_offers_in_turn_may_be_forgotten_in_any_order(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    first = memory.add(price(3), valid_from=utc(2030), valid_until=utc(2031))
    memory.add(price(2), valid_from=utc(2031), valid_until=utc(2032))
    memory.forget(first.id)
    assert over_time(memory) == "555255555" and sound(memory)
    memory.forget(price(2).id)
    assert over_time(memory) == "555555555" and ids(memory) == [always.id] and sound(memory)


def test_a_part_of_an_offer_that_is_forgotten_leaves_what_was(memory: EditMemory) -> None:
    memory.add(price(5))
    offer = memory.add(price(3), valid_until=utc(2034))
    memory.add(price(2), valid_from=utc(2030), valid_until=utc(2031))  # within the offer
    assert over_time(memory) == "332333555"
    memory.supersede(offer.id, price(3), valid_until=utc(2029))
    assert over_time(memory) == "352333555"
    memory.forget(offer.id)
    assert over_time(memory) == "552333555" and sound(memory)


def test_what_was_told_of_that_time_meanwhile_stays_alone(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    offer = memory.add(said(3), valid_until=utc(2032), replaces=[always.id])
    memory.add(price(2), valid_from=utc(2029), valid_until=utc(2030))
    memory.forget(offer.id)
    assert over_time(memory) == "525555555" and sound(memory)
    memory.forget(price(2).id)
    assert over_time(memory) == "5-5555555"  # it took nobody's time


@pytest.mark.parametrize("euros", [5, 6])
def test_a_price_that_is_corrected_while_an_offer_runs_gets_the_time_back(
    memory: EditMemory, euros: int
) -> None:
    always = memory.add(price(5)).record
    offer = memory.add(price(3), valid_until=utc(2032))
    after = memory.get(always.id)
    if euros == 5:
        memory.report(after.id, "What is it for students?", concerns=True)
    else:
        memory.supersede(after.id, price(6), valid_from=after.valid_from)
    told = memory.history()[-1].at
    memory.forget(offer.id)
    assert over_time(memory) == str(euros) * 9 and sound(memory)
    (record,) = memory.records()
    newest = memory.add(price(7)).record
    (before,) = memory._store.replaced(newest)
    assert before.record == record and before.added == told


def test_who_takes_out_a_part_of_a_price_does_not_mean_the_other(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    memory.add(price(3), valid_from=utc(2030), valid_until=utc(2031))
    memory.supersede(always.id, price(5), valid_until=utc(2031))
    memory.forget(always.id)
    assert over_time(memory) == "---555555"


def cut(memory: EditMemory) -> tuple[Record, Record, Record]:
    """A price in two pieces and a coming offer between: (before, offer, after)."""
    first = memory.add(price(5)).record
    offer = memory.add(price(3), valid_from=utc(2030), valid_until=utc(2032)).record
    (after,) = (r for r in memory.records() if r.valid_from == utc(2032))
    return memory.get(first.id), offer, after


@pytest.mark.parametrize("of", ["before", "after"])
def test_what_a_fact_says_is_changed_in_every_piece(memory: EditMemory, of: str) -> None:
    before, offer, after = cut(memory)
    piece = before if of == "before" else after
    start, end = piece.valid_from, piece.valid_until
    made = memory.supersede(piece.id, price(6), valid_from=start, valid_until=end)
    assert over_time(memory) == "663366666" and sound(memory)
    assert {r.id for r in made.superseded} == {before.id, after.id}
    other = next(r for r in memory.records() if r.edit.target_new == "6 euros" and r != made.record)
    assert made.id == price(6).id and other.id == f"{made.id}~{other.sequence}"
    memory.forget(offer.id)
    assert over_time(memory) == "666666666" and ids(memory) == [made.id] and sound(memory)
    memory.restore(made.version)
    assert over_time(memory) == "663366666"


def test_what_a_piece_learns_every_piece_knows_under_its_own_name(memory: EditMemory) -> None:
    before, offer, after = cut(memory)
    memory.report(after.id, "What is it for students?", concerns=True)
    for id in (before.id, after.id):
        assert memory.get(id).edit.queries == ("What is it for students?",)
    memory.forget(offer.id)
    assert over_time(memory) == "555555555" and ids(memory) == [before.id] and sound(memory)


def test_a_purge_takes_a_piece_that_was_taught_too(memory: EditMemory) -> None:
    before, _, after = cut(memory)
    memory.report(after.id, "What is it for students?", concerns=True)
    memory.purge(before.id)
    assert over_time(memory) == "--33-----" and sound(memory)


def test_a_correction_that_names_a_piece_reaches_every_piece(memory: EditMemory) -> None:
    before, offer, _ = cut(memory)
    memory.add(said(6), valid_until=before.valid_until, replaces=[before.id])  # as feedback does
    assert over_time(memory) == "663366666" and sound(memory)
    memory.forget(offer.id)
    assert over_time(memory) == "666666666" and len(memory) == 1


def test_from_a_day_on_a_fact_says_something_else(memory: EditMemory) -> None:
    before, _, after = cut(memory)
    memory.supersede(after.id, price(6), valid_from=utc(2034))
    assert over_time(memory) == "553355666"
    memory.restore(2)
    memory.supersede(before.id, price(6), valid_from=utc(2029), valid_until=utc(2030))
    assert over_time(memory) == "563366666" and sound(memory)


def test_what_a_piece_says_and_its_end_are_not_changed_at_once(memory: EditMemory) -> None:
    before, _, _ = cut(memory)
    version = memory.version
    with pytest.raises(InvalidEditError, match="several pieces"):
        memory.supersede(before.id, price(6), valid_until=utc(2029))
    assert memory.version == version and over_time(memory) == "553355555"
    memory.supersede(before.id, price(5), valid_until=utc(2029))  # its end alone
    assert over_time(memory) == "5-3355555"
    memory.supersede(before.id, price(6))  # always: nothing of the old is left
    assert over_time(memory) == "666666666"


def test_another_source_alone_is_a_change(memory: EditMemory) -> None:
    before, _, after = cut(memory)
    made = memory.supersede(before.id, price(5), source="list", valid_until=before.valid_until)
    assert made.status == "added" and over_time(memory) == "553355555"
    assert memory.get(before.id).source == memory.get(after.id).source == "list"
    again = memory.supersede(before.id, price(5), source="list", valid_until=before.valid_until)
    assert again.status == "duplicate"


def test_several_are_forgotten_at_once_or_none(memory: EditMemory) -> None:
    memory.add(price(5))
    offer = memory.add(price(3), valid_until=utc(2034)).record
    inner = memory.add(price(2), valid_from=utc(2030), valid_until=utc(2031)).record
    (rest,) = (r for r in memory.records() if r.valid_from == utc(2031))
    version = memory.version
    with pytest.raises(UnknownEditError, match="nothing"):
        memory.forget_many([inner.id, "nothing"])
    assert memory.version == version and over_time(memory) == "332333555"
    # One by one the first would give its time to both pieces of the offer, as one of one name.
    with pytest.raises(InvalidInputError, match="must be a list"):
        memory.forget_many(inner.id)
    gone = memory.forget_many([inner.id, rest.id, inner.id])
    assert gone == [inner, rest] and memory.version == version + 1
    assert over_time(memory) == "333555555" and sound(memory)
    memory.restore(version)
    memory.forget_many([offer.id, inner.id])
    assert over_time(memory) == "553333555" and sound(memory)


def test_what_was_told_to_come_and_is_taken_back(memory: EditMemory) -> None:
    memory.add(price(5))
    coming = memory.add(price(7), valid_from=utc(2030)).record
    last = memory.add(price(8), valid_from=utc(2034)).record
    assert over_time(memory) == "557777888"
    memory.forget(coming.id)
    assert over_time(memory) == "555555888"
    memory.forget(last.id)
    assert over_time(memory) == "555555555" and ids(memory) == [price(5).id] and sound(memory)


def test_an_offer_that_ends_with_the_price_leaves_its_time(memory: EditMemory) -> None:
    memory.add(price(5), valid_until=utc(2034))
    offer = memory.add(price(3), valid_from=utc(2030), valid_until=utc(2034)).record
    memory.forget(offer.id)
    assert over_time(memory) == "555555---" and len(memory) == 1


def test_what_ends_is_not_followed_by_what_it_replaced_for_good(memory: EditMemory) -> None:
    memory.add(price(5))
    newer = memory.add(price(7), valid_from=utc(2030)).record
    memory.supersede(newer.id, price(7), valid_from=utc(2030), valid_until=utc(2033))
    assert over_time(memory) == "55777----"


def test_an_offer_begins_later(memory: EditMemory) -> None:
    memory.add(price(5))
    offer = memory.add(price(3), valid_from=utc(2030), valid_until=utc(2034)).record
    memory.supersede(offer.id, price(3), valid_from=utc(2032), valid_until=utc(2034))
    assert over_time(memory) == "555533555" and len(memory) == 3 and sound(memory)


def test_the_price_becomes_what_an_offer_said(memory: EditMemory) -> None:
    always = memory.add(price(5)).record
    memory.add(price(3), valid_until=utc(2032))
    memory.supersede(always.id, price(3))
    assert over_time(memory) == "333333333" and len(memory) == 1


def test_a_name_may_be_that_of_another_fact_now(memory: EditMemory) -> None:
    memory.add(replace(price(5), id="shipping"))
    receipt = memory.add(replace(price(3), id="shipping"))
    assert receipt.status == "added" and [r.edit for r in memory.records()] == [receipt.record.edit]


@pytest.mark.parametrize("of", ["id", "subject"])
def test_a_purge_gives_back_what_a_forget_does(memory: EditMemory, of: str) -> None:
    always = memory.add(said(5)).record
    offer = memory.add(price(3), valid_until=utc(2032), replaces=[always.id]).record
    version = memory.version
    made = memory.purge(offer.id) if of == "id" else memory.purge(subject="shipping")
    assert made.complete and len(made.records) == 1 and memory.version == version + 1
    assert over_time(memory) == "555555555" and ids(memory) == [always.id] and sound(memory)
    memory.restore(version)
    assert over_time(memory) == "555555555"  # as if it had been purged then
    assert memory.count_purged(version) == 1 and memory.count_purged(1) == 0
    assert memory.count_purged(version, namespace="other") == 0


@pytest.mark.parametrize("gone", [False, True])
def test_a_purge_by_the_id_of_a_piece_takes_the_whole_fact(memory: EditMemory, gone: bool) -> None:
    memory.add(price(9))
    memory.add(price(5), valid_from=utc(2032), valid_until=utc(2034))
    piece = next(record for record in memory.records() if "~" in record.id)
    first = memory.get(piece.id.partition("~")[0])
    assert first.edit == replace(piece.edit, id=first.id)
    if gone:
        memory.forget(first.id)
    assert memory.purge(piece.id).complete
    assert [r.edit.target_new for r in memory.records()] == [price(5).target_new]
    assert not any(str(price(9).target_new) in repr(event) for event in memory.history(None))
