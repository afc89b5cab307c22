"""Questions that name a time are answered from the history of what they ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from memedit.core.types import Decision, Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.scope.plain import plain_time

NOW = datetime.now(timezone.utc)


@pytest.fixture
def decider() -> Iterator[Decider]:
    with EditMemory(None, HashingEncoder(256)) as memory:
        yield Decider(memory, "mention")


def ceo(name: str) -> Edit:
    return Edit("The CEO of Acme is", name, "Acme")


def asked(decider: Decider, query: str, as_of: str | None = None) -> list[str | None]:
    return [hit.record.edit.target_new for hit in decision(decider, query, as_of).hits]


def decision(decider: Decider, query: str, as_of: str | None = None) -> Decision:
    return decider.decide([query], "default", as_of)[0]


def test_dated_facts(decider: Decider) -> None:
    memory = decider.memory
    memory.add(ceo("Ada"), valid_from="2005-01-01", valid_until="2012-06-30")
    memory.add(ceo("Bo"), valid_from="2012-07-01", valid_until="2019-12-31")
    memory.add(ceo("Cy"), valid_from="2021-01-01")
    assert asked(decider, "The CEO of Acme is") == ["Cy"]
    for words, name in (
        ("in 2010", "Ada"), ("on 30 June 2012", "Ada"), ("in 2012", "Bo"), ("before 2012", "Ada"),
        ("in 2019", "Bo"), ("after 2020", "Cy"), ("in 2003", None), ("in 2020", None),
    ):  # fmt: skip
        wanted = [] if name is None else [name]
        assert asked(decider, f"The CEO of Acme {words} is") == wanted, words
    told = decision(decider, "The CEO of Acme in 2010 is", as_of="2022-01-01")  # the question wins
    assert told.hits[0].record.edit.target_new == "Ada"
    time = plain_time(told)
    assert (
        time is not None and time["named"] == "in 2010" and time["as_of"].startswith("2010-12-31")
    )
    assert plain_time(decision(decider, "The CEO of Acme is", "2010-01-01")) is None
    assert asked(decider, "The previous CEO of Acme is") == ["Bo"]
    assert asked(decider, "The previous CEO of Acme is", "2015-01-01") == ["Ada"]


def test_a_replaced_value_stays_known_for_its_time(decider: Decider) -> None:
    memory = decider.memory
    first = memory.add(ceo("Ada")).record
    memory.add(ceo("Bo"))
    memory.add(ceo("Cy"))
    assert asked(decider, "Formerly, the CEO of Acme is") == ["Bo"]
    live = memory.get(ceo("Cy").id)
    (ada,) = [e for e in memory.history(first.id) if e.kind == "supersede"]
    (bo,) = [e for e in memory.history(ceo("Bo").id) if e.kind == "supersede"]
    instant = timedelta(microseconds=1)
    assert memory.then(live, ada.at - instant).edit.target_new == "Ada"
    assert memory.then(live, ada.at).edit.target_new == "Bo"
    assert memory.then(live, bo.at) == live
    # nobody said that it was Ada before there was anything: what holds now is all that is known
    assert memory.then(live, NOW - timedelta(days=3_650)) == live
    assert asked(decider, "The CEO of Acme in 2010 is") == ["Cy"]
    view = memory.at(2)
    assert view.then(view.get(ceo("Bo").id), ada.at - instant).edit.target_new == "Ada"
    memory.forget(live.id)
    assert asked(decider, "Formerly, the CEO of Acme is") == []


def test_a_fact_about_a_time_is_not_moved(decider: Decider) -> None:
    memory = decider.memory
    for team in ("Spain", "Netherlands"):
        memory.add(Edit("The winner in 2010 of the Gold Cup is", team, "Gold Cup"))
    memory.add(Edit("The former name of Larch is", "Pine", "Larch"))
    memory.add(Edit("The former name of Larch is", "Elm", "Larch"))
    assert asked(decider, "The winner in 2010 of the Gold Cup is") == ["Netherlands"]
    assert asked(decider, "The former name of Larch is") == ["Elm"]


def test_a_question_without_its_time_counts_only_where_the_history_reaches(
    decider: Decider,
) -> None:
    decider.memory.add(Edit("The champion of the Gold Cup is", "Ajax", "Gold Cup"))
    before = asked(decider, "Who was it, of all the teams that have ever been, in 1974?")
    assert before == []
    plain = decision(decider, "The champion of the Gold Cup is")
    assert plain.hits and plain.as_of is None and plain.named == ""


@pytest.mark.parametrize("asked_of", ["Does breakfast cost on 3 May", "On 3 May breakfast costs"])
def test_what_is_over_on_the_day_of_a_question_is_not_told(decider: Decider, asked_of: str) -> None:
    """The day has no year, and the choice would be made by the fact's words."""
    memory, today = decider.memory, "2027-04-20"
    price = Edit("Breakfast costs", "9 euros", "Breakfast")
    memory.add(price, valid_from="2027-01-01", valid_until="2027-04-30")
    assert asked(decider, f"{asked_of}?", today) == []
    assert asked(decider, asked_of.replace("3 May", "23 April"), today) == ["9 euros"]
    assert decision(decider, asked_of, today).named.casefold() == "on 3 may"
    memory.add(Edit("Breakfast costs", "12 euros", "Breakfast"), valid_from="2027-05-01")
    assert asked(decider, asked_of, today) == ["12 euros"]
    assert asked(decider, "Breakfast costs next year", today) == ["12 euros"]
    assert asked(decider, "Breakfast costs", today) == ["9 euros"]


def test_a_day_without_a_year_moves_no_fact_without_dates(decider: Decider) -> None:
    decider.memory.add(Edit("Breakfast costs", "9 euros", "Breakfast"))
    told = decision(decider, "On 3 May breakfast costs")
    assert told.hits and told.as_of is None


def test_what_is_open_until_a_day_is_asked_of_others(decider: Decider) -> None:
    memory = decider.memory
    memory.add(Edit("The fair is open until", "3 May", "fair"), valid_until="2027-05-03")
    assert asked(decider, "The fair is open on 4 May", "2027-04-20") == ["3 May"]


def test_what_only_informs_is_of_the_day_of_the_question(
    decider: Decider,
) -> None:
    """ "Is it still 9 euros on 3 May?" bears on a price and does not ask it: it decides a yes or
    no, too."""
    memory, today = decider.memory, "2027-04-20"
    price = Edit("Breakfast costs", "9 euros", "Breakfast")
    memory.add(price, valid_from="2027-01-01", valid_until="2027-04-30")

    class Informs:
        name = "informs"

        def decide(self, prompts: Any, candidates: Any) -> list[Decision]:
            return [
                Decision((), candidates=tuple(hits), informs=tuple(hits)) for hits in candidates
            ]

    decider.use(Informs(), given=True)

    def informed(query: str) -> list[str | None]:
        return [hit.record.edit.target_new for hit in decision(decider, query, today).informs]

    for day in ("3 May", "3 May 2027"):
        assert informed(f"Is breakfast still 9 euros on {day}?") == []
    assert informed("Is breakfast still 9 euros on 23 April?") == ["9 euros"]
    memory.add(Edit("Breakfast costs", "12 euros", "Breakfast"), valid_from="2027-05-01")
    for day in ("3 May", "3 May 2027"):
        assert informed(f"Is breakfast still 9 euros on {day}?") == ["12 euros"]


def test_what_only_begins_by_then_is_found(decider: Decider) -> None:
    decider.memory.add(Edit("Breakfast costs", "12 euros", "Breakfast"), valid_from="2027-05-01")
    assert asked(decider, "On 3 May breakfast costs", "2027-04-20") == ["12 euros"]
    assert asked(decider, "On 23 April breakfast costs", "2027-04-20") == []
    assert asked(decider, "Breakfast costs, on 3 May,", "2027-04-20") == ["12 euros"]
