"""A statement that names its first day: "From 1 January the fee is 60 euros.".

Without these words it says what holds then, and is compared so with what is in force.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from memedit.core.days import find_first_day
from memedit.core.errors import InvalidEditError
from memedit.core.moments import UTC
from memedit.core.plainly import drop_lead
from memedit.core.types import Edit, Record

_WILL = re.compile(r"\b(?P<who>[\w'’]+)\s(?:will|shall)\s(?P<verb>\w+)\b", re.IGNORECASE)
_MANY = frozenset("we you they i".split())
_LONGEST = 400
"""Characters of a statement that is read."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A statement, and since when it holds.

    Attributes:
        edit: It without the words that say so, in the present tense.
        start: When its first day begins, which may be today.
    """

    edit: Edit
    start: datetime

    @property
    def compared_at(self) -> datetime | None:
        """When it is compared with what is in force: then; None: now, as it has begun."""
        return self.start if self.start > datetime.now(UTC) else None


def read_beginning(edit: Edit, zone: tzinfo) -> Begun | None:
    """What a statement says of its first day, in a zone; None: nothing, or a day that is over."""
    if not edit.is_statement or len(edit.prompt) > _LONGEST:
        return None
    found = find_first_day(drop_lead(edit.prompt), datetime.now(UTC), zone, today=True)
    if found is None:
        return None
    try:
        return Begun(replace(edit, prompt=_WILL.sub(_make_present, found.rest), id=""), found.start)
    except InvalidEditError:  # its subject is gone, or little is left
        return None


def awaits_its_day(record: Record) -> bool:
    """Whether a fact names its first day, and nobody said that it holds from then: that day is what
    it is about."""
    text = record.edit.statement
    if record.valid_from is not None or len(text) > _LONGEST:
        return False
    return find_first_day(text, datetime.now(UTC), UTC, coming=False) is not None


def _make_present(found: re.Match[str]) -> str:
    """ "We will open" is "We open", "the fee will be" is "the fee is"."""
    who, verb = found["who"], found["verb"]
    many = who.casefold() in _MANY or (who.endswith("s") and not who.endswith("ss"))
    if verb == "be":
        return f"{who} are" if many else f"{who} is"
    return f"{who} {verb}" if many else f"{who} {verb}{'es' if verb.endswith('sh') else 's'}"
