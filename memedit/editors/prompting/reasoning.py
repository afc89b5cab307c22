"""A yes or no thought through before it is said, as a chain of thought that nobody sees.

A base that must begin with yes or no has not compared anything yet (Wei et al. 2022, arXiv
2201.11903): it says that a basket of 65 euros is delivered free from 80 euros on. Asked to compare
first, the same base is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from memedit.core.calls import LM, Batch, Row
from memedit.core.errors import ContextOverflowError
from memedit.editors.prompting.verdicts import Verdict

MOST_NEW = 128
"""New tokens of a thought."""
_ASKED = (
    "\n\nThink it through in one or two short sentences: what do the facts say, what is asked, how "
    'do they compare? End with "Answer: Yes" or "Answer: No".'
)
_CONCLUDED = re.compile(r"\banswer(?:\s+is)?\W{0,4}(yes|no)\b", re.IGNORECASE)


def think_through(rows: Sequence[Row], lm: LM) -> list[Verdict | None]:
    """What the base concludes of each row: a question with the facts before it; None: nothing.

    Args:
        rows: Chats, with their notes.
        lm: The base.
    """
    asked = [
        replace(row, prompt=row.prompt + _ASKED, rewritten=True, leans=(), opens=(), keeps=None)
        for row in rows
    ]
    batch = Batch(tuple(asked), lm=lm, options={"max_new_tokens": MOST_NEW, "do_sample": False})
    try:
        return [find_conclusion(said.text) for said in lm.generate(batch)]
    except ContextOverflowError:  # the answer may fit where the thought does not
        return [None] * len(asked)


def find_conclusion(thought: str) -> Verdict | None:
    """The yes or no with which a thought ends; None where it comes to none."""
    found = _CONCLUDED.findall(thought)
    if not found:
        return None
    return "Yes" if found[-1].casefold() == "yes" else "No"
