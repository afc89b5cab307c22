"""What a statement says beside an older one is told from what is in its place by the words."""

from __future__ import annotations

import pytest

from memedit.model.beside import says_beside


@pytest.mark.parametrize(("old", "new"), [
    ("Lunch is served until 14:00.", "Breakfast is now served until 10:30."),  # another thing
    ("Gloves are on shelf 3.", "Winter gloves are now on shelf 5."),
    ("The laundry is done on Wednesdays.", "Windows are now done on Thursdays."),
    ("The wifi password is tulip.", "The wifi password for guests has been changed to rose."),
    ("The server is in Frankfurt.", "The backup of the server has moved to Dublin."),  # a part
    ("Rita plays the cello.", "Rita plays the flute, no longer the oboe."),  # not what it says
    ("Lunch is at noon.", "Lunch has been vegetarian since May."),  # another side
    ("Parking costs 5 euros a day.", "Parking is now behind the building."),
    ("Returns take five days.", "Returns are now handled by our Lyon office."),
    ("Paul works for Acme.", "Paul has been promoted at Acme."),  # more of the value
    ("Update: Coffee is in the kitchen.", "Correction: Tea is in the hall."),
])  # fmt: skip
def test_what_is_said_beside(old: str, new: str) -> None:
    assert says_beside(old, new)


@pytest.mark.parametrize(("old", "new"), [
    ("Team meetings are in room 7.", "Team meetings are in the library, no longer in room 7."),
    ("The mayor of Graz is Ada.", "Bo is mayor of Graz now."),  # of the same, the other way round
    ("My dentist is Dr Osei.", "The one who looks after my teeth is Dr Yilmaz."),
    ("The head office of Larkin is in Hull.", "Larkin's head office is over in Swansea."),
    ("The office is in Elm Street.", "The address of the office has moved to Park Lane 9."),
    ("Mozart was born in Linz.", "The birthplace of Mozart is Innsbruck."),
    ("Dinner is at six.", "Dinner is now served at seven."),
    ("Dinner is at six.", "Dinner is no longer served."),
    ("Parking costs 5 euros.", "Parking is free now."),
    ("Delivery takes three days.", "Delivery is now same-day."),
    ("Kim lives in Oslo.", "Kim has moved from Oslo to Bergen."),
    ("Emma lives in Graz.", "Graz is no longer where Emma lives."),
    ("The default language is Dutch.", "Default language: Dutch"),
    ("Who leads the choir? Ada.", "Who leads the band? Bo."),
    ("Ada leads " + "x" * 240, "Bo leads " + "x" * 240),
    ("Now", ""),
])  # fmt: skip
def test_what_may_be_in_its_place(old: str, new: str) -> None:
    assert not says_beside(old, new)
