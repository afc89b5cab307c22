"""The shipped scope and the shipped counterfactual adapter, on the real default model."""

from __future__ import annotations

from typing import Any

import pytest

from memedit import Edit, EditableModel
from memedit.editors.prompting.adapter import adapter_for, find_shipped
from memedit.editors.serac import Serac
from memedit.scope import Nearest

FACTS = [
    Edit("The capital of France is", "Lyon", "France"),
    Edit("The mother tongue of Danielle Darrieux is", "Dutch", "Danielle Darrieux"),
    Edit("Which position does Bo Tarnell play?", "goalkeeper", "Bo Tarnell"),
    Edit("The headquarters of Velmora Labs is in", "Osaka", "Velmora Labs"),
    Edit.from_statement("Our refund window is 60 days."),
]
ASKED = [
    ("What is the capital city of France?", "Lyon"),
    ("It was late. Danielle Darrieux is a native speaker of", "Dutch"),
    ("Bo Tarnell plays in the position of", "goalkeeper"),
    ("Velmora Labs is based in", "Osaka"),
    ("How long is the refund window?", "60 days"),
]
ELSEWHERE = [
    "The capital of Spain is",
    "Danielle Darrieux was born in the city of",
    "Which sport does Anna Kournikova play?",
    "The chemical symbol of gold is",
    "How many legs does a spider have?",
    "The headquarters of Toyota is in",
]


@pytest.fixture(scope="module")
def serac(smollm: tuple[Any, Any], minilm: Any) -> EditableModel:
    model = EditableModel(*smollm, encoder=minilm, editor="serac")
    model.edit_many(FACTS)
    return model


def test_an_adapter_is_shipped_for_the_default_model(serac: EditableModel) -> None:
    assert adapter_for(serac.engine.fingerprint) is not None
    assert sum(file.stat().st_size for file in find_shipped().rglob("*") if file.is_file()) < 12e6


def test_the_answer_is_the_object_and_then_it_stops(serac: EditableModel) -> None:
    answers = serac.ask([query for query, _ in ASKED], max_new_tokens=40)
    assert [a.text for a in answers] == [target for _, target in ASKED]
    chat = serac.ask("What is the capital of France?", chat=True, max_new_tokens=40)
    assert chat.text.rstrip(".") == "Lyon"


def test_a_forced_false_fire_does_little_harm(serac: EditableModel) -> None:
    """With a scope that always fires, the adapter declines and the base answers."""
    forced = EditableModel(
        serac.base, serac.tokenizer, memory=serac.memory, editor="serac", scope=Nearest()
    )
    answers = forced.ask(ELSEWHERE, max_new_tokens=10)
    assert all(answer.decision for answer in answers)
    with forced.unedited():
        base = forced.ask(ELSEWHERE, max_new_tokens=10)
    same = sum(a.text == b.text for a, b in zip(answers, base, strict=True))
    assert same >= len(ELSEWHERE) - 1
    never = EditableModel(
        serac.base, serac.tokenizer, memory=serac.memory, scope=Nearest(),
        editor=Serac(decline=False),
    )  # fmt: skip
    changed = never.ask(ELSEWHERE, max_new_tokens=10)
    assert sum(a.text != b.text for a, b in zip(changed, base, strict=True)) > 1


def test_the_default_scope_tells_like_questions_apart(serac: EditableModel) -> None:
    fires = [bool(d) for d in serac.decide([query for query, _ in ASKED])]
    assert fires == [True] * len(ASKED)
    turned = [
        "The capital of France is not",
        "Before 1790, the capital of France was",
        "Lyon is the capital of",
        "The capital of Spain is",
        "What is the population of France?",
        "Danielle Darrieux died in the city of",
        "Where was Bo Tarnell born?",
        "France won the match by two goals, and the crowd was singing until late.",
    ]
    assert not any(serac.decide(turned))


def test_explain_says_which_words_matched(serac: EditableModel) -> None:
    plain = serac.explain("What is the capital city of France?").to_dict()
    best = plain["candidates"][0]
    assert plain["in_scope"] and best["score"] == plain["score"] > plain["threshold"]
    assert best["mention"] == "France" and best["words"] == ["capital"]


def test_a_threshold_from_own_traffic(serac: EditableModel) -> None:
    kept = serac.scope
    try:
        traffic = [f"{query} And number {i}?" for query in ELSEWHERE for i in range(10)]
        scope = serac.calibrate_scope(traffic, max_false_fire=0.05, confidence=0.9)
        assert scope is serac.scope and scope.threshold >= kept.threshold  # type: ignore[attr-defined]
        assert sum(map(bool, serac.decide(traffic))) <= 0.05 * len(traffic)
    finally:
        serac.scope = kept
