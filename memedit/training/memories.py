"""Pairs from memories whose requests are labelled in full: what a scope is taught further on.

A file of such memories holds, by name, ``facts`` (id: [text, subject or null]) and ``requests``
(``q``, what was said before as ``history``, and the ids it ``asks`` and that ``inform`` its
answer). Whatever a request does not name is nothing to it, so nothing needs to be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.files import check_file
from memedit.core.passages import Conversation
from memedit.core.protocols import Encoder
from memedit.core.registry import unknown_name
from memedit.core.types import Edit, Hit
from memedit.core.untrusted import read_json
from memedit.memory import EditMemory
from memedit.scope.features import scalars, vectors
from memedit.scope.reading import pair_texts
from memedit.scope.weighing import choose_weighed
from memedit.training.cross import ASKS, INFORMS, NONE
from memedit.training.pairs import Pairs, Part, gather

Memories: TypeAlias = Mapping[str, Mapping[str, Any]]
_CANDIDATES = 24
_OTHERS = 5
"""Edits that are nothing to a request, learnt from beside those that bear on it."""
_ROLES = (("informs", INFORMS), ("asks", ASKS))
_FIELDS = ("q", "history", "asks", "informs")


def read_memories(file: Path) -> Memories:
    """The memories of a file.

    Raises:
        InvalidInputError: no such file, no JSON, or not of the form above.
    """
    check_file(file)
    return check_memories(read_json(file), str(file))


def check_memories(memories: object, source: str) -> Memories:
    """The memories of a file that was read.

    Args:
        memories: What its JSON says.
        source: The file's name, for messages.

    Raises:
        InvalidInputError: not of the form above; says where.
    """
    if not isinstance(memories, Mapping) or not memories:
        raise InvalidInputError(
            f"{source} holds no memories.",
            hint='Write {"name": {"facts": {"1": ["text", null]}, "requests": [{"q": "…"}]}}.',
        )
    for name, told in memories.items():
        try:
            facts = {id: Edit.from_statement(*fact) for id, fact in told["facts"].items()}
            for number, asked in enumerate(told["requests"], start=1):
                _check_request(asked, facts.keys(), f"{source}: {name}, request {number}")
        except InvalidEditError as error:
            raise InvalidInputError(f"{source}: {name}: {error.args[0]}", hint=error.hint) from None
        except InvalidInputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError(
                f"{source}: {name} is not of the form that is read ({error!r}).",
                hint="Facts are {id: [text, subject or null]}, requests [{q, asks, informs}].",
            ) from None
    return memories


def _check_request(asked: Mapping[str, Any], ids: Any, where: str) -> None:
    if unknown := [name for name in asked.keys() if name not in _FIELDS]:
        # Passed over, a misspelt "asks" would teach that the request asks nothing.
        said = unknown_name("field", str(unknown[0]), _FIELDS)
        raise InvalidInputError(f"{where}: {said.message}", hint=said.hint)
    for name in ("history", *(role for role, _ in _ROLES)):
        given = asked.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise InvalidInputError(
                f"{where}: {name} is no list of texts: {given!r}.", hint=f'Write "{name}": ["…"].'
            )
    named = [id for role, _ in _ROLES for id in asked.get(role, ())]
    if strange := [id for id in named if id not in ids]:
        raise InvalidInputError(
            f"{where} names the facts {strange}, which there are not.",
            hint=f"The facts of this memory are {', '.join(ids)}.",
        )
    if not str(asked["q"]).strip():
        raise InvalidInputError(f"{where} asks nothing.", hint="Give its text as q.")


def pair_memories(
    memories: Memories,
    encoder: Encoder,
    *,
    dress: Callable[[str], str] = str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Labelled pairs of every request with the edits that its memory finds.

    Args:
        memories: As :func:`check_memories` gives them.
        encoder: The memory's.
        dress: Turns a request's words into those that are learnt from (misspelt, say).
        progress: Called with (memories done, in all).

    Raises:
        InvalidInputError: no request finds an edit.
    """
    parts: list[Part] = []
    number = 0
    for done, (name, told) in enumerate(memories.items(), start=1):
        memory, id_of = EditMemory(None, encoder), dict[str, str]()
        for id, (text, subject) in told["facts"].items():
            edit = Edit.from_statement(text, subject)
            memory.add(edit)
            id_of[edit.id] = id
        texts = [_say(asked, dress) for asked in told["requests"]]
        found = memory.search(texts, k=_CANDIDATES)
        for asked, text, hits in zip(told["requests"], texts, found, strict=True):
            roles = {id: role for key, role in _ROLES for id in asked.get(key, ())}
            number += 1
            if part := _pair(text, hits, id_of, roles, number, name):
                parts.append(part)
        progress(done, len(memories))
    if not parts:
        raise InvalidInputError("No request finds an edit.", hint="Give more requests.")
    return gather(parts)


def _say(asked: Mapping[str, Any], dress: Callable[[str], str]) -> str:
    return Conversation("\n".join(asked.get("history", ())), dress(asked["q"]))


def _pair(
    text: str,
    hits: Sequence[Hit],
    id_of: Mapping[str, str],
    roles: Mapping[str, int],
    number: int,
    name: str,
) -> Part | None:
    weighed = choose_weighed(hits, read=True)
    if not weighed:
        return None
    labels = [roles.get(id_of[hit.record.id], NONE) for hit in weighed]
    kept = _choose_kept(weighed, labels)
    every, chosen = scalars(weighed, text)[kept], [weighed[i] for i in kept]
    wide = vectors(chosen).astype(np.float16)  # the most of what is kept
    read = [pair_texts(hit, text) for hit in chosen]
    size = len(kept)
    return every, wide, [labels[i] for i in kept], [number] * size, [name] * size, read


def _choose_kept(hits: Sequence[Hit], labels: Sequence[int]) -> list[int]:
    """Places of what bears, and of the others that come nearest: what lies far teaches little."""
    near = sorted(
        (i for i, label in enumerate(labels) if label == NONE),
        key=lambda i: max(hits[i].relation or 0.0, hits[i].similarity),
        reverse=True,
    )
    return [*(i for i, label in enumerate(labels) if label != NONE), *near[:_OTHERS]]
