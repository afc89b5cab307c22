"""IKE's published context (Zheng et al. 2023, arXiv 2305.12740): demonstrations from a corpus.

    New Fact: {fact of a demonstration}
    Prompt: {the fact itself, a paraphrase, or a neighbour} {answer}

    ...
    New Fact: {the edit}
    Prompt: {query}

The 32 records of the corpus nearest to the edit each give one demonstration, the nearest last:
4 *copy* (the fact's own prompt), 12 *update* (a paraphrase) and 16 *retain* (a neighbour, with its
own true answer), in an order drawn anew for each edit. The edit's own copy follows, then the query.
What is drawn depends on the seed and the edit alone.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.files import open_text
from memedit.core.protocols import Encoder
from memedit.core.types import Edit, Vectors
from memedit.engine.encoders import load_encoder

COPY, UPDATE, RETAIN = "copy", "update", "retain"
KINDS = (COPY,) * 4 + (UPDATE,) * 12 + (RETAIN,) * 16
BLOCK = "\n\n"
_LEAD = re.compile(r".*[.\n]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """A record of the corpus, of CounterFact's form.

    Attributes:
        subject: What its fact is about.
        prompt: The fact's, without its object.
        new, true: The two objects.
        paraphrases: Other wordings.
        neighbours: Prompts about others, whose true answer is ``true`` too.
    """

    subject: str
    prompt: str
    new: str
    true: str
    paraphrases: tuple[str, ...]
    neighbours: tuple[str, ...]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Source:
        """From a CounterFact record; KeyError or TypeError where it is none."""
        wanted = record["requested_rewrite"]
        subject, new, true = wanted["subject"], wanted["target_new"], wanted["target_true"]
        said = (strip_lead(text, subject) for text in record["paraphrase_prompts"])
        return cls(
            subject, wanted["prompt"].format(subject), new["str"], true["str"],
            tuple(said), tuple(record["neighborhood_prompts"]),
        )  # fmt: skip


def strip_lead(text: str, subject: str) -> str:
    """``text`` without the sentences before the one that names the subject.

    CounterFact's paraphrases begin with an unrelated sentence, which the authors cut off.
    """
    at = text.find(subject)
    return text if at < 0 else _LEAD.sub("", text[:at]).lstrip() + text[at:]


def pose(fact: str, query: str, answer: str = "") -> str:
    """One block, up to its answer."""
    return f"New Fact: {fact}\nPrompt: {query}{' ' if answer else ''}{answer}"


@lru_cache(maxsize=2)
def read_corpus(path: Path, changed: int) -> tuple[Source, ...]:
    """The records of a file of JSON lines (gzip'd or not) that can give every kind.

    Args:
        path: Of the file.
        changed: When it was, in ns: another file under the same name is read anew.

    Raises:
        InvalidInputError: it cannot be read, is of another form, or has fewer than 32 of them.
    """
    try:
        found = list(_sources(path))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error) as error:
        raise InvalidInputError(
            f"{path} is no corpus of demonstrations ({type(error).__name__}: {error}).",
            hint="Give JSON lines of CounterFact's form: counterfact_full.jsonl.gz.",
        ) from None
    if len(found) < len(KINDS):
        raise InvalidInputError(f"{path} has {len(found)} records; {len(KINDS)} are needed.")
    return tuple(found)


def _sources(path: Path) -> Iterator[Source]:
    with open_text(path) as lines:
        for line in lines:
            source = Source.read(json.loads(line))
            if source.paraphrases and source.neighbours:
                yield source


class Corpus:
    """The demonstrations of one file, near or far from an edit."""

    def __init__(self, sources: Sequence[Source], encoder: Encoder) -> None:
        self.sources, self.encoder = sources, encoder
        own = [pose(f"{s.prompt} {s.new}", s.prompt) for s in sources]
        self.vectors = encoder.encode(own)

    def nearest(self, vector: Vectors, edit: Edit) -> list[Source]:
        """The 32 records nearest to an edit, nearest first, none of them about its subject.

        Raises:
            InvalidInputError: there are not so many about others.
        """
        own = (edit.subject or "").casefold()
        found: list[Source] = []
        # Stable: equally near records in one order on every machine.
        for at in np.argsort(-(self.vectors @ vector), kind="stable"):
            each = self.sources[int(at)]
            if each.subject.casefold() != own and each.prompt != edit.prompt:
                found.append(each)
            if len(found) == len(KINDS):
                return found
        raise InvalidInputError(f"Only {len(found)} records of the corpus are about others.")


def contexts(
    lm: LM, edits: Sequence[Edit], facts: Sequence[str], *, path: str, encoder: str, seed: int
) -> list[str]:
    """What stands before each edit's query: 32 demonstrations and the edit's own copy.

    Args:
        lm: Keeps the corpus's vectors.
        edits: The edits.
        facts: Each as one line.
        path: Of the corpus.
        encoder: Name of the sentence encoder; "" for the packaged one.
        seed: Of what is drawn.

    Raises:
        InvalidInputError: as :func:`read_corpus`.
    """
    file = Path(path).expanduser()
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    key = ("ike", str(file), changed, encoder)
    if key not in lm.kept:
        lm.kept[key] = Corpus(read_corpus(file, changed), load_encoder(encoder or None))
    corpus: Corpus = lm.kept[key]
    asked = [pose(fact, edit.prompt) for fact, edit in zip(facts, edits, strict=True)]
    made = zip(edits, facts, corpus.encoder.encode(asked), strict=True)
    return [write(corpus.nearest(vector, edit), edit, fact, seed) for edit, fact, vector in made]


def write(near: Sequence[Source], edit: Edit, fact: str, seed: int) -> str:
    """The blocks of one edit: a demonstration of each record, nearest last, and its own copy."""
    drawn = hashlib.sha256(f"{seed}\n{edit.prompt}\n{edit.target_new}".encode()).digest()
    # Of the edit alone: its context must not depend on what is fitted beside it.
    stream = random.Random(int.from_bytes(drawn[:8], "big"))
    kinds = stream.sample(KINDS, len(KINDS))
    blocks = [_show(source, kind, stream) for source, kind in zip(near, kinds, strict=True)]
    return BLOCK.join([*reversed(blocks), pose(fact, fact), ""])


def _show(source: Source, kind: str, stream: random.Random) -> str:
    fact = f"{source.prompt} {source.new}"
    if kind == COPY:
        return pose(fact, source.prompt, source.new)
    if kind == UPDATE:
        return pose(fact, stream.choice(source.paraphrases), source.new)
    return pose(fact, stream.choice(source.neighbours), source.true)


def drop_half(context: str) -> str:
    """A context without the farther half of its demonstrations."""
    *shown, own, end = context.split(BLOCK)
    return BLOCK.join([*shown[(len(shown) + 1) // 2 :], own, end])
