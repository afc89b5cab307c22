"""Values that a request still goes by."""

from __future__ import annotations

import pytest

from memedit import Edit
from memedit.editors.prompting.former import confirms, find_former, find_supposed


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
    ],
)
def test_words_name_the_former_value(words: str, new: str, old: str, named: bool) -> None:
    assert find_former(words, Edit("It is", new), [old]) == (old if named else "")


def test_nothing_is_former_of_a_statement_or_in_a_long_text() -> None:
    assert find_former("£2.50?", Edit.from_statement("A card costs £4.20."), ["£2.50"]) == ""
    assert find_former("£2.50? " + "a" * 700, Edit("A card costs", "£4.20"), ["£2.50"]) == ""
    assert find_former("anything", Edit("A card costs", "£4.20"), ["", "  ", "the"]) == ""


@pytest.mark.parametrize(
    ("words", "old", "so"),
    [
        ("I've got the £2.50 ready. That's the right amount?", "£2.50", True),
        ("We leave at 10:30 sharp as that's the deadline, isnt it?", "10:30", True),
        ("7:00 is right, isn't it?", "07:00", True),
        ("My terrier was €8 a night. Same again I suppose?", "€8 a night", True),
        ("The fee is still £9, right?", "£9", True),
        ("It was £9 before, wasn't it?", "£9", False),
        ("Did you raise it from £9?", "£9", False),
        ("The fee went up from £9, didn't it?", "£9", False),
        ("The fee is no longer £9, right?", "£9", False),
        ("I paid £9, can I get it back?", "£9", False),
        ("I have £9 with me. Is that enough?", "£9", True),
        ("Since it is still 30 days, who comes on day 38 is too late, right?", "30 days", False),
        ("Which one is it, £9?", "£9", False),
        ("", "£9", False),
    ],
)
def test_a_value_is_to_be_confirmed_or_more_is_asked(words: str, old: str, so: bool) -> None:
    assert confirms(words, old) is so


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
    ],
)  # fmt: skip
def test_an_amount_that_a_part_supposes(words: str, fact: str, old: str) -> None:
    assert find_supposed(words, fact) == old
