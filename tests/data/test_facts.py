"""Reading benchmark files into facts."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError
from memedit.data.facts import Fact, read_facts
from memedit.data.texts import sentences
from memedit.scope.relations import are_sisters, read_questions
from memedit.training.forms import date, hypothetical, negate, reverse
from memedit.training.jobs import split_facts
from tests.helpers import shared_data

COUNTERFACT = {
    "requested_rewrite": {
        "prompt": "The mother tongue of {} is",
        "relation_id": "P103",
        "subject": "Ada Byron",
        "target_new": {"str": "Dutch"},
        "target_true": {"str": "English"},
    },
    "paraphrase_prompts": ["It rained. Ada Byron spoke the language"],
    "neighborhood_prompts": ["The mother tongue of Bo Ek is"],
}
ZSRE = {
    "subject": "Bo Ek", "src": "Where was Bo Ek born?", "rephrase": "What is Bo Ek's birthplace?",
    "alt": "Oslo", "answers": ["Graz"], "pred": "Rome", "loc": "nq question: who was king",
}  # fmt: skip
KNOWEDIT = {
    "subject": "Cy Dahl", "prompt": "The name of the spouse of Cy Dahl is", "target_new": "Eva",
    "locality": {"Relation_Specificity": [{"prompt": "The gender of Cy Dahl is"}]},
}  # fmt: skip


def written(path: Path, *records: Any) -> Path:
    path.write_bytes(gzip.compress("\n".join(json.dumps(r) for r in records).encode()))
    return path


def test_three_forms_are_recognised(tmp_path: Path) -> None:
    facts = read_facts([written(tmp_path / "mixed.jsonl.gz", COUNTERFACT, ZSRE, KNOWEDIT)])
    ada, bo, cy = facts
    assert ada.prompt == "The mother tongue of Ada Byron is" and ada.relation == "P103"
    assert ada.target == "Dutch" and ada.true == "English" and len(ada.paraphrases) == 1
    assert "What is the mother tongue of Ada Byron?" in ada.questions
    assert bo.target == "Oslo" and bo.true == "Graz" and bo.relation == "What is {}'s birthplace?"
    assert bo.questions == ("What is Bo Ek's birthplace?",)
    assert cy.others == ("The gender of Cy Dahl is",)
    assert "What is the spouse of Cy Dahl?" in cy.questions
    assert ada.edit.subject == "Ada Byron" and ada.edit.target_true == "English"


def test_a_fact_that_comes_twice_is_read_once(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl.gz", ZSRE, ZSRE)
    assert len(read_facts([file, file])) == 1


@pytest.mark.parametrize("record", [{"text": "no fact"}, [1, 2]])
def test_an_unknown_record_is_an_error_that_names_the_line(tmp_path: Path, record: Any) -> None:
    with pytest.raises(InvalidInputError, match="line 2"):
        read_facts([written(tmp_path / "a.jsonl.gz", ZSRE, record)])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is not a file"):
        read_facts([tmp_path / "none.jsonl"])
    with pytest.raises(InvalidInputError, match="no sentence"):
        sentences([written(tmp_path / "a.jsonl.gz", {"text": "Short."})])


def test_too_few_facts_cannot_be_split() -> None:
    with pytest.raises(InvalidInputError, match="too few"):
        split_facts([Fact("Ada", "r", "Ada is", "x")])


def test_every_counterfact_relation_has_questions() -> None:
    facts = read_facts([shared_data("counterfact_core.jsonl.gz")])
    assert {fact.relation for fact in facts} == set(read_questions())
    assert all(fact.questions for fact in facts) and len(facts) > 19_000


def test_sister_relations() -> None:
    assert are_sisters("P176", "P178") and are_sisters("P17", "P131") and are_sisters("P20", "P20")
    assert not are_sisters("P103", "P413")


def test_forms_turn_the_question_round() -> None:
    fact = Fact("Ada", "P103", "The mother tongue of Ada is", "Dutch", questions=("Who is Ada?",))
    for seed in range(40):
        rng = random.Random(seed)
        for form in (negate, hypothetical, date, reverse):
            text = form(fact, rng)
            assert text and text not in (fact.prompt, *fact.questions)
            assert ("Ada" in text) or form is reverse
    assert negate(fact, random.Random(1)) == negate(fact, random.Random(1))
