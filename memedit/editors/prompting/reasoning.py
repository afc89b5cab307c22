"""What is thought through before it is said, as a chain of thought that nobody sees.

A base that must begin with yes or no has not compared anything yet (Wei et al. 2022, arXiv
2201.11903): it says that a basket of 65 euros is delivered free from 80 euros on. Asked to compare
first, the same base is right. A thought that reckons begins with the fact's own words; one that
compares is better off without them: behind them the base says that the fact tells nothing of it.
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
_BEGINS = 'The facts say: "{fact}" '
_RECKONED = (
    "\n\nDo not answer yet. Work it out in one or two short sentences: what do the facts say, and "
    'what follows from it? End with "Result: ...".'
)
_RESULT = re.compile(r"\bresult\W{0,4}\w", re.IGNORECASE)
_LONGEST = 400
"""Characters of a fact that a thought begins with; a longer one is too much to say again."""
_CONCLUDED = re.compile(r"\banswer(?:\s+is)?\W{0,4}(yes|no)\b", re.IGNORECASE)
_ONLY = re.compile(
    r"\(\s*yes\s*/\s*no\s*\)|[^.?!\n:;,–-]*\byes\s*(?:/|or|-or-)\s*no\b[^.?!\n:]*[.!:]?[ \t]*",
    re.IGNORECASE,
)
"""Words that ask for a yes or a no alone; a base that reads them thinks nothing."""


def think_through(rows: Sequence[Row], lm: LM) -> list[Verdict | None]:
    """What the base concludes of each row: a question with the facts before it; None: nothing.

    Args:
        rows: Chats, with their notes.
        lm: The base.
    """
    asked = [replace(row, prompt=_ONLY.sub("", row.prompt).rstrip() + _ASKED) for row in rows]
    return [find_conclusion(thought) for thought in _think(asked, [""] * len(rows), lm)]


def work_out(rows: Sequence[Row], facts: Sequence[str], lm: LM) -> list[str]:
    """What the base reckons for each row, in a sentence or two; "" where it comes to no end.

    Args:
        rows: Chats, with their notes.
        facts: For each the fact that its thought begins with.
        lm: The base.
    """
    asked = [replace(row, prompt=row.prompt + _RECKONED) for row in rows]
    thoughts = (" ".join(thought.split()) for thought in _think(asked, facts, lm))
    return [thought if _RESULT.search(thought) else "" for thought in thoughts]


def _think(rows: Sequence[Row], facts: Sequence[str], lm: LM) -> list[str]:
    """The thoughts of rows; "" where one has no room."""
    if not rows:
        return []
    begun = [
        replace(
            row,
            turn=row.turn and replace(row.turn, after=row.turn.after + _begin(fact)),
            rewritten=True, leans=(), opens=(), shuns=(), keeps=None,
        )
        for row, fact in zip(rows, facts, strict=True)
    ]  # fmt: skip
    batch = Batch(tuple(begun), lm=lm, options={"max_new_tokens": MOST_NEW, "do_sample": False})
    try:
        return [said.text for said in lm.generate(batch)]
    except ContextOverflowError:  # the answer may fit where the thought does not
        return [""] * len(begun)


def _begin(fact: str) -> str:
    return _BEGINS.format(fact=fact) if 0 < len(fact) <= _LONGEST else ""


def find_conclusion(thought: str) -> Verdict | None:
    """The yes or no with which a thought ends; None where it comes to none."""
    found = _CONCLUDED.findall(thought)
    if not found:
        return None
    return "Yes" if found[-1].casefold() == "yes" else "No"
