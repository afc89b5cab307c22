"""In which month something comes again."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.elapsing import work_out_times

CHECK_UP = "Adult patients are invited to a check-up every nine months"


@pytest.mark.parametrize(("words", "fact", "line"), [
    ("had my check up in january. so in which month would you expect me again?", CHECK_UP,
     "9 months after January is October."),
    ("The last one was in November, when is the next?", "It is inspected every 2 months.",
     "2 months after November is January."),
    ("We were inspected in May. When is it due again?", "Inspections take place every year.",
     "12 months after May is May of the next year."),
    ("When can I come in May?", CHECK_UP, ""),  # no last time
    ("I had it in January and in March, when is the next one?", CHECK_UP, ""),
    ("I had it in January. When is the next one if I am a child?", CHECK_UP, ""),
    ("When was the last one, in January?", "It is open every day.", ""),
])  # fmt: skip
def test_the_month_is_worked_out(words: str, fact: str, line: str) -> None:
    assert work_out_times(words, [fact]) == line
