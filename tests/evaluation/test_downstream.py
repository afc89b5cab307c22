"""Downstream tasks through lm-evaluation-harness, and their scores against hand-worked values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError, UnknownNameError
from memedit.evaluation.downstream import available, downstream, scores
from memedit.evaluation.tasks import scoring
from tests.evaluation.helpers import small_model
from tests.helpers import shared_data

EIGHT = {"boolq", "conll03", "gsm8k", "mutual", "nq_open", "rte", "samsum", "sst2"}


def test_the_eight_tasks_and_perplexity_are_there() -> None:
    assert set(available()) == EIGHT | {"wikitext2"}


def test_gsm8k_takes_the_marked_number_or_the_last() -> None:
    doc = {"final": "1,200"}
    for said, right in (
        ("It is 7. #### 1200", 1), ("so $1,200.", 1), ("1200 or 3", 0), ("none", 0),
    ):  # fmt: skip
        assert scoring.gsm8k(doc, [said]) == {"solve_rate": right}, said
    assert scoring.gsm8k({"final": "?"}, ["none"]) == {"solve_rate": 0}


def test_nq_open_is_exact_after_normalisation() -> None:
    doc = {"answer": ["14 December 1972 UTC", "December 1972"]}
    assert scoring.nq_open(doc, [" The December, 1972. And"]) == {"exact_match": 1}
    assert scoring.nq_open(doc, ["in December 1972"]) == {"exact_match": 0}


def test_boolq_and_mutual_positions() -> None:
    assert (scoring.boolq_target({"answer": True}), scoring.boolq_target({"answer": False})) == (
        1,
        0,
    )


def test_rouge() -> None:
    """ "the cat sat" for "the cat ran": two of three words, one of two bigrams, LCS two."""
    pytest.importorskip("rouge_score")
    found = scoring.samsum({"summary": "the cat ran"}, ["the cat sat"])
    assert found == pytest.approx({"rouge1": 2 / 3, "rouge2": 1 / 2, "rougeL": 2 / 3})


def test_entities_of_bio_tags() -> None:
    tokens = "Bo Ek of Acme , Oslo Rome".split()
    tags = "B-PER I-PER O B-ORG O B-LOC B-LOC".split()
    assert scoring.entities(tokens, tags) == [
        ("Bo Ek", "PER"), ("Acme", "ORG"), ("Oslo", "LOC"), ("Rome", "LOC"),
    ]  # fmt: skip
    assert scoring.entities(["A", "B"], ["I-LOC", "I-PER"]) == [("A", "LOC"), ("B", "PER")]


def test_entity_f1_is_over_all_sentences() -> None:
    """Right 1 of 2 said and 3 true; then none of 0 said and 1 true: 2*1/(2+4)."""
    doc = {"tokens": ["A", "b", "C", "D"], "ner": ["B-LOC", "O", "B-PER", "B-ORG"]}
    first = scoring.conll03(doc, [" A = LOC; C = ORG"])["entity_f1"]
    second = scoring.conll03({"tokens": ["A"], "ner": ["B-LOC"]}, [" none"])["entity_f1"]
    assert (first, second) == ((1, 2, 3), (0, 0, 1))
    assert scoring.micro_f1([first, second]) == pytest.approx(1 / 3)
    assert scoring.micro_f1([(0, 0, 0)]) == 0


def test_scores_of_items() -> None:
    """Accuracy is a mean; perplexity exp(-sum log p / words); F1 over all counts."""
    items: dict[str, Any] = {
        "sst2": [{"metrics": ["acc"], "acc": float(i < 3)} for i in range(4)],
        "wikitext2": [
            {"metrics": ["word_perplexity"], "word_perplexity": (-math.log(8), 1)},
            {"metrics": ["word_perplexity"], "word_perplexity": (-math.log(8), 2)},
        ],
        "conll03": [{"metrics": ["entity_f1"], "entity_f1": (1, 2, 3)}],
    }
    found = scores(items)
    assert found["sst2"]["acc"]["mean"] == 0.75 and found["sst2"]["acc"]["n"] == 4
    assert found["sst2"]["acc"]["low"] < 0.75 < found["sst2"]["acc"]["high"]
    assert found["wikitext2"]["word_perplexity"]["mean"] == pytest.approx(4)
    assert found["conll03"]["entity_f1"]["mean"] == pytest.approx(0.4)


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    model = small_model()
    with pytest.raises(UnknownNameError, match="Did you mean: sst2"):
        downstream(model, ["sst3"], tmp_path)
    with pytest.raises(InvalidInputError, match="No task"):
        downstream(model, [], tmp_path)
    with pytest.raises(InvalidInputError, match="no folder"):
        downstream(model, ["sst2"], tmp_path / "none")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_tasks_run_and_nothing_out_of_scope_changes() -> None:
    pytest.importorskip("lm_eval")
    data = shared_data("downstream")
    model = small_model(scope="mention")
    model.edit("The capital of France is", "Lyon", subject="France")
    found = downstream(model, available(), data, limit=2)
    assert set(found["before"]) == EIGHT | {"wikitext2"}
    assert found["before"] == found["after"]
    for counts in found["scope"].values():
        assert counts == {"items": 2, "in_scope": 0, "changed": 0, "changed_out_of_scope": 0}
    assert found["manifest"]["edits"] == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_items_that_an_edit_fires_on_are_counted(tmp_path: Path) -> None:
    """With every edit in force everywhere all items are in scope, and some come out changed."""
    pytest.importorskip("lm_eval")
    from memedit.scope import load_scope

    model = small_model(scope=load_scope("nearest"))
    model.edit("The capital of France is", "Lyon", subject="France")
    found = downstream(model, ["nq_open", "sst2"], shared_data("downstream"), limit=3)
    for counts in found["scope"].values():
        assert counts["in_scope"] == counts["items"] == 3
        assert counts["changed"] > 0 == counts["changed_out_of_scope"]
    with pytest.raises(InvalidInputError, match="is not a file"):
        downstream(model, ["sst2"], tmp_path)
