"""Whether a free answer is right in content: what it must and must not say, as its form asks.

The form itself is judged apart (:mod:`memedit.evaluation.measures.forms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from memedit.evaluation.measures.forms import Form, check, find_chosen, has_form
from memedit.evaluation.measures.saying import agrees, asserts, says_all

REPLY: Form = MappingProxyType({"type": "reply"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer is judged by.

    Attributes:
        must: Of every group one alternative must be said.
        never: None of these may be said as what holds.
        form: As in :mod:`memedit.evaluation.measures.forms`. A ``yes_no`` form's ``says`` and a
            ``choice`` form's ``right`` are the content of such an answer.

    Raises:
        InvalidInputError: a form that cannot be checked.
    """

    must: Sequence[Sequence[str]] = ()
    never: Sequence[str] = ()
    form: Form = field(default_factory=lambda: REPLY)

    def __post_init__(self) -> None:
        check(self.form)

    def right(self, answer: str) -> bool:
        """Whether the content is right, whatever the form."""
        kind: Any = self.form["type"]
        if kind == "yes_no":
            return agrees(answer, self.form["says"], self.must)
        if kind == "choice":
            return find_chosen(answer, self.form["options"]) == {self.form["right"]}
        return says_all(answer, self.must) and not asserts(answer, self.never)

    def kept(self, answer: str) -> bool:
        """Whether the form is kept, whatever the content."""
        return has_form(self.form, answer)
