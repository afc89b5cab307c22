"""RippleEdits: reading the authors' form, and which tests count as executed and passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.data.cases import EvalCase, Probe, Query, RippleTest
from memedit.data.records import Json
from memedit.evaluation import load_cases
from memedit.evaluation.measures.ripple import verdicts
from memedit.evaluation.runs.compare import compare
from tests.evaluation.helpers import small_model

CITIZEN = "COUNTRY_OF_CITIZENSHIP"


def query(prompt: str, *answers: tuple[str, ...], **more: Any) -> Json:
    """As the published files write one; ``answers`` are (value, alias, ...)."""
    told = [{"value": value, "aliases": list(aliases)} for value, *aliases in answers]
    given = {"query_type": "regular", "subject_id": "Q1", "relation": "X", "target_ids": ["Q0"]}
    return {"prompt": prompt, "answers": told, "phrase": None} | given | more


def example() -> Json:
    """A record of the popular part, shortened."""
    country = "The name of the country of citizenship of"
    syria = ("Syria", "sy", "s", "Syrian Arab Republic")
    mother = query("The name of the mother of Leo Dica is", ("Irma Dica", "Irma"), relation="M")
    lives = query("Leo Dica speaks", ("Arabic",), ("English", "en"), relation="L")
    alias = query(f"{country} Di Ca is", syria, relation=CITIZEN, target_ids=["Q858"],
                  subject_id="Q1")  # fmt: skip
    hop = query(
        f"{country} the child of Irma Dica is", ("Syria",), query_type="two_hop", subject_id="Q9"
    )
    return {
        "example_type": "popular",
        "edit": {
            "prompt": f"{country} Leo Dica is Syria.",
            "subject_id": "Q1",
            "relation": CITIZEN,
            "target_id": "Q858",
            "previous_fact": {"prompt": f"{country} Leo Dica is United States of America."},
        },
        "Relation_Specificity": [
            {"test_queries": [mother], "test_condition": "OR", "condition_queries": [mother]}
        ],
        "Logical_Generalization": [
            {"test_queries": [lives, hop], "test_condition": "AND", "condition_queries": []}
        ],
        "Subject_Aliasing": [
            {"test_queries": [alias], "test_condition": "OR", "condition_queries": []}
        ],
        "Compositionality_I": [],
        "Compositionality_II": [],
        "Forgetfulness": [],
    }


def read(tmp_path: Path, *records: Json) -> EvalCase:
    file = tmp_path / "popular.json"
    file.write_text(json.dumps(records))
    found = load_cases(file)
    assert found.name == "rippleedits"
    return found.cases[0]


def test_a_record_is_read_with_its_subject_target_and_conditions(tmp_path: Path) -> None:
    case = read(tmp_path, example())
    edit = case.edits[0]
    assert edit.prompt == "The name of the country of citizenship of Leo Dica is"
    assert (edit.subject, edit.target_new) == ("Leo Dica", "Syria")
    assert edit.target_true == "United States of America"
    assert case.probes[0].targets == ("Syria", "sy", "Syrian Arab Republic")  # "s" is left out
    tests = {test.kind: test for test in case.tests}
    assert list(tests) == ["portability:logical_generalization", "portability:subject_aliasing",
                           "locality:relation_specificity"]  # fmt: skip
    logical = tests["portability:logical_generalization"]
    assert logical.every and logical.queries[0].answers == (("Arabic",), ("English", "en"))
    specific = tests["locality:relation_specificity"]
    assert specific.conditions == specific.queries and not specific.every


def test_without_an_answer_the_previous_fact_tells_the_target(tmp_path: Path) -> None:
    record = example() | {"Subject_Aliasing": []}
    assert read(tmp_path, record).edits[0].target_new == "Syria"
    record["edit"] = {**record["edit"], "previous_fact": None}
    with pytest.raises(InvalidInputError, match="'unusable': 1"):
        read(tmp_path, record)


LYON = Probe("efficacy", "F is", ("Lyon", "City of Lyon"))


def case_of(*tests: RippleTest) -> EvalCase:
    return EvalCase("1", (Edit("F is", "Lyon"),), (LYON,), tests=tests)


def told(case: EvalCase, now: dict[str, str], before: dict[str, str]) -> list[tuple[str, float]]:
    aside = ("compat", "edited")
    found = verdicts(case, now, before)
    return [(n, value) for _, n, value in found if not any(word in n for word in aside)]


def test_or_takes_one_query_and_and_takes_all() -> None:
    """Of A (right) and B (names one of two things): OR passes, AND does not."""
    queries = (Query("A", (("x", "xx"),)), Query("B", (("one",), ("two",))))
    now = {"F is": "Lyon", "A": "it is xx", "B": "one"}
    either, both = (RippleTest("portability:a", queries, every=every) for every in (False, True))
    assert told(case_of(either, both), now, {}) == [
        ("ripple_executed", 1), ("ripple_passed", 1), ("ripple_executed", 1), ("ripple_passed", 0),
    ]  # fmt: skip
    assert told(case_of(both), now | {"B": "two or one"}, {})[-1] == ("ripple_passed", 1)


def test_a_test_whose_condition_the_base_does_not_meet_is_not_executed() -> None:
    test = RippleTest("locality:b", (Query("A", (("yes",),)),), (Query("C", (("known",),)),))
    now = {"F is": "Lyon", "A": "yes"}
    assert told(case_of(test), now, {"C": "unknown to me, but known"})[0] == ("ripple_executed", 1)
    assert told(case_of(test), now, {"C": "no idea"}) == [("ripple_executed", 0)]


def test_an_edit_that_failed_passes_nothing() -> None:
    test = RippleTest("portability:a", (Query("A", (("yes",),)),))
    assert told(case_of(test), {"F is": "Paris", "A": "yes"}, {}) == [("ripple_executed", 1)]


@pytest.mark.parametrize(("said", "wanted"), [("Lyon", [1.0, 0.0]), ("Paris", [])])
def test_the_authors_count_what_is_executed_of_edits_that_succeeded(
    said: str, wanted: list[float]
) -> None:
    open_ = RippleTest("portability:a", (Query("A", (("yes",),)),))
    shut = RippleTest("locality:b", (Query("A", (("yes",),)),), (Query("C", (("known",),)),))
    found = verdicts(case_of(open_, shut), {"F is": said, "A": "yes"}, {"C": "no idea"})
    assert [v for _, name, v in found if name == "ripple_executed_edited"] == wanted


def test_compat_searches_the_prompt_too() -> None:
    """The prompt names the answer; only the authors' way of searching finds it."""
    test = RippleTest("portability:a", (Query("Is it Rome or Bonn", (("Rome",),)),))
    found = {n: v for _, n, v in verdicts(
        case_of(test), {"F is": "Lyon", "Is it Rome or Bonn": "?"}, {})}  # fmt: skip
    assert (found["ripple_passed"], found["ripple_passed_compat"]) == (0, 1)


def test_the_run_asks_conditions_of_the_unedited_model(tmp_path: Path) -> None:
    """The fact is known at once (its answer is part of what is asked of), the other condition
    cannot be met by a random model; both count, one is executed."""
    record = example()
    never = query("Irma Dica was born in", ("zzzzzz",))
    record["Subject_Aliasing"][0]["condition_queries"] = [never]
    file = tmp_path / "popular.json"
    file.write_text(json.dumps([record]))
    found = compare(small_model(), ["ike@mention", "none"], file, tokens=3, families=("gen",))
    for table in found.tables.values():
        values = table["1"]
        assert values["ripple_executed_subject_aliasing"].mean == 0
        assert values["ripple_executed_logical_generalization"].mean == 1
        assert "ripple_subject_aliasing" not in values
