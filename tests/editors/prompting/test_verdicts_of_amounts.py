"""Yes and no about numbers: an amount of the fact's own, another, or none at all."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit
from memedit.editors.prompting.verdicts import verdict

PAIRS = [
    (
        Edit("The price of the Tilda lamp is", "€129", "Tilda lamp"),
        "Yes",
        [
            "Is the Tilda lamp €129?",
        ],
    ),
    (
        Edit("The price of the Tilda lamp is", "€129", "Tilda lamp"),
        "No",
        [
            "Is the Tilda lamp €119?",
            "It costs €119, the Tilda lamp, right?",
        ],
    ),
    (
        Edit("The price of the Tilda lamp is", "€129", "Tilda lamp"),
        None,
        [
            "Is the Tilda mini lamp €119?",
            "Does the Tilda lamp ship for €5?",
            "Is shipping of the Tilda lamp €5?",
            "Is the discount on the Tilda lamp €20?",
            "Is the old price of the Tilda lamp €119?",
            "Did the Tilda lamp cost €119?",
            "Was the Tilda lamp €119?",
            "Is the Tilda lamp 129?",
            "Is the repair of a Tilda lamp €20?",
            "Is the Tilda lamp shade €19?",
            "Is the bulb of the Tilda lamp €9?",
            "Is there a €20 voucher for the Tilda lamp?",
            "Is the Tilda lamp refundable for €129?",
            "Is the Tilda lamp roughly €130?",
            "Is the Tilda lamp almost €130?",
            "Is the Tilda lamp €10 off?",
            "Is the Tilda lamp reduced by €10?",
            "Is the Tilda lamp insured for €100?",
        ],
    ),
    (
        Edit("The Tilda lamp costs", "€129", "Tilda lamp"),
        "No",
        [
            "Does the Tilda lamp cost €99?",
        ],
    ),
    (
        Edit("The Tilda lamp costs", "€129", "Tilda lamp"),
        None,
        [
            "Does shipping the Tilda lamp cost €99?",
            "Does it cost €5 to return a Tilda lamp?",
            "Does returning the Tilda lamp cost €5?",
            "Does the Tilda lamp cost €99 for members?",
            "Does the Tilda lamp cost €99 online?",
            "Does the Tilda lamp cost €99 on Black Friday?",
            "Does the Tilda lamp cost students €99?",
        ],
    ),
    (
        Edit("The upload limit is", "50 MB", "upload limit"),
        "Yes",
        [
            "Is the upload limit 50 MB?",
        ],
    ),
    (
        Edit("The upload limit is", "50 MB", "upload limit"),
        None,
        [
            "Is the download limit 50 MB?",
            "Is the upload limit reached at 50 MB?",
        ],
    ),
    (
        Edit("Employees have", "30 days of holiday", "Employees"),
        "Yes",
        [
            "Do employees have 30 days of holiday?",
        ],
    ),
    (
        Edit("Employees have", "30 days of holiday", "Employees"),
        "No",
        [
            "Do employees have 25 days of holiday?",
        ],
    ),
    (
        Edit("Employees have", "30 days of holiday", "Employees"),
        None,
        [
            "Do part-time employees have 15 days of holiday?",
            "Do employees have 5 sick days?",
            "Do new employees have 30 days of holiday?",
            "Do employees have 6 weeks of holiday?",
            "Are 25 days of holiday left for employees?",
            "Do employees have 25 days of holiday in Spain?",
            "Do employees have 10 days of public holiday?",
            "Do employees have 5 days of paternity leave?",
            "Do employees have 15 days of unpaid holiday?",
            "Do employees lose 30 days of holiday?",
            "Do employees pay for 30 days of holiday?",
        ],
    ),
    (
        Edit("Parking is", "free for guests", "Parking"),
        "Yes",
        [
            "Is parking free for guests?",
        ],
    ),
    (
        Edit("Parking is", "free for guests", "Parking"),
        None,
        [
            "Is parking £5?",
            "Is parking rarely free for guests?",
            "Is parking hardly free for guests?",
            "Is bike parking free for guests?",
        ],
    ),
    (
        Edit("The refund window is", "14 days", "refund window"),
        "Yes",
        [
            "Is the refund window 2 weeks?",
            "Is the refund window 336 hours?",
        ],
    ),
    (
        Edit("The refund window is", "14 days", "refund window"),
        "No",
        [
            "Is the refund window 30 days?",
        ],
    ),
    (
        Edit("The refund window is", "14 days", "refund window"),
        None,
        [
            "Is the refund window 10 business days?",
            "Is day 10 in the refund window?",
            "Is the refund window extended by 14 days?",
            "Is the refund window extended to 30 days in December?",
            "Is 10 days ok for the refund window?",
            "Is the refund window 14d?",
            "Is the refund window missed by 3 days?",
        ],
    ),
    (
        Edit("The support line is", "+49 30 5550199", "support line"),
        "Yes",
        [
            "Is the support line +49 30 5550199?",
        ],
    ),
    (
        Edit("The support line is", "+49 30 5550199", "support line"),
        None,
        [
            "Is the support line 030 5550199?",
        ],
    ),
    (
        Edit("The Atlas plan includes", "5 users", "Atlas plan"),
        "Yes",
        [
            "Does the Atlas plan include 5 users?",
        ],
    ),
    (
        Edit("The Atlas plan includes", "5 users", "Atlas plan"),
        None,
        [
            "Does the Atlas plan include 3 users?",
            "Does the Atlas plan include 10 projects?",
            "Does the Atlas plan cost €5?",
            "Does the Atlas Pro plan include 10 users?",
            "Does the Atlas plan include SSO?",
            "Does the Atlas plan support 5 users?",
            "Does the Atlas plan exclude 5 users?",
            "Are 10 users possible on the Atlas plan?",
            "We are 4 users, is the Atlas plan right?",
            "Does the Atlas plan charge for 3 users?",
            "Does the Atlas plan allow adding 10 users?",
        ],
    ),
    (
        Edit("The oven is preheated to", "180 °C", "oven"),
        "Yes",
        [
            "Is the oven preheated to 180 °C?",
        ],
    ),
    (
        Edit("The oven is preheated to", "180 °C", "oven"),
        "No",
        [
            "Is the oven preheated to 200 °C?",
        ],
    ),
    (
        Edit("The oven is preheated to", "180 °C", "oven"),
        None,
        [
            "Is the oven preheated to 356 °F?",
            "Is the oven preheated to 180 degrees Fahrenheit?",
        ],
    ),
    (
        Edit("The default port of Fluxdb is", "7410", "Fluxdb"),
        "No",
        [
            "Is the default port of Fluxdb 7411?",
        ],
    ),
    (
        Edit("The default port of Fluxdb is", "7410", "Fluxdb"),
        None,
        [
            "Is the admin port of Fluxdb 7411?",
            "Is the admin port of Fluxdb 7410?",
            "Is the default Fluxdb timeout 30?",
        ],
    ),
]


@pytest.mark.parametrize(("edit", "expected", "questions"), PAIRS)
def test_amounts(edit: Edit, expected: str | None, questions: list[str]) -> None:
    assert {words: verdict(words, edit) for words in questions} == dict.fromkeys(
        questions, expected
    )
