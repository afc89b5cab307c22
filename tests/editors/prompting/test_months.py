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
    ("The last one was in May, when is the next?", "It comes every month.",
     "1 month after May is June."),
    # Something else was in that month, or something else is asked.
    ("I was born in January. When is my next check-up?", CHECK_UP, ""),
    ("I have been a patient since January, when is the next one due?", CHECK_UP, ""),
    ("I had a letter from you in May, when is my next check-up?", CHECK_UP, ""),
    ("My check-up in May was cancelled, when is the next one?", CHECK_UP, ""),
    ("My next check-up is in January. When was the last one?", CHECK_UP, ""),
    ("I'd like to come again in May. When was I there last?", CHECK_UP, ""),
    ("I had my check-up in January. When do I get the results back?", CHECK_UP, ""),
    ("I had my check-up in January. When are you open next?", CHECK_UP, ""),
    ("It was done in May, when is the one after next?", CHECK_UP, ""),
    ("I was there on May Day, when is the next?", CHECK_UP, ""),
    ("My last lesson was in May, when is the next one?", "It comes within 2 months after May.", ""),
    ("It was in May, when is the next visit?", "A visit takes place every year in October.", ""),
    ("It was in May, when is the next visit?", "A visit takes place twice every year.", ""),
    ("It was in May, when is the next visit?", "A visit no longer takes place every 2 months.", ""),
    ("It was in May, when is the next visit?", "A visit takes place every 18 months.", ""),
])  # fmt: skip
def test_the_month_is_worked_out(words: str, fact: str, line: str) -> None:
    assert work_out_times(words, [fact]) == line
