"""What an edit takes over from those that it replaces: the texts by which their fact is found, and
those that it must not answer. They were given for the fact, not for what it said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from memedit.core.text import normalise
from memedit.core.types import Edit, Vectors, key_texts


def inherit(edit: Edit, replaced: Iterable[Edit]) -> Edit:
    """An edit, under its id, with the ``queries`` and ``excluded`` of edits that it replaces, but
    for texts of which it says itself whether they find it.

    Nothing is taken from, or by, one of several values: another value may answer these texts.
    """
    if edit.multiple:
        return edit
    single = [old for old in replaced if not old.multiple]
    own = {normalise(text) for text in (*key_texts(edit), *edit.excluded)}
    queries = _find_new((text for old in single for text in old.queries), own)
    # What finds one of them is about the fact, whatever another of them had been told.
    excluded = _find_new((text for old in single for text in old.excluded), own)
    if not queries and not excluded:
        return edit
    return replace(edit, queries=(*edit.queries, *queries), excluded=(*edit.excluded, *excluded))


def _find_new(texts: Iterable[str], known: set[str]) -> list[str]:
    """Texts that are not known, each once; they are known then."""
    found = list[str]()
    for text in texts:
        if (key := normalise(text)) not in known:
            known.add(key)
            found.append(text)
    return found


def take_vectors(edit: Edit, vectors: Vectors) -> dict[str, Vectors]:
    """The vectors of an edit's further texts among those of all that is compared with a query."""
    last = len(vectors) - len(edit.excluded)
    found = zip(edit.queries, vectors[1 : 1 + len(edit.queries)], strict=True)
    return dict(found) | dict(zip(edit.excluded, vectors[last:], strict=True))
