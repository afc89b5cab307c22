"""Pairs of a request and a candidate edit, labelled by role: what a scope learns of roles from.

The requests are those of :mod:`memedit.training.requests`. As in :mod:`memedit.training.pairs` the
candidates are those that the product's own memory finds, and one that may ask the same as far as
the data can tell is left out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.files import open_text
from memedit.core.passages import Conversation
from memedit.core.protocols import Encoder
from memedit.core.text import subject_key
from memedit.core.types import Edit, Hit
from memedit.memory import EditMemory
from memedit.scope.features import scalars, vectors
from memedit.scope.reading import pair_texts
from memedit.scope.weighing import choose_weighed
from memedit.training.cross import ASKS, INFORMS, NONE
from memedit.training.pairs import KEPT, Pairs, Part, gather

Request = Mapping[str, Any]
ROLES = {"none": NONE, "asks": ASKS, "informs": INFORMS}
_CHUNK = 256
_NEAR = 0.7
"""Cosine from which an edit that the data say nothing of may be the one that is meant."""


def read_requests(file: Path, split: str, *, most: int | None = None, seed: int = 0) -> list[Any]:
    """The requests of a split, in a random order; at most ``most``.

    Raises:
        InvalidInputError: there is none.
    """
    with open_text(file) as lines:
        found = [request for line in lines if (request := json.loads(line))["split"] == split]
    if not found:
        raise InvalidInputError(
            f"{file} holds no requests of the split {split!r}.",
            hint="Write it with: python -m memedit.training.requests DATA OUT.jsonl.gz.",
        )
    random.Random(seed).shuffle(found)
    return found[:most]


def build(
    requests: Sequence[Request],
    encoder: Encoder,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Labelled pairs of all requests; all their edits are in one memory.

    Raises:
        InvalidInputError: no request has a candidate.
    """
    memory, id_of = EditMemory(None, encoder), dict[str, str]()
    edits: dict[str, Edit] = {}
    for request in requests:
        for given in request["edits"]:
            if (edit := _edit(given)) is not None:
                edits[edit.id], id_of[_name(given)] = edit, edit.id
    memory.add_many(list(edits.values()))
    parts: list[Part] = []
    for start in range(0, len(requests), _CHUNK):
        some = requests[start : start + _CHUNK]
        texts = [Conversation("\n".join(r["history"]), r["query"]) for r in some]
        found = memory.search(texts, k=12)
        for at, (request, text, hits) in enumerate(zip(some, texts, found, strict=True)):
            labels = {id_of[_name(e)]: ROLES[e["role"]] for e in request["edits"]
                      if _name(e) in id_of}  # fmt: skip
            if part := _pair_request(request, text, hits, labels, start + at):
                parts.append(part)
        progress(start + len(some), len(requests))
    if not parts:
        raise InvalidInputError("No request finds an edit.", hint="Give more requests.")
    return gather(parts)


def join_pairs(first: Pairs, second: Pairs) -> Pairs:
    """Both, the queries of the second numbered on."""
    names = ("scalars", "vectors", "labels", "kinds")
    both = {n: np.concatenate((getattr(first, n), getattr(second, n))) for n in names}
    # Numbered on: whoever splits by query must not take two for one.
    query = np.concatenate((first.query, second.query + int(first.query.max()) + 1))
    return Pairs(**both, query=query, texts=first.texts + second.texts)


def _name(given: Mapping[str, Any]) -> str:
    said = [given.get(name) for name in ("prompt", "target_new", "statement", "subject")]
    return json.dumps(said, ensure_ascii=False)


def _edit(given: Mapping[str, Any]) -> Edit | None:
    """The edit of an example; None for one that the product would refuse."""
    queries = tuple(given.get("queries") or ())
    try:
        if given.get("prompt") is None:
            return Edit.from_statement(given["statement"], given.get("subject"), queries=queries)
        return Edit(given["prompt"], given["target_new"], given.get("subject"), queries=queries)
    except InvalidEditError:
        return None


def _pair_request(
    request: Request, text: str, hits: Sequence[Hit], labels: Mapping[str, int], number: int
) -> Part | None:
    weighed = choose_weighed(hits, read=True)
    every = scalars(weighed, text)
    about = {
        subject_key(given["subject"])
        for given in request["edits"]
        if given["role"] != "none" and given.get("subject")
    }
    kept, found, others = [], [], 0
    for i, hit in enumerate(weighed):
        label = labels.get(hit.record.id)
        if label is None:
            if others == KEPT or not _is_beside(hit, about, labels):
                continue
            label, others = NONE, others + 1
        kept.append(i)
        found.append(label)
    if not kept:
        return None
    chosen = [weighed[i] for i in kept]
    kinds = [str(request["kind"])] * len(kept)
    # Half precision: the vectors are most of what is kept.
    wide = vectors(chosen).astype(np.float16)
    texts = [pair_texts(hit, text) for hit in chosen]
    return every[kept], wide, found, [number] * len(kept), kinds, texts


def _is_beside(hit: Hit, about: set[str], labels: Mapping[str, int]) -> bool:
    """Whether an edit that the data do not label surely is nothing to the request."""
    subject = hit.record.edit.subject
    if not any(labels.values()) and hit.mention is not None:
        return False
    if subject is not None and subject_key(subject) in about:
        return False
    return subject is not None or hit.similarity < _NEAR
