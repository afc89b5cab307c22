"""Texts that the model writes: fluency, consistency, essence, and the alarm of a collapse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from memedit import Edit
from memedit.core.errors import InvalidInputError
from memedit.data.formats import Options
from memedit.evaluation import load_cases
from memedit.evaluation.asking import writing
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.measures import text
from memedit.evaluation.measures.rows import read
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.compare import compare
from memedit.evaluation.runs.specs import parse
from tests.evaluation.helpers import record, small_model, write

pytest.importorskip("nltk")


@pytest.fixture(scope="module")
def model() -> Any:
    return small_model()


def test_perplexity_is_of_the_first_hundred_tokens(model: Any) -> None:
    """Against a loop over positions, each alone."""
    ids = model.tokenizer("abc def").input_ids
    total = 0.0
    for at in range(1, len(ids)):
        with torch.no_grad():
            logits = model.base(torch.tensor([ids[:at]])).logits[0, -1]
        total -= float(logits.log_softmax(-1)[ids[at]])
    expected = math.exp(total / (len(ids) - 1))
    assert writing.perplexity(Asker(model), "abc def") == pytest.approx(expected, rel=1e-5)
    cut = model.tokenizer.decode(model.tokenizer("x" * 400).input_ids[:100])
    asker = Asker(model)
    assert writing.perplexity(asker, "x" * 400) == pytest.approx(writing.perplexity(asker, cut))


def test_samples_repeat_with_their_seed_and_leave_the_generator_alone(model: Any) -> None:
    asker, before = Asker(model), torch.get_rng_state()
    one, two, other = (writing.sample_texts(asker, ["Ab", "Cd"], seed) for seed in (1, 1, 2))
    assert one == two != other and one[0].startswith("Ab")
    assert torch.equal(before, torch.get_rng_state())


def test_a_case_is_compared_with_its_references(model: Any, tmp_path: Path) -> None:
    """The run's own texts, put through the formula again."""
    first, second = record(0), record(1)
    for each, name in ((first, "Q1"), (second, "Q2")):
        each["requested_rewrite"]["target_new"]["id"] = name
    told = [{"name": "Land0", "text": "a b c d e f g h zz yy aa"}, {"name": "Isle", "text": "no"}]
    snippets = tmp_path / "attribute_snippets.json"
    snippets.write_text(json.dumps([{"relation_id": "P36", "target_id": "Q1", "samples": told}]))
    file = write(tmp_path / "x.jsonl", [first, second])
    cases = load_cases(file, options=Options(references=snippets))
    assert cases.cases[0].references == (told[0]["text"], "no")
    assert cases.cases[0].essence == (told[0]["text"],) and cases.cases[1].references == ()
    found = compare(model, "none", cases, families=("fluency",), folder=tmp_path / "run")
    values = found.tables["none"]["2"]
    assert values["gen_fluency"].n == values["gen_fluency_full"].n == 2
    assert values["gen_consistency"].n == values["essence"].n == 1
    rows = list(read(rows_of(tmp_path / "run", "none")))
    texts = [r["text"] for r in rows if r["measure"] == "gen_fluency" and r["index"] == 0]
    assert len(texts) == 2
    full = [r["text"] for r in rows if r["measure"] == "gen_fluency_full"]
    assert len(full) == 4 and all(
        len(model.tokenizer(each).input_ids) >= writing.TOKENS - 1 for each in full
    )
    weights = text.weights(cases.cases[0].references)
    expected = text.consistency(texts, cases.cases[0].references, weights)
    assert values["gen_consistency"].mean == pytest.approx(expected)
    assert values["gen_entropy_fixed"].n == len(writing.FIXED) == 10


def test_an_edit_alone_on_the_fresh_model(model: Any) -> None:
    """One that fires on nothing changes no text; one that fires on everything does."""
    edit = Edit("The capital of France is", "Lyon", subject="France")
    with_it, without = writing.measure_alone(model, edit)
    assert with_it == without > 0 and not len(model.memory)
    ungated = parse("ike-ungated").build(model, None)
    with_it, again = writing.measure_alone(ungated, edit)
    assert again == without != with_it
    ungated.edit_many([edit])
    with pytest.raises(InvalidInputError, match="has edits"):
        writing.measure_alone(ungated, edit)


def test_a_foreign_file_of_references_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [record(0)])
    for bad in (tmp_path / "none.json", file):
        with pytest.raises(InvalidInputError, match=r"no reference texts|There is no file"):
            load_cases(file, options=Options(references=bad))
