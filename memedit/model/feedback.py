"""What a user says of an answer, as an edit (MemPrompt, Madaan et al. 2022).

A user gives a question and a correction; an edit also wants to know what the question is about, so
that a question about something else does not find it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.core.naming import guess_subject
from memedit.core.options import check_options
from memedit.core.types import SLOT, Edit, Record
from memedit.memory import Receipt
from memedit.model.asking import AskableModel

_COMMON = re.compile(r"[^\w\s]|_")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

_DATES = ("valid_from", "valid_until")
OF_RECORD = ("namespace", "source", *_DATES)
"""Options of a record."""


@dataclass(frozen=True, slots=True)
class FeedbackReceipt:
    """What came of some feedback.

    Attributes:
        answer: What the model had answered.
        right: The answer was right, or says what the feedback says: nothing was written.
        receipt: Of the edit that was written; None where nothing was.
    """

    answer: str
    right: bool
    receipt: Receipt | None = None


def make_edit(question: str, text: str, subject: str | None = None) -> Edit:
    """Feedback as an edit: on the question, or where it marks an ``<argument>``, on the intent.

    Args:
        question: As it was asked.
        text: The right answer, or what was meant.
        subject: What the question is about; guessed from its wording when None.

    Raises:
        InvalidEditError: an empty text, or a subject that does not occur in the question.
    """
    if subject is None and not SLOT.search(question):
        subject = guess_subject(question)
    return Edit(question, text, subject)


def correct_edit(old: Edit, new: Edit) -> Edit | None:
    """The edit that answered wrongly with the right answer, found by the new question too; None
    where it cannot be put so: a statement, an intent, one of several values."""
    if old.target_new is None or old.multiple or SLOT.search(old.prompt + new.prompt):
        return None
    known = {text.casefold() for text in (old.prompt, *old.queries)}
    more = () if new.prompt.casefold() in known else (new.prompt,)
    excluded = tuple(text for text in old.excluded if text != new.prompt)
    return replace(
        old, target_new=new.target_new, queries=(*old.queries, *more), excluded=excluded, id=""
    )


def agrees(answer: str, text: str) -> bool:
    """Whether an answer's first line says what the feedback says, as whole words.

    Case, punctuation and articles do not count.
    """
    said, wanted = (f" {_fold_words(t)} " for t in (answer.strip().split("\n")[0], text))
    return bool(wanted.strip()) and wanted in said


def _fold_words(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", _COMMON.sub("", text.casefold())).split())


class TeachableModel(AskableModel):
    """A model that is told what was wrong with its answers."""

    @abstractmethod
    def edit(self, prompt: Any, target_new: Any = ..., **options: Any) -> Any:
        """Add a fact."""

    @abstractmethod
    def _replace(self, record: Record, edit: Edit, **options: Any) -> Receipt:
        """Put an edit into the place of a live one, and compare it with others as a new one is."""

    def feedback(
        self,
        question: str,
        text: str | None = None,
        *,
        subject: str | None = None,
        answer: str | None = None,
        chat: bool | None = None,
        **options: Any,
    ) -> FeedbackReceipt:
        """Tell what a user said of an answer; what was wrong is corrected from now on: in the edit
        that the question asks, where there is one, else by a new one.

        Nothing is written when the answer was right: when ``text`` is None, or says what the model
        answered.

        Args:
            question: As it was asked. ``"What is akin to <bright>?"``, with its argument marked,
                makes ``text`` hold for every question of that form (see the editor ``memprompt``).
            text: The right answer, or what was meant; None: the answer was right.
            subject: What the question is about; guessed from its wording when None.
            answer: What the model had answered; when None, it is asked now.
            chat: Ask as a chat message, as in :meth:`ask`.
            **options: As for :meth:`edit`, of the record.

        Raises:
            InvalidEditError: an empty text, or a subject that does not occur in the question.
        """
        check_options("EditableModel.feedback", options, OF_RECORD)
        for name, said in (("question", question), ("text", text), ("answer", answer)):
            if not isinstance(said, str) and (said is not None or name == "question"):
                raise InvalidInputError(f"{name} must be a text, not {type(said).__name__}.")
        said = self.ask(question, chat=chat).text if answer is None else answer
        if text is None or agrees(said, text):
            return FeedbackReceipt(said, right=True)
        edit = make_edit(question, text, subject)
        options = {"namespace": self._now.namespace, "source": "feedback", **options}
        # Where the correction will stand, which need not be where the question was asked.
        with self.using(namespace=options["namespace"]):
            fired = self.decide([question])[0].hits
        # Of several it cannot be told which of them answered wrongly.
        if len(fired) == 1 and (better := correct_edit(fired[0].record.edit, edit)) is not None:
            record = fired[0].record
            # What is wrong is what it says, not when it holds.
            dates = {name: getattr(record, name) for name in _DATES}
            given = {name: date for name, date in dates.items() if date is not None}
            receipt = self._replace(record, better, **{**given, **options})
            return FeedbackReceipt(said, right=False, receipt=receipt)
        return FeedbackReceipt(said, right=False, receipt=self.edit(edit, **options))

    def report_miss(self, query: str, id: str) -> Receipt:
        """Tell that ``query`` concerns an edit that did not fire: from now on it finds it.

        Raises:
            UnknownEditError: no such edit in force.
        """
        return self.memory.report(id, query, concerns=True, namespace=self._now.namespace)

    def report_false_fire(self, query: str, id: str | None = None) -> list[Receipt]:
        """Tell that edits fired on ``query`` and should not have: from now on they do not.

        Args:
            query: As it was asked.
            id: The edit that is meant; None: every edit that the query asks now, or whose answer
                it depends on.

        Raises:
            UnknownEditError: no such edit in force.
        """
        ids = [id] if id else [hit.record.id for hit in self.decide([query])[0].bearing]
        namespace = self._now.namespace
        return [self.memory.report(i, query, concerns=False, namespace=namespace) for i in ids]
