"""What is told beside the edits that bear, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memedit.core.documents import Passage
from memedit.core.secrets import is_secret, names_secret
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.companions import LEAST, LIKELY, SURE, add_companions, leave_out_secrets
from memedit.model.deciding import Decider
from memedit.model.translating import choose


def hit(name: str, bearing: float | None) -> Hit:
    edit = Edit(f"The {name} costs", "5 euros", id=name)
    return Hit(Record(edit, 1, 1), 0.5, bearing=bearing)


def told(decision: Decision) -> list[str]:
    return [each.record.id for each in add_companions(decision).companions]


ADULT, CHILD, DOG = hit("adult", 0.4), hit("child", 0.18), hit("dog", 0.12)
FAR = hit("bus", LEAST / 2)


def test_where_the_scope_is_in_doubt_what_may_bear_is_told_too_the_likeliest_first() -> None:
    near = (ADULT, DOG, FAR, CHILD)
    assert told(Decision((ADULT,), candidates=near)) == ["child", "dog"]
    assert told(Decision(informs=(ADULT,), candidates=near)) == ["child", "dog"]
    # Three in all, and what bears is never dropped for it.
    assert told(Decision((ADULT,), informs=(hit("train", 0.3),), candidates=near)) == ["child"]
    every = (ADULT, hit("train", 0.4), hit("tram", 0.3))
    assert told(Decision(every, candidates=(*every, CHILD))) == []


def test_where_it_is_sure_only_what_it_nearly_found() -> None:
    sure, nearly = hit("senior", SURE), hit("tram", LIKELY)
    assert told(Decision((sure,), candidates=(sure, CHILD, nearly, DOG))) == ["tram"]


def test_what_the_base_took_back_or_finds_far_off_is_not_told_beside() -> None:
    sure = replace(hit("senior", 0.9), second_look=0.9)
    near, taken_back = hit("tram", 0.8), hit("dog", 0.7)

    def beside(*others: Hit) -> list[str]:
        return told(Decision((sure,), candidates=(sure, *others)))

    assert beside(replace(near, second_look=0.8)) == ["tram"]
    assert beside(replace(taken_back, second_look=-0.4)) == []
    # What was not looked at was farther off than what was.
    assert beside(near) == []


def test_where_nothing_bears_nothing_is_told() -> None:
    assert told(Decision(candidates=(CHILD, DOG))) == []


@pytest.mark.parametrize(
    "left_out",
    [
        hit("fee", None),  # a scope that knows no roles gives none
        replace(CHILD, passage=Passage("house rules", 1, 1, 3)),
        hit("guest Wi-Fi password", 0.3),  # who asks for the network's name asks for no password
        hit("code of the alarm", 0.3),
        hit("Zugangscode zum Lager", 0.3),
    ],
)
def test_what_is_never_told_beside(left_out: Hit) -> None:
    assert told(Decision((ADULT,), candidates=(ADULT, left_out, DOG))) == ["dog"]


def test_what_a_document_contradicts_is_not_told() -> None:
    near = (ADULT, CHILD, DOG)
    assert told(Decision((ADULT,), candidates=near, disagrees=(DOG,))) == ["child"]


def test_beside_what_held_at_another_time_nothing_of_now_is_told() -> None:
    decider = Decider(EditMemory(None, HashingEncoder(64)), "mention")
    given = Decision((ADULT,), candidates=(ADULT, CHILD))
    assert decider._tell_newest(given).companions
    assert not decider._tell_newest(replace(given, named="before")).companions


def test_an_older_sentence_is_not_told_beside_the_newer() -> None:
    decider = Decider(EditMemory(None, HashingEncoder(64)), "mention")
    old, new = (
        Hit(Record(Edit(f"The night bus {says} on Sundays.", None, id=says), n, n), 0.5, bearing=p)
        for n, (says, p) in enumerate((("is free", 0.2), ("is not free", 0.5)), start=1)
    )
    given = Decision((new,), candidates=(new, old))
    assert told(given) == ["is free"]
    assert decider._tell_newest(given).companions == ()
    # Whether the older one fired, too, or the newer one only informs.
    both = Decision((new, replace(old, bearing=0.4)), candidates=(new, old))
    assert decider._tell_newest(both).bearing == (new,)
    assert decider._tell_newest(both).companions == ()
    informs = Decision(informs=(new,), candidates=(new, old))
    assert decider._tell_newest(informs).companions == ()


def test_what_a_foreign_request_s_english_does_not_find_is_not_told_beside() -> None:
    own = Decision((ADULT,), companions=(CHILD,))
    assert choose("The adult costs", own, Decision()).companions == ()


@pytest.mark.parametrize("fact", [
    "The wi-fi code is 4411.", "The garage code is 4411.", "The code of the lockbox is 7741.",
    "The code for the bike shed is 4411.", "The key for the wifi is rose.", "The PUK is 12345678.",
    "Der Türcode ist 5520", "De deurcode is 5520", "Le code de la porte est 5520",
    "El código de la puerta es 5520", Edit("The lab:", "door code 4411", "lab"),
])  # fmt: skip
def test_what_lets_somebody_in_is_known_by_other_names(fact: str | Edit) -> None:
    assert is_secret(fact if isinstance(fact, Edit) else Edit.from_statement(fact))


@pytest.mark.parametrize("fact", [
    "The dress code is casual.", "The discount code is SAVE10.", "The postal code is 8010.",
    "The country code is +43.", "The key to success is work.",
])  # fmt: skip
def test_other_codes_are_told(fact: str) -> None:
    assert not is_secret(Edit.from_statement(fact))


WIFI = Edit("The Wi-Fi password at Loft Nine is", "lofty-oak", "Wi-Fi password")
PIN = Edit("The PIN for the printer at Loft Nine is", "8316", "printer")


@pytest.mark.parametrize(
    ("edit", "words", "named"),
    [
        (WIFI, "how do i print at loft nine? it wants a number", False),
        (WIFI, "where is the printer, and what is the code of it?", False),
        (WIFI, "how do i get online", True),
        (WIFI, "is there wi fi", True),
        (WIFI, "whats the wifi", True),
        (WIFI, "the password please", True),
        (PIN, "the printer wants something from me", True),
        (PIN, "which pin?", True),
        (PIN, "how do i get online at loft nine", False),
        (Edit.from_statement("The code for the garage door is 4711."), "where do I park?", False),
        (Edit.from_statement("The code for the garage door is 4711."), "garage is locked", True),
    ],
)
def test_words_name_a_secret_or_do_not(edit: Edit, words: str, named: bool) -> None:
    assert is_secret(edit)
    assert names_secret(edit, words) is named


def test_a_secret_that_only_informs_is_told_to_who_names_it_or_where_nothing_bears_more() -> None:
    def bears(edit: Edit, chance: float) -> Hit:
        return Hit(Record(edit, 1, 1), 0.5, bearing=chance, role="informs")

    pin, wifi = bears(PIN, 0.9), bears(WIFI, 0.83)
    both = Decision(informs=(pin, wifi))
    assert leave_out_secrets(both, "how do i print? it asks for a number").informs == (pin,)
    assert leave_out_secrets(both, "how do i print, and the wifi?").informs == (pin, wifi)
    alone = Decision(informs=(wifi,))
    assert leave_out_secrets(alone, "how do i get online?").informs == (wifi,)
    asked = Decision((replace(wifi, role="asks"),), informs=(pin,))
    assert leave_out_secrets(asked, "how do i get online?").hits == asked.hits
