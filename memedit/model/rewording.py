"""What a statement corrects in other words: "Customers may return goods within 30 days.", then "Our
refund window is 45 days.".

With the old one's value the new one would be its paraphrase, and that is what is asked of a reader
of pairs (:mod:`memedit.scope.rewording`). What the new one says beside it counts against: a value
or a name that the old one has none for ("on Sundays", "in Graz"), and words that add ("also",
"another"). To retire what should stay is the worse error: where it is less sure, the receipt tells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memedit.core.naming import guess_subject
from memedit.core.protocols import Encoder
from memedit.core.types import Edit, Hit, Record
from memedit.model.contrasts import contrast
from memedit.model.deciding import Decider
from memedit.model.several import surely_has_several
from memedit.model.swapping import Swapped, find_names, swap_values
from memedit.scope.classifier import ClassifierScope
from memedit.scope.rewording import Rewording, load_rewording

SURE, POSSIBLE = 0.97, 0.4
"""Probability of telling the same from which an old statement is replaced; and from which it is
told as a possible conflict. Of 472 statements of ``benchmarks/facts_restated.jsonl`` none then
replaces what should stay (at 0.94 one does, at 0.85 two)."""
_ALIKE = 0.3
"""Cosine below which nothing is read."""
_MOST = 3
"""Old statements that are read beside a new one, both ways: six pairs."""
_LONGEST = 240
"""Characters of a statement that is replaced so; what is longer says more than one thing."""
_ADDS = re.compile(
    r"\b(?:also|too|as well|additional(?:ly)?|in addition|another|besides|moreover|except|apart "
    r"from|furthermore|used to|formerly|previously|was|were|had)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?;]\s+\S")


@dataclass(frozen=True, slots=True)
class Reworded:
    """What a new statement tells of old ones.

    Attributes:
        replaces: What it corrects for sure.
        perhaps: What it may correct.
    """

    replaces: tuple[Record, ...] = ()
    perhaps: tuple[Record, ...] = ()


def find_reworded(decider: Decider, edit: Edit, hits: Sequence[Hit]) -> Reworded:
    """What a new statement corrects in other words among some candidates. The reader sees at most
    six pairs."""
    near = [hit for hit in hits if _may_be_read(hit, edit)]
    near = sorted(near, key=lambda hit: -hit.similarity)[:_MOST]
    reader = _load_reader(decider) if near else None
    if reader is None:
        return Reworded()
    olds = [hit.record.edit for hit in near]
    swapped = [swap_values(old.statement, edit.statement) for old in olds]
    both = reader.rate(
        [(old.statement, each.text) for old, each in zip(olds, swapped, strict=True)]
    )
    replaces, perhaps = list[Record](), list[Record]()
    for hit, each, chance in zip(near, swapped, both, strict=True):
        old = hit.record.edit
        sure = chance >= SURE and _is_plain(old, edit, each)
        if sure and (each.kinds or not _has_several(old, edit, decider.memory.encoder)):
            replaces.append(hit.record)
        elif chance >= POSSIBLE:
            perhaps.append(hit.record)
    return Reworded(tuple(replaces), tuple(perhaps))


def _may_be_read(hit: Hit, edit: Edit) -> bool:
    old = hit.record.edit
    if hit.passage is not None or old.multiple or not (edit.is_statement and old.is_statement):
        return False
    return hit.similarity >= _ALIKE and max(len(old.statement), len(edit.statement)) <= _LONGEST


def _load_reader(decider: Decider) -> Rewording | None:
    """The reader of the scope in use; None where it has none."""
    decider.check()
    scope = decider.scope
    return load_rewording(scope.model) if isinstance(scope, ClassifierScope) else None


def _is_plain(old: Edit, new: Edit, swapped: Swapped) -> bool:
    """Whether the new statement says another value of the same, and nothing that adds to it."""
    if _ADDS.search(new.statement) and not _ADDS.search(old.statement):
        return False
    if _SENTENCE.search(old.statement) or contrast(old.statement, swapped.text):
        return False
    was, now = find_names(old.statement), find_names(new.statement)
    gone, came = _count_others(was, now), _count_others(now, was)
    if swapped.kinds:
        # The value is another: a name beside it says of what, or for whom.
        return not swapped.extra and not swapped.missing and not came
    if (came and was and not gone) or (gone and not came and not swapped.extra):
        return False
    return swapped.extra + came <= 1 and not (swapped.extra and swapped.missing)


def _has_several(old: Edit, new: Edit, encoder: Encoder) -> bool:
    """Whether a name that is another is surely one of several: "exports to PDF", "to CSV"."""
    was, now = find_names(old.statement), find_names(new.statement)
    others = [name for name in now if not name & set[str]().union(*was)]
    folded = new.statement.casefold()
    start = min((folded.find(word) for name in others for word in name), default=0)
    before = new.statement[:start].strip()
    # What begins with the name says nothing before it.
    spoken = any(word[0].islower() for word in before.split())
    return spoken and surely_has_several(before, guess_subject(before), encoder)


def _count_others(names: Sequence[set[str]], beside: Sequence[set[str]]) -> int:
    """Names that share no word with others."""
    known = set[str]().union(*beside)
    return sum(not name & known for name in names)
