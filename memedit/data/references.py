"""Texts that tell what a thing with some property is like, for consistency and essence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.core.files import read_file

Property = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Snippets:
    """ROME's ``attribute_snippets.json``: a list of ``{"relation_id", "target_id", "samples":
    [{"name", "text"}]}``, an entry per (relation, object)."""

    samples: Mapping[Property, Sequence[tuple[str, str]]]

    def references(self, relation: str, target: str) -> tuple[str, ...]:
        """Texts about all that has this property."""
        return tuple(text for _, text in self.samples.get((relation, target), ()))

    def essence(self, relation: str, target: str, subject: str) -> tuple[str, ...]:
        """Those of them that are about the subject itself."""
        found = self.samples.get((relation, target), ())
        return tuple(text for name, text in found if name == subject)


@lru_cache(maxsize=1)
def read_snippets(file: Path) -> Snippets:
    """The snippets of a file.

    Raises:
        InvalidInputError: the file is missing or something else.
    """
    try:
        listed: Any = json.loads(read_file(file))
        samples: dict[Property, list[tuple[str, str]]] = {}
        for entry in listed:
            held = samples.setdefault((entry["relation_id"], entry["target_id"]), [])
            held += [(sample["name"], sample["text"]) for sample in entry["samples"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(
            f"{file} holds no reference texts: {error!r}.",
            hint='It is ROME\'s attribute_snippets.json: [{"relation_id": "P103", "target_id": '
            '"Q1860", "samples": [{"name": ..., "text": ...}]}].',
        ) from error
    return Snippets(samples)
