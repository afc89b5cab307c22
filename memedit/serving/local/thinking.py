"""What the base generates for requests beside their answers: thoughts of an editor, and requests
put into English for the scope.

It ends when nobody waits for it any more, and each request is told what its own took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Protocol

from memedit.core.calls import Batch, Completion
from memedit.model.editable import EditableModel
from memedit.serving.local.sampling import Leaver


class Job(Protocol):
    """A request, as far as this needs to know it (:class:`memedit.serving.local.batching.Job`)."""

    cancelled: Event
    thoughts: dict[str, int]


class Aside:
    """Stands in for the engine's ``generate`` where an editor has the base think beforehand.

    What several rows ask alike, such as those of several answers to one prompt, is thought once.

    Args:
        model: The base's.
        jobs: Whose each row is, by the id of its ``ids``.
    """

    def __init__(self, model: EditableModel, jobs: Mapping[int, Job]) -> None:
        self._model, self._jobs = model, jobs

    def __call__(self, batch: Batch) -> list[Completion]:
        alike: dict[str, list[int]] = {}
        for at, row in enumerate(batch.rows):
            alike.setdefault(row.text, []).append(at)
        owners = [[self._jobs[id(batch.rows[at].ids)] for at in same] for same in alike.values()]
        firsts = batch.only([same[0] for same in alike.values()])
        found = dict(zip(alike, _think(self._model, firsts, owners), strict=True))
        return [found[row.text] for row in batch.rows]


class Translating:
    """Stands in for the engine's ``generate`` where the base puts requests into English.

    Args:
        model: The base's.
        jobs: The requests, in the order in which they are decided.
    """

    def __init__(self, model: EditableModel, jobs: Sequence[Job]) -> None:
        self._model, self._jobs = model, jobs

    def __call__(self, batch: Batch, places: Sequence[Sequence[int]]) -> list[Completion | None]:
        owners = [[self._jobs[at] for at in each] for each in places]
        said = _think(self._model, batch, owners)
        # What was broken off is no translation, and none to be kept.
        return [None if _are_gone(jobs) else done for jobs, done in zip(owners, said, strict=True)]


def _think(model: EditableModel, batch: Batch, owners: Sequence[Sequence[Job]]) -> list[Completion]:
    """What the base generates for each row, counted for each of its owners."""
    left = Leaver([partial(_are_gone, jobs) for jobs in owners])
    options = {**batch.options, "stopping_criteria": [left]}
    said = model.engine.generate(replace(batch, options=options))
    ends = model.engine.ends()
    for row, jobs, thought in zip(batch.rows, owners, said, strict=True):
        for job in jobs:
            job.thoughts[row.text] = _count(thought, ends)
    return said


def _count(thought: Completion, ends: frozenset[int]) -> int:
    """Its tokens, without its end and what stands behind it."""
    tokens = [] if thought.ids is None else thought.ids[0].tolist()
    return next((n for n, token in enumerate(tokens) if token in ends), len(tokens))


def _are_gone(jobs: Sequence[Job]) -> bool:
    return all(job.cancelled.is_set() for job in jobs)
