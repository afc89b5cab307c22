"""Pairs of statements that were labelled by hand: what the later does to the earlier.

``restated.json``: by domain, a statement, what takes its place in other words, what says it again,
and what stays beside it. Every sentence was thought of by itself. A correction of one statement is
put to the nearest others of its domain, too, and words of change ("now", "from now on") come and go
on either side: a reader that looks for them need not read.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from memedit.core.protocols import Encoder
from memedit.scope.adapted import REPEATS, REPLACES, STAYS
from memedit.scope.reading import TextPair
from memedit.training.cross import Labelled
from memedit.training.requests.banks import bank

Group: TypeAlias = Mapping[str, Any]
_NEAR, _AWAY = 3, 1
"""Other statements that a correction is put to: the nearest, and by chance."""
_NEUTRAL = (
    "From now on, {}", "As of today {}", "Update: {}", "Correction: {}", "{} (changed)",
    "We have changed this: {}", "Just so you know, {}", "Actually, {}", "FYI: {}", "Note that {}",
    "{} This is new.", "Since this week {}", "By now {}",
)  # fmt: skip
_MARKED = 0.15
"""Share of the later ones that get words of change, whatever their label."""
_CHANGE = re.compile(
    r"(?:,? ?\b(?:from now on|as of now|these days|nowadays|by now)\b,?|\bnow\b(?! (?:and|or)\b))",
    re.IGNORECASE,
)
_BARED = 0.5
"""Share of those that replace and lose such words."""
_OPENS = frozenset("The Our You We A An Your Please Every Each There It In On At For".split())


def label_pairs(seed: int, encoder: Encoder) -> list[Labelled]:
    """(the earlier, the later), and what the later does."""
    rng, found = random.Random(seed), list[Labelled]()
    for groups in bank("restated").values():
        for group in groups:
            found += _of_group(group, rng)
        found += _of_neighbours(groups, encoder, rng)
    return [((old, _mark(new, rng)), label) for (old, new), label in found]


def _of_group(group: Group, rng: random.Random) -> Iterator[Labelled]:
    old, again = group["old"], group["repeats"]
    for new in group["corrects"]:
        # Either may come first; two corrections may have one value.
        for one, two in ((old, _bare(new, rng)), (new, old), *((r, new) for r in again)):
            yield (one, two), REPLACES
    for same in again:
        yield (old, same), REPEATS
        yield (same, old), REPEATS
    for other in group["stays"]:
        yield (old, other), STAYS
        yield from _some(rng, 0.6, [(other, old)])
        yield from _some(rng, 0.3, [(new, other) for new in (*group["corrects"], *again)])
        yield from _some(rng, 0.12, [(other, two) for two in group["stays"] if two != other])


def _some(rng: random.Random, share: float, pairs: Sequence[TextPair]) -> Iterator[Labelled]:
    """A share of pairs of which the earlier one stays."""
    return ((pair, STAYS) for pair in pairs if rng.random() < share)


def _of_neighbours(
    groups: Sequence[Group], encoder: Encoder, rng: random.Random
) -> Iterator[Labelled]:
    """What corrects one statement of a domain corrects none of the others."""
    olds = encoder.encode([group["old"] for group in groups])
    for place, group in enumerate(groups):
        rest = [n for n in range(len(groups)) if n != place]
        for new in group["corrects"]:
            like = olds @ encoder.encode([new])[0]
            near = sorted(rest, key=lambda n, like=like: -like[n])[:_NEAR]  # type: ignore[misc]
            away = rng.sample(rest, min(_AWAY, len(rest)))
            for n in dict.fromkeys([*near, *away]):
                yield (groups[n]["old"], new), STAYS


def _mark(text: str, rng: random.Random) -> str:
    """The statement, at times with words around it that speak of change."""
    if rng.random() >= _MARKED:
        return text
    form = rng.choice(_NEUTRAL)
    begins = form.startswith("{") or form.endswith(": {}")
    return form.format(text if begins else _lower(text))


def _bare(text: str, rng: random.Random) -> str:
    """The statement, at times without its words of change."""
    if rng.random() >= _BARED:
        return text
    bare = " ".join(_CHANGE.sub(" ", text).split())
    bare = re.sub(r"\s+([.,;!?])", r"\1", bare).strip(" ,")
    return bare[:1].upper() + bare[1:]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:] if text.split(" ", 1)[0] in _OPENS else text
