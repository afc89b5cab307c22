"""What a scope decided as plain data, for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memedit.core.documents import Passage
from memedit.core.types import Decision, Hit
from memedit.scope.features import match_words

_TELL: Mapping[str, Callable[[Hit], Any]] = {
    "id": lambda hit: hit.record.id,
    "fact": lambda hit: hit.record.edit.statement,
    "similarity": lambda hit: hit.similarity,
    "relation": lambda hit: hit.relation,
    "score": lambda hit: hit.score,
    "bearing": lambda hit: hit.bearing,
    "role": lambda hit: hit.role,
    "words": lambda hit: list(match_words(hit)),
    "mention": lambda hit: hit.mention,
    "view": lambda hit: hit.view,
    "document": lambda hit: plain_passage(hit.passage),
    "second_look": lambda hit: hit.second_look,
}
EVERYTHING = tuple(_TELL)
"""What can be told of a hit; ``words`` are those that query and edit share."""
_IF_ANY = ("document", "second_look")
"""Left out where there is none."""


def plain_hit(
    hit: Hit, names: Sequence[str] = EVERYTHING, *, digits: int | None = None
) -> dict[str, Any]:
    """What is asked for of a hit.

    Args:
        names: Of :data:`EVERYTHING`.
        digits: Numbers are rounded to so many decimals; None leaves them as they are.
    """
    every = {name: _TELL[name](hit) for name in names}
    told = {
        name: value for name, value in every.items() if value is not None or name not in _IF_ANY
    }
    return told if digits is None else {name: _round_number(told[name], digits) for name in told}


def plain_hits(
    decision: Decision,
    groups: Sequence[str],
    names: Sequence[str] = EVERYTHING,
    *,
    digits: int | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """:func:`plain_hit` of each hit in these groups of a decision.

    Args:
        groups: Of ``hits``, ``informs``, ``companions``, ``disagrees``, ``candidates``.
    """
    every = {
        "hits": decision.hits,
        "informs": decision.informs,
        "companions": decision.companions,
        "disagrees": decision.disagrees,
        "candidates": decision.candidates,
    }
    return {
        group: [plain_hit(hit, names, digits=digits) for hit in every[group]] for group in groups
    }


def plain_passage(passage: Passage | None) -> dict[str, Any] | None:
    """Which passage of which version of which document; None: of none."""
    if passage is None:
        return None
    return {
        "name": passage.document,
        "version": passage.version,
        "passage": passage.number,
        "of": passage.count,
    }


def plain_time(decision: Decision) -> dict[str, str] | None:
    """The time that the query names, and whose facts were seen; None where it names none."""
    if decision.as_of is None:
        return None
    return {"named": decision.named, "as_of": decision.as_of.isoformat()}


def _round_number(value: object, digits: int) -> object:
    return round(float(value), digits) if isinstance(value, int | float) else value
