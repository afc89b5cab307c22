"""One of several values is ended by a statement that denies it; the others stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory, Receipt
from memedit.model.correcting import find_corrections, find_start, make_options
from memedit.model.deciding import Decider

TARN, MIA, ACME = "Tarn Cycles", "Mia", "Acme"
SLOTS = {
    ("Tarn Cycles sells", TARN): ("tyres", "bikes", "inner tubes", "salt and pepper mills"),
    ("Mia speaks", MIA): ("French", "Basque"),
    ("Members of the board include", "board"): ("Ada Byron", "Bo Ek"),
    ("The things Mia collects include", MIA): ("stamps", "coins"),
    ("Mia is interested in", MIA): ("chess", "rowing"),
    ("Acme ships to", ACME): ("Austria", "Australia", "the Faroe Islands"),
    ("Acme has", ACME): ("a canteen", "two lifts"),
    ("We repair", None): ("watches", "clocks"),
}


@pytest.fixture
def decider() -> Iterator[Decider]:
    with EditMemory(None, HashingEncoder(256)) as memory:
        memory.add_many([
            Edit(prompt, value, subject, multiple=True)
            for (prompt, subject), values in SLOTS.items() for value in values
        ])  # fmt: skip
        yield Decider(memory, "mention")


def tell(decider: Decider, edit: Edit | str, **dates: Any) -> Receipt:
    """Add an edit as a model does."""
    made = Edit.from_statement(edit) if isinstance(edit, str) else edit
    moment = find_start(decider.memory, dates.get("valid_from"))
    found = find_corrections(decider, made, "default", moment)
    return decider.memory.add(made, **make_options(found, decider.memory), **dates)


def ended(receipt: Receipt) -> list[str | None]:
    return [record.edit.target_new for record in receipt.superseded]


def in_force(decider: Decider, prompt: str, as_of: str | None = None) -> list[str | None]:
    moment = None if as_of is None else decider.memory.moment(as_of)
    return [
        r.edit.target_new for r in decider.memory.records()
        if r.edit.prompt == prompt and (moment is None or r.holds_at(moment))
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), [
    ("Tarn Cycles no longer sells tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells any tyres", ["tyres"]),
    ("Unfortunately, Tarn Cycles no longer sells tyres.", ["tyres"]),
    ("From now on Tarn Cycles no longer sells tyres, only bikes.", ["tyres"]),
    ("Tarn Cycles does not sell tyres any more.", ["tyres"]),
    ("Tarn Cycles doesn't sell tyres anymore, but repairs them.", ["tyres"]),
    ("Tarn Cycles has stopped selling tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres. It sells scooters now.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres and now sells scooters.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres and bikes.", ["tyres", "bikes"]),
    ("Tarn Cycles no longer sells tyres, bikes or inner tubes.", ["tyres", "bikes", "inner tubes"]),
    ("Tarn Cycles no longer sells salt and pepper mills.", ["salt and pepper mills"]),
    ("Mia does not speak Basque any more.", ["Basque"]),
    ("Mia no longer collects stamps.", ["stamps"]),
    ("Mia is no longer interested in chess.", ["chess"]),
    ("Mia isn't interested in chess any longer.", ["chess"]),
    ("Acme no longer ships to Austria.", ["Austria"]),
    ("Acme no longer has a canteen.", ["a canteen"]),
    ("We no longer repair watches.", ["watches"]),
])  # fmt: skip
def test_a_value_that_is_denied_goes_and_the_others_stay(
    decider: Decider, text: str, values: list[str]
) -> None:
    before = sum(map(len, SLOTS.values()))
    assert ended(tell(decider, text)) == values
    assert decider.memory.count("default") == before - len(values) + 1


@pytest.mark.parametrize(("text", "told"), [
    ("Borg Cycles no longer sells tyres.", []),
    ("Tarn Cycles Graz no longer sells tyres.", ["tyres"]),
    ("The old Tarn Cycles no longer sells tyres.", ["tyres"]),
    ("Tarn Cycles' branch no longer sells tyres.", ["tyres"]),
    ("Tarn Cycles and Borg Cycles no longer sell tyres together.", ["tyres"]),
    ("Tarn Cycles stays, but Borg Cycles no longer sells tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells only tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres only, but also scooters.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres only on Mondays.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres in Graz, only online.", ["tyres"]),
    ("Tarn Cycles may no longer sell tyres.", ["tyres"]),
    ("If Tarn Cycles no longer sells tyres, call us.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres if they are used.", ["tyres"]),
    ("Is it true that Tarn Cycles no longer sells tyres?", []),
    ("It is not true that Tarn Cycles no longer sells tyres.", ["tyres"]),
    ("Ada says that Tarn Cycles no longer sells tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres, Ada says.", ["tyres"]),
    ("In 2010 Tarn Cycles no longer sold tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells winter tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells tyre levers.", ["tyres"]),
    ("Tarn Cycles no longer repairs tyres.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres to schools.", ["tyres"]),
    ("Tarn Cycles no longer sells tyres and tubes together.", ["tyres"]),
    ("Tarn Cycles no longer sells anything but tyres.", ["tyres"]),
    ("Tarn Cycles never stopped selling tyres.", ["tyres"]),
    ("Tarn Cycles stopped to sell tyres.", ["tyres"]),
    ("Tarn Cycles sells tyres.", []),
    ("Tarn Cycles does not sell tyres.", ["tyres"]),
    ("Tarn Cycles does not sell scooters.", []),
    ("Mia's brother no longer speaks Basque.", ["Basque"]),
    ("Mia Roth no longer speaks Basque.", ["Basque"]),
    ("Mia no longer likes Basque.", ["Basque"]),
    ("Acme no longer ships from Austria.", ["Austria"]),
    ("Acme is no longer in Austria.", ["Austria"]),
    ("They no longer repair watches.", []),
    ("Ada Byron is no longer a member of the board.", ["Ada Byron"]),
    ("The board no longer includes Ada Byron.", ["Ada Byron"]),
    ("We no longer repair watches on Sundays.", []),
])  # fmt: skip
def test_what_is_not_plainly_denied_stays(decider: Decider, text: str, told: list[str]) -> None:
    receipt = tell(decider, text)
    assert ended(receipt) == []
    assert [record.edit.target_new for record in receipt.conflicts] == told


def test_what_says_it_with_more_is_told(decider: Decider) -> None:
    paid = tell(decider, "We accept Visa, Mastercard and PayPal.").record
    tell(decider, "PayPal payments to us take two days.")
    receipt = tell(decider, "We no longer accept PayPal.")
    assert receipt.superseded == () and receipt.conflicts == (paid,)
    assert tell(decider, "We do not accept PayPal any more.").conflicts == (paid,)


def test_it_ends_from_the_day_on_that_is_said(decider: Decider) -> None:
    tell(decider, "Tarn Cycles no longer sells tyres.", valid_from="2999-05-01")
    assert "tyres" in in_force(decider, "Tarn Cycles sells", "2999-04-30")
    assert in_force(decider, "Tarn Cycles sells", "2999-05-02") == list(
        SLOTS["Tarn Cycles sells", TARN][1:]
    )


def test_of_a_long_list_the_one_is_found(decider: Decider) -> None:
    many = [Edit("Tarn Cycles sells", f"part number {n}", TARN, multiple=True) for n in range(90)]
    decider.memory.add_many(many)
    assert ended(tell(decider, "Tarn Cycles no longer sells part number 63.")) == ["part number 63"]


def test_who_gives_a_value_again_takes_back_that_it_was_ended(decider: Decider) -> None:
    denied = tell(decider, "Tarn Cycles no longer sells tyres.").record
    more = tell(decider, "Tarn Cycles no longer sells bikes and inner tubes.").record
    tyres = Edit("Tarn Cycles sells", "tyres", TARN, multiple=True)
    assert tell(decider, tyres).superseded == (denied,)
    bikes = tell(decider, Edit("Tarn Cycles sells", "bikes", TARN, multiple=True))
    assert bikes.superseded == () and more in list(decider.memory.records())
    assert ended(tell(decider, "Tarn Cycles no longer sells tyres.")) == ["tyres"]


def test_undone_it_is_as_it_was(decider: Decider) -> None:
    before = decider.memory.digest()
    tell(decider, "Tarn Cycles no longer sells tyres.")
    assert decider.memory.digest() != before
    decider.memory.restore(1)
    assert decider.memory.digest() == before
