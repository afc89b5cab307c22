"""How prompts are put, and what is asked of hard probes."""

from __future__ import annotations

from pathlib import Path

import pytest

from memedit import Edit
from memedit.core.errors import UnknownNameError
from memedit.data.formats import Options
from memedit.data.formats.mquake import with_shots
from memedit.data.hard import make_probes
from memedit.evaluation import load_cases
from memedit.evaluation.framing import put_in_frame
from tests.evaluation.helpers import record, write


@pytest.mark.parametrize(
    "frame, question, cloze",
    [
        ("plain", "Who?", "He is"),
        ("chat", "Who?", "He is"),
        ("qa", "Question: Who?\nAnswer:", "He is"),
        (
            "instruction",
            "Answer the question in a few words.\nWho?",
            "Complete the sentence in a few words.\nHe is",
        ),
    ],
)
def test_frames(frame: str, question: str, cloze: str) -> None:
    assert (put_in_frame(frame, "Who?"), put_in_frame(frame, "He is")) == (question, cloze)


def test_frames_that_put_something_before() -> None:
    assert with_shots("Who?").endswith(" A: Finnish\nQ: Who? A:")
    assert (
        put_in_frame("shots", "Who?") == with_shots("Who?")
        and put_in_frame("shots", "He is") == "He is"
    )
    dialogue = put_in_frame("dialogue", "Who?")
    assert dialogue.count("User:") == 2 and dialogue.endswith("User: Who?\nAssistant:")
    assert put_in_frame("dialogue", "He is").endswith("User: He is")
    with pytest.raises(UnknownNameError, match="Did you mean: plain"):
        put_in_frame("plan", "Who?")


def test_hard_probes_of_a_completion_and_a_question() -> None:
    edit = Edit("The capital of France is", "Lyon", subject="France")
    assert {p.kind: p.prompt for p in make_probes(edit)} == {
        "hard:reversed": "The capital of Lyon is",
        "hard:negated": "The capital of France is certainly not",
        "hard:hypothetical": "Had the story of France taken another course, the capital of France "
        "might be",
        "hard:dated": "Three hundred years earlier, the capital of France had been",
    }
    asked = {p.kind: p.prompt for p in make_probes(Edit("Who leads Acme?", "Ada", subject="Acme"))}
    assert asked["hard:negated"] == "Give a wrong answer on purpose. Who leads Acme?"
    other = {p.kind: p.prompt for p in make_probes(Edit("Bo plays", "chess", subject="Bo"))}
    assert other["hard:negated"] == "Nobody who knows would say that Bo plays"
    assert not list(make_probes(Edit("The sky is", "green")))


def test_hard_probes_are_added_on_request_and_shall_stay_as_they_were(tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [record(0)])
    plain, more = (load_cases(file, options=Options(hard=hard)) for hard in (False, True))
    added = more.cases[0].probes[len(plain.cases[0].probes) :]
    assert [p.kind.partition(":")[0] for p in added] == ["hard"] * 4
    assert all(p.local for p in added) and plain.digest != more.digest
