"""What the learned scope sees of a query and an edit."""

from __future__ import annotations

import numpy as np
import pytest

from memedit.core.passages import Conversation
from memedit.core.types import Edit, Hit, PairVectors, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.scope import features
from memedit.scope.features import (
    SCALARS,
    match_words,
    names_another_code,
    names_another_owner,
    scalars,
    vectors,
)

EDIT = Edit("The mother tongue of Ada Byron is", "Dutch", "Ada Byron")


def seen(view: str, mention: str | None = "Ada Byron", edit: Edit = EDIT) -> dict[str, float]:
    hit = Hit(Record(edit, 1, 1), 0.8, view, mention, 0.7 if mention else None)
    row = scalars([hit], view)[0]
    assert len(row) == len(SCALARS) and np.isfinite(row).all()
    return dict(zip(SCALARS, row.tolist(), strict=True))


@pytest.mark.parametrize(
    ("view", "feature"),
    [
        ("The mother tongue of Ada Byron is not", "negated"),
        ("It is false that Ada Byron spoke", "negated"),
        ("If Ada Byron were French, her mother tongue would be", "supposed"),
        ("Before 1820, the mother tongue of Ada Byron was", "dated"),
        ("Is Dutch what Ada Byron spoke?", "names_target"),
        ("Dutch is the mother tongue of Ada Byron", "target_first"),
    ],
)
def test_a_question_turned_round_shows(view: str, feature: str) -> None:
    assert seen(view)[feature] == 1
    assert seen("What is the mother tongue of Ada Byron?")[feature] == 0


def test_signs_that_the_edit_itself_has_do_not_count() -> None:
    edit = Edit("The pain that Ada Byron did not feel was", "grief", "Ada Byron")
    assert seen("What did Ada Byron not feel?", edit=edit)["negated"] == 0


def test_signs_inside_the_subject_do_not_count() -> None:
    edit = Edit("The author of If Not Now is", "Ada", "If Not Now")
    found = seen("Who wrote If Not Now?", "If Not Now", edit)
    assert found["negated"] == found["supposed"] == 0


def test_a_longer_name_around_the_subject_shows() -> None:
    edit = Edit("The capital of Italy is", "Lima", "Italy")
    assert seen("Who leads the Ministry of Health Italy Desk?", "Italy", edit)[
        "goes_on_capitalised"
    ]
    assert seen("The Air Italy office is in", "Italy", edit)["preceded_capitalised"] == 1
    assert seen("The capital of Italy is", "Italy", edit)["preceded_capitalised"] == 0


def test_a_misspelt_subject_is_nearly_spelt() -> None:
    near = seen("What is the mother tongue of Ada Byrron?", None)["spelt"]
    far = seen("What is the mother tongue of Bo Ek?", None)["spelt"]
    assert near > 0.7 > 0.3 > far


def test_vectors_are_those_of_the_masked_texts_where_there_is_a_mention() -> None:
    one, two = np.array([1.0, 0.0], np.float32), np.array([0.6, 0.8], np.float32)
    whole = Hit(Record(EDIT, 1, 1), 0.6, "x", vectors=PairVectors(one, two))
    masked = Hit(Record(EDIT, 1, 1), 0.6, "x", "Ada Byron", 1.0, PairVectors(one, two, two, two))
    found = vectors([whole, masked])
    assert found[0] == pytest.approx([0.4, 0.8, 0.6, 0.0, 0.4, 0.8, 0.6, 0.0])
    assert found[1] == pytest.approx([0.0, 0.0, 0.36, 0.64, 0.4, 0.8, 0.6, 0.0])


def test_what_stands_before_the_clause_is_seen() -> None:
    asked = "What is the mother tongue of Ada Byron?"
    hit = Hit(Record(EDIT, 1, 1), 0.8, asked, "Ada Byron", 0.7, clause=asked)
    plain, supposed = (
        dict(zip(SCALARS, scalars([hit], query)[0].tolist(), strict=True))
        for query in (f"It rained. {asked}", f"Suppose she had never left Rome. {asked}")
    )
    assert (plain["supposed_before"], supposed["supposed_before"]) == (0, 1)
    assert supposed["supposed"] == 0 and supposed["words_before"] > plain["words_before"]


def test_the_words_that_matched() -> None:
    asked = "Which tongue is the mother's, of Ada Byron?"
    hit = Hit(Record(EDIT, 1, 1), 0.8, asked, "Ada Byron", 0.7)
    assert match_words(hit) == ("tongue", "mother's")


@pytest.mark.parametrize(
    ("prompt", "query", "another"),
    [
        ("The CEO of Tarn is", "Who is the CTO of Tarn?", True),
        ("The CEO of Tarn is", "who is the cto of tarn", True),
        ("The CEO of Tarn is", "Who is the ceo of Tarn?", False),
        ("The CEO of Tarn is", "Who are the CEO and the CTO of Tarn?", False),
        ("The CEO of Tarn is", Conversation("Who is the CEO of Tarn?\nAda.", "The CTO?"), True),
        ("The CEO of Tarn is", Conversation("Who is the CTO of Tarn?\nBo.", "The CEO?"), False),
        ("The waiting time for an MRI is", "Mrs Voss here, how long do I wait?", False),
        ("The rate limit of the API is", "What is the limit for my app?", False),
        ("THE CEO OF TARN IS", "Who is the CTO of Tarn?", False),  # shouting names no code
        ("The head of Tarn is", "Who is the CTO of Tarn?", False),
    ],
)
def test_a_code_a_letter_off_is_another(prompt: str, query: str, another: bool) -> None:
    hit = Hit(Record(Edit(prompt, "Ada"), 1, 1), 0.8, str(query))
    assert names_another_code(hit, query) is another


def test_texts_of_purged_edits_are_let_go_of() -> None:
    memory = EditMemory(None, HashingEncoder(64))
    decider = Decider(memory, "mention")
    memory.add(Edit("The capital of France is", "Lyon", "France"))
    record = next(memory.records())
    features._edit(record.edit.prompt, record.edit.subject, record.edit.target_new)
    features._triples("France")
    memory.purge(record.id)
    for kept in (features._measure_before, features._edit, features._view, features._triples):
        assert not kept.cache_info().currsize
    assert not decider.decide(["What is the capital of France?"], "default")[0]


@pytest.mark.parametrize(("query", "another"), [
    ("What is Zanto's refund window?", True), ("Zanto's refund window?", True),
    ("What's your refund window?", False), ("Where's Sunday's plan for refunds?", False),
    ("What is our shop's refund window?", False), ("How long is the refund window?", False),
])  # fmt: skip
def test_what_is_somebodys_is_not_ours(query: str, another: bool) -> None:
    ours = Hit(Record(Edit.from_statement("Our refund window is 60 days."), 1, 1), 0.6)
    assert names_another_owner(ours, query) is another
    theirs = Hit(Record(Edit("Zanto's refund window is", "9 days", "Zanto"), 1, 1), 0.6)
    assert not names_another_owner(theirs, query)
