"""Values that a request still goes by."""

from __future__ import annotations

import pytest

from memedit import Edit
from memedit.editors.prompting.former import (
    confirms,
    correct_premise,
    find_former,
    find_supposed,
)


@pytest.mark.parametrize(
    ("words", "new", "old", "named"),
    [
        ("I've got the £2.50 for a new card.", "£4.20", "£2.50", True),
        ("I have £2.5 ready and 50 pence", "£4.20", "£2.50", False),
        ("It is £2.50, or is it £4.20?", "£4.20", "£2.50", False),  # both are named
        ("7:00 is right, isn't it?", "06:40", "07:00", True),
        ("i set aside 18% of the price", "14% of the price", "18% of the price", True),
        ("discount is FIFTEEN percent", "22 percent", "15 percent", True),
        ("Everybody knows it was Armstrong", "Pete Conrad", "Neil Armstrong", True),
        ("pickup is at the main station, no?", "the car park", "the main station", True),
        ("the maintainer is gone", "trunk", "main", False),
        ("It's 1,200 a day", "$1500", "$1,200", True),
        ("We pay 12000.", "15,000", "12,000", True),
        ("I'm free at 3 PM, ok?", "€4", "free", True),
        ("We're 12 people, is that ok?", "15 places", "12 places", False),
        ("12 places are left", "15 places", "12 places", True),
        ("My parcel has 30 items", "45 days", "30 days", False),
        ("A £30 refund, please", "45 days", "30 days", False),
        ("I've no idea", "allowed", "no", False),
        ("Can Ann book for may?", "Sue Grant", "Theresa May", False),
        ("Can Ann ask Mrs May?", "Sue Grant", "Theresa May", True),
        ("open from 15:00 to 18:00?", "14:00 to 18:00", "15:00 to 18:00", True),
    ],
)
def test_words_name_the_former_value(words: str, new: str, old: str, named: bool) -> None:
    assert find_former(words, Edit("It is", new), [old]) == (old if named else "")


def test_a_statement_has_a_former_value_too() -> None:
    card = Edit.from_statement("A card costs £4.20.")
    assert find_former("A card is still £2.50, right?", card, ["£2.50"]) == "£2.50"
    assert find_former("Is it £2.50 or £4.20?", card, ["£2.50"]) == ""
    loan = Edit.from_statement("Books can be kept for three weeks, DVDs for two weeks.")
    assert find_former("Two weeks, right?", loan, ["two weeks"]) == ""  # it says so of others


def test_nothing_is_former_in_a_long_text() -> None:
    assert find_former("£2.50? " + "a" * 700, Edit("A card costs", "£4.20"), ["£2.50"]) == ""
    assert find_former("anything", Edit("A card costs", "£4.20"), ["", "  ", "the"]) == ""


CARD = "A new card costs £4.20."
FEE = "The fee is £12."
WINDOW = "The refund window is 45 days."
HEAD = "The head of IT is Tom Lund."
HALL = "The meeting is in the annexe."


@pytest.mark.parametrize(
    ("words", "old", "fact", "so"),
    [
        ("I've got the £2.50 ready. That's the right amount?", "£2.50", CARD, True),
        ("We leave at 10:30 sharp as that's the deadline, isnt it?", "10:30",
         "Check-out is at 11:00.", True),
        ("7:00 is right, isn't it?", "07:00", "Breakfast is at 06:40.", True),
        ("My terrier was €8 a night. Same again I suppose?", "€8 a night",
         "A dog costs €12 a night.", True),
        ("The fee is still £9, right?", "£9", FEE, True),
        ("Ana said £2.50. Is that correct?", "£2.50", CARD, True),
        ("Anna Berg is still head of IT, right?", "Anna Berg", HEAD, True),
        ("I'm in the main hall and nobody's here. That's the right place?", "the main hall", HALL,
         True),
        ("The Mona Lisa's in Paris, isn't it?", "the Louvre in Paris",
         "The Mona Lisa hangs in the Rijksmuseum.", True),
        ("Office is on the 2nd floor, right?", "2nd floor", "The office is on the 4th floor.",
         True),
        ("The toilets are on the 2nd floor, right?", "2nd floor", "The office is on the 4th floor.",
         False),
        ("The team's in on Friday, right?", "Friday", "The team lunch is on Monday.", False),
        ("The lunch on Friday is for the team, right?", "Friday", "The team lunch is on Monday.",
         False),
        ("My deposit is £9. Is that the right amount?", "£9", FEE, False),
        ("We meet at 7:00. That's the time, right?", "7:00", "The gym opens at 6:30.", False),
        ("Tom Hale is on site, right?", "Tom Hale",
         "The emergency contact for the site is Priya Nair.", False),
        ("Lumen is a company, right?", "Lumen", "The company is called Nordlicht.", False),
        ("I packed 10 kg. That's the limit?", "10 kg", "Bags may weigh up to 12 kg.", True),
        ("It was £9 before, wasn't it?", "£9", FEE, False),
        ("Did you raise it from £9?", "£9", FEE, False),
        ("The fee went up from £9, didn't it?", "£9", FEE, False),
        ("So it went up from £9, right?", "£9", FEE, False),
        ("The fee is no longer £9, right?", "£9", FEE, False),
        ("The fee isn't £9, right?", "£9", FEE, False),
        ("£9 won't do, right?", "£9", FEE, False),
        ("£9 is history, isn't it?", "£9", FEE, False),
        ("Last year I paid £9, is that right?", "£9", FEE, False),
        ("My flyer says £9, that's out of date, right?", "£9", FEE, False),
        ("The leaflet says £9. Is that a mistake?", "£9", FEE, False),
        ("I put £9 in the machine. Is it broken?", "£9", FEE, False),
        ("I've £9 here in pennies, is that ok?", "£9", FEE, False),
        ("I have a £9 voucher. Is it still valid?", "£9", FEE, False),
        ("I've got £9 and 20 euros. That's the right amount?", "£9", FEE, False),
        ("I paid £9, can I get it back?", "£9", FEE, False),
        # £9 may be more than enough.
        ("I have £9 with me. Is that enough?", "£9", FEE, False),
        ("Since it is still 30 days, who comes on day 38 is too late, right?", "30 days", WINDOW,
         False),
        ("I bought it 30 days ago. Is that in time?", "30 days", WINDOW, False),
        ("I've had it for 30 days, that's fine, right?", "30 days", WINDOW, False),
        ("My bag weighs 10 kg, that's allowed, right?", "10 kg", "Bags may weigh up to 12 kg.",
         False),
        ("Bags may weigh 10 kg, right?", "10 kg", "Bags may weigh up to 12 kg.", False),
        ("I'm 18, so I can join, right?", "18", "Members must be at least 16.", False),
        ("Anna Berg left, right?", "Anna Berg", HEAD, False),
        ("Anna Berg's gone, isn't she?", "Anna Berg", HEAD, False),
        ("I wrote to Anna Berg. She's on holiday, isn't she?", "Anna Berg", HEAD, False),
        ("The new head took over from Anna Berg, right?", "Anna Berg", HEAD, False),
        ("The main hall is being painted, right?", "the main hall", HALL, False),
        ("The main branch is protected, right?", "main", "The default branch is trunk.", False),
        ("Port 7070 is blocked, right?", "7070", "The port of the server is 8642.", False),
        ("Python 3.10 is deprecated, right?", "3.10", "The Python version is 3.12.", False),
        ("Which one is it, £9?", "£9", FEE, False),
        ("", "£9", FEE, False),
    ],
)  # fmt: skip
def test_a_value_is_to_be_confirmed_or_more_is_asked(
    words: str, old: str, fact: str, so: bool
) -> None:
    assert confirms(words, old, fact) is so


@pytest.mark.parametrize(
    ("words", "fact", "old"),
    [
        ("Since our refund window is still 30 days, a customer on day 38 is too late, right?",
         "Our refund window is 45 days.", "30 days"),
        ("the meal allowance is 20 euros, so do I pay the rest?",
         "The meal allowance is 31 euros.", "20 euros"),
        ("a customer on day 38 is too late, right?", "Our refund window is 45 days.", ""),
        ("I bought it 30 days ago, is that ok?", "Our refund window is 45 days.", ""),
        ("Our refund window is 45 days, right?", "Our refund window is 45 days.", ""),
        ("The box fits. It weighs 12 kg, so can I take it?", "Bags may weigh 10 kg.", ""),
        ("The fee is £12 a month, so what is it a year?", "The fee is £15 a month.", "£12"),
    ],
)  # fmt: skip
def test_an_amount_that_a_part_supposes(words: str, fact: str, old: str) -> None:
    assert find_supposed(words, fact) == old


REFUND = Edit("Our refund window is", "45 days")
PERU = Edit("Machu Picchu is located in", "Nepal", "Machu Picchu")


@pytest.mark.parametrize(("words", "corrected"), [
    ("Since our refund window is still 30 days, is day 38 too late?",
     "Since our refund window is still 45 days, is day 38 too late?"),
    ("As the refund window is 30 days, what do I say?",
     "As the refund window is 45 days, what do I say?"),
    ("Since I bought it 30 days ago, may I return it?", None),
    ("If our window was 30 days, what then?", None),
    ("If our refund window is 30 days, is day 38 too late?", None),  # it may not be
    ("Since our refund window is 30 days, why was I refused on day 38?", None),
    ("Since our refund window is still 30 days, is that right?", None),
    ("Our refund window is 30 days, right?", None),  # it is what is asked
])  # fmt: skip
def test_what_is_taken_for_granted_is_corrected(words: str, corrected: str | None) -> None:
    assert correct_premise(words, "30 days", REFUND) == (corrected or words)


def test_another_amount_taken_for_granted_is_corrected_too() -> None:
    said = Edit.from_statement("Our refund window is 45 days.")
    words = "Since our refund window is still 30 days, a customer on day 38 is too late, right?"
    assert correct_premise(words, "", said) == words.replace("30", "45")
    for other in ("Since I waited 30 days, may I return it?",
                  "Since our refund window is 30 days, right?"):  # fmt: skip
        assert correct_premise(other, "", said) == other


def test_a_mark_within_and_an_aside_behind() -> None:
    words = "machu picchu is in peru right, we want to hike there"
    assert confirms(words, "Peru", PERU.statement)
    assert not confirms("machu picchu is in peru right, how do i get there", "Peru", PERU.statement)


def test_a_tag_may_be_a_sentence() -> None:
    capital = "The capital of Kenya is Kisumu."
    assert confirms("Nairobi is the capital of Kenya. Correct?", "Nairobi", capital)
    assert not confirms("Nairobi is lovely. Correct?", "Nairobi", capital)
    month = Edit("The monthly membership of Gritloft costs", "€67")
    assert confirms("Monthly membership still comes to €54, right?", "€54", month.statement)


def test_an_amount_as_it_is_spoken() -> None:
    swim = Edit("A single swim for an adult costs", "£6.80")
    words = "adult swim is still 5 pounds 20 isnt it"
    assert find_former(words, swim, ["£5.20"]) == "£5.20"
    assert confirms(words, "£5.20", swim.statement)
    assert find_former("it takes 5 pounds 20 minutes later", swim, ["£5.20"]) == ""


@pytest.mark.parametrize("aside", [
    "I need the opening hours, too.", "Please send me the map.", "And what does it cost.",
    "Any discount for groups",
])  # fmt: skip
def test_who_wants_more_behind_a_question_does_not_only_confirm(aside: str) -> None:
    """The fault: the answer was no, and nothing else."""
    words = f"Machu Picchu is in Peru, right? {aside}"
    assert not confirms(words, "Peru", PERU.statement)
