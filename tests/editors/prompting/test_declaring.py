"""Questions with their answers, said as sentences."""

from __future__ import annotations

import pytest

from memedit import Edit
from memedit.editors.prompting.declaring import declare


@pytest.mark.parametrize(
    ("asked", "target", "subject", "said"),
    [
        ("Who is the lyricist of Ride?", "Lana Del Rey", "Ride",
         "The lyricist of Ride is Lana Del Rey"),
        ("What was Gforth distributed by?", "GNU", "Gforth", "Gforth was distributed by GNU"),
        ("Who is the producer of And the Beat Goes On?", "Bo Ek", "And the Beat Goes On",
         "The producer of And the Beat Goes On is Bo Ek"),
        ("who developed the CPU?", "Ada", None, "Ada developed the CPU"),
        ("What does Innuendo follow?", "The Miracle", "Innuendo",
         'The answer to "What does Innuendo follow?" is The Miracle'),
        ("Who did Ann marry?", "Bo", "Ann", 'The answer to "Who did Ann marry?" is Bo'),
        ("What is it made of?", "glass", None, 'The answer to "What is it made of?" is glass'),
        ("Wer leitet das Amt?", "Karl", None, 'The answer to "Wer leitet das Amt?" is Karl'),
        ("Who is the cook?", "Bo\nand Ann", None,
         'The answer to "Who is the cook?" is:\nBo\nand Ann'),
        ("Who wrote Hamlet and when?", "Kyd", "Hamlet",
         'The answer to "Who wrote Hamlet and when?" is Kyd'),
        ("What is the price of the plan?", "It costs 30 euros.", "plan",
         'The answer to "What is the price of the plan?" is: It costs 30 euros.'),
        ("The capital of France is", "Lyon", "France", "The capital of France is Lyon"),
    ],
)  # fmt: skip
def test_a_question_with_its_answer_is_a_sentence(
    asked: str, target: str, subject: str | None, said: str
) -> None:
    assert declare(Edit(asked, target, subject)) == said


def test_a_statement_stays_as_it_is() -> None:
    assert declare(Edit.from_statement("Is it open? Yes, till 7.")) == "Is it open? Yes, till 7."
