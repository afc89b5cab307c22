"""What bears on nothing as a whole is read again: in parts, spelt anew, in the house's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from memedit.core.passages import Conversation
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model import deciding
from memedit.model.deciding import Decider
from memedit.model.ellipsis import fill_in
from memedit.model.house import (
    House,
    put_in_house_name,
    put_names_for_it,
    read_end_in_house_name,
    respell,
)
from memedit.model.rereading import drop_now, read_again

EDITS = (
    Edit("The free plan of Nordlicht allows up to", "25 projects", "free plan"),
    Edit("The base URL of the Nordlicht API is", "https://n.example/v3", "Nordlicht API"),
    Edit("The CTO of Nordlicht is", "Ada Byron", "Nordlicht"),
    Edit("The CFO of Nordlicht is", "Bo Lind", "Nordlicht"),
    Edit("The price of standard delivery is", "€4", "standard delivery"),
    Edit.from_statement("Our refund window is 45 days."),
)
KNOWN = frozenset("does cost what the price of a house delivery standard is your free plan".split())
HOUSE = House.of([Record(edit, n, n) for n, edit in enumerate(EDITS)], KNOWN)


def test_a_house_has_the_name_that_most_edits_name() -> None:
    assert HOUSE.name == "Nordlicht"
    assert House.of([Record(edit, n, n) for n, edit in enumerate(EDITS[3:])]).name == ""
    assert House.of([]).name == ""
    ward = [Edit(f"The {what} on Ward 7B is", "Ada") for what in ("manager", "porter", "deputy")]
    assert House.of([Record(edit, n, n) for n, edit in enumerate(ward)]).name == "Ward 7B"


@pytest.mark.parametrize(("turn", "read"), [
    ("What is the base URL of your API?", "What is the base URL of your API at Nordlicht?"),
    ("How many projects does the free plan allow?",
     "How many projects does the free plan allow at Nordlicht?"),
    ("What is the base URL of the Nordlicht API?", ""),  # it is named
    ("How many projects does the free plan of Acme allow?", ""),  # somebody else's
    ("Why is there a fee on my statement?", ""),  # nothing of an edit's
    ("A base URL of an API", ""),  # asks nothing
])  # fmt: skip
def test_in_the_house(turn: str, read: str) -> None:
    assert put_in_house_name(turn, HOUSE) == read


@pytest.mark.parametrize(("turn", "said", "read"), [
    ("and what would that set me back?", "There is the API of Nordlicht, too.",
     ("and what would the API set me back?",)),
    ("who is it?", "We have a CTO and a CFO.", ("who is CTO?", "who is CFO?")),
    ("and what would that set me back?", "There is Nordlicht.", ()),  # the assistant's own
    ("and what would that set me back?", "There is the Moorcard.", ()),  # of which no edit tells
    ("and what would Acme set me back?", "There is the API.", ()),  # it names its thing
    ("is it raining?", "There is the API.", ()),
    ("I think that we are done, what else?", "There is the API.", ()),
    ("that is " + "long " * 30, "There is the API.", ()),
])  # fmt: skip
def test_what_a_reply_names_stands_for_it(turn: str, said: str, read: tuple[str, ...]) -> None:
    earlier = f"Do you have anything?\n{said}"
    assert put_names_for_it(turn, earlier, HOUSE) == read
    assert read_again(Conversation(earlier, turn), Decision(), HOUSE).named == read
    assert read_again(turn, Decision(), HOUSE).named == ()  # nothing was said before


@pytest.mark.parametrize(("text", "read"), [
    ("# Getting started\n1. Sign in.\n2. Make a key. The base URL is `",
     "Nordlicht: The base URL is `"),
    ("# Start\n1. Sign in.\n2. Make a key. The base URL is", "Nordlicht: The base URL is"),
    ("The base URL is", ""),  # the whole is read as it is
    ("Sign in. The base URL of Nordlicht is", ""),  # it is named
    ("Getting started with Acme. Sign in. The base URL is", ""),  # somebody else's
    ("Sign in. That was the base URL.", ""),  # it is over
    ("Sign in. Thanks", ""),
    ("What is it? I would like to log in", ""),  # who talks leaves out a full stop
    (" ", ""),
])  # fmt: skip
def test_a_page_that_breaks_off_is_read_by_its_end(text: str, read: str) -> None:
    assert read_end_in_house_name(text, HOUSE) == read
    assert (read in read_again(text, Decision(), HOUSE).housed) is bool(read)
    assert read_again(Conversation("Hi", text), Decision(), HOUSE).housed == ()


@pytest.mark.parametrize(("text", "spelt"), [
    ("what does standart delivry cost", "what does standard delivery cost"),
    ("What is the house price?", "What is the house price?"),  # a word is a word
    ("Standart delivery of Dellivery Ltd", "Standart delivery of Dellivery Ltd"),  # names stay
    ("what std ext and sat", "what std ext and sat"),  # no edit has them in full
])  # fmt: skip
def test_words_are_spelt_as_the_edits_are(text: str, spelt: str) -> None:
    assert respell(text, HOUSE) == spelt
    desk = ("The extension of the desk is 12.", "On Saturdays we close.")
    house = House.of([Record(Edit.from_statement(t), n, n) for n, t in enumerate(desk)], KNOWN)
    assert respell("which ext? sat?", house) == "which extension? Saturday?"
    assert respell(text, House()) == text


def test_long_texts_take_no_longer_than_their_length() -> None:
    said = Record(Edit.from_statement("A B C D " * 1_000), 1, 1)
    assert House.of([said] * 3).name.count(" ") < 8  # names of names: their number was squared


@pytest.mark.parametrize(("turn", "before", "whole"), [
    ("And the CTO?", "Who is the CEO of Tarn?\nInes Roth.", "Who is the CTO of Tarn?"),
    ("And of Portugal?", "What is the capital of Italy?\nRome.",
     "What is the capital of Portugal?"),
    ("what about your phone number?", "What is your address?\n3 Mill Street.",
     "What is your phone number?"),
    ("And in winter?", "When are the pools open?", "When are the pools open in winter?"),
    ("And what is 12 plus 30?", "What is the capital of Norland?\nVik.", ""),
    ("Thanks, and goodbye!", "What is the capital of Norland?\nVik.", ""),
    ("And the CTO?", "Tell me about Tarn.", ""),
    ("and HR?", "who is the boss of IT at tarn\nInes Roth.", "who is the boss of HR at tarn?"),
    ("great, and team", "What does Tarn Business cost a month?\n12 euros.",
     "What does Tarn team cost a month?"),
    ("And the 5?", "hi! how much does the Corvo 3 cost", "how much does the Corvo 5 cost?"),
    ("ok and what about pups?", "From what age can kittens be neutered?\n16 weeks.",
     "From what age can pups be neutered?"),
    ("And for a dog?", "What do you take for a cat?\n£40", "What do you take for a dog?"),
    ("And the CTO?", "Who is the CEO of Tarn?\nInes Roth. Is there anything else I can help with?",
     "Who is the CTO of Tarn?"),
    ("and HR", "who is the boss of IT\nWhen she is in, Ines Roth.", "who is the boss of HR?"),
    ("and who runs HR?", "who is the boss of IT at tarn", ""),  # a question of its own
])  # fmt: skip
def test_a_turn_takes_its_question_from_the_one_before(turn: str, before: str, whole: str) -> None:
    assert fill_in(turn, before)[:1] == ((whole,) if whole else ())


def test_a_request_on_which_an_edit_bears_is_read_again_for_a_list_only() -> None:
    asked = "What is the base URL of your API?"
    assert read_again(asked, Decision(), HOUSE).housed
    found = Decision((Hit(Record(EDITS[1], 1, 1), 0.9, role="asks"),))
    assert not read_again(asked, found, HOUSE).texts


def test_what_a_pasted_document_answers_is_not_read_again() -> None:
    hit = Hit(Record(EDITS[4], 1, 1), 0.9, role="informs")
    asked = "List: the refund window, the price of standard delivery."
    assert read_again(asked, Decision(), HOUSE).pieces.items
    assert not read_again(asked, Decision(disagrees=(hit,)), HOUSE).texts


@pytest.mark.parametrize(("turn", "left"), [
    ("Who manages the store today?", "Who manages the store?"),
    ("Who is it now, these days?", "Who is it?"),
    ("Now that it rains, who runs it?", "Now that it rains, who runs it?"),
    ("What is the price as of today", "What is the price"), ("and now?", "and now?"),
    ("how much is the bike atm?", "how much is the bike?"),
    ("What is today's special?", "What is today's special?"), ("Is USA Today a paper?",) * 2,
    ("Do I pay now or later?",) * 2, ("What holds from now on?",) * 2, ("Now, who runs it?",) * 2,
])  # fmt: skip
def test_words_for_the_present_say_nothing(turn: str, left: str) -> None:
    assert drop_now(turn) == left


@pytest.fixture(scope="module")
def decider(minilm: Any) -> Iterator[Decider]:
    with EditMemory(None, minilm) as memory:
        memory.add_many(EDITS)
        yield Decider(memory)


@pytest.mark.parametrize(("request_", "objects", "role"), [
    ("How many projects can I have on the free plan?", {"25 projects"}, "asks"),
    ("hi, wat does standart delivery cost?? thx", {"€4"}, "asks"),
    ("Two bullet points: your refund window, the price of standard delivery.", {None, "€4"},
     "informs"),
    ("Tom is still the CTO of Nordlicht, isn't he? Who is it?", {"Ada Byron"}, "asks"),
    (Conversation("What is the base URL of Nordlicht?\nIt is on our site.", "And the CTO?"),
     {"Ada Byron"}, "asks"),
    (Conversation("Who is the CTO of Nordlicht?\nAda Byron.", "ok and CFO"), {"Bo Lind"}, "asks"),
    ("My train is late. Why is there a fee on my statement?", set(), ""),
])  # fmt: skip
def test_what_is_found_again(
    request_: str, objects: set[str | None], role: str, decider: Decider
) -> None:
    (found,) = decider.decide([request_], "default")
    assert objects <= {hit.record.edit.target_new for hit in found.bearing}
    assert bool(found.bearing) == bool(objects)
    assert all(hit.role == role for hit in found.bearing if hit.record.edit.target_new in objects)


def test_a_house_is_as_large_as_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "MOST_EDITS", len(EDITS))
    memory = EditMemory(None, HashingEncoder(64))
    for edit in EDITS:
        memory.add(edit)
    memory.add(Edit.from_statement("The lift is out of order."), namespace="other")
    assert Decider(memory, "mention")._recall_house("default", memory).name == "Nordlicht"


def test_when_it_closes_finds_the_opening_hours(minilm: Any) -> None:
    """The fault: when it closes on Saturday bore on no edit."""
    memory = EditMemory(None, minilm)
    hours = "The library is open Monday to Friday from 9 am to 6 pm and on Saturday until 1 pm."
    memory.add(Edit.from_statement(hours))
    asked = Decider(memory)
    (decision,) = asked.decide(["When does the library close on Saturday?"], "default")
    assert [hit.record.edit.statement for hit in decision.hits] == [hours]
    for other in ("When does the canteen close?", "Is the pool open on Sunday?"):
        assert not asked.decide([other], "default")[0].bearing


def test_whether_it_is_open_on_a_day_finds_on_which_it_is(minilm: Any) -> None:
    """The fault: whether it is open on Sunday bore on no edit, and a base said yes."""
    memory = EditMemory(None, minilm)
    week = "The library is open from Tuesday to Saturday, 10 am to 6 pm."
    memory.add_many([Edit.from_statement(week), Edit.from_statement("A card costs £5 a year.")])
    fridays = "On Fridays the citizens' office is open from 7:15 am to 12:45 pm"
    memory.add(Edit.from_statement(fridays), namespace="office")
    asked = Decider(memory)
    for words in ("Is the library open on Sunday?", "sunday open?"):
        (decision,) = asked.decide([words], "default")
        assert [hit.record.edit.statement for hit in decision.bearing] == [week]
    assert not asked.decide(["Is the café open on Sunday?"], "default")[0].bearing
    assert not asked.decide(["Is the citizens' office open on Sunday?"], "office")[0].bearing
