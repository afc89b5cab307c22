"""Which changes of a memory stand, and what of one is there still.

A change is what one call made: a version, or of a file one for every thousand lines or so. Others
may write between these: what is taken back then is the file's, and theirs stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from memedit.memory.journal.reading import LIVE
from memedit.memory.journal.rows import Change, Entry, Happened

RETURN = "restore {}"
"""The reason of the events by which a memory goes back to a version."""
APART = "restore {}, later changes kept"
"""The reason of those that take back a change, to the version before it, but not what others made
since."""
_TAKES_BACK = re.compile(r"restore (?P<version>\d+)(?P<apart>, later changes kept)?")
FURTHER = "import {}"
"""The reason of what a file adds after the chunk that made this version, its first."""
_FURTHER = re.compile(r"import (?P<first>\d+)")


def mark(entries: Sequence[Entry], further: str) -> list[Entry]:
    """The events of what goes on with an earlier change, of which some have its reason: those that
    add, if not for a reason of their own, else those that retire."""
    adds = any(entry.kind == "add" and not entry.reason for entry in entries)
    kind = "add" if adds else "supersede"
    return [
        replace(entry, reason=further) if entry.kind == kind and not entry.reason else entry
        for entry in entries
    ]


@dataclass(slots=True)
class Step:
    """A change that stands.

    Attributes:
        versions: Those that it made, ascending.
        erases: Whether it is a purge.
    """

    versions: list[int]
    erases: bool = False

    @property
    def before(self) -> int:
        """The version before it began."""
        return self.versions[0] - 1


@dataclass(slots=True)
class Standing:
    """The changes of a memory (or a namespace) that stand.

    Attributes:
        void: Versions that were taken back, and those that took them back.
    """

    void: set[int] = field(default_factory=set)
    # By the version that names it: its first, also where this is another namespace's.
    _steps: dict[int, Step] = field(default_factory=dict)
    _last_apart: int = 0

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Standing:
        """What stands after these changes, oldest first."""
        made = cls()
        for version, group in groupby(changes, lambda change: change.version):
            made._take(version, list(group))
        return made

    @property
    def steps(self) -> list[Step]:
        """In the order in which they ended."""
        return list(self._steps.values())

    def is_alone(self, step: Step) -> bool:
        """Whether nothing else stands that came since this step began: to take it back, the memory
        goes back to what it was before."""
        # The newest of the others, as they ended in this order.
        newest = (each for each in reversed(self._steps.values()) if each is not step)
        ended = next((each.versions[-1] for each in newest), 0)
        return max(self._last_apart, ended) <= step.before

    def _take(self, version: int, changes: Sequence[Change]) -> None:
        """What was done in the next version."""
        reasons = {change.reason for change in changes}
        taken = self._find_taken(reasons)
        if taken is not None:
            step = self._steps.pop(taken)
            self.void.update((*step.versions, version))
            if reasons == {APART.format(step.before)}:
                self._last_apart = version
            return
        kinds = ("add", "supersede")  # what people give as a reason is one of other events
        named = (_FURTHER.fullmatch(each.reason) for each in changes if each.kind in kinds)
        first = next((int(found["first"]) for found in named if found is not None), version)
        # A file that goes on ends later than what came between.
        step = self._steps.pop(first) if first in self._steps else Step([])
        step.versions.append(version)
        step.erases = any(change.kind == "purge" for change in changes)
        self._steps[first] = step

    def _find_taken(self, reasons: Collection[str]) -> int | None:
        """The name of the step that a change with these reasons takes back; None: it is another
        change, such as a return to a version that somebody asked for."""
        found = [_TAKES_BACK.fullmatch(reason) for reason in reasons]
        if len(found) != 1 or found[0] is None:
            return None
        before = int(found[0]["version"])
        for name, step in reversed(self._steps.items()):
            if step.before == before and (found[0]["apart"] or self.is_alone(step)):
                return name
            if not found[0]["apart"]:
                return None
        return None


@dataclass(frozen=True, slots=True)
class Inverse:
    """What takes a change back, by the records' numbers.

    Attributes:
        lost: Live records that it put in force.
        missing: Records that it took out.
        kept: Live records that it put in force, and that stay: others changed since what stands
            in one piece with them.
    """

    lost: list[int]
    missing: list[int]
    kept: list[int]


def find_inverse(
    step: Step,
    happened: Sequence[Happened],
    void: Collection[int],
    live: Collection[int],
    taken: Collection[int] = (),
) -> Inverse:
    """What takes a change back whose records others may have changed since.

    What it replaced, what replaced that, and what was left of its time belong together: all of it
    is as before, or stays.

    Args:
        step: The change.
        happened: All events (of the namespace) since it began, in order.
        void: Versions that count as if they had not been.
        live: The numbers of the records that are live.
        taken: Of records that cannot come back.
    """
    own, groups = {*step.versions}, _Groups()
    was_live, stays, purged, copies = dict[int, bool](), set[int](taken), set[int](), set[int]()
    for each in happened:
        if each.version in own:
            was_live.setdefault(each.sequence, each.kind not in LIVE)
            groups.join(each.sequence, each.other)
            if each.kind == "add" and each.other is not None:
                copies.add(each.sequence)
        elif each.kind == "purge":
            purged.add(each.sequence)
        elif each.version not in void and each.sequence in groups:
            stays.add(each.sequence)
    # Of time that was parted, and partly purged, it is not known whose it is.
    parted = groups.find_all(copies) & groups.find_all(purged)
    staying = parted | groups.find_all(stays)
    found = Inverse([], [], [])
    for sequence in sorted(was_live):
        stands = groups.find(sequence) in staying
        if sequence in live and not was_live[sequence]:
            (found.kept if stands else found.lost).append(sequence)
        elif sequence not in live and was_live[sequence] and not stands | (sequence in purged):
            found.missing.append(sequence)
    return found


class _Groups:
    """Records that belong together."""

    def __init__(self) -> None:
        self._above = dict[int, int]()

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._above

    def join(self, sequence: int, other: int | None) -> None:
        """Let two records belong together, or one stand for itself."""
        top = self.find(sequence)
        self._above.setdefault(sequence, top)
        if other is not None:
            self._above.setdefault(other, other)
            self._above[self.find(other)] = top

    def find(self, sequence: int) -> int:
        """The record that stands for a group."""
        while (above := self._above.get(sequence, sequence)) != sequence:
            self._above[sequence] = self._above[above]  # the way is shorter the next time
            sequence = above
        return sequence

    def find_all(self, sequences: Collection[int]) -> set[int]:
        """Those that stand for the groups of these records."""
        return {self.find(sequence) for sequence in sequences if sequence in self._above}
