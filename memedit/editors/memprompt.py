"""MemPrompt: a memory of user feedback, put into the prompt (Madaan et al. 2022, arXiv 2201.06009).

What a user said of an answer is kept under the question, and stands as a *clarification* before the
same question, however it is worded, when it comes again. Two kinds of feedback:

- keyed by *question*: ``"Who wrote Vathek?"`` with ``"William Beckford"``. The clarification is the
  question with its answer;
- keyed by *intent*: a question whose argument is marked as in the paper, ``"What is akin to
  <bright>?"``, with what is meant: ``"a synonym is wanted"``. It stands before every question of
  that form, whatever the argument.

Nothing is trained. :meth:`memedit.EditableModel.feedback` writes, and only when the answer was
wrong; the scope ``feedback`` looks up both kinds. The paper's form ``question | clarification:
feedback`` becomes a line before the question, which small models follow better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from memedit.core.calls import LM, Batch, Call, Row
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload, is_intent
from memedit.editors.prompting.forms import END, hits_of, plain
from memedit.editors.prompting.shots import Shot, Stated, ask_in_form

LABEL = "Clarification"
_ANSWER = 12
"""Most words of a bare answer."""
_REMARKS = frozenset(
    "no yes nope wrong actually not sorry it it's that that's i you please".split()
)

SHOTS = (
    Shot("Who painted The Harbour at Velm? Ines Lund", "By whom was The Harbour at Velm painted?",
         "Ines Lund"),
    Shot("What year was the Orbatec Bridge opened? 1957", "When did the Orbatec Bridge open?",
         "1957"),
    Shot("by \"like\" I mean a word for the same thing", "What is like start?", "begin"),
    Shot("The mother tongue of Tarek Ilvane is Tamil",
         "Which language did Tarek Ilvane grow up with?", "Tamil"),
    Shot("On what network did Night Ferry first air? Castrell Television",
         "What was the original network of Night Ferry?", "Castrell Television"),
    Shot("What is the name of the capital of Norvessa? Dalmor", "What is the capital of Spain?",
         "Madrid"),
    Shot("What was Jorun Skaleby's occupation? marine biologist",
         "What did Jorun Skaleby do for a living?", "marine biologist"),
    Shot("What species is Pellin? Astian", "Which species does Pellin belong to?", "Astian"),
)  # fmt: skip
"""Seven follow the clarification, one ignores one that says nothing of its question."""


@holds_settings
class MemPrompt:
    """Feedback as a clarification before the question.

    Attributes:
        shots: Worked examples before it.
        verbatim: Feedback that is a bare answer ("William Beckford", not "No, it was him.") is said
            as the user gave it, word for word. A small model that reads it may say otherwise.

    Raises:
        InvalidInputError: a number out of range.
    """

    name: ClassVar[str] = "memprompt"
    needs: ClassVar[frozenset[str]] = frozenset()
    default_scope: ClassVar[str] = "feedback"
    shots: int = len(SHOTS)
    verbatim: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.shots <= len(SHOTS):
            raise InvalidInputError(f"shots must be 0 to {len(SHOTS)}.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``clarification``, one line.

        Of a question (or a prompt, a statement) it is the edit as a sentence; of an intent, what is
        meant alone.
        """
        return [{"clarification": plain(clarification(edit), lm.tokenizer)} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Rows in scope with their clarification; the others pass unchanged."""
        return batch.route(
            lambda row: bool(hits_of(row, self.name)), partial(self._clarify, call=call), call
        )

    def _clarify(self, batch: Batch, call: Call) -> list[Any]:
        items = [self._state(row) for row in batch.rows]
        return ask_in_form(batch, items, call, LABEL, SHOTS[: self.shots])

    def _state(self, row: Row) -> Stated:
        hit = hits_of(row, self.name)[0]
        said = str(hit.record.payloads[self.name]["clarification"])
        answer = bare_answer(hit.record.edit)
        if self.verbatim and row.target is None and answer and said.endswith(answer):
            row = replace(row, answers=(answer,))
        return Stated(row, said, hit)


def bare_answer(edit: Edit) -> str | None:
    """The feedback, if it is an answer and nothing else: no clarification, no sentence."""
    if edit.target_new is None or is_intent(edit):
        return None
    words = edit.target_new.split()
    sentence = words[-1].endswith((".", "!", "?")) and len(words) > 4
    if len(words) > _ANSWER or sentence or words[0].casefold().strip(",.") in _REMARKS:
        return None
    return " ".join(words)


def clarification(edit: Edit) -> str:
    """What is said before a question that finds this edit."""
    if edit.target_new is not None and is_intent(edit):
        return edit.target_new
    return edit.statement.replace(END, " ")
