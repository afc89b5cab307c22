"""Ordinary sentences, from files of text: what no edit should fire on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from memedit.core.errors import InvalidInputError
from memedit.data.records import read_lines, read_records

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_FEWEST, _MOST = 20, 140
_FIELDS = ("text", "passage", "question", "sentence", "article", "sentence1", "dialogue")


def sentences(paths: Iterable[Path], *, each: int = 6) -> list[str]:
    """Sentences of 20 to 140 characters, at most ``each`` of a record (JSONL) or of a line.

    Raises:
        InvalidInputError: a file cannot be read, or there is not one sentence.
    """
    found: list[str] = []
    for path in paths:
        for text in passages(path):
            fits = (s.strip() for s in _SENTENCE.split(text) if _FEWEST < len(s.strip()) < _MOST)
            found += [s for s, _ in zip(fits, range(each), strict=False)]  # at most so many
    if not found:
        raise InvalidInputError("The text files hold no sentence.")
    return list(dict.fromkeys(found))


def passages(path: Path) -> Iterator[str]:
    """The texts of a file: the first text field of each JSON line, or each line of plain text.

    Raises:
        InvalidInputError: it cannot be read; a line is no JSON object.
    """
    if path.name.removesuffix(".gz").endswith(".txt"):
        found = (line.strip() for _, line in read_lines(path))
    else:
        found = (
            next((str(record[f]) for f in _FIELDS if f in record), "")
            for record in read_records(path)
        )
    yield from filter(None, found)
