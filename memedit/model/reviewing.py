"""Edits that the base has caught up with: after a change of the model they may be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memedit.core.types import Record
from memedit.model.asking import AskableModel
from memedit.model.feedback import agrees

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Known:
    """An edit whose prompt the base answers with the edit's own value."""

    record: Record
    answer: str


def find_known_to_base(
    model: AskableModel,
    records: Sequence[Record],
    progress: Callable[[int], None] | None = None,
) -> list[Known]:
    """The edits that the base answers rightly without them: each is asked its own prompt, greedily.

    Statements are no questions, and are left out.

    Args:
        progress: Hears how many were asked.
    """
    asked = [record for record in records if record.edit.target_new is not None]
    found: list[Known] = []
    for start in range(0, len(asked), _BATCH):
        some = asked[start : start + _BATCH]
        with model.unedited():
            answers = model.ask([record.edit.prompt for record in some])
        for record, answer in zip(some, answers, strict=True):
            if agrees(answer.text, record.edit.target_new or ""):
                found.append(Known(record, answer.text))
        if progress is not None:
            progress(start + len(some))
    return found
