"""Which subjects train, calibrate and test, and which relations are never trained on."""

from __future__ import annotations

import hashlib

from memedit.core.text import subject_key
from memedit.data.split import part_of
from memedit.training.requests.request import Split

_SPLITS: dict[str, Split] = {"train": "train", "calibration": "calib", "evaluation": "test"}
_UNSEEN = 12
"""Per cent of the relations that are only tested."""
UNSEEN_TOPICS = frozenset(
    {"technology_programming_language", "geography_glacier", "health_medication"}
)
"""Topics of HalluEditBench that are only tested."""
_COMMON = frozenset(
    "country,place of birth,place of death,location,genre,occupation,gender,sex or gender,"
    "headquarters location,spouse,sport,date of birth,country of citizenship".split(",")
)
"""Relations so common that CounterFact trains on them in any case."""


def percent(text: str) -> int:
    """A number below 100 that only the text decides."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 100


def split_of(subject: str) -> Split:
    """The split of a subject: :func:`memedit.data.split.part_of`'s."""
    return _SPLITS[part_of(subject)]


def is_unseen(relation: str) -> bool:
    """Whether a relation, as words, is kept out of training in every set that names it so."""
    name = relation.casefold().removeprefix("name of the ").strip()
    return name not in _COMMON and percent(f"relation:{name}") < _UNSEEN


class Splits:
    """Splits of subjects, some of which are only tested because of what is asked about them."""

    def __init__(self) -> None:
        self._tested: set[str] = set()

    def test(self, subject: str) -> None:
        """From now on, this subject is only tested."""
        self._tested.add(subject_key(subject))

    def of(self, *subjects: str) -> Split | None:
        """The split that all the subjects share, or None."""
        found = {self._split_of(subject) for subject in subjects}
        return found.pop() if len(found) == 1 else None

    def _split_of(self, subject: str) -> Split:
        return "test" if subject_key(subject) in self._tested else split_of(subject)
