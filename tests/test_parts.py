"""Behaviours every scope, encoder and data format must have. They are found by name, not listed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memedit import scope as scopes
from memedit.core.errors import EncoderMismatchError
from memedit.core.protocols import ChecksEncoder, Encoder, Scope
from memedit.core.registry import members_of
from memedit.core.types import Decision, Edit, Hit
from memedit.data.cases import EvalCase
from memedit.data.formats import Options, detect, formats
from memedit.engine.encoders import HashingEncoder, available, load_encoder
from memedit.evaluation import load_cases
from memedit.memory import EditMemory
from memedit.model.judging import find_candidates as candidates_of

FACTS = (
    Edit("The capital of France is", "Lyon", "France"),
    Edit("The mother tongue of Ada Byron is", "Dutch", "Ada Byron"),
    Edit("Our refund window is 60 days.", None),
)
QUERIES = (
    "The capital of France is",
    "Which language did Ada Byron grow up with?",
    "What is our refund window?",
    "Two and two make",
    "Ünïcödé 🦜, and\na second line",
)

# Scopes


def _candidates(scope: Scope, encoder: Encoder) -> list[list[Hit]]:
    with EditMemory(None, encoder) as memory:
        memory.add_many(FACTS)
        return [list(hits) for hits in candidates_of(scope, memory, QUERIES, "default", None)]


def _each_scope() -> list[Any]:
    """Those that are trained for an encoder may need the real one."""
    trained = {n for n in scopes.available() if hasattr(scopes.scope_class(n), "check_encoder")}
    return [
        pytest.param(name, marks=pytest.mark.slow) if name in trained else name
        for name in scopes.available()
    ]


@pytest.fixture(scope="module", params=_each_scope())
def judged(request: pytest.FixtureRequest) -> tuple[str, Scope, list[list[Hit]]]:
    """A scope by its name, and candidates of the encoder it is for."""
    made, encoder = scopes.load_scope(request.param), HashingEncoder(64)
    if isinstance(made, ChecksEncoder):
        try:
            made.check_encoder(encoder.id)
        except EncoderMismatchError:
            return request.param, made, _candidates(made, request.getfixturevalue("minilm"))
    return request.param, made, _candidates(made, encoder)


def _said(decision: Decision) -> Any:
    ids = [hit.record.id for hit in decision.hits]
    return ids, [hit.record.id for hit in decision.informs], pytest.approx(decision.score, abs=1e-4)


def test_a_scope_is_found_by_its_name_and_frozen(judged: Any) -> None:
    name, scope, _ = judged
    assert scope.name == name and scopes.load_scope(name) == scope
    assert all(hasattr(scope, member) for member in members_of(Scope))
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        scope.name = "other"


def test_a_scope_decides_each_query_by_its_own_candidates(judged: Any) -> None:
    _, scope, candidates = judged
    decisions = scope.decide(QUERIES, candidates)
    assert len(decisions) == len(QUERIES)
    for decision, hits in zip(decisions, candidates, strict=True):
        known = {hit.record.id for hit in hits}
        assert {hit.record.id for hit in (*decision.hits, *decision.informs)} <= known
        assert all(hit.role == "asks" for hit in decision.hits)
        assert all(hit.role == "informs" for hit in decision.informs)
        assert bool(decision) is bool(decision.bearing) and np.isfinite(decision.score)
        for hit in decision.hits:  # its record as it was, whatever else the hit is told
            assert hit.record in [each.record for each in hits]


def test_a_scope_decides_a_batch_as_it_decides_each_alone(judged: Any) -> None:
    _, scope, candidates = judged
    together = scope.decide(QUERIES, candidates)
    alone = [scope.decide([q], [hits])[0] for q, hits in zip(QUERIES, candidates, strict=True)]
    assert [_said(d)[:2] for d in together] == [_said(d)[:2] for d in alone]
    assert [d.score for d in together] == [_said(d)[2] for d in alone]


def test_without_candidates_nothing_is_in_scope(judged: Any) -> None:
    _, scope, _ = judged
    assert list(scope.decide([], [])) == []
    (decision,) = scope.decide([QUERIES[0]], [[]])
    assert not decision and not decision.informs


# Encoders


@pytest.mark.parametrize("name", available())
def test_an_encoder_gives_the_same_unit_vectors_whatever_stands_beside(name: str) -> None:
    encoder = load_encoder(name)
    assert isinstance(encoder, Encoder) and encoder.id == load_encoder(name).id
    vectors = encoder.encode(QUERIES)
    assert vectors.shape == (len(QUERIES), encoder.dimension) and vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert all(abs(length - 1) < 1e-3 or length == 0 for length in lengths)
    np.testing.assert_allclose(encoder.encode(QUERIES[1:2])[0], vectors[1], atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)


# Data formats

_REWRITE = {
    "prompt": "The capital of {} is", "subject": "France", "relation_id": "P36",
    "target_new": {"str": "Lyon", "id": "Q456"}, "target_true": {"str": "Paris", "id": "Q90"},
}  # fmt: skip
EXAMPLES: dict[str, dict[str, Any]] = {
    "counterfact": {
        "case_id": 7, "requested_rewrite": _REWRITE,
        "paraphrase_prompts": ["It rained. France's capital is"],
        "neighborhood_prompts": ["The capital of Peru is"], "generation_prompts": ["France has"],
    },
    "counterfact_portability": {
        "case_id": 7, "portability": {
            "New Question": "On which river is the capital of France?", "New Answer": "Rhône",
        },
    },
    "knowedit": {
        "prompt": "The capital of France is", "subject": "France", "target_new": "Lyon",
        "ground_truth": ["Paris"], "rephrase_prompt": "France's capital is",
        "portability": {"Reasoning": [{"prompt": "Its river is", "ground_truth": [["Rhône"]]}]},
        "locality": {"Relation_Specificity": [
            {"prompt": "The currency of France is", "ground_truth": [["euro"]]}
        ]},
    },
    "mquake": {
        "case_id": 3, "requested_rewrite": [{**_REWRITE, "question": "What is its capital?"}],
        "questions": ["Which river flows through the capital of France?"], "new_answer": "Rhône",
        "new_answer_alias": ["Rhone"], "answer": "Seine", "new_single_hops": [
            {"cloze": "The capital of France is", "question": "What is it?", "answer": "Lyon"},
        ],
    },
    "own": {
        "prompt": "The capital of France is", "target_new": "Lyon", "subject": "France",
        "paraphrases": ["France's capital is"], "locality": ["The capital of Peru is"],
    },
    "rippleedits": {
        "example_type": "popular", "edit": {
            "prompt": "The name of the capital of France is Lyon.",
            "subject_id": "Q142", "relation": "CAPITAL", "target_id": "Q456",
            "original_fact": {"prompt": "The name of the capital of France is Paris."},
        },
    },
    "zsre": {
        "subject": "France", "src": "What is the capital of France?", "alt": "Lyon",
        "answers": ["Paris"], "rephrase": "Which city is the capital of France?",
        "loc": "nq question: who won?", "loc_ans": "nobody",
    },
}  # fmt: skip
"""A record of each of ours; a format of another package has its ``EXAMPLE``."""


def example(name: str) -> dict[str, Any]:
    if name in EXAMPLES:
        return EXAMPLES[name]
    shown = vars(formats()[name]).get("EXAMPLE")
    assert shown, f"The format {name!r} has no EXAMPLE, a record to be tried with."
    return dict(shown)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the example of each format: some are completed by a file beside them."""
    for name in formats():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(example(name)) + "\n")
    return tmp_path


@pytest.mark.parametrize("name", sorted(formats()))
def test_a_format_recognises_its_own_records_alone(name: str) -> None:
    assert detect(example(name))[0] == name
    form = formats()[name]
    assert not form.recognises({}) and not form.recognises({"no": "such", "keys": [1]})


@pytest.mark.parametrize("name", sorted(formats()))
def test_a_format_reads_one_case_a_record(name: str, files: Path) -> None:
    file, form = files / f"{name}.jsonl", formats()[name]
    options = Options(path=file)
    (case,) = form.read([example(name)], options)
    assert isinstance(case, EvalCase) and case.edits and case.probes
    assert list(form.read([example(name)], options)) == [case]  # nothing is left from one reading
    assert list(form.read([], options)) == []
    asked = {probe.prompt for probe in case.probes if probe.kind == "efficacy"}
    assert asked == {edit.prompt for edit in case.edits if edit.target_new is not None}
    assert load_cases(file).cases[0].edits == case.edits
