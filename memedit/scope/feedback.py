"""``Feedback``: MemPrompt's lookups (Madaan et al. 2022, section 3.2), by question and by intent.

Feedback on a question is found as any edit is, by another scope: the questions must ask the same of
the same subject. Feedback on an *intent*, a key with its argument marked (``"What is akin to
<bright>?"``), is found by the paper's ``closest`` lookup: case, punctuation and what stands between
``<`` and ``>`` do not count, and the rest may differ by fewer than six edits (Levenshtein). A query
that marks no argument may have any words in its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.protocols import ChecksEncoder, Scope
from memedit.core.types import SLOT, Decision, Hit, is_intent
from memedit.scope.classifier import ClassifierScope
from memedit.scope.rules import Mention, Nearest, Threshold

_TAIL = 2_000
"""Characters at the end of a query that are compared."""
_OTHER = re.compile(r"[^\w\s]|_")
_LOOKUPS: dict[str, type[Any]] = {c.name: c for c in (ClassifierScope, Mention, Nearest, Threshold)}


@holds_settings
class Feedback:
    """By question as another scope decides, by intent as the paper does.

    Attributes:
        lookup: Name of the scope for questions: classifier, mention, threshold or nearest.
        distance: An intent is found below this distance; the paper's is 6.
        share: ... and below this share of its letters, so that short ones are not found everywhere.

    Raises:
        InvalidInputError: no such lookup, or a number out of range.
    """

    name: ClassVar[str] = "feedback"
    lookup: str = ClassifierScope.name
    distance: int = 6
    share: float = 0.34

    def __post_init__(self) -> None:
        if self.lookup not in _LOOKUPS:
            raise InvalidInputError(
                f"There is no lookup {self.lookup!r}.", hint=f"One of: {', '.join(_LOOKUPS)}."
            )
        if self.distance < 1 or not 0 < self.share <= 1:
            raise InvalidInputError("distance must be at least 1, share above 0 and at most 1.")

    @cached_property
    def _questions(self) -> Scope:
        scope: Scope = _LOOKUPS[self.lookup]()
        return scope

    def check_encoder(self, encoder: str) -> None:
        """As the lookup for questions does.

        Raises:
            EncoderMismatchError: it was trained for another encoder.
        """
        if isinstance(self._questions, ChecksEncoder):
            self._questions.check_encoder(encoder)

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        """One decision per prompt; feedback on the question goes before feedback on the intent."""
        intents = [[hit for hit in hits if is_intent(hit.record.edit)] for hits in candidates]
        questions = [[h for h in hits if not is_intent(h.record.edit)] for hits in candidates]
        decisions = self._questions.decide(prompts, questions)
        return [
            self._join_intents(decision, prompt, hits)
            for decision, prompt, hits in zip(decisions, prompts, intents, strict=True)
        ]

    def _join_intents(self, decision: Decision, prompt: str, intents: Sequence[Hit]) -> Decision:
        found: list[tuple[float, int, Hit]] = []
        for hit in intents:
            key = hit.record.edit.prompt
            texts = {prompt[-_TAIL:], (hit.view or prompt)[-_TAIL:]}
            apart = min(distance(key, text) for text in texts)
            letters = len(_fold_letters(SLOT.sub("", key)))
            if apart < min(float(self.distance), max(1.0, self.share * letters)):
                score = 1 - apart / max(1, letters)
                found.append((apart, -hit.record.sequence, replace(hit, score=score, role="asks")))
        if not found:
            return replace(decision, candidates=(*decision.candidates, *intents))
        ranked = tuple(hit for _, _, hit in sorted(found, key=lambda one: one[:2]))
        return replace(
            decision,
            hits=(*decision.hits, *ranked),
            score=max(decision.score, ranked[0].score or 0.0),
            candidates=(*decision.candidates, *intents),
            unsure=False,
        )


def _fold_letters(text: str) -> str:
    """Folded, one space between words, letters and digits only."""
    return " ".join(_OTHER.sub("", text.casefold()).split())


def distance(key: str, query: str) -> int:
    """Levenshtein distance of an intent's key and a query, their arguments left out.

    The argument of a query that marks none is the words whose place brings the two nearest.
    """
    if SLOT.search(query):
        return _measure_rows(
            _fold_letters(SLOT.sub(" ", key)), _fold_letters(SLOT.sub(" ", query))
        )[-1]
    left, _, right = SLOT.sub("\x00", key).partition("\x00")
    left, right = _fold_letters(left), _fold_letters(right.replace("\x00", " "))
    asked = _fold_letters(query)
    words = [0, *(i + 1 for i, c in enumerate(asked) if c == " "), len(asked) + 1]
    before = _measure_rows(left, asked)
    # Turned round, the distances of all beginnings are those of all endings.
    after = _measure_rows(right[::-1], asked[::-1])
    best = nearest = max(len(asked), len(left) + len(right))
    for start, end in pairwise(words):  # the best beginning so far serves every later end
        nearest = min(nearest, before[max(0, start - 1)])
        best = min(best, nearest + after[len(asked) - min(end, len(asked))])
    return best


def _measure_rows(key: str, text: str) -> list[int]:
    """Levenshtein distance of ``key`` and ``text[:i]``, for every i."""
    row = list(range(len(key) + 1))
    found = [row[-1]]
    for i, c in enumerate(text, start=1):
        last, row[0] = row[0], i
        for j, k in enumerate(key, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (c != k))
        found.append(row[-1])
    return found
