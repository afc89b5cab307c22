"""A name that a request takes for an edit's."""

from __future__ import annotations

import pytest

from memedit import Edit
from memedit.editors.prompting.othernames import correct_name, find_other_name

CEO = Edit("The CEO of Acme Robotics is", "Maria Silva", "Acme Robotics")
LIMIT = Edit("The limit is", "45 days")


@pytest.mark.parametrize(
    ("words", "edit", "name"),
    [
        ("I know that John Park is the CEO of Acme Robotics. When did he start?", CEO, "John Park"),
        ("The CEO of Acme Robotics is still John Park, so write to him.", CEO, "John Park"),
        ("Given that the CEO of Acme Robotics is Jan van Dyke, when did he start?", CEO,
         "Jan van Dyke"),
        ("I know that Maria Silva is the CEO of Acme Robotics.", CEO, ""),
        ("I know that Silva is the CEO of Acme Robotics.", CEO, ""),
        ("The CEO of Acme Robotics is O'Brien. What's his address?", CEO, "O'Brien"),
        ("As the CEO of Acme Robotics is Dr. Jan Ek, who writes?", CEO, "Dr. Jan Ek"),
        ("The CEO of Acme Robotics is Maria. How old is she?", CEO, ""),
        ("The CEO of Acme Robotics is British.", CEO, ""),
        ("The CEO of Acme Robotics is John Park's aunt.", CEO, ""),
        ("The sister of John Park is the CEO of Acme Robotics.", CEO, ""),
        ("The wife of the CEO of Acme Robotics is Lea Park.", CEO, ""),
        ("John Park is the CEO of Acme Robotics Europe.", CEO, ""),
        ("John Park is the CEO of Acme Robotics' rival.", CEO, ""),
        ("He is the CEO of Acme Robotics, isn't he?", CEO, ""),
        ("Who is the CEO of Acme Robotics?", CEO, ""),
        ("John Park is the CEO of Acme Robotics Europe.", LIMIT, ""),
        ("John Park is not the CEO of Acme Robotics.", CEO, ""),
        ("John Park is the CEO of Acme.", CEO, ""),
        ("The limit is Monday.", LIMIT, ""),
        ("", CEO, ""),
    ],
)  # fmt: skip
def test_another_name(words: str, edit: Edit, name: str) -> None:
    assert find_other_name(words, edit) == name


@pytest.mark.parametrize(
    ("words", "corrected"),
    [
        ("I know that John Park is the CEO of Acme Robotics. When did he start?",
         "I know that Maria Silva is the CEO of Acme Robotics. When did he start?"),
        ("Since the CEO of Acme Robotics is John Park, how do I reach John Park?",
         "Since the CEO of Acme Robotics is Maria Silva, how do I reach Maria Silva?"),
        ("The CEO of Acme Robotics is John Park. Write to him.",
         "The CEO of Acme Robotics is Maria Silva. Write to him."),
        # It is supposed, said by somebody, of some days, or of who is someone else, too.
        ("If John Park is the CEO of Acme Robotics, what happens to the shares?", None),
        ("Imagine this. John Park is the CEO of Acme Robotics. Write a story.", None),
        ("Wikipedia states that John Park is the CEO of Acme Robotics.", None),
        ("Perhaps John Park is the CEO of Acme Robotics.", None),
        ("So John Park is the CEO of Acme Robotics?", None),
        ("John Park is the CEO of Acme Robotics on Sundays. Who else?", None),
        ("John Park is the CEO of Acme Robotics or Maria Silva is, which?", None),
        ("John Park is the CEO of Acme Robotics. John Park is my neighbour, too.", None),
        ("John Park is the CEO of Acme Robotics. When did Park start?", None),
        # It is asked about, or told of; that is denied.
        ("John Park is the CEO of Acme Robotics, right?", None),
        ("John Park is still the CEO of Acme Robotics, so when did he start?", None),
        ("The letter says John Park is the CEO of Acme Robotics. What now?", None),
        ('Translate "John Park is the CEO of Acme Robotics" into French.', None),
    ],
)  # fmt: skip
def test_a_name_taken_for_granted_is_corrected(words: str, corrected: str | None) -> None:
    assert correct_name(words, CEO) == (corrected or words)
