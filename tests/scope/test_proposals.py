"""Questions proposed for an edit."""

from __future__ import annotations

from typing import Any

from memedit import Edit
from memedit.scope import propose_queries


def test_an_edit_of_a_known_relation_is_offered_its_questions(minilm: Any) -> None:
    edits = [
        Edit("What is the mother tongue of Ada Byron? It is", "Dutch", "Ada Byron"),
        Edit("The capital of Norway is", "Bergen", "Norway"),
        Edit("The office plant of Ada Byron is called", "Fred", "Ada Byron"),
        Edit.from_statement("Our refund window is 60 days."),
    ]
    tongue, capital, plant, statement = propose_queries(edits, minilm)
    assert "What is Ada Byron's native language?" in tongue
    assert "What is the capital of Norway?" in capital
    assert plant == statement == ()
    assert propose_queries([], minilm) == []


def test_a_proposed_question_finds_the_edit(minilm: Any) -> None:
    from dataclasses import replace

    from memedit import EditMemory

    edit = Edit("The capital of Norway is", "Bergen", "Norway")
    (queries,) = propose_queries([edit], minilm)
    memory = EditMemory(None, minilm)
    memory.add(replace(edit, queries=queries, id=""))
    (hits,) = memory.search([queries[-1]])
    assert hits[0].similarity > 0.999
