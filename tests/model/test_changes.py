"""What a user meets when facts change: with the shipped scope, without a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from memedit.core.moments import UTC
from memedit.core.types import Edit, Record
from memedit.memory import EditMemory, Receipt
from memedit.model.correcting import find_corrections, find_start, make_options
from memedit.model.deciding import Decider
from memedit.model.denying import says_only_end
from tests.helpers import packaged_encoder


class Desk:
    """A memory that is told and asked as people do."""

    def __init__(self) -> None:
        self.memory = EditMemory(None, packaged_encoder())
        self.decider = Decider(self.memory)

    def tell(self, fact: str | Edit, **dates: Any) -> Receipt:
        edit = stated(fact)
        start = find_start(self.memory, dates.get("valid_from"))
        found = find_corrections(self.decider, edit, "default", start)
        options = make_options(found, self.memory, dates.get("valid_until"))
        return self.memory.add(edit, **dates | options)

    def ask(self, question: str, as_of: str | None = None) -> list[str]:
        """What bears on a question."""
        (decision,) = self.decider.decide([question], "default", as_of)
        return texts([hit.record for hit in decision.bearing])


def stated(fact: str | Edit) -> Edit:
    return Edit.from_statement(fact) if isinstance(fact, str) else fact


def texts(records: Sequence[Record]) -> list[str]:
    return [record.edit.statement for record in records]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.memory.close()


@pytest.mark.parametrize(("old", "new"), [
    ("Ada has left the board.", "The board no longer includes Ada."),
    ("The night bus has been discontinued.", "The night bus no longer runs."),
    ("We no longer accept cheques.", "Cheques are not accepted any more."),
])  # fmt: skip
def test_what_says_that_something_ended_retires_nothing_that_says_so(
    desk: Desk, old: str, new: str
) -> None:
    desk.tell(old)
    receipt = desk.tell(new)
    assert texts(receipt.superseded) == texts(receipt.conflicts) == []


def test_what_is_there_again_retires_what_said_that_it_ended(desk: Desk) -> None:
    desk.tell("Ada has left the board.")
    assert texts(desk.tell("Ada is on the board again.").superseded) == ["Ada has left the board."]


@pytest.mark.parametrize(("text", "only"), [
    ("Ada left the board.", True),
    ("The lift is not in service any more.", True),
    ("The desk is no longer in hall 3 but in hall 4.", False),
    ("The desk no longer costs 3 euros.", False),
    ("Ada is on the board.", False),
])  # fmt: skip
def test_what_goes_on_to_what_is_says_more_than_the_end(text: str, only: bool) -> None:
    assert says_only_end(text) is only


BOSS = Edit("The CEO of Acme is", "Ada", "Acme")


@pytest.mark.parametrize(("old", "new", "question"), [
    (BOSS, Edit("Acme's CEO is", "Bo", "Acme"), "Who is the CEO of Acme?"),
    (BOSS, "Acme's CEO is Bo.", "Who is the CEO of Acme?"),
    ("Parcels are sent within 3 days.", "It takes 5 days until a parcel leaves us.",
     "How long until a parcel is sent?"),
])  # fmt: skip
def test_of_two_that_nobody_compared_the_newer_answers(
    desk: Desk, old: str | Edit, new: str | Edit, question: str
) -> None:
    """As from a file, or by two processes at the same moment: both are in force."""
    one, two = desk.memory.add_many([stated(old), stated(new)])
    assert not two.superseded and desk.memory.count("default") == 2
    assert desk.ask(question) == [two.record.edit.statement]
    # What is forgotten hides nothing.
    desk.memory.forget(two.id)
    assert desk.ask(question) == [one.record.edit.statement]


def test_what_holds_side_by_side_is_seen_together(desk: Desk) -> None:
    both = ["Standard delivery takes 5 days.", "Express delivery takes 2 days."]
    desk.memory.add_many([*map(stated, both)])
    question = "How long do standard and express delivery take?"
    assert sorted(desk.ask(question)) == sorted(both)


CLOSED = "We are closed from 24 December to 2 January."


def test_a_day_of_what_an_edit_names_is_found(desk: Desk) -> None:
    """The fault: "Can I come by on Boxing Day?" found no closure over Christmas."""
    desk.tell(CLOSED)
    desk.tell("Our refund window is 30 days.")
    for question in (
        "Are you open on the 27th?", "Can I come by on Boxing Day?", "Are you open on 27 December?",
        "Are you open on Christmas Day?", "Is anyone there on New Year's Eve?",
        "Can I come by on 2 January 2027?",
    ):  # fmt: skip
        assert desk.ask(question, "2026-11-29") == [CLOSED], question
    assert desk.ask("Can I come by?", "2026-12-28") == [CLOSED]
    assert desk.ask("Can I come by on the 4th?", "2026-12-28") == []


@pytest.mark.parametrize(("fact", "question"), [
    ("Parking is free now.", "How much is parking?"),
    ("Delivery is now free of charge.", "What does delivery cost?"),
    ("Breakfast is included.", "How much is breakfast?"),
    ("Breakfast costs 12 euros.", "Is breakfast included?"),
    ("There is no setup fee any more.", "How much is the setup fee?"),
    ("Sorry, I meant the meeting is on Wednesday at 10.", "When is the meeting?"),
])  # fmt: skip
def test_what_has_changed_is_found(desk: Desk, fact: str, question: str) -> None:
    desk.tell(fact)
    assert desk.ask(question) == [fact]


@pytest.mark.parametrize(("old", "new"), [
    ("Shipping to Austria costs 8 euros.", "Shipping to Austria is free from 50 euros."),
    ("Ada is the contact for press questions.",
     "While Ada is away, Bo is the contact for press questions."),
    ("The menu has pizza and pasta.", "Pasta is off the menu."),
])  # fmt: skip
def test_what_holds_in_some_cases_leaves_the_rule(desk: Desk, old: str, new: str) -> None:
    desk.tell(old)
    assert desk.tell(new).superseded == ()


def test_of_two_that_hold_side_by_side_the_one_that_is_named_is_replaced(desk: Desk) -> None:
    plans = [f"The {name} plan costs {n} euros a month." for name, n in (("Basic", 9), ("Pro", 19))]
    for plan in plans:
        desk.tell(plan)
    receipt = desk.tell("We have raised the price of the Basic plan to 11 euros a month.")
    assert texts(receipt.superseded) == plans[:1]


def test_who_takes_it_back_replaces_it(desk: Desk) -> None:
    desk.tell("The meeting is on Tuesday at 10.")
    receipt = desk.tell("Sorry, I meant the meeting is on Wednesday at 10.")
    assert texts(receipt.superseded) == ["The meeting is on Tuesday at 10."]


@pytest.mark.parametrize(("old", "new"), [
    ("Parking costs 3 euros.", "Is parking free?"),
    ("Parking costs 3 euros.", "Parking is free, isn't it?"),
    ("Parking costs 3 euros.", "It is not true that parking is free."),
    ("Parking costs 3 euros.", "Parking is not free."),
    ("The deadline is 3 May.", "The deadline has been moved from 3 May to 5 May?"),
    ("We open at 9.", "We open at 10 on Sundays."),
    ("We open at 9.", "We open at 10 abroad."),
    ("The sauna is open on Mondays.", "The sauna is open on Tuesdays."),
    ("Our hotline is 0800 1.", "Our emergency hotline is 0800 2."),
    ("Ada's phone number is 123.", "Ada's mobile number is 456."),
])  # fmt: skip
def test_what_is_asked_or_holds_beside_it_neither_retires_nor_hides(
    desk: Desk, old: str, new: str
) -> None:
    receipt = desk.tell(old)
    assert desk.tell(new).superseded == ()
    assert not desk.decider._find_outdated([receipt.record], [*desk.memory.records()][-1])


@pytest.mark.parametrize(("old", "new"), [
    ("The head of HR is Ada Byron.", "HR is led by Bo Lind."),
    ("The mast is 40 metres high.", "The height of the mast is 42 metres."),
    ("My physiotherapist is Anna Kern.", "My new physiotherapist is Jo Blum."),
    ("The choir is led by Ines Roth.", "Who leads the choir? Marta Holm."),
    ("Who leads the choir? Marta Holm.", "The choir is led by Ines Roth."),
    ("Applications are due on 1 March.",
     "The deadline for applications is the end of April, so apply by 30 April."),
    ("The practice is in Elm Street.", "You will find the practice in Bridge Lane."),
    ("The season runs from April to October.", "We now run the season from May to November."),
    ("Vera takes 75 micrograms of levothyroxine.",
     "Vera's levothyroxine was raised to 100 micrograms."),
    ("Payroll is handled by Numeris.", "We have switched payroll from Numeris to PayFold."),
    ("The bikes are kept in the cellar.", "The bikes are kept in the shed, not in the cellar."),
    ("Emma lives in Graz.", "Emma has moved to Linz."),
    ("Delivery takes three days.", "Delivery is now same-day."),
    ("Milk is in the fridge.", "Milk is in the cellar, no longer in the fridge."),
])  # fmt: skip
def test_another_value_in_other_words_replaces(desk: Desk, old: str, new: str) -> None:
    desk.tell(old)
    assert texts(desk.tell(new).superseded) == [old]


@pytest.mark.parametrize(("old", "new"), [
    ("The bus from the harbour to the market leaves every 30 minutes.",
     "The bus from the market to the harbour leaves every 20 minutes."),
    ("The bus to Halm costs 3 euros.", "Is the bus to Halm free? I think so."),
    ("Deliveries go to gate 4.", "Deliveries go to gate 6 until 3 May."),
    ("The season runs from April to October.",
     "The season ran from May to November under the old licence."),
    ("Breakfast at the inn costs 12 pounds.", "Breakfast in bed at the inn costs 17 pounds."),
    ("The engine of the tractor is from Perkins.", "The tractor is from Massey Ferguson."),
    ("I wear size 42 shoes.", "I no longer wear leather shoes."),
    ("Night buses leave from the opera.", "Night buses now have guards."),
    ("Breakfast is served from 7 am.", "Breakfast now includes eggs."),
    ("The bus leaves at 8.", "The bus has been late since Monday."),
    ("Marta is chair of the club.", "Marta stepped down as treasurer."),
    ("Ada works on Mondays and Tuesdays.", "Ada no longer works on Mondays."),
    ("Trains to Lyon leave from platform 3.",
     "Trains to Graz leave from platform 5, not from platform 3."),
    ("Coffee is in the kitchen.", "Tea is in the hall instead of the kitchen."),
    ("Bikes are kept in the cellar.", "E-bikes are kept in the shed, not in the cellar."),
    ("Sundays we open at 10.", "Mondays we no longer open at 10."),
    ("Guests park behind the house.",
     "Staff now park in the street instead of behind the house."),
    ("The office is in Elm Street.", "The entrance of the office has moved to the back."),
    ("Lunch is at noon.", "Lunch is now free."),
    ("Emma lives in Graz.", "Emma has moved to a new flat in Graz."),
    ("Bo drives the van.", "Bo drives the truck, not the bus."),
])  # fmt: skip
def test_what_holds_beside_it_or_at_another_time_replaces_nothing(
    desk: Desk, old: str, new: str
) -> None:
    desk.tell(old)
    assert desk.tell(new).superseded == ()


@pytest.mark.parametrize(("fact", "question"), [
    ("We have moved to Park Lane 9.", "Where is your office?"),
    ("We have moved to Park Lane 9.", "Hi, where are you located now?"),
    ("We have moved to Park Lane 9.", "What is your address?"),
    ("Our shop moved to Graz in May.", "Where is the shop?"),
    ("The city library has been relocated to the town hall.", "Where can I find the library?"),
    ("Acme has moved to Lyon.", "What is Acme's address?"),
])  # fmt: skip
def test_what_moved_is_where_it_moved_to(desk: Desk, fact: str, question: str) -> None:
    for other in ("The canteen opens at 9.", "Parking costs 3 euros.", fact):
        desk.tell(other)
    assert desk.ask(question) == [fact]
    assert desk.ask("Where is the toilet?") == []


@pytest.mark.parametrize("new", [
    "From tomorrow the fee is 60 euros.", "As of tomorrow, the fee will be 60 euros.",
    "The fee is 60 euros from tomorrow.", "Starting tomorrow the fee is 60 euros.",
])  # fmt: skip
def test_a_correction_that_names_its_first_day_begins_on_it(desk: Desk, new: str) -> None:
    """The fault: both held at once, and were told to contradict each other."""
    old = desk.tell("The fee is 50 euros.").record
    receipt = desk.tell(new)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = today + timedelta(days=1)
    assert texts(receipt.superseded) == [old.edit.prompt] and receipt.conflicts == ()
    assert receipt.record.valid_from == tomorrow and receipt.open_start == ""
    assert desk.ask("What is the fee?") == [old.edit.prompt]
    assert desk.ask("What is the fee?", (tomorrow + timedelta(days=1)).date().isoformat()) == [new]
    desk.memory.forget(receipt.id)
    assert desk.memory.get(old.id).valid_until is None


@pytest.mark.parametrize("named", ["%A", "%-d %B", "%-d %B %Y", "%Y-%m-%d"])
@pytest.mark.parametrize("form", [
    "As of {} the fee is 60 euros.", "The fee is 60 euros from {}.",
    "Starting {}, the fee will be 60 euros.",
])  # fmt: skip
def test_what_begins_today_begins_with_the_day(desk: Desk, form: str, named: str) -> None:
    """The fault: on a Monday "As of Monday the fee is 60 euros." replaced nothing, and a date with
    a year was not even told."""
    old = desk.tell("The fee is 50 euros.").record
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    receipt = desk.tell(form.format(today.strftime(named)))
    assert texts(receipt.superseded) == [old.edit.prompt] and receipt.conflicts == ()
    assert receipt.record.valid_from == today and receipt.open_start == ""
    assert desk.ask("What is the fee?") == [receipt.record.edit.prompt]
    yesterday = (today - timedelta(days=1)).date().isoformat()
    assert desk.ask("What is the fee?", yesterday) == [old.edit.prompt]


def test_what_begins_today_is_compared_with_what_holds_now(desk: Desk) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=2)
    old = desk.tell("The fee is 50 euros.", valid_from=moment.isoformat()).record
    receipt = desk.tell(f"As of {datetime.now(UTC):%A} the fee is 60 euros.")
    assert texts(receipt.superseded) == [old.edit.prompt]


def test_today_is_the_day_of_the_memorys_zone(desk: Desk) -> None:
    now = datetime.now(UTC)
    # Where it is another day than in UTC.
    desk.memory.set_zone("Pacific/Kiritimati" if now.hour >= 10 else "Pacific/Pago_Pago")
    here = now.astimezone(desk.memory.zone)
    assert here.date() != now.date()
    alone = desk.tell(f"As of {here:%A} lockers cost 2 euros.")
    assert (alone.record.valid_from, alone.open_start) == (None, "")
    desk.tell("The fee is 50 euros.")
    receipt = desk.tell(f"As of {here:%A} the fee is 60 euros.")
    assert texts(receipt.superseded) == ["The fee is 50 euros."]
    assert receipt.record.valid_from == here.replace(hour=0, minute=0, second=0, microsecond=0)
    (many,) = desk.memory.add_many([stated(f"As of {here:%A} towels cost 1 euro.")])
    assert many.open_start == ""
    ahead = here + timedelta(days=1)
    told = desk.tell(f"As of {ahead:%A} saunas cost 9 euros.")
    assert told.open_start == f"As of {ahead:%A}"


def test_a_first_day_that_is_given_is_the_one_that_counts(desk: Desk) -> None:
    desk.tell("The fee is 50 euros.")
    receipt = desk.tell("From tomorrow the fee is 60 euros.", valid_from="2091-01-01")
    assert texts(receipt.superseded) == ["The fee is 50 euros."]
    assert receipt.record.valid_from == datetime(2091, 1, 1, tzinfo=UTC)


def test_what_ends_before_it_begins_replaces_nothing(desk: Desk) -> None:
    desk.tell("The fee is 50 euros.")
    today = datetime.now(UTC).date().isoformat()
    receipt = desk.tell("From tomorrow the fee is 60 euros.", valid_until=today)
    assert receipt.superseded == () and receipt.record.valid_from is None


@pytest.mark.parametrize(("old", "new"), [
    ("The fee is 50 euros.", "From tomorrow lockers cost 2 euros."),  # nothing to replace
    ("We open at 10 from tomorrow.", "We open at 9 from tomorrow."),  # the day is what it says
    ("Lunch is at noon from 2 May 2020.", "Lunch is at one from tomorrow."),
])  # fmt: skip
def test_a_first_day_of_what_replaces_nothing_is_told(desk: Desk, old: str, new: str) -> None:
    desk.tell(old)
    receipt = desk.tell(new)
    assert receipt.record.valid_from is None and "tomorrow" in receipt.open_start


def test_what_is_to_come_hides_nothing_of_a_file(desk: Desk) -> None:
    olds = ["The fee is 50 euros.", "From tomorrow the fee is 60 euros."]
    one, two = desk.memory.add_many([*map(stated, olds)])
    assert not desk.decider._find_outdated([one.record], two.record)


def test_what_may_speak_of_a_change_is_told(desk: Desk) -> None:
    desk.tell("Invoices are paid by direct debit.")
    receipt = desk.tell("Bills are settled by bank transfer these days.")
    assert receipt.superseded == ()
    assert texts(receipt.conflicts) == ["Invoices are paid by direct debit."]
