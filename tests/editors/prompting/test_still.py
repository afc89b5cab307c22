"""Whether somebody asks if a value is still so, in other words than the fact's own."""

from __future__ import annotations

import pytest

from memedit import Edit
from memedit.editors.prompting.former import confirms, find_former

MONTH = Edit("The monthly membership of Gritloft costs", "€67", target_true="€54")
DOG = Edit("A night in the Aldercote kennels for one dog costs", "£27", target_true="£21")
ROUTER = Edit("The router sent with a new contract is the", "Halcyon R6", target_true="Netbox 4")
VET = Edit("The head vet at Aldercote Vets is", "Rosalind Acht", target_true="Tom Hale")
HALL = Edit("Breakfast is served in", "the Conservatory", target_true="the Harbour Room")


@pytest.mark.parametrize(
    ("words", "edit", "so"),
    [
        ("Membership still comes to 54 a month, I suppose?", MONTH, True),
        ("Is membership still 54 a month?", MONTH, True),
        ("Do you still charge 54 for a month?", MONTH, True),
        ("it's 21 quid a night for a dog to stay with you isnt it", DOG, True),
        ("the box you lot send with a new contract is the Netbox 4 still, yeah?", ROUTER, True),
        ("is the head vet still Tom Hale?", VET, True),
        ("Tom Hale is still your head vet, right?", VET, True),
        ("breakfast is still in the harbour room, yeah?", HALL, True),
        ("Does the monthly membership still cost €54?", MONTH, True),
        ("Hello, is membership still 54 a month?", MONTH, True),
        ("Is Tom Hale still the head vet?", VET, True),
        # Something else is asked, or of something else.
        ("is the yearly membership still 54?", MONTH, False),
        ("Is the student membership still €54?", MONTH, False),
        ("Is the monthly membership of FitClub still €54?", MONTH, False),
        ("Membership still costs €54 for existing members, right?", MONTH, False),
        ("Is a night for one cat still £21?", DOG, False),
        ("Is a night at the Oakwood kennels still £21?", DOG, False),
        ("Is Tom Hale still the vet at Aldercote Vets?", VET, False),
        ("Is Tom Hale still the head vet on Fridays?", VET, False),
        ("Is the head vet's assistant still Tom Hale?", VET, False),
        ("Is my Netbox 4 still supported?", ROUTER, False),
        ("Do you still have the Netbox 4 in stock?", ROUTER, False),
        ("Netbox 4 is still the best router on the market, right?", ROUTER, False),
        ("Is it 54 for both of us, right?", MONTH, False),
        ("a personal trainer is still 54 euros an hour, right?", MONTH, False),
        ("is 54 still enough for a membership?", MONTH, False),
        ("it's not 54 a month anymore, right?", MONTH, False),
        ("so it's more than 54 now, right?", MONTH, False),
        ("My age is 54, I can still join, right?", MONTH, False),
        ("is the kennel next door still 21 a night?", DOG, False),
        ("Is Tom Hale still working for you?", VET, False),
        ("Is Tom Hale still in on Fridays?", VET, False),
        ("is parking in the harbour room still possible?", HALL, False),
        ("Is the harbour room still used for weddings?", HALL, False),
    ],
)
def test_a_value_is_asked_about_or_something_else(words: str, edit: Edit, so: bool) -> None:
    former = find_former(words, edit, [edit.target_true or ""])
    assert bool(former and confirms(words, former, edit.statement)) is so
