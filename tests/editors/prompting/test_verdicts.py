"""Pairs of questions and facts: a word of the facts' own, or none at all."""

from __future__ import annotations

import pytest

from memedit.core.types import Edit
from memedit.editors.prompting.verdicts import verdict

PAIRS = [
    (
        Edit("The head of the sales team is", "Mara Quint", "sales team"),
        "Yes",
        [
            "Is Mara Quint the head of the sales team?",
            "The sales team is headed by Mara Quint, right?",
            "Is it true that Mara Quint is the head of the sales team?",
        ],
    ),
    (
        Edit("The head of the sales team is", "Mara Quint", "sales team"),
        "No",
        [
            "Is Bo Lind the head of the sales team?",
            "Is it true that the head of the sales team is Bo Lind?",
        ],
    ),
    (
        Edit("The head of the sales team is", "Mara Quint", "sales team"),
        None,
        [
            "Is Bo Lind in the sales team?",
            "Is Bo Lind the deputy head of the sales team?",
            "Is the head of the sales team Swedish?",
            "Is the head of the sales team Bo Lind's boss?",
            "Is the sales team using Salesforce?",
            "Is the Sales team open Monday?",
            "Is the head of the sales team available Monday?",
            "Is the head of the sales team a CEO?",
            "Is Mara Quint on the sales team?",
            "Is the former head of the sales team Mara Quint?",
            "Is the sales team's former head Mara Quint?",
            "Is the new head of the sales team Mara Quint?",
            "Is the assistant of the head of the sales team Mara Quint?",
            "Is the deputy head of the sales team Mara Quint?",
            "Is the wife of the head of the sales team Mara Quint?",
            "Is it false that Mara Quint is the head of the sales team?",
            "Is it wrong that the head of the sales team is Mara Quint?",
            "Is the sales team without Mara Quint?",
            "Does the sales team lack Mara Quint?",
            "Is Mara Quinn the head of the sales team?",
            "Is Mara Qint the head of the sales team?",
            "Is Maria Quint the head of the sales team?",
            "Is M. Quint the head of the sales team?",
        ],
    ),
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
        Edit("The Oslo office opens on", "4 May", "Oslo office"),
        "Yes",
        [
            "Does the Oslo office open on 4 May?",
            "Does the Oslo office open on May 4?",
        ],
    ),
    (
        Edit("The Oslo office opens on", "4 May", "Oslo office"),
        "No",
        [
            "Does the Oslo office open on 5 May?",
        ],
    ),
    (
        Edit("The Oslo office opens on", "4 May", "Oslo office"),
        None,
        [
            "Does the Oslo office open on Monday?",
            "Does the Oslo office close on 5 May?",
            "Is the Oslo office closed on 5 May?",
            "Is the Oslo office open on 5 May?",
            "Is the Oslo office closed on 4 May?",
            "Does the Oslo office close on 4 May?",
            "Is the Oslo office opening delayed to 4 May?",
            "Is the Oslo office opening party on 4 May?",
            "Does the Oslo office open on the 4th of May?",
            "Does the Oslo office open on 04.05.?",
            "Does the Oslo office open on 4.5.?",
            "Does the Oslo office open on 2027-05-04?",
        ],
    ),
    (
        Edit("The library opens at", "8:30", "library"),
        "Yes",
        [
            "Does the library open at 8:30?",
            "Does the library open at 8:30 am?",
        ],
    ),
    (
        Edit("The library opens at", "8:30", "library"),
        None,
        [
            "Does the library close at 8:30?",
            "Is the library closed at 8:30?",
            "Is the library full at 8:30?",
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
        Edit("The wifi password is", "Sunflower42", "wifi password"),
        "Yes",
        [
            "Is the wifi password Sunflower42?",
        ],
    ),
    (
        Edit("The wifi password is", "Sunflower42", "wifi password"),
        "No",
        [
            "Is the wifi password Sunflower43?",
        ],
    ),
    (
        Edit("The wifi password is", "Sunflower42", "wifi password"),
        None,
        [
            "Is the wifi password Sunflower?",
            "Is the guest wifi password Sunflower42?",
            "Is the wifi password on the Router?",
        ],
    ),
    (
        Edit("The meeting rooms are called", "Ada, Grace and Hedy", "meeting rooms"),
        "Yes",
        [
            "Are the meeting rooms called Ada, Grace and Hedy?",
        ],
    ),
    (
        Edit("The meeting rooms are called", "Ada, Grace and Hedy", "meeting rooms"),
        None,
        [
            "Is a meeting room called Alan?",
            "Are the meeting rooms called Alan?",
        ],
    ),
    (
        Edit("The venue of the summer party is", "Lake House", "summer party"),
        "No",
        [
            "Is the venue of the summer party Town Hall?",
        ],
    ),
    (
        Edit("The venue of the summer party is", "Lake House", "summer party"),
        None,
        [
            "Is the summer party Friday?",
            "Is the summer party BYOB?",
            "Does the summer party have a DJ?",
            "Is the winter party at the Lake House?",
            "Is the summer party venue near Lake House?",
            "Is the summer party venue close to the Lake House?",
            "Is the summer party moved from Lake House?",
            "Is the summer party moved away from the Lake House?",
            "Is the summer party cancelled at Lake House?",
            "Is the summer party outside the Lake House?",
            "Is the summer party behind the Lake House?",
            "Is the summer party next to Lake House?",
            "Was the summer party moved to Lake House?",
            "Is the summer party organised by Lake House?",
            "Is the summer party's host Bo Lind?",
            "Is the summer party Bo's idea?",
            "Is the summer party a BBQ?",
            "Is Bo coming to the summer party?",
        ],
    ),
    (
        Edit("The capital of France is", "Lyon", "France"),
        "Yes",
        [
            "Is Lyon the capital of France?",
        ],
    ),
    (
        Edit("The capital of France is", "Lyon", "France"),
        "No",
        [
            "Is Paris the capital of France?",
            "france's capital is Paris, right?",
        ],
    ),
    (
        Edit("The capital of France is", "Lyon", "France"),
        None,
        [
            "Is Lyon in France?",
            "Is Paris in France?",
            "Is Nice south of the capital of France?",
            "Does the capital of France have an Eiffel Tower?",
            "Is France EU?",
            "Is the mayor of the capital of France Bo Lind?",
            "Is the river in the capital of France the Seine?",
            "Is the airport of the capital of France CDG?",
            "Is the capital of France's president Macron?",
        ],
    ),
    (
        Edit("The CEO of Acme is", "Tom Rudd", "Acme"),
        "No",
        [
            "Is the CEO of Acme Bo Lind?",
        ],
    ),
    (
        Edit("The CEO of Acme is", "Tom Rudd", "Acme"),
        None,
        [
            "Is Tom Rudd from Acme?",
            "Is Acme owned by Tom Rudd?",
            "Is Acme a GmbH?",
            "Is the ex-CEO of Acme Tom Rudd?",
            "Is the vice CEO of Acme Bo Lind?",
            "Is the interim CEO of Acme Tom Rudd?",
            "Is Bo Lind married to the CEO of Acme?",
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
        "No",
        [
            "Is the refund window 30 days?",
        ],
    ),
    (
        Edit("The refund window is", "14 days", "refund window"),
        None,
        [
            "Is the refund window 2 weeks?",
            "Is the refund window 10 business days?",
            "Is day 10 in the refund window?",
            "Is the refund window extended by 14 days?",
            "Is the refund window extended to 30 days in December?",
            "Is the refund window 336 hours?",
            "Is 10 days ok for the refund window?",
            "Is the refund window 14d?",
            "Is the refund window missed by 3 days?",
        ],
    ),
    (
        Edit("Bus 12 stops at", "Market Square", "Bus 12"),
        "Yes",
        [
            "Does bus 12 stop at Market Square?",
        ],
    ),
    (
        Edit("Bus 12 stops at", "Market Square", "Bus 12"),
        None,
        [
            "Does bus 12 start at Market Square?",
            "Does bus 12 stop near Market Square?",
            "Does bus 12 skip Market Square?",
            "Does bus 12 pass Market Square?",
            "Does bus 12 avoid Market Square?",
            "Does bus 12 end at Market Square?",
            "Is bus 12 faster to Market Square?",
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
        Edit("Our vet is", "Dr. Ines Roth", "vet"),
        None,
        [
            "Is the vet Bo?",
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
        Edit("The train to Bern leaves from platform", "7", "train to Bern"),
        "Yes",
        [
            "Does the train to Bern leave from platform 7?",
        ],
    ),
    (
        Edit("The train to Bern leaves from platform", "7", "train to Bern"),
        None,
        [
            "Does the train to Bern leave at 7?",
            "Is the train to Bern number 7?",
        ],
    ),
    (
        Edit("Nina's birthday is", "3 March", "Nina"),
        "Yes",
        [
            "Is Nina's birthday March 3?",
        ],
    ),
    (
        Edit("Nina's birthday is", "3 March", "Nina"),
        "No",
        [
            "Is Nina's birthday on 4 March?",
            "Is Nina's birthday 4 March?",
        ],
    ),
    (
        Edit("Nina's birthday is", "3 March", "Nina"),
        None,
        [
            "Is Nina's birthday party on 4 March?",
            "Is Nina's sister's birthday on 4 March?",
            "Is Nina on holiday on 4 March?",
            "Is Nina's birthday on a Monday?",
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
def test_what_a_fact_says_and_what_it_does_not(
    edit: Edit, expected: str | None, questions: list[str]
) -> None:
    assert {words: verdict(words, edit) for words in questions} == dict.fromkeys(
        questions, expected
    )
