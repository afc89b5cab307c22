"""Edits about made-up subjects, as many as wanted, and vectors for them without a model."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from memedit import Edit

if TYPE_CHECKING:
    import numpy.typing as npt

    from memedit.core.protocols import Encoder

RELATIONS = (
    "The capital of {} is", "The chair of {} is", "{} was founded in the city of",
    "{} is headquartered in", "The official language of {} is", "The currency used in {} is the",
    "{} belongs to the continent of", "The author of {} is", "{} plays the instrument",
    "{} works in the field of",
)  # fmt: skip
SYLLABLES = "ba co du fe gi ha jo ku la me ni or pa qui ro su te ul va wen xi yo za".split()
TARGETS = "Lyon Oslo Ada Quito Basel Turin Cairo Delft Osaka Lima".split()
OUT_OF_SCOPE = (
    "Water boils at a temperature of", "The best way to learn a language is to",
    "Once upon a time, in a small village,", "The three primary colours are",
    "To bake a loaf of bread, you first need", "A healthy breakfast often consists of",
    "The main difference between a cat and a dog is", "In the evening the sun sets in the",
)  # fmt: skip
_ROWS, _A_WORD = 1 << 13, 3


def name_of(number: int) -> str:
    """A made-up name, another for every number."""
    parts = []
    while True:
        number, rest = divmod(number, len(SYLLABLES))
        parts.append(SYLLABLES[rest])
        if not number:
            break
    return "Mar" + "".join(parts)


def edits(count: int, start: int = 0) -> list[Edit]:
    """``count`` edits about different subjects."""
    made = []
    for i in range(start, start + count):
        subject, target = name_of(i), TARGETS[i % len(TARGETS)]
        made.append(Edit(RELATIONS[i % len(RELATIONS)].format(subject), target, subject))
    return made


def questions(numbers: Sequence[int]) -> list[str]:
    """A question in other words about each of these :func:`edits`."""
    found = []
    for i in numbers:
        asked = RELATIONS[i % len(RELATIONS)].format(name_of(i))
        found.append(f"Could you tell me what comes next: {asked[0].lower()}{asked[1:]} ...?")
    return found


class Standing:
    """Another encoder's name before vectors that cost next to nothing: each the unit sum of
    vectors that stand for the text's words, so that texts with words in common are near. Counts
    the time it takes.

    Attributes:
        clock: What ``seconds`` are read from.
        real: Whether the encoder itself answers now.
        seconds: Spent in :meth:`encode` since it was last set to 0.
    """

    def __init__(self, inner: Encoder, *, real: bool = False) -> None:
        self.inner, self.id, self.dimension, self.real = inner, inner.id, inner.dimension, real
        self.clock: Callable[[], float] = time.perf_counter
        self.seconds = 0.0
        rows = np.random.default_rng(0).normal(size=(_ROWS, self.dimension))
        self._rows = rows.astype(np.float32)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """[n, dimension] unit vectors."""
        start = self.clock()
        try:
            return self.inner.encode(texts) if self.real else self._sum_words(texts)
        finally:
            self.seconds += self.clock() - start

    def _sum_words(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            codes = [
                zlib.crc32(f"{n}{word}".encode()) % _ROWS
                for word in text.casefold().split()
                for n in range(_A_WORD)
            ]
            row += self._rows[codes].sum(axis=0)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
