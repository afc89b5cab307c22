"""Back to versions of which something was purged since: as if it had been purged then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memedit.core.types import Edit
from memedit.memory import EditMemory
from memedit.memory.moving import backup, restore
from tests.memory.helpers import ids, sound
from tests.memory.helpers import since_2026 as utc
from tests.memory.test_editions import NEXT, document
from tests.memory.test_pieces import ENCODER, over_time, price


@pytest.fixture
def memory() -> Iterator[EditMemory]:
    with EditMemory(None, ENCODER) as opened:
        yield opened


def texts(memory: EditMemory, as_of: str | None = None) -> list[str]:
    """The passages of the document in force at a day."""
    some = memory.documents(as_of=as_of)
    return [r.edit.prompt for d in some for r in memory.document(d.name, as_of=as_of).passages]


@pytest.mark.parametrize("where", ["ram", "folder", "postgres"])
def test_a_version_comes_back_without_a_hole_where_something_was_purged(
    where: str, request: pytest.FixtureRequest
) -> None:
    """The fault: the time that a purged offer had taken belonged to nobody."""
    places = {"folder": "tmp_path", "postgres": "pg_memory"}
    place = request.getfixturevalue(places[where]) if where in places else None
    with EditMemory(place, ENCODER) as memory:
        always = memory.add(price(5)).record
        offer = memory.add(price(3), valid_from=utc(2030), valid_until=utc(2033)).record
        sale = memory.add(price(2), valid_from=utc(2031), valid_until=utc(2032)).record
        other = memory.add(price(9), valid_until=utc(2029)).record
        assert over_time(memory) == "953235555"
        version = memory.version
        memory.purge(offer.id)
        assert over_time(memory) == "955255555"
        memory.add(price(7))
        assert over_time(memory) == "777777777"
        memory.restore(version)
        assert over_time(memory) == "955255555" and memory.count_purged(version) == 2
        memory.restore(version)
        assert over_time(memory) == "955255555" and sound(memory)
        memory.purge(sale.id)
        memory.forget(other.id)
        assert over_time(memory) == "555555555"
        memory.restore(version)
        assert over_time(memory) == "955555555" and sound(memory)
        memory.restore(1)
        assert list(memory.records()) == [always]
        memory.restore(0)
        memory.restore(version)
        assert over_time(memory) == "955555555" and sound(memory)
        assert offer.id not in ids(memory)


def test_back_after_a_purge_nothing_is_made_again_that_is_there(memory: EditMemory) -> None:
    memory.add(price(5))
    offer = memory.add(price(3), valid_until=utc(2032)).record
    memory.purge(offer.id)
    version, digest = memory.version, memory.digest()
    assert memory.restore(2) == version and memory.digest() == digest


def test_a_namespace_goes_back_without_the_others_offers(memory: EditMemory) -> None:
    for name in ("a", "b"):
        memory.add(price(5), namespace=name)
        memory.add(price(3), valid_until=utc(2032), namespace=name)
    version = memory.version
    for name in ("a", "b"):
        memory.purge(price(3).id, namespace=name)
    memory.restore(0)
    memory.restore(version, namespace="b")
    assert [(r.namespace, r.valid_from) for r in memory.records()] == [("b", None)]


def test_what_a_purged_fact_left_to_another_is_not_given_twice(memory: EditMemory) -> None:
    """An edit in other words had taken a part of the offer: it keeps that."""
    memory.add(price(5))
    offer = memory.add(price(3), valid_until=utc(2034)).record
    fee = Edit("The parcel fee is", "2 euros", "parcel")
    memory.add(fee, valid_until=utc(2031), replaces=[offer.id])
    assert over_time(memory) == "222333555"
    version = memory.version
    memory.purge(offer.id)
    wanted = over_time(memory)
    memory.restore(0)
    memory.restore(version)
    assert over_time(memory) == wanted == "222555555"


def test_ends_that_were_set_on_purpose_stay(memory: EditMemory) -> None:
    memory.add(price(5))
    offer = memory.add(price(3), valid_from=utc(2030), valid_until=utc(2031)).record
    (after,) = [r for r in memory.records() if r.valid_from == utc(2031)]
    memory.supersede(after.id, price(5), valid_from=utc(2031), valid_until=utc(2034))
    version = memory.version
    memory.purge(offer.id)
    memory.restore(0)
    memory.restore(version)
    assert over_time(memory) == "555555---"


def test_what_had_been_replaced_entirely_is_told(memory: EditMemory) -> None:
    first = memory.add(price(5)).record
    second = memory.add(price(3)).record
    memory.add(price(2), valid_until=utc(2031))
    memory.add(price(4), namespace="other")
    version = memory.version
    memory.purge(second.id)
    memory.purge(price(2).id)
    memory.restore(version)
    assert [r.namespace for r in memory.records()] == ["other"]
    assert memory.find_unanswered(version) == [first]
    assert memory.find_unanswered(version, namespace="other") == memory.find_unanswered(1) == []
    memory.add(price(5))
    assert memory.find_unanswered(version) == [] and sound(memory)


def test_an_older_backup_comes_back_without_a_hole(tmp_path: Path) -> None:
    folder, kept = tmp_path / "memory", tmp_path / "kept"
    with EditMemory(folder, ENCODER) as memory:
        memory.add(price(5))
        offer = memory.add(price(3), valid_until=utc(2032)).record
        backup(folder, kept)
        memory.purge(offer.id)
    assert restore(kept, folder, replace=True).purged == 1
    with EditMemory(folder, ENCODER) as memory:
        assert over_time(memory) == "555555555" and sound(memory)
        assert memory.finish_purge() is None


@pytest.mark.parametrize("whole", [True, False])
def test_a_documents_passages_come_back_as_they_would_have_been_left(
    memory: EditMemory, whole: bool
) -> None:
    """A version of a document leaves nothing, and takes nothing of what others say."""
    memory.add(price(5))
    memory.put_document(document("Days: 28.", "Sick: call."))
    memory.put_document(document("Days: 30.", "Sick: call."), valid_from=NEXT)
    memory.add(price(3), valid_until=utc(2032))
    version, first = memory.version, ["Days: 28.", "Sick: call."]
    assert (texts(memory), texts(memory, NEXT)) == (first, ["Days: 30.", "Sick: call."])
    (days,) = [r.id for r in memory.records() if r.edit.prompt == "Days: 30."]
    memory.purge(price(3).id)
    if whole:
        memory.purge(document="leave")
    else:
        memory.purge(days)
    left = ([], []) if whole else (first, ["Sick: call."])
    for back in (version, 0, version):
        assert memory.restore(back) and sound(memory)
        if back:
            assert (texts(memory), texts(memory, NEXT)) == left
            prices = [r for r in memory.records() if r.edit.subject == "shipping"]
            assert [(r.edit, r.valid_from, r.valid_until) for r in prices] == [
                (price(5), None, None)
            ]
