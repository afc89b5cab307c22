"""Yes and no about who and where: a name of the fact's own, another, or none at all."""

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
        Edit("Our vet is", "Dr. Ines Roth", "vet"),
        None,
        [
            "Is the vet Bo?",
        ],
    ),
]


@pytest.mark.parametrize(("edit", "expected", "questions"), PAIRS)
def test_names(edit: Edit, expected: str | None, questions: list[str]) -> None:
    assert {words: verdict(words, edit) for words in questions} == dict.fromkeys(
        questions, expected
    )
