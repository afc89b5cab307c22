"""Ordinary sentences, from files of text: what no edit should fire on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from memedit.core.errors import InvalidInputError
from memedit.core.files import open_text

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
            found += [s for s, _ in zip(fits, range(each), strict=False)]
    if not found:
        raise InvalidInputError("The text files hold no sentence.")
    return list(dict.fromkeys(found))


def passages(path: Path) -> Iterator[str]:
    """The texts of a file: the first text field of each JSON line, or each line of plain text."""
    if not path.is_file():
        raise InvalidInputError(f"{path} is not a file.")
    plain = path.name.removesuffix(".gz").endswith(".txt")
    with open_text(path) as lines:
        for line in lines:
            if plain:
                text = line.strip()
            else:
                record = json.loads(line)
                text = next((str(record[f]) for f in _FIELDS if f in record), "")
            if text:
                yield text
